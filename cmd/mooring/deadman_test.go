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

// goesDead is a release in whose canary the daemon dies.
type goesDead struct {
	first, second func(s *killStage, b shopBuilds) // what is declared, and what changes
	operation     string                           // what moves its traffic
	on            func(c wire.Call) string         // the version a move leads to alone, or ""
}

var deadDaemons = map[string]goesDead{
	"function": {
		first: func(s *killStage, b shopBuilds) {
			check(s.t, copyShop("shop/environment", s.path("shop")))
			for _, f := range []string{"checkout", "fulfil", "catalog"} {
				s.point(b, f, "1.0")
			}
		},
		second:    func(s *killStage, b shopBuilds) { s.point(b, "checkout", "1.1") },
		operation: "UpdateAlias",
		on:        func(c wire.Call) string { return text(c.Params["functionVersion"]) },
	},
	"workflow": {
		first:     func(s *killStage, _ shopBuilds) { s.write("shop/flow.yaml", aWorkflow("first")) },
		second:    func(s *killStage, _ shopBuilds) { s.write("shop/flow.yaml", aWorkflow("second")) },
		operation: "UpdateStateMachineAlias",
		on: func(c wire.Call) string {
			if list, _ := c.Params["routingConfiguration"].([]any); len(list) == 1 {
				arn := text(list[0].(map[string]any)["stateMachineVersionArn"])
				return arn[strings.LastIndexByte(arn, ':')+1:]
			}
			return ""
		},
	},
}

func aWorkflow(comment string) string {
	return "apiVersion: mooring.dev/v1\nkind: Workflow\nmetadata: {name: order}\nspec:\n" +
		"  definition: {StartAt: Note, States: {Note: {Type: Pass, Comment: " + comment + ", End: true}}}\n  role: {statements: []}\n"
}

// TestDeadDaemon kills the real program in its canary and lets time pass at
// AWS: traffic is back with no daemon there. The one that comes back says what
// happened and keeps the release from beginning again, until a person lets it.
func TestDeadDaemon(t *testing.T) {
	t.Parallel()
	for name, c := range deadDaemons {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.play(t)
		})
	}
}

func (c goesDead) play(t *testing.T) {
	b, err := builds()
	check(t, err)
	s := openStage(t)
	s.furnish()
	s.repository("stages: [{weight: 30, hold: 10m}], analysis: {onUndecided: hold}, deadman: {role: Role/deadman, after: 5m}", func(string) {
		c.first(s, b)
		s.write("shop/deadman.yaml", deadmanRole(t))
	})
	s.box.EnforcePolicies(true)
	s.begin()
	s.await(s.head())
	if n := s.counted("CreateSchedule", time.Time{}); n != 0 {
		t.Errorf("%d switches for a first deployment", n)
	}
	began := time.Now()
	c.second(s, b)
	s.push("the second")
	s.poll("the release moves traffic", func() bool { return len(s.moves(c.operation, began)) == 1 })
	s.until("the weight in place", func(e web.EnvironmentStatus) bool { return e.Rollout.Weight == 30 && e.Rollout.ElapsedSeconds > 0 })
	s.end()
	if created, pushed := s.counted("CreateSchedule", began), s.counted("UpdateSchedule", began); created != 1 || pushed != 0 {
		t.Errorf("%d switches written, %d put off within seconds", created, pushed)
	}
	s.box.Advance(6 * time.Minute)
	s.poll("traffic is back", func() bool { return len(s.moves(c.operation, began)) >= 2 })
	if m := last(s.moves(c.operation, began)); c.on(m) != "1" || !strings.Contains(m.Actor.Name, "assumed-role/preview-deadman/") {
		t.Errorf("%s moved traffic: %v", m.Actor.Name, m.Params)
	}
	s.begin()
	e := s.until("at rest", func(e web.EnvironmentStatus) bool { return e.Rollout.Phase == "" && len(e.Holds) > 0 })
	if len(e.Holds) != 1 || e.Holds[0].Kind != "deadman" || !strings.Contains(e.Holds[0].Reason, "nobody looked after the release for 5m") || len(e.Drift) != 0 {
		t.Errorf("holds %+v, differences %v", e.Holds, e.Drift)
	}
	if n := len(s.moves(c.operation, began)); n != 2 {
		t.Errorf("%d moves of traffic", n)
	}
	if out := s.told("history", "--environment", "preview"); !strings.Contains(out, "took traffic back to version 1") {
		t.Errorf("history says nothing of it:\n%s", out)
	}
	s.told("resume", "--environment", "preview", e.Holds[0].ID)
	s.poll("traffic moves again", func() bool { return len(s.moves(c.operation, began)) > 2 })
}

// moves are everybody's moves of aliases that took hold, in order.
func (s *killStage) moves(operation string, since time.Time) (out []wire.Call) {
	for _, c := range s.box.Calls(since) {
		if strings.HasPrefix(c.Operation, operation) && c.Status < 300 {
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
