package reconciler

import (
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/rollout"
)

// long is production whose checkout may run a minute, and a release to version 2
// that begins; what its calls do is the traffic's.
func long(t *testing.T, traffic memory.Traffic) *simulation {
	t.Helper()
	s := newSimulation(1, memory.Options{}, mutant{}, "production")
	declare := func(digest string) {
		k := firstContent()
		k.checkout = digest
		files := k.files()
		files["checkout.yaml"] = strings.Replace(files["checkout.yaml"], "timeout: 10", "timeout: 60", 1) + "  rollout: {analysis: {maxHold: 30m}}\n"
		s.repo.commit("env/production", files)
	}
	declare(code(1))
	s.restart()
	settled(t, s)
	traffic.PerSecond, traffic.HangFor = 100, time.Minute
	s.platform.SetTraffic("production-checkout", traffic)
	declare(code(9))
	return s
}

// A version of whose calls a tenth hang up to their timeout succeeds with all that is
// told in time. It goes back by what the minutes come to that have ended, also
// where the daemon began anew in between.
func TestHangingVersionGoesBack(t *testing.T) {
	s := long(t, memory.Traffic{Hangs: map[string]float64{"2": 0.1}})
	looks, began := 0, time.Time{}
	ended := s.until(time.Hour, func() bool {
		ro := s.watch.environment("production").Rollout
		if began.IsZero() && ro.Reached {
			began = s.real
		}
		if ro.Looks > 10 && looks == 0 {
			looks = ro.Looks
			s.restart()
		}
		return ro.Phase == rollout.Idle && ro.Returned != ""
	})
	ro, took := s.watch.environment("production").Rollout, s.real.Sub(began)
	if !ended || ro.Returned != rollout.ByVerdict || s.live() != (providers.Routing{Version: "1"}) || !strings.Contains(ro.Reason, "all of which have ended") || took > 5*time.Minute {
		t.Errorf("ended: %t after %s, returned %q at %+v: %s", ended, took, ro.Returned, s.live(), ro.Reason)
	}
	sound(t, s)
}

// A version that fails at once where the one before hangs first is no worse, and
// comes into force as one does of whose calls none runs long: once all of those have
// ended that had both versions beside each other, and no later.
func TestRunningLongIsWaitedFor(t *testing.T) {
	for name, traffic := range map[string]memory.Traffic{
		"sooner": {Hangs: map[string]float64{"1": 0.05}, Errors: map[string]float64{"2": 0.05}},
		"short":  {},
	} {
		s := long(t, traffic)
		divided, waited := time.Time{}, ""
		ended := s.until(2*time.Hour, func() bool {
			if s.live().Canary != "" {
				divided = s.real
			}
			ro := s.watch.environment("production").Rollout
			if strings.Contains(ro.Reason, "not complete until") && ro.Paused == "" {
				waited = ro.Reason
			}
			return s.ended("2")() || ro.Returned != ""
		})
		ro := s.watch.environment("production").Rollout
		if took := s.real.Sub(divided); !ended || s.live() != (providers.Routing{Version: "2"}) || took < 3*time.Minute-5*time.Second || took > 4*time.Minute || !strings.Contains(waited, "may run 1m") {
			t.Errorf("%s: ended: %t, at %+v %s after traffic was divided, waited %q; returned %q: %s", name, ended, s.live(), took, waited, ro.Returned, ro.Reason)
		}
		sound(t, s)
	}
}

// A stage that has passed is not left while CloudWatch does not say what became of the
// calls since: it is when that is known, or was asked in vain for five minutes.
func TestAnOwedAnswerKeepsTheStage(t *testing.T) {
	for name, silence := range map[string]time.Duration{"for two minutes": 2 * time.Minute, "for good": time.Hour} {
		s := canary(t)
		ro := func() rollout.State { return s.watch.environment("production").Rollout }
		s.platform.SetTraffic("production-checkout", memory.Traffic{PerSecond: 100})
		if !s.until(time.Minute, func() bool { return ro().Verdict == rollout.Pass }) || ro().Stage != 0 {
			t.Fatalf("%s: %s in stage %d", name, ro().Verdict, ro().Stage)
		}
		s.platform.SetTraffic("production-checkout", memory.Traffic{PerSecond: 100, Unknown: true})
		began, told := s.real, ""
		left := s.until(silence, func() bool {
			if ro().Stage == 0 && strings.Contains(ro().Reason, "are not known yet") {
				told = ro().Reason
			}
			return ro().Stage > 0
		})
		if took := s.real.Sub(began); told == "" || left != (silence > lostAfter) || left && (took < lostAfter-20*time.Second || took > lostAfter+time.Minute) {
			t.Errorf("%s: left: %t after %s, told %q", name, left, took, told)
		}
		s.platform.SetTraffic("production-checkout", memory.Traffic{PerSecond: 100})
		if !s.until(time.Hour, s.ended("2")) {
			t.Errorf("%s: it ends at %+v: %s", name, s.live(), ro().Reason)
		}
		sound(t, s)
	}
}

const lostAfter = 5 * time.Minute
