package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"mooring.dev/policy"
	"mooring.dev/reconciler/approve"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources"
)

// Policies that are in force and speak about policies (packages at the point
// activation) are asked about those that would take their place. They cannot
// make themselves irremovable: an admin may let a commit in over them, by name
// and with a reason.

// errKeptOut: the policies in force do not let others take their place.
var errKeptOut = errors.New("the policies in force keep these out")

// policyChange is an attempt to replace policies that got as far as the ones in
// force being asked.
type policyChange struct {
	w, before *world
	next      policy.Evaluator
	words     []record.PolicyWord
	a         *record.Activation

	decision []journal.Record // what was decided about it
	again    time.Time        // when it is tried again
}

// letIn is nil when nobody in force minds c, or an admin overrules who does.
func (d *Daemon) letIn(ctx context.Context, c *policyChange) error {
	about := aboutOf(c.next)
	c.a.Digest, c.a.Guards = about.Digest, about.Guards
	last, ever := d.lastActive()
	if !ever || last.Digest != "" && last.Digest == about.Digest {
		return nil // there are none before, or these are they
	}
	guards := last.Guards
	if c.before != nil && c.before.evaluator != nil {
		guards = aboutOf(c.before.evaluator).Guards
	}
	if len(guards) == 0 {
		return nil
	}
	judge, err := d.judge(c.before, last)
	decided := policy.Decision{Outcome: policy.Error, Findings: []policy.Finding{}}
	if err == nil {
		decided, err = d.askAboutPolicies(ctx, c, judge, about)
	}
	if err != nil && len(decided.Findings) == 0 {
		decided.Findings = []policy.Finding{{Code: "policy_error", Level: "error", Msg: err.Error()}}
	}
	c.a.Outcome, c.a.Decision, c.a.Findings = string(decided.Outcome), decided.ID, findings(decided.Findings)
	c.decision = decisionRecords(decided)
	if at := time.Unix(0, decided.RecheckNS); decided.RecheckNS > 0 && at.Before(c.again) {
		c.again = at
	}
	if decided.Outcome == policy.Allow {
		c.a.ApprovedBy = approve.Names(d.policyVerdicts(ctx, c, findingCodes(decided)))
		return nil
	}
	if word, ok := forced(c.words); ok {
		c.a.ForcedBy, c.a.ForceReason = word.By, word.Reason
		return nil
	}
	return fmt.Errorf("%w (%s, at %s): %s; `mooring policy approve %s` where people are asked for, or an admin's `mooring policy activate %s --reason …`",
		errKeptOut, decided.Outcome, short(last.Revision), reason(decided), short(c.a.Revision), short(c.a.Revision))
}

// aboutOf tells of an evaluator's policies, where it can.
func aboutOf(e policy.Evaluator) policy.About {
	if d, ok := e.(policy.Described); ok {
		return d.About()
	}
	return policy.About{}
}

func (d *Daemon) lastActive() (record.Activation, bool) {
	for _, a := range slices.Backward(d.ledger.activations()) {
		if a.Active {
			return a, true
		}
	}
	return record.Activation{}, false
}

// judge is who is asked: the policies in force, read again after a restart.
func (d *Daemon) judge(before *world, last record.Activation) (policy.Evaluator, error) {
	switch {
	case before != nil && before.evaluator != nil:
		return before.evaluator, nil
	case before == nil || before.policies != last.Revision:
		return nil, fmt.Errorf("the policies at %s, which are to be asked about others, cannot be read any more", short(last.Revision))
	}
	e, err := d.opts.Policies(before.tree, before.policies)
	if err != nil {
		return nil, fmt.Errorf("the policies at %s, which are to be asked about others, do not load any more: %w", short(last.Revision), err)
	}
	return e, nil
}

// forced is an admin's word that lets a change in. Who may give it was looked at
// when it was given.
func forced(words []record.PolicyWord) (record.PolicyWord, bool) {
	for _, w := range slices.Backward(words) {
		if w.Force {
			return w, true
		}
	}
	return record.PolicyWord{}, false
}

