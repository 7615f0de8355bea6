package reconciler

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
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

const probes = `probe: {perMinute: 60, payload: {probe: true}, expect: {"$.ok": true}}`

// unvisited is like analysed, and nobody calls checkout; calls are answered as
// said, or else go well.
func unvisited(t *testing.T, also string, answer func(memory.Invocation) (string, bool)) *simulation {
	t.Helper()
	s := analysed(t, also)
	s.platform.SetTraffic("production-checkout", memory.Traffic{})
	s.platform.Handle(func(in memory.Invocation) ([]byte, bool) {
		if text, failed := answer(in); text != "" || failed {
			return []byte(text), failed
		}
		return []byte(`{"ok":true}`), false
	})
	return s
}

// A canary that nobody calls is judged by probes: a broken one goes back within
// a minute, by an answer that is wrong as by one that fails, and a good one comes
// into force; without probes neither is told from the other. What is as broken as
// the version beside it is not taken back.
func TestProbesDecideWithoutCalls(t *testing.T) {
	wrong := func(in memory.Invocation) (string, bool) {
		if strings.Contains(in.Code, code(9)) {
			return `{"ok":false}`, false
		}
		return "", false
	}
	for name, c := range map[string]struct {
		also     string
		answer   func(memory.Invocation) (string, bool)
		inForce  bool
		returned rollout.Return
		reason   string
	}{
		"good":       {probes, func(memory.Invocation) (string, bool) { return "", false }, true, "", ""},
		"wrong":      {probes, wrong, false, rollout.ByVerdict, "10 of 10 probes of version 2 failed, beside it 0 of 10 of version 1"},
		"fails":      {probes, func(in memory.Invocation) (string, bool) { return "", strings.Contains(in.Code, code(9)) }, false, rollout.ByVerdict, "10 of 10 probes"},
		"both fail":  {probes, func(memory.Invocation) (string, bool) { return "", true }, false, rollout.ByUndecided, "undecided"},
		"not named":  {strings.Replace(probes, "probe: {", "probe: {functions: [mailer], ", 1), wrong, false, rollout.ByUndecided, "undecided"},
		"no probes":  {"latency: {percentile: 90}", wrong, false, rollout.ByUndecided, "undecided"},
		"named":      {strings.Replace(probes, "probe: {", "probe: {functions: [checkout], ", 1), wrong, false, rollout.ByVerdict, "probes of version 2"},
		"few a hour": {`probe: {perMinute: 1, expect: {"$.ok": true}}`, wrong, false, rollout.ByUndecided, "undecided"},
	} {
		t.Run(name, func(t *testing.T) {
			s := unvisited(t, c.also, c.answer)
			defer sound(t, s)
			began := s.real
			most, inForce := released(t, s, code(9))
			ro := s.watch.environment("production").Rollout
			if inForce != c.inForce || ro.Returned != c.returned || !strings.Contains(ro.Reason, c.reason) {
				t.Errorf("in force %t, returned %q: %s", inForce, ro.Returned, ro.Reason)
			}
			if c.returned == rollout.ByVerdict && (most > providers.Percent(10) || s.real.Sub(began) > time.Minute) {
				t.Errorf("went back from %d after %s", most, s.real.Sub(began))
			}
		})
	}
}

// What stops a release stops its probes, and at rest nobody is called.
func TestProbesStopWithTheRelease(t *testing.T) {
	var calls atomic.Int64
	s := unvisited(t, probes, func(in memory.Invocation) (string, bool) {
		if strings.Contains(string(in.Payload), "probe") {
			calls.Add(1)
		}
		return "", false
	})
	silent := func(when string) {
		t.Helper()
		before := calls.Load()
		s.run(2 * time.Minute)
		if n := calls.Load() - before; n != 0 {
			t.Errorf("%s: %d calls", when, n)
		}
	}
	silent("at rest")
	k := firstContent()
	k.checkout = code(9)
	s.repo.commit("env/production", k.files())
	probing := func() bool { return s.watch.environment("production").Rollout.Probes >= 2 }
	if !s.until(time.Hour, probing) {
		t.Fatal("nobody is called")
	}
	began, before := s.real, calls.Load()
	s.run(20 * time.Second)
	if n, most := calls.Load()-before, 2*int64(s.real.Sub(began).Seconds()+10); n == 0 || n > most {
		t.Errorf("%d calls in %s, want up to one of each version a second", n, s.real.Sub(began))
	}
	if err := s.word(web.RolloutPause, "lunch"); err != nil {
		t.Fatal(err)
	}
	silent("paused")
	if err := s.word(web.RolloutResume, "back"); err != nil {
		t.Fatal(err)
	}
	before = calls.Load()
	s.run(30 * time.Second)
	if calls.Load() == before {
		t.Error("nobody is called after the pause")
	}
	if err := s.word(web.RolloutAbort, "enough"); err != nil {
		t.Fatal(err)
	}
	silent("aborted")
	sound(t, s)
}

