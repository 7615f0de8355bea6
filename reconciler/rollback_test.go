package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// listed writes down what is asked of a platform, in order.
type listed struct {
	*tapped
	ops  *[]string
	when *[]time.Time // of each; nil: nobody asks
}

func (l listed) note(op string) {
	*l.ops = append(*l.ops, op)
	if l.when != nil {
		*l.when = append(*l.when, time.Now())
	}
}

// Survey implements providers.Provider.
func (l listed) Survey(ctx context.Context, want []manifest.Resource) (providers.Inventory, error) {
	l.note("survey")
	return l.tapped.Survey(ctx, want)
}

// Observe implements providers.Provider.
func (l listed) Observe(ctx context.Context, want ...manifest.Resource) (map[manifest.Ref]providers.Live, error) {
	for _, res := range want {
		l.note("look at " + res.Ref.String())
	}
	return l.tapped.Observe(ctx, want...)
}

// Put implements providers.Provider.
func (l listed) Put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	l.note("put")
	return l.tapped.Put(ctx, c)
}

// Route implements providers.Provider.
func (l listed) Route(ctx context.Context, c providers.Change, to providers.Routing) (providers.Receipt, error) {
	l.note("route " + c.Resource.Ref.String())
	return l.tapped.Route(ctx, c, to)
}

// Measure implements providers.Meter.
func (l listed) Measure(ctx context.Context, alias manifest.Resource, version string, w providers.Asked) (providers.Sample, error) {
	l.note("measure")
	return l.tapped.Measure(ctx, alias, version, w)
}

// kept is production after three releases of checkout, version by version,
// with the commit of each; ops is what is asked of the platform.
func kept(t testing.TB) (s *simulation, commits []string, ops *[]string) {
	t.Helper()
	ops = &[]string{}
	s = begin(t, memory.Options{}, mutant{provider: func(t *tapped) providers.Provider { return listed{t, ops, nil} }}, "production")
	settled(t, s)
	commits = []string{s.repo.branches["env/production"]}
	for n := 2; n <= 3; n++ {
		commits = append(commits, s.bring(n))
		if !s.until(time.Hour, s.ended(fmt.Sprint(n))) {
			t.Fatalf("release %d: %v", n, s.open())
		}
	}
	return s, commits, ops
}

// bring commits a release of checkout that becomes this version.
func (s *simulation) bring(version int) string {
	k := firstContent()
	k.checkout = code(7 + version)
	return s.repo.commit("env/production", k.files())
}

// Whatever was rewritten upstream, a release can be returned to as long as its
// versions are kept: its commit is pinned. One whose version was cleaned up is
// refused, and why is said; it is never told to be in force while another
// version serves.
func TestRollbackToOldReleases(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "production")
	settled(t, s)
	const releases = keepVersions + 7
	commits := []string{s.repo.branches["env/production"]}
	for n := 2; n <= releases; n++ {
		k := firstContent()
		k.checkout = code(7 + n)
		commits = append(commits, s.repo.rewrite("env/production", k.files()))
		s.run(time.Minute)
		for id, h := range s.watch.environment("production").Holds {
			if h.Kind == "forced_update" {
				must(s.ask("production", func(ctx context.Context, d *Daemon) error {
					return d.Resume(ctx, web.ResumeRequest{Environment: "production", Hold: id, By: access.Stated("ann")})
				}))
			}
		}
		if !s.until(time.Hour, s.ended(fmt.Sprint(n))) {
			t.Fatalf("release %d: %v", n, s.open())
		}
	}
	s.run(10 * time.Minute)
	s.repo.collect()
	if _, there := s.platform.Versions("production-checkout")["1"]; there {
		t.Fatal("the first version was not cleaned up: nothing is tried")
	}
	s.restart()
	s.turn(true)
	s.marks(t, commits)
	must(s.back(commits[0][:12]))
	s.run(10 * time.Minute)
	st := s.watch.environment("production")
	if s.live() != (providers.Routing{Version: fmt.Sprint(releases)}) || st.Rollout.Release.Commit != commits[releases-1] {
		t.Errorf("traffic is at %+v, said to be at %.12s", s.live(), st.Rollout.Release.Commit)
	}
	if !slices.ContainsFunc(st.History, func(e journal.Event) bool {
		return strings.Contains(e.Text, "no version of Function/checkout carries release")
	}) {
		t.Error("nobody is told why")
	}
	must(s.back(commits[releases-keepVersions][:12]))
	if want := fmt.Sprint(releases - keepVersions + 1); !s.until(time.Hour, s.ended(want)) {
		t.Errorf("to version %s: traffic is at %+v: %v", want, s.live(), s.open())
	}
	sound(t, s)
}

