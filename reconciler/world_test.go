package reconciler

import (
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/sources"
)

// headed is a repository that has a default branch.
type headed struct {
	*repo
	head string
}

func (h headed) DefaultBranch() string { return h.head }

// read is what a daemon finds in a repository with this default branch.
func (s *simulation) read(t *testing.T, head string, before *world) *world {
	t.Helper()
	o := s.options()
	o.Source = headed{s.repo, head}
	d, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	w, err := d.read(t.Context(), before, "poll")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// The control branch is main, else the repository's default branch; once it was
// read, another is not believed because it is gone.
func TestControlBranchIsMainElseTheDefault(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "preview")
	s.repo.commit("trunk", controlFiles("deny", "preview"))
	first := s.read(t, "trunk", nil)
	if first.main != "main" || first.pipeline == nil {
		t.Fatalf("read from %q, faults %v", first.main, first.faults)
	}
	s.real = s.real.Add(time.Minute)
	delete(s.repo.branches, "main")
	if w := s.read(t, "trunk", first); w.main != "main" || w.faults[faultPipeline] == nil || w.policies != first.policies {
		t.Errorf("main is gone: read from %q, faults %v", w.main, w.faults)
	}
	if w := s.read(t, "trunk", nil); w.main != "trunk" || w.pipeline == nil || len(w.faults) != 0 {
		t.Errorf("without main: read from %q, faults %v", w.main, w.faults)
	}
	if w := s.read(t, "", nil); w.main != "main" || w.pipeline != nil || w.faults[faultPipeline] == nil {
		t.Errorf("without either: read from %q, faults %v", w.main, w.faults)
	}
}

var _ sources.Main = headed{}

// roster is the environments that metrics were told of, with those before them.
type roster struct {
	noMetrics
	after map[string][]string
}

func (m roster) Environment(name string, after []string) { m.after[name] = after }

func TestMetricsKnowEachEnvironmentFromTheStart(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "preview", "production")
	o, m := s.options(), roster{after: map[string][]string{}}
	o.Metrics = m
	d, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.refresh(t.Context(), "poll"); err != nil {
		t.Fatal(err)
	}
	if len(m.after) != 2 || len(m.after["preview"]) != 0 || len(m.after["production"]) != 1 {
		t.Errorf("told of %v", m.after)
	}
}
