package reconciler

import (
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
)

// staged lets in what policy is told moves in stages.
const staged = `package policy.admission.staged
import future.keywords.not
allow if true
deny contains {"code": "steep", "msg": sprintf("%s begins at %d", [c.resource, c.traffic.first_weight])} if {
	some c in input.changes
	c.kind == "Function"
	c.operation != "create"
	not c.traffic.first_weight < 100
}
`

// letIn lets everything in.
const letIn = "package policy.admission.all\nallow if true\n"

// rolesAt is production, protected, with content in force whose next has the
// mailer in another role.
func rolesAt(t *testing.T, protected bool, admission string) *simulation {
	t.Helper()
	s := newSimulation(1, memory.Options{}, mutant{}, "production")
	files := s.controlFiles()
	delete(files, "policies/mode")
	files["policies/admission/p.rego"] = admission
	if protected {
		files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "name: production", "name: production\n      protected: true", 1)
	}
	s.repo.commit("main", files)
	k := firstContent()
	s.repo.commit("env/production", k.files())
	s.restartRego(t)
	settled(t, s)
	k.mailer = code(9)
	next := k.files()
	next["mailer.yaml"] = strings.Replace(next["mailer.yaml"], "role/mailer", "role/other", 1)
	s.repo.commit("env/production", next)
	return s
}

func (s *simulation) mailer() providers.Routing {
	return s.platform.Routing("production-mailer", "live")
}

// A release that was to move in stages and cannot, since a role changes, waits in
// a protected environment until somebody has seen that; elsewhere it moves. Policy
// is told that it begins with all of the traffic.
func TestARoleChangeThatIsNotCanariedIsApproved(t *testing.T) {
	second := providers.Routing{Version: "2"}
	t.Run("protected", func(t *testing.T) {
		s := rolesAt(t, true, letIn)
		s.run(10 * time.Minute)
		j := s.watch.environment("production").Judged
		if j.Outcome != "hold" || len(j.Findings) != 1 || j.Findings[0].Code != codeNotCanaried || !strings.Contains(j.Findings[0].Msg, "role changes of Function/mailer") {
			t.Fatalf("it is judged %+v", j)
		}
		if s.mailer() == second {
			t.Error("it moved")
		}
		if _, err := s.say(web.ApprovalRequest{Answer: record.Approved, By: person("ann")}); err != nil {
			t.Fatal(err)
		}
		if !s.until(10*time.Minute, func() bool { return s.mailer() == second }) {
			t.Errorf("approved, it does not move: %+v", s.watch.environment("production").Judged)
		}
		sound(t, s)
	})
	t.Run("not protected", func(t *testing.T) {
		s := rolesAt(t, false, letIn)
		if !s.until(10*time.Minute, func() bool { return s.mailer() == second }) {
			t.Errorf("it does not move: %+v", s.watch.environment("production").Judged)
		}
		sound(t, s)
	})
	t.Run("told to policy", func(t *testing.T) {
		s := rolesAt(t, false, staged)
		s.run(10 * time.Minute)
		if j := s.watch.environment("production").Judged; j.Outcome != "deny" || !strings.Contains(j.Reason, "Function/mailer begins at 100") {
			t.Errorf("it is judged %+v", j)
		}
		k := firstContent()
		k.mailer = code(9)
		s.repo.commit("env/production", k.files())
		if !s.until(time.Hour, func() bool { return s.mailer() == second }) {
			t.Errorf("with the role it had it does not move: %+v", s.watch.environment("production").Judged)
		}
		sound(t, s)
	})
}
