package reconciler

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/policy/rego"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
)

// two asks for two people's approval at promotion, and for one on a commit by
// hand; what is asked with a letter more is another finding.
const twoPeople = `package policy.promotion.two
allow if true
require contains {"kind": "approval", "code": "two_people", "need": 2, "msg": "two people look at it"} if input.environment.name == "production"
`

const onePerson = `package policy.admission.one
import future.keywords.not
allow if true
require contains {"kind": "approval", "code": "hotfix", "msg": "one person looks at it"} if {
	input.environment.name == "production"
	not input.release.promoted
}
flag contains "iam" if input.environment.name == "staging"
`

// person of a token of their own.
func person(name string, grants ...access.Grant) access.Person {
	if len(grants) == 0 {
		grants = []access.Grant{{Role: access.Approver}}
	}
	return access.Person{Name: name, Verified: true, Grants: grants}
}

// guarded has content waiting before a protected production.
func guarded(t *testing.T, policies map[string]string) *simulation {
	t.Helper()
	s := newSimulation(1, memory.Options{}, mutant{}, "staging", "production")
	s.govern(policies)
	s.repo.commit("env/staging", firstContent().files())
	s.restartRego(t)
	if !s.until(time.Hour, s.asks) {
		t.Fatalf("nothing waits: %v, %+v", s.watch.broken, s.d.environment("staging").published.Load().status)
	}
	return s
}

func (s *simulation) govern(policies map[string]string) {
	files := controlFiles("allow", s.names...)
	delete(files, "policies/mode")
	files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "after: [staging]", "protected: true\n      after: [staging]", 1)
	for name, text := range policies {
		files[name] = text
	}
	s.repo.commit("main", files)
}

func (s *simulation) restartRego(t *testing.T) {
	t.Helper()
	o := s.options()
	o.Policies = func(tree fs.FS, revision string) (policy.Evaluator, error) {
		e, err := regoPolicies(tree, revision)
		if err != nil {
			return nil, err
		}
		return overheard{e.(*rego.Evaluator), s}, nil
	}
	o.Closed = closedRego
	s.startWith(t, o)
}

// overheard is the real engine, with the watcher listening.
type overheard struct {
	*rego.Evaluator
	s *simulation
}

func (o overheard) Evaluate(ctx context.Context, p policy.Point, in policy.Input) (policy.Decision, error) {
	d, err := o.Evaluator.Evaluate(ctx, p, in)
	told := d
	if d.Allowed { // people may let it through: the watcher is not to mind
		told.Outcome = policy.Allow
	}
	o.s.watch.heard(p, "rego", in, told)
	return d, err
}

// asks: a promotion into production is held by policy.
func (s *simulation) asks() bool {
	ps := s.watch.environment("production").Promotions
	return len(ps) > 0 && ps[len(ps)-1].Outcome == "held" && ps[len(ps)-1].Decision != ""
}

func (s *simulation) moved() bool { return s.repo.branches["env/production"] != "" }

func (s *simulation) say(r web.ApprovalRequest) (out web.Approval, err error) {
	r.Environment = "production"
	err = s.ask("production", func(ctx context.Context, d *Daemon) error {
		var err error
		out, err = d.Approve(ctx, r)
		return err
	})
	return out, err
}

