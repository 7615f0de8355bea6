package rego

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
)

// meta is a METADATA block.
func meta(scope, custom string) string {
	return fmt.Sprintf("# METADATA\n# scope: %s\n# custom: {%s}\n", scope, custom)
}

// at is the sample of a point, judged at a time.
func at(p policy.Point, now time.Time) policy.Input {
	in := sample(p)
	in.Request.TimeNS = now.UnixNano()
	return in
}

// Conformance of custom.enforcement and custom.effective_on: what stands on a
// package or a rule, and what the decision is before and after the date.
func TestEnforcementAndEffectiveOn(t *testing.T) {
	day := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	const date = `effective_on: "2026-07-01"`
	before, after := day.Add(-time.Nanosecond), day
	const deny, hold = "deny contains \"no\" if input.commit.sha == \"b\"\n", "require contains {\"kind\": \"manual\", \"code\": \"m\", \"msg\": \"no\"} if input.commit.sha == \"b\"\n"
	const yes = "allow if input.commit.sha == \"b\"\n"
	pack := func(annotation, body string) string {
		return annotation + "package policy.POINT.x\n\nimport future.keywords.not\n\n" + body
	}
	for name, c := range map[string]struct {
		point         policy.Point
		text          string
		before, after policy.Outcome
		warns         string // codes before
		recheck       bool   // at the date
	}{
		"nothing said":                      {policy.Admission, pack("", yes+deny), policy.Deny, policy.Deny, "deny:x", false},
		"mandatory package":                 {policy.Admission, pack(meta("package", "enforcement: mandatory"), yes+deny), policy.Deny, policy.Deny, "deny:x", false},
		"advisory package allows not":       {policy.Admission, pack(meta("package", "enforcement: advisory"), yes+deny), policy.Deny, policy.Deny, "deny:not_allowed warn:x", false},
		"dry run package":                   {policy.Admission, pack(meta("package", "enforcement: dry_run"), yes+deny), policy.Deny, policy.Deny, "deny:not_allowed", false},
		"dated package":                     {policy.Admission, pack(meta("package", date), yes), policy.Deny, policy.Allow, "deny:not_allowed", true},
		"dated denying package":             {policy.Admission, pack(meta("package", date), yes+deny), policy.Deny, policy.Deny, "deny:not_allowed warn:x", true},
		"dated advisory package":            {policy.Admission, pack(meta("package", date+", enforcement: advisory"), yes+deny), policy.Deny, policy.Deny, "deny:not_allowed warn:x", false},
		"dated deny":                        {policy.Admission, pack("", yes+meta("rule", date)+deny), policy.Allow, policy.Deny, "warn:x", true},
		"dated deny, a time":                {policy.Admission, pack("", yes+meta("rule", `effective_on: "2026-07-01T02:00:00+02:00"`)+deny), policy.Allow, policy.Deny, "warn:x", true},
		"dated deny, YAML's own date":       {policy.Admission, pack("", yes+meta("rule", `effective_on: 2026-07-01`)+deny), policy.Allow, policy.Deny, "warn:x", true},
		"dated deny as a document":          {policy.Admission, pack("", yes+meta("document", date)+deny+deny), policy.Allow, policy.Deny, "warn:x", true},
		"dated beside undated":              {policy.Admission, pack("", yes+meta("rule", date)+deny+"deny contains \"another\" if input.commit.sha == \"b\"\n"), policy.Deny, policy.Deny, "deny:x warn:x", true},
		"dated require":                     {policy.Promotion, pack("", yes+meta("rule", date)+hold), policy.Allow, policy.Hold, "warn:m", true},
		"dated allow":                       {policy.Promotion, pack("", meta("rule", date)+yes), policy.Hold, policy.Allow, "require:not_allowed", true},
		"allow that reads a dated deny":     {policy.Admission, pack("", "allow if count(deny) == 0\n"+meta("rule", date)+deny), policy.Allow, policy.Deny, "warn:x", true},
		"advisory deny":                     {policy.Admission, pack("", yes+meta("rule", "enforcement: advisory")+deny), policy.Allow, policy.Allow, "warn:x", false},
		"allow that reads an advisory deny": {policy.Admission, pack("", "allow if count(deny) == 0\n"+meta("rule", "enforcement: advisory")+deny), policy.Allow, policy.Allow, "warn:x", false},
		"dry run deny":                      {policy.Admission, pack("", yes+meta("rule", "enforcement: dry_run")+deny), policy.Allow, policy.Allow, "", false},
		"dated abort":                       {policy.Rollout, pack("", "advance if input.commit.sha == \"b\"\n"+meta("rule", date)+"abort contains \"no\" if input.commit.sha == \"b\"\n"), policy.Allow, policy.Deny, "warn:x", true},
		"dated pause":                       {policy.Rollout, pack("", "advance if input.commit.sha == \"b\"\n"+meta("rule", date)+"pause contains \"no\" if input.commit.sha == \"b\"\n"), policy.Allow, policy.Hold, "warn:x", true},
		"dated advance":                     {policy.Rollout, pack("", "advance if input.commit.sha == \"c\"\n"+meta("rule", date)+"advance if input.commit.sha == \"b\"\n"), policy.Hold, policy.Allow, "require:no_advance", true},
		"dated deny that breaks":            {policy.Admission, pack("", yes+meta("rule", date)+"deny contains \"no\" if time.parse_duration_ns(input.commit.message) > 0\n"), policy.Error, policy.Error, "error:policy_error deny:not_allowed", false},
		"package later than its rule":       {policy.Admission, pack(meta("package", date), yes+meta("rule", `effective_on: "2026-06-01"`)+deny), policy.Deny, policy.Deny, "deny:not_allowed warn:x", true},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.ReplaceAll(c.text, "POINT", string(c.point))
			e := New(mustLoad(t, map[string]string{string(c.point) + "/x.rego": text}), EvaluatorOptions{})
			then, now := decide(t, e, c.point, at(c.point, before)), decide(t, e, c.point, at(c.point, after))
			if then.Outcome != c.before || now.Outcome != c.after {
				t.Errorf("before %s, after %s; want %s, %s", then.Outcome, now.Outcome, c.before, c.after)
			}
			if got := strings.Join(codes(then), " "); got != c.warns {
				t.Errorf("before: %s, want %s", got, c.warns)
			}
			want := int64(0)
			if c.recheck {
				want = day.UnixNano()
			}
			if then.RecheckNS != want || now.RecheckNS != 0 {
				t.Errorf("ask again at %d and %d, want %d and 0", then.RecheckNS, now.RecheckNS, want)
			}
			for _, f := range then.Findings {
				if c.recheck && f.Level == "warn" && !strings.Contains(f.Msg, "2026-07-01T00:00:00Z") {
					t.Errorf("%q does not say from when on it counts", f.Msg)
				}
			}
		})
	}
}

