package rego

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mooring.dev/policy"
)

// drawAnswer is any answer a package may give at p.
func drawAnswer(t *rapid.T, p policy.Point, i int) answer {
	some := func(what string) bool { return rapid.Bool().Draw(t, fmt.Sprint(what, i)) }
	found := func(what string) []policy.Finding {
		if !some(what) {
			return nil
		}
		return []policy.Finding{{Code: what, Msg: what, Package: fmt.Sprint("p", i)}}
	}
	a := answer{pkg: fmt.Sprint("p", i), enforcement: rapid.SampledFrom([]string{mandatory, mandatory, advisory, dryRun}).Draw(t, fmt.Sprint("level", i))}
	switch p {
	case policy.Admission, policy.Promotion, policy.Activation:
		a.allow, a.deny, a.warn = some("allow"), found("deny"), found("warn")
		for _, f := range found("require") {
			a.require = append(a.require, requirement{Finding: f, untilNS: noon.UnixNano() + int64(i)})
		}
	case policy.Rollout:
		a.abort, a.pause, a.advance = found("abort"), found("pause"), some("advance")
		a.steers = a.advance || some("steers")
		a.weight = rapid.IntRange(0, 100).Draw(t, fmt.Sprint("weight", i))
	case policy.Drift:
		for _, item := range []string{"i1", "i2"} {
			if some(item) {
				a.actions = append(a.actions, policy.Action{Item: item, Do: rapid.SampledFrom(doing).Draw(t, fmt.Sprint("do", i, item))})
			}
		}
	case policy.Notify:
		if some("route") {
			a.routes = []policy.Route{{Receiver: "oncall"}}
		}
		for _, f := range found("mute") {
			a.mutes = append(a.mutes, mute{Finding: f})
		}
	}
	return a
}

// TestAnyAnswerBrokenNeverOpens: whatever packages say, when one of them that
// counts breaks, before or after it said something, nothing becomes more
// permissive, and a deny of the others is told all the same.
func TestAnyAnswerBrokenNeverOpens(t *testing.T) {
	long(t)
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(points).Draw(t, "point")
		in := sample(p)
		in.Environment.Protected = rapid.Bool().Draw(t, "protected")
		f := facts{Input: in}
		var whole []answer
		for i := range rapid.IntRange(1, 4).Draw(t, "packages") {
			whole = append(whole, drawAnswer(t, p, i))
		}
		worse := append([]answer{}, whole...)
		k := rapid.IntRange(0, len(whole)-1).Draw(t, "breaks")
		if rapid.Bool().Draw(t, "says nothing") {
			worse[k] = answer{pkg: whole[k].pkg, enforcement: whole[k].enforcement}
		}
		worse[k].err = errors.New("broken")
		before, after := combine(p, f, whole), combine(p, f, worse)
		if wider(openness(p, before), openness(p, after)) {
			t.Fatalf("%+v became %+v", before, after)
		}
		if whole[k].enforcement != dryRun && after.Outcome != policy.Error {
			t.Fatalf("broken, and %s", after.Outcome)
		}
		for i, a := range whole {
			told := strings.Contains(fmt.Sprint(codes(after)), "deny:deny")
			if i != k && a.enforcement == mandatory && len(a.deny) > 0 && !told {
				t.Fatalf("a deny is lost: %v", codes(after))
			}
		}
	})
}

// TestAnyOrderOfAnswersIsTheSame: no package goes before another.
func TestAnyOrderOfAnswersIsTheSame(t *testing.T) {
	long(t)
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(points).Draw(t, "point")
		var list []answer
		for i := range rapid.IntRange(1, 4).Draw(t, "packages") {
			list = append(list, drawAnswer(t, p, i))
		}
		f := facts{Input: sample(p)}
		one := fmt.Sprintf("%+v", combine(p, f, list))
		if other := fmt.Sprintf("%+v", combine(p, f, rapid.Permutation(list).Draw(t, "order"))); other != one {
			t.Fatalf("%s\n%s", one, other)
		}
	})
}

// TestMoreObjectionsNeverOpen: a package more that only objects lets nothing
// through. (It may turn the default's deny into a hold, which waits for more.)
func TestMoreObjectionsNeverOpen(t *testing.T) {
	long(t)
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(points[:3]).Draw(t, "point")
		var list []answer
		for i := range rapid.IntRange(1, 3).Draw(t, "packages") {
			list = append(list, drawAnswer(t, p, i))
		}
		f := facts{Input: sample(p)}
		no := drawAnswer(t, p, 9)
		no.allow, no.advance, no.steers, no.enforcement = false, false, false, mandatory
		before, after := combine(p, f, list), combine(p, f, append(list, no))
		if before.Outcome != policy.Allow && after.Outcome == policy.Allow {
			t.Fatalf("%+v became %+v", before, after)
		}
		if before.WeightCap > 0 && (after.WeightCap == 0 || after.WeightCap > before.WeightCap) {
			t.Fatalf("the cap rose from %d to %d", before.WeightCap, after.WeightCap)
		}
	})
}

// generated is a folder put together of parts, another one for each seed, and
// the point it is about.
func generated(seed int) (map[string]string, policy.Point) {
	parts := []string{
		"allow if input.release.promoted\n", "allow := true\n", "deny contains \"big\" if input.summary.updated > 0\n",
		"require contains {\"kind\": \"manual\", \"code\": \"c\", \"msg\": \"m\"} if input.environment.protected\n",
		"warn contains \"w\" if some c in input.changes\n", "flag contains input.environment.name\n",
		"deny contains {\"code\": c.kind, \"msg\": c.resource} if {\n\tsome c in input.changes\n\tnot c.cause == \"commit\"\n}\n",
	}
	p := points[seed%2]
	files := map[string]string{}
	for i := range 1 + seed%3 {
		text := fmt.Sprintf("package policy.%s.p%d\n\nimport future.keywords.not\n\n", p, i)
		for j, part := range parts {
			if (seed*7+i*3+j*5)%4 == 0 {
				text += part + "\n"
			}
		}
		files[fmt.Sprintf("policies/%s/p%d.rego", p, i)] = text
	}
	return files, p
}

// TestAnyGeneratedFolder: of each generated folder one package is broken while
// it is asked. (That a field is missing is TestRemovingAFieldNeverOpens.)
func TestAnyGeneratedFolder(t *testing.T) {
	long(t)
	tried := 0
	for seed := range 12 {
		files, p := generated(seed)
		whole, err := loaded(files)
		if err != nil {
			t.Fatalf("%v: %v", files, err)
		}
		before := answers(t, whole, p)
		name := fmt.Sprintf("policies/%s/p0.rego", p)
		worse := map[string]string{}
		for k, v := range files {
			worse[k] = v
		}
		worse[name] += "warn contains \"x\" if _bad\n\n" + breakings["a built-in fails"]
		mustRun(t, fmt.Sprint("folder ", seed), worse, before, p)
		tried++
	}
	if tried != 12 {
		t.Errorf("only %d folders", tried)
	}
}
