package reconciler

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// answering is a platform whose functions answer as the test says; what it does
// not answer goes on to the simulated platform.
type answering struct {
	*tapped
	answer func(ctx context.Context, qualifier string, payload []byte) (response []byte, known bool, err error)
}

// Invoke implements providers.Invoker.
func (a answering) Invoke(ctx context.Context, fn manifest.Resource, qualifier string, payload []byte) ([]byte, bool, error) {
	if response, known, err := a.answer(ctx, qualifier, payload); known {
		return response, false, err
	}
	return a.tapped.Invoke(ctx, fn, qualifier, payload)
}

// posted is production with checks around traffic, at the beginning of a
// release to version 2; answer is how they are answered.
func posted(t *testing.T, check string, answer func(ctx context.Context, qualifier string, payload []byte) ([]byte, bool, error)) *simulation {
	t.Helper()
	s := newSimulation(1, memory.Options{}, mutant{provider: func(t *tapped) providers.Provider { return answering{t, answer} }}, "production")
	k := firstContent()
	declare := func() {
		files := k.files()
		files["checkout.yaml"] += "  rollout: {analysis: {" + check + `: {name: order, invoke: {function: checkout, payload: {order: 1}, expect: {"$.ok": true}}}}}` + "\n"
		s.repo.commit("env/production", files)
	}
	declare()
	s.restart()
	settled(t, s)
	k.checkout = code(9)
	declare()
	return s
}

func (s *simulation) ended(version string) func() bool {
	return func() bool {
		return s.live() == providers.Routing{Version: version} && s.watch.environment("production").Rollout.Phase == rollout.Idle
	}
}

// The post-traffic check is asked through the alias, once all of the traffic is
// on the new version, and its pass is the last thing that is missing.
func TestPostTrafficPasses(t *testing.T) {
	asked := 0
	var s *simulation
	s = posted(t, "postTraffic", func(_ context.Context, qualifier string, payload []byte) ([]byte, bool, error) {
		if !bytes.Contains(payload, []byte("order")) {
			return nil, false, nil
		}
		if s == nil || s.live() == (providers.Routing{Version: "1"}) {
			return []byte(`{"ok":true}`), true, nil // of the first deployment
		}
		if asked++; qualifier != "live" || s.live() != (providers.Routing{Version: "2"}) {
			t.Errorf("asked %q while traffic is at %+v", qualifier, s.live())
		}
		return []byte(`{"ok":true}`), true, nil
	})
	if !s.until(time.Hour, s.ended("2")) || asked != 1 {
		t.Errorf("traffic is at %+v, asked %d times", s.live(), asked)
	}
	sound(t, s)
}

// One that fails sends everything back by one call, and the content is
// quarantined with what was answered.
func TestPostTrafficFails(t *testing.T) {
	fails := false
	s := posted(t, "postTraffic", func(_ context.Context, _ string, payload []byte) ([]byte, bool, error) {
		return []byte(`{"ok":false,"why":"no stock"}`), fails && bytes.Contains(payload, []byte("order")), nil
	})
	fails = true
	if !s.until(time.Hour, func() bool { return s.live() == providers.Routing{Version: "2"} }) {
		t.Fatalf("traffic is at %+v", s.live())
	}
	calls := s.mutations()
	if !s.until(time.Hour, func() bool { return s.live() == providers.Routing{Version: "1"} }) {
		t.Fatalf("traffic is at %+v", s.live())
	}
	if n := s.mutations() - calls; n != 1 {
		t.Errorf("traffic was back after %d calls", n)
	}
	s.run(30 * time.Minute)
	st := s.watch.environment("production")
	if !s.ended("1")() || len(st.Quarantine) != 1 {
		t.Errorf("traffic is at %+v, quarantined %+v", s.live(), st.Quarantine)
	}
	for _, q := range st.Quarantine {
		if !strings.Contains(q.Reason, "post-traffic") {
			t.Errorf("quarantined as %q", q.Reason)
		}
	}
	sound(t, s)
}

// One that gives no answer is no pass: the release stays, and after the
// stage's limit goes back undecided, which quarantines nothing.
func TestPostTrafficWithoutAnswer(t *testing.T) {
	slow := false
	s := posted(t, "postTraffic", func(_ context.Context, _ string, payload []byte) ([]byte, bool, error) {
		return nil, slow && bytes.Contains(payload, []byte("order")), context.DeadlineExceeded
	})
	slow = true
	if !s.until(time.Hour, func() bool { return s.watch.environment("production").Rollout.Asking }) {
		t.Fatal("it is never asked")
	}
	s.run(time.Minute)
	if ro := s.watch.environment("production").Rollout; ro.Phase != rollout.Shift || s.live() != (providers.Routing{Version: "2"}) {
		t.Errorf("without an answer: %s, traffic at %+v", ro.Phase, s.live())
	}
	if !s.until(10*time.Minute, s.ended("1")) {
		t.Errorf("after the limit traffic is at %+v", s.live())
	}
	if st := s.watch.environment("production"); len(st.Quarantine) != 0 || len(st.Holds) != 1 {
		t.Errorf("quarantined %+v, holds %+v", st.Quarantine, st.Holds)
	}
	sound(t, s)
}

// A check that hangs is broken off for a person's word, before the traffic and
// after it, and is no answer.
func TestSlowCheckIsBrokenOff(t *testing.T) {
	for _, check := range []string{"preTraffic", "postTraffic"} {
		synctest.Test(t, func(t *testing.T) {
			slow := make(chan bool, 1)
			slow <- false
			s := posted(t, check, func(ctx context.Context, _ string, payload []byte) ([]byte, bool, error) {
				hangs := <-slow
				slow <- hangs
				if !hangs || !bytes.Contains(payload, []byte("order")) {
					return nil, false, nil
				}
				<-ctx.Done()
				return nil, true, ctx.Err()
			})
			waits := func() bool {
				ro := s.watch.environment("production").Rollout
				return ro.Asking || check == "preTraffic" && ro.Phase == rollout.Check
			}
			if check == "preTraffic" {
				<-slow
				slow <- true
			}
			if !s.until(time.Hour, waits) {
				t.Fatalf("%s: never asked", check)
			}
			<-slow
			slow <- true
			said := make(chan error, 1)
			go func() {
				time.Sleep(5 * time.Second)
				said <- s.d.Rollout(t.Context(), web.RolloutRequest{Environment: "production", Act: web.RolloutAbort, Reason: "slow", By: access.Stated("ann")})
			}()
			began := time.Now()
			s.pass("production")
			if took := time.Since(began); took < 5*time.Second || took > 5*time.Second+2*pressing {
				t.Errorf("%s: the pass took %s", check, took)
			}
			e := s.d.environment("production")
			a := <-e.inbox
			a.done <- a.do(t.Context(), e)
			must(<-said)
			began = time.Now()
			if s.pass("production"); time.Since(began) > 0 || s.live() != (providers.Routing{Version: "1"}) {
				t.Errorf("%s: aborted, traffic is at %+v after %s", check, s.live(), time.Since(began))
			}
			sound(t, s)
		})
	}
}
