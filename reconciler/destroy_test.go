package reconciler

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// destruction is what the watcher holds a removal against that somebody wished
// for: a wish in the journal, an environment the pipeline does not have, tags,
// listings, and that nothing invokes any more.
func (w *watcher) destruction(env string, st *journal.Environment, c write) {
	wish, open := destroying(st)
	control := w.s.repo.commits[w.s.repo.branches["main"]].Tree
	p, err := manifest.LoadPipeline(control)
	must(err)
	if _, declared := p.Environment(env); declared || !open {
		w.fail(8, "%s destroys %s: in the pipeline %v, wished for %v", env, c.ref, declared, open)
	}
	if o := w.s.platform.Owner(name(c.res)); w.s.platform.Guard(name(c.res)) != "" && (o.Environment != env || o.Resource != c.ref.String()) {
		w.fail(8, "%s destroys %s, owned by %+v", env, c.ref, o)
	}
	if n := w.at(env).complete; n < 2 {
		w.fail(8, "%s destroys %s after %d complete listings", env, c.ref, n)
	}
	if c.ref.Kind == manifest.KindQueue && wish.To != withData {
		w.fail(8, "%s destroys %s, which holds state, and nobody wished for that", env, c.ref)
	}
	for _, n := range w.s.platform.Names() {
		if n.Kind == manifest.KindTrigger && strings.HasPrefix(n.Physical, env+"-") {
			w.fail(8, "%s destroys %s while %s still invokes", env, c.ref, n)
		}
	}
}

