package reconciler

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// fork opens a pull request from another repository: its commit is on none of
// our branches.
func (s *stand) fork(base string, files map[string]string) (number int, sha string) {
	s.repo.mu.Lock()
	sha = s.repo.r.commit("of a fork", files)
	delete(s.repo.r.branches, "of a fork")
	s.repo.mu.Unlock()
	s.crowd.mu.Lock()
	defer s.crowd.mu.Unlock()
	number = len(s.crowd.pulls) + 1
	s.crowd.pulls = append(s.crowd.pulls, sources.PullRequest{
		Number: number, State: sources.RequestOpen, Head: "env/preview", Base: base, Commit: sha, Author: "stranger", Foreign: true,
	})
	return number, sha
}

// ofForks holds what forks bring, and denies it where policy is shown a
// sensitive value or is told something wrong.
const ofForks = `package policy.admission.forks
import future.keywords.not
allow if true
theirs if input.commit.message == "change of a fork"
require contains {"kind": "approval", "code": "fork", "msg": "one person looks at it"} if theirs
deny contains {"code": "shown", "msg": "a sensitive value is shown"} if {
	theirs
	some c in input.changes
	some f in c.fields
	f.sensitive
	f.after != "(hidden)"
}
deny contains {"code": "told", "msg": sprintf("%v", [input.source])} if {
	theirs
	not input.source.paths == ["checkout.yaml", "mine.yaml", "mooring.yaml", "payroll.yaml", "policies/admission/mine.rego"]
}
deny contains {"code": "told", "msg": sprintf("%v", [input.commits])} if {
	theirs
	not count(input.commits) == 1
}
`

// A fork's pull request is judged by the base's policies and shown as a plan
// from a fork; it makes nothing be written, read or looked up, shows nothing a
// secret could be guessed by, and reviews of it approve nothing.
func TestAForkIsAPlanAndNothingElse(t *testing.T) {
	files := ruledBy(map[string]string{"policies/admission/forks.rego": ofForks})
	onHost(t, files, func(t *testing.T, s *stand) {
		s.push("env/preview", firstContent().files())
		s.wait(20 * time.Minute)
		must(s.platform.Manual("admin").Add(memory.Name{Kind: manifest.KindQueue, Physical: "preview-payroll"}, map[string]string{"visibilityTimeout": "4711"}))
		c := firstContent()
		c.memory = 512
		theirs := c.files()
		theirs["checkout.yaml"] = strings.Replace(theirs["checkout.yaml"], "STRIPE_KEY: {secret: shop/stripe}", "STRIPE_KEY: {secret: shop/stripe}\n    API_TOKEN: guess-4712", 1)
		theirs["payroll.yaml"] = queueYAML("payroll", "{visibilityTimeout: 5}")
		theirs["mine.yaml"] = strings.Replace(functionYAML("mine", code(9)), "file:", "s3://bucket-of-mine/", 1) + "  role: {arn: \"arn:aws:iam::111111111111:role/mailer\"}\n"
		theirs["mooring.yaml"] = "apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: shop}\nspec: {environments: []}\n"
		theirs["policies/admission/mine.rego"] = "package policy.admission.forks\nallow if true\n"
		before, read := len(s.platform.Calls()), len(s.read)
		applied := s.status("preview")
		number, sha := s.fork("env/preview", theirs)
		s.wait(5 * time.Minute)
		text, written := s.crowd.comment(number, "preview")
		for _, want := range []string{"**This comes from a fork.**", "**held**", "`fork`", "`memorySize`: `256` → `512`", "create `Queue/payroll`", "create `Function/mine`", "`(hidden)`"} {
			if !strings.Contains(text, want) {
				t.Errorf("the comment lacks %q:\n%s", want, text)
			}
		}
		for _, secret := range []string{"4711", "4712", "`shown`", "`told`"} {
			if strings.Contains(text, secret) {
				t.Errorf("the comment tells %q:\n%s", secret, text)
			}
		}
		if got := s.crowd.last(sha, "mooring/preview"); written != 1 || got.State != sources.StatusPending || !strings.Contains(got.Text, "one person looks at it") {
			t.Errorf("written %d times, status %+v", written, got)
		}
		s.crowd.review(number, sources.Review{Login: "ann-w", Verdict: sources.Approves, Commit: sha})
		s.wait(time.Hour)
		if n := len(s.d.environment("preview").state().Approvals); n != 0 {
			t.Errorf("%d approvals of what a fork brings", n)
		}
		if calls := s.platform.Calls()[before:]; len(calls) != 0 {
			t.Errorf("writes: %+v", calls)
		}
		s.repo.mu.Lock()
		fetched := s.repo.r.fetched[sha]
		looked := slices.Clone(s.read[read:])
		s.repo.mu.Unlock()
		if fetched || slices.ContainsFunc(looked, func(uri string) bool { return strings.Contains(uri, "mine") }) {
			t.Errorf("fetched: %t, code read: %q", fetched, looked)
		}
		if now := s.status("preview"); now.Commit != applied.Commit || now.State != "in_sync" {
			t.Errorf("preview went from %s to %s, %s", applied.Commit, now.Commit, now.State)
		}
		if again, n := s.crowd.comment(number, "preview"); n != 1 {
			t.Errorf("written %d times, now\n%s", n, again)
		}
	})
}

