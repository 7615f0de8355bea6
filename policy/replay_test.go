package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// now answers every document the same way.
type now struct {
	d   Decision
	err error
}

func (n now) EvaluateDocument(context.Context, Point, []byte) (Decision, error) { return n.d, n.err }

func recorded(p Point, d Decision) Recorded {
	return Recorded{ID: "dec_1", Environment: "production", Point: p, Input: []byte("{}"), Result: d}
}

func TestReplayTellsFlips(t *testing.T) {
	finding := func(code, level string) Finding { return Finding{Code: code, Level: level, Package: "policy.x.y"} }
	for name, c := range map[string]struct {
		before Recorded
		after  now
		flips  int
		appear []string
	}{
		"the same":            {recorded(Admission, Decision{Outcome: Allow}), now{d: Decision{Outcome: Allow}}, 0, nil},
		"now denied":          {recorded(Admission, Decision{Outcome: Allow}), now{d: Decision{Outcome: Deny, Findings: []Finding{finding("size", "deny")}}}, 1, []string{"size"}},
		"another reason":      {recorded(Admission, Decision{Outcome: Deny, Findings: []Finding{finding("a", "deny")}}), now{d: Decision{Outcome: Deny, Findings: []Finding{finding("b", "deny")}}}, 0, nil},
		"drift now reverted":  {recorded(Drift, Decision{Outcome: Allow, Actions: []Action{{Item: "i", Do: "alert"}}}), now{d: Decision{Outcome: Allow, Actions: []Action{{Item: "i", Do: "revert"}}}}, 1, []string{"revert i"}},
		"a rollout paused":    {recorded(Rollout, Decision{Outcome: Allow}), now{d: Decision{Outcome: Allow, Pause: []Finding{finding("alarm", "")}}}, 1, []string{"pause: alarm"}},
		"an alert muted":      {recorded(Notify, Decision{Outcome: Allow}), now{d: Decision{Outcome: Allow, Muted: true}}, 1, []string{"muted"}},
		"a weight capped":     {recorded(Rollout, Decision{Outcome: Allow}), now{d: Decision{Outcome: Allow, WeightCap: 10}}, 1, []string{"at most 10%"}},
		"a warning is no say": {recorded(Promotion, Decision{Outcome: Allow}), now{d: Decision{Outcome: Allow, Findings: []Finding{finding("w", "warn")}}}, 0, nil},
	} {
		got := Replay(t.Context(), c.after, slices.Values([]Recorded{c.before}))
		if got.Decisions != 1 || len(got.Flips) != c.flips || len(got.Skipped) != 0 {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		if c.flips == 1 && !slices.Equal(got.Flips[0].Appear, c.appear) {
			t.Errorf("%s: appear %v", name, got.Flips[0].Appear)
		}
	}
}

func TestReplayTellsBrokenFromUnreadable(t *testing.T) {
	broken := now{Decision{Outcome: Error, Findings: []Finding{{Code: "policy_error", Level: "error", Package: "policy.admission.x"}}}, errors.New("conflict")}
	got := Replay(t.Context(), broken, slices.Values([]Recorded{recorded(Admission, Decision{Outcome: Allow})}))
	if len(got.Broken()) != 1 || got.Flips[0].Error != "conflict" {
		t.Errorf("broken: %+v", got)
	}
	if got = Replay(t.Context(), broken, slices.Values([]Recorded{recorded(Admission, Decision{Outcome: Error})})); len(got.Flips) != 0 {
		t.Errorf("broken before: %+v", got)
	}
	lost := now{Decision{Outcome: Error, Findings: []Finding{{Code: "policy_error", Level: "error"}}}, errors.New("the worker is gone")}
	if got = Replay(t.Context(), lost, slices.Values([]Recorded{recorded(Admission, Decision{Outcome: Allow})})); len(got.Broken()) != 1 {
		t.Errorf("what costs a worker is broken: %+v", got)
	}
	unreadable := now{Decision{Outcome: Error, Findings: []Finding{{Code: "policy_error", Level: "error"}}}, fmt.Errorf("input.flags: %w", ErrInput)}
	erased := recorded(Admission, Decision{Outcome: Allow})
	erased.Input = nil
	got = Replay(t.Context(), unreadable, slices.Values([]Recorded{recorded(Admission, Decision{Outcome: Allow}), erased}))
	if got.Decisions != 0 || len(got.Skipped) != 2 || len(got.Flips) != 0 {
		t.Errorf("unreadable: %+v", got)
	}
}

func TestParseRecorded(t *testing.T) {
	line := `{"decision_id":"dec_1","labels":{"environment":"staging"},"path":"policy/promotion","input":{"api":"policy/v1"},"result":{"outcome":"hold"},"erased":[],"prev":"x"}`
	r, err := ParseRecorded([]byte(line))
	if err != nil || r.ID != "dec_1" || r.Environment != "staging" || r.Point != Promotion || r.Result.Outcome != Hold || string(r.Input) != `{"api":"policy/v1"}` {
		t.Errorf("%+v, %v", r, err)
	}
	for name, bad := range map[string]string{"no JSON": "{", "no id": `{"path":"policy/drift"}`, "no point": `{"decision_id":"x","path":"drift"}`} {
		if _, err := ParseRecorded([]byte(bad)); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	r, err = ParseRecorded([]byte(`{"decision_id":"x","path":"policy/drift","input":null}`))
	if err != nil || len(r.Input) != 0 {
		t.Errorf("null input: %+v, %v", r, err)
	}
}