// marks wants that history and the list of rollouts mark the releases whose
// version is gone, and no others.
func (s *simulation) marks(t *testing.T, commits []string) {
	t.Helper()
	s.run(time.Minute)
	var rollouts []web.Rollout
	must(s.ask("production", func(ctx context.Context, d *Daemon) (err error) {
		rollouts, err = d.Rollouts(ctx, web.RolloutQuery{Environment: "production"})
		return err
	}))
	told, marked := map[string]string{}, 0
	for _, ev := range s.d.History("production", 0) {
		if ev.Release != "" {
			told[ev.Release] = ev.NoReturn
		}
	}
	there := s.platform.Versions("production-checkout")
	for _, r := range rollouts {
		_, kept := there[fmt.Sprint(slices.Index(commits, r.Release.Commit)+1)]
		if kept != (r.NoReturn == "") {
			t.Errorf("release %d: kept %v, marked %q", slices.Index(commits, r.Release.Commit)+1, kept, r.NoReturn)
		}
		if why, ok := told[r.Release.Digest]; ok && why != r.NoReturn {
			t.Errorf("history says %q, the list %q", why, r.NoReturn)
		}
		if !kept {
			marked++
		}
	}
	if marked == 0 || marked == len(rollouts) {
		t.Errorf("%d of %d are marked", marked, len(rollouts))
	}
}

// deaf takes Git, policy and metrics away.
func (s *simulation) deaf() {
	s.repo.fault = func(op string) error {
		if op == "fetch" || strings.HasPrefix(op, "propose") {
			return errors.New("git is down")
		}
		return nil
	}
	s.platform.SetTraffic("production-checkout", memory.Traffic{Unknown: true})
	w := *s.d.world.Load()
	w.evaluator = closedRules(s.watch.heard)(errRules)
	s.d.world.Store(&w)
}

// Lesson 70: a rollback to any release that is kept needs neither Git nor
// policy nor metrics, at rest and while another release moves: one routing
// call, no look at everything first, and then the rest.
func TestLesson70RollbackToAnyKeptRelease(t *testing.T) {
	moves := map[string]func(s *simulation){
		"at rest": func(*simulation) {},
		"while it moves": func(s *simulation) {
			s.bring(4)
			s.until(5*time.Minute, func() bool { return s.watch.environment("production").Rollout.Reached })
		},
		"before traffic": func(s *simulation) {
			s.bring(4)
			s.until(5*time.Minute, func() bool { return s.watch.environment("production").Rollout.Phase == rollout.Expand })
		},
		"on its way back": func(s *simulation) {
			s.bring(4)
			s.until(5*time.Minute, func() bool { return s.watch.environment("production").Rollout.Reached })
			must(s.word("abort", "orders fail"))
			s.pass("production")
		},
	}
	for name, move := range moves {
		for to := range 2 {
			s, commits, ops := kept(t)
			move(s)
			s.deaf()
			s.real = s.real.Add(time.Minute) // a look at everything is due
			must(s.back(commits[to][:12]))
			*ops = nil
			s.pass("production")
			want := providers.Routing{Version: fmt.Sprint(to + 1)}
			if s.live() != want {
				t.Errorf("%s to %d: traffic is at %+v", name, to+1, s.live())
			}
			at := slices.Index(*ops, "route Alias/checkout.live")
			if at < 0 || slices.Contains((*ops)[:at], "survey") || slices.Contains((*ops)[:at], "measure") {
				t.Errorf("%s to %d: the platform was asked %v", name, to+1, *ops)
			}
			if n := strings.Count(strings.Join(*ops, "\n"), "route "); n != 1 {
				t.Errorf("%s to %d: %d routings", name, to+1, n)
			}
			s.run(5 * time.Minute)
			if ro := s.watch.environment("production").Rollout; ro.Phase != rollout.Idle || ro.Release.Commit != commits[to] || s.live() != want {
				t.Errorf("%s to %d: in the end it is at %.12s in %q, traffic at %+v", name, to+1, ro.Release.Commit, ro.Phase, s.live())
			}
			sound(t, s)
		}
	}
}

// What nobody ever released, and what moves itself, is nothing to go back to.
func TestRollbackToNothing(t *testing.T) {
	s, _, _ := kept(t)
	moving := s.bring(4)
	s.until(5*time.Minute, func() bool { return s.watch.environment("production").Rollout.Reached })
	split := s.live()
	for _, to := range []string{"feedfacefeed", moving[:12]} {
		if err := s.back(to); err == nil {
			t.Errorf("rolled back to %s", to)
		}
	}
	if s.pass("production"); s.live() != split {
		t.Errorf("traffic is at %+v", s.live())
	}
	sound(t, s)
}

// From a verdict to traffic at stable nothing is read: one call a function.
func TestVerdictToTrafficIsOneCallAFunction(t *testing.T) {
	s, _, ops := kept(t)
	bad := badCode(11)
	s.platform.SetErrors(bad, 0.9)
	k := firstContent()
	k.checkout, k.mailer = bad, code(12)
	s.repo.commit("env/production", k.files())
	if !s.until(10*time.Minute, func() bool { return s.watch.environment("production").Rollout.Reached }) {
		t.Fatal("no canary")
	}
	for i := 0; i < 600 && s.watch.environment("production").Rollout.Phase == rollout.Shift; i++ {
		*ops = nil
		s.pass("production")
		s.real = s.real.Add(time.Second)
	}
	last := 0
	for i, op := range *ops {
		if op == "measure" {
			last = i
		}
	}
	after := (*ops)[last+1:]
	slices.Sort(after[:min(2, len(after))])
	if want := []string{"route Alias/checkout.live", "route Alias/mailer.live"}; !slices.Equal(after, want) || s.live() != (providers.Routing{Version: "3"}) {
		t.Errorf("after the verdict: %v, traffic at %+v", after, s.live())
	}
	sound(t, s)
}
