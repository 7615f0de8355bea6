package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/reconciler/approve"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// head is what an environment's branch shows in this pass.
type head struct {
	snap    sources.Snapshot
	there   bool
	from    string         // the branch's commit before this one
	update  sources.Update // how the branch got from there to here
	again   bool           // this commit was judged before
	basis   string
	release *manifest.Release
	err     error // it does not render
	// judge: this head has to be judged in this pass.
	judge bool
}

// survey the branch: is there something new to judge, and does it render?
func (p *pass) readHead(ctx context.Context) error {
	snap, there := p.w.branch(p.spec)
	p.head = head{snap: snap, there: there}
	if !there {
		return nil
	}
	if err := p.cameBy(ctx); err != nil {
		return err
	}
	p.head.basis = snap.Commit.SHA + "|" + p.w.policies + "|" + p.w.digest + p.signersID()
	p.head.release, p.head.err = p.e.render(ctx, p.w, snap)
	if p.head.err == nil {
		p.head.basis += p.said(named(p.head.release).Key())
		if j := p.st.Judged; len(p.spec.After) > 0 && (j == nil || j.Outcome != "allow" || j.Release.Commit != snap.Commit.SHA) {
			p.head.basis += p.evidenceBasis(ctx, p.head.release)
		}
	}
	p.head.judge = p.mustJudge(snap.Commit.SHA)
	return nil
}

// cameBy tells how the branch got to its head. Of a commit that is judged again
// that stays what it was: a rewritten branch is not a quiet one because somebody
// approved of it.
func (p *pass) cameBy(ctx context.Context) (err error) {
	h, j := &p.head, p.st.Judged
	if h.again = j != nil && j.Release.Commit == h.snap.Commit.SHA; h.again && j.Update != "" {
		h.from, h.update = j.From, sources.Update(j.Update)
		return nil
	}
	h.from = p.st.Branch
	if h.update, err = p.e.d.opts.Source.Classify(ctx, h.from, h.snap.Commit.SHA); err != nil {
		return fmt.Errorf("classify update of %s: %w", p.spec.Branch, err)
	}
	return nil
}

func (p *pass) mustJudge(sha string) bool {
	j := p.st.Judged
	switch {
	case j == nil, j.Release.Commit != sha:
		return true
	case j.Outcome == "allow":
		// A changed pipeline renders the same commit differently.
		return p.head.err == nil && p.head.release.Digest != j.Release.Digest
	case j.Basis != p.head.basis, p.accepted(sha):
		return true
	}
	return !j.RecheckAt.IsZero() && !p.now.Before(j.RecheckAt)
}

// accepted: a person took the hold off this commit.
func (p *pass) accepted(sha string) bool {
	for _, r := range p.st.Requests {
		if r.Kind == requestAccept && r.To == sha && !r.Done {
			return true
		}
	}
	return false
}

// judge puts a new head to admission and remembers what came of it.
func (p *pass) judge(ctx context.Context) error {
	if !p.head.there {
		return p.branchGone(ctx)
	}
	if !p.head.judge {
		return nil
	}
	adm := record.Admission{
		Release: record.Release{Commit: p.head.snap.Commit.SHA}, From: p.head.from, Update: string(p.head.update), At: p.now,
		Policy: p.w.policies, Basis: p.head.basis, Promoted: p.promotedFrom(),
	}
	if p.head.err != nil {
		adm.Outcome, adm.Reason = "invalid", p.head.err.Error()
		return p.admit(ctx, adm, policy.Decision{})
	}
	adm.Release = named(p.head.release)
	if hold, ok := p.unsafeUpdate(); ok && !p.accepted(adm.Release.Commit) {
		adm.Outcome, adm.Reason = "hold", hold.Reason
		adm.Findings = []record.Finding{{Code: hold.Kind, Msg: hold.Reason}}
		if err := p.hold(ctx, hold); err != nil {
			return err
		}
		return p.admit(ctx, adm, policy.Decision{})
	}
	if why := p.unsigned(ctx, p.head.snap.Commit); why != "" {
		adm.Outcome, adm.Reason = "deny", why
		adm.Findings = []record.Finding{{Code: codeSignature, Msg: why}}
		return p.admit(ctx, adm, policy.Decision{})
	}
	if faults, later := p.codeFaults(ctx); faults != nil {
		adm.Outcome, adm.Reason, adm.RecheckAt = "invalid", faults.Error(), p.now.Add(p.e.d.opts.Pace.RetryMax)
		return p.admit(ctx, adm, policy.Decision{})
	} else if later != nil {
		return fmt.Errorf("read the code of %.12s: %w", adm.Release.Commit, later)
	}
	if lacks := manifest.CheckContract(p.head.release); len(lacks) > 0 {
		adm.Outcome, adm.Reason = "invalid", contractText(lacks)
		return p.admit(ctx, adm, policy.Decision{})
	}
	road, err := p.road(p.head.release)
	if err != nil {
		return err
	}
	if hold, ok := p.recovered(road); ok && !p.accepted(adm.Release.Commit) {
		adm.Outcome, adm.Reason = "hold", hold.Reason
		adm.Findings = []record.Finding{{Code: hold.Kind, Msg: hold.Reason}}
		return errors.Join(p.hold(ctx, hold), p.admit(ctx, adm, policy.Decision{}))
	}
	if found, err := p.trespass(p.head.release); err != nil {
		return err
	} else if len(found) > 0 {
		adm.Outcome, adm.RecheckAt = string(policy.Deny), p.now.Add(p.e.d.opts.Pace.RetryMax)
		adm.Findings, adm.Reason = findings(found), reason(policy.Decision{Outcome: policy.Deny, Findings: found})
		return p.admit(ctx, adm, policy.Decision{})
	}
	decision, err := p.askAdmission(ctx, road)
	if err != nil {
		p.e.log.Warn("admission could not be evaluated: closed")
	}
	adm.Outcome, adm.Decision = string(decision.Outcome), decision.ID
	adm.Findings = findings(decision.Findings)
	adm.Reason = reason(decision)
	adm.Flags = slices.Compact(slices.Sorted(slices.Values(append(p.flags(adm.Release.Key()), decision.Flags...))))
	adm.ApprovedBy = approve.Names(p.verdicts(ctx, adm.Release.Key(), findingCodes(decision)))
	switch {
	case decision.RecheckNS > 0:
		adm.RecheckAt = time.Unix(0, decision.RecheckNS)
	case decision.Outcome == policy.Error:
		adm.RecheckAt = p.now.Add(askAgain)
	}
	return p.admit(ctx, adm, decision)
}

