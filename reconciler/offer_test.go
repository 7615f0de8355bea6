package reconciler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
)

// byPullRequest is a control branch on which content comes into production by
// pull request.
func byPullRequest(policies map[string]string) map[string]string {
	files := hostedFiles("{github: {repository: acme/shop, token: {fromEnv: HOST_TOKEN}}, identities: {ann-w: {name: ann}, zoe: {name: zoe}, bob: {name: bob, environments: [preview]}, devel: {name: dan, emails: [dev@example.com]}}}", "preview", "production")
	files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "promotion: auto", "promotion: pullRequest", 1)
	if policies != nil {
		delete(files, "policies/mode")
		for name, text := range policies {
			files[name] = text
		}
	}
	return files
}

// offering has first content in both environments, and newer content in
// preview.
func offering(t *testing.T, try func(t *testing.T, s *stand, newer string)) {
	t.Helper()
	onHost(t, byPullRequest(nil), func(t *testing.T, s *stand) {
		s.push("env/preview", firstContent().files())
		s.push("env/production", firstContent().files())
		s.wait(20 * time.Minute)
		if n := len(s.crowd.requests()); n != 0 || s.status("production").State != "in_sync" {
			t.Fatalf("%d pull requests before anything is new; production is %s", n, s.status("production").State)
		}
		try(t, s, s.bring(512))
	})
}

// bring puts content into preview and gives it its time there.
func (s *stand) bring(memory int) string {
	c := firstContent()
	c.memory = memory
	sha := s.push("env/preview", c.files())
	s.wait(10 * time.Minute)
	return sha
}

// merge merges a pull request as a person does who squashes: another commit,
// the same files.
func (s *stand) merge(number, memory int) string {
	c := firstContent()
	c.memory = memory
	sha := s.push("env/production", c.files())
	s.crowd.end(number, sources.RequestMerged)
	return sha
}

func (c *crowd) requests() []sources.PullRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.pulls)
}

// end closes or merges a pull request.
func (c *crowd) end(number int, state sources.RequestState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulls[number-1] = c.at(c.pulls[number-1])
	c.pulls[number-1].State = state
}

// by says who opened a pull request.
func (c *crowd) by(number int, login string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulls[number-1].Author = login
}

// review says a word; what it was said about is where the request's branch is.
func (c *crowd) review(number int, v sources.Review) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v.Commit == "" {
		v.Commit = c.at(c.pulls[number-1]).Commit
	}
	c.words++
	v.ID, v.At = fmt.Sprint(c.words), time.Now()
	c.reviews[number] = append(slices.DeleteFunc(c.reviews[number], func(o sources.Review) bool { return o.Login == v.Login }), v)
}

// dismiss takes a person's review away.
func (c *crowd) dismiss(number int, login string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reviews[number] = slices.DeleteFunc(c.reviews[number], func(o sources.Review) bool { return o.Login == login })
}

// Content is offered by one pull request, whose plan stands on it; newer
// content takes its place in the same one; merged, it is recognised by content.
func TestPromotionByPullRequest(t *testing.T) {
	offering(t, func(t *testing.T, s *stand, newer string) {
		all := s.crowd.requests()
		if len(all) != 1 || all[0].Head != "mooring/promote/production" || all[0].Base != "env/production" || !strings.Contains(all[0].Body, newer) {
			t.Fatalf("pull requests: %+v", all)
		}
		if text, _ := s.crowd.comment(1, "production"); !strings.Contains(text, "`memorySize`: `256` → `512`") {
			t.Errorf("the comment:\n%s", text)
		}
		offered := s.branch("mooring/promote/production")
		if got := s.crowd.last(offered, "mooring/production"); got.State != sources.StatusSuccess {
			t.Errorf("status: %+v", got)
		}
		if why := s.status("production").Promotion; !strings.HasPrefix(why, "proposed: ") || !strings.Contains(why, "pull request 1") {
			t.Errorf("production waits for %q", why)
		}
		before := s.status("production").Commit
		s.wait(2 * time.Hour)
		if s.branch("mooring/promote/production") != offered || len(s.crowd.requests()) != 1 || s.status("production").Commit != before {
			t.Error("time alone changes something")
		}
		s.bring(1024)
		again := s.crowd.requests()
		if len(again) != 1 || again[0].Title == all[0].Title || s.branch("mooring/promote/production") == offered {
			t.Errorf("newer content: %+v", again)
		}
		merged := s.merge(1, 1024)
		s.wait(20 * time.Minute)
		if got := s.status("production"); got.Commit != merged || got.State != "in_sync" {
			t.Errorf("merged, and production is %s at %s: %s", got.State, short(got.Commit), got.Reason)
		}
		st := s.d.environment("production").state()
		if last := st.Promotions[len(st.Promotions)-1]; last.Outcome != "moved" || last.Commit != merged || st.Admitted.Promoted != "preview" {
			t.Errorf("remembered as %+v, admitted %+v", last, st.Admitted)
		}
		if n := len(s.crowd.requests()); n != 1 {
			t.Errorf("%d pull requests", n)
		}
	})
}

