package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/reconciler/journal/bolt"
	"mooring.dev/reconciler/rollout"
)

// stop asks the daemon to end, and wants it gone by itself, in time, at 0.
func (s *killStage) stop() time.Duration {
	s.t.Helper()
	began := time.Now()
	if err := s.daemon.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	late := time.AfterFunc(stopLimit, func() { _ = s.daemon.Process.Kill() })
	err := s.daemon.Wait()
	late.Stop()
	took := time.Since(began)
	_ = s.log.Close()
	s.daemon = nil
	if err != nil {
		s.t.Fatalf("stopped after %s: %v", took, err)
	}
	return took
}

// control puts another mooring.yaml on the control branch.
func (s *killStage) control(text string) {
	s.t.Helper()
	work := s.path("shop")
	s.git("-C", work, "checkout", "-q", "main")
	s.write("shop/mooring.yaml", text)
	s.git("-C", work, "commit", "-qam", "pipeline")
	s.git("-C", work, "push", "-q", "origin", "main")
	s.git("-C", work, "checkout", "-q", "env/preview")
}

// rollouts are what the journal of a stopped daemon says of its rollout, each
// with its place among the daemons that wrote it.
func (s *killStage) rollouts() (byDaemon [][]rollout.State) {
	s.t.Helper()
	store, err := bolt.Open(s.path("state/journal.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer store.Close()
	for rec, err := range store.Records(s.t.Context(), 0) {
		if err != nil {
			s.t.Fatal(err)
		}
		if rec.Lease != nil {
			byDaemon = append(byDaemon, nil)
		}
		if rec.Rollout != nil {
			byDaemon[len(byDaemon)-1] = append(byDaemon[len(byDaemon)-1], *rec.Rollout)
		}
	}
	return byDaemon
}

// TestLesson47StopInMidRollout is lesson 47: asked to end in a stage, while fifty
// people watch, somebody sends half a request and a receiver does not answer,
// the daemon ends by itself within 25 s; the journal says where it was, and the
// next start goes on in the same stage with the time it has held.
func TestLesson47StopInMidRollout(t *testing.T) {
	t.Parallel()
	s := newKillStage(t)
	asked := make(chan struct{}, 100)
	over := make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-over // it never answers
	}))
	t.Cleanup(func() { close(over); receiver.Close() })
	stages := "stages: [{weight: 30, hold: 6s}, {weight: 100, hold: 1s}], analysis: {onUndecided: proceed, maxHold: 1s}"
	pipeline := strings.Replace(killPipeline, "rollout_stages", stages, 1) + "  receivers:\n    default: {webhook: {url: \"" + receiver.URL + "\"}}\n"
	s.control(pipeline)
	s.begin()
	s.await(s.head())
	b, err := builds()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s.point(b, "checkout", "1.1")
	commit := s.push("checkout 1.1")
	s.awaitHeld(2)
	s.control(pipeline + "  unheard: of\n") // which is told to the receiver
	select {
	case <-asked:
	case <-time.After(30 * time.Second):
		t.Fatal("the receiver was never asked")
	}
	s.watchers(50)
	took := s.stop()
	t.Logf("stopped after %s", took)

	written := s.rollouts()
	left := written[len(written)-1][len(written[len(written)-1])-1]
	if left.Phase != rollout.Shift || left.Stage != 0 || !left.Reached || left.Elapsed < 2*time.Second {
		t.Fatalf("the journal ends in phase %s, stage %d, held %s", left.Phase, left.Stage, left.Elapsed)
	}
	s.control(pipeline)
	s.begin()
	s.await(commit)
	s.stop()
	written = s.rollouts()
	for i, state := range written[len(written)-1] {
		if state.Phase == rollout.Shift && state.Stage == 0 && state.Elapsed < left.Elapsed {
			t.Errorf("record %d after the start: the stage has held %s, and had %s before", i, state.Elapsed, left.Elapsed)
		}
	}
	first := written[len(written)-1][0]
	if first.Release != left.Release || first.Phase != rollout.Shift {
		t.Errorf("the next start goes on with phase %s of another release", first.Phase)
	}
	s.judge(began, b)
	s.routed(began, 2)
}

// TestStopInMidApply: a write that AWS does not answer is left, and taken up
// again by the next start: whether it took hold is looked at.
func TestStopInMidApply(t *testing.T) {
	t.Parallel()
	s := newKillStage(t)
	s.begin()
	s.await(s.head())
	b, err := builds()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	slow, err := s.box.Faults.Add(sandbox.Rule{Operation: "UpdateFunctionCode*", Actor: "mooring", Effect: sandbox.Effect{Latency: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	s.point(b, "checkout", "1.1")
	commit := s.push("checkout 1.1")
	s.poll("the write is under way", func() bool { return s.box.Faults.Met(slow) > 0 })
	t.Logf("stopped after %s", s.stop())
	s.box.Faults.Clear()
	s.begin()
	s.await(commit)
	t.Logf("stopped at rest after %s", s.stop())
	s.judge(began, b)
}

// awaitHeld returns when the first stage has held for so many seconds.
func (s *killStage) awaitHeld(seconds int64) {
	s.t.Helper()
	s.poll("the first stage holds", func() bool {
		e, err := s.status()
		return err == nil && e.Rollout.Stage == 1 && e.Rollout.Weight == 30 && e.Rollout.ElapsedSeconds >= seconds
	})
}

func (s *killStage) poll(what string, yes func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if yes() {
			return
		}
	}
	s.t.Fatalf("within a minute it never was that %s", what)
}

// watchers open streams of events and do not read them, and one sends half a
// request.
func (s *killStage) watchers(streams int) {
	s.t.Helper()
	request := "GET /api/v1/events HTTP/1.1\r\nHost: " + s.listen + "\r\n\r\n"
	half := "POST /api/v1/environments/preview/holds HTTP/1.1\r\nHost: " + s.listen + "\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
	for i := range streams + 1 {
		conn, err := net.Dial("tcp", s.listen)
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { _ = conn.Close() })
		if i == streams {
			request = half
		}
		if _, err := conn.Write([]byte(request)); err != nil {
			s.t.Fatal(err)
		}
		if i == streams {
			continue
		}
		if _, err := conn.Read(make([]byte, 64)); err != nil { // it is open
			s.t.Fatal(err)
		}
	}
}

// routed wants so many moves of checkout's alias.
func (s *killStage) routed(since time.Time, want int) {
	s.t.Helper()
	moves := []string{}
	for _, c := range s.box.Calls(since) {
		if c.Actor.AccessKey == "mooring" && strings.HasPrefix(c.Operation, "UpdateAlias") && c.Status < 300 {
			moves = append(moves, fmt.Sprint(c.Params["functionVersion"], weights(s.t, c)))
		}
	}
	if len(moves) != want {
		s.t.Errorf("the alias moved %d times, want %d: %v", len(moves), want, moves)
	}
}

// Waiting for what runs has an end, and says so.
func TestEndedGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	stuck := make(chan struct{})
	defer close(stuck)
	if err := ended(ctx, time.Millisecond, func() error { <-stuck; return nil }); err == nil {
		t.Error("what never ends ended")
	}
	fault := errors.New("lost")
	if err := ended(t.Context(), time.Hour, func() error { return fault }); !errors.Is(err, fault) {
		t.Errorf("%v, want what ended it", err)
	}
}
