package reconciler

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/notify"
	"mooring.dev/sources/manifest"
)

// silent makes the audit trail fail for as long as it stays true.
func silent(s *simulation, lag *bool) {
	s.inject = func(op string, _ manifest.Ref) error {
		if op == "actors" && *lag {
			return providers.Errorf(providers.Throttled, "rate exceeded")
		}
		return nil
	}
}

// lastDrift is the newest event about drift that a receiver was told.
func (s *simulation) lastDrift() notify.Event {
	var last notify.Event
	for _, e := range s.received["default"] {
		if e.Kind == "drift" {
			last = e
		}
	}
	return last
}

func TestHeldDriftIsNamedOnceTheTrailAnswers(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	lag := true
	silent(s, &lag)
	if err := s.platform.Manual("oncall").Set(s.function("preview", "checkout"), "timeout", "60"); err != nil {
		t.Fatal(err)
	}
	s.run(2 * time.Minute)
	if e := s.lastDrift(); e.Status != notify.Firing || e.Labels["actor"] != "unknown" || e.Labels["response"] != "hold" {
		t.Fatalf("told before the trail answers: %+v", e)
	}
	fingerprint := s.lastDrift().Fingerprint
	lag = false
	s.run(3 * time.Minute)
	e := s.lastDrift()
	if e.Status != notify.Firing || e.Fingerprint != fingerprint || !strings.Contains(e.Labels["actor"], "oncall") {
		t.Errorf("the alert was not completed under its fingerprint: %+v", e)
	}
	for _, item := range s.watch.environment("preview").Drift {
		if !item.Actor.Known || item.Actor.At.After(item.Since) {
			t.Errorf("nobody's name: %+v", item)
		}
		when := item.Actor.At.UTC().Format("2006-01-02 15:04:05Z")
		if want := (notify.Fact{Name: "who", Value: e.Labels["actor"] + " at " + when}); !slices.Contains(e.Facts, want) || !strings.Contains(e.Text, "who: "+want.Value) {
			t.Errorf("it does not say when it was done, %s: %+v", when, e)
		}
	}
	told := len(s.received["default"])
	if s.run(time.Hour); len(s.received["default"]) != told {
		t.Errorf("%d more alerts about what was said already", len(s.received["default"])-told)
	}
	sound(t, s)
}

func TestDriftPutBackIsNamedOnceTheTrailAnswers(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	lag := true
	silent(s, &lag)
	if err := s.platform.Manual("alice").Set(s.function("preview", "checkout"), "environment.LOG_LEVEL", `"trace"`); err != nil {
		t.Fatal(err)
	}
	s.run(2 * time.Minute)
	if e := s.lastDrift(); e.Status != notify.Resolved || len(s.watch.environment("preview").Drift) != 0 {
		t.Fatalf("it was not put back while the trail is silent: %+v", e)
	}
	lag = false
	s.run(5 * time.Minute)
	if e := s.lastDrift(); e.Status != notify.Resolved || !strings.Contains(e.Labels["actor"], "alice") {
		t.Errorf("nobody was told who it was: %+v", e)
	}
	st := s.watch.environment("preview")
	said := slices.ContainsFunc(st.History, func(e journal.Event) bool {
		return e.Kind == "drift" && strings.Contains(e.Text, "was by") && strings.Contains(e.Text, "alice")
	})
	if !said || len(st.Unnamed) != 0 {
		t.Errorf("history tells it: %v, unnamed %d", said, len(st.Unnamed))
	}
	sound(t, s)
}

// TestTrailThatNeverAnswersIsGivenUp: an hour later it is not asked any more.
func TestTrailThatNeverAnswersIsGivenUp(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	asked := 0
	s.inject = func(op string, _ manifest.Ref) error {
		if op != "actors" {
			return nil
		}
		asked++
		return providers.Errorf(providers.Throttled, "rate exceeded")
	}
	if err := s.platform.Manual("alice").Set(s.function("preview", "checkout"), "environment.LOG_LEVEL", `"trace"`); err != nil {
		t.Fatal(err)
	}
	s.run(40 * time.Minute)
	before := asked
	if s.run(time.Hour); asked != before || before == 0 || before > 30 {
		t.Errorf("asked %d times, then %d more", before, asked-before)
	}
	if left := s.watch.environment("preview").Unnamed; len(left) != 0 {
		t.Errorf("%d are still looked for", len(left))
	}
	sound(t, s)
}
