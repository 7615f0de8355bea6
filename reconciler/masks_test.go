package reconciler

import (
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
)

// What the pipeline does not want kept is in no record, is decided on all the
// same, and what is left cannot be taken for the whole.
func TestRecordsKeepWhatThePipelineWants(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "preview")
	files := controlFiles("allow", s.names...)
	delete(files, "policies/mode")
	files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "spec:\n", "spec:\n  decisions: {erase: [/input/commit/message, /input/commits/*/message], mask: [/input/environment/name]}\n", 1)
	files["policies/admission/says.rego"] = "package policy.admission.says\n\nallow if input.environment.name == \"preview\"\n"
	s.repo.commit("main", files)
	s.repo.commit("env/preview", firstContent().files())
	s.restartRego(t)
	if !s.until(time.Hour, func() bool { j := s.watch.environment("preview").Judged; return j != nil }) {
		t.Fatal("nothing was judged")
	}
	if j := s.watch.environment("preview").Judged; j.Outcome != "allow" {
		t.Errorf("judged %+v", j)
	}
	page, err := s.d.Decisions(t.Context(), journal.DecisionQuery{Point: "admission"})
	if err != nil || len(page.Decisions) == 0 {
		t.Fatalf("%d decisions, %v", len(page.Decisions), err)
	}
	for _, d := range page.Decisions {
		if !strings.Contains(d.Line, `"/input/commit/message"`) || !strings.Contains(d.Line, `"name":"masked"`) || strings.Contains(d.Line, `"message":`) {
			t.Errorf("%.2000s", d.Line)
		}
		if r, err := policy.ParseRecorded([]byte(d.Line)); err != nil || len(r.Input) != 0 || r.Lost == "" {
			t.Errorf("%+v, %v", r, err)
		}
	}
}
