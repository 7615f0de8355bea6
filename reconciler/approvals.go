package reconciler

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"mooring.dev/policy"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/approve"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
)

// maxApproval bounds how long an approval may be good for.
const maxApproval = 30 * 24 * time.Hour

// waiting is content that a person's word would help.
type waiting struct {
	key   record.Key
	codes []string
	what  string // for people
	turn  bool   // it waits in turn, behind others or for what time brings
}

// waits lists what is held for reasons a person may answer: a promotion that
// policy holds or that has diverged, a commit that policy holds.
func waits(st *journal.Environment) []waiting {
	var out []waiting
	if n := len(st.Promotions); n > 0 {
		if pr := st.Promotions[n-1]; pr.Outcome == "held" && (pr.Decision != "" || answerable(pr.Findings)) {
			out = append(out, waiting{key: pr.Key, codes: codesOf(pr.Findings), what: "promotion from " + pr.From})
		}
	}
	for _, q := range st.Queue {
		if !slices.ContainsFunc(out, func(w waiting) bool { return w.key == q.Key }) {
			out = append(out, waiting{key: q.Key, codes: []string{}, what: "in turn from " + q.From, turn: true})
		}
	}
	if j := st.Judged; j != nil && j.Outcome == string(policy.Hold) && j.Decision != "" {
		out = append(out, waiting{key: j.Release.Key(), codes: codesOf(j.Findings), what: "commit " + short(j.Release.Commit)})
	}
	return out
}

func isDiverged(f record.Finding) bool { return f.Code == codeDiverged }

// codeDiverged is promote's name for content that went another way.
const codeDiverged = "diverged"

func codesOf(fs []record.Finding) []string {
	out := []string{}
	for _, f := range fs {
		if !slices.Contains(out, f.Code) {
			out = append(out, f.Code)
		}
	}
	slices.Sort(out)
	return out
}

// Approve records a person's word on content that waits in an environment.
func (d *Daemon) Approve(ctx context.Context, r web.ApprovalRequest) (web.Approval, error) {
	out := web.Approval{Environment: r.Environment, Answer: r.Answer, By: r.By.Name, Findings: []string{}}
	if err := r.By.Check(access.Approve, r.Environment); err != nil {
		return out, err
	}
	switch {
	case r.Answer != record.Approved && r.Answer != record.Rejected && r.Answer != record.Withdrawn:
		return out, fmt.Errorf("answer %q: want approve, reject or withdraw", r.Answer)
	case r.Answer == record.Rejected && r.Reason == "":
		return out, fmt.Errorf("reject in %s: a rejection needs a reason (--reason)", r.Environment)
	case r.For < 0 || r.For > maxApproval:
		return out, fmt.Errorf("approve in %s: an approval is good for at most %s", r.Environment, maxApproval)
	}
	return out, d.do(ctx, r.Environment, func(ctx context.Context, e *environment) error {
		st := e.state()
		w, err := e.meant(st, r)
		if err != nil {
			return err
		}
		now := d.opts.Now()
		a := record.Approval{Key: w.key, By: r.By.Name, Identity: r.By.Identity, Verified: r.By.Verified, Proof: r.By.Proof, Answer: r.Answer, Findings: w.codes,
			Emails: r.By.Emails, Teams: r.By.Teams, Reason: r.Reason, At: now}
		if r.Answer == record.Approved {
			a.Until = now.Add(cmp.Or(r.For, approvalFor))
		}
		if err := e.remember(ctx, journal.Record{Approval: &a}); err != nil {
			return err
		}
		world := d.world.Load()
		spec, _ := world.pipeline.Environment(e.name)
		p := &pass{e: e, w: world, spec: spec, st: e.state(), now: now}
		for _, v := range p.verdicts(ctx, w.key, w.codes) {
			if v.Person() == a.Person() {
				out = approvalView(e.name, v)
			}
		}
		return nil
	})
}

