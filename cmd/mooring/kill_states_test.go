package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/providers/aws/sandbox/wire"
	"mooring.dev/reconciler/web"
)

// killState is a state of a rollout to be killed in.
type killState struct {
	name string
	// bring leads there from a release that moves.
	bring func(s *killStage, since time.Time)
	// after says what remains once the daemon is back; nil: nothing.
	after func(s *killStage, since time.Time)
	back  bool // it ends at the release before
}

// killStates are those that no single call stands for, beside those of
// TestLesson41KilledUnderTraffic.
var killStates = []killState{
	{name: "asking", bring: (*killStage).asking},
	{name: "paused", bring: (*killStage).pausing, after: (*killStage).pausedStill},
	{name: "rolled back on its way", bring: func(s *killStage, since time.Time) { s.returning(since, "rollback") }, back: true},
}

// TestLesson41KilledInAState kills the real program with SIGKILL where it waits for
// something, starts it again, and wants the end it would have come to.
func TestLesson41KilledInAState(t *testing.T) {
	t.Parallel()
	b, err := builds()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range killStates {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := newKillStage(t)
			s.begin()
			first := s.head()
			s.await(first)
			began := time.Now()
			s.point(b, "checkout", "1.1")
			s.amend("shop/functions/checkout.yaml", `  rollout: {analysis: {postTraffic: {name: order, invoke: {function: checkout, payload: {ping: true}, expect: {$.ok: true}}}}}`)
			end := s.push("checkout 1.1")
			k.bring(s, began)
			s.end()
			s.box.Faults.Clear()
			s.begin()
			if k.after != nil {
				k.after(s, time.Now())
			}
			if k.back {
				s.awaitBack(began)
			} else {
				s.await(end)
			}
			s.judge(began, b)
		})
	}
}

// asking: the last stage has held, and the post-traffic check is not answered.
func (s *killStage) asking(since time.Time) {
	s.fault(sandbox.Rule{Operation: "Invoke*", Actor: "mooring", Effect: sandbox.Effect{Status: 503, Code: "ServiceException"}})
	s.awaitCall(boundary{operation: "Invoke*"}, since)
	if got := s.routings(since); len(weights(s.t, got[len(got)-1])) != 0 {
		s.t.Fatalf("it asks before all of the traffic has moved: %v", got[len(got)-1].Params)
	}
}

func (s *killStage) fault(r sandbox.Rule) {
	s.t.Helper()
	if _, err := s.box.Faults.Add(r); err != nil {
		s.t.Fatal(err)
	}
}

// pausing: a person holds it at its first stage.
func (s *killStage) pausing(since time.Time) {
	s.awaitRoutings(since, 1)
	s.say("rollout", "pause", "--until", "1h")
}

// pausedStill lets the daemon look longer than the stage lasts, and lets it go
// on.
func (s *killStage) pausedStill(since time.Time) {
	looks := func() (n int) {
		for _, c := range s.box.Calls(since) {
			if c.Operation == "GetMetricData" {
				n++
			}
		}
		return n
	}
	for deadline := time.Now().Add(40 * time.Second); looks() < 5; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatal("a paused release is not looked at")
		}
	}
	e, err := s.status()
	if err != nil || !strings.Contains(e.Rollout.Paused, "because") || len(s.routings(since)) != 0 {
		s.t.Errorf("started again it is in %s, paused %q, with %d routings: %v", e.Rollout.Phase, e.Rollout.Paused, len(s.routings(since)), err)
	}
	s.say("rollout", "resume")
}

// returning: a person's word, and the call that moves traffic back fails.
func (s *killStage) returning(since time.Time, word ...string) {
	s.awaitRoutings(since, 1)
	s.fault(sandbox.Rule{Operation: "UpdateAlias*", Actor: "mooring", Effect: sandbox.Effect{Status: 503, Code: "ServiceException"}})
	s.say(word...)
	s.awaitCall(boundary{operation: "UpdateAlias*"}, since)
}

// say has a person say a word to the daemon, by the program.
func (s *killStage) say(word ...string) {
	s.t.Helper()
	program, err := exec.LookPath("mooring")
	if err != nil {
		s.t.Fatal(err)
	}
	args := append(word, "--environment", "preview", "--reason", "because", "--server", "http://"+s.listen)
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		s.t.Fatalf("mooring %v: %v\n%s", args, err, out)
	}
}

// awaitBack polls until the daemon is at rest with traffic back.
func (s *killStage) awaitBack(since time.Time) {
	s.t.Helper()
	var e web.EnvironmentStatus
	var err error
	for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if e, err = s.status(); err == nil && e.Rollout.Phase == "" && len(s.routings(since)) == 2 {
			break
		}
	}
	got := s.routings(since)
	if len(got) != 2 || text(got[1].Params["functionVersion"]) != "1" || e.Rollout.Phase != "" {
		s.t.Errorf("%d routings, the last %v; it is in %q, %v", len(got), last(got).Params, e.Rollout.Phase, err)
	}
}

func last(calls []wire.Call) wire.Call {
	if len(calls) == 0 {
		return wire.Call{}
	}
	return calls[len(calls)-1]
}

// amend adds a line to a file.
func (s *killStage) amend(name, line string) {
	s.t.Helper()
	data, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(name, string(data)+line+"\n")
}
