package reconciler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/policy/rego"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// Each test here is named after the line of the list of faults that it is for.

var (
	checkout = manifest.Ref{Kind: manifest.KindFunction, Name: "checkout"}
	orders   = manifest.Ref{Kind: manifest.KindQueue, Name: "orders"}
)

// run lets a while pass.
func (s *simulation) run(d time.Duration) {
	for end := s.real.Add(d); s.real.Before(end); {
		s.turn(true)
		s.advance(min(30*time.Second, end.Sub(s.real)))
	}
}

// sound fails the test when an invariant was broken.
func sound(t *testing.T, s *simulation) {
	t.Helper()
	if !s.watch.ok() {
		t.Fatal(s.watch.broken)
	}
}

// mutations is how often the daemon changed, or tried to change, something.
func (s *simulation) mutations() int {
	n := 0
	for _, c := range s.platform.Calls() {
		if c.Environment != "" {
			n++
		}
	}
	return n
}

// alerts counts what receivers were told, by kind and status.
func (s *simulation) alerts(kind, status string) int {
	n := 0
	for _, e := range s.received["default"] {
		if e.Kind == kind && e.Status == status {
			n++
		}
	}
	return n
}

func (s *simulation) function(env, fn string) memory.Name {
	return memory.Name{Kind: manifest.KindFunction, Physical: env + "-" + fn}
}

func TestFault01ForcePushIsHeld(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	calls, told := s.mutations(), len(s.received["default"])
	k := firstContent()
	k.checkout = code(9)
	sha := s.repo.rewrite("env/preview", k.files())
	s.run(20 * time.Second) // two polls
	st := s.watch.environment("preview")
	if got := s.mutations() - calls; got != 0 {
		t.Errorf("%d calls changed something", got)
	}
	if got := len(s.received["default"]) - told; got != 1 {
		t.Errorf("%d alerts: %+v", got, s.received["default"][told:])
	}
	if st.Judged.Outcome != "hold" || s.d.environment("preview").published.Load().status.State != "held" {
		t.Errorf("judged %+v", st.Judged)
	}
	// Other policies do not make it safe.
	s.repo.commit("main", controlFiles("revert", s.names...))
	s.run(20 * time.Second)
	if st := s.watch.environment("preview"); st.Judged.Outcome != "hold" || s.mutations() != calls {
		t.Errorf("after new policies: %+v", st.Judged)
	}
	if err := s.ask("preview", func(ctx context.Context, d *Daemon) error { return d.Resume(ctx, "preview", "", "bob") }); err != nil {
		t.Fatal(err)
	}
	settled(t, s)
	if got := s.watch.environment("preview").Admitted.Release.Commit; got != sha {
		t.Errorf("admitted is %s", got)
	}
	sound(t, s)
}

func TestFault02DeletedBranchDelaysNobody(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview", "production")
	settled(t, s)
	names := len(s.platform.Names())
	delete(s.repo.branches, "env/preview")
	k := firstContent()
	k.mailer = code(9)
	sha := s.repo.commit("env/production", k.files())
	s.run(20 * time.Second)
	st := s.watch.environment("production")
	if st.Admitted.Release.Commit != sha || st.Rollout.Release.Commit != sha {
		t.Error("production did not take its commit in the same poll")
	}
	if got := s.watch.environment("preview").Holds; len(got) != 1 {
		t.Errorf("holds of preview: %v", got)
	}
	s.run(5 * time.Minute)
	for _, c := range s.platform.Calls() {
		if c.Op == "delete" || c.Op == "detach" {
			t.Errorf("%s was removed", c.Ref)
		}
	}
	if got := len(s.platform.Names()); got != names {
		t.Errorf("%d things live, %d did", got, names)
	}
	sound(t, s)
}