// Every look keeps what the probes had found by then, and policies see it, apart
// from users' calls.
func TestProbesAreTold(t *testing.T) {
	s, seen := asking(t, probes, func(*http.Request, []byte) (int, string) { return http.StatusNotFound, "" })
	s.platform.SetTraffic("production-checkout", memory.Traffic{})
	if _, inForce := released(t, s, code(9)); !inForce {
		t.Fatal("a good version is not in force")
	}
	all, err := s.d.Rollouts(t.Context(), web.RolloutQuery{Environment: "production", Looks: true, Limit: 1})
	if err != nil || len(all) != 1 {
		t.Fatalf("%d rollouts, %v", len(all), err)
	}
	told, last := 0, int64(0)
	for _, l := range all[0].Looks {
		for _, f := range l.Functions {
			if f.Canary.Calls+f.Baseline.Calls > 0 {
				t.Errorf("probes are told as users' calls: %+v", f)
			}
			if f.Probes != nil && f.Probes.Canary.Calls > last && f.Probes.Canary == f.Probes.Baseline {
				told, last = told+1, f.Probes.Canary.Calls
			}
		}
		for _, rung := range l.Ladder[:min(1, len(l.Ladder))] {
			if rung.Left != nil && (rung.Left.Verdict != "pass" || rung.Left.Probes == nil || rung.Left.Probes.Canary.Calls < 74) {
				t.Errorf("the first stage was left as %+v", rung.Left)
			}
		}
	}
	if told < 10 {
		t.Errorf("%d looks tell of probes", told)
	}
	if m := seen["checkout.canary.probe_error_rate"]; !m.Known || m.Value != 0 || m.Samples == 0 || m.Samples > last || m != seen["checkout.baseline.probe_error_rate"] {
		t.Errorf("policies saw %+v, the looks tell of %d probes", m, last)
	}
}

// A probe that hangs is broken off for a person's word or the daemon's end, and
// counts on neither side; one that is only slow is a failure of the version it asks.
func TestHangingProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hangs atomic.Bool
		answer := func(ctx context.Context, qualifier string, payload []byte) ([]byte, bool, error) {
			if qualifier != "2" || !hangs.Load() || !strings.Contains(string(payload), "probe") {
				return nil, false, nil
			}
			<-ctx.Done()
			return nil, true, ctx.Err()
		}
		s := newSimulation(1, memory.Options{}, mutant{provider: func(t *tapped) providers.Provider { return answering{t, answer} }}, "production")
		s.analysis = strings.Replace(probes, "probe: {", "probe: {timeout: 4s, ", 1) + ", "
		s.repo.commit("main", s.controlFiles())
		s.repo.commit("env/production", firstContent().files())
		s.restart()
		settled(t, s)
		s.platform.SetTraffic("production-checkout", memory.Traffic{})
		k := firstContent()
		k.checkout = code(9)
		s.repo.commit("env/production", k.files())
		of := func() rollout.Function {
			for _, f := range s.watch.environment("production").Rollout.Functions {
				if f.Ref == (manifest.Ref{Kind: manifest.KindFunction, Name: "checkout"}) {
					return f
				}
			}
			return rollout.Function{}
		}
		if !s.until(time.Hour, func() bool { return of().Probe.Canary.Calls > 0 }) {
			t.Fatal("nobody is called")
		}
		hangs.Store(true)
		before, asked := of(), time.Now()
		s.until(time.Minute, func() bool { return of().Probe.Canary != before.Probe.Canary })
		f := of()
		if slow := f.Probe.Canary.Errors; slow == 0 || slow > 4 || f.Probe.Baseline.Errors != 0 || f.Probe.Baseline.Calls != f.Probe.Canary.Calls {
			t.Errorf("slow calls are counted as %+v, beside it %+v", f.Probe.Canary, f.Probe.Baseline)
		}
		if took := time.Since(asked); took > probeRound+4*time.Second {
			t.Errorf("a round of slow calls took %s", took)
		}
		ends, end := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, end) // the daemon is to stop
		s.real = s.real.Add(15 * time.Second)
		began := time.Now()
		s.watch.begin("production")
		_, _ = s.d.environment("production").once(ends) // what it could not write does not matter here
		s.watch.end("production")
		if took := time.Since(began); took != time.Second || of().Probe.Canary != f.Probe.Canary {
			t.Errorf("the end of the daemon took %s, %+v are counted", took, of().Probe.Canary)
		}
		said := make(chan error, 1)
		go func() {
			time.Sleep(2 * time.Second)
			said <- s.d.Rollout(t.Context(), web.RolloutRequest{Environment: "production", Act: web.RolloutAbort, Reason: "slow", By: access.Stated("ann")})
		}()
		s.real = s.real.Add(15 * time.Second)
		began = time.Now()
		s.pass("production")
		if took := time.Since(began); took < 2*time.Second || took > 2*time.Second+2*pressing {
			t.Errorf("the pass took %s", took)
		}
		e := s.d.environment("production")
		a := <-e.inbox
		a.done <- a.do(t.Context(), e)
		must(<-said)
		if got := of(); got.Probe.Canary != f.Probe.Canary {
			t.Errorf("what was broken off counts: %+v", got.Probe.Canary)
		}
		sound(t, s)
	})
}
