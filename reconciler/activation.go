package reconciler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"mooring.dev/policy"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
)

// Policies become active when they load, pass their own tests and can evaluate
// what was decided lately; else those before stay. Either way it is recorded:
// whose commit it is, which files differ, which past decisions would be others.

const (
	rehearsed     = 200              // past decisions that new policies are tried on
	rehearsalScan = 20_000           // records looked through for them
	rehearsalTime = 30 * time.Second // and how long it may take
	tryAgain      = time.Minute      // refused policies, without a new commit
	policyFolder  = "policies"
	keptPolicies  = "policies" // the commit of the active policies is kept under this name
)

// errRehearsal: the policies load, and cannot evaluate what was decided before.
var errRehearsal = errors.New("policies break on decisions made before")

// readPolicies makes the control branch's policies active, or names why those
// before stay.
func (d *Daemon) readPolicies(ctx context.Context, w, before *world) error {
	sha := w.control.Commit.SHA
	active := before != nil && before.evaluator != nil && before.policies != ""
	if active && before.faults[faultPolicy] == nil && len(policyFiles(before.tree, w.control.Tree)) == 0 {
		w.evaluator, w.policies, w.tree = before.evaluator, before.policies, before.tree
		return nil // another part of the branch changed
	}
	said := d.ledger.policyWords(sha)
	if before != nil && before.faults[faultPolicy] != nil && before.control.Commit.SHA == sha && len(said) == before.said && w.at.Before(before.again) {
		w.faults[faultPolicy] = before.faults[faultPolicy]
		w.evaluator, w.policies, w.tree, w.again, w.said = before.evaluator, before.policies, before.tree, before.again, before.said
		return nil
	}
	if !active {
		before = d.former(ctx, sha)
	}
	a := record.Activation{Revision: sha, Author: identity(w.control.Commit.Author), Signature: w.judges(before).signature(w.control.Commit).Status, At: w.at}
	var was fs.FS
	if before != nil {
		a.Before, was = before.policies, before.tree
	}
	a.Files = policyFiles(was, w.control.Tree)
	evaluator, err := d.opts.Policies(w.control.Tree, sha)
	if err == nil {
		err = d.rehearse(ctx, evaluator, &a)
	}
	change := policyChange{w: w, before: before, next: evaluator, words: said, a: &a, again: w.at.Add(tryAgain)}
	if err == nil {
		err = d.letIn(ctx, &change)
	}
	if err == nil {
		a.Active = true
		w.evaluator, w.policies, w.tree = evaluator, sha, w.control.Tree
	} else {
		a.Reason, w.again, w.said, w.faults[faultPolicy] = err.Error(), change.again, len(said), err
		d.stay(w, before, err)
	}
	d.opts.Metrics.Bundle(w.policies)
	return d.activated(ctx, a, change.decision)
}

// former are the policies that were active when this journal was last written,
// not loaded yet; nil when there were none.
func (d *Daemon) former(ctx context.Context, sha string) *world {
	for _, a := range slices.Backward(d.ledger.activations()) {
		if !a.Active || a.Revision == sha {
			continue
		}
		if snap, err := d.opts.Source.Open(ctx, a.Revision); err == nil {
			return &world{policies: a.Revision, tree: snap.Tree}
		}
		return nil
	}
	return nil
}

// stay keeps what was active before the policies that were refused. A restart
// does not forget it; where there is nothing, all is closed.
func (d *Daemon) stay(w, before *world, why error) {
	if before == nil {
		w.evaluator = d.opts.Closed(why)
		return
	}
	w.evaluator, w.policies, w.tree = before.evaluator, before.policies, before.tree
	if w.evaluator != nil {
		return
	}
	evaluator, err := d.opts.Policies(before.tree, before.policies)
	if err != nil {
		d.opts.Log.Warn("the policies active before do not load any more", zap.String("commit", short(before.policies)), zap.Error(err))
		w.evaluator, w.policies, w.tree = d.opts.Closed(why), "", nil
		return
	}
	w.evaluator = evaluator
}

// policyFiles are the files of the policies that differ between two trees.
func policyFiles(before, after fs.FS) []string {
	out := []string{}
	differ(before, after, policyFolder, &out)
	slices.Sort(out)
	for i, name := range out {
		out[i] = strings.TrimPrefix(path.Clean(name), policyFolder+"/")
	}
	return out[:min(len(out), maxPaths)]
}

