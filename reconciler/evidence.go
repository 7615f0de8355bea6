package reconciler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
)

// Bounds of the statements read.
const (
	maxStatementFiles = 500     // of one tree
	maxStatementFile  = 1 << 20 // bytes
	maxStatements     = 4096    // in all: of more nobody knows what they say
)

// gathered are the statements found in some trees and the journal, kept until
// one of those is another.
type gathered struct {
	of  string
	all heap
}

// statements are all that anybody made, wherever they lie: on the control
// branch, on this environment's branch and on those content comes from, and
// what was posted. Each once.
func (p *pass) statements(ctx context.Context) heap {
	w := p.w
	if w.verifier == nil {
		return heap{}
	}
	trees := map[string]sources.Snapshot{w.main: w.control}
	for _, spec := range w.pipeline.Environments {
		if snap, ok := w.branch(spec); ok && (spec.Name == p.e.name || slices.Contains(p.spec.After, spec.Name)) {
			trees[spec.Branch] = snap
		}
	}
	posted := p.e.d.ledger.evidence()
	of := fmt.Sprint(w.control.Commit.SHA, len(posted))
	for _, e := range posted {
		of += e.Digest
	}
	for _, branch := range slices.Sorted(maps.Keys(trees)) {
		of += trees[branch].Commit.SHA + trees[branch].TreeID
	}
	if p.e.gathered.of == of {
		return p.e.gathered.all
	}
	var all heap
	for _, branch := range slices.Sorted(maps.Keys(trees)) {
		// Nothing says when a file came: a commit's time is its author's word.
		// What lies beside it counts as much as it does.
		all.take(statementsIn(ctx, w, branch, trees[branch]), time.Time{})
	}
	for _, e := range posted {
		all.take(w.verifier.Read(ctx, "posted by "+e.By, e.Envelope), e.At)
	}
	p.e.gathered = gathered{of, all}
	return all
}

// heap is statements as they were found, each once.
type heap struct {
	said []sources.Statement
	seen map[string]bool
}

// take adds those that are not there yet. at is when they came, where it is
// known; what a statement says itself goes before it.
func (h *heap) take(found []sources.Statement, at time.Time) {
	for _, s := range found {
		if len(h.said) > maxStatements || s.Digest != "" && h.seen[s.Digest] {
			continue
		}
		if h.seen == nil {
			h.seen = map[string]bool{}
		}
		h.seen[s.Digest] = true
		if s.Time.IsZero() {
			s.Time = at
		}
		h.said = append(h.said, s)
	}
}

// statementFiles are the endings of files that are read.
var statementFiles = []string{".json", ".jsonl", ".dsse"}

// statementsIn reads the folder of statements of a tree.
func statementsIn(ctx context.Context, w *world, branch string, snap sources.Snapshot) (out []sources.Statement) {
	folder, files := w.pipeline.Evidence.Path, 0
	err := fs.WalkDir(snap.Tree, folder, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // no statements here
		case err != nil:
			return err
		case !entry.Type().IsRegular() || !slices.Contains(statementFiles, path.Ext(name)):
			return nil
		}
		if files++; files > maxStatementFiles {
			out = append(out, sources.Statement{Source: branch + ":" + folder, Why: fmt.Sprintf("more than %d files: the rest is not read", maxStatementFiles)})
			return fs.SkipAll
		}
		source := branch + ":" + name
		data, err := readBounded(snap.Tree, name)
		if err != nil {
			out = append(out, sources.Statement{Source: source, Why: err.Error()})
			return nil
		}
		out = append(out, w.verifier.Read(ctx, source, data)...)
		return nil
	})
	if err != nil {
		out = append(out, sources.Statement{Source: branch + ":" + folder, Why: err.Error()})
	}
	return out
}

func readBounded(tree fs.FS, name string) ([]byte, error) {
	f, err := tree.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, maxStatementFile+1))
	if err == nil && len(data) > maxStatementFile {
		return nil, fmt.Errorf("over %d KiB", maxStatementFile>>10)
	}
	return data, err
}

// AddEvidence takes signed statements that were posted. Those that prove
// nothing are refused, so that whoever posts hears why.
func (d *Daemon) AddEvidence(ctx context.Context, r web.EvidenceRequest) ([]web.Statement, error) {
	if err := r.By.Check(access.Attest, ""); err != nil {
		return nil, err
	}
	w := d.world.Load()
	if w == nil || w.verifier == nil {
		return nil, errors.New("evidence: mooring.yaml was not read yet")
	}
	found := w.verifier.Read(ctx, "the envelope", r.Envelope)
	out := make([]web.Statement, len(found))
	for i, s := range found {
		if !s.Verified {
			return nil, fmt.Errorf("evidence: %s: %s", s.Source, s.Why)
		}
		out[i] = web.Statement{Digest: s.Digest, Kind: s.Kind, Name: s.Name, PredicateType: s.PredicateType, Signer: s.Signer, Passed: s.Passed, Subjects: s.Subjects}
	}
	sum := sha256.Sum256(r.Envelope)
	e := journal.Evidence{Digest: "sha256:" + hex.EncodeToString(sum[:]), Envelope: r.Envelope, By: r.By.Name, At: d.opts.Now()}
	if slices.ContainsFunc(d.ledger.evidence(), func(o journal.Evidence) bool { return o.Digest == e.Digest }) {
		return out, nil // it is there already
	}
	if err := d.ledger.append(ctx, "", journal.Record{Evidence: &e}); err != nil {
		return nil, err
	}
	for _, name := range d.names() {
		if env := d.environment(name); env != nil {
			env.nudge()
		}
	}
	return out, nil
}
