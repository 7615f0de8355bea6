package reconciler

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mooring.dev/providers"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/promote"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// published is what an environment lets others see: made at the end of each
// pass, immutable.
type published struct {
	status   web.EnvironmentStatus
	drift    web.Drift
	history  []journal.Event
	events   func() []web.Event // of history, newest first; nobody changes them
	rollouts []journal.Rollout
	// promotions are those remembered, newest last.
	promotions []record.Promotion
	place      promote.Place
	seenAll    bool // a first complete look was had
	commit     sources.CommitStatus
	offer      offer
	adoption   offer
	// resources are those declared, as they stand; target is what declares them.
	resources []web.ResourceStatus
	target    *manifest.Release
	words     []record.Approval
	// basis is what the plan of a pull request rests on here.
	basis string
	// lost is why releases cannot be returned to, by their digest.
	lost map[string]string
}

// publish makes this pass's outcome visible.
func (p *pass) publish(ctx context.Context, err error) {
	if err == nil {
		p.lookBack(ctx)
	}
	pub := &published{
		status: p.status(ctx, err), drift: p.driftView(), history: slices.Clone(p.st.History), rollouts: slices.Clone(p.st.Rollouts), promotions: slices.Clone(p.st.Promotions), place: p.place(err),
		seenAll: p.e.look.inventory.Complete || err == nil && p.e.look.at.IsZero(), commit: p.commitStatus(err), offer: p.offering, adoption: p.adoption,
		lost: p.e.lost.why, resources: p.resourceList(), target: p.target, words: slices.Clone(p.st.Approvals),
		basis: fmt.Sprint(p.st.Branch, "|", p.st.Rollout.Release.Digest, "|", len(p.st.Approvals), "|", len(p.st.Holds), "|", len(p.st.Drift)),
	}
	name := p.e.name // of the pass itself nothing is kept
	pub.events = sync.OnceValue(func() []web.Event { return pub.eventsOf(name) })
	for _, r := range pub.resources {
		pub.status.Resources[r.State]++
	}
	before := p.e.published.Swap(pub)
	if before == nil || movedOn(before.place, pub.place) {
		p.e.d.wakeDownstream(p.e.name)
	}
	if before == nil || before.commit != pub.commit {
		p.e.d.wakeHost()
	}
	if before == nil || before.offer != pub.offer || before.adoption != pub.adoption || len(before.words) != len(pub.words) {
		p.e.d.wakeReviews() // there is one to open, or a comment that knows no approval yet
	}
	if before == nil || news(before, pub) {
		p.e.d.beat.again()
	}
	p.count(pub)
}

// movedOn: promotion has something new to look at.
func movedOn(a, b promote.Place) bool {
	return a.InForce != b.InForce || a.Moving != b.Moving || a.Healthy != b.Healthy || !slices.Equal(a.Checks, b.Checks) || a.Head != b.Head
}

func (p *pass) count(pub *published) {
	m := p.e.d.opts.Metrics
	m.Resources(p.e.name, pub.status.Resources)
	m.DriftItems(p.e.name, pub.status.Drift)
	m.Holds(p.e.name, len(pub.status.Holds))
	for layer, at := range p.e.look.inventory.Layers {
		m.ObservationAge(p.e.name, layer, p.now.Sub(at).Seconds())
	}
	weights := map[string]float64{}
	for _, f := range p.st.Rollout.Functions {
		weights[f.Ref.Name] = float64(p.st.Rollout.Weight)
	}
	m.RolloutWeights(p.e.name, weights)
}