func TestFault16EmptyBranchDeletesNothing(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	calls := s.mutations()
	s.repo.commit("env/preview", content{empty: true}.files())
	s.run(5 * time.Minute)
	holds := sorted(s.watch.environment("preview").Holds)
	if s.mutations() != calls || len(holds) != 1 || holds[0].Kind != "empty" {
		t.Errorf("%d calls, holds %+v", s.mutations()-calls, holds)
	}
	sound(t, s)
}

func TestFault25BrokenPoliciesLeaveThoseBefore(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	before := s.d.world.Load().policies
	s.repo.commit("main", controlFiles("broken", s.names...))
	s.run(10 * time.Second)
	if got := s.d.world.Load().policies; got != before {
		t.Errorf("active policies are %s, not %s", got, before)
	}
	if s.alerts("policy_error", "firing") != 1 {
		t.Errorf("alerts: %+v", s.received["default"])
	}
	k := firstContent()
	k.memory = 512
	s.repo.commit("env/preview", k.files())
	settled(t, s) // judged by the policies before
	if got := s.watch.environment("preview").Judged.Policy; got != before {
		t.Errorf("judged by %s", got)
	}
	s.repo.commit("main", controlFiles("allow", s.names...))
	s.run(20 * time.Second)
	if s.alerts("policy_error", "resolved") != 1 {
		t.Error("the alert is not taken back")
	}
	sound(t, s)
}

func TestFault26NoPolicyAtStartClosesEverything(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "preview")
	s.repo.commit("main", controlFiles("broken", "preview"))
	s.repo.commit("env/preview", firstContent().files())
	s.restart()
	s.run(2 * time.Minute)
	if s.mutations() != 0 || s.watch.environment("preview").Judged.Outcome != "error" {
		t.Errorf("%d calls, judged %+v", s.mutations(), s.watch.environment("preview").Judged)
	}
	if s.d.Ready() == nil {
		t.Error("it says it is ready")
	}
	sound(t, s)
}

// The same with the real engine: an environment that is protected and has no
// package to allow it stays closed.
func TestFault26ProtectedWithoutPoliciesIsClosed(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "preview")
	files := controlFiles("allow", "preview")
	files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "soak: 20s", "protected: true\n      soak: 20s", 1)
	delete(files, "policies/mode")
	s.repo.commit("main", files)
	s.repo.commit("env/preview", firstContent().files())
	o := s.options()
	o.Policies = regoPolicies
	o.Closed = closedRego
	s.startWith(t, o)
	s.run(time.Minute)
	if j := s.watch.environment("preview").Judged; s.mutations() != 0 || j == nil || j.Outcome == "allow" {
		t.Errorf("%d calls, judged %+v", s.mutations(), j)
	}
	sound(t, s)
}

// startWith starts a daemon of other options than the simulation's own.
func (s *simulation) startWith(t *testing.T, o Options) {
	t.Helper()
	d, err := New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	s.d, s.fetchAt = d, s.real
}

func TestFault42CrashBetweenAliasAndJournal(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "production")
	settled(t, s)
	k := firstContent()
	k.checkout = code(9)
	s.repo.commit("env/production", k.files())
	routed := false
	s.inject = func(op string, _ manifest.Ref) error {
		if op == "route:after" && !routed {
			routed = true
			s.store.Break(func(int, []journal.Record) journal.Fault { return journal.FailBefore })
		}
		return nil
	}
	if !s.until(10*time.Minute, func() bool { return routed }) {
		t.Fatal("no traffic moved")
	}
	s.store.Break(nil)
	s.restart()
	settled(t, s)
	routes := 0
	for _, c := range s.platform.Calls() {
		if c.Op == "route" && c.Ref.Name == "checkout.live" {
			routes++
		}
	}
	if routes != 4 { // made, 10%, 50%, 100%
		t.Errorf("%d moves of the alias", routes)
	}
	sound(t, s)
}

