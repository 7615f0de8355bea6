package reconciler

import (
	"slices"
	"testing"
	"time"

	"mooring.dev/providers/memory"
)

// begin is a simulation with its first content on every branch.
func begin(t testing.TB, o memory.Options, m mutant, environments ...string) *simulation {
	t.Helper()
	s := newSimulation(1, o, m, environments...)
	for _, env := range environments {
		s.repo.commit(branchOf(env), firstContent().files())
	}
	s.restart()
	return s
}

// settled lets the simulation run until every environment is as declared.
func settled(t testing.TB, s *simulation) {
	t.Helper()
	if !s.until(30*time.Minute, s.converged) {
		t.Fatalf("not converged: %v\n%v", s.watch.broken, s.open())
	}
}

// converged: every environment is as its admitted release declares, and nobody
// waits to be told. What costs a look at the platform comes last.
func (s *simulation) converged() bool {
	if len(s.watch.state.Outbox) > 0 || slices.ContainsFunc(s.names, func(env string) bool { return len(s.unfinished(env)) > 0 }) {
		return false
	}
	for _, env := range s.names {
		if len(s.differences(env)) > 0 {
			return false
		}
	}
	return true
}

// open is what keeps the simulation from being converged.
func (s *simulation) open() []string {
	var out []string
	for _, env := range s.names {
		out = append(out, s.differences(env)...)
	}
	if n := len(s.watch.state.Outbox); n > 0 {
		out = append(out, "alerts are not delivered")
	}
	return out
}

func TestFirstDeploymentConverges(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview", "staging", "production")
	settled(t, s)
	t.Logf("after %v, %d calls, %d records", s.real.Sub(birth), len(s.platform.Calls()), s.watch.state.Seq)
}
