package rego

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
)

// tableTests are the rows of the table of points in docs/policy.md, each with
// the test that is named after it.
var tableTests = map[policy.Point]func(*testing.T){
	policy.Admission: TestRowAdmission, policy.Promotion: TestRowPromotion, policy.Rollout: TestRowRollout,
	policy.Drift: TestRowDrift, policy.Notify: TestRowNotify, policy.Activation: TestRowActivation,
}

// tableRow is a row as it is written, and as it is meant.
type tableRow struct {
	point  policy.Point
	rules  []string // "a package may define"
	closed string   // "when broken, late or undefined"

	well   string // what a package says when all is well
	object string // a rule that can be made to fail
	silent string // says nothing
	is     func(policy.Decision) bool
}

// docRows reads the table: a row that is added there, and shown by no test,
// fails here.
func docRows(t *testing.T) map[policy.Point]tableRow {
	t.Helper()
	text, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| point | asked when | a package may define | combined | when broken, late or undefined |\n|---|---|---|---|---|\n")
	rows, word := map[policy.Point]tableRow{}, regexp.MustCompile("`([a-z]+)`")
	var before []string
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 5 {
			break
		}
		r := tableRow{point: policy.Point(strings.Trim(cells[0], " `")), closed: strings.TrimSpace(cells[4])}
		for _, m := range word.FindAllStringSubmatch(cells[2], -1) {
			r.rules = append(r.rules, m[1])
		}
		if cells[2] == "the same" {
			r.rules = before
		}
		before, rows[r.point] = r.rules, r
	}
	return rows
}

func TestEveryRowOfTheTableIsShown(t *testing.T) {
	rows := docRows(t)
	if got, want := slices.Sorted(maps.Keys(rows)), slices.Sorted(slices.Values(points)); !slices.Equal(got, want) {
		t.Errorf("rows %v, points %v", got, want)
	}
	for p, row := range rows {
		if tableTests[p] == nil {
			t.Errorf("no test shows the row %s", p)
		}
		if got, want := slices.Sorted(slices.Values(row.rules)), sortedKeys(ruleNames[p]); !slices.Equal(got, want) {
			t.Errorf("%s may define %v, and the table says %v", p, want, got)
		}
	}
}

const (
	tableFails = " contains \"x\" if time.parse_duration_ns(input.commit.message) > 0\n"
	tableSlow  = " contains \"x\" if _slow\n\n_slow if {\n\tsome a in numbers.range(1, 100000)\n\tsome b in numbers.range(1, 100000)\n\ta * b < 0\n}\n"
)

// tableOrder is what several packages say, gravest last, and what is decided
// when each of them is the gravest there is: the column "combined".
type tableOrder struct {
	says string
	want policy.Outcome
}

func outcomeIs(d policy.Decision, outcomes ...policy.Outcome) bool {
	return slices.Contains(outcomes, d.Outcome)
}

const (
	tableRequire = "require contains {\"kind\": \"manual\", \"code\": \"c\", \"msg\": \"m\"} if true\n"
	tableDeny    = "deny contains \"no\" if true\n"
)

func TestRowAdmission(t *testing.T) {
	r := tableRow{point: policy.Admission, well: "allow := true\n", object: "deny", silent: "allow if input.truncated\n",
		closed: "denied: the release admitted before stays",
		is:     func(d policy.Decision) bool { return outcomeIs(d, policy.Deny, policy.Error) }}
	r.test(t)
	r.combined(t, []tableOrder{{"warn contains \"w\" if true\n", policy.Deny}, {"allow := true\n", policy.Allow}, {tableRequire, policy.Hold}, {tableDeny, policy.Deny}, {"warn" + tableFails, policy.Error}})
}

func TestRowPromotion(t *testing.T) {
	r := tableRow{point: policy.Promotion, well: "allow := true\n", object: "deny", silent: "allow if input.truncated\n", closed: "held",
		is: func(d policy.Decision) bool { return outcomeIs(d, policy.Hold, policy.Error) }}
	r.test(t)
	r.combined(t, []tableOrder{{"warn contains \"w\" if true\n", policy.Hold}, {"allow := true\n", policy.Allow}, {tableRequire, policy.Hold}, {tableDeny, policy.Deny}, {"warn" + tableFails, policy.Error}})
}

func TestRowRollout(t *testing.T) {
	r := tableRow{point: policy.Rollout, well: "advance := true\n", object: "pause", silent: "advance if input.truncated\n",
		closed: "held at the weight; back to stable after a deadline",
		is: func(d policy.Decision) bool {
			return !d.Advance && !d.Default && outcomeIs(d, policy.Hold, policy.Error)
		}}
	r.test(t)
	r.combined(t, []tableOrder{{"advance if input.truncated\n", policy.Hold}, {"advance := true\n", policy.Allow}, {"pause contains \"p\" if true\n", policy.Hold}, {"abort contains \"a\" if true\n", policy.Deny}, {"pause" + tableFails, policy.Error}})
}