func TestFault44TheSecondDaemonFencesTheFirst(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	first := s.d
	s.restart()
	k := firstContent()
	k.memory = 512
	s.repo.commit("env/preview", k.files())
	if _, err := first.refresh(context.Background(), "poll"); err != nil {
		t.Fatal(err)
	}
	calls := s.mutations()
	_, err := first.environment("preview").once(context.Background())
	if !errors.Is(err, journal.ErrFenced) {
		t.Errorf("the first daemon goes on: %v", err)
	}
	if s.mutations() != calls {
		t.Error("the first daemon wrote")
	}
	settled(t, s)
	sound(t, s)
}

func TestFault46ClockJumpsShortenNothing(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			s := begin(t, memory.Options{}, mutant{}, "production")
			settled(t, s)
			k := firstContent()
			k.checkout = code(9)
			s.repo.commit("env/production", k.files())
			s.until(5*time.Minute, func() bool { return s.watch.environment("production").Rollout.Reached })
			soak := s.watch.environment("production").Soak.Elapsed
			s.skew += jump
			s.jumps++
			s.run(2 * time.Second)
			ro := s.watch.environment("production").Rollout
			if ro.Stage != 0 || ro.Elapsed > 2*time.Second+time.Duration(ro.Stages[0].Hold)/4 {
				t.Errorf("stage %d, %v of it counted", ro.Stage, ro.Elapsed)
			}
			if got := s.watch.environment("production").Soak.Elapsed; got > soak+2*time.Second {
				t.Errorf("the soak grew from %v to %v", soak, got)
			}
			sound(t, s)
		})
	}
}

func TestFault48NewerCommitPreempts(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "production")
	settled(t, s)
	k := firstContent()
	k.checkout = code(9)
	s.repo.commit("env/production", k.files())
	s.until(5*time.Minute, func() bool { return s.platform.Routing("production-checkout", "live").Canary != "" })
	k.checkout = code(10)
	sha := s.repo.commit("env/production", k.files())
	s.d.nudgeFetch()
	s.turn(true)
	if r := s.platform.Routing("production-checkout", "live"); r.Canary != "" {
		s.advance(time.Second)
		s.turn(true)
	}
	if r := s.platform.Routing("production-checkout", "live"); r.Canary != "" {
		t.Errorf("a second later traffic is at %+v", r)
	}
	settled(t, s)
	if got := s.watch.environment("production").Rollout.Release.Commit; got != sha {
		t.Errorf("in force is %s", got)
	}
	sound(t, s)
}

func TestFault50PermanentErrorIsTriedOnce(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "preview")
	s.repo.commit("env/preview", firstContent().files())
	tries := 0
	s.inject = func(op string, ref manifest.Ref) error {
		if op == "put:before" && ref == orders {
			tries++
			return providers.Errorf(providers.Invalid, "no such setting")
		}
		return nil
	}
	s.restart()
	s.run(30 * time.Minute)
	s.restart()
	s.run(30 * time.Minute)
	if tries != 1 || s.alerts("step", "firing") != 1 {
		t.Errorf("tried %d times, %d alerts", tries, s.alerts("step", "firing"))
	}
	sound(t, s)
}

