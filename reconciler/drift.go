package reconciler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"mooring.dev/policy"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
)

// mitigationHold is how long an operator's mitigation is left alone before
// somebody has to say so again.
const mitigationHold = 24 * time.Hour

// drift attributes what was confirmed, lets policy say what to do about it,
// and tells people.
func (p *pass) drift(ctx context.Context) error {
	var fresh []record.DriftItem
	var named []journal.Record
	again := p.e.answeredBy != p.w.policies // other policies may answer otherwise
	for _, id := range slices.Sorted(maps.Keys(p.st.Drift)) {
		item := p.st.Drift[id]
		if !item.Confirmed() {
			continue
		}
		over := !item.Until.IsZero() && !p.now.Before(item.Until)
		if !item.Until.IsZero() && !over {
			p.later = append(p.later, item.Until)
		}
		learned := p.attribute(ctx, &item)
		person := item.Decision == decidedByPerson && !over
		switch {
		case person || item.Decision != "" && !again && !over && !(learned && p.readsActor()):
			if learned { // tidy completes what was told
				named = append(named, journal.Record{Drift: &item})
			}
		case p.waitsForActor(item):
			if err := p.alertDrift(ctx, item); err != nil {
				return err
			}
			p.timers = append(p.timers, p.now.Add(p.e.d.opts.Pace.SecondLook))
		default:
			fresh = append(fresh, item)
		}
	}
	if len(named) > 0 {
		p.changed = true
		if err := p.remember(ctx, named...); err != nil {
			return err
		}
	}
	if len(fresh) > 0 {
		if err := p.respond(ctx, fresh); err != nil {
			return err
		}
	}
	p.e.answeredBy = p.w.policies
	return p.nameResolved(ctx)
}

// decidedByPerson is the decision of an item that a person decided about:
// policy is not asked any more.
const decidedByPerson = "person"

// respond asks policy about items and remembers what is to be done.
func (p *pass) respond(ctx context.Context, items []record.DriftItem) error {
	d, err := p.ask(ctx, policy.Drift, p.driftInput(items))
	if err != nil {
		p.e.log.Warn("drift policy could not be evaluated: alerting only", zap.Error(err))
	}
	var recs []journal.Record
	broken := err != nil || d.Outcome == policy.Error
	for i := range items {
		before := items[i]
		items[i] = p.inMotion(answer(before, d, broken))
		if p.e.d.opts.ReadOnly {
			items[i] = onlyTold(items[i])
		}
		if before.Decision != "" && sameAnswer(p.st.Drift[before.ID], items[i]) {
			continue // asked again, and nothing new was said
		}
		recs = append(recs, journal.Record{Drift: &items[i]})
	}
	if len(recs) == 0 {
		return nil
	}
	recs = append(decisionRecords(d), recs...)
	p.changed = true
	return p.remember(ctx, recs...) // tidy tells people, and holds what is held
}

// inMotion: while a release moves, an alias that somebody else moved is held,
// also where policy would put it back: whether the release goes on over it is a
// person's word.
func (p *pass) inMotion(item record.DriftItem) record.DriftItem {
	ro := p.st.Rollout
	moves := ro.Phase != rollout.Idle && ro.Phase != rollout.Back && slices.ContainsFunc(ro.Functions, func(f rollout.Function) bool { return f.Alias == item.Ref })
	if moves && item.Response == record.Revert && plan.RoutingPath(item.Path) {
		item.Response, item.Reason = record.HoldIt, "a release moves, and somebody else moved its traffic"
	}
	return item
}

func sameAnswer(a, b record.DriftItem) bool {
	return a.Response == b.Response && a.Policy == b.Policy && a.Reason == b.Reason && a.Actor == b.Actor
}

// answer is one item with its response: the strictest action policy named,
// or the table's. Broken policy touches nothing.
func answer(item record.DriftItem, d policy.Decision, broken bool) record.DriftItem {
	item.Decision, item.Until = d.ID, time.Time{}
	item.Response, item.Policy = item.Default, false
	if broken && item.Response == record.Revert {
		item.Response, item.Reason = record.Alert, "drift policy could not be evaluated"
	}
	if broken {
		item.Until = item.SeenAt.Add(askAgain) // one late evaluation is not the last word
	}
	for _, a := range d.Actions {
		if a.Item == item.ID {
			item.Response, item.Reason, item.Policy = record.Response(a.Do), a.Reason, true
			if a.UntilNS > 0 {
				item.Until = time.Unix(0, a.UntilNS)
			}
		}
	}
	return item
}

// askAgain is when policy that could not be evaluated is asked again.
const askAgain = time.Minute

// holdMitigation keeps Mooring's hands off what an operator did.
func (p *pass) holdMitigation(ctx context.Context, item record.DriftItem) error {
	if item.Response != record.HoldIt {
		return nil
	}
	who := ""
	if item.Actor.Name != "" {
		who = " by " + item.Actor.Name
	}
	h := record.Hold{
		ID: holdID("mitigation", p.e.name, item.ID), Kind: "mitigation", Scope: record.HoldScope{Ref: item.Ref}, Until: p.now.Add(mitigationHold),
		About:  item.ID,
		Reason: fmt.Sprintf("%s %s %s%s: %s; resume to put it back", item.Ref, item.Path, item.Kind, who, describe(item)),
	}
	if old, ok := p.st.Holds[h.ID]; ok && old.Active(p.now) && old.Reason != h.Reason && who != "" {
		old.Reason = h.Reason // who did it is learned later
		p.changed = true
		return p.remember(ctx, journal.Record{Hold: &old})
	}
	return p.hold(ctx, h)
}

// howResolved says what ended a difference.
func (p *pass) howResolved(id string) string {
	item, ok := p.st.Drift[id]
	switch {
	case !ok:
		return "gone"
	case item.Rounds > 0 || p.reverted(item):
		return "reverted"
	}
	return "gone"
}

// reverted: one of our own writes answered about this resource since the item
// was decided.
func (p *pass) reverted(item record.DriftItem) bool {
	return item.Response == record.Revert && item.Confirmed()
}

func (p *pass) resolvedItems() []record.DriftItem {
	var out []record.DriftItem
	for _, id := range p.plan.Resolved {
		if item, ok := p.st.Drift[id]; ok {
			out = append(out, item)
		}
	}
	return out
}

// resolveDrift tells people that a difference is gone and lifts its hold.
func (p *pass) resolveDrift(ctx context.Context, item record.DriftItem) error {
	if item.Confirmed() && item.Response == record.Revert {
		p.e.d.opts.Metrics.DriftReverted(p.e.name)
	}
	if id := holdID("mitigation", p.e.name, item.ID); p.st.Holds[id].ID != "" {
		if err := p.lift(ctx, id, ownerMooring, "the difference is gone"); err != nil {
			return err
		}
	}
	return p.resolve(ctx, "drift", item.ID)
}

// describe is a difference in words; sensitive values are tokens already.
func describe(item record.DriftItem) string {
	switch item.Kind {
	case record.Extra:
		return "live has " + orNothing(item.Live) + ", nobody declared it"
	case record.Missing:
		return "declared " + orNothing(item.Declared) + ", live has none"
	}
	return "declared " + orNothing(item.Declared) + ", live " + orNothing(item.Live)
}

// mostOfValue is how many bytes of a value are told in words; the page and the
// API have the whole.
const mostOfValue = 200

func orNothing(v string) string {
	if v == "" {
		return "it"
	}
	return atMost(v, mostOfValue)
}
