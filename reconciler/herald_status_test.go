package reconciler

import (
	"strings"
	"testing"
	"time"

	"mooring.dev/sources"
)

// Each head has a status in each state it comes through, the last one always,
// and none is said twice.
func TestCommitsHaveTheirStatusOnTheHost(t *testing.T) {
	onHost(t, hostedFiles(onGitHub, "preview", "production"), func(t *testing.T, s *stand) {
		first := s.push("env/preview", firstContent().files())
		s.wait(20 * time.Minute)
		all := s.crowd.said(first, "mooring/preview")
		if len(all) < 2 || all[0].State != sources.StatusPending || all[len(all)-1].State != sources.StatusSuccess {
			t.Errorf("preview: %+v", all)
		}
		for i := 1; i < len(all); i++ {
			if all[i] == all[i-1] {
				t.Errorf("said twice: %+v", all[i])
			}
		}
		if moved := s.branch("env/production"); s.crowd.last(moved, "mooring/production").State != sources.StatusSuccess {
			t.Errorf("production: %+v", s.crowd.said(moved, "mooring/production"))
		}
		if url := all[0].URL; url != "https://mooring.example/environments/preview" {
			t.Errorf("it leads to %s", url)
		}
		c := firstContent()
		c.invalid = true
		bad := s.push("env/preview", c.files())
		s.wait(time.Minute)
		if got := s.crowd.last(bad, "mooring/preview"); got.State != sources.StatusFailure || !strings.Contains(got.Text, "visibilityTimeot") {
			t.Errorf("invalid: %+v", got)
		}
		if got := s.crowd.last(first, "mooring/preview"); got.State != sources.StatusSuccess {
			t.Errorf("another commit came, and the one that was in force is told as %+v", got) // it was not overtaken
		}
		n := len(s.crowd.said(first, "mooring/preview"))
		s.wait(time.Hour)
		if again := len(s.crowd.said(first, "mooring/preview")); again != n {
			t.Errorf("an old commit is told of again: %d times", again-n)
		}
	})
}

// What is left behind while it waits does not stay pending for ever, and what
// policy denies has failed.
func TestStatusesOfWhatIsOvertakenOrDenied(t *testing.T) {
	hold := "package policy.admission.hold\nallow if true\nrequire contains {\"kind\": \"manual\", \"code\": \"wait\", \"msg\": \"wait for it\"} if input.commit.sha\n"
	deny := "package policy.admission.no\ndeny contains {\"code\": \"never\", \"msg\": \"never\"} if input.commit.sha\n"
	onHost(t, ruledBy(map[string]string{"policies/admission/hold.rego": hold}), func(t *testing.T, s *stand) {
		first := s.push("env/preview", firstContent().files())
		s.wait(time.Minute)
		if got := s.crowd.last(first, "mooring/preview"); got.State != sources.StatusPending || !strings.Contains(got.Text, "wait for it") {
			t.Errorf("held: %+v", got)
		}
		c := firstContent()
		c.memory = 512
		second := s.push("env/preview", c.files())
		s.push("main", ruledBy(map[string]string{"policies/admission/no.rego": deny}))
		s.wait(time.Minute)
		if got := s.crowd.last(first, "mooring/preview"); got.State != sources.StatusFailure || !strings.Contains(got.Text, "overtaken by "+short(second)) {
			t.Errorf("overtaken: %+v", got)
		}
		if got := s.crowd.last(second, "mooring/preview"); got.State != sources.StatusFailure || !strings.Contains(got.Text, "never") {
			t.Errorf("denied: %+v", got)
		}
	})
}

// So it is where the daemon stood still while another commit came; what had arrived
// by then stays as it was.
func TestStatusesOfWhatWasOvertakenMeanwhile(t *testing.T) {
	hold := "package policy.admission.hold\nallow if true\nrequire contains {\"kind\": \"manual\", \"code\": \"wait\", \"msg\": \"wait for it\"} if input.environment.name == \"preview\"\n"
	for policies, want := range map[string]sources.StatusState{hold: sources.StatusFailure, "package policy.admission.all\nallow if true\n": sources.StatusSuccess} {
		onHost(t, ruledBy(map[string]string{"policies/admission/own.rego": policies}), func(t *testing.T, s *stand) {
			first := s.push("env/preview", firstContent().files())
			s.wait(20 * time.Minute)
			s.stop()
			before := s.crowd.last(first, "mooring/preview")
			c := firstContent()
			c.memory = 512
			second := s.push("env/preview", c.files())
			s.start()
			s.wait(time.Minute)
			got := s.crowd.last(first, "mooring/preview")
			if got.State != want || want == sources.StatusFailure && !strings.Contains(got.Text, "overtaken by "+short(second)) || want == sources.StatusSuccess && got != before {
				t.Errorf("%+v, before that it was %+v", got, before)
			}
		})
	}
}