// unsafeUpdate names updates of a branch that a person has to look at first.
func (p *pass) unsafeUpdate() (record.Hold, bool) {
	sha := p.head.snap.Commit.SHA
	hold := record.Hold{Scope: record.HoldScope{}, Owner: ownerMooring, About: sha, Since: p.now}
	switch {
	case p.head.update == sources.UpdateForced && !p.head.again || p.stillHeld(holdID("forced_update", p.e.name, sha)):
		hold.Kind = "forced_update"
		hold.Reason = fmt.Sprintf("branch %s was rewritten to %.12s; the release in force stays until somebody resumes this hold", p.spec.Branch, sha)
	case len(p.head.release.Resources) == 0 && p.st.Admitted != nil:
		hold.Kind = "empty"
		hold.Reason = fmt.Sprintf("branch %s declares nothing at %.12s; nothing is deleted because of that: bring a commit that declares what shall remain", p.spec.Branch, sha)
	default:
		return record.Hold{}, false
	}
	hold.ID = holdID(hold.Kind, p.e.name, sha)
	return hold, true
}

// recovered holds a daemon without memory that meets resources of its own
// which differ from the branch: it cannot tell a release from drift. When all
// is as declared, it simply takes them for applied.
func (p *pass) recovered(road []plan.Step) (record.Hold, bool) {
	differing := 0 // taking something over makes no difference
	for _, s := range road {
		if !adopts(s) {
			differing++
		}
	}
	if p.st.Admitted != nil || p.st.Rollout.Release.Digest != "" || differing == 0 {
		return record.Hold{}, false
	}
	for ref, live := range p.e.look.inventory.Live {
		if live.Exists && live.Owner.Environment == p.e.name && live.Owner.Pipeline == p.w.pipeline.Name {
			sha := p.head.snap.Commit.SHA
			return record.Hold{
				ID: holdID("recovered", p.e.name, sha), Kind: "recovered", Owner: ownerMooring, About: sha, Since: p.now,
				Reason: fmt.Sprintf("the journal is empty, but %s and others are Mooring's already and differ from the branch (%d steps); look at the plan, then resume", ref, differing),
			}, true
		}
	}
	return record.Hold{}, false
}

// contractText is what the release itself lacks, one line each.
func contractText(lacks []manifest.Broken) string {
	lines := make([]string, len(lacks))
	for i, b := range lacks {
		lines[i] = fmt.Sprintf("%s expects %s %s: %s", b.Function, b.What, b.Name, b.Why)
	}
	return strings.Join(lines, "\n")
}

// stillHeld: judged again, say because policies changed, a commit is no safer
// than the first time.
func (p *pass) stillHeld(id string) bool {
	h, ok := p.st.Holds[id]
	return ok && h.Active(p.now)
}