// Closed by people it stays closed, and that is told; other content is offered
// anew.
func TestAClosedPullRequestKeepsContentOut(t *testing.T) {
	offering(t, func(t *testing.T, s *stand, _ string) {
		s.crowd.end(1, sources.RequestClosed)
		s.wait(2 * time.Hour)
		if n := len(s.crowd.requests()); n != 1 {
			t.Errorf("%d pull requests", n)
		}
		if why := s.status("production").Promotion; !strings.Contains(why, "was closed") {
			t.Errorf("production waits for %q", why)
		}
		if !slices.ContainsFunc(s.d.ledger.firing("production/"), func(a journal.Alert) bool { return strings.Contains(a.Text, "was closed") }) {
			t.Error("nobody is told")
		}
		s.bring(1024)
		if all := s.crowd.requests(); len(all) != 2 || all[1].State != sources.RequestOpen {
			t.Errorf("other content: %+v", all)
		}
		if why := s.status("production").Promotion; !strings.Contains(why, "pull request 2") {
			t.Errorf("production waits for %q", why)
		}
	})
}

// In a queue a closed request keeps those behind it waiting, and says so and
// what to do: opened again it is offered as before, rejected those behind go on.
func TestAClosedPullRequestInAQueueSaysWhatWaits(t *testing.T) {
	files := byPullRequest(nil)
	files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "promotion: pullRequest", "promotion: pullRequest\n      take: queue", 1)
	onHost(t, files, func(t *testing.T, s *stand) {
		s.push("env/preview", firstContent().files())
		s.push("env/production", firstContent().files())
		s.wait(20 * time.Minute)
		s.bring(512)
		s.bring(768)
		s.bring(1024)
		all := s.crowd.requests()
		if n := len(s.status("production").Queue); len(all) != 1 || n != 3 {
			t.Fatalf("%d pull requests, %d wait: %+v", len(all), n, s.status("production"))
		}
		if text := all[0].Body; !strings.Contains(text, "was in force in `preview`") || !strings.Contains(text, "all that is behind it waiting") {
			t.Errorf("the request says:\n%s", text)
		}
		s.crowd.end(1, sources.RequestClosed)
		s.wait(2 * time.Hour)
		why := s.status("production").Promotion
		if len(s.crowd.requests()) != 1 || len(s.status("production").Queue) != 3 || !strings.Contains(why, "was closed") || !strings.Contains(why, "mooring reject --environment production --content ") {
			t.Errorf("closed, and production waits for %q", why)
		}
		told := func(a journal.Alert) bool { return strings.Contains(a.Text, "what is behind it in the queue waits") }
		if !slices.ContainsFunc(s.d.ledger.firing("production/"), told) {
			t.Error("nobody is told")
		}
		s.crowd.end(1, sources.RequestOpen)
		s.wait(3 * time.Minute)
		if why := s.status("production").Promotion; !strings.HasPrefix(why, "proposed: ") || slices.ContainsFunc(s.d.ledger.firing("production/"), told) {
			t.Errorf("opened again, and production waits for %q", why)
		}
		s.crowd.end(1, sources.RequestClosed)
		s.wait(3 * time.Minute)
		content := s.status("production").Queue[0].Content
		if _, err := s.d.Approve(t.Context(), web.ApprovalRequest{Environment: "production", Answer: record.Rejected, Content: content, Reason: "not this one", By: person("boss", access.Grant{Role: access.Admin})}); err != nil {
			t.Fatal(err)
		}
		s.wait(3 * time.Minute)
		if all := s.crowd.requests(); len(all) != 2 || all[1].State != sources.RequestOpen || len(s.status("production").Queue) != 2 {
			t.Fatalf("rejected, and there is %+v", all)
		}
		merged := s.merge(2, 768)
		s.wait(20 * time.Minute)
		if got := s.status("production"); got.Commit != merged || len(got.Queue) != 1 || len(s.crowd.requests()) != 3 {
			t.Errorf("merged, and production is at %s, %d wait, %d requests: %s", short(got.Commit), len(got.Queue), len(s.crowd.requests()), got.Promotion)
		}
	})
}

