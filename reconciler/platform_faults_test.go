package reconciler

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

func TestLesson51QuietPassesChangeNothing(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview", "production")
	settled(t, s)
	s.run(2 * time.Minute)
	calls, told := s.mutations(), len(s.received["default"])
	s.run(time.Hour)
	if s.mutations() != calls || len(s.received["default"]) != told {
		t.Errorf("an hour of nothing: %d calls, %d alerts", s.mutations()-calls, len(s.received["default"])-told)
	}
	sound(t, s)
}

func TestLesson54ConflictMeansPlanAgain(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	k := firstContent()
	k.memory = 512
	s.repo.commit("env/preview", k.files())
	times := []time.Time{}
	s.inject = func(op string, ref manifest.Ref) error {
		if op == "put:before" && ref == checkout {
			if times = append(times, s.real); len(times) == 1 {
				return providers.Errorf(providers.Conflict, "somebody wrote between the look and the call")
			}
		}
		return nil
	}
	settled(t, s)
	last := s.watch.environment("preview")
	if len(times) != 2 || last.Parked[checkout].Error != "" || times[1].Sub(times[0]) > time.Second {
		t.Errorf("written at %v, parked: %+v", times, last.Parked)
	}
	sound(t, s) // the watcher holds every write against the true revision
}

// TestARefusedRevertSaysWhy: drift that cannot be put back stays with the
// reason, until it can.
func TestARefusedRevertSaysWhy(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	refusing := true
	s.inject = func(op string, ref manifest.Ref) error {
		if refusing && op == "put:before" && ref == checkout {
			return providers.Errorf(providers.Denied, "the role may not write")
		}
		return nil
	}
	must(s.platform.Manual("alice").Set(s.function("preview", "checkout"), "environment.LOG_LEVEL", `"trace"`))
	s.run(10 * time.Minute)
	st := s.d.environment("preview").published.Load().status
	if st.State != "drifted" || !strings.Contains(st.Reason, "Function/checkout") || !strings.Contains(st.Reason, "the role may not write") {
		t.Errorf("%s: %q", st.State, st.Reason)
	}
	refusing = false
	again := func(ctx context.Context, d *Daemon) error {
		return d.Rollout(ctx, web.RolloutRequest{Environment: "preview", Act: web.RolloutRetry, By: access.Stated("ann")})
	}
	if err := s.ask("preview", again); err != nil {
		t.Fatal(err)
	}
	settled(t, s)
	s.run(5 * time.Minute)
	if st := s.d.environment("preview").published.Load().status; st.State != "in_sync" || st.Reason != "" {
		t.Errorf("%s: %q", st.State, st.Reason)
	}
	sound(t, s)
}

func TestLesson55StaleReadsMakeNoDrift(t *testing.T) {
	s := begin(t, memory.Options{Stale: 1500 * time.Millisecond}, mutant{}, "preview")
	settled(t, s)
	for i := range 4 {
		k := firstContent()
		k.memory = 256 + 64*(i+1)
		s.repo.commit("env/preview", k.files())
		s.run(time.Minute)
	}
	settled(t, s)
	if n := s.alerts("drift", "firing"); n != 0 {
		t.Errorf("%d alerts of drift that nobody made: %+v", n, s.received["default"])
	}
	updates := 0
	for _, c := range s.platform.Calls() {
		if c.Op == "put" && c.Ref == checkout && c.Error == "" && slices.Contains(c.Fields, "memorySize") {
			updates++
		}
	}
	if updates != 5 { // made, and four changes
		t.Errorf("%d updates took hold", updates)
	}
	sound(t, s)
}

func TestLesson56OneEnvironmentDenied(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview", "production")
	settled(t, s)
	o := s.options()
	open := o.Provider
	o.Provider = func(ctx context.Context, p *manifest.Pipeline, e manifest.Environment) (providers.Provider, error) {
		if e.Name == "preview" {
			return nil, providers.Errorf(providers.Denied, "the role may not be taken")
		}
		return open(ctx, p, e)
	}
	s.startWith(t, o)
	s.watch.restarted()
	k := firstContent()
	k.memory = 512
	s.repo.commit("env/production", k.files())
	sha := s.repo.commit("env/preview", k.files())
	s.run(5 * time.Minute)
	if got := s.watch.environment("production").Rollout; got.Phase != rollout.Idle || got.Release.Commit == sha || len(s.differences("production")) > 0 {
		t.Errorf("production: %v", s.differences("production"))
	}
	if s.alerts("environment_error", "firing") != 1 {
		t.Errorf("%d alerts", s.alerts("environment_error", "firing"))
	}
	sound(t, s)
}

