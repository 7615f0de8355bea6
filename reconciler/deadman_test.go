package reconciler

import (
	"context"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

const switchRole = "arn:aws:iam::111111111111:role/deadman"

// guardedBy is production with a dead man's switch, settled, and its control
// branch without one.
func guardedBy(t *testing.T, o memory.Options, m mutant) *simulation {
	t.Helper()
	s := newSimulation(1, o, m, "production")
	s.deadman("{role: \"" + switchRole + "\"}")
	s.slowly(1)
	s.restart()
	settled(t, s)
	return s
}

// slowly declares checkout as it becomes this version, in slow stages.
func (s *simulation) slowly(version int) {
	k := firstContent()
	k.checkout = code(7 + version)
	files := k.files()
	files["checkout.yaml"] += "  rollout: {strategy: canary, stages: [{weight: 10, hold: 30m}]}\n"
	s.repo.commit("env/production", files)
}

// deadman declares a switch, or none.
func (s *simulation) deadman(spec string) {
	files := controlFiles("allow", "production")
	if spec != "" {
		files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "rollout: {strategy", "rollout: {deadman: "+spec+", strategy", 1)
	}
	s.repo.commit("main", files)
}

// at10 begins a release and waits for its canary.
func (s *simulation) at10(t *testing.T) {
	t.Helper()
	s.slowly(2)
	if !s.until(time.Hour, func() bool { return s.live().Weight == providers.Percent(10) }) {
		t.Fatalf("traffic is at %+v: %v", s.live(), s.open())
	}
	s.turn(true)
}

// count is how many calls of these operations there were about the alias.
func (s *simulation) count(ops ...string) int {
	n := 0
	for _, c := range s.platform.Calls() {
		for _, op := range ops {
			if c.Op == op && c.Ref.Kind == manifest.KindAlias {
				n++
			}
		}
	}
	return n
}

// It is written before the first call moves, put off a few times and not at
// each pass, and taken away when the release is proved.
func TestDeadmanIsPutOff(t *testing.T) {
	s := guardedBy(t, memory.Options{}, mutant{})
	if n := s.count("arm", "disarm"); n != 0 {
		t.Fatalf("%d calls for a first deployment", n)
	}
	s.at10(t)
	armed, routed := 0, 0
	for i, c := range s.platform.Calls() {
		if c.Op == "arm" && armed == 0 {
			armed = i
		}
		if c.Op == "route" && c.Routing.Weight > 0 && routed == 0 {
			routed = i
		}
	}
	if armed == 0 || routed < armed {
		t.Errorf("armed by call %d, routed by call %d", armed, routed)
	}
	passes := s.idle["production"]
	s.run(29 * time.Minute)
	if n := s.count("arm"); n < 2 || n > 7 || s.live().Weight != providers.Percent(10) {
		t.Errorf("%d writes in 29 minutes of %d passes, traffic at %+v", n, s.idle["production"]-passes, s.live())
	}
	if !s.until(time.Hour, s.ended("2")) {
		t.Fatalf("traffic is at %+v: %v", s.live(), s.open())
	}
	if left := s.platform.Switches(); len(left) > 0 || s.count("disarm") != 1 || len(s.watch.environment("production").Switches) > 0 {
		t.Errorf("left over: %v after %d removals", left, s.count("disarm"))
	}
	sound(t, s)
}