// meant is the content a request is about.
func (e *environment) meant(st *journal.Environment, r web.ApprovalRequest) (waiting, error) {
	all := append(waits(st), e.startWaits(st, e.d.opts.Now())...)
	digest := strings.TrimPrefix(r.Content, "sha256:")
	var found []waiting
	for _, w := range all {
		if w.turn && digest == "" {
			continue // it asks for nobody's word yet
		}
		if strings.HasPrefix(strings.TrimPrefix(w.key.Content, "sha256:"), digest) && !slices.ContainsFunc(found, func(o waiting) bool { return o.key == w.key }) {
			found = append(found, w)
		}
	}
	if len(found) == 0 && r.Answer == record.Withdrawn { // what does not wait any more
		for _, a := range slices.Backward(st.Approvals) {
			if a.Person() == cmp.Or(r.By.Identity, r.By.Name) && !a.Guard && strings.HasPrefix(strings.TrimPrefix(a.Key.Content, "sha256:"), digest) {
				return waiting{key: a.Key, codes: []string{}}, nil
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return waiting{}, fmt.Errorf("%s in %s: %w: no content waits there for a person's word; `mooring status` shows what waits and why", r.Answer, e.name, ErrUnknown)
	}
	var names []string
	for _, w := range found {
		names = append(names, fmt.Sprintf("%s (%s)", short(w.key.Content), w.what))
	}
	return waiting{}, fmt.Errorf("%s in %s: several contents wait: name one with --content: %s", r.Answer, e.name, strings.Join(names, ", "))
}

func approvalView(environment string, v approve.Verdict) web.Approval {
	return web.Approval{Environment: environment, Content: v.Key.Content, Answer: answerOf(v.Approval), By: v.By, Identity: v.Identity, Findings: v.Findings,
		Until: v.Until, Counts: v.Counts(), Why: v.Why}
}

func answerOf(a record.Approval) record.Answer {
	if a.Answer == "" {
		return record.Approved
	}
	return a.Answer
}

// approvals of what waits, for people to see.
func (p *pass) approvals(ctx context.Context) []web.Approval {
	var out []web.Approval
	for _, w := range append(waits(p.st), p.e.startWaits(p.st, p.now)...) {
		for _, v := range p.verdicts(ctx, w.key, w.codes) {
			if answerOf(v.Approval) != record.Withdrawn {
				out = append(out, approvalView(p.e.name, v))
			}
		}
	}
	return out
}

// verdicts weighs the words about a key in view of the findings there are.
func (p *pass) verdicts(ctx context.Context, key record.Key, codes []string) []approve.Verdict {
	if len(p.st.Approvals) == 0 {
		return nil
	}
	q := approve.Question{Key: key, Protected: p.spec.Protected, Codes: codes, Now: p.now, May: p.may()}
	for _, c := range p.bringing(ctx, key) {
		q.Authors = append(q.Authors, approve.Author{Name: c.Author.Name, Email: c.Author.Email})
	}
	vs := approve.Weigh(p.st.Approvals, q)
	for _, v := range vs {
		if v.Until.After(p.now) {
			p.later = append(p.later, v.Until)
		}
	}
	return vs
}

// asked puts a question at which approvals matter. in.PromotionFacts is told
// of them where it is set.
func (p *pass) asked(ctx context.Context, point policy.Point, in policy.Input, key record.Key) (policy.Decision, error) {
	return withPeopleHeard(in.PromotionFacts != nil,
		func(codes []string) []approve.Verdict { return p.verdicts(ctx, key, codes) },
		func(vs []approve.Verdict) (policy.Decision, error) {
			if in.PromotionFacts != nil {
				in.Approvals = approvalInputs(vs)
			}
			d, err := p.ask(ctx, point, in)
			return p.seenToMove(d), err
		})
}

// withPeopleHeard asks policy, which may be told of what people said. An
// approval given before one of the findings was known is void: policy is asked
// again without it.
func withPeopleHeard(told bool, weigh func(codes []string) []approve.Verdict, ask func([]approve.Verdict) (policy.Decision, error)) (policy.Decision, error) {
	var void []string
	for {
		vs := slices.DeleteFunc(weigh(nil), func(v approve.Verdict) bool { return slices.Contains(void, v.Person()) })
		d, err := ask(vs)
		var late []string
		for _, v := range weigh(findingCodes(d)) {
			if v.Void && !slices.Contains(void, v.Person()) && slices.ContainsFunc(vs, func(w approve.Verdict) bool { return w.Person() == v.Person() && !w.Void }) {
				late = append(late, v.Person())
			}
		}
		if len(late) == 0 {
			return withApprovals(d, vs, told), err
		}
		void = append(void, late...)
	}
}

// withApprovals counts approvals where policy leaves that to us, and lets a no of a
// person stand above a yes of policy.
func withApprovals(d policy.Decision, vs []approve.Verdict, told bool) policy.Decision {
	for i, f := range d.Findings {
		if need, ours := f.PeopleNeeded(told); ours {
			d.Findings[i].Msg = fmt.Sprintf("%s (%s)", f.Msg, approve.Missing(vs, need))
		}
	}
	said, by := d.Outcome, approve.Names(vs)
	d = d.Settle(func(f policy.Finding) bool {
		need, ours := f.PeopleNeeded(told)
		return ours && len(by) >= need
	})
	if v, no := approve.Rejection(vs); no && (d.Outcome == policy.Allow || d.Outcome == policy.Hold) {
		d.Outcome, d.Default, by = policy.Hold, false, []string{v.By}
		d.Findings = append(d.Findings, policy.Finding{
			Code: "rejected", Level: "require", Msg: fmt.Sprintf("rejected by %s: %s", v.By, v.Reason),
			Remediation: "bring other content, or have the same person approve or withdraw",
		})
	}
	if d.Outcome != said {
		d.Record = withPeople(d.Record, string(d.Outcome), by)
	}
	return d
}

// withPeople adds to a decision record what people's words made of it: the record
// keeps what policy said, for a replay to compare with.
func withPeople(line []byte, outcome string, by []string) []byte {
	text, err := json.Marshal(map[string]any{"outcome": outcome, "by": by})
	head, ok := bytes.CutSuffix(bytes.TrimSpace(line), []byte("}"))
	if err != nil || !ok {
		return line
	}
	return fmt.Appendf(bytes.Clone(head), `,"people":%s}`, text)
}

func findingCodes(d policy.Decision) []string {
	var out []string
	for _, f := range d.Findings {
		out = append(out, f.Code)
	}
	return out
}

// approvalInputs is what policy is told: who said yes, whether that was proved,
// and whether they wrote the content.
func approvalInputs(vs []approve.Verdict) []policy.Approval {
	out := []policy.Approval{}
	for _, v := range approve.Standing(vs) {
		if answerOf(v.Approval) == record.Approved {
			out = append(out, policy.Approval{Name: v.By, Verified: v.Verified, Author: v.Author, Teams: v.Teams, Codes: v.Findings, TimeNS: v.At.UnixNano()})
		}
	}
	return out
}

// said is a digest of the standing words about a key: when it changes, what
// was held is judged again.
func (p *pass) said(key record.Key) string {
	var parts []string
	for _, v := range approve.Weigh(p.st.Approvals, approve.Question{Key: key, Now: p.now, May: p.may()}) {
		if !v.Void {
			parts = append(parts, v.Person(), string(answerOf(v.Approval)), v.At.String())
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "|" + holdID(parts...)
}
