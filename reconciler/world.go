package reconciler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"mooring.dev/policy"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// world is what Git says, read at one moment. It is immutable; a newer one
// replaces it whole.
type world struct {
	at        time.Time
	snapshots map[string]sources.Snapshot // by branch
	main      string                      // the control branch's name
	control   sources.Snapshot
	pipeline  *manifest.Pipeline
	digest    string // of what rendering takes from pipeline
	evaluator policy.Evaluator
	policies  string           // revision of the active policies
	tree      fs.FS            // that they were read from
	verifier  sources.Verifier // of signed statements; nil: there are none
	signers   sources.Signers  // of commits; nil: their signatures are not checked
	again     time.Time        // when refused policies are tried again
	said      int              // people's words on them that there were then
	faults    map[string]error // what is wrong with the control branch now, by alert kind
	trigger   string
}

// Faults of the control branch, as alert kinds.
const (
	faultPipeline = "pipeline_invalid"
	faultPolicy   = "policy_error"
	faultSource   = "source_error"
)

// errNoControl: there is no control branch to read.
var errNoControl = errors.New("no control branch")

// read makes the next world from what is upstream. When the control branch is
// broken, what was active before stays active and the fault is named; with
// nothing before, the pipeline is missing or everything is closed.
func (d *Daemon) read(ctx context.Context, before *world, trigger string) (*world, error) {
	snapshots, err := d.opts.Source.Fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	w := &world{at: d.opts.Now(), snapshots: snapshots, faults: map[string]error{}, trigger: trigger}
	if w.main = sources.ControlBranch(d.opts.Control, d.opts.Source, snapshots); before != nil && before.control.Commit.SHA != "" {
		w.main = before.main // a branch that is gone is no reason to believe another
	}
	control, ok := snapshots[w.main]
	if !ok {
		w.inherit(before, faultPipeline, fmt.Errorf("%w: the repository has no branch %q; name another with --control", errNoControl, w.main))
		return w, nil
	}
	w.control = control
	if before != nil && before.control.Commit.SHA == control.Commit.SHA && before.control.TreeID == control.TreeID && len(before.faults) == 0 {
		w.pipeline, w.digest, w.evaluator, w.policies, w.tree, w.verifier, w.signers = before.pipeline, before.digest, before.evaluator, before.policies, before.tree, before.verifier, before.signers
		return w, nil
	}
	d.readPipeline(w, before)
	return w, d.readPolicies(ctx, w, before)
}

func (w *world) inherit(before *world, kind string, err error) {
	w.faults[kind] = err
	if before != nil {
		w.control, w.pipeline, w.digest, w.evaluator, w.policies, w.tree = before.control, before.pipeline, before.digest, before.evaluator, before.policies, before.tree
		w.verifier, w.signers = before.verifier, before.signers
	}
}

func (d *Daemon) readPipeline(w, before *world) {
	p, err := manifest.LoadPipeline(w.control.Tree)
	if err == nil && d.opts.Evidence != nil {
		w.verifier, err = d.opts.Evidence(w.control.Tree, p.Evidence)
	}
	if err == nil {
		err = d.readSigners(w, p)
	}
	if err == nil {
		w.pipeline, w.digest = p, pipelineDigest(p)
		return
	}
	w.faults[faultPipeline] = err
	if w.verifier, w.signers = nil, nil; before != nil {
		w.pipeline, w.digest, w.verifier, w.signers = before.pipeline, before.digest, before.verifier, before.signers
	}
}

// branch is an environment's snapshot; ok is false when the branch is not
// there.
func (w *world) branch(e manifest.Environment) (snap sources.Snapshot, ok bool) {
	snap, ok = w.snapshots[e.Branch]
	return snap, ok
}

// order is an environment's place in the pipeline, from 0.
func (w *world) order(name string) int {
	for i, e := range w.pipeline.Environments {
		if e.Name == name {
			return i
		}
	}
	return -1
}