// A daemon that dies in the canary leaves traffic at stable, and one that
// comes back says what happened, blames nobody, and begins again only when a
// person says so.
func TestDeadmanActs(t *testing.T) {
	s := guardedBy(t, memory.Options{}, mutant{})
	s.at10(t)
	s.real = s.real.Add(20 * time.Minute) // nobody looks
	if got := s.live(); got != (providers.Routing{Version: "1"}) {
		t.Fatalf("traffic is at %+v", got)
	}
	s.restart()
	if !s.until(10*time.Minute, s.ended("1")) {
		t.Fatalf("traffic is at %+v: %v", s.live(), s.open())
	}
	s.run(10 * time.Minute)
	st := s.watch.environment("production")
	if st.Rollout.Returned != rollout.BySwitch || !strings.Contains(st.Rollout.Reason, "the switch of Alias/checkout.live took traffic back to version 1") {
		t.Errorf("returned %q: %s", st.Rollout.Returned, st.Rollout.Reason)
	}
	if len(st.Quarantine) != 0 || len(st.Drift) != 0 || len(st.Switches) != 0 {
		t.Errorf("quarantined %v, drift %v, switches %v", st.Quarantine, st.Drift, st.Switches)
	}
	held := ""
	for id, h := range st.Holds {
		if h.Kind == "deadman" {
			held = id
		}
	}
	if held == "" || s.live() != (providers.Routing{Version: "1"}) {
		t.Fatalf("holds %+v, traffic at %+v", st.Holds, s.live())
	}
	if err := s.ask("production", func(ctx context.Context, d *Daemon) error {
		return d.Resume(ctx, web.ResumeRequest{Environment: "production", Hold: held, By: access.Stated("ann")})
	}); err != nil {
		t.Fatal(err)
	}
	if !s.until(time.Hour, func() bool { return s.live().Weight == providers.Percent(10) }) {
		t.Errorf("it does not begin again: %v", s.open())
	}
	sound(t, s)
}

// A daemon that is back in time goes on, with the switch it finds.
func TestDeadmanSurvivesARestart(t *testing.T) {
	s := guardedBy(t, memory.Options{}, mutant{})
	s.at10(t)
	s.real = s.real.Add(14 * time.Minute)
	s.restart()
	if !s.until(2*time.Hour, s.ended("2")) || len(s.platform.Switches()) > 0 {
		t.Errorf("traffic is at %+v, switches %v: %v", s.live(), s.platform.Switches(), s.open())
	}
	sound(t, s)
}

// Without the switch no call moves, people are told why, and what moves stays
// where it is; with it the release goes on by itself.
func TestDeadmanRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spec string
		op   string
		why  string
	}{
		"refused":      {"{role: \"" + switchRole + "\"}", "arm:before", "denied by a test"},
		"no such role": {"{role: Role/nobody}", "", "Role/nobody is not there"},
	} {
		t.Run(name, func(t *testing.T) {
			s := guardedBy(t, memory.Options{}, mutant{})
			s.deadman(c.spec)
			refused, tries := c.op, 0
			s.inject = func(op string, ref manifest.Ref) error {
				if op == refused {
					tries++
					return providers.Errorf(providers.Denied, "denied by a test")
				}
				return nil
			}
			s.slowly(2)
			s.run(30 * time.Minute)
			ro := s.watch.environment("production").Rollout
			if s.live() != (providers.Routing{Version: "1"}) || !strings.HasPrefix(ro.Paused, "deadman: ") || !strings.Contains(ro.Paused, c.why) {
				t.Errorf("traffic is at %+v, paused %q", s.live(), ro.Paused)
			}
			if ro.Phase == rollout.Shift {
				t.Error("traffic is about to move")
			}
			if tries > 40 {
				t.Errorf("tried %d times in 30 minutes", tries)
			}
			if s.alerts("rollout_paused", "firing") == 0 {
				t.Error("nobody was told")
			}
			refused = ""
			s.deadman("{role: \"" + switchRole + "\"}")
			if !s.until(2*time.Hour, s.ended("2")) {
				t.Errorf("traffic is at %+v: %v", s.live(), s.open())
			}
			sound(t, s)
		})
	}
}

// One that cannot be put off keeps the weight, and acts in the end.
func TestDeadmanThatCannotBePutOff(t *testing.T) {
	s := guardedBy(t, memory.Options{}, mutant{})
	s.at10(t)
	s.inject = func(op string, ref manifest.Ref) error {
		if op == "arm:before" {
			return providers.Errorf(providers.Denied, "denied by a test")
		}
		return nil
	}
	if !s.until(time.Hour, s.ended("1")) || s.watch.environment("production").Rollout.Returned != rollout.BySwitch {
		t.Errorf("traffic is at %+v: %v", s.live(), s.open())
	}
	sound(t, s)
}

