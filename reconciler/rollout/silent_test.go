package rollout

import (
	"testing"
	"time"
)

// Lesson 38: while policy cannot be evaluated the weight stays, and after the
// deadline of observed silence traffic goes back to stable.
func TestLesson38SilentPolicyHoldsAndThenGoesBack(t *testing.T) {
	silent := Signal{Unasked: "policy could not be evaluated", Routed: true, Ready: true}
	d := at(Shift)
	weight := d.Weight
	for spent := time.Duration(0); spent < PolicyDeadline-2*time.Minute; spent += 30 * time.Second {
		if d = d.step(30*time.Second, silent); d.Phase != Shift || d.Weight != weight || d.Paused == "" {
			t.Fatalf("after %v: %s", spent, summary(d.State))
		}
	}
	d = d.step(time.Hour, silent) // a clock that jumps, or a daemon that slept, counts for little
	if d.Phase != Shift {
		t.Fatalf("a jump ended the patience: %s", summary(d.State))
	}
	d = d.step(30*time.Second, Signal{Routed: true}) // an answer begins it anew
	for range 5 {
		d = d.step(time.Minute, silent)
	}
	if d.Phase != Shift {
		t.Fatalf("silence is not counted in a row: %s", summary(d.State))
	}
	for range 5 {
		d = d.step(time.Minute, silent)
	}
	if d.Phase != Back || d.Returned != ByUndecided || d.Failed {
		t.Errorf("after the deadline: %s", summary(d.State))
	}
}