func TestLesson57PartialListingDeletesNothing(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	s.partial = func() bool { return true }
	k := firstContent()
	k.withMailer, k.trigger = false, false
	s.repo.commit("env/preview", k.files())
	s.run(30 * time.Minute)
	for _, c := range s.platform.Calls() {
		if c.Op == "delete" || c.Op == "detach" {
			t.Errorf("%s was removed on a partial listing", c.Ref)
		}
	}
	s.partial = func() bool { return false }
	settled(t, s)
	if _, lives := s.platform.Fields(s.function("preview", "mailer")); lives {
		t.Error("mailer lives")
	}
	sound(t, s)
}

func TestLesson59InvalidArtifactIsNeverPublished(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "preview")
	s.repo.commit("env/preview", firstContent().files())
	o := s.options()
	o.Contracts = func(_ context.Context, _ manifest.Environment, a manifest.Artifact) (manifest.Expects, error) {
		if a.Digest == code(2) {
			return manifest.Expects{}, providers.Errorf(providers.Invalid, "it is not what its digest says")
		}
		return manifest.Expects{}, nil
	}
	s.startWith(t, o)
	s.run(30 * time.Minute)
	j := s.watch.environment("preview").Judged
	if s.mutations() != 0 || j == nil || j.Outcome != "invalid" || !strings.Contains(j.Reason, "mailer") {
		t.Errorf("%d calls, judged %+v", s.mutations(), j)
	}
	if s.alerts("admission", "firing") != 1 {
		t.Errorf("%d alerts", s.alerts("admission", "firing"))
	}
	sound(t, s)
}

func TestLesson61DriftIsRevertedWithOneAlertAndOneResolve(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	hand := s.platform.Manual("alice")
	for path, value := range map[string]string{"environment.LOG_LEVEL": `"trace"`, "handler": `"other"`, "memorySize": "128"} {
		fired, resolved := s.alerts("drift", "firing"), s.alerts("drift", "resolved")
		if err := hand.Set(s.function("preview", "checkout"), path, value); err != nil {
			t.Fatal(err)
		}
		s.run(time.Minute) // two intervals
		if fields, _ := s.platform.Fields(s.function("preview", "checkout")); fields[path] == value {
			t.Errorf("%s is not put back", path)
		}
		if f, r := s.alerts("drift", "firing")-fired, s.alerts("drift", "resolved")-resolved; f != 1 || r != 1 {
			t.Errorf("%s: %d alerts, %d resolved", path, f, r)
		}
	}
	for _, e := range s.received["default"] {
		if e.Kind == "drift" && e.Labels["actor"] != "alice by UpdateFunctionConfiguration" {
			t.Errorf("it does not say who: %+v", e.Labels)
		}
	}
	sound(t, s)
}

func TestLesson62FightEndsAndEscalates(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	reverts := func() int {
		n := 0
		for _, c := range s.platform.Calls() {
			if c.Environment != "" && c.Op == "put" && c.Ref == checkout && slices.Contains(c.Fields, "environment.LOG_LEVEL") {
				n++
			}
		}
		return n
	}
	first := reverts()
	for range 20 {
		if fields, _ := s.platform.Fields(s.function("preview", "checkout")); fields["environment.LOG_LEVEL"] != `"trace"` {
			if err := s.platform.Manual("other tool").Set(s.function("preview", "checkout"), "environment.LOG_LEVEL", `"trace"`); err != nil {
				t.Fatal(err)
			}
		}
		s.run(2 * time.Minute)
	}
	if got := reverts() - first; got != 3 {
		t.Errorf("reverted %d times", got)
	}
	if holds := sorted(s.watch.environment("preview").Holds); len(holds) != 1 {
		t.Errorf("holds: %+v", holds)
	}
	sound(t, s)
}

func TestLesson63IgnoredIsNeitherRevertedNorTold(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "preview")
	files := controlFiles("allow", "preview")
	files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "response: revert", "response: \"off\"", 1)
	s.repo.commit("main", files)
	s.repo.commit("env/preview", firstContent().files())
	s.restart()
	s.run(2 * time.Minute)
	calls, told := s.mutations(), len(s.received["default"])
	if err := s.platform.Manual("alice").Set(s.function("preview", "checkout"), "environment.LOG_LEVEL", `"trace"`); err != nil {
		t.Fatal(err)
	}
	s.run(10 * time.Minute)
	if s.mutations() != calls || len(s.received["default"]) != told {
		t.Errorf("%d calls, %d alerts", s.mutations()-calls, len(s.received["default"])-told)
	}
	sound(t, s)
}
