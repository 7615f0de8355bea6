package reconciler

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/policy/rego"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
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

func TestLesson01ForcePushIsHeld(t *testing.T) {
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
	if err := s.ask("preview", func(ctx context.Context, d *Daemon) error {
		return d.Resume(ctx, web.ResumeRequest{Environment: "preview", By: access.Stated("bob")})
	}); err != nil {
		t.Fatal(err)
	}
	settled(t, s)
	if got := s.watch.environment("preview").Admitted.Release.Commit; got != sha {
		t.Errorf("admitted is %s", got)
	}
	sound(t, s)
}

func TestLesson02DeletedBranchDelaysNobody(t *testing.T) {
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

func TestLesson16EmptyBranchDeletesNothing(t *testing.T) {
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

func TestLesson25BrokenPoliciesLeaveThoseBefore(t *testing.T) {
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

func TestLesson26NoPolicyAtStartClosesEverything(t *testing.T) {
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
func TestLesson26ProtectedWithoutPoliciesIsClosed(t *testing.T) {
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

func TestLesson42CrashBetweenAliasAndJournal(t *testing.T) {
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

func TestLesson44TheSecondDaemonFencesTheFirst(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	first := s.d
	s.restart()
	k := firstContent()
	k.memory = 512
	s.repo.commit("env/preview", k.files())
	if err := first.refresh(context.Background(), "poll"); err != nil {
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

func TestLesson46ClockJumpsShortenNothing(t *testing.T) {
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

func TestLesson48NewerCommitPreempts(t *testing.T) {
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

func TestLesson50PermanentErrorIsTriedOnce(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "preview")
	s.repo.commit("env/preview", firstContent().files())
	tries, refusing := 0, true
	s.inject = func(op string, ref manifest.Ref) error {
		if refusing && op == "put:before" && ref == orders {
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
	// What refused it is gone, and a person says so.
	refusing = false
	again := func(ctx context.Context, d *Daemon) error {
		return d.Rollout(ctx, web.RolloutRequest{Environment: "preview", Act: web.RolloutRetry, By: access.Stated("ann")})
	}
	if err := s.ask("preview", again); err != nil {
		t.Fatal(err)
	}
	settled(t, s)
	if err := s.ask("preview", again); err == nil {
		t.Error("there was nothing left to try again")
	}
}

func regoPolicies(tree fs.FS, revision string) (policy.Evaluator, error) {
	bundle, err := rego.Load(tree, rego.LoadOptions{Revision: revision})
	if err != nil {
		return nil, err
	}
	return rego.New(bundle, rego.EvaluatorOptions{}), nil
}

func closedRego(err error) policy.Evaluator { return rego.Closed(err) }

// What policy is told of how a branch came to a commit stays so, also when the
// commit is judged again: a rewritten branch that was resumed is still a
// rewritten one, else no policy could have a say on it.
func TestLesson01PolicyIsToldOfAForcePushEachTime(t *testing.T) {
	l := &listener{heard: map[policy.Point][]policy.Input{}}
	s := begin(t, memory.Options{}, mutant{evaluator: func(e policy.Evaluator) policy.Evaluator {
		return &listener{Evaluator: e, heard: l.heard}
	}}, "preview")
	settled(t, s)
	before := s.watch.environment("preview").Admitted.Release.Commit
	s.repo.commit("main", controlFiles("deny", s.names...))
	s.run(20 * time.Second)
	k := firstContent()
	k.checkout = code(9)
	sha := s.repo.rewrite("env/preview", k.files())
	s.run(20 * time.Second)
	asked := len(l.heard[policy.Admission])
	must(s.ask("preview", func(ctx context.Context, d *Daemon) error {
		return d.Resume(ctx, web.ResumeRequest{Environment: "preview", By: access.Stated("bob")})
	}))
	s.run(20 * time.Second)
	s.repo.commit("main", controlFiles("allow", s.names...)) // judged again
	settled(t, s)
	told := l.heard[policy.Admission][asked:]
	if len(told) < 2 {
		t.Fatalf("asked %d times", len(told))
	}
	for i, in := range told {
		if in.Source.Update != string(sources.UpdateForced) || in.Source.From != before || in.Source.To != sha {
			t.Errorf("time %d: %+v", i, in.Source)
		}
	}
	if st := s.watch.environment("preview"); st.Admitted.Release.Commit != sha || len(st.Holds) != 0 {
		t.Errorf("admitted %+v, holds %+v", st.Admitted, st.Holds)
	}
	sound(t, s)
}