// One that cannot be taken away is told of, tried again, and gone in the end.
func TestDeadmanLeftOver(t *testing.T) {
	s := guardedBy(t, memory.Options{}, mutant{})
	refused := true
	s.inject = func(op string, ref manifest.Ref) error {
		if op == "disarm:before" && refused {
			return providers.Errorf(providers.Denied, "denied by a test")
		}
		return nil
	}
	s.at10(t)
	if !s.until(2*time.Hour, s.ended("2")) {
		t.Fatalf("traffic is at %+v: %v", s.live(), s.open())
	}
	s.run(time.Minute)
	if s.alerts("deadman", "firing") == 0 {
		t.Error("nobody was told")
	}
	refused = false
	s.run(5 * time.Minute)
	if left := s.platform.Switches(); len(left) > 0 || s.alerts("deadman", "resolved") == 0 || s.live() != (providers.Routing{Version: "2"}) {
		t.Errorf("left over: %v, traffic at %+v", left, s.live())
	}
	sound(t, s)
}

// A rollback, a switch that is declared no more, and another person's hand on
// the alias each take it away: it would undo what was done.
func TestDeadmanIsTakenAway(t *testing.T) {
	for name, act := range map[string]func(t *testing.T, s *simulation){
		"rollback": func(t *testing.T, s *simulation) {
			if err := s.ask("production", func(ctx context.Context, d *Daemon) error {
				return d.Rollback(ctx, web.RollbackRequest{Environment: "production", Reason: "errors", By: access.Stated("ann")})
			}); err != nil {
				t.Fatal(err)
			}
		},
		"declared no more": func(_ *testing.T, s *simulation) { s.deadman("") },
		"a person's hand": func(t *testing.T, s *simulation) {
			if err := s.platform.Manual("user/bob").Point("production-checkout", "live", providers.Routing{Version: "2"}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := guardedBy(t, memory.Options{}, mutant{})
			s.at10(t)
			if len(s.platform.Switches()) != 1 {
				t.Fatal("there is none")
			}
			act(t, s)
			if !s.until(10*time.Minute, func() bool { return len(s.platform.Switches()) == 0 }) {
				t.Errorf("it stands: %v", s.open())
			}
		})
	}
}

// Whatever a pass believes, a step that exposes callers waits for an armed
// switch, and one that takes them back does not.
func TestUnguardedSteps(t *testing.T) {
	alias := manifest.Ref{Kind: manifest.KindAlias, Name: "checkout.live"}
	now := birth
	p := &pass{now: now, e: &environment{}, st: &journal.Environment{Switches: map[manifest.Ref]record.Switch{}, Rollout: rollout.State{Phase: rollout.Shift, Weight: 10,
		Functions: []rollout.Function{{Ref: manifest.Ref{Kind: manifest.KindFunction, Name: "checkout"}, Alias: alias, Stable: "1", New: "2"}}}}}
	out := plan.Step{Ref: alias, Operation: plan.Route, Routing: providers.Routing{Version: "1", Canary: "2", Weight: 1000}}
	whole, back, other := out, out, out
	whole.Routing, back.Routing = providers.Routing{Version: "2"}, providers.Routing{Version: "1"}
	other.Ref.Name = "mailer.live"
	if p.unguarded(out) {
		t.Error("without a switch declared it waits for one")
	}
	p.spec.Rollout.Deadman = &manifest.Deadman{Role: switchRole}
	for _, c := range []struct {
		state record.SwitchState
		acts  time.Duration
		waits bool
	}{{"", 0, true}, {record.SwitchAsked, time.Hour, true}, {record.SwitchLost, time.Hour, true}, {record.SwitchArmed, 0, true}, {record.SwitchArmed, time.Minute, false}, {record.SwitchArmed, 15 * time.Minute, false}} {
		delete(p.st.Switches, alias)
		if c.state != "" {
			p.st.Switches[alias] = record.Switch{Alias: alias, Version: "1", State: c.state, Acts: now.Add(c.acts), Since: now}
		}
		if p.unguarded(out) != c.waits || p.unguarded(whole) != c.waits || p.unguarded(back) || p.unguarded(other) {
			t.Errorf("%s for %s: to the canary %v, wholly %v, back %v, another %v", c.state, c.acts, p.unguarded(out), p.unguarded(whole), p.unguarded(back), p.unguarded(other))
		}
	}
}