// Where people asked for the move itself, it is made.
func TestAPersonMayPromotePastAPullRequest(t *testing.T) {
	offering(t, func(t *testing.T, s *stand, _ string) {
		if err := s.d.Promote(t.Context(), "production", person("ann", access.Grant{Role: access.Operator})); err != nil {
			t.Fatal(err)
		}
		s.wait(20 * time.Minute)
		if got := s.status("production"); got.State != "in_sync" || s.d.environment("production").state().Admitted.Promoted != "preview" {
			t.Errorf("production is %s, %s", got.State, got.Promotion)
		}
	})
}

// Whose review counts for content, and whose does not.
func TestReviewsAreApprovals(t *testing.T) {
	yes := func(login string) sources.Review { return sources.Review{Login: login, Verdict: sources.Approves} }
	onHost(t, byPullRequest(map[string]string{"policies/promotion/two.rego": twoPeople, "policies/admission/one.rego": onePerson}), func(t *testing.T, s *stand) {
		s.push("env/preview", firstContent().files())
		s.wait(5 * time.Minute)
		if n := len(s.crowd.requests()); n != 0 {
			t.Fatalf("%d pull requests into a branch that is not there", n)
		}
		s.push("env/production", firstContent().files())
		s.bring(512)
		if n := len(s.crowd.requests()); n != 1 { // only approvals are missing
			t.Fatalf("%d pull requests: %+v", n, s.status("production"))
		}
		for _, v := range []sources.Review{
			yes("stranger"), yes("bob"), yes("devel"), {Login: "zoe", Verdict: sources.Approves, Commit: strings.Repeat("0", 40)}, {Login: "ann-w"},
		} {
			s.crowd.review(1, v)
		}
		s.wait(10 * time.Minute)
		if n := approving(s); n != 0 {
			t.Errorf("%d approvals count", n)
		}
		s.crowd.review(1, yes("ann-w"))
		s.wait(5 * time.Minute)
		s.crowd.dismiss(1, "ann-w")
		s.wait(5 * time.Minute)
		s.crowd.review(1, yes("ZOE"))
		s.wait(5 * time.Minute)
		if n := approving(s); n != 1 {
			t.Errorf("%d approvals count, want zoe's: %+v", n, s.d.environment("production").state().Approvals)
		}
		s.crowd.review(1, sources.Review{Login: "ann-w", Verdict: sources.RequestsChanges, Body: "not on a Friday"})
		s.wait(5 * time.Minute)
		if st := s.d.environment("production").state(); st.Approvals[len(st.Approvals)-1].Answer != record.Rejected || st.Approvals[len(st.Approvals)-1].Reason != "not on a Friday" {
			t.Errorf("a no is %+v", st.Approvals[len(st.Approvals)-1])
		}
		s.crowd.review(1, yes("ann-w"))
		s.wait(5 * time.Minute)
		if why := s.status("production").Promotion; !strings.HasPrefix(why, "proposed: ") {
			t.Errorf("two people said yes, and it waits for %q", why)
		}
		before := len(s.d.environment("production").state().Approvals)
		s.wait(2 * time.Hour)
		if n := len(s.d.environment("production").state().Approvals); n != before {
			t.Errorf("reviews are heard again: %d records more", n-before)
		}
		merged := s.merge(1, 512)
		s.wait(20 * time.Minute)
		if got := s.status("production"); got.Commit != merged || got.State != "in_sync" {
			t.Errorf("merged, and production is %s at %s: %s", got.State, short(got.Commit), got.Reason)
		}
	})
}