// named are what lives of an environment but what is only checked, sorted.
func (s *simulation) lives(env string) []string {
	var out []string
	for _, n := range s.platform.Names() {
		if strings.HasPrefix(n.Physical, env+"-") {
			out = append(out, n.Kind+"/"+strings.TrimPrefix(n.Physical, env+"-"))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// abandoned is a pipeline of two that stands as declared, and then has only the
// first.
func abandoned(t *testing.T) *simulation {
	t.Helper()
	s := begin(t, memory.Options{}, mutant{}, "preview", "production")
	settled(t, s)
	s.repo.commit("main", controlFiles("allow", "preview"))
	s.run(time.Minute)
	return s
}

func wishOf(who access.Person, data bool) func(context.Context, *Daemon) error {
	return func(ctx context.Context, d *Daemon) error {
		return d.Destroy(ctx, web.DestroyRequest{Environment: "production", Confirm: "production", Reason: "moved away", Data: data, By: who})
	}
}

func (s *simulation) gone() bool {
	_, open := destroying(s.watch.environment("production"))
	return !open
}

// TestDestroy: what is left of an environment goes, what invokes first, and what
// holds data only when that was wished for too; nothing else is touched; and put
// back, the environment is made anew.
func TestDestroy(t *testing.T) {
	for name, restarts := range map[string]bool{"in one go": false, "killed after every pass": true} {
		t.Run(name, func(t *testing.T) {
			s := abandoned(t)
			before, queues := s.lives("preview"), []string{"Queue/audit", "Queue/orders", "Queue/orders-dlq"}
			if err := s.ask("production", wishOf(access.Stated("ada"), false)); err != nil {
				t.Fatal(err)
			}
			s.destroyed(t, restarts)
			want(t, "left of production", s.lives("production"), queues...)
			want(t, "preview", s.lives("preview"), before...)
			if st := s.watch.environment("production"); len(st.Applied) > 0 || len(st.Intents) > 0 {
				t.Errorf("remembered as there: %v, under way: %v", st.Applied, st.Intents)
			}
			if told := s.d.History("production", 100); !slices.ContainsFunc(told, func(e web.Event) bool { return strings.Contains(e.Text, "what is left of it is kept: Queue/audit") }) {
				t.Errorf("history does not say what was kept: %v", told)
			}
			if s.alerts("orphaned", "resolved") == 0 {
				t.Error("it is still told as orphaned")
			}
			if err := s.ask("production", wishOf(access.Stated("ada"), true)); err != nil {
				t.Fatal(err)
			}
			s.destroyed(t, restarts)
			want(t, "left with the queues gone", s.lives("production"))
			s.repo.commit("main", s.control("allow"))
			s.refresh()
			settled(t, s)
			sound(t, s)
		})
	}
}

// destroyed lets the simulation run until no wish is open.
func (s *simulation) destroyed(t *testing.T, restarts bool) {
	t.Helper()
	fresh := 0 // surveys since something was taken away
	s.inject = func(op string, _ manifest.Ref) error {
		switch what, when, _ := strings.Cut(op, ":"); {
		case op == "survey":
			fresh++
		case (what == "delete" || what == "detach") && when == "after":
			fresh = 0
		}
		return nil
	}
	for end := s.real.Add(20 * time.Minute); !s.gone(); {
		if s.real.After(end) || !s.watch.ok() {
			t.Fatalf("not destroyed: %v, left %v", s.watch.broken, s.lives("production"))
		}
		s.turn(true)
		if restarts {
			s.restart()
			s.refresh()
		}
		s.advance(5 * time.Second)
	}
	if fresh == 0 {
		t.Error("it ended without a survey that saw it gone")
	}
	s.run(5 * time.Minute)
}

// TestDestroyRefuses: nobody but an admin, nothing that mooring.yaml has, nothing
// unconfirmed.
func TestDestroyRefuses(t *testing.T) {
	s := abandoned(t)
	ada := access.Stated("ada")
	operator := access.Person{Name: "bob", Grants: []access.Grant{{Role: access.Operator}}}
	for name, r := range map[string]web.DestroyRequest{
		"in mooring.yaml": {Environment: "preview", Confirm: "preview", Reason: "x", By: ada}, "unknown": {Environment: "prod", Confirm: "prod", Reason: "x", By: ada},
		"unconfirmed": {Environment: "production", Reason: "x", By: ada}, "another confirmed": {Environment: "production", Confirm: "preview", Reason: "x", By: ada},
		"no reason": {Environment: "production", Confirm: "production", By: ada}, "an operator": {Environment: "production", Confirm: "production", Reason: "x", By: operator},
	} {
		err := s.ask(r.Environment, func(ctx context.Context, d *Daemon) error { return d.Destroy(ctx, r) })
		var refused *access.Refusal
		if err == nil || errors.As(err, &refused) != (name == "an operator") {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := s.ask("production", func(ctx context.Context, d *Daemon) error {
		_, err := d.Destruction(ctx, "production", false, operator)
		return err
	})
	if err == nil || !s.gone() {
		t.Errorf("an operator looks: %v", err)
	}
	sound(t, s)
}

// TestDestroyWaits: a suspended environment is left alone, so is what carries
// somebody else's tags; a refusal for good is told; and the preview says so.
func TestDestroyWaits(t *testing.T) {
	s := abandoned(t)
	ada, mailer := access.Stated("ada"), memory.Name{Kind: manifest.KindFunction, Physical: "production-mailer"}
	must(s.platform.Manual("eve").Own(mailer, providers.Owner{Pipeline: "other", Environment: "production", Resource: "Function/mailer"}))
	do := func(f func(ctx context.Context, d *Daemon) error) {
		t.Helper()
		if err := s.ask("production", f); err != nil {
			t.Fatal(err)
		}
	}
	do(func(ctx context.Context, d *Daemon) error {
		_, err := d.Hold(ctx, web.HoldRequest{Environment: "production", Reason: "wait", For: time.Hour, By: ada, Suspend: true})
		return err
	})
	do(wishOf(ada, true))
	all := s.lives("production")
	s.run(10 * time.Minute)
	want(t, "while suspended", s.lives("production"), all...)
	if status := s.orphan(); status.State != "held" || !strings.Contains(status.Reason, "suspended") || len(status.Holds) != 1 {
		t.Errorf("suspended, it shows %+v", status)
	}
	var out web.Destruction
	do(func(ctx context.Context, d *Daemon) (err error) {
		out, err = d.Destruction(ctx, "production", true, ada)
		return err
	})
	if kept := slices.IndexFunc(out.Keeps, func(k web.Spared) bool { return k.Resource == "Function/mailer" }); kept < 0 || !out.Begun || out.Deletes[0].Resource != "Trigger/checkout.orders" {
		t.Errorf("the preview: %+v", out)
	}
	s.inject = func(op string, ref manifest.Ref) error {
		if op == "delete:before" && ref.Name == "audit" {
			return providers.Errorf(providers.Denied, "not authorized to perform sqs:DeleteQueue")
		}
		return nil
	}
	do(func(ctx context.Context, d *Daemon) error {
		return d.Resume(ctx, web.ResumeRequest{Environment: "production", By: ada})
	})
	s.run(10 * time.Minute)
	want(t, "refused", s.lives("production"), "Alias/mailer", "Function/mailer", "Queue/audit")
	if status := s.orphan(); s.alerts(destroyFault, "firing") != 1 || status.State != "held" || !strings.Contains(status.Reason, "sqs:DeleteQueue") {
		t.Errorf("refused for good, told %d times, it shows %+v", s.alerts(destroyFault, "firing"), status)
	}
	s.repo.commit("main", s.control("allow"))
	s.run(time.Minute)
	if !s.gone() {
		t.Error("it is in the pipeline again and still being destroyed")
	}
	sound(t, s)
}

// orphan is how production is shown.
func (s *simulation) orphan() web.EnvironmentStatus {
	for _, e := range s.d.Status().Environments {
		if e.Name == "production" && e.Orphaned {
			return e
		}
	}
	return web.EnvironmentStatus{}
}

// TestWhereIsKnownBeforeItIsWritten: an environment that is taken out of the
// pipeline after its first write, and before anything of it was seen in place, can
// be destroyed all the same.
func TestWhereIsKnownBeforeItIsWritten(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview", "production")
	settled(t, s)
	placed, written := map[string]journal.Seq{}, map[string]journal.Seq{}
	for r, err := range s.store.Records(t.Context(), 0) {
		must(err)
		if _, before := placed[r.Environment]; r.Place != nil && !before {
			placed[r.Environment] = r.Seq
		}
		if _, before := written[r.Environment]; r.Intent != nil && !before {
			written[r.Environment] = r.Seq
		}
	}
	for _, env := range s.names {
		if placed[env] == 0 || written[env] < placed[env] {
			t.Errorf("%s: written in record %d, known where in %d", env, written[env], placed[env])
		}
	}
}
