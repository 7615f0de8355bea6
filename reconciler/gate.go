package reconciler

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"mooring.dev/policy"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/trace"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// ask puts a question to policy and remembers the decision. Drift and rollout
// decisions that say nothing new are not worth a record.
func (p *pass) ask(ctx context.Context, point policy.Point, in policy.Input) (policy.Decision, error) {
	start := p.e.d.opts.Now()
	ctx, span := trace.Start(ctx, "decide")
	defer span.End()
	d, err := p.w.evaluate(ctx, point, in)
	p.e.d.opts.Metrics.Decision(string(point), string(d.Outcome), p.e.d.opts.Now().Sub(start).Seconds())
	if d.ID == "" {
		d.ID = in.Request.ID
	}
	d.Point = point
	span.Text("mooring.point", string(point))
	span.Text("mooring.decision", d.ID)
	span.Text(spanOutcome, string(d.Outcome))
	return d, err
}

// evaluate puts a question to the policies in force. What the pipeline does not
// want kept is not in the record any more.
func (w *world) evaluate(ctx context.Context, point policy.Point, in policy.Input) (policy.Decision, error) {
	d, err := w.evaluator.Evaluate(ctx, point, in)
	if w.pipeline == nil {
		return d, err
	}
	masks := policy.Masks{Erase: w.pipeline.Decisions.Erase, Mask: w.pipeline.Decisions.Mask}
	kept, failed := masks.Apply(d.Record)
	if failed != nil { // no record, no effect: the point's closed answer
		return policy.Decision{ID: d.ID, Point: point, Outcome: policy.Error}, failed
	}
	d.Record = kept
	return d, err
}

// decisionRecords is a decision as the journal keeps it.
func decisionRecords(d policy.Decision) []journal.Record {
	if len(d.Record) == 0 {
		return nil
	}
	return []journal.Record{{Decision: &journal.Decision{ID: d.ID, Point: string(d.Point), Outcome: string(d.Outcome), Line: d.Record}}}
}

// askAdmission judges the head with everything its release would change. A
// commit by hand onto an environment that comes after others, with content
// that was not promoted, is judged at the promotion point as well: the
// stricter answer wins.
func (p *pass) askAdmission(ctx context.Context, road []plan.Step) (policy.Decision, error) {
	in, err := p.admissionQuestion(ctx, road)
	if err != nil {
		return policy.Decision{}, err
	}
	key := named(p.head.release).Key()
	d, err := p.asked(ctx, policy.Admission, in, key)
	if err != nil || len(p.spec.After) == 0 || in.Release.Promoted || p.sameContent() {
		return d, err
	}
	in.Request.ID = p.e.d.opts.NewID("dec")
	in.PromotionFacts = p.promotionFacts(key)
	if in.Evidence, err = p.evidenceFor(ctx, p.head.release); err != nil {
		return p.withoutEvidence(d, err), nil
	}
	second, err := p.asked(ctx, policy.Promotion, in, key)
	if second.Default && err == nil {
		return d, nil
	}
	both := stricter(d, second)
	for _, other := range []policy.Decision{d, second} {
		if other.ID != both.ID {
			p.besides = append(p.besides, decisionRecords(other)...)
		}
	}
	return both, err
}

// admissionQuestion describes the head and all its release would change.
func (p *pass) admissionQuestion(ctx context.Context, road []plan.Step) (policy.Input, error) {
	in := p.baseInput()
	p.addHead(ctx, &in)
	in.Flags = p.flags(named(p.head.release).Key())
	return in, p.addChanges(&in, road, p.head.release)
}

// flags are what decisions raised about a content before: on its way through
// the environments before this one, at its promotion, at its admission here.
func (p *pass) flags(key record.Key) []string {
	out := []string{}
	for _, name := range p.spec.After {
		if up := p.e.d.place(name); up.InForce.Content == key.Content {
			out = append(out, up.Flags...)
		}
	}
	for _, pr := range p.st.Promotions {
		if pr.Key == key {
			out = append(out, pr.Flags...)
		}
	}
	out = append(out, p.raised(key)...)
	slices.Sort(out)
	return slices.Compact(out)
}

// raised are the flags a content was admitted here with.
func (p *pass) raised(key record.Key) []string {
	for _, a := range slices.Backward(p.st.Known) {
		if a.Release.Key() == key {
			return a.Flags
		}
	}
	return nil
}

// sameContent: the head brings no content that is not admitted here already.
func (p *pass) sameContent() bool {
	return p.st.Admitted != nil && p.st.Admitted.Release.Key() == named(p.head.release).Key()
}

// stricter is the less permissive of two decisions, with the findings of both.
func stricter(a, b policy.Decision) policy.Decision {
	rank := map[policy.Outcome]int{policy.Allow: 0, policy.Hold: 1, policy.Deny: 2, policy.Error: 3}
	both := append(append([]policy.Finding{}, a.Findings...), b.Findings...)
	flags := append(append([]string{}, a.Flags...), b.Flags...)
	recheck := a.RecheckNS
	if recheck == 0 || b.RecheckNS != 0 && b.RecheckNS < recheck {
		recheck = b.RecheckNS
	}
	if rank[b.Outcome] > rank[a.Outcome] {
		a = b
	}
	a.Findings, a.Flags, a.RecheckNS = both, flags, recheck
	return a
}

