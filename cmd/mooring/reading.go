package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"mooring.dev/providers/aws/quota"
	"mooring.dev/reconciler"
	"mooring.dev/reconciler/journal"
	"mooring.dev/sources"
	"mooring.dev/sources/git"
	"mooring.dev/sources/manifest"
)

// reading is what commands that look at a repository share.
type reading struct {
	place
	environment string
	ref         string
	output      string
	notice      string // what was not looked at, for people
}

func (r *reading) flags(cmd *cobra.Command) {
	r.place.flags(cmd)
	outputFlag(cmd, &r.output)
	cmd.Flags().StringVar(&r.environment, "environment", "", "name of the environment")
}

// refFlag is for commands that may look at another commit than the branch's.
func (r *reading) refFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.ref, "ref", "", "commit or branch instead of the environment's branch")
}

// trees opens the control tree and the tree of one environment.
func (r *reading) trees(ctx context.Context) (control sources.Snapshot, at func(manifest.Environment) (sources.Snapshot, error), done func(), err error) {
	cache, err := os.MkdirTemp("", "mooring-read-")
	if err != nil {
		return control, nil, nil, fmt.Errorf("make a cache: %w", err)
	}
	done = func() { _ = os.RemoveAll(cache) }
	source, _, err := r.source(filepath.Join(cache, "repository"), nil)
	if err != nil {
		done()
		return control, nil, nil, err
	}
	if r.path != "" && r.ref != "" {
		done()
		return control, nil, nil, errors.New("--ref is for --repo: a working folder (--path) is looked at as it stands")
	}
	tell(ctx, readingRepository)
	snapshots, err := source.Fetch(ctx)
	if err != nil {
		done()
		if info, stat := os.Stat(r.repo); stat == nil && info.IsDir() {
			err = fmt.Errorf("%w; a working folder that is none is named with --path", err)
		}
		return control, nil, nil, fmt.Errorf("read the repository: %w", err)
	}
	name := sources.ControlBranch(r.control, source, snapshots)
	control, ok := snapshots[name]
	if len(snapshots) == 0 {
		done()
		return control, nil, nil, errors.New("the repository is empty: push a control branch and a branch for each environment; `mooring init DIR` makes them to start from")
	}
	if !ok {
		done()
		return control, nil, nil, fmt.Errorf("the repository has no branch %q to read mooring.yaml from; name another with --control", name)
	}
	folder := control
	if r.path != "" {
		var stands bool
		if control, stands, err = standIn(folder, filepath.Join(cache, "control")); err != nil {
			done()
			return control, nil, nil, err
		}
		if stands {
			r.notice = "no mooring.yaml here: read as the checkout of an environment branch; policies and naming are not known"
		}
	}
	at = func(e manifest.Environment) (sources.Snapshot, error) {
		if r.path != "" {
			return folder, nil // it stands for every environment
		}
		if r.ref != "" {
			if snap, ok := snapshots[r.ref]; ok {
				return snap, nil
			}
			if _, err := hex.DecodeString(r.ref); err != nil || len(r.ref) != commitID {
				where := r.elsewhere(r.ref)
				if where == "" {
					where = manifest.DidYouMean(r.ref, slices.Collect(maps.Keys(snapshots)))
				}
				return sources.Snapshot{}, fmt.Errorf("--ref %q: no branch of the repository has this name, and it is no commit id of %d hex digits%s", r.ref, commitID, where)
			}
			return source.Open(ctx, r.ref)
		}
		snap, ok := snapshots[e.Branch]
		if !ok {
			return snap, fmt.Errorf("environment %s has no branch %s yet%s", e.Name, e.Branch, r.elsewhere(e.Branch))
		}
		return snap, nil
	}
	return control, at, done, nil
}

// elsewhere is what to do where the repository is a clone that saw a branch at
// its remote, and has none of its own.
func (r *reading) elsewhere(branch string) string {
	for _, seen := range git.SeenElsewhere(r.repo) {
		if remote, name, _ := strings.Cut(seen, "/"); name == branch {
			return fmt.Sprintf("; this clone saw one at %s: `git -C %s branch --track %s %s` makes it its own, or name the remote's address with --repo", remote, r.repo, branch, seen)
		}
	}
	return ""
}

// commitID is how long a whole commit id is.
const commitID = 40

// readingRepository is what commands are at first.
const readingRepository = "reading the repository"

// alone makes the options of a look without a daemon: a journal in memory,
// and caches that go with it.
func (r *reading) alone(ctx context.Context) (reconciler.Options, func(), error) {
	state, err := os.MkdirTemp("", "mooring-look-")
	if err != nil {
		return reconciler.Options{}, nil, fmt.Errorf("make a state folder: %w", err)
	}
	done := func() { _ = os.RemoveAll(state) }
	tokens, err := tokenKey(state)
	if err != nil {
		done()
		return reconciler.Options{}, nil, err
	}
	p := r.place
	p.state = state
	lanes := quota.New(rates(sweepShare))
	tellCalls(ctx, readingRepository, "looking at "+r.environment, lanes)
	opts, err := p.options(zap.NewNop(), &platforms{
		place: &p, instance: instanceName(), tokens: tokens, quota: lanes, readOnly: true,
	})
	if err != nil {
		done()
		return opts, nil, err
	}
	opts.Store = journal.NewMemory()
	return opts, done, nil
}
