package reconciler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
)

// guard lets other policies in that change nothing of rollout, and those that
// open something with a person's approval.
const guard = `package policy.activation.guard

import data.policy.lib.approval

allow if true

deny contains {"code": "rollout", "msg": "rollout policies stay as they are"} if {
	some p in input.activation.packages
	startswith(p.name, "policy.rollout.")
}

require contains item if {
	some f in input.activation.replay.flips
	f.opens
	some item in approval.require(input.activation.approvals, 1)
}
`

const (
	refusing = "package policy.admission.size\n\ndeny contains \"no\" if input.environment.name != \"\"\n"
	rollout1 = "package policy.rollout.calm\n\npause contains \"calm\" if input.alarms[_].state == \"alarm\"\n"
)

func ruled(files ...string) map[string]string {
	out := map[string]string{"policies/activation/guard.rego": guard}
	for i := 0; i < len(files); i += 2 {
		out["policies/"+files[i]] = files[i+1]
	}
	return out
}

func (s *simulation) lastActivation() record.Activation {
	all := s.d.ledger.activations()
	return all[len(all)-1]
}

// ofPolicies says something of the policies that wait.
func (s *simulation) ofPolicies(r web.PolicyRequest) error {
	_, err := s.d.PolicyWord(context.Background(), r)
	return err
}

func admin(name string) access.Person { return person(name, access.Grant{Role: access.Admin}) }

func TestFormerPoliciesKeepOthersOut(t *testing.T) {
	s := governed(t, ruled("admission/size.rego", allowing))
	first := s.active()
	s.govern(ruled("admission/size.rego", allowing, "rollout/calm.rego", rollout1))
	s.run(5 * time.Minute)
	a := s.lastActivation()
	if s.active() != first || a.Active || a.Outcome != "deny" || len(a.Findings) != 1 || a.Findings[0].Code != "rollout" || a.Before != first {
		t.Fatalf("active %s, %+v", s.active(), a)
	}
	if n := len(s.d.ledger.activations()); n != 2 {
		t.Errorf("%d attempts are recorded", n)
	}
	if s.alerts("policy_error", "firing") != 1 {
		t.Errorf("alerts %+v", s.received["default"])
	}
	if f := s.d.Status().Faults; len(f) != 1 || !strings.Contains(f[0], "rollout policies stay as they are") || !strings.Contains(f[0], "mooring policy activate") {
		t.Errorf("faults %v", f)
	}
	if err := s.d.Ready(); err != nil {
		t.Errorf("policies are in force, and %v", err)
	}
	in, d := s.decidedAboutPolicies(t)
	if d.Outcome != policy.Deny || d.Revision != first || in.Activation.To != a.Revision || in.Activation.Replay.Decisions == 0 ||
		fmt.Sprint(in.Activation.Files, in.Activation.Packages) != "[{rollout/calm.rego added}] [{policy.rollout.calm added}]" || !strings.Contains(in.Commit.Author, "dev@example.com") {
		t.Errorf("asked %+v", in.Activation)
	}
	s.govern(ruled("admission/size.rego", allowing)) // taken back
	s.run(5 * time.Minute)
	if s.d.world.Load().faults[faultPolicy] != nil || s.alerts("policy_error", "resolved") != 1 {
		t.Errorf("faults %v", s.d.world.Load().faults)
	}
	sound(t, s)
}

// decidedAboutPolicies is the newest decision at activation.
func (s *simulation) decidedAboutPolicies(t *testing.T) (in policy.Input, d policy.Decision) {
	t.Helper()
	for rec, err := range journal.Decisions(t.Context(), s.d.opts.Store, journal.DecisionQuery{Point: string(policy.Activation)}) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := policy.ParseRecorded(rec.Decision.Line)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(r.Input, &in); err != nil {
			t.Fatal(err)
		}
		d = r.Result
	}
	return in, d
}

// opened has a change waiting that would let through what is denied now.
func opened(t *testing.T) *simulation {
	t.Helper()
	s := newSimulation(1, memory.Options{}, mutant{}, "staging")
	s.govern(ruled("admission/size.rego", refusing))
	s.repo.commit("env/staging", firstContent().files())
	s.restartRego(t)
	s.run(time.Minute)
	s.govern(ruled("admission/size.rego", allowing))
	s.run(time.Minute)
	if a := s.lastActivation(); a.Active || a.Outcome != "hold" || len(a.Flips) == 0 {
		t.Fatalf("%+v", a)
	}
	return s
}

