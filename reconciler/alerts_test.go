package reconciler

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/notify"
	"mooring.dev/sources/manifest"
)

// switchboard is notify policy that a test may change as it goes.
type switchboard struct {
	policy.Evaluator
	says func(policy.Event, *policy.Decision)
}

// Evaluate implements policy.Evaluator.
func (b *switchboard) Evaluate(ctx context.Context, point policy.Point, in policy.Input) (policy.Decision, error) {
	d, err := b.Evaluator.Evaluate(ctx, point, in)
	if point == policy.Notify && b.says != nil {
		d.Default = false
		b.says(in.Event, &d)
	}
	return d, err
}

func routes(to ...policy.Route) func(policy.Event, *policy.Decision) {
	return func(_ policy.Event, d *policy.Decision) { d.Routes = to }
}

func muted(_ policy.Event, d *policy.Decision) { d.Muted = true }

// telling begins a simulation that has come to rest, whose policy of alerts is
// the switchboard's, and whose pipeline says this about alerts.
func telling(t *testing.T, alerts string) (*simulation, *switchboard) {
	t.Helper()
	b := &switchboard{}
	s := newSimulation(1, memory.Options{}, mutant{evaluator: func(e policy.Evaluator) policy.Evaluator {
		return evaluatorOf{e, b}
	}}, "preview")
	if alerts != "" {
		files := controlFiles("allow", "preview")
		files["mooring.yaml"] += "  alerts: {" + alerts + "}\n"
		s.repo.commit("main", files)
	}
	s.repo.commit("env/preview", firstContent().files())
	s.restart()
	settled(t, s)
	s.quiet = true
	return s, b
}

// evaluatorOf asks one switchboard for each world's policies.
type evaluatorOf struct {
	policy.Evaluator
	board *switchboard
}

// Evaluate implements policy.Evaluator.
func (e evaluatorOf) Evaluate(ctx context.Context, point policy.Point, in policy.Input) (policy.Decision, error) {
	return (&switchboard{e.Evaluator, e.board.says}).Evaluate(ctx, point, in)
}