// rehearse decides again what was decided lately. Decisions that come out
// another way are noted; one that cannot be evaluated any more is an error.
func (d *Daemon) rehearse(ctx context.Context, evaluator policy.Evaluator, a *record.Activation) error {
	documents, ok := evaluator.(policy.Documents)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, rehearsalTime)
	defer cancel()
	var past []policy.Recorded
	lines, err := d.ledger.decisions(ctx)
	if err != nil {
		return err
	}
	for _, line := range lines {
		if r, err := policy.ParseRecorded(line); err == nil {
			past = append(past, r)
		}
	}
	got := policy.Replay(ctx, documents, slices.Values(past))
	a.Replayed, a.Skipped = got.Decisions, len(got.Skipped)
	for _, f := range got.Flips {
		a.Flips = append(a.Flips, record.Flip{Decision: f.ID, Environment: f.Environment, Point: string(f.Point), Before: string(f.Before), After: string(f.After)})
	}
	if broken := got.Broken(); len(broken) > 0 {
		f := broken[0]
		return fmt.Errorf("%w: %d of %d, such as %s (%s of %s): %s; `mooring policy replay` shows them all", errRehearsal, len(broken), got.Decisions, f.ID, f.Point, f.Environment, f.Error)
	}
	return nil
}

// activated records an attempt once, with the decision about it, and keeps the
// commit of what is active.
func (d *Daemon) activated(ctx context.Context, a record.Activation, decision []journal.Record) error {
	if all := d.ledger.activations(); len(all) > 0 && sameAttempt(all[len(all)-1], a) {
		return nil
	}
	if a.Active {
		if err := d.opts.Source.Keep(ctx, keptPolicies, a.Revision); err != nil {
			d.opts.Log.Warn("the commit of the active policies could not be kept", zap.String("commit", short(a.Revision)), zap.Error(err))
		}
	}
	d.opts.Log.Info("policies", zap.String("commit", short(a.Revision)), zap.Bool("active", a.Active), zap.String("reason", a.Reason),
		zap.Int("replayed", a.Replayed), zap.Int("flips", len(a.Flips)))
	if err := d.ledger.append(ctx, "", append(decision, journal.Record{Activation: &a})...); err != nil {
		return fmt.Errorf("record the policies at %s: %w", short(a.Revision), err)
	}
	return nil
}

// sameAttempt: it says nothing that the one before did not.
func sameAttempt(last, a record.Activation) bool {
	return last.Revision == a.Revision && last.Active == a.Active && last.Outcome == a.Outcome &&
		slices.Equal(codesOf(last.Findings), codesOf(a.Findings)) && (a.Digest == "" || last.Digest == "" || last.Digest == a.Digest)
}

// decisions are the newest decision records' lines, oldest first.
func (l *ledger) decisions(ctx context.Context) ([][]byte, error) {
	l.mu.Lock()
	seq := l.state.Seq
	l.mu.Unlock()
	var out [][]byte
	for rec, err := range l.store.Records(ctx, seq-min(seq, rehearsalScan)) {
		if err != nil {
			return nil, fmt.Errorf("read decisions from the journal: %w", err)
		}
		if rec.Decision != nil {
			out = append(out, rec.Decision.Line)
		}
		if rec.Seq >= seq {
			break
		}
	}
	return out[max(0, len(out)-rehearsed):], nil
}

func (l *ledger) activations() []record.Activation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.state.Activations)
}

// activationText is an attempt in one line.
func activationText(a record.Activation) string {
	if !a.Active {
		return fmt.Sprintf("policies of %s by %s refused: %s", short(a.Revision), a.Author, a.Reason)
	}
	text := fmt.Sprintf("policies of %s by %s active, %d files differ", short(a.Revision), a.Author, len(a.Files))
	switch {
	case a.ForcedBy != "":
		text += fmt.Sprintf("; made active by %s, although those before said %s: %s", a.ForcedBy, a.Outcome, a.ForceReason)
	case len(a.ApprovedBy) > 0:
		text += "; approved by " + strings.Join(a.ApprovedBy, ", ")
	}
	if a.Replayed > 0 {
		text += fmt.Sprintf("; of %d recent decisions %d would be others", a.Replayed, len(a.Flips))
	}
	return text
}
