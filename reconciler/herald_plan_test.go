package reconciler

import (
	"strings"
	"testing"
	"time"

	"mooring.dev/sources"
)

// New policies judge what waits in pull requests anew, though neither commits
// nor settings nor the environment changed.
func TestNewPoliciesAreShownOnAPullRequest(t *testing.T) {
	onHost(t, ruledBy(map[string]string{"policies/admission/one.rego": onePerson}), func(t *testing.T, s *stand) {
		s.push("env/preview", firstContent().files())
		s.wait(20 * time.Minute) // it is promoted
		c := firstContent()
		c.memory = 512
		fix := s.push("fix/memory", c.files())
		number := s.crowd.pull("fix/memory", "env/production")
		s.wait(5 * time.Minute)
		if text, _ := s.crowd.comment(number, "production"); !strings.Contains(text, "**held**") {
			t.Fatalf("the comment:\n%s", text)
		}
		never := "package policy.admission.never\ndeny contains {\"code\": \"freeze\", \"msg\": \"nothing before January\"} if input.release.commit\n"
		s.push("main", ruledBy(map[string]string{"policies/admission/one.rego": onePerson, "policies/admission/never.rego": never}))
		s.wait(5 * time.Minute)
		if text, written := s.crowd.comment(number, "production"); written != 2 || !strings.Contains(text, "**denied**") || !strings.Contains(text, "nothing before January") {
			t.Errorf("written %d times, now:\n%s", written, text)
		}
		if got := s.crowd.last(fix, "mooring/production"); got.State != sources.StatusFailure || !strings.Contains(got.Text, "nothing before January") {
			t.Errorf("status: %+v", got)
		}
	})
}

// What a host says a request's head is, is a hint: nothing is planned, told or
// approved of a commit that Git does not have on that branch.
func TestARequestsHeadIsReadFromGit(t *testing.T) {
	onHost(t, ruledBy(map[string]string{"policies/admission/one.rego": onePerson}), func(t *testing.T, s *stand) {
		old := s.push("env/preview", firstContent().files())
		s.wait(20 * time.Minute) // it is promoted
		c := firstContent()
		c.memory = 512
		fix := s.push("fix/memory", c.files())
		s.crowd.claims(func(branch string) string {
			if branch == "fix/memory" {
				return old // it is there, on another branch
			}
			return s.branch(branch)
		})
		number := s.crowd.pull("fix/memory", "env/production")
		s.crowd.review(number, sources.Review{Login: "ann-w", Verdict: sources.Approves})
		told := len(s.crowd.said(old, "mooring/production"))
		s.wait(10 * time.Minute)
		if text, n := s.crowd.comment(number, "production"); n != 0 || len(s.crowd.said(old, "mooring/production")) != told {
			t.Errorf("planned by the host's word:\n%s", text)
		}
		if st := s.d.environment("production").state(); len(st.Approvals) != 0 {
			t.Errorf("approved by the host's word: %+v", st.Approvals)
		}
		s.crowd.claims(s.branch)
		s.wait(5 * time.Minute)
		if text, n := s.crowd.comment(number, "production"); n != 1 || !strings.Contains(text, short(fix)) {
			t.Errorf("written %d times, now:\n%s", n, text)
		}
	})
}