// branchGone holds an environment whose branch was deleted. Nothing is ever
// removed because of it.
func (p *pass) branchGone(ctx context.Context) error {
	if p.st.Branch == "" {
		return nil
	}
	return p.hold(ctx, record.Hold{
		ID: holdID("branch_deleted", p.e.name, p.st.Branch), Owner: ownerMooring, Kind: "branch_deleted", Since: p.now,
		Reason: fmt.Sprintf("branch %s is gone; the release in force stays as it is", p.spec.Branch),
	})
}

// admit remembers a judgement and lifts the holds it made pointless. What is let
// in is pinned first: a branch may be rewritten before the pass is over.
func (p *pass) admit(ctx context.Context, adm record.Admission, d policy.Decision) error {
	if adm.Outcome == string(policy.Allow) {
		if err := p.pin(ctx, p.pinOf(adm.Release.Commit), adm.Release.Commit); err != nil {
			return err
		}
	}
	recs := slices.Concat(p.besides, decisionRecords(d))
	p.besides = nil
	recs = append(recs, journal.Record{Admission: &adm})
	for _, h := range sorted(p.st.Holds) {
		if p.overtaken(h, adm) {
			recs = append(recs, journal.Record{Lift: &journal.Lift{ID: h.ID, By: ownerMooring, Why: "a newer commit arrived"}})
		}
	}
	for _, r := range sorted(p.st.Requests) {
		if r.Kind == requestAccept && !r.Done {
			r.Done, r.Result = true, adm.Outcome
			recs = append(recs, journal.Record{Request: &r})
		}
	}
	if err := p.remember(ctx, recs...); err != nil {
		return err
	}
	p.changed = true
	if err := p.loadAdmitted(ctx); err != nil {
		return err
	}
	p.e.log.Info("admission", zap.String("commit", short(adm.Release.Commit)), zap.String("outcome", adm.Outcome), zap.String("reason", adm.Reason))
	return nil // tidy tells people
}

// overtaken: a hold has become pointless by this judgement. What is about the
// branch ends with any newer commit; what is about a release, when another is
// let in.
func (p *pass) overtaken(h record.Hold, by record.Admission) bool {
	switch h.Kind {
	case "branch_deleted":
		return true
	case "forced_update", "empty":
		return h.About != by.Release.Commit
	case "rollback", "mitigation":
		return false
	}
	return by.Outcome == "allow" && h.About != "" && h.About != by.Release.Commit && h.About != by.Release.Digest
}

// road is everything a release would change, planned to its end on a copy.
func (p *pass) road(rel *manifest.Release) ([]plan.Step, error) {
	from := rollout.State{}
	if p.st.Rollout.Phase != rollout.Idle {
		from = p.st.Rollout // part of the way is gone, or has to be gone back
	}
	in, err := p.input(rel, from)
	if err != nil {
		return nil, err
	}
	switch err := in.Inventory.Errors[manifest.Ref{}]; {
	case errors.Is(err, providers.ErrNoCredentials):
		return nil, fmt.Errorf("the live environment could not be listed, so the plan is unknown: %w (give some by AWS_PROFILE, AWS_ACCESS_KEY_ID, a web identity or an instance role)", err)
	case err != nil:
		return nil, fmt.Errorf("the live environment could not be listed, so the plan is unknown: %w", err)
	}
	return plan.Road(in), nil
}

// promotedFrom names the environment this head's content was promoted from
// by Mooring. It goes by what was allowed, not by whose commit it is: content
// with an allowed move may arrive by any merge.
func (p *pass) promotedFrom() string {
	if p.head.release == nil {
		return ""
	}
	key := named(p.head.release).Key()
	for i := len(p.st.Promotions) - 1; i >= 0; i-- {
		pr := p.st.Promotions[i]
		// An offer is allowed as long as nothing else was found since.
		offered := pr.Outcome == record.Proposed && i == len(p.st.Promotions)-1
		if pr.Key == key && (pr.Outcome == "moved" || pr.Outcome == "moving" || offered) {
			return pr.From
		}
	}
	return ""
}

// findings of a decision as they are remembered.
func findings(in []policy.Finding) []record.Finding {
	out := make([]record.Finding, 0, len(in))
	for _, f := range in {
		out = append(out, record.Finding{Code: f.Code, Msg: f.Msg, Resource: f.Resource})
	}
	return out
}

// reason is why a decision is not an allow, in one line.
func reason(d policy.Decision) string {
	if d.Outcome == policy.Allow {
		return ""
	}
	var errs []error
	for _, f := range d.Findings {
		if f.Level != "warn" {
			errs = append(errs, errors.New(f.Msg))
		}
	}
	if len(errs) == 0 {
		return string(d.Outcome)
	}
	text := errors.Join(errs...).Error()
	return text[:min(len(text), 2000)]
}
