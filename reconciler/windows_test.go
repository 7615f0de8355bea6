package reconciler

import (
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
)

// windowed is a pipeline of two whose second environment takes content in
// the first minute of each hour only; the simulation begins at 12:02.
func windowed(t *testing.T) *simulation {
	t.Helper()
	s := newSimulation(1, memory.Options{}, mutant{}, "preview", "production")
	s.real = s.real.Add(2 * time.Minute)
	control := controlFiles("allow", "preview", "production")
	control["mooring.yaml"] = strings.Replace(control["mooring.yaml"], "      promotion: auto\n",
		"      promotion: auto\n      windows: {allow: [{cron: \"0 * * * *\", duration: 1m}]}\n", 1)
	s.repo.commit("main", control)
	s.repo.commit("env/preview", firstContent().files())
	s.restart()
	return s
}

func (s *simulation) started() bool {
	return s.watch.environment("production").Rollout.Release.Digest != ""
}

// Content waits for the window and moves at once when it opens; what moves
// when it closes goes on to its end.
func TestContentComesInThroughTheWindow(t *testing.T) {
	s := windowed(t)
	s.run(50 * time.Minute)
	if s.watch.environment("production").Admitted != nil {
		t.Fatal("it came in before the window")
	}
	if got := s.d.environment("production").published.Load().status.Promotion; !strings.Contains(got, "13:00") {
		t.Errorf("status says %q", got)
	}
	if !s.until(time.Hour, s.started) {
		t.Fatal("it does not come in")
	}
	if late := s.now().Sub(birth.Add(time.Hour)); late < 0 || late > 30*time.Second {
		t.Errorf("it came in %v after the window opened", late)
	}
	settled(t, s)
	next := firstContent()
	next.checkout = code(9)
	s.real = s.real.Truncate(time.Hour).Add(time.Hour + 40*time.Second)
	s.repo.commit("env/production", next.files())
	open := func() bool {
		production, _ := s.d.world.Load().pipeline.Environment("production")
		return production.Windows.Set().Open(s.now())
	}
	if !s.until(10*time.Minute, func() bool { return s.watch.environment("production").Rollout.Weight == 50 && !open() }) {
		t.Fatal("the second content does not move, or moved whole within the window")
	}
	if !s.until(10*time.Minute, s.converged) || open() {
		t.Error("what moved when the window closed does not go on")
	}
	sound(t, s)
}

// A commit by hand is judged at once, and starts to move in the window.
func TestCommitByHandStartsInTheWindow(t *testing.T) {
	s := windowed(t)
	s.repo.commit("env/production", firstContent().files())
	s.run(30 * time.Minute)
	if s.watch.environment("production").Admitted == nil || s.started() {
		t.Fatalf("admitted %v, started %v", s.watch.environment("production").Admitted, s.started())
	}
	if st := s.d.environment("production").published.Load().status; st.State != "held" || !strings.Contains(st.Reason, "13:00") {
		t.Errorf("status says %s: %s", st.State, st.Reason)
	}
	if !s.until(time.Hour, s.started) {
		t.Error("it does not start")
	}
	sound(t, s)
}

// A person lets one content in outside of the windows, and no other.
func TestPersonLetsContentInOutsideOfWindows(t *testing.T) {
	s := windowed(t)
	s.run(10 * time.Minute)
	_, err := s.say(web.ApprovalRequest{Environment: "production", Answer: record.Approved, Reason: "hotfix", By: access.Stated("ann")})
	must(err)
	if !s.until(10*time.Minute, s.started) {
		t.Fatal("it does not come in")
	}
	first := s.watch.environment("production").Rollout.Release.Content
	next := firstContent()
	next.level = "debug"
	s.repo.commit("env/preview", next.files())
	s.run(20 * time.Minute)
	if got := s.watch.environment("production").Rollout.Release.Content; got != first {
		t.Error("another content came in with it")
	}
	sound(t, s)
}
