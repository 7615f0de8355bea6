package policy

import (
	"encoding/json"
	"testing"
)

func wants(details map[string]any) Finding {
	return Finding{Code: "two", Level: "require", Details: details}
}

func TestPeopleNeeded(t *testing.T) {
	for name, c := range map[string]struct {
		f      Finding
		counts bool
		need   int
		ours   bool
	}{
		"plain":           {wants(map[string]any{"kind": "approval"}), true, 1, true},
		"two":             {wants(map[string]any{"kind": "approval", "need": json.Number("2")}), true, 2, true},
		"over JSON":       {wants(map[string]any{"kind": "approval", "need": 2.0}), true, 2, true},
		"absurd":          {wants(map[string]any{"kind": "approval", "need": json.Number("1e99")}), true, 1<<63 - 1, true},
		"none is one":     {wants(map[string]any{"kind": "approval", "need": 0.0}), true, 1, true},
		"policy counted":  {wants(map[string]any{"kind": "approval", "need": 2.0, "have": 0.0}), true, 0, false},
		"policy cannot":   {wants(map[string]any{"kind": "approval", "need": 2.0, "have": 0.0}), false, 2, true},
		"another kind":    {wants(map[string]any{"kind": "soak"}), false, 0, false},
		"a warning":       {Finding{Level: "warn", Details: map[string]any{"kind": "approval"}}, false, 0, false},
		"without details": {Finding{Level: "require"}, false, 0, false},
	} {
		if need, ours := c.f.PeopleNeeded(c.counts); need != c.need || ours != c.ours {
			t.Errorf("%s: %d, %v, want %d, %v", name, need, ours, c.need, c.ours)
		}
	}
}

func TestSettleOnlyLiftsWhatWasAllowed(t *testing.T) {
	yes := func(Finding) bool { return true }
	two := wants(map[string]any{"kind": "approval"})
	for name, c := range map[string]struct {
		d    Decision
		want Outcome
	}{
		"held, allowed":     {Decision{Outcome: Hold, Allowed: true, Findings: []Finding{two}}, Allow},
		"held, not allowed": {Decision{Outcome: Hold, Findings: []Finding{two}}, Hold},
		"denied":            {Decision{Outcome: Deny, Allowed: true, Findings: []Finding{two, {Level: "deny"}}}, Deny},
		"broken":            {Decision{Outcome: Error, Allowed: true, Findings: []Finding{two, {Level: "error"}}}, Error},
		"a warning stays":   {Decision{Outcome: Hold, Allowed: true, Findings: []Finding{two, {Level: "warn"}}}, Allow},
		"nothing met":       {Decision{Outcome: Hold, Allowed: true, Findings: []Finding{{Level: "deny"}}}, Hold},
	} {
		got := c.d.Settle(yes)
		if got.Outcome != c.want {
			t.Errorf("%s: %s, want %s", name, got.Outcome, c.want)
		}
		for _, f := range got.Findings {
			if f.Level == "require" {
				t.Errorf("%s: %v stays", name, f)
			}
		}
	}
	held := Decision{Outcome: Hold, Allowed: true, Findings: []Finding{two, {Code: "soak", Level: "require"}}}
	if got := held.Settle(func(f Finding) bool { return f.Code == "two" }); got.Outcome != Hold || len(got.Findings) != 1 {
		t.Errorf("one of two met: %+v", got)
	}
}