// baseInput is what every question has in common.
func (p *pass) baseInput() policy.Input {
	in := policy.Input{
		Request: policy.Request{ID: p.e.d.opts.NewID("dec"), TimeNS: p.now.UnixNano(), Trigger: p.w.trigger, Actor: policy.Actor{Kind: "daemon", Name: "mooring"}},
		Environment: policy.Environment{
			Name: p.spec.Name, Branch: p.spec.Branch, Order: p.w.order(p.spec.Name), Protected: p.spec.Protected,
			Labels: p.spec.Labels, Window: p.windowInput(), Suspended: p.suspended(),
		},
	}
	switch {
	case p.spec.Provider.AWS != nil:
		in.Environment.Provider, in.Environment.Account, in.Environment.Region = "aws", p.spec.Provider.AWS.Account, p.spec.Provider.AWS.Region
	case p.spec.Provider.Memory != nil:
		in.Environment.Provider = "memory"
	}
	in.Source.AgeSeconds = int64(p.now.Sub(p.w.at) / time.Second)
	in.Source.Ref = "refs/heads/" + p.spec.Branch
	return in
}

// addHead describes the branch's head as what is being judged.
func (p *pass) addHead(ctx context.Context, in *policy.Input) {
	in.Commit = p.w.commitInput(p.head.snap.Commit)
	p.w.addCommits(in, p.e.between(ctx, p.admittedCommit(), p.head.snap.Commit.SHA))
	in.Source.From, in.Source.To, in.Source.Update = p.head.from, p.head.snap.Commit.SHA, string(p.head.update)
	if rel := p.head.release; rel != nil {
		in.Release = policy.Release{Commit: rel.Commit, Content: rel.Content, Digest: rel.Digest, Promoted: p.promotedFrom() != ""}
	}
}

func identity(i sources.Identity) string { return i.Name + " <" + i.Email + ">" }

// maxChanges is how many changes policy is shown; above it the input is
// summarised and says so.
const maxChanges = 5000

// addChanges describes steps. Several steps on one resource (update, publish)
// are one change, by the first operation.
func (p *pass) addChanges(in *policy.Input, road []plan.Step, rel *manifest.Release) (err error) {
	if p.atOnce, err = p.movesAtOnce(rel); err != nil {
		return err
	}
	at, labels := map[manifest.Ref]int{}, map[manifest.Ref]map[string]string{}
	for _, res := range rel.Resources {
		labels[res.Ref] = res.Labels
		if res.Parent != (manifest.Ref{}) {
			continue
		}
		in.Summary.Managed++
		if res.Ref.Kind == manifest.KindFunction {
			in.Summary.Functions++
		}
	}
	for _, s := range road {
		i, ok := at[s.Ref]
		if !ok {
			i = len(in.Changes)
			at[s.Ref] = i
			in.Changes = append(in.Changes, policy.Change{
				Resource: s.Ref.String(), Kind: s.Ref.Kind, Operation: string(s.Operation), Cause: string(s.Cause),
				Labels: labels[s.Ref], Traffic: traffic(rel, s.Ref, p.atOnce != ""),
			})
			count(&in.Summary, s)
		}
		c := &in.Changes[i]
		c.Risk = append(c.Risk, s.Risk...)
		for _, f := range s.Fields {
			c.Fields = append(c.Fields, policy.FieldChange{Path: f.Path, Before: raw(f.Before), After: raw(f.After), Sensitive: f.Sensitive})
			if f.Path == "code" {
				c.Artifact = policy.Artifact{Before: unquoted(f.Before), After: unquoted(f.After)}
			}
		}
	}
	if len(in.Changes) > maxChanges {
		in.Changes, in.Truncated = in.Changes[:maxChanges], true
	}
	return nil
}

// traffic is how a new version of ref would get its calls; atOnce: whatever it says.
func traffic(rel *manifest.Release, ref manifest.Ref, atOnce bool) policy.Traffic {
	d, ok := rel.Functions[ref]
	if !ok || d.Alias == (manifest.Ref{}) || len(d.Rollout.Stages) == 0 {
		return policy.Traffic{}
	}
	if atOnce {
		return policy.Traffic{Known: true, Strategy: manifest.BlueGreen, Stages: 1, FirstWeight: 100}
	}
	return policy.Traffic{Known: true, Strategy: d.Rollout.Strategy, Stages: len(d.Rollout.Stages), FirstWeight: d.Rollout.Stages[0].Weight}
}

func count(sum *policy.Summary, s plan.Step) {
	if s.Change.Resource.Parent != (manifest.Ref{}) {
		return
	}
	switch s.Operation {
	case plan.Create:
		sum.Created++
	case plan.Delete:
		sum.Deleted++
		if s.Change.Resource.Stateful || s.Ref.Kind == manifest.KindQueue {
			sum.StatefulDeleted++
		}
	default:
		sum.Updated++
	}
}

