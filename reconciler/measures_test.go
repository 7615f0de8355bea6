package reconciler

import (
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
)

// analysed is a production environment at rest whose canaries are also judged
// as said, in the YAML of analysis.
func analysed(t *testing.T, also string) *simulation {
	t.Helper()
	s := newSimulation(1, memory.Options{}, mutant{}, "production")
	s.analysis = also + ", "
	s.repo.commit("main", s.controlFiles())
	s.repo.commit("env/production", firstContent().files())
	s.restart()
	settled(t, s)
	return s
}

// released commits another code of checkout and waits until it is in force or
// was taken back; it tells the most traffic the new version had.
func released(t *testing.T, s *simulation, digest string) (most providers.Weight, inForce bool) {
	t.Helper()
	k := firstContent()
	k.checkout = digest
	sha := s.repo.commit("env/production", k.files())
	ended := s.until(time.Hour, func() bool {
		st := s.watch.environment("production")
		most = max(most, s.platform.Routing("production-checkout", "live").Weight)
		return st.Rollout.Phase == "" && st.Admitted != nil && st.Admitted.Release.Commit == sha && (st.Rollout.Release.Commit == sha || len(st.Quarantine) > 0)
	})
	if !ended {
		t.Fatalf("neither in force nor back: %+v", s.watch.environment("production").Rollout)
	}
	return most, s.watch.environment("production").Rollout.Release.Commit == sha
}

// A version that does not fail and is slower than allowed goes back; one that
// is as fast as the one beside it comes into force.
func TestSlowVersionGoesBack(t *testing.T) {
	for name, tc := range map[string]struct {
		took    time.Duration
		inForce bool
	}{"slow": {300 * time.Millisecond, false}, "as fast": {100 * time.Millisecond, true}} {
		t.Run(name, func(t *testing.T) {
			s := analysed(t, "latency: {percentile: 90}")
			s.platform.SetTraffic("production-checkout", memory.Traffic{PerSecond: 100,
				Durations: map[string]time.Duration{"1": 100 * time.Millisecond, "2": tc.took}})
			most, inForce := released(t, s, code(9))
			if inForce != tc.inForce {
				t.Errorf("in force: %t", inForce)
			}
			ro := s.watch.environment("production").Rollout
			if !tc.inForce && (most > providers.Percent(10) || !strings.Contains(ro.Reason, "slower")) {
				t.Errorf("up to %d of traffic, %q", most, ro.Reason)
			}
			sound(t, s)
		})
	}
}
