package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
	"mooring.dev/reconciler/web"
)

// deadmanRole is the role of the switches, as docs/security.md declares it.
func deadmanRole(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "### The role of the dead man's switch")
	_, rest, found := strings.Cut(rest, "```yaml\n")
	role, _, ends := strings.Cut(rest, "```")
	if !ok || !found || !ends {
		t.Fatal("docs/security.md declares no role of the switch")
	}
	return role
}

// TestDeadDaemon kills the real program in its canary and lets time pass at
// AWS: traffic is back with no daemon there. The one that comes back says what
// happened and keeps the release from beginning again, until a person lets it.
func TestDeadDaemon(t *testing.T) {
	t.Parallel()
	b, err := builds()
	if err != nil {
		t.Fatal(err)
	}
	s := openStage(t)
	s.furnish()
	s.repository("stages: [{weight: 30, hold: 10m}], analysis: {onUndecided: hold}, deadman: {role: Role/deadman, after: 5m}", func(work string) {
		if err := copyShop("shop/environment", work); err != nil {
			t.Fatal(err)
		}
		s.write("shop/deadman.yaml", deadmanRole(t))
		for _, f := range []string{"checkout", "fulfil", "catalog"} {
			s.point(b, f, "1.0")
		}
	})
	s.box.EnforcePolicies(true)
	s.begin()
	s.await(s.head())
	if n := s.counted("CreateSchedule", time.Time{}); n != 0 {
		t.Errorf("%d switches for a first deployment", n)
	}
	began := time.Now()
	s.point(b, "checkout", "1.1")
	s.push("checkout 1.1")
	s.awaitRoutings(began, 1)
	s.until("the weight in place", func(e web.EnvironmentStatus) bool { return e.Rollout.Weight == 30 && e.Rollout.ElapsedSeconds > 0 })
	s.end()
	if created, pushed := s.counted("CreateSchedule", began), s.counted("UpdateSchedule", began); created != 1 || pushed != 0 {
		t.Errorf("%d switches written, %d put off within seconds", created, pushed)
	}
	s.box.Advance(6 * time.Minute)
	for deadline := time.Now().Add(20 * time.Second); len(s.moves(began)) < 2; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody took traffic back")
		}
	}
	if c := last(s.moves(began)); text(c.Params["functionVersion"]) != "1" || !strings.Contains(c.Actor.Name, "assumed-role/preview-deadman/") {
		t.Errorf("%s moved traffic: %v", c.Actor.Name, c.Params)
	}
	s.begin()
	e := s.until("at rest", func(e web.EnvironmentStatus) bool { return e.Rollout.Phase == "" && len(e.Holds) > 0 })
	if len(e.Holds) != 1 || e.Holds[0].Kind != "deadman" || !strings.Contains(e.Holds[0].Reason, "nobody looked after the release for 5m") || len(e.Drift) != 0 {
		t.Errorf("holds %+v, differences %v", e.Holds, e.Drift)
	}
	if n := len(s.moves(began)); n != 2 {
		t.Errorf("%d moves of traffic", n)
	}
	if out := s.told("history", "--environment", "preview"); !strings.Contains(out, "took traffic back to version 1") {
		t.Errorf("history says nothing of it:\n%s", out)
	}
	s.told("resume", "--environment", "preview", e.Holds[0].ID)
	s.awaitRoutings(began, 2)
}

// moves are everybody's moves of aliases that took hold, in order.
func (s *killStage) moves(since time.Time) (out []wire.Call) {
	for _, c := range s.box.Calls(since) {
		if strings.HasPrefix(c.Operation, "UpdateAlias") && c.Status < 300 {
			out = append(out, c)
		}
	}
	return out
}

// counted is how many calls of an operation took hold since.
func (s *killStage) counted(operation string, since time.Time) (n int) {
	for _, c := range s.box.Calls(since) {
		if c.Operation == operation && c.Status < 300 {
			n++
		}
	}
	return n
}

// told is what the program says to a person.
func (s *killStage) told(args ...string) string {
	s.t.Helper()
	program, err := exec.LookPath("mooring")
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := exec.Command(program, append(args, "--server", "http://"+s.listen)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("mooring %v: %v\n%s", args, err, out)
	}
	return string(out)
}
