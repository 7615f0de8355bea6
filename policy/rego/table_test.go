package rego

import (
	"testing"
	"time"

	"mooring.dev/policy"
)

// The table of policy.md: what a point's packages say when all is well, and
// what is decided when one more is broken, late or silent. The environment is
// protected.
var tableWell = map[policy.Point]string{
	policy.Admission: "allow := true\n",
	policy.Promotion: "allow := true\n",
	policy.Rollout:   "advance := true\n",
	policy.Drift:     "action contains {\"item\": i.id, \"do\": \"revert\"} if some i in input.items\n",
	policy.Notify:    "mute contains \"nobody wants to know\"\n",
}

var tableBad = map[string]map[policy.Point]string{
	// A built-in that fails, at evaluation.
	"broken": {
		policy.Admission: "deny contains \"x\" if time.parse_duration_ns(input.commit.message) > 0\n",
		policy.Promotion: "deny contains \"x\" if time.parse_duration_ns(input.commit.message) > 0\n",
		policy.Rollout:   "pause contains \"x\" if time.parse_duration_ns(input.commit.message) > 0\n",
		policy.Drift:     "action contains \"x\" if time.parse_duration_ns(input.commit.message) > 0\n",
		policy.Notify:    "mute contains \"x\" if time.parse_duration_ns(input.commit.message) > 0\n",
	},
	"late": {
		policy.Admission: "deny contains \"x\" if _slow\n" + tableSlow,
		policy.Promotion: "deny contains \"x\" if _slow\n" + tableSlow,
		policy.Rollout:   "pause contains \"x\" if _slow\n" + tableSlow,
		policy.Drift:     "action contains \"x\" if _slow\n" + tableSlow,
		policy.Notify:    "mute contains \"x\" if _slow\n" + tableSlow,
	},
}

const tableSlow = "\n_slow if {\n\tsome a in numbers.range(1, 100000)\n\tsome b in numbers.range(1, 100000)\n\ta * b < 0\n}\n"

// tableSilent is the only package there is, and says nothing.
var tableSilent = map[policy.Point]string{
	policy.Admission: "allow if input.truncated\n",
	policy.Promotion: "allow if input.truncated\n",
	policy.Rollout:   "advance if input.truncated\n",
	policy.Drift:     "action contains {\"item\": \"i1\", \"do\": \"revert\"} if input.truncated\n",
	policy.Notify:    "mute contains \"x\" if input.truncated\n",
}

// tableClosed is the right-hand column.
var tableClosed = map[policy.Point]func(d policy.Decision) bool{
	policy.Admission: func(d policy.Decision) bool { return d.Outcome == policy.Deny || d.Outcome == policy.Error },
	policy.Promotion: func(d policy.Decision) bool { return d.Outcome == policy.Hold || d.Outcome == policy.Error },
	policy.Rollout: func(d policy.Decision) bool {
		return !d.Advance && !d.Default && (d.Outcome == policy.Hold || d.Outcome == policy.Error)
	},
	policy.Drift:  func(d policy.Decision) bool { return openness(policy.Drift, d)["mutate i1"] == 0 },
	policy.Notify: func(d policy.Decision) bool { return !d.Muted && len(d.Routes) == 0 },
}

func tableDecision(t *testing.T, p policy.Point, files ...string) policy.Decision {
	t.Helper()
	return tableDecisionWithin(t, time.Second, p, files...)
}

func tableDecisionWithin(t *testing.T, deadline time.Duration, p policy.Point, files ...string) policy.Decision {
	t.Helper()
	all := map[string]string{}
	for i, text := range files {
		name := string(rune('a' + i))
		all[string(p)+"/"+name+".rego"] = "package policy." + string(p) + "." + name + "\n\n" + text
	}
	return decide(t, New(mustLoad(t, all), EvaluatorOptions{PackageDeadline: deadline}), p, sample(p))
}

func TestTable(t *testing.T) {
	for _, p := range points {
		t.Run(string(p)+"/well", func(t *testing.T) {
			if d := tableDecision(t, p, tableWell[p]); len(d.Findings) > 1 || tableClosed[p](d) {
				t.Errorf("closed, so the rows below prove nothing: %+v", d)
			}
		})
		for name, bad := range tableBad {
			t.Run(string(p)+"/"+name, func(t *testing.T) {
				deadline := time.Second
				if name == "late" {
					deadline = 100 * time.Millisecond
				}
				d := tableDecisionWithin(t, deadline, p, tableWell[p], bad[p])
				if d.Outcome != policy.Error || !tableClosed[p](d) {
					t.Errorf("%+v", d)
				}
				if len(d.Findings) == 0 || d.Findings[0].Code != "policy_error" || d.Findings[0].Package != "policy."+string(p)+".b" {
					t.Errorf("findings %+v", d.Findings)
				}
			})
		}
		t.Run(string(p)+"/undefined", func(t *testing.T) {
			if d := tableDecision(t, p, tableSilent[p]); !tableClosed[p](d) {
				t.Errorf("%+v", d)
			}
		})
	}
	t.Run("drift/alerted", func(t *testing.T) {
		d := tableDecision(t, policy.Drift, tableWell[policy.Drift], tableBad["broken"][policy.Drift])
		for _, a := range d.Actions {
			if a.Do != "alert" {
				t.Errorf("%+v", a)
			}
		}
		if len(d.Actions) != 2 {
			t.Errorf("actions %+v", d.Actions)
		}
	})
}
