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
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/promote"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources"
)

// offer is content that waits for people to merge it: a pull request as it
// shall be. The zero offer is none.
type offer struct {
	draft  sources.Draft
	commit string // at which the offered branch is
	key    record.Key
	// watch: nothing is opened; what is open is made what the draft says, where it
	// says anything.
	watch bool
	// number is the request that brought the same before; 0: none is known.
	number int
}

// request is what became of an offer on the host.
type request struct {
	key    record.Key
	number int
	url    string
	closed bool // by people, and not merged
}

// offered is what was pushed last to be offered: as long as it is there,
// nothing is pushed again.
type offered struct{ source, onto, commit string }

// offerBranch is where content stands while it is offered to an environment.
func offerBranch(environment string) string { return "mooring/promote/" + environment }

// codeOffer is why content waits that people are to merge, and codeClosed why
// it does when they did not want it.
const codeOffer, codeClosed = "pullRequest", "closed"

// onlyApprovals: nothing is missing but people's approval, and a pull request is
// where they give it.
func onlyApprovals(d policy.Decision) bool {
	if d.Outcome != policy.Hold {
		return false
	}
	asked := false
	for _, f := range d.Findings {
		details, _ := f.Details.(map[string]any)
		switch {
		case f.Level == "warn":
		case f.Level == "require" && details["kind"] == "approval":
			asked = true
		default:
			return false
		}
	}
	return asked
}

// offer pushes what a move would bring to a branch of its own and has a pull
// request opened for it. What people make of it is recognised by its content.
func (p *pass) offer(ctx context.Context, m promote.Move, d policy.Decision) error {
	branch := offerBranch(m.To)
	if code, why := p.cannotOffer(m); code != "" {
		if o := p.e.offered; code == codeClosed && o.source == m.Commit && o.onto == m.Expect {
			p.offering = p.offerOf(m, o.commit) // who opens it again is seen
		}
		m.Code, m.Held = code, why
		return p.promotionHeld(ctx, m, nil)
	}
	commit, err := p.pushOffer(ctx, branch, m, d)
	if err != nil {
		return p.offerFailed(ctx, m, err)
	}
	p.e.pushed = pushed{}
	p.offering = p.offerOf(m, commit)
	if err := p.notRefused(ctx); err != nil {
		return err
	}
	if d.Outcome != policy.Allow {
		m.Held, m.Code = reason(d), "policy"
		return p.promotionHeld(ctx, m, &d)
	}
	p.waits = codeOffer
	pr := record.Promotion{From: m.From, To: m.To, Key: m.Key, Outcome: record.Proposed, Commit: commit, Decision: d.ID, Source: m.Commit, Flags: d.Flags, Evidence: p.relied, At: p.now,
		Reason: "waits for people to merge it from branch " + branch}
	if r := p.e.request.Load(); r != nil && r.key == m.Key && r.number > 0 {
		pr.Reason = fmt.Sprintf("waits for people to merge pull request %d %s", r.number, r.url)
	}
	if n := len(p.st.Promotions); n > 0 && sameHeld(p.st.Promotions[n-1], pr) {
		return p.waitOver(ctx)
	}
	p.changed = true
	p.e.d.opts.Metrics.Promotion(m.From, m.To, pr.Outcome)
	return errors.Join(p.remember(ctx, append(decisionRecords(d), journal.Record{Promotion: &pr})...), p.waitOver(ctx))
}

// offerOf is the pull request of a move whose content was pushed as a commit.
func (p *pass) offerOf(m promote.Move, commit string) offer {
	return offer{key: m.Key, commit: commit, draft: sources.Draft{
		Head: offerBranch(m.To), Base: p.spec.Branch, Title: fmt.Sprintf("Promote %s from %s to %s", short(m.Key.Content), m.From, m.To), Body: p.offerText(m),
	}}
}

// cannotOffer says why no pull request is opened; "" when one may be.
func (p *pass) cannotOffer(m promote.Move) (code, why string) {
	host := p.w.pipeline.Host
	switch r := p.e.request.Load(); {
	case p.e.d.opts.Proposer == nil:
		return "source", "this source cannot move content"
	case host == nil || host.Repository() == nil:
		return codeOffer, fmt.Sprintf("moves into %s are made by pull request, and spec.host names no host to open one on: promote by hand or merge", m.To)
	case m.Expect == "":
		return codeOffer, fmt.Sprintf("branch %s is not there yet, so nothing can be merged into it: `mooring promote --environment %s` makes it", p.spec.Branch, m.To)
	case r != nil && r.closed && r.key == m.Key:
		why := fmt.Sprintf("pull request %d was closed and not merged %s: open it again, or `mooring promote --environment %s`", r.number, r.url, m.To)
		if p.inTurn(m) {
			return codeClosed, why + fmt.Sprintf("; what is behind it in the queue waits: `mooring reject --environment %s --content %s --reason …` takes it out and lets those go on", m.To, short(m.Key.Content))
		}
		return codeClosed, why + "; other content is offered anew"
	}
	return "", ""
}