// askAboutPolicies puts the question, with what people said of it.
func (d *Daemon) askAboutPolicies(ctx context.Context, c *policyChange, judge policy.Evaluator, about policy.About) (policy.Decision, error) {
	in := d.activationQuestion(ctx, c, aboutOf(judge), about)
	bench := &world{evaluator: judge, pipeline: c.w.pipeline}
	return withPeopleHeard(true,
		func(codes []string) []approve.Verdict { return d.policyVerdicts(ctx, c, codes) },
		func(vs []approve.Verdict) (policy.Decision, error) {
			in.Request.ID = d.opts.NewID("dec")
			in.Activation.Approvals = approvalInputs(vs)
			began := d.opts.Now()
			decided, err := bench.evaluate(ctx, policy.Activation, in)
			d.opts.Metrics.Decision(string(policy.Activation), string(decided.Outcome), d.opts.Now().Sub(began).Seconds())
			decided.Point = policy.Activation
			return decided, err
		})
}

// activationQuestion describes the change.
func (d *Daemon) activationQuestion(ctx context.Context, c *policyChange, was, is policy.About) policy.Input {
	commit, judges := c.w.control.Commit, c.w.judges(c.before)
	in := policy.Input{
		Request:     policy.Request{TimeNS: c.w.at.UnixNano(), Trigger: c.w.trigger, Actor: policy.Actor{Kind: "daemon", Name: "mooring"}},
		Environment: policy.Environment{Window: policy.Window{Open: true}},
		Commit:      judges.commitInput(commit),
		ActivationFacts: &policy.ActivationFacts{Activation: policy.PolicyChange{
			From: c.a.Before, To: c.a.Revision, Tests: is.Tests, Packages: parts(was.Packages, is.Packages),
			Replay: policy.PolicyRehearsal{Decisions: c.a.Replayed, Skipped: c.a.Skipped},
		}},
	}
	judges.addCommits(&in, d.mouth().between(ctx, c.a.Before, commit.SHA))
	in.Source.Ref, in.Source.From, in.Source.To = "refs/heads/"+c.w.main, c.a.Before, commit.SHA
	if update, err := d.opts.Source.Classify(ctx, c.a.Before, commit.SHA); err == nil {
		in.Source.Update = string(update)
	}
	change := &in.Activation
	var before fs.FS
	if c.before != nil {
		before = c.before.tree
	}
	for _, name := range c.a.Files {
		file := policyFolder + "/" + name
		change.Files = append(change.Files, policy.PolicyPart{Name: name, Operation: operation(holds(before, file), holds(c.w.control.Tree, file))})
	}
	for _, f := range c.a.Flips {
		change.Replay.Flips = append(change.Replay.Flips, policy.PolicyFlip{
			Decision: f.Decision, Environment: f.Environment, Point: f.Point, Before: f.Before, After: f.After,
			Opens: f.After == string(policy.Allow) && f.Before != f.After,
		})
	}
	return in
}

// parts are the packages that differ, by name.
func parts(was, is map[string]string) []policy.PolicyPart {
	all := maps.Clone(is)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, was)
	var out []policy.PolicyPart
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if was[name] != is[name] {
			out = append(out, policy.PolicyPart{Name: name, Operation: operation(was[name] != "", is[name] != "")})
		}
	}
	return out
}

func holds(tree fs.FS, name string) bool {
	if tree == nil {
		return false
	}
	_, err := fs.Stat(tree, name)
	return err == nil
}

func operation(was, is bool) string {
	switch {
	case !was:
		return "added"
	case !is:
		return "removed"
	}
	return "changed"
}

// policyVerdicts weighs people's words on a change, in view of findings. Who
// wrote any commit of it does not count.
func (d *Daemon) policyVerdicts(ctx context.Context, c *policyChange, codes []string) []approve.Verdict {
	if len(c.words) == 0 {
		return nil
	}
	q := approve.Question{Key: record.Key{Content: c.a.Revision}, Protected: true, Codes: codes, Now: c.w.at, Authors: d.policyAuthors(ctx, c.a.Before, c.w.control.Commit),
		May: d.may(cmp.Or(d.world.Load(), c.w), "")}
	var said []record.Approval
	for _, w := range c.words {
		if !w.Force {
			said = append(said, w.Approval)
		}
	}
	return approve.Weigh(said, q)
}

// policyAuthors are those of the commits of the control branch since the policies in
// force.
func (d *Daemon) policyAuthors(ctx context.Context, from string, head sources.Commit) []approve.Author {
	out := []approve.Author{{Name: head.Author.Name, Email: head.Author.Email}}
	for _, c := range d.mouth().between(ctx, from, head.SHA).commits {
		out = append(out, approve.Author{Name: c.Author.Name, Email: c.Author.Email})
	}
	return out
}