// An approval shows on its pull request when it is heard, not at the next look.
func TestAnApprovalShowsAtOnce(t *testing.T) {
	onHost(t, byPullRequest(map[string]string{"policies/promotion/two.rego": twoPeople, "policies/admission/one.rego": onePerson}), func(t *testing.T, s *stand) {
		s.push("env/preview", firstContent().files())
		s.wait(5 * time.Minute)
		s.push("env/production", firstContent().files())
		s.bring(512)
		before, written := s.crowd.comment(1, "production")
		if written == 0 {
			t.Fatal("the pull request has no plan")
		}
		s.crowd.review(1, sources.Review{Login: "zoe", Verdict: sources.Approves})
		for range 120 {
			if approving(s) > 0 {
				break
			}
			s.wait(time.Second)
		}
		if approving(s) != 1 {
			t.Fatalf("%d approvals count", approving(s))
		}
		s.wait(10 * time.Second)
		if after, again := s.crowd.comment(1, "production"); again == written {
			t.Errorf("ten seconds later the plan says what it said:\n%s\nbefore:\n%s", after, before)
		}
	})
}

// approving is how many yeses count for what waits in production.
func approving(s *stand) (n int) {
	for _, a := range s.status("production").Approvals {
		if a.Counts {
			n++
		}
	}
	return n
}

// A pull request by hand is admitted on the reviews it had.
func TestAReviewedHotfixIsAdmitted(t *testing.T) {
	onHost(t, byPullRequest(map[string]string{"policies/admission/one.rego": onePerson}), func(t *testing.T, s *stand) {
		s.push("env/preview", firstContent().files())
		s.wait(5 * time.Minute)
		if err := s.d.Promote(t.Context(), "production", person("ann", access.Grant{Role: access.Operator})); err != nil {
			t.Fatal(err)
		}
		s.wait(20 * time.Minute)
		c := firstContent()
		c.memory = 512
		s.push("fix/memory", c.files())
		number := s.crowd.pull("fix/memory", "env/production")
		s.crowd.by(number, "zoe")
		s.wait(5 * time.Minute)
		s.crowd.review(number, sources.Review{Login: "Zoe", Verdict: sources.Approves}) // who opened it
		s.wait(5 * time.Minute)
		if got := s.crowd.last(s.branch("fix/memory"), "mooring/production"); got.State != sources.StatusPending {
			t.Errorf("approved by who opened it, and its status is %+v", got)
		}
		s.crowd.review(number, sources.Review{Login: "ann-w", Verdict: sources.Approves})
		s.wait(5 * time.Minute)
		if got := s.crowd.last(s.branch("fix/memory"), "mooring/production"); got.State != sources.StatusSuccess {
			t.Errorf("approved, and its status is %+v", got)
		}
		merged := s.merge(number, 512)
		s.wait(20 * time.Minute)
		st := s.d.environment("production").state()
		if got := s.status("production"); got.Commit != merged || !slices.Equal(st.Admitted.ApprovedBy, []string{"ann"}) {
			t.Errorf("production is %s (%s), admitted by %v", got.State, got.Reason, st.Admitted.ApprovedBy)
		}
	})
}

// An approval is in view of what stood on the request when it was given.
func TestReviewsAreInViewOfWhatWasShown(t *testing.T) {
	at := func(s int) time.Time { return birth.Add(time.Duration(s) * time.Second) }
	versions := []version{{at(10), []string{"a"}}, {at(20), []string{"a", "b"}}, {at(30), []string{"b", "c"}}}
	// In the second in which it changed, what stood there before and after.
	for second, want := range map[int][]string{5: {}, 10: {}, 11: {"a"}, 19: {"a"}, 20: {"a"}, 21: {"a", "b"}, 30: {"b"}, 99: {"b", "c"}} {
		if got := saw(versions, at(second)); !slices.Equal(got, want) {
			t.Errorf("at %d: %v, want %v", second, got, want)
		}
	}
	if got := saw(nil, at(1)); got == nil || len(got) != 0 {
		t.Errorf("nothing was shown, and seen is %v", got)
	}
}

// Nothing is ever moved into an environment that comes after none: who asks for
// it is told, rather than left to wait.
func TestPromoteIntoTheFirstEnvironmentIsRefused(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview", "production")
	settled(t, s)
	promote := func(env string) error {
		return s.ask(env, func(ctx context.Context, d *Daemon) error { return d.Promote(ctx, env, access.Stated("bob")) })
	}
	if err := promote("preview"); err == nil || !strings.Contains(err.Error(), "env/preview") {
		t.Errorf("preview: %v", err)
	}
	if err := promote("production"); err != nil {
		t.Errorf("production: %v", err)
	}
}
