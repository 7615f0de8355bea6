package reconciler

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"time"

	"go.uber.org/zap"

	"mooring.dev/policy"
	"mooring.dev/reconciler/approve"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/promote"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/trace"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// codeSoak is promote's name for content that was not watched for long enough,
// and policy's for what it requires of that kind.
const codeSoak = "soak"

// codeUnknown holds content of which nobody can say what it would change.
const codeUnknown = "unknown"

// promote brings content into this environment when it is due and policy
// allows: a commit on this environment's branch with the source's tree.
func (p *pass) promote(ctx context.Context) error {
	if len(p.spec.After) == 0 {
		return nil
	}
	in, arriving, err := p.promotionInput(ctx)
	if err != nil {
		return err
	}
	p.promoted = true
	for _, move := range promote.Next(in) {
		if move.To != p.e.name {
			continue
		}
		if move.Held != "" {
			return p.promotionHeld(ctx, move, nil)
		}
		if p.e.pushed.from == move.Expect && p.now.Before(p.e.pushed.until) {
			p.waits = p.e.pushed.waits
			p.later = append(p.later, p.e.pushed.until)
			return nil // not read since the last move, or refused a moment ago
		}
		return p.move(ctx, move, arriving[move.From])
	}
	errs := []error{p.arrived(ctx), p.waitOver(ctx), p.nothingToPromote(ctx)}
	if p.head.release != nil && slices.Contains(p.arrivingKeys(in.Rendered), named(p.head.release).Key()) {
		errs = append(errs, p.notRefused(ctx)) // whoever brought it
	}
	return errors.Join(errs...)
}

// nothingToPromote answers a wish that has nothing to move: it must not lie in
// wait for content that nobody spoke of.
func (p *pass) nothingToPromote(ctx context.Context) error {
	for _, r := range sorted(p.st.Requests) {
		if r.Kind == requestPromote && !r.Done {
			r.Done, r.Result = true, "nothing waits to come in"
			if err := p.remember(ctx, journal.Record{Request: &r}); err != nil {
				return err
			}
		}
	}
	return nil
}

// promotionInput is every environment as it was last published, and what the
// upstream contents would be here.
func (p *pass) promotionInput(ctx context.Context) (promote.Input, map[string]*manifest.Release, error) {
	in := promote.Input{Now: p.now, Rendered: map[string]map[string]record.Key{}, Requested: map[string]bool{}}
	for _, r := range p.st.Requests {
		if r.Kind == requestPromote && !r.Done {
			in.Requested[p.e.name] = true
		}
	}
	arriving := map[string]*manifest.Release{}
	for _, spec := range p.w.pipeline.Environments {
		place := p.e.d.place(spec.Name)
		if spec.Name == p.e.name {
			place = p.place(nil)
		}
		place.Environment = spec
		in.Places = append(in.Places, place)
		if !slices.Contains(p.spec.After, spec.Name) || place.InForce.Commit == "" {
			continue
		}
		rel, err := p.e.reopen(ctx, p.w, place.InForce)
		if err != nil {
			p.e.log.Warn("content does not render here", zap.String("from", spec.Name), zap.Error(err))
			continue
		}
		arriving[spec.Name] = rel
		in.Rendered[spec.Name] = map[string]record.Key{p.e.name: named(rel).Key()}
	}
	if err := p.turn(ctx, &in, arriving); err != nil {
		return in, nil, err
	}
	p.addContract(ctx, &in, arriving)
	in.Approved = map[string]map[record.Key]bool{p.e.name: {}}
	in.Outside = map[string]map[record.Key]bool{p.e.name: {}}
	for _, key := range append(p.arrivingKeys(in.Rendered), p.ahead.Key) {
		in.Approved[p.e.name][key] = len(approve.Names(p.verdicts(ctx, key, []string{codeDiverged}))) > 0
		in.Outside[p.e.name][key] = p.outside(ctx, key)
	}
	p.nameChanges(ctx, &in)
	if next := p.spec.Windows.Set().NextChange(p.now); !next.IsZero() {
		p.later = append(p.later, next)
	}
	return in, arriving, nil
}

// arrivingKeys are the contents that could come in here.
func (p *pass) arrivingKeys(rendered map[string]map[string]record.Key) []record.Key {
	var out []record.Key
	for _, to := range rendered {
		out = append(out, to[p.e.name])
	}
	return out
}

// addContract looks whether this environment has what the arriving content's
// code expects.
func (p *pass) addContract(ctx context.Context, in *promote.Input, arriving map[string]*manifest.Release) {
	for i := range in.Places {
		if in.Places[i].Environment.Name != p.e.name {
			continue
		}
		var lacks []string
		for _, b := range p.broken {
			lacks = append(lacks, b.text())
		}
		for _, name := range p.spec.After {
			if rel := arriving[name]; rel != nil && rel.Digest != p.st.Rollout.Release.Digest {
				for _, b := range p.contract(ctx, rel) {
					if !slices.Contains(lacks, b.text()) {
						lacks = append(lacks, b.text())
					}
				}
			}
		}
		in.Places[i].BrokenContract = lacks
	}
}

