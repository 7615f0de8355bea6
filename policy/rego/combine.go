package rego

import (
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
	case policy.Admission, policy.Promotion, policy.Activation:
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
	recheck(&d, answers)
	if broken {
		d.Outcome, d.Default, d.Allowed, d.Advance = policy.Error, false, false, false
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
			d.Findings = append(d.Findings, brokenFinding(a))
		}
		if a.enforcement == advisory {
			a = advise(a)
		}
		heard = append(heard, a)
	}
	return heard
}

// recheck asks for another look when what was said begins to count.
func recheck(d *policy.Decision, answers []answer) {
	for _, a := range answers {
		at := a.from.UnixNano()
		if !a.from.IsZero() && a.says() && (d.RecheckNS == 0 || at < d.RecheckNS) {
			d.RecheckNS = at
		}
	}
}

// says is true when an answer would make a difference if it counted.
func (a answer) says() bool {
	return a.allow || a.advance || a.weight > 0 || len(a.deny)+len(a.require)+len(a.abort)+len(a.pause)+len(a.actions)+len(a.routes)+len(a.mutes) > 0
}

// brokenFinding says what is wrong with a package.
func brokenFinding(a answer) policy.Finding {
	f := policy.Finding{Code: "policy_error", Level: "error", Package: a.pkg, Msg: a.failure().Error()}
	if name := endedAs(a.err); name != "" {
		f.Details = map[string]any{"error": name}
	}
	return f
}

// advise keeps an advisory package from stopping, or allowing, anything.
func advise(a answer) answer {
	warn := slices.Clone(a.warn)
	for _, f := range slices.Concat(a.deny, a.abort, a.pause) {
		warn = append(warn, a.dated(f))
	}
	for _, r := range a.require {
		warn = append(warn, a.dated(r.Finding))
	}
	return answer{pkg: a.pkg, enforcement: a.enforcement, from: a.from, err: a.err, warn: warn}
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

// gate is admission, promotion and activation: deny → unmet require → allow →
// default.
func gate(d *policy.Decision, f facts, answers []answer) {
	allowed, denied, closed := false, false, closed(d.Point, f, answers)
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
		d.Outcome, d.Allowed = policy.Hold, allowed || !closed
	case allowed:
		d.Outcome = policy.Allow
	default:
		byDefault(d, f, closed)
	}
}

// closed: it takes a positive allow. Whoever has a say on policies at all keeps
// out those that nobody lets in.
func closed(p policy.Point, f facts, answers []answer) bool {
	return f.Environment.Protected || p == policy.Activation && slices.ContainsFunc(answers, func(a answer) bool { return a.pkg != "" && a.enforcement == mandatory })
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
// not where it takes an allow.
func byDefault(d *policy.Decision, f facts, closed bool) {
	d.Default, d.Outcome = true, policy.Allow
	if !closed {
		return
	}
	d.Outcome = policy.Deny
	name, what := fileName(f.Environment.Name), f.Environment.Name+" is protected"
	if d.Point == policy.Activation {
		name, what = "NAME", "policies that judge others are in force"
	}
	finding := policy.Finding{
		Code: "not_allowed", Level: "deny",
		Msg:         fmt.Sprintf("%s, and no %s policy allows this (policies/%s/%s.rego on the control branch could)", what, d.Point, d.Point, name),
		Remediation: fmt.Sprintf("on the control branch, policies/%s/%s.rego: package policy.%s.%s with a rule `allow if { … }`", d.Point, name, d.Point, name),
	}
	if d.Point != policy.Admission {
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