func TestRowDrift(t *testing.T) {
	revert := "action contains {\"item\": i.id, \"do\": \"revert\"} if some i in input.items\n"
	r := tableRow{point: policy.Drift, well: revert, object: "action", silent: "action contains {\"item\": \"i1\", \"do\": \"revert\"} if input.truncated\n",
		closed: "alerted; the cloud is not touched",
		is:     func(d policy.Decision) bool { return openness(policy.Drift, d)["mutate i1"] == 0 }}
	r.test(t)
	t.Run("combined", func(t *testing.T) { // the one that changes least
		var said []string
		for _, do := range []string{"ignore", "revert", "propose", "alert", "hold"} {
			said = append(said, strings.Replace(revert, "revert", do, 1))
			for _, a := range r.decide(t, time.Second, said...).Actions {
				if a.Do != do {
					t.Errorf("of %d answers up to %s: %s", len(said), do, a.Do)
				}
			}
		}
	})
	t.Run("alerted", func(t *testing.T) {
		d := r.decide(t, time.Second, r.well, r.object+tableFails)
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

func TestRowNotify(t *testing.T) {
	r := tableRow{point: policy.Notify, well: "mute contains \"nobody wants to know\"\n", object: "mute", silent: "mute contains \"x\" if input.truncated\n",
		closed: "sent to the default receiver",
		is:     func(d policy.Decision) bool { return !d.Muted && len(d.Routes) == 0 }}
	r.test(t)
	t.Run("combined", func(t *testing.T) { // routes minus mutes
		d := r.decide(t, time.Second, "route contains {\"receiver\": r} if some r in input.receivers\n",
			"mute contains {\"code\": \"q\", \"msg\": \"m\", \"receiver\": \"chat\"} if true\n")
		if len(d.Routes) != 1 || d.Routes[0].Receiver != "oncall" || d.Muted {
			t.Errorf("%+v", d)
		}
	})
}

func TestRowActivation(t *testing.T) {
	r := tableRow{point: policy.Activation, well: "allow := true\n", object: "deny", silent: "allow if input.truncated\n",
		closed: "the policies in force stay",
		is:     func(d policy.Decision) bool { return outcomeIs(d, policy.Hold, policy.Error) }}
	r.test(t)
	r.combined(t, []tableOrder{{"warn contains \"w\" if true\n", policy.Hold}, {"allow := true\n", policy.Allow}, {tableRequire, policy.Hold}, {tableDeny, policy.Deny}, {"warn" + tableFails, policy.Error}})
	t.Run("nobody asked", func(t *testing.T) {
		if d := decide(t, New(mustLoad(t, nil), EvaluatorOptions{}), r.point, sample(r.point)); d.Outcome != policy.Allow || !d.Default {
			t.Errorf("%+v", d)
		}
	})
}

// test shows the last column: what is decided when a package is broken, late or
// silent beside one that is content.
func (r tableRow) test(t *testing.T) {
	if said := docRows(t)[r.point].closed; said != r.closed {
		t.Errorf("the table says %q, this shows %q", said, r.closed)
	}
	t.Run("well", func(t *testing.T) {
		if d := r.decide(t, time.Second, r.well); len(d.Findings) > 1 || r.is(d) {
			t.Errorf("closed, so what follows proves nothing: %+v", d)
		}
	})
	for name, bad := range map[string]string{"broken": tableFails, "late": tableSlow} {
		t.Run(name, func(t *testing.T) {
			deadline := time.Second
			if name == "late" {
				deadline = 100 * time.Millisecond
			}
			d := r.decide(t, deadline, r.well, r.object+bad)
			if d.Outcome != policy.Error || !r.is(d) {
				t.Errorf("%+v", d)
			}
			if len(d.Findings) == 0 || d.Findings[0].Code != "policy_error" || d.Findings[0].Package != "policy."+string(r.point)+".b" {
				t.Errorf("findings %+v", d.Findings)
			}
		})
	}
	t.Run("undefined", func(t *testing.T) {
		if d := r.decide(t, time.Second, r.silent); !r.is(d) {
			t.Errorf("%+v", d)
		}
	})
}

// combined lets one package after the other speak.
func (r tableRow) combined(t *testing.T, order []tableOrder) {
	t.Run("combined", func(t *testing.T) {
		var said []string
		for _, o := range order {
			said = append(said, o.says)
			if d := r.decide(t, time.Second, said...); d.Outcome != o.want {
				t.Errorf("with %q as the last of %d: %s, want %s", o.says, len(said), d.Outcome, o.want)
			}
		}
	})
}

// decide asks packages a, b, … that say this, about a protected environment.
func (r tableRow) decide(t *testing.T, deadline time.Duration, files ...string) policy.Decision {
	t.Helper()
	all := map[string]string{}
	for i, text := range files {
		name := string(rune('a' + i))
		all[string(r.point)+"/"+name+".rego"] = "package policy." + string(r.point) + "." + name + "\n\n" + text
	}
	return decide(t, New(mustLoad(t, all), EvaluatorOptions{PackageDeadline: deadline}), r.point, sample(r.point))
}
