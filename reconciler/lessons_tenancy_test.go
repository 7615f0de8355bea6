package reconciler

import (
	"maps"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/sources/manifest"
)

// TestLesson79ABranchReachesNoOtherEnvironment: who may write one environment's
// branch brings a pipeline, policies and another's overlay onto it, and then
// names what another environment has. Nothing of the other changes, though
// policies allow everything.
func TestLesson79ABranchReachesNoOtherEnvironment(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview", "production")
	settled(t, s)
	queue := memory.Name{Kind: manifest.KindQueue, Physical: "production-orders"}
	pipeline, before := s.d.world.Load().pipeline, s.d.world.Load().policies
	lived, _ := s.platform.Fields(queue)
	others := func() (n int) {
		for _, c := range s.platform.Calls() {
			if c.Environment == "production" {
				n++
			}
		}
		return n
	}
	calls := others()

	k := firstContent()
	files := k.files()
	files["mooring.yaml"] = strings.ReplaceAll(controlFiles("allow", "preview")["mooring.yaml"], "preview", "production")
	files["policies/mode"] = "allow\n"
	files["environments/production.yaml"] = "apiVersion: mooring.dev/v1\nkind: Environment\nmetadata: {name: production}\nspec:\n  patches:\n" +
		"    - {target: {kind: Queue, name: orders}, patch: {spec: {visibilityTimeout: 1}}}\n"
	s.repo.commit("env/preview", files)
	s.run(15 * time.Second) // before its content has soaked
	if w := s.d.world.Load(); w.pipeline != pipeline || w.policies != before || others() != calls {
		t.Errorf("a branch brought its own pipeline or policies, or %d calls in production", others()-calls)
	}

	thief := k.files()
	thief["thief.yaml"] = strings.Replace(queueYAML("thief", "{visibilityTimeout: 1}"), "name: thief", "name: thief, physicalName: production-orders, adopt: true", 1)
	thief["more.yaml"] = queueYAML("more", "{}")
	s.repo.commit("env/preview", thief)
	mine := s.mutations()
	s.run(10 * time.Minute)
	j := s.watch.environment("preview").Judged
	if j.Outcome != "deny" || len(j.Findings) != 1 || j.Findings[0].Code != codeForeignOwner || j.Findings[0].Resource != "Queue/thief" || !strings.Contains(j.Reason, "Queue/orders of shop/production") {
		t.Errorf("judged %+v", j)
	}
	if n := s.mutations() - mine; n != 0 {
		t.Errorf("%d calls for a release that does not come in", n)
	}
	if lives, _ := s.platform.Fields(queue); !maps.Equal(lives, lived) || s.platform.Owner(queue).Environment != "production" {
		t.Errorf("production's queue is %v of %+v, it was %v", lives, s.platform.Owner(queue), lived)
	}
	if shown, err := s.d.environment("preview").preview(t.Context(), s.d.world.Load(), ""); err != nil || shown.Decision.Outcome != "deny" {
		t.Errorf("the plan shows %+v, %v", shown.Decision, err)
	}
	sound(t, s)

	// It is given up over there: here nobody has to commit again.
	must(s.platform.Manual("ann").Own(queue, s.platform.Owner(memory.Name{Kind: manifest.KindQueue, Physical: "preview-orders"})))
	s.until(20*time.Minute, func() bool { return s.watch.environment("preview").Judged.Outcome == "allow" })
	if j := s.watch.environment("preview").Judged; j.Outcome != "allow" {
		t.Errorf("later judged %+v", j)
	}
}