// pushOffer brings the content to the branch of the offer, unless it is there.
func (p *pass) pushOffer(ctx context.Context, branch string, m promote.Move, d policy.Decision) (string, error) {
	there := p.w.snapshots[branch].Commit.SHA
	if o := p.e.offered; o.source == m.Commit && o.onto == m.Expect && (o.commit == there || p.now.Before(p.e.offeredUntil)) {
		return o.commit, nil
	}
	from, _ := p.w.pipeline.Environment(m.From)
	proposal, err := p.e.d.opts.Proposer.Propose(ctx, sources.Edit{
		Branch: branch, Expect: there, Onto: m.Expect, Source: m.Commit, Path: p.spec.Path, SourcePath: from.Path, Message: p.promotionMessage(m, d),
	})
	if err != nil {
		return "", err
	}
	p.e.offered, p.e.offeredUntil = offered{source: m.Commit, onto: m.Expect, commit: proposal.SHA}, p.now.Add(pushedLimit)
	if proposal.SHA != there {
		p.e.log.Info("offered", zap.String("from", m.From), zap.String("commit", short(proposal.SHA)), zap.String("content", short(m.Key.Content)))
		p.e.d.nudgeFetch()
	}
	return proposal.SHA, nil
}

// offerFailed remembers a push that came to nothing, and tries again later.
func (p *pass) offerFailed(ctx context.Context, m promote.Move, err error) error {
	tries := p.e.pushed.tries + 1
	p.e.pushed = pushed{from: m.Expect, tries: tries, waits: "failed", until: p.now.Add(doubled(p.e.d.opts.Pace.Retry, tries, p.e.d.opts.Pace.RetryMax))}
	p.waits = "failed"
	p.later = append(p.later, p.e.pushed.until)
	if errors.Is(err, sources.ErrMoved) {
		p.e.d.nudgeFetch()
		return nil
	}
	pr := record.Promotion{From: m.From, To: m.To, Key: m.Key, Outcome: "failed", Reason: err.Error(), At: p.now}
	if n := len(p.st.Promotions); n == 0 || !sameHeld(p.st.Promotions[n-1], pr) {
		if err := p.remember(ctx, journal.Record{Promotion: &pr}); err != nil {
			return err
		}
	}
	return p.tellRefused(ctx, m, "offered", pr.Reason)
}

// inTurn: the move is of what is first in the queue.
func (p *pass) inTurn(m promote.Move) bool {
	return m.Key != (record.Key{}) && p.ahead.Key == m.Key
}

// offerText is what a pull request says of itself. The plan and the findings
// are in the comment below it; here stands what does not change by the minute.
func (p *pass) offerText(m promote.Move) string {
	var b strings.Builder
	start, ending := p.offerEnds(m)
	b.WriteString(start + "\n\n")
	var lines []string
	for _, name := range p.spec.After {
		spec, _ := p.w.pipeline.Environment(name)
		if spec.Soak > 0 {
			lines = append(lines, fmt.Sprintf("- it has soaked %s in %s", time.Duration(spec.Soak), code1(name)))
		}
		for _, c := range spec.Checks {
			lines = append(lines, fmt.Sprintf("- check %s of %s has passed", code1(checkName(c)), code1(name)))
		}
	}
	relied := slices.Clone(p.relied)
	slices.Sort(relied)
	for _, e := range relied {
		lines = append(lines, "- evidence "+code1(e))
	}
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	fmt.Fprintf(&b, "\nMerging it lets it into %s: what arrives is recognised by its content and judged, however it is merged. %s\n", code1(m.To), ending)
	return b.String()
}

// offerEnds are what a pull request begins with, and what closing it means.
// What is before here may have gone on since content came to be first in turn.
func (p *pass) offerEnds(m promote.Move) (start, ending string) {
	content, from, commit := code1(m.Key.Content), code1(m.From), code1(m.Commit)
	if !p.inTurn(m) {
		return fmt.Sprintf("Content %s is in force in %s, from commit %s.", content, from, commit), "Closing it keeps this content out."
	}
	return fmt.Sprintf("Content %s was in force in %s, from commit %s, and was ready for %s on %s. It is first in the queue there.",
			content, from, commit, code1(m.To), p.ahead.At.UTC().Format("2 January 2006, 15:04 MST")),
		fmt.Sprintf("Closing it keeps this content out and all that is behind it waiting: `mooring reject --environment %s --content %s --reason …` takes it out of the queue.", m.To, short(m.Key.Content))
}

// arrived records that what was offered is on the branch: people merged it.
func (p *pass) arrived(ctx context.Context) error {
	n := len(p.st.Promotions)
	if n == 0 || p.head.release == nil || p.head.err != nil {
		return nil
	}
	pr := p.st.Promotions[n-1]
	if pr.Outcome != record.Proposed || pr.Key != named(p.head.release).Key() {
		return nil
	}
	pr.Outcome, pr.Commit, pr.Reason, pr.At = "moved", p.head.snap.Commit.SHA, "", p.now
	p.changed = true
	p.e.d.opts.Metrics.Promotion(pr.From, pr.To, pr.Outcome)
	return p.remember(ctx, journal.Record{Promotion: &pr})
}
