package reconciler

import (
	"context"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/providers/readonly"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/notify"
	"mooring.dev/sources/manifest"
)

// TestReadOnlyTellsAndWritesNothing: a daemon that only looks, with an empty
// journal and over resources it never tagged, tells each difference once with
// its actor, and that it is over. Policy that wants it put back is not obeyed,
// and neither branch nor platform is written.
func TestReadOnlyTellsAndWritesNothing(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	before, head := s.mutations(), s.repo.branches["env/preview"]
	o := s.options()
	o.ReadOnly, o.Store = true, journal.NewMemory() // what somebody else released, and no memory of it
	o.Provider = func(_ context.Context, _ *manifest.Pipeline, e manifest.Environment) (providers.Provider, error) {
		return readonly.Wrap(s.platform.Environment("shop", e.Name)), nil
	}
	s.startWith(t, o)
	s.received = map[string][]notify.Event{}
	s.run(3 * time.Minute)
	if n := s.alerts("drift", "firing"); n != 0 {
		t.Fatalf("%d differences where nothing differs: %+v", n, s.received["default"])
	}
	fn := s.function("preview", "checkout")
	fields, _ := s.platform.Fields(fn)
	was := fields["environment.LOG_LEVEL"]
	for _, value := range []string{`"trace"`, was} {
		if err := s.platform.Manual("alice").Set(fn, "environment.LOG_LEVEL", value); err != nil {
			t.Fatal(err)
		}
		s.run(3 * time.Minute)
	}
	if f, r := s.alerts("drift", "firing"), s.alerts("drift", "resolved"); f != 1 || r != 1 {
		t.Errorf("told %d times, over %d times: %+v", f, r, s.received["default"])
	}
	for _, e := range s.received["default"] {
		if e.Kind == "drift" && (e.Labels["actor"] != "alice by UpdateFunctionConfiguration" || e.Labels["response"] != "alert") {
			t.Errorf("labels %+v", e.Labels)
		}
	}
	if s.mutations() != before || s.repo.branches["env/preview"] != head {
		t.Errorf("%d writes, head moved: %v", s.mutations()-before, s.repo.branches["env/preview"] != head)
	}
	if s.alerts("contract", "firing") != 0 {
		t.Error("a contract that holds is told as broken")
	}
}