func (p *pass) status(ctx context.Context, err error) web.EnvironmentStatus {
	ro := p.st.Rollout
	s := web.EnvironmentStatus{
		Name: p.e.name, Branch: p.spec.Branch, Commit: ro.Release.Commit, Content: ro.Release.Content, Release: ro.Release.Digest,
		Protected: p.spec.Protected, After: nonNil(p.spec.After), Rollout: rolloutStatus(ro), Drift: map[string]int{},
		Resources: map[string]int{}, Holds: []web.HoldStatus{}, Checks: []web.CheckStatus{},
		SoakSeconds: int64(p.accrued().Elapsed / time.Second), OldestSeconds: p.oldest(),
	}
	if p.head.there {
		s.Head = p.head.snap.Commit.SHA
	}
	for _, item := range p.confirmed() {
		s.Drift[item.Severity]++
	}
	for _, h := range p.holds() {
		s.Holds = append(s.Holds, holdStatus(h))
	}
	checks := p.st.Checks[ro.Release.Key()]
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		c := checks[name]
		s.Checks = append(s.Checks, web.CheckStatus{Name: name, Passed: c.Passed, Detail: c.Detail, At: c.At, Unknown: c.Unknown, By: c.By})
	}
	if s.Promotion = p.promotionWaits(); s.Promotion != "" {
		s.PromotionCode = p.waits
	}
	s.Queue = p.queueStatus()
	s.Approvals = p.approvals(ctx)
	if err != nil {
		s.LastError = err.Error()
	}
	s.State, s.Reason = p.stateWord(err)
	return s
}

// promotionWaits is why content waits to come in; "" when none does.
func (p *pass) promotionWaits() string {
	if p.awaits != "" {
		return p.waits + ": " + p.awaits
	}
	if n := len(p.st.Promotions); n > 0 && p.st.Promotions[n-1].Outcome != "moved" && (p.waits != "" || !p.promoted) {
		return p.st.Promotions[n-1].Outcome + ": " + cmp.Or(p.heldBy, p.st.Promotions[n-1].Reason)
	}
	return ""
}

// stateWord is the environment in one word, and why.
func (p *pass) stateWord(err error) (state, why string) {
	j := p.st.Judged
	var own *defect
	switch {
	case errors.As(err, &own):
		return "degraded", err.Error()
	case err != nil && p.e.look.at.IsZero():
		return "unknown", err.Error()
	case p.st.Rollout.Paused != "":
		return "held", p.st.Rollout.Paused
	case p.st.Rollout.Phase != rollout.Idle:
		return "progressing", p.progress()
	case j != nil && (j.Outcome == "deny" || j.Outcome == "error" || j.Outcome == "invalid"):
		return "denied", j.Reason
	case p.holding():
		return "held", p.holdReason()
	case p.waitsForSync():
		return "held", "an admitted release waits for `mooring sync` (sync: manual)"
	case p.waitsForWindow():
		return "held", p.windowWhy()
	case err != nil:
		return "degraded", err.Error()
	case !p.healthy():
		return "degraded", "a check failed, a contract is broken, or the platform reports a failure"
	case len(p.confirmed()) > 0:
		return "drifted", p.driftReason()
	case p.e.d.opts.ReadOnly:
		return "in_sync", onlyLooks
	case p.st.Rollout.Release.Digest == "":
		return "unknown", "nothing was released yet"
	}
	return "in_sync", ""
}

// driftReason is why what was decided about a difference does not come about:
// putting it back was refused, or waits for something else.
func (p *pass) driftReason() string {
	drifted := map[manifest.Ref]bool{}
	for _, item := range p.confirmed() {
		drifted[item.Ref] = true
	}
	for _, w := range p.plan.Waits {
		if drifted[w.Ref] {
			return fmt.Sprintf("%s waits: %s", w.Ref, w.Why)
		}
	}
	return ""
}

// progress is what a moving release is about, or waits for.
func (p *pass) progress() string {
	for _, kind := range []string{"unknown", "parked", "hold", "dependency"} {
		for _, w := range p.plan.Waits {
			if w.For == kind && len(p.plan.Steps) == 0 {
				return fmt.Sprintf("%s waits: %s", w.Ref, w.Why)
			}
		}
	}
	return p.st.Rollout.Reason
}

