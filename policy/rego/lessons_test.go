package rego

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
)

// Named after the tests 29 to 40 of gitops-lessons.md, 4.3, as far as they are
// of this package.

func TestLesson29TheWorldCannotBeAsked(t *testing.T) {
	for name, expr := range map[string]string{
		"http.send":            `http.send({"method": "get", "url": "http://localhost"}).status_code == 200`,
		"by the back door":     `is_object({"url": "http://localhost"}) with is_object as http.send`,
		"the process":          `opa.runtime().env.HOME == "x"`,
		"the clock":            `time.now_ns() > 5`,
		"chance":               `rand.intn("x", 5) > 2`,
		"names":                `uuid.rfc4122("x") != ""`,
		"the network":          `net.lookup_ip_addr("localhost") != set()`,
		"a key":                `io.jwt.encode_sign({}, {}, {}) != ""`,
		"what cannot be ended": `bits.lsh(1, 4000000000) > 5`,
	} {
		t.Run(name, func(t *testing.T) {
			faults := loadFaults(t, folder(map[string]string{"admission/p.rego": "package policy.admission.p\n\nallow if " + expr + "\n"}))
			if faults[0].File != "policies/admission/p.rego" || faults[0].Line != 3 {
				t.Errorf("%+v", faults)
			}
		})
	}
}

func TestLesson30MissingFieldsAndPlainNotAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ body, says string }{
		"a misspelt field": {"deny contains \"x\" if input.environment.nam == \"x\"\n", "protected, provider, region"},
		"plain not":        {"deny contains \"x\" if not input.truncated\n", "future.keywords.not"},
	} {
		faults := loadFaults(t, folder(map[string]string{"promotion/p.rego": "package policy.promotion.p\n\n" + c.body}))
		if len(faults) != 1 || faults[0].Line != 3 || !strings.Contains(faults[0].Msg, c.says) {
			t.Errorf("%s: %+v", name, faults)
		}
	}
	// Fields deleted one by one: TestRemovingAFieldNeverOpens.
}

func TestLesson31WrongRulesAndResultsClose(t *testing.T) {
	for name, body := range map[string]string{
		"a misspelt rule": "denny contains \"x\"\n",
		"a wrong type":    "deny := true\n",
	} {
		if faults := loadFaults(t, folder(map[string]string{"admission/p.rego": "package policy.admission.p\n\n" + body})); faults[0].Line != 3 {
			t.Errorf("%s: %+v", name, faults)
		}
	}
	for name, body := range map[string]string{
		"a megabyte":       "warn contains concat(\"\", [s | some i in numbers.range(1, 1048576); s := \"x\"])\n",
		"a number":         "deny contains 5\n",
		"nothing to say":   "deny contains {\"code\": \"\", \"msg\": \"\"}\n",
		"not an allow":     "allow := input.environment.name\n",
		"no text":          "warn contains {\"code\": \"a\", \"msg\": [1]}\n",
		"too many":         "warn contains {\"code\": \"a\", \"msg\": sprintf(\"%d\", [i])} if some i in numbers.range(1, 201)\n",
		"an unknown kind":  "require contains {\"kind\": \"patience\", \"code\": \"a\", \"msg\": \"b\"}\n",
		"an unknown field": "deny contains {\"code\": \"a\", \"msg\": \"b\", \"sverity\": \"c\"}\n",
	} {
		e := New(mustLoad(t, packs(policy.Admission, body, allow)), EvaluatorOptions{})
		d := decide(t, e, policy.Admission, sample(policy.Admission))
		if d.Outcome != policy.Error || d.Findings[0].Code != "policy_error" || d.Findings[0].Package == "" {
			t.Errorf("%s: %s %+v", name, d.Outcome, d.Findings)
		}
	}
}

func TestLesson32AConflictDoesNotSilenceOthers(t *testing.T) {
	conflict := "allow := true if input.environment.protected\n\nallow := false if input.environment.protected\n"
	for _, p := range []policy.Point{policy.Admission, policy.Promotion} {
		d := decide(t, New(mustLoad(t, packs(p, conflict, deny)), EvaluatorOptions{}), p, sample(p))
		if got := strings.Join(codes(d), " "); d.Outcome != policy.Error || got != "error:policy_error deny:bad" {
			t.Errorf("%s: %s %s", p, d.Outcome, got)
		}
	}
}