func TestPolicyChangesWaitForPeople(t *testing.T) {
	s := opened(t)
	author := person("dev")
	author.Emails = []string{"dev@example.com"}
	for what, by := range map[string]access.Person{
		"the author's": author, "an unproved one": access.Stated("local:eve (unverified)"),
	} {
		if err := s.ofPolicies(web.PolicyRequest{Answer: record.Approved, By: by}); err != nil {
			t.Fatal(err)
		}
		s.run(2 * time.Minute)
		if s.lastActivation().Active {
			t.Fatalf("%s counted", what)
		}
	}
	narrow := person("ann", access.Grant{Role: access.Approver, Environments: []string{"staging"}})
	var refusal *access.Refusal
	if err := s.ofPolicies(web.PolicyRequest{Answer: record.Approved, By: narrow}); !errors.As(err, &refusal) {
		t.Errorf("an approver of one environment: %v", err)
	}
	if err := s.ofPolicies(web.PolicyRequest{Answer: record.Approved, By: person("ann")}); err != nil {
		t.Fatal(err)
	}
	s.turn(true) // at once
	if a := s.lastActivation(); !a.Active || strings.Join(a.ApprovedBy, " ") != "ann" || s.active() != a.Revision {
		t.Errorf("active %s, %+v", s.active(), a)
	}
	if !told(s, "approved by ann") {
		t.Error("nobody is told")
	}
	if err := s.ofPolicies(web.PolicyRequest{Answer: record.Approved, By: person("bob")}); !errors.Is(err, ErrUnknown) {
		t.Errorf("nothing waits, and %v", err)
	}
	sound(t, s)
}

// A deny cannot guard itself: an admin lets the change in, whose name is proved
// and who did not write it.
func TestAdminActivatesOverFormerPolicies(t *testing.T) {
	s := governed(t, map[string]string{"policies/activation/never.rego": "package policy.activation.never\n\ndeny contains \"never\" if input.api != \"\"\n"})
	s.govern(map[string]string{"policies/admission/size.rego": allowing})
	s.run(time.Minute)
	dev := admin("dev")
	dev.Emails = []string{"dev@example.com"}
	for what, r := range map[string]web.PolicyRequest{
		"an approver":        {By: person("ann"), Reason: "x"},
		"an operator":        {By: person("ann", access.Grant{Role: access.Operator}), Reason: "x"},
		"an unproved admin":  {By: access.Stated("ann"), Reason: "x"},
		"the author":         {By: dev, Reason: "x"},
		"without a reason":   {By: admin("ann")},
		"for another commit": {By: admin("ann"), Reason: "x", Commit: "ffff"},
		"of one environment": {By: person("ann", access.Grant{Role: access.Admin, Environments: []string{"staging"}}), Reason: "x"},
	} {
		r.Force, r.Answer = true, record.Approved
		if err := s.ofPolicies(r); err == nil {
			t.Errorf("%s may", what)
		}
	}
	s.run(2 * time.Minute)
	if s.lastActivation().Active {
		t.Fatal("it is active")
	}
	commit := s.d.world.Load().control.Commit.SHA
	if err := s.ofPolicies(web.PolicyRequest{By: admin("ann"), Commit: commit, Reason: "the guard was wrong", Answer: record.Approved, Force: true}); err != nil {
		t.Fatal(err)
	}
	s.turn(true)
	if a := s.lastActivation(); !a.Active || a.ForcedBy != "ann" || a.ForceReason != "the guard was wrong" || a.Outcome != "deny" || len(a.Guards) != 0 || s.active() != commit {
		t.Errorf("active %s, %+v", s.active(), a)
	}
	if !told(s, "the guard was wrong") {
		t.Error("nobody is told")
	}
	s.restartRego(t)
	s.run(time.Minute)
	if s.active() != commit {
		t.Errorf("after a restart %s", s.active())
	}
	sound(t, s)
}

// What the gate refuses is refused, whoever likes it.
func TestBrokenPoliciesAreNobodysToActivate(t *testing.T) {
	s := governed(t, ruled("admission/size.rego", allowing))
	s.govern(ruled("admission/size.rego", "package policy.admission.size\nallow if {"))
	s.run(time.Minute)
	err := s.ofPolicies(web.PolicyRequest{By: admin("ann"), Reason: "x", Answer: record.Approved, Force: true})
	if err == nil || !strings.Contains(err.Error(), "mended") {
		t.Errorf("got %v", err)
	}
	sound(t, s)
}

// A guard that cannot be evaluated, or read any more, keeps others out; and so
// it does after a restart.
func TestBrokenGuardKeepsOthersOut(t *testing.T) {
	s := governed(t, map[string]string{"policies/activation/guard.rego": "package policy.activation.guard\n\nallow if time.parse_duration_ns(input.commit.message) > 0\n"})
	first := s.active()
	for range 2 {
		s.govern(map[string]string{"policies/admission/size.rego": allowing})
		s.run(time.Minute)
		if a := s.lastActivation(); a.Active || a.Outcome != "error" || s.active() != first {
			t.Fatalf("active %s, %+v", s.active(), a)
		}
		s.restartRego(t)
	}
	s.run(time.Minute)
	if a := s.lastActivation(); a.Active || s.active() != first {
		t.Fatalf("after a restart: active %s, %+v", s.active(), a)
	}
	sound(t, s)
}

func TestGuardsThatAreLostKeepOthersOut(t *testing.T) {
	s := governed(t, ruled("admission/size.rego", allowing))
	first := s.active()
	delete(s.repo.branches, "main")
	s.govern(map[string]string{"policies/admission/size.rego": refusing})
	delete(s.repo.fetched, first)
	s.restartRego(t)
	s.run(time.Minute)
	if a := s.lastActivation(); a.Active || a.Outcome != "error" || s.active() != "" {
		t.Errorf("active %s, %+v", s.active(), a)
	}
}
