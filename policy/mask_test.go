package policy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const maskable = `{"decision_id":"dec_1","path":"policy/admission","labels":{"environment":"production"},"erased":[],"masked":[],"input_digest":"sha256:1",` +
	`"input":{"commit":{"author":"Ann <ann@shop.example>","time_ns":9007199254740993},"changes":[{"fields":[{"path":"a","after":"x1"},{"path":"b","after":{"k":"x2"}}]}]},` +
	`"result":{"outcome":"deny"}}`

// What is chosen is not in the record any more, everything else is as it was,
// and the record says what is missing.
func TestMasks(t *testing.T) {
	m := Masks{Erase: []string{"/input/commit/author", "/input/nothing/there"}, Mask: []string{"/input/changes/*/fields/*/after"}}
	line, err := m.Apply([]byte(maskable))
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"ann@", "x1", "x2", `"k"`} {
		if strings.Contains(string(line), gone) {
			t.Errorf("%q is kept: %s", gone, line)
		}
	}
	var r struct {
		Erased, Masked []string
		Digest         string `json:"input_digest"`
		Input          struct{ Commit map[string]json.Number }
	}
	if err := json.Unmarshal(line, &r); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.Erased, []string{"/input/commit/author"}) || !slices.Equal(r.Masked, []string{"/input/changes/0/fields/0/after", "/input/changes/0/fields/1/after"}) {
		t.Errorf("erased %v, masked %v", r.Erased, r.Masked)
	}
	if r.Digest != "sha256:1" || r.Input.Commit["time_ns"] != "9007199254740993" {
		t.Errorf("the rest changed: %s", line)
	}
	back, err := ParseRecorded(line)
	if err != nil || len(back.Input) != 0 || !strings.Contains(back.Lost, "/input/commit/author") || back.Result.Outcome != Deny {
		t.Errorf("read back as %+v, %v", back, err)
	}
	got := Replay(t.Context(), now{}, slices.Values([]Recorded{back}))
	if got.Decisions != 0 || len(got.Skipped) != 1 || !strings.Contains(got.Skipped[0].Why, "/input/commit/author") {
		t.Errorf("replayed: %+v", got)
	}
}

func TestMasksLeaveAlone(t *testing.T) {
	for name, m := range map[string]Masks{"none": {}, "what is not there": {Erase: []string{"/input/pull_request/author"}}} {
		if line, err := m.Apply([]byte(maskable)); err != nil || string(line) != maskable {
			t.Errorf("%s: %s, %v", name, line, err)
		}
	}
	if line, err := (Masks{Erase: []string{"/input"}}).Apply([]byte(maskable)); err != nil || strings.Contains(string(line), `"input":`) && !strings.Contains(string(line), `"input":null`) {
		t.Errorf("all of it: %s, %v", line, err)
	}
	if line, err := (Masks{Mask: []string{"/input/commit"}}).Apply([]byte(`{"input":`)); err == nil || line != nil {
		t.Errorf("unreadable: %s, %v", line, err)
	}
}