// TestLesson33TheSameAnswerAlways: by any evaluator made of the same folder,
// whatever was asked before. Other machines are left to CI.
func TestLesson33TheSameAnswerAlways(t *testing.T) {
	long(t)
	first := map[policy.Point]string{}
	for i := range 2 {
		b, err := Load(os.DirFS("../../testdata/policies/starter"), LoadOptions{Revision: "starter", Tested: true})
		if err != nil {
			t.Fatal(err)
		}
		e := New(b, EvaluatorOptions{})
		for n := range 100 * len(points) {
			p := points[n%len(points)]
			d := decide(t, e, p, sample(p))
			d.Record = nil
			text := string(must(json.Marshal(d)))
			if first[p] == "" {
				first[p] = text
			}
			if text != first[p] {
				t.Fatalf("%s, load %d: %s is not %s", p, i, text, first[p])
			}
		}
	}
}

// A value that was made a token before is nowhere as it was, and the token is
// equal where the value was: not in the decision, its record, nor in what
// policies print or say.
func TestLesson39SensitiveValuesStayOut(t *testing.T) {
	const secret = "sk_live_canary"
	text := "deny contains sprintf(\"%v\", [f.after]) if {\n\tsome c in input.changes\n\tsome f in c.fields\n\tprint(f.before, f.after)\n\tf.before != f.after\n}\n"
	e := New(mustLoad(t, packs(policy.Admission, text)), EvaluatorOptions{})
	in := sample(policy.Admission)
	in.Changes[0].Fields[1].After = json.RawMessage(fmt.Sprintf("{%q: true}", secret))
	d, err := e.Evaluate(context.Background(), policy.Admission, in)
	if d.Outcome != policy.Error || err == nil {
		t.Errorf("a value that is no token was let in: %s", d.Outcome)
	}
	for name, said := range map[string]string{"decision": string(must(json.Marshal(d))), "record": string(d.Record), "error": err.Error()} {
		if strings.Contains(said, secret) {
			t.Errorf("the %s tells: %s", name, said)
		}
	}
}

func TestLesson40WindowsByTheClockOnTheWall(t *testing.T) {
	e := New(mustLoad(t, map[string]string{
		"promotion/p.rego": "package policy.promotion.p\n\nimport data.policy.lib.window\n\nallow := true\n\nrequire contains item if {\n\tsome item in window.only([w | some w in data.config.windows; w.zone == input.environment.region], input.request.time_ns)\n}\n",
		"data/windows.yaml": "- {days: [Monday, Friday], from: \"09:00\", to: \"17:00\", zone: Europe/Amsterdam}\n" +
			"- {days: [Monday, Friday], from: \"09:00\", to: \"17:00\", zone: America/New_York}\n",
	}), EvaluatorOptions{})
	for _, c := range []struct{ zone, opens, closes string }{
		{"Europe/Amsterdam", "2026-03-27T08:00:00Z", "2026-03-27T16:00:00Z"}, // the Friday before
		{"Europe/Amsterdam", "2026-03-30T07:00:00Z", "2026-03-30T15:00:00Z"}, // the Monday after
		{"Europe/Amsterdam", "2026-10-23T07:00:00Z", "2026-10-23T15:00:00Z"},
		{"Europe/Amsterdam", "2026-10-26T08:00:00Z", "2026-10-26T16:00:00Z"},
		{"America/New_York", "2026-03-06T14:00:00Z", "2026-03-06T22:00:00Z"},
		{"America/New_York", "2026-03-09T13:00:00Z", "2026-03-09T21:00:00Z"},
		{"America/New_York", "2026-10-30T13:00:00Z", "2026-10-30T21:00:00Z"},
		{"America/New_York", "2026-11-02T14:00:00Z", "2026-11-02T22:00:00Z"},
	} {
		opens, _ := time.Parse(time.RFC3339, c.opens)
		closes, _ := time.Parse(time.RFC3339, c.closes)
		at := func(when time.Time) policy.Decision {
			in := sample(policy.Promotion)
			in.Environment.Region, in.Request.TimeNS = c.zone, when.UnixNano()
			return decide(t, e, policy.Promotion, in)
		}
		got := []policy.Outcome{
			at(opens.Add(-time.Minute)).Outcome, at(opens).Outcome, at(closes.Add(-time.Minute)).Outcome, at(closes).Outcome,
		}
		if !slices.Equal(got, []policy.Outcome{policy.Hold, policy.Allow, policy.Allow, policy.Hold}) {
			t.Errorf("%s %s to %s: %v", c.zone, c.opens, c.closes, got)
		}
		if next := at(opens.Add(-time.Minute)).RecheckNS; next != opens.UnixNano() {
			t.Errorf("%s %s: asked again at %v", c.zone, c.opens, time.Unix(0, next).UTC())
		}
	}
}