// What is wrong with a fork stands on its request, and keeps nothing of the
// others waiting; a repository that gives no answer is asked again.
func TestABrokenForkHindersNobody(t *testing.T) {
	onHost(t, hostedFiles(onGitHub, "preview", "production"), func(t *testing.T, s *stand) {
		s.push("env/preview", firstContent().files())
		s.wait(20 * time.Minute)
		c := firstContent()
		c.invalid = true
		broken, sha := s.fork("env/preview", c.files())
		gone, _ := s.fork("env/preview", firstContent().files())
		s.crowd.mu.Lock()
		s.crowd.pulls[gone-1].Commit = strings.Repeat("e", 40)
		s.crowd.mu.Unlock()
		c.invalid, c.memory = false, 512
		s.push("fix/memory", c.files())
		ours := s.crowd.pull("fix/memory", "env/preview")
		s.wait(5 * time.Minute)
		for number, want := range map[int]string{broken: "visibilityTimeot", gone: "unknown commit", ours: "`256` → `512`"} {
			if text, n := s.crowd.comment(number, "preview"); n != 1 || !strings.Contains(text, want) {
				t.Errorf("request %d: written %d times, lacks %q:\n%s", number, n, want, text)
			}
		}
		if got := s.crowd.last(sha, "mooring/preview"); got.State != sources.StatusFailure {
			t.Errorf("broken, and its status is %+v", got)
		}
		if said := s.crowd.said(strings.Repeat("e", 40), "mooring/preview"); len(said) != 0 {
			t.Errorf("a commit that nobody sees is told of: %+v", said)
		}
		away := errors.New("no answer")
		s.repo.mu.Lock()
		s.repo.r.fault = func(op string) error {
			if op == "visit" {
				return fmt.Errorf("%w: %w", sources.ErrUnreachable, away)
			}
			return nil
		}
		s.repo.mu.Unlock()
		late, _ := s.fork("env/preview", c.files())
		s.wait(10 * time.Minute)
		if _, n := s.crowd.comment(late, "preview"); n != 0 || len(s.d.Status().Faults) != 0 {
			t.Errorf("no answer: written %d times, faults %q", n, s.d.Status().Faults)
		}
		s.repo.mu.Lock()
		s.repo.r.fault = func(string) error { return nil }
		s.repo.mu.Unlock()
		s.wait(2 * time.Minute)
		if text, n := s.crowd.comment(late, "preview"); n != 1 || !strings.Contains(text, "`256` → `512`") {
			t.Errorf("answered again: written %d times:\n%s", n, text)
		}
	})
}

// Anybody may open requests: a bounded number of them is planned.
func TestForksAreBounded(t *testing.T) {
	onHost(t, hostedFiles(onGitHub, "preview"), func(t *testing.T, s *stand) {
		s.push("env/preview", firstContent().files())
		s.wait(5 * time.Minute)
		for range maxForks + 3 {
			s.fork("env/preview", firstContent().files())
		}
		s.wait(3 * time.Minute)
		n := 0
		for number := range maxForks + 3 {
			if _, written := s.crowd.comment(number+1, "preview"); written > 0 {
				n++
			}
		}
		if n != maxForks {
			t.Errorf("%d of %d requests from forks have a plan, want %d", n, maxForks+3, maxForks)
		}
	})
}
