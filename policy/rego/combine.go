package rego

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mooring.dev/policy"
)

// levels are the levels of findings, gravest first.
var levels = []string{"error", "deny", "require", "warn"}

// combine makes one decision of the packages' answers. It is pure. Whatever
// the answers say, a broken one closes the decision.
func combine(p policy.Point, f facts, answers []answer) policy.Decision {
	d := policy.Decision{ID: f.Request.ID, Point: p, Findings: []policy.Finding{}}
	heard := listen(&d, answers)
	broken := len(d.Findings) > 0
	switch p {
	case policy.Admission, policy.Promotion:
		gate(&d, f, heard)
	case policy.Rollout:
		steer(&d, heard)
	case policy.Drift:
		respond(&d, f, heard, broken)
	case policy.Notify:
		send(&d, f, heard, broken)
	default:
		d.Outcome = policy.Deny
	}
	if broken {
		d.Outcome, d.Default, d.Advance = policy.Error, false, false
	}
	slices.SortStableFunc(d.Findings, compareFindings)
	return d
}

// listen notes the broken answers as findings and turns what advisory packages
// said into warnings. Packages that only run dry are not listened to.
func listen(d *policy.Decision, answers []answer) []answer {
	var heard []answer
	for _, a := range answers {
		if a.enforcement == dryRun {
			continue
		}
		if a.err != nil {
			d.Findings = append(d.Findings, policy.Finding{
				Code: "policy_error", Level: "error", Package: a.pkg, Msg: a.failure().Error(),
			})
		}
		if a.enforcement == advisory {
			a = advise(a)
		}
		heard = append(heard, a)
	}
	return heard
}

// advise keeps an advisory package from stopping, or allowing, anything.
func advise(a answer) answer {
	a.warn = slices.Concat(a.warn, a.deny, a.abort, a.pause)
	for _, r := range a.require {
		a.warn = append(a.warn, r.Finding)
	}
	return answer{pkg: a.pkg, enforcement: a.enforcement, err: a.err, warn: a.warn}
}

// spoken is true when a package with a say was asked.
func spoken(answers []answer) bool {
	return slices.ContainsFunc(answers, func(a answer) bool { return a.enforcement == mandatory })
}

func note(d *policy.Decision, level string, findings []policy.Finding) {
	for _, f := range findings {
		f.Level = level
		d.Findings = append(d.Findings, f)
	}
}

// gate is admission and promotion: deny → unmet require → allow → default.
func gate(d *policy.Decision, f facts, answers []answer) {
	allowed, denied := false, false
	requires := truncated(f)
	for _, a := range answers {
		note(d, "deny", a.deny)
		note(d, "warn", a.warn)
		allowed = allowed || a.allow
		denied = denied || len(a.deny) > 0
		requires = append(requires, a.require...)
		d.Flags = append(d.Flags, a.flags...)
	}
	for _, r := range requires {
		note(d, "require", []policy.Finding{r.Finding})
		if r.untilNS > f.Request.TimeNS && (d.RecheckNS == 0 || r.untilNS < d.RecheckNS) {
			d.RecheckNS = r.untilNS
		}
	}
	slices.Sort(d.Flags)
	d.Flags = slices.Compact(d.Flags)
	switch {
	case denied:
		d.Outcome = policy.Deny
	case len(requires) > 0:
		d.Outcome = policy.Hold
	case allowed:
		d.Outcome = policy.Allow
	default:
		byDefault(d, f)
	}
}

// truncated asks for a person when policy was not shown every change.
func truncated(f facts) []requirement {
	if !f.Truncated {
		return nil
	}
	return []requirement{{Finding: policy.Finding{
		Code: "truncated", Msg: "there are more changes than policy can be shown",
		Details: map[string]any{"kind": "approval"},
	}}}
}

// byDefault is the answer where no package allowed, denied or held: yes, but
// not for a protected environment.
func byDefault(d *policy.Decision, f facts) {
	d.Default, d.Outcome = true, policy.Allow
	if !f.Environment.Protected {
		return
	}
	d.Outcome = policy.Deny
	finding := policy.Finding{
		Code: "not_allowed", Level: "deny",
		Msg:         fmt.Sprintf("%s is protected, and no %s policy allows this", f.Environment.Name, d.Point),
		Remediation: fmt.Sprintf("on the control branch, policies/%s/%s.rego: package policy.%s.%s with a rule `allow if { … }`", d.Point, fileName(f.Environment.Name), d.Point, fileName(f.Environment.Name)),
	}
	if d.Point == policy.Promotion {
		d.Outcome, finding.Level = policy.Hold, "require"
	}
	d.Findings = append(d.Findings, finding)
}

// fileName makes an environment's name fit for a package.
func fileName(environment string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, environment)
}

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