// The weight of a dated rule, and its actions and routes, begin with its date.
func TestEffectiveOnOfOtherRules(t *testing.T) {
	day := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	dated := meta("rule", `effective_on: "2026-07-01"`)
	load := func(p policy.Point, body string) *Evaluator {
		return New(mustLoad(t, packs(p, dated+body)), EvaluatorOptions{})
	}
	both := func(p policy.Point, body string, what func(policy.Decision) string) string {
		e := load(p, body)
		return what(decide(t, e, p, at(p, day.Add(-1)))) + " " + what(decide(t, e, p, at(p, day)))
	}
	for want, got := range map[string]string{
		"0 20":       both(policy.Rollout, "weight := 20 if input.commit.sha == \"b\"\n", func(d policy.Decision) string { return fmt.Sprint(d.WeightCap) }),
		"0 2":        both(policy.Drift, "action contains {\"item\": i.id, \"do\": \"hold\"} if some i in input.items\n", func(d policy.Decision) string { return fmt.Sprint(len(d.Actions)) }),
		"false true": both(policy.Notify, "mute contains {\"code\": \"q\", \"msg\": \"m\"} if input.event.kind == \"drift\"\n", func(d policy.Decision) string { return fmt.Sprint(d.Muted) }),
		"1 2": both(policy.Notify, "route contains {\"receiver\": \"chat\"} if input.event.kind == \"drift\"\n\nroute contains {\"receiver\": \"oncall\"} if input.event.kind == \"drift\"\n",
			func(d policy.Decision) string { return fmt.Sprint(len(d.Routes)) }),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Annotations that say nothing, or something else than they seem to, do not
// load.
func TestAnnotationsThatMeanNothing(t *testing.T) {
	const body = "allow if input.commit.sha == \"b\"\n"
	for name, c := range map[string][2]string{
		"a level there is none of":  {meta("package", "enforcement: soft"), ""},
		"a date there is none of":   {meta("package", `effective_on: "2026-13-01"`), ""},
		"a date of another kind":    {meta("package", `effective_on: "next week"`), ""},
		"an empty date":             {meta("package", `effective_on: null`), ""},
		"a number":                  {meta("package", `effective_on: 20260701`), ""},
		"on a rule, a level":        {"", meta("rule", "enforcement: soft")},
		"on a default":              {"", meta("rule", "enforcement: advisory") + "default allow := false\n\n"},
		"on a helper":               {"", meta("rule", "enforcement: advisory") + "_helper if input.commit.sha == \"b\"\n\n"},
		"stricter than its package": {meta("package", "enforcement: advisory"), meta("rule", `effective_on: "2026-07-01"`)},
		"subpackages":               {meta("subpackages", "enforcement: advisory"), ""},
		"a name of Mooring's own":   {"", "__mooring1_deny contains \"x\" if input.commit.sha == \"b\"\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			text := c[0] + "package policy.admission.x\n\n" + c[1] + body
			_, err := Load(folder(map[string]string{"admission/x.rego": text}), LoadOptions{})
			var bad *LoadError
			if !errors.As(err, &bad) || bad.Faults[0].Line == 0 || !slices.Contains([]string{"annotation", "rule_name", "package_error"}, bad.Faults[0].Code) {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
}

// Over combinations of rules that read one another: before its date a rule is
// exactly as an advisory one, from then on exactly as a mandatory one. So it is
// never more permissive than the former.
func TestDatedIsAdvisoryThenMandatory(t *testing.T) {
	long(t)
	day := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	kinds := map[string]string{"dated": meta("rule", `effective_on: "2026-07-01"`), "soft": meta("rule", "enforcement: advisory"), "hard": ""}
	files, variants := map[string]string{}, map[policy.Point]int{}
	for p, bodies := range map[policy.Point][]string{
		policy.Admission: {
			"allow if input.summary.updated == 1\n", "deny contains \"no\" if input.summary.updated == 1\n", "allow if count(deny) == 0\n",
			"require contains {\"kind\": \"manual\", \"code\": \"m\", \"msg\": \"m\"} if input.summary.updated == 1\n", "warn contains \"w\" if input.summary.updated == 1\n",
			"flag contains \"f\" if count(require) == 0\n", "deny contains \"warned\" if count(warn) > 0\n",
		},
		policy.Rollout: {
			"advance if input.rollout.weight > 0\n", "abort contains \"a\" if input.rollout.weight > 0\n", "pause contains \"p\" if count(abort) == 0\n", "weight := 20 if input.rollout.weight > 0\n",
		},
	} {
		for which := range bodies {
			for other := range len(bodies) + 1 { // beside another rule, or all of them
				for kind, annotation := range kinds {
					name := fmt.Sprintf("v%d%s", variants[p], kind)
					files[string(p)+"/"+name+".rego"] = variant(p, name, bodies, func(i int) (string, bool) {
						if i == which {
							return annotation, true
						}
						return "", i == other || other == len(bodies)
					})
				}
				variants[p]++
			}
		}
	}
	b := mustLoad(t, files)
	for p, n := range variants {
		for i := range n {
			for _, protected := range []bool{true, false} {
				for when, as := range map[time.Time]string{day.Add(-time.Hour): "soft", day: "hard"} {
					in := at(p, when)
					in.Environment.Protected = protected
					got, want := alone(b, p, fmt.Sprintf("v%ddated", i), in), alone(b, p, fmt.Sprintf("v%d%s", i, as), in)
					if got != want {
						t.Errorf("%v: %s, as %s %s\n%s", when, got, as, want, files[fmt.Sprintf("%s/v%ddated.rego", p, i)])
					}
				}
			}
		}
	}
	if variants[policy.Admission] < 50 {
		t.Errorf("%v variants", variants)
	}
}

// variant is a package of some of the bodies, with empty sets for what they
// read.
func variant(p policy.Point, name string, bodies []string, use func(i int) (annotation string, yes bool)) string {
	text := "package policy." + string(p) + "." + name + "\n\n"
	for i, body := range bodies {
		if annotation, yes := use(i); yes {
			text += annotation + body + "\n"
		}
	}
	for _, set := range []string{"deny", "require", "warn", "abort"} {
		if _, ok := ruleNames[p][set]; ok {
			text += set + " contains \"never\" if false\n\n"
		}
	}
	return text
}

// alone is what one package of a bundle decides by itself, but for its name
// and for when it changes.
func alone(b *Bundle, p policy.Point, name string, in policy.Input) string {
	only := *b
	only.packages = map[policy.Point][]*pkg{}
	for _, k := range b.packages[p] {
		if strings.HasSuffix(k.name, "."+name) {
			only.packages[p] = append(only.packages[p], k)
		}
	}
	d, err := New(&only, EvaluatorOptions{}).Evaluate(context.Background(), p, in)
	return strings.ReplaceAll(fmt.Sprint(d.Outcome, codes(d), d.Flags, d.WeightCap, d.Advance, err, len(only.packages[p])), name, "x")
}