func (p *pass) holdReason() string {
	if p.st.Admitted != nil {
		if q, bad := quarantined(p.st, p.st.Admitted.Release.Key()); bad {
			return "content " + short(q.Key.Content) + " failed and is quarantined: " + q.Reason
		}
	}
	if hs := p.holds(); len(hs) > 0 {
		return hs[0].Reason
	}
	if p.st.Judged != nil {
		return p.st.Judged.Reason
	}
	return ""
}

func holdStatus(h record.Hold) web.HoldStatus {
	return web.HoldStatus{ID: h.ID, Kind: h.Kind, Owner: h.Owner, Reason: h.Reason, Resource: h.Scope.Ref.String(), Since: h.Since, Until: h.Until}
}

// equalWhereSeen: all that could be read is as declared. What could not is
// unknown, and told apart.
func equalWhereSeen(live providers.Live, spec providers.Spec) bool {
	for path, value := range live.Spec.Fields {
		if want, declared := spec.Fields[path]; !declared || want != value {
			return false
		}
	}
	for path := range spec.Fields {
		if _, seen := live.Spec.Fields[path]; !seen && !unseen(live, path) {
			return false
		}
	}
	return len(live.Unseen) > 0
}

// unseen: the path, or one that it lies below, could not be read.
func unseen(live providers.Live, path string) bool {
	for p := range live.Unseen {
		if rest, below := strings.CutPrefix(path, p); below && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// oldest is the age of the oldest look in seconds.
func (p *pass) oldest() int64 {
	oldest := p.e.look.at
	for _, at := range p.e.look.inventory.Layers {
		if at.Before(oldest) {
			oldest = at
		}
	}
	if oldest.IsZero() {
		return -1
	}
	return max(0, int64(p.now.Sub(oldest)/time.Second))
}

func (p *pass) driftView() web.Drift {
	d := web.Drift{Environment: p.e.name, ObservedAt: p.e.look.at, Items: []web.DriftItem{}}
	d.Coverage = p.coverage()
	for _, id := range slices.Sorted(maps.Keys(p.st.Drift)) {
		item := driftItemView(p.st.Drift[id])
		if said, ok := p.e.adopting.said[id]; ok && item.Response == string(record.Propose) {
			item.Proposal = &said
		}
		d.Items = append(d.Items, item)
	}
	return d
}

func (p *pass) coverage() web.Coverage {
	inv := p.e.look.inventory
	c := web.Coverage{Unobservable: []web.Unobservable{}, OldestSeconds: p.oldest(), Layers: map[string]int64{}}
	for layer, at := range inv.Layers {
		c.Layers[layer] = max(0, int64(p.now.Sub(at)/time.Second))
	}
	for ref, live := range inv.Live {
		c.Compared += len(live.Spec.Fields)
		for path, why := range live.Unseen {
			c.Unobservable = append(c.Unobservable, web.Unobservable{Path: ref.String() + " " + path, Why: why})
		}
	}
	for ref, err := range inv.Errors {
		c.Unobservable = append(c.Unobservable, web.Unobservable{Path: ref.String(), Why: err.Error()})
	}
	slices.SortFunc(c.Unobservable, func(a, b web.Unobservable) int { return compare(a.Path, b.Path) })
	return c
}

func driftItemView(it record.DriftItem) web.DriftItem {
	response := it.Response
	if response == "" {
		response = it.Default
	}
	return web.DriftItem{
		ID: it.ID, Resource: it.Ref.String(), Path: it.Path, Kind: string(it.Kind), Declared: value(it.Declared), Live: value(it.Live),
		Sensitive: it.Sensitive, Since: it.Since, Severity: it.Severity, Response: string(response), Reason: it.Reason,
		Confirmed: it.Confirmed(), Rounds: it.Rounds,
		Actor: web.Actor{Known: it.Actor.Known, Name: it.Actor.Name, Event: it.Actor.Event, At: it.Actor.At},
	}
}

// value is a canonical field value as a JSON value; nil when absent.
func value(text string) any {
	if text == "" {
		return nil
	}
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	return v
}

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
