package reconciler

import (
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/rollout"
)

// Policies that say when to go on may wait for the time of a stage, which goes on
// while they do: nothing is stopped, but no stage is left without their word. One
// that never says it holds the weight, and after maxHold what is said for that comes.
func TestPoliciesThatSayWhenToGoOn(t *testing.T) {
	for advance, passes := range map[string]bool{
		"input.rollout.elapsed_seconds >= 25": true,
		"{\n input.rollout.verdict == \"pass\"\n input.rollout.elapsed_seconds >= input.rollout.hold_seconds\n}": true,
		"input.rollout.weight == 0": false,
	} {
		s := newSimulation(1, memory.Options{}, mutant{}, "production")
		files := s.controlFiles()
		delete(files, "policies/mode")
		files["policies/admission/all.rego"] = letIn
		s.repo.commit("main", files)
		k := firstContent()
		s.repo.commit("env/production", k.files())
		s.restartRego(t)
		settled(t, s)
		files["policies/rollout/when.rego"] = "package policy.rollout.when\nadvance if " + advance + "\n"
		s.repo.commit("main", files)
		s.run(time.Minute)
		k.checkout = code(9)
		commit := s.repo.commit("env/production", k.files())
		began, seen := s.real, ""
		s.until(20*time.Minute, func() bool {
			ro := s.watch.environment("production").Rollout
			if ro.Paused != "" {
				seen = ro.Paused
			}
			return ro.Phase == rollout.Idle && s.real.Sub(began) > time.Minute
		})
		ro := s.watch.environment("production").Rollout
		if passes != (ro.Release.Commit == commit && s.live() == providers.Routing{Version: "2"}) {
			t.Errorf("%s: %.12s in %q, traffic at %+v, %q", advance, ro.Release.Commit, ro.Phase, s.live(), ro.Paused)
		}
		if took := s.real.Sub(began); passes && took < 48*time.Second {
			t.Errorf("%s: in force after %s, the stages take 48 s", advance, took)
		}
		if !passes && (!strings.Contains(seen, "no rollout policy says advance yet") || ro.Returned != rollout.ByUndecided) {
			t.Errorf("%s: it waited for %q and went back by %q", advance, seen, ro.Returned)
		}
		told := false
		for _, h := range s.watch.environment("production").Holds {
			told = told || strings.Contains(h.Reason, "undecided: no rollout policy says advance yet")
		}
		if told == passes {
			t.Errorf("%s: that policy did not say it is told %v", advance, told)
		}
		sound(t, s)
	}
}