// raw is a field value as JSON: canonical text is JSON already, a token or
// anything else becomes a string.
func raw(value string) json.RawMessage {
	switch {
	case value == "":
		return json.RawMessage("null")
	case json.Valid([]byte(value)):
		return json.RawMessage(value)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return json.RawMessage("null")
	}
	return text
}

func unquoted(value string) string {
	var s string
	if json.Unmarshal([]byte(value), &s) != nil {
		return value
	}
	return s
}

// rolloutInput describes where traffic stands.
func (p *pass) rolloutInput(ctx context.Context, ro rollout.State) policy.Input {
	in := p.baseInput()
	in.Release = policy.Release{Commit: ro.Release.Commit, Content: ro.Release.Content, Digest: ro.Release.Digest}
	in.Flags = p.flags(ro.Release.Key())
	facts := &policy.RolloutFacts{Metrics: map[string]policy.Metric{}, Alarms: p.alarms(ctx), Rollout: policy.RolloutState{
		Weight: float64(ro.Weight), Stage: ro.Stage + 1, Stages: len(ro.Stages),
		ElapsedSeconds: int64(ro.Elapsed / time.Second), Verdict: verdict(ro.Verdict), Attempt: attempts(p.st.Rollouts, ro.Release.Key()),
	}}
	next := ro.Stage + 1
	if ro.Phase != rollout.Shift { // before the first
		next, facts.Rollout.Stage = 0, 0
	} else if ro.Stage < len(ro.Stages) {
		facts.Rollout.HoldSeconds = int64(time.Duration(ro.Stages[ro.Stage].Hold) / time.Second)
	}
	facts.Rollout.NextWeight = 100
	if next < len(ro.Stages) {
		facts.Rollout.NextWeight = float64(ro.Stages[next].Weight)
	}
	for _, f := range ro.Functions {
		facts.Rollout.Functions = append(facts.Rollout.Functions, policy.RolloutFunction{
			Resource: f.Ref.String(), From: f.Stable, To: f.New, Verdict: verdict(ro.Verdict), Reason: ro.Reason})
		for side, c := range map[string]rollout.Counts{".canary.": f.Canary, ".baseline.": f.Baseline} {
			facts.Metrics[f.Ref.Name+side+"error_rate"] = rate(c.Errors, c.Calls)
			facts.Metrics[f.Ref.Name+side+"throttle_rate"] = rate(c.Throttles, c.Trials())
		}
		if f.Probed {
			facts.Metrics[f.Ref.Name+".canary.probe_error_rate"] = rate(f.Probe.Canary.Errors, f.Probe.Canary.Calls)
			facts.Metrics[f.Ref.Name+".baseline.probe_error_rate"] = rate(f.Probe.Baseline.Errors, f.Probe.Baseline.Calls)
		}
	}
	for _, m := range ro.Measures {
		if m.Alarm {
			continue
		}
		told := policy.Metric{Known: m.Value != nil}
		if m.Value != nil {
			told.Value = *m.Value
		}
		facts.Metrics[m.Name] = told
	}
	in.RolloutFacts = facts
	return in
}

// attempts is how often a content began to move here, this time included.
func attempts(rollouts []journal.Rollout, key record.Key) int {
	n := 0
	for _, r := range rollouts {
		if r.Release.Key() == key && r.Cause != string(plan.Rollback) {
			n++
		}
	}
	return max(1, n)
}

// rate is a share of what was counted; of nothing it is not known.
func rate(part, of int64) policy.Metric {
	m := policy.Metric{Known: of > 0, Samples: of}
	if of > 0 {
		m.Value = float64(part) / float64(of)
	}
	return m
}

func verdict(v rollout.Verdict) string {
	if v == rollout.Unjudged {
		return "none"
	}
	return string(v)
}

// driftInput describes confirmed differences.
func (p *pass) driftInput(items []record.DriftItem) policy.Input {
	in := p.baseInput()
	in.Request.Trigger = "drift"
	if p.target != nil {
		in.Release = policy.Release{Commit: p.target.Commit, Content: p.target.Content, Digest: p.target.Digest}
	}
	facts := &policy.DriftFacts{}
	for _, it := range items {
		service := ""
		if it.Actor.Service {
			service = it.Actor.Name
		}
		facts.Items = append(facts.Items, policy.DriftItem{
			ID: it.ID, Resource: it.Ref.String(), KindOfResource: it.Ref.Kind, Path: it.Path, Kind: string(it.Kind),
			Declared: raw(it.Declared), Live: raw(it.Live), Sensitive: it.Sensitive, Severity: it.Severity,
			SinceNS: it.Since.UnixNano(), Default: string(it.Default), Open: it.Open, Rounds: it.Rounds,
			Actor: policy.DriftActor{Known: it.Actor.Known, Name: it.Actor.Name, Event: it.Actor.Event, Service: service},
		})
	}
	in.DriftFacts = facts
	return in
}

// newID is a random identifier with a readable prefix.
func newID(prefix string) string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand aborts the program instead)
	return prefix + "_" + hex.EncodeToString(b[:])
}
