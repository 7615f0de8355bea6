package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"mooring.dev/providers"
	"mooring.dev/providers/crew"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// Bounds of one round of reading beside artifacts.
const (
	maxBeside  = 2000 // artifacts of a release
	besideTime = 30 * time.Second
)

// besideRead is what lies beside one artifact, or why it is not known.
type besideRead struct {
	said  []sources.Statement
	keys  string // the control commit whose keys it was read with
	err   error
	until time.Time // it is read again after
}

// takeBeside adds the statements that lie beside a release's code, in S3 or in
// a folder. Nobody has them read who names no key. What could not be read is
// not absent: it is an error.
func (p *pass) takeBeside(ctx context.Context, rel *manifest.Release, all *heap) error {
	if p.e.d.opts.Beside == nil || p.w.verifier == nil || len(p.w.pipeline.Evidence.Keys) == 0 {
		return nil
	}
	at := map[string]manifest.Artifact{}
	for _, a := range artifactsOf(rel) {
		if address, _, _ := strings.Cut(a.URI, "?"); address != "" {
			at[address] = a
		}
	}
	if len(at) > maxBeside {
		return fmt.Errorf("what is signed beside %d artifacts is not read: at most %d are looked at", len(at), maxBeside)
	}
	p.readBeside(ctx, at)
	var unknown []error
	for _, address := range slices.Sorted(maps.Keys(at)) {
		read := p.e.beside[address]
		p.later = append(p.later, read.until)
		switch {
		case read.err != nil:
			unknown = append(unknown, fmt.Errorf("whether there are statements beside %s is not known (%s)", address, providers.KindOf(read.err)))
		default:
			// Who may write the artifact may date what lies beside it.
			all.take(read.said, time.Time{})
		}
	}
	if n := len(unknown); n > 3 {
		unknown = append(unknown[:3], fmt.Errorf("and %d more", n-3))
	}
	return errors.Join(unknown...)
}

// readBeside looks beside artifacts that were not looked at lately.
func (p *pass) readBeside(ctx context.Context, at map[string]manifest.Artifact) {
	ctx, cancel := context.WithTimeout(ctx, besideTime)
	defer cancel()
	due := slices.DeleteFunc(slices.Sorted(maps.Keys(at)), func(address string) bool {
		read, known := p.e.beside[address]
		return known && read.keys == p.w.control.Commit.SHA && p.now.Before(read.until)
	})
	found := make([]besideRead, len(due))
	var g crew.Crew
	g.SetLimit(p.e.d.opts.Pace.Parallel)
	for i, address := range due {
		g.Go(func() error {
			data, err := p.e.d.opts.Beside(ctx, p.spec, at[address])
			if found[i].err = err; len(data) > 0 {
				found[i].said = p.w.verifier.Read(ctx, "beside "+address, data)
			}
			return nil
		})
	}
	_ = g.Wait() // each has its answer
	// Of other releases nothing is kept beyond its time.
	maps.DeleteFunc(p.e.beside, func(_ string, read besideRead) bool { return !p.now.Before(read.until) })
	for i, address := range due {
		found[i].keys, found[i].until = p.w.control.Commit.SHA, p.now.Add(p.e.d.opts.Pace.Check)
		if found[i].err != nil {
			p.e.log.Warn("statements cannot be read", zap.String("beside", address), zap.Error(found[i].err))
		}
		p.e.beside[address] = found[i]
	}
}