// move asks policy and, if it allows, moves the branch.
func (p *pass) move(ctx context.Context, m promote.Move, rel *manifest.Release) error {
	if rel == nil {
		return nil
	}
	if why := p.unsignedMove(ctx, m); why != "" {
		m.Held, m.Code = why, codeSignature
		return p.promotionHeld(ctx, m, nil)
	}
	question, err := p.promotionQuestion(ctx, m, rel)
	if unknown := (evidenceUnknown{}); errors.As(err, &unknown) {
		m.Held, m.Code = unknown.Error(), codeEvidence
		return p.promotionHeld(ctx, m, nil)
	}
	if err != nil {
		m.Held, m.Code = "what it would change here is not known", codeUnknown
		return errors.Join(fmt.Errorf("promote %s to %s: %w", short(m.Key.Content), m.To, err), p.promotionHeld(ctx, m, nil))
	}
	d, err := p.asked(ctx, policy.Promotion, question, m.Key)
	if err != nil {
		p.e.log.Warn("promotion could not be evaluated: held", zap.Error(err))
	}
	if m.Offer && (d.Outcome == policy.Allow || onlyApprovals(d)) {
		return p.offer(ctx, m, d)
	}
	if d.Outcome != policy.Allow {
		m.Held, m.Code = reason(d), "policy"
		if d.RecheckNS > 0 {
			p.later = append(p.later, time.Unix(0, d.RecheckNS))
		}
		return p.promotionHeld(ctx, m, &d)
	}
	if p.e.d.opts.Proposer == nil {
		m.Held, m.Code = "this source cannot move content", "source"
		return p.promotionHeld(ctx, m, nil)
	}
	return p.push(ctx, m, d)
}

// push records the allowed move, makes it, and records what came of it. A
// crash in between is no loss: content with an allowed move is recognised by
// its key, whoever's commit brought it.
func (p *pass) push(ctx context.Context, m promote.Move, d policy.Decision) error {
	pr := record.Promotion{From: m.From, To: m.To, Key: m.Key, Outcome: "moving", Decision: d.ID, Source: m.Commit, Flags: d.Flags, Evidence: p.relied, At: p.now}
	recs := append(decisionRecords(d), journal.Record{Promotion: &pr})
	if err := p.remember(ctx, recs...); err != nil {
		return err
	}
	from, _ := p.w.pipeline.Environment(m.From)
	ctx, span := p.tracePromotion(ctx, m)
	defer span.End()
	proposal, err := p.e.d.opts.Proposer.Propose(ctx, sources.Edit{
		Branch: p.spec.Branch, Expect: m.Expect, Source: m.Commit, Path: p.spec.Path, SourcePath: from.Path,
		Message: p.promotionMessage(m, d),
	})
	done := pr
	done.At = p.e.d.opts.Now()
	switch {
	case errors.Is(err, sources.ErrMoved):
		done.Outcome, done.Reason = "held", "the branch moved meanwhile; looking again"
	case err != nil:
		done.Outcome, done.Reason = "failed", untaken(err)
		tries := p.e.pushed.tries + 1
		p.e.pushed = pushed{from: m.Expect, tries: tries, waits: "failed", until: p.now.Add(doubled(p.e.d.opts.Pace.Retry, tries, p.e.d.opts.Pace.RetryMax))}
		p.waits = "failed"
		p.later = append(p.later, p.e.pushed.until)
	default:
		done.Outcome, done.Commit = "moved", proposal.SHA
		span.Link(trace.Of(m.To, proposal.SHA))
		p.e.pushed = pushed{from: m.Expect, until: p.now.Add(pushedLimit)}
		p.e.log.Info("promoted", zap.String("from", m.From), zap.String("commit", short(proposal.SHA)), zap.String("content", short(m.Key.Content)))
	}
	p.e.d.opts.Metrics.Promotion(m.From, m.To, done.Outcome)
	span.Text(spanOutcome, done.Outcome)
	recs = []journal.Record{{Promotion: &done}}
	if done.Outcome == "moved" {
		recs = append(recs, p.taken(m.Key)...)
	}
	for _, r := range sorted(p.st.Requests) {
		if r.Kind == requestPromote && !r.Done {
			r.Done, r.Result = true, done.Outcome
			recs = append(recs, journal.Record{Request: &r})
		}
	}
	if err := p.remember(ctx, recs...); err != nil {
		return err
	}
	if done.Outcome == "failed" {
		return p.tellRefused(ctx, m, "moved", done.Reason)
	}
	p.changed = true
	p.e.d.nudgeFetch()
	if done.Outcome != "moved" {
		return p.waitOver(ctx)
	}
	return errors.Join(p.waitOver(ctx), p.notRefused(ctx))
}

// untaken is why the repository did not take a push, and where that is its own
// will what people can do about it.
func untaken(err error) string {
	if errors.Is(err, sources.ErrRefused) {
		return err.Error() + ": let Mooring's credentials past the protection or hook, or set promotion: pullRequest"
	}
	return err.Error()
}

