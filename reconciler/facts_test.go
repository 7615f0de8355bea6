package reconciler

import (
	"context"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers/memory"
)

// listener hears every question that is put to policy.
type listener struct {
	policy.Evaluator
	heard map[policy.Point][]policy.Input
}

func (l *listener) Evaluate(ctx context.Context, p policy.Point, in policy.Input) (policy.Decision, error) {
	l.heard[p] = append(l.heard[p], in)
	return l.Evaluator.Evaluate(ctx, p, in)
}

// TestAdmissionTellsLabelsAndTraffic: what the manifest says of a function
// beside its configuration is told, and how large the release is.
func TestAdmissionTellsLabelsAndTraffic(t *testing.T) {
	l := &listener{heard: map[policy.Point][]policy.Input{}}
	s := newSimulation(1, memory.Options{}, mutant{evaluator: func(e policy.Evaluator) policy.Evaluator {
		l.Evaluator = e
		return l
	}}, "production")
	files := firstContent().files()
	for name, text := range files {
		files[name] = strings.ReplaceAll(text, "kind: Function\nmetadata: {", "kind: Function\nmetadata: {labels: {tier: critical}, ")
	}
	s.repo.commit("env/production", files)
	s.restart()
	s.run(time.Minute)
	if len(l.heard[policy.Admission]) == 0 {
		t.Fatal("nothing was asked")
	}
	in := l.heard[policy.Admission][0]
	if in.Summary.Functions == 0 || in.Summary.Managed <= in.Summary.Functions {
		t.Errorf("it declares %+v", in.Summary)
	}
	staged := 0
	for _, c := range in.Changes {
		if labelled := c.Kind == "Function" || c.Kind == "Alias"; labelled && c.Labels["tier"] != "critical" {
			t.Errorf("%s has labels %v", c.Resource, c.Labels)
		}
		if c.Traffic.Known {
			staged++
			if c.Kind != "Function" || c.Traffic.Stages < 2 || c.Traffic.FirstWeight != 10 || c.Traffic.Strategy != "canary" {
				t.Errorf("%s: %+v", c.Resource, c.Traffic)
			}
		}
	}
	if staged != in.Summary.Functions {
		t.Errorf("%d of %d functions tell how they are released", staged, in.Summary.Functions)
	}
}
