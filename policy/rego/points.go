package rego

import (
	"cmp"
	"slices"
	"strings"

	"mooring.dev/policy"
)

// steer is rollout: abort → pause → advance → hold. Packages that define no
// `advance` only object: when none defines it, the analysis decides.
func steer(d *policy.Decision, answers []answer) {
	for _, a := range answers {
		note(d, "warn", a.warn)
		d.Abort = append(d.Abort, a.abort...)
		d.Pause = append(d.Pause, a.pause...)
		d.Advance = d.Advance || a.advance
		if a.weight > 0 && (d.WeightCap == 0 || a.weight < d.WeightCap) {
			d.WeightCap = a.weight
		}
	}
	slices.SortStableFunc(d.Abort, compareFindings)
	slices.SortStableFunc(d.Pause, compareFindings)
	note(d, "deny", d.Abort)
	note(d, "require", d.Pause)
	switch {
	case len(d.Abort) > 0:
		d.Outcome, d.Advance = policy.Deny, false
	case len(d.Pause) > 0:
		d.Outcome, d.Advance = policy.Hold, false
	case d.Advance:
		d.Outcome = policy.Allow
	case !slices.ContainsFunc(answers, func(a answer) bool { return a.steers }):
		d.Outcome, d.Default = policy.Allow, true
	default:
		d.Outcome = policy.Hold
		note(d, "require", []policy.Finding{{Code: "no_advance", Msg: "no rollout policy says advance yet"}})
	}
}

// respond is drift: per item the response that changes least wins.
func respond(d *policy.Decision, f facts, answers []answer, broken bool) {
	d.Outcome, d.Default = policy.Allow, !spoken(answers)
	if broken {
		for _, i := range f.items() {
			d.Actions = append(d.Actions, policy.Action{Item: i.ID, Do: "alert", Reason: "policy could not be evaluated"})
		}
		return
	}
	best := map[string]policy.Action{}
	for _, a := range answers {
		note(d, "warn", a.warn)
		for _, act := range a.actions {
			have, taken := best[act.Item]
			if !taken || stronger(act, have) > 0 {
				best[act.Item] = act
			}
		}
	}
	for _, item := range sortedKeys(best) {
		d.Actions = append(d.Actions, best[item])
	}
}

// stronger compares by what is done, then by how long it lasts (0 is without
// end), then by its words, so that the order of packages does not matter.
func stronger(a, b policy.Action) int {
	return cmp.Or(
		cmp.Compare(slices.Index(doing, a.Do), slices.Index(doing, b.Do)),
		cmp.Compare(uint64(a.UntilNS-1), uint64(b.UntilNS-1)),
		strings.Compare(b.Reason, a.Reason),
	)
}

func (f facts) items() []policy.DriftItem {
	if f.DriftFacts == nil {
		return nil
	}
	return f.Items
}

// send is notify: routes minus mutes. Nothing said, or anything broken, means
// the default receiver.
func send(d *policy.Decision, f facts, answers []answer, broken bool) {
	d.Outcome = policy.Allow
	if broken {
		return
	}
	silent := map[string]bool{}
	for _, a := range answers {
		note(d, "warn", a.warn)
		d.Routes = append(d.Routes, a.routes...)
		for _, m := range a.mutes {
			if f.ownFault {
				m.Msg = "not muted, because it is Mooring's own fault: " + m.Msg
			} else {
				silent[m.receiver] = true
			}
			note(d, "warn", []policy.Finding{m.Finding})
		}
	}
	routed := len(d.Routes) > 0
	d.Routes = slices.DeleteFunc(d.Routes, func(r policy.Route) bool { return silent[""] || silent[r.Receiver] })
	slices.SortFunc(d.Routes, func(a, b policy.Route) int {
		return cmp.Or(strings.Compare(a.Receiver, b.Receiver), strings.Compare(a.Severity, b.Severity), strings.Compare(a.GroupBy, b.GroupBy))
	})
	d.Routes = slices.Compact(d.Routes)
	d.Muted = silent[""] || routed && len(d.Routes) == 0
	d.Default = !d.Muted && len(d.Routes) == 0
}
