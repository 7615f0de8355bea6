package reconciler

import (
	"context"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/trace"
	"mooring.dev/reconciler/web"
)

// TestALineSaysWhichPassItIsOf, and which trace that is part of where there is
// one; what a person has done says by which request; and a quiet pass says
// nothing.
func TestALineSaysWhichPassItIsOf(t *testing.T) {
	for _, traced := range []bool{false, true} {
		s := newSimulation(1, memory.Options{}, mutant{}, "preview")
		sha := s.repo.commit("env/preview", firstContent().files())
		core, logged := observer.New(zap.InfoLevel)
		s.generation++
		s.jumps++
		o := s.options()
		o.Log = zap.New(core)
		if traced {
			o.Tracer = trace.New(&works{}, s.now)
		}
		s.startWith(t, o)
		s.watch.restarted()
		settled(t, s)
		passes := map[string]bool{}
		for _, line := range logged.FilterField(zap.String("environment", "preview")).All() {
			said := line.ContextMap()
			pass, _ := said["pass"].(string)
			if pass == "" || strings.Count(pass, "-") != 1 {
				t.Errorf("%q is of pass %q", line.Message, pass)
			}
			passes[pass] = true
			if id, ok := said["trace"]; ok != traced || ok && id != trace.Of("preview", sha).TraceID() {
				t.Errorf("%q is of trace %v", line.Message, id)
			}
		}
		if len(passes) < 3 {
			t.Errorf("only the passes %v say anything", passes)
		}
		s.run(5 * 60e9)
		before := logged.Len()
		s.run(5 * 60e9)
		if said := logged.All()[before:]; len(said) != 0 {
			t.Errorf("passes in which nothing happened say %v", said)
		}
		e := s.d.environment("preview")
		done := make(chan error, 1)
		go func() {
			_, err := s.d.Hold(web.WithRequest(context.Background(), "REQ1"), web.HoldRequest{Environment: "preview", Reason: "lunch", For: 3600e9, By: access.Stated("ann")})
			done <- err
		}()
		a := <-e.inbox
		a.done <- e.perform(context.Background(), act{request: a.request, do: func(ctx context.Context, e *environment) error {
			e.log.Info("acting")
			return a.do(ctx, e)
		}})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		e.log.Info("after")
		for message, want := range map[string]any{"acting": "REQ1", "after": nil} {
			if got := logged.FilterMessage(message).All()[0].ContextMap()["request"]; got != want {
				t.Errorf("%s is of request %v", message, got)
			}
		}
		sound(t, s)
	}
}