func (s *simulation) approves(t *testing.T, by access.Person) web.Approval {
	t.Helper()
	a, err := s.say(web.ApprovalRequest{Answer: record.Approved, By: by})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var promotionFolder = map[string]string{"policies/promotion/two.rego": twoPeople, "policies/admission/one.rego": onePerson}

func TestTwoPeopleLetContentThrough(t *testing.T) {
	s := guarded(t, promotionFolder)
	s.run(10 * time.Minute)
	if s.moved() {
		t.Fatal("it moved without anybody")
	}
	if a := s.approves(t, person("ann")); !a.Counts || len(a.Findings) != 1 {
		t.Errorf("ann: %+v", a)
	}
	s.run(10 * time.Minute)
	if s.moved() {
		t.Fatal("one person was enough")
	}
	status := s.d.environment("production").published.Load().status
	if len(status.Approvals) != 1 || !strings.Contains(status.Promotion, "1 of 2 approvals (ann)") {
		t.Errorf("status: %q, %+v", status.Promotion, status.Approvals)
	}
	s.approves(t, person("bob"))
	if !s.until(10*time.Minute, s.moved) {
		t.Fatalf("two people were not enough: %+v", s.watch.environment("production").Promotions)
	}
	settled(t, s)
	if adm := s.watch.environment("production").Admitted; adm == nil || adm.Promoted != "staging" {
		t.Errorf("admitted: %+v", adm)
	}
	sound(t, s)
}

// Lesson 36: whose approval is not counted.
func TestLesson36WhoseApprovalDoesNotCount(t *testing.T) {
	for name, second := range map[string]func(t *testing.T, s *simulation) string{
		"the author": func(t *testing.T, s *simulation) string { return s.approves(t, person("dev")).Why },
		"the author by address": func(t *testing.T, s *simulation) string {
			p := person("carol")
			p.Emails = []string{"dev@example.com"}
			return s.approves(t, p).Why
		},
		"taken back": func(t *testing.T, s *simulation) string {
			s.approves(t, person("bob"))
			a, err := s.say(web.ApprovalRequest{Answer: record.Withdrawn, By: person("bob")})
			if err != nil {
				t.Fatal(err)
			}
			return a.Why
		},
		"a name that was only stated": func(t *testing.T, s *simulation) string {
			return s.approves(t, access.Stated("local:bob (unverified)")).Why
		},
		"the same person again": func(t *testing.T, s *simulation) string {
			s.approves(t, person("ann"))
			return "twice the same"
		},
		"the same person at an issuer": func(t *testing.T, s *simulation) string {
			p := person("Ann")
			p.Identity = "oidc:https://id.shop.example|17"
			if a := s.approves(t, p); a.Identity != p.Identity || !a.Counts {
				t.Errorf("%+v", a)
			}
			return "once"
		},
		"expired": func(t *testing.T, s *simulation) string {
			s.real = s.real.Add(25 * time.Hour)
			s.run(10 * time.Minute)
			s.approves(t, person("bob"))
			return "ann's ran out"
		},
		"a token that was revoked": func(t *testing.T, s *simulation) string {
			holders := access.Tokens{}
			for _, name := range []string{"ann", "bob", "zoe"} {
				holders = append(holders, access.Token{ID: name, Name: name, Grants: person(name).Grants, Expires: s.real.Add(24 * time.Hour)})
			}
			s.d.opts.Tokens = func() (access.Tokens, error) { return holders, nil }
			s.run(time.Minute)
			if got := s.d.environment("production").published.Load().status.Approvals; len(got) != 1 || !got[0].Counts {
				t.Errorf("ann still may: %+v", got)
			}
			holders, _ = holders.Revoke("ann", s.real)
			if a := s.approves(t, person("bob")); !a.Counts {
				t.Errorf("bob: %+v", a)
			}
			s.run(time.Minute)
			return s.d.environment("production").published.Load().status.Approvals[0].Why
		},
		"other content": func(t *testing.T, s *simulation) string {
			k := firstContent()
			k.memory = 1024
			s.repo.commit("env/staging", k.files())
			old := s.watch.environment("production").Promotions[0].Key
			if !s.until(time.Hour, func() bool {
				ps := s.watch.environment("production").Promotions
				return s.asks() && ps[len(ps)-1].Key != old
			}) {
				t.Fatal("the new content does not wait")
			}
			s.approves(t, person("bob"))
			return "ann's was for other content"
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := guarded(t, promotionFolder)
			s.approves(t, person("ann"))
			if why := second(t, s); why == "" {
				t.Error("it is said to count")
			}
			s.run(10 * time.Minute)
			if s.moved() {
				t.Error("it moved on")
			}
			s.approves(t, person("zoe"))
			if !s.until(10*time.Minute, s.moved) {
				t.Error("two people who count do not help")
			}
			sound(t, s)
		})
	}
}

// An approval is given in view of findings: a new one voids it, one less does
// not.
func TestApprovalStandsWithItsFindings(t *testing.T) {
	soak := "\nrequire contains {\"kind\": \"manual\", \"code\": \"%s\", \"msg\": \"something else\"} if input.environment.name == \"production\"\n"
	s := guarded(t, map[string]string{"policies/promotion/two.rego": twoPeople + strings.Replace(soak, "%s", "ticket", 1), "policies/admission/one.rego": onePerson})
	s.approves(t, person("ann"))
	s.approves(t, person("bob"))
	s.govern(promotionFolder) // the ticket is closed
	if !s.until(10*time.Minute, s.moved) {
		t.Fatal("fewer findings void an approval")
	}
	s = guarded(t, promotionFolder)
	s.approves(t, person("ann"))
	s.govern(map[string]string{"policies/promotion/two.rego": strings.Replace(twoPeople, "two_people", "iam_change", 1), "policies/admission/one.rego": onePerson})
	if !s.until(10*time.Minute, func() bool {
		ps := s.watch.environment("production").Promotions
		return ps[len(ps)-1].Findings[0].Code == "iam_change"
	}) {
		t.Fatal("the new policy does not judge")
	}
	s.approves(t, person("bob"))
	s.run(10 * time.Minute)
	if s.moved() {
		t.Error("an approval given before iam_change was known counts")
	}
	s.approves(t, person("ann")) // now in view of it
	if !s.until(10*time.Minute, s.moved) {
		t.Error("approved again, it does not move")
	}
	sound(t, s)
}