// promotionHeld remembers why content waits, once per reason.
func (p *pass) promotionHeld(ctx context.Context, m promote.Move, d *policy.Decision) error {
	if !m.RecheckAt.IsZero() {
		p.later = append(p.later, m.RecheckAt)
	}
	if m.Code == promote.CodeWaiting {
		if len(p.spec.After) > 1 { // after one alone, its own line says what it does
			p.waits, p.awaits = m.Code, m.Held
		}
		return nil // nobody knows whether what was told of is over
	}
	pr := record.Promotion{From: m.From, To: m.To, Key: m.Key, Outcome: "held", Reason: m.Held, At: p.now}
	pr.Findings = []record.Finding{{Code: m.Code, Msg: m.Held}}
	var recs []journal.Record
	if d != nil {
		pr.Decision, pr.Findings, pr.Evidence = d.ID, findings(d.Findings), p.relied
		recs = decisionRecords(*d)
	}
	if n := len(p.st.Promotions); n == 0 || !sameWait(p.st.Promotions[n-1], pr, countingCodes(d)) {
		p.changed = true
		p.e.d.opts.Metrics.Promotion(m.From, m.To, "held")
		if err := p.remember(ctx, append(recs, journal.Record{Promotion: &pr})...); err != nil {
			return err
		}
	}
	p.waits, p.heldBy = m.Code, m.Held
	return p.tellWait(ctx, m, d)
}

func sameHeld(a, b record.Promotion) bool {
	a.At, a.Decision = b.At, b.Decision
	return reflect.DeepEqual(a, b)
}

// countingCodes are the codes of findings that count the time for which content was
// watched: their numbers are others at each look, and no news.
func countingCodes(d *policy.Decision) []string {
	codes := []string{codeSoak}
	if d == nil {
		return codes
	}
	for _, f := range d.Findings {
		if details, _ := f.Details.(map[string]any); details["kind"] == codeSoak {
			codes = append(codes, f.Code)
		}
	}
	return codes
}

// sameWait is sameHeld, but for the numbers in findings of these codes.
func sameWait(a, b record.Promotion, counting []string) bool {
	still := func(pr record.Promotion) record.Promotion {
		pr.Findings = slices.Clone(pr.Findings)
		for i, f := range pr.Findings {
			if slices.Contains(counting, f.Code) {
				pr.Reason = "" // it is made of the findings
				pr.Findings[i].Msg = numbers.ReplaceAllString(f.Msg, "#")
			}
		}
		return pr
	}
	return sameHeld(still(a), still(b))
}

// numbers are counts, and durations as 1h0m28s.
var numbers = regexp.MustCompile(`[0-9][0-9hms.]*`)

// promotionQuestion describes a move to policy, with all that it would change.
func (p *pass) promotionQuestion(ctx context.Context, m promote.Move, rel *manifest.Release) (policy.Input, error) {
	in := p.baseInput()
	if p.nothingToLookAt() {
		// Nothing else was looked at for this environment.
		if err := p.e.observe(ctx, rel.Resources, p.interval(), false); err != nil {
			return in, err
		}
	}
	road, err := p.road(rel)
	if err != nil {
		return in, err
	}
	if err := p.addChanges(&in, road, rel); err != nil {
		return in, err
	}
	in.Release = policy.Release{Commit: rel.Commit, Content: rel.Content, Digest: rel.Digest, Promoted: true}
	in.Source.From, in.Source.To = m.Expect, m.Commit
	in.Source.Update = string(sources.UpdateFastForward)
	if snap, err := p.e.d.opts.Source.Open(ctx, m.Commit); err == nil {
		in.Commit = p.w.commitInput(snap.Commit)
		p.w.addCommits(&in, p.e.between(ctx, p.lastSource(m.From), m.Commit))
	}
	in.Flags = p.flags(m.Key)
	in.PromotionFacts = p.promotionFacts(m.Key)
	if in.Evidence, err = p.evidenceFor(ctx, rel); err != nil {
		return in, evidenceUnknown{err}
	}
	p.relied = reliedOn(in.Evidence)
	in.Approvals = approvalInputs(p.verdicts(ctx, m.Key, nil))
	return in, nil
}

// promotionFacts is what promotion policy is told about a key, but for the
// approvals.
func (p *pass) promotionFacts(key record.Key) *policy.PromotionFacts {
	facts := &policy.PromotionFacts{Contract: policy.Contract{Satisfied: true}}
	for _, b := range p.broken {
		facts.Contract.Satisfied = false
		facts.Contract.Broken = append(facts.Contract.Broken, policy.BrokenContract{Resource: b.function.String(), Expects: b.expects, Why: b.why})
	}
	if p.ahead.Key == key && key != (record.Key{}) {
		facts.Upstream = p.upstreamOf(p.ahead)
		return facts
	}
	for _, name := range p.spec.After {
		facts.Upstream = append(facts.Upstream, p.upstream(name, key.Content))
	}
	return facts
}
