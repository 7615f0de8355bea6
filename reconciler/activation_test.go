package reconciler

import (
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/memory"
)

const allowing = "package policy.admission.size\nallow if true\n"

// governed is one environment judged by the real engine, with a decision made.
func governed(t *testing.T, policies map[string]string) *simulation {
	t.Helper()
	s := newSimulation(1, memory.Options{}, mutant{}, "staging")
	s.govern(policies)
	s.repo.commit("env/staging", firstContent().files())
	s.restartRego(t)
	settled(t, s)
	return s
}

func (s *simulation) active() string { return s.d.world.Load().policies }

func TestActivationTellsWhatWouldFlip(t *testing.T) {
	s := governed(t, map[string]string{"policies/admission/size.rego": allowing})
	first := s.active()
	s.govern(map[string]string{"policies/admission/size.rego": "package policy.admission.size\ndeny contains \"no\" if input.summary.created > 1\nallow if true\n"})
	s.run(time.Minute)
	if s.active() == first {
		t.Fatal("the new policies are not active")
	}
	all := s.d.ledger.activations()
	last := all[len(all)-1]
	if len(all) != 2 || !last.Active || last.Before != first || last.Replayed == 0 || len(last.Flips) != 1 || last.Flips[0].After != "deny" ||
		strings.Join(last.Files, " ") != "admission/size.rego" || !strings.Contains(last.Author, "dev@example.com") {
		t.Errorf("recorded: %+v", all)
	}
	events := s.d.History("", 50)
	if !strings.Contains(events[0].Text+events[1].Text+events[2].Text, "would be others") && !told(s, "would be others") {
		t.Error("nobody is told")
	}
	sound(t, s)
}

func told(s *simulation, text string) bool {
	for _, e := range s.d.History("", 500) {
		if strings.Contains(e.Text, text) {
			return true
		}
	}
	return false
}

// Policies that load and pass, and cannot evaluate what was decided, stay out.
func TestActivationRefusesWhatBreaksOnPastDecisions(t *testing.T) {
	s := governed(t, map[string]string{"policies/admission/size.rego": allowing})
	first := s.active()
	s.govern(map[string]string{"policies/admission/size.rego": "package policy.admission.size\nallow if to_number(input.environment.name) > 1\n"})
	s.run(time.Minute)
	if s.active() != first || s.alerts("policy_error", "firing") != 1 {
		t.Fatalf("active %s, alerts %+v", s.active(), s.received["default"])
	}
	k := firstContent()
	k.memory = 512
	s.repo.commit("env/staging", k.files())
	settled(t, s) // judged by those before
	all := s.d.ledger.activations()
	if len(all) != 2 || all[1].Active || !strings.Contains(all[1].Reason, "dec_") {
		t.Errorf("recorded: %+v", all)
	}
	sound(t, s)
}

// A restart on broken policies goes on with those that were active.
func TestRestartOnBrokenPoliciesKeepsThoseBefore(t *testing.T) {
	s := governed(t, map[string]string{"policies/admission/size.rego": allowing})
	first := s.active()
	s.govern(map[string]string{"policies/admission/size.rego": "package policy.admission.size\nallow if {"})
	s.run(time.Minute)
	for range 2 {
		s.restartRego(t)
		s.run(time.Minute)
		if s.active() != first {
			t.Fatalf("active: %q", s.active())
		}
	}
	k := firstContent()
	k.memory = 512
	s.repo.commit("env/staging", k.files())
	settled(t, s)
	if n := len(s.d.ledger.activations()); n != 2 {
		t.Errorf("%d attempts recorded", n)
	}
	sound(t, s)
}

// A commit that changes the pipeline only leaves the policies what they are.
func TestUntouchedPoliciesAreNotLoadedAgain(t *testing.T) {
	s := governed(t, map[string]string{"policies/admission/size.rego": allowing})
	first := s.active()
	files := controlFiles("allow", s.names...)
	delete(files, "policies/mode")
	files["policies/admission/size.rego"] = allowing
	files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "interval: 30s", "interval: 40s", 1)
	s.repo.commit("main", files)
	s.run(time.Minute)
	if s.active() != first || len(s.d.ledger.activations()) != 1 {
		t.Errorf("active %s, %+v", s.active(), s.d.ledger.activations())
	}
	sound(t, s)
}