func TestRejectionHoldsWhateverPolicySays(t *testing.T) {
	s := guarded(t, promotionFolder)
	if _, err := s.say(web.ApprovalRequest{Answer: record.Rejected, By: person("eve")}); err == nil {
		t.Error("rejected without a reason")
	}
	if _, err := s.say(web.ApprovalRequest{Answer: record.Rejected, Reason: "not today", By: person("eve")}); err != nil {
		t.Fatal(err)
	}
	s.approves(t, person("ann"))
	s.approves(t, person("bob"))
	s.run(10 * time.Minute)
	if s.moved() {
		t.Fatal("it moved although somebody said no")
	}
	ps := s.watch.environment("production").Promotions
	if fs := ps[len(ps)-1].Findings; fs[len(fs)-1].Code != "rejected" || !strings.Contains(fs[len(fs)-1].Msg, "eve: not today") {
		t.Errorf("findings: %+v", fs)
	}
	if _, err := s.say(web.ApprovalRequest{Answer: record.Withdrawn, By: person("eve")}); err != nil {
		t.Fatal(err)
	}
	if !s.until(10*time.Minute, s.moved) {
		t.Error("it does not move when the no is withdrawn")
	}
	sound(t, s)
}

// A commit by hand that policy holds for a person is admitted when one
// approves; its author's word is not enough.
func TestHotfixIsAdmittedByAnotherPerson(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "staging", "production")
	s.govern(map[string]string{"policies/admission/one.rego": onePerson})
	s.repo.commit("env/production", firstContent().files())
	s.restartRego(t)
	held := func() bool {
		j := s.watch.environment("production").Judged
		return j != nil && j.Outcome == "hold"
	}
	if !s.until(time.Hour, held) {
		t.Fatalf("judged: %+v", s.watch.environment("production").Judged)
	}
	if a := s.approves(t, person("dev")); a.Counts {
		t.Error("the author counts")
	}
	s.run(5 * time.Minute)
	if !held() || s.mutations() != 0 {
		t.Fatal("its author let it in")
	}
	s.approves(t, person("ann"))
	if !s.until(time.Hour, func() bool { return s.watch.environment("production").Admitted != nil }) {
		t.Fatalf("judged: %+v", s.watch.environment("production").Judged)
	}
	if by := s.watch.environment("production").Admitted.ApprovedBy; len(by) != 1 || by[0] != "ann" {
		t.Errorf("it rests on %v", by)
	}
	sound(t, s)
}

func TestOnlyApproversApprove(t *testing.T) {
	s := guarded(t, promotionFolder)
	for _, g := range []access.Grant{{Role: access.Viewer}, {Role: access.Operator}, {Role: access.Approver, Environments: []string{"staging"}}} {
		var refusal *access.Refusal
		if _, err := s.say(web.ApprovalRequest{Answer: record.Approved, By: person("mallory", g)}); !errors.As(err, &refusal) {
			t.Errorf("%v: %v", g, err)
		}
	}
	for name, act := range map[string]func(ctx context.Context, d *Daemon, by access.Person) error{
		"resume": func(ctx context.Context, d *Daemon, by access.Person) error {
			return d.Resume(ctx, web.ResumeRequest{Environment: "production", By: by})
		},
		"rollback": func(ctx context.Context, d *Daemon, by access.Person) error {
			return d.Rollback(ctx, web.RollbackRequest{Environment: "production", Reason: "x", By: by})
		},
		"hold": func(ctx context.Context, d *Daemon, by access.Person) error {
			_, err := d.Hold(ctx, web.HoldRequest{Environment: "production", Reason: "x", For: time.Hour, By: by})
			return err
		},
		"answer": func(ctx context.Context, d *Daemon, by access.Person) error {
			return d.Answer(ctx, web.DriftAnswer{Environment: "production", Item: "x", By: by})
		},
		"promote": func(ctx context.Context, d *Daemon, by access.Person) error { return d.Promote(ctx, "production", by) },
		"sync":    func(ctx context.Context, d *Daemon, by access.Person) error { return d.Sync(ctx, "production", by) },
		"abort": func(ctx context.Context, d *Daemon, by access.Person) error {
			return d.Rollout(ctx, web.RolloutRequest{Environment: "production", Act: web.RolloutAbort, Reason: "x", By: by})
		},
		"retry": func(ctx context.Context, d *Daemon, by access.Person) error {
			return d.Rollout(ctx, web.RolloutRequest{Environment: "production", Act: web.RolloutRetry, By: by})
		},
	} {
		for who, by := range map[string]access.Person{"an approver": person("ann"), "an operator elsewhere": person("bob", access.Grant{Role: access.Operator, Environments: []string{"staging"}}), "nobody": {}} {
			var refusal *access.Refusal
			if err := s.ask("production", func(ctx context.Context, d *Daemon) error { return act(ctx, d, by) }); !errors.As(err, &refusal) {
				t.Errorf("%s by %s: %v", name, who, err)
			}
		}
	}
	if len(s.watch.environment("production").Approvals) != 0 || len(s.watch.environment("production").Requests) != 0 {
		t.Error("something was recorded")
	}
	sound(t, s)
}

// Flags that admission raised upstream are told to the promotion.
func TestFlagsGoWithTheContent(t *testing.T) {
	flagged := strings.Replace(twoPeople, `if input.environment.name == "production"`, `if "iam" in input.flags`, 1)
	s := guarded(t, map[string]string{"policies/promotion/two.rego": flagged, "policies/admission/one.rego": onePerson})
	s.approves(t, person("ann"))
	s.approves(t, person("bob"))
	if !s.until(10*time.Minute, s.moved) {
		t.Error("it does not move")
	}
	sound(t, s)
}