func TestFault51QuietPassesChangeNothing(t *testing.T) {
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

func TestFault54ConflictMeansPlanAgain(t *testing.T) {
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

func TestFault55StaleReadsMakeNoDrift(t *testing.T) {
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

func TestFault56OneEnvironmentDenied(t *testing.T) {
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

func TestFault57PartialListingDeletesNothing(t *testing.T) {
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

func TestFault59InvalidArtifactIsNeverPublished(t *testing.T) {
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

func TestFault61DriftIsRevertedWithOneAlertAndOneResolve(t *testing.T) {
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

func TestFault62FightEndsAndEscalates(t *testing.T) {
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

func TestFault63IgnoredIsNeitherRevertedNorTold(t *testing.T) {
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

// canary brings production to the first stage of a canary.
func canary(t *testing.T) *simulation {
	t.Helper()
	s := begin(t, memory.Options{}, mutant{}, "production")
	settled(t, s)
	k := firstContent()
	k.checkout = code(9)
	s.repo.commit("env/production", k.files())
	if !s.until(5*time.Minute, func() bool { return s.watch.environment("production").Rollout.Reached }) {
		t.Fatal("no canary")
	}
	return s
}

func TestFault65ManualAliasInCanaryPauses(t *testing.T) {
	s := canary(t)
	manual := providers.Routing{Version: "2"}
	if err := s.platform.Manual("alice").Point("production-checkout", "live", manual); err != nil {
		t.Fatal(err)
	}
	s.run(2 * time.Minute)
	ro := s.watch.environment("production").Rollout
	if ro.Paused == "" || s.platform.Routing("production-checkout", "live") != manual {
		t.Errorf("paused %q, traffic at %+v", ro.Paused, s.platform.Routing("production-checkout", "live"))
	}
	if s.alerts("rollout_paused", "firing") != 1 {
		t.Errorf("%d alerts", s.alerts("rollout_paused", "firing"))
	}
	if err := s.ask("production", func(ctx context.Context, d *Daemon) error { return d.Rollback(ctx, "production", "", "bob", "hands off") }); err != nil {
		t.Fatal(err)
	}
	s.run(time.Minute)
	if r := s.platform.Routing("production-checkout", "live"); r != (providers.Routing{Version: "1"}) {
		t.Errorf("after the rollback traffic is at %+v", r)
	}
	sound(t, s)
}

func TestFault67LostMetricsNeverAdvance(t *testing.T) {
	s := canary(t)
	s.platform.SetTraffic("production-checkout", memory.Traffic{PerSecond: 100, Unknown: true})
	seen := providers.Weight(0)
	for range 60 {
		s.run(10 * time.Second)
		seen = max(seen, s.platform.Routing("production-checkout", "live").Weight)
	}
	if seen > providers.Percent(10) || s.platform.Routing("production-checkout", "live") != (providers.Routing{Version: "1"}) {
		t.Errorf("weight rose to %d, traffic is at %+v", seen, s.platform.Routing("production-checkout", "live"))
	}
	if q := s.watch.environment("production").Quarantine; len(q) != 0 {
		t.Errorf("undecided is quarantined: %v", q)
	}
	sound(t, s)
}

func TestFault69NewRevisionInCanaryBeginsAnew(t *testing.T) {
	s := canary(t)
	k := firstContent()
	k.checkout = code(10)
	s.repo.commit("env/production", k.files())
	s.until(time.Minute, func() bool { return s.watch.environment("production").Rollout.Release.Commit == s.repo.branches["env/production"] })
	if ro := s.watch.environment("production").Rollout; ro.Stage != 0 || ro.Phase == rollout.Connect {
		t.Errorf("the newer release begins at stage %d of %s", ro.Stage, ro.Phase)
	}
	settled(t, s)
	// The same bad content again is not tried again.
	bad := badCode(11)
	s.platform.SetErrors(bad, 0.5)
	k.checkout = bad
	s.repo.commit("env/production", k.files())
	s.until(5*time.Minute, func() bool { return len(s.watch.environment("production").Quarantine) == 1 })
	s.run(time.Minute)
	calls := s.mutations()
	files := k.files()
	files["README.md"] = "Another text, the same content.\n"
	s.repo.commit("env/production", files)
	s.run(5 * time.Minute)
	if s.mutations() != calls {
		t.Errorf("quarantined content made %d calls", s.mutations()-calls)
	}
	sound(t, s)
}

func TestFault70RollbackWithEverythingElseDown(t *testing.T) {
	s := canary(t)
	s.repo.fault = func(op string) error {
		if op == "fetch" || strings.HasPrefix(op, "propose") {
			return errors.New("git is down")
		}
		return nil
	}
	s.platform.SetTraffic("production-checkout", memory.Traffic{Unknown: true})
	s.mutant.evaluator = nil
	w := *s.d.world.Load()
	w.evaluator = closedRules(s.watch.heard)(errRules)
	s.d.world.Store(&w)
	calls := s.mutations()
	if err := s.ask("production", func(ctx context.Context, d *Daemon) error { return d.Rollback(ctx, "production", "", "bob", "errors") }); err != nil {
		t.Fatal(err)
	}
	s.due["production"] = s.real
	s.turn(true)
	if r := s.platform.Routing("production-checkout", "live"); r != (providers.Routing{Version: "1"}) {
		t.Errorf("traffic is at %+v", r)
	}
	first := s.platform.Calls()[len(s.platform.Calls())-1]
	if s.mutations()-calls != 1 || first.Op != "route" {
		t.Errorf("the first pass made %d calls, the last %+v", s.mutations()-calls, first)
	}
	s.run(time.Minute)
	if ro := s.watch.environment("production").Rollout; ro.Phase != rollout.Idle {
		t.Errorf("still %s", ro.Phase)
	}
	held := slices.ContainsFunc(sorted(s.watch.environment("production").Holds), func(h record.Hold) bool {
		return h.Kind == "rollback" && h.Owner == "bob" && h.Reason != "" && !h.Until.IsZero()
	})
	if !held {
		t.Error("the rollback left no hold with owner, reason and end")
	}
	sound(t, s)
}

func TestFault72CrashBetweenSendAndRecord(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	if err := s.platform.Manual("alice").Set(s.function("preview", "checkout"), "handler", `"other"`); err != nil {
		t.Fatal(err)
	}
	lost := false
	s.store.Break(func(_ int, recs []journal.Record) journal.Fault {
		if recs[0].Delivered != nil && !lost {
			lost = true
			return journal.FailBefore
		}
		return journal.NoFault
	})
	if !s.until(5*time.Minute, func() bool { return lost }) {
		t.Fatal("nothing was delivered")
	}
	s.restart()
	settled(t, s)
	times := map[string]int{}
	for _, e := range s.received["default"] {
		times[e.ID]++
	}
	twice := 0
	for id, n := range times {
		if n > 2 {
			t.Errorf("alert %s came %d times", id, n)
		}
		if n == 2 {
			twice++
		}
	}
	if twice != 1 {
		t.Errorf("%d alerts came twice", twice)
	}
	sound(t, s)
}

func TestFault74TextVariesAlertDoesNot(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	n := 0
	s.inject = func(op string, _ manifest.Ref) error {
		if op == "survey" {
			n++
			return fmt.Errorf("no answer to request %d", n)
		}
		return nil
	}
	s.run(30 * time.Minute)
	if got := s.alerts("environment_error", "firing"); got != 1 || n < 5 {
		t.Errorf("%d failures, %d alerts", n, got)
	}
	s.inject = func(string, manifest.Ref) error { return nil }
	s.run(3 * time.Minute)
	settled(t, s)
	if got := s.alerts("environment_error", "resolved"); got != 1 {
		t.Errorf("%d resolved", got)
	}
	sound(t, s)
}

func TestHoldStopsForwardAndExpires(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	err := s.ask("preview", func(ctx context.Context, d *Daemon) error {
		_, err := d.Hold(ctx, web.HoldRequest{Environment: "preview", Reason: "incident", For: 10 * time.Minute, By: "bob"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	calls := s.mutations()
	k := firstContent()
	k.memory = 512
	s.repo.commit("env/preview", k.files())
	s.run(9 * time.Minute)
	if s.mutations() != calls {
		t.Errorf("%d calls while held", s.mutations()-calls)
	}
	s.run(2 * time.Minute)
	settled(t, s)
	sound(t, s)
}

func regoPolicies(tree fs.FS, revision string) (policy.Evaluator, error) {
	bundle, err := rego.Load(tree, rego.LoadOptions{Revision: revision})
	if err != nil {
		return nil, err
	}
	return rego.New(bundle, rego.EvaluatorOptions{}), nil
}

func closedRego(err error) policy.Evaluator { return rego.Closed(err) }