// toldOf is what a receiver got of a kind, as "status/severity" each.
func (s *simulation) toldOf(receiver, kind string) []string {
	var out []string
	for _, e := range s.received[receiver] {
		if e.Kind == kind {
			out = append(out, e.Status+"/"+e.Severity)
		}
	}
	return out
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// fire has an alert of the environment raised that a test makes.
func (s *simulation) fire(t *testing.T, kind, severity string) {
	t.Helper()
	s.raise(t, event{kind: kind, severity: severity, title: kind, text: kind}, notify.Firing)
}

func (s *simulation) raise(t *testing.T, ev event, status string) {
	t.Helper()
	if err := s.d.environment("preview").alert(t.Context(), s.d.world.Load(), ev, status); err != nil {
		t.Fatal(err)
	}
	s.deliver()
}

func TestTheEndFollowsTheBeginning(t *testing.T) {
	s, policies := telling(t, "")
	oncall, def := policy.Route{Receiver: "oncall"}, policy.Route{Receiver: "default"}
	policies.says = routes(oncall)
	s.fire(t, "odd", "medium")
	policies.says = routes(def)
	s.fire(t, "odd", "critical")
	policies.says = muted
	s.restart()
	s.run(time.Minute)
	s.raise(t, event{kind: "odd"}, notify.Resolved)
	want(t, "oncall", s.toldOf("oncall", "odd"), "firing/medium", "resolved/medium")
	want(t, "default", s.toldOf("default", "odd"), "firing/critical", "resolved/critical")

	policies.says = routes(def)
	s.fire(t, "odd", "low")
	s.raise(t, event{kind: "odd"}, notify.Resolved)
	want(t, "oncall is told nothing of what it was not told this time", s.toldOf("oncall", "odd"), "firing/medium", "resolved/medium")
	sound(t, s)
}

func TestWhatWasMutedIsToldWhenTheMuteEnds(t *testing.T) {
	s, policies := telling(t, "")
	policies.says = muted
	s.fire(t, "odd", "high")
	s.fire(t, "short", "high")
	s.run(5 * time.Minute)
	s.raise(t, event{kind: "short"}, notify.Resolved)
	before := len(s.watch.decisions)
	s.run(10 * time.Minute)
	if n := len(s.watch.decisions) - before; n > 2 {
		t.Errorf("%d decisions recorded while it is muted still", n)
	}
	want(t, "while muted", s.toldOf("oncall", "odd"))
	policies.says = routes(policy.Route{Receiver: "oncall"})
	s.run(2 * time.Minute)
	s.run(10 * time.Minute)
	want(t, "the mute ended", s.toldOf("oncall", "odd"), "firing/high")
	want(t, "over before", s.toldOf("oncall", "short"))
	sound(t, s)
}

func TestOwnFaultsReachTheDefaultWhateverPolicySays(t *testing.T) {
	for name, says := range map[string]func(policy.Event, *policy.Decision){
		"muted": muted, "routed elsewhere": routes(policy.Route{Receiver: "oncall", Severity: "low"}),
	} {
		t.Run(name, func(t *testing.T) {
			s, policies := telling(t, "")
			policies.says = says
			for _, kind := range policy.OwnFaults() {
				s.fire(t, kind, "high")
				want(t, kind, s.toldOf("default", kind), "firing/high")
			}
			if !slices.Contains(policy.OwnFaults(), hostFault) {
				t.Error("a host that fails can be silenced")
			}
			s.fire(t, "odd", "high")
			want(t, "another", s.toldOf("default", "odd"))
		})
	}
}

func TestSeverityThatRisesIsToldAgain(t *testing.T) {
	s, _ := telling(t, "")
	for _, severity := range []string{"medium", "medium", "critical", "low", "critical", "high"} {
		s.fire(t, "odd", severity)
	}
	want(t, "default", s.toldOf("default", "odd"), "firing/medium", "firing/critical")
	sound(t, s)
}

// Lesson 74: neither the words of a fault nor what kind it is make another alert.
func TestLesson74KindsOfErrorAreOneAlert(t *testing.T) {
	s, _ := telling(t, "")
	n := 0
	s.inject = func(op string, _ manifest.Ref) error {
		if op != "survey" {
			return nil
		}
		kinds := []providers.Kind{providers.Throttled, providers.Denied, providers.Transient}
		n++
		return providers.Errorf(kinds[n%3], "request %d", n)
	}
	s.run(20 * time.Minute)
	if got := s.alerts("environment_error", "firing"); got != 1 || n < 6 {
		t.Errorf("%d failures, %d alerts", n, got)
	}
	sound(t, s)
}

func TestAlertsAreRepeated(t *testing.T) {
	s, _ := telling(t, "repeat: 10m")
	s.fire(t, "odd", "medium")
	s.run(9 * time.Minute)
	want(t, "before its time", s.toldOf("default", "odd"), "firing/medium")
	s.run(23 * time.Minute)
	want(t, "three times ten minutes", s.toldOf("default", "odd"), slices.Repeat([]string{"firing/medium"}, 4)...)
	s.raise(t, event{kind: "odd"}, notify.Resolved)
	s.run(20 * time.Minute)
	want(t, "over", s.toldOf("default", "odd")[4:], "resolved/medium")
	sound(t, s)
}

func TestAlertsWaitForAsLongAsIsSaid(t *testing.T) {
	s, policies := telling(t, "for: 3m")
	s.fire(t, "odd", "medium")
	s.fire(t, "brief", "medium")
	s.run(2 * time.Minute)
	s.fire(t, "odd", "critical")
	s.raise(t, event{kind: "brief"}, notify.Resolved)
	want(t, "too early", s.toldOf("default", "odd"))
	s.restart()
	s.run(70 * time.Second)
	want(t, "in time", s.toldOf("default", "odd"), "firing/critical")
	want(t, "over sooner", s.toldOf("default", "brief"))

	policies.says = muted
	s.fire(t, "quiet", "medium")
	s.run(20 * time.Minute)
	if n := len(s.watch.state.Alerts); n == 0 || len(s.toldOf("default", "quiet")) > 0 {
		t.Errorf("%d alerts, told %v", n, s.toldOf("default", "quiet"))
	}
	sound(t, s)
}

func TestSeverityOfARoute(t *testing.T) {
	s, policies := telling(t, "")
	policies.says = routes(policy.Route{Receiver: "default", Severity: "low"}, policy.Route{Receiver: "oncall"},
		policy.Route{Receiver: "oncall", Severity: "low"})
	s.fire(t, "odd", "high")
	policies.says = muted
	s.raise(t, event{kind: "odd"}, notify.Resolved)
	want(t, "default", s.toldOf("default", "odd"), "firing/low", "resolved/low")
	want(t, "oncall: the most severe of two", s.toldOf("oncall", "odd"), "firing/high", "resolved/high")
	sound(t, s)
}

func TestGroupOfARoute(t *testing.T) {
	s, policies := telling(t, "")
	policies.says = routes(policy.Route{Receiver: "default", GroupBy: "resource"}, policy.Route{Receiver: "oncall", GroupBy: "kind"})
	s.raise(t, event{kind: "odd", key: "1", severity: "high", title: "one", resource: "Function/checkout"}, notify.Firing)
	s.raise(t, event{kind: "odd", key: "2", severity: "high", title: "none"}, notify.Firing)
	s.raise(t, event{kind: "odd", key: "1"}, notify.Resolved)
	groups := func(receiver string) (out []string) {
		for _, e := range s.received[receiver] {
			if e.Kind == "odd" {
				out = append(out, e.Group)
			}
		}
		return out
	}
	want(t, "by resource", groups("default"), "resource preview Function/checkout", "", "resource preview Function/checkout")
	want(t, "by kind", groups("oncall"), "kind odd", "kind odd", "kind odd")
	sound(t, s)
}

// figures is the environments whose figures went, and the outcomes of passes.
type figures struct {
	noMetrics
	gone   map[string]int
	passes map[string]int
}

func (m figures) Gone(name string)                         { m.gone[name]++ }
func (m figures) Pass(_ string, outcome string, _ float64) { m.passes[outcome]++ }

func TestOrphanedIsTakenBack(t *testing.T) {
	for name, restarted := range map[string]bool{"while it runs": false, "while it does not": true} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, memory.Options{}, mutant{}, "preview", "production")
			settled(t, s)
			m := figures{gone: map[string]int{}, passes: map[string]int{}}
			renew := func() {
				o := s.options()
				o.Metrics = m
				s.startWith(t, o)
				s.fetchAt = s.real
				clear(s.due)
			}
			renew()
			s.run(time.Minute)
			e := s.d.environment("production")
			if err := e.alert(t.Context(), s.d.world.Load(), event{kind: "step", key: "Function/checkout", severity: "critical", title: "refused"}, notify.Firing); err != nil {
				t.Fatal(err)
			}
			s.deliver()
			clear(m.passes)
			s.repo.commit("main", controlFiles("allow", "preview"))
			if restarted {
				renew()
			}
			s.run(10 * time.Minute)
			if got := s.alerts("orphaned", "firing"); got != 1 || s.alerts("step", "resolved") != 1 {
				t.Errorf("%d orphaned, what fired ended %d times", got, s.alerts("step", "resolved"))
			}
			if m.gone["production"] == 0 || m.gone["preview"] > 0 || m.passes["error"] > 0 || !restarted && m.passes["orphaned"] == 0 {
				t.Errorf("figures gone of %v, passes %v", m.gone, m.passes)
			}
			for _, e := range s.received["default"] {
				if e.Kind == "step" && e.Status == notify.Resolved && !strings.Contains(e.Text, "no longer looked after") {
					t.Errorf("it does not say why: %q", e.Text)
				}
			}
			s.repo.commit("main", controlFiles("allow", "preview", "production"))
			s.run(3 * time.Minute)
			if got := s.alerts("orphaned", "resolved"); got != 1 {
				t.Errorf("put back: %d resolved", got)
			}
			sound(t, s)
		})
	}
}
