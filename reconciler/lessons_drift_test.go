package reconciler

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// TestLesson64AFunctionDeletedByHandComesBack: it is told and held, since what it
// held may be gone for good, and what feeds it stays; once a person says so it is
// made again with its configuration and its alias on the same code, and nothing
// else is touched.
func TestLesson64AFunctionDeletedByHandComesBack(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	function := s.function("preview", "checkout")
	before, _ := s.platform.Fields(function)
	served := s.platform.Versions("preview-checkout")[s.platform.Routing("preview-checkout", "live").Version]
	others := map[memory.Name]map[string]string{}
	for _, n := range s.platform.Names() {
		if !strings.HasPrefix(n.Physical, "preview-checkout") || n.Kind == manifest.KindTrigger {
			others[n], _ = s.platform.Fields(n)
		}
	}
	must(s.platform.Manual("alice").Remove(function))
	calls, written := len(s.platform.Calls()), s.mutations()
	s.run(10 * time.Minute)
	if holds := sorted(s.watch.environment("preview").Holds); s.mutations() != written || len(holds) != 1 || holds[0].Scope.Ref != checkout {
		t.Errorf("%d calls before anybody said so, holds %+v", s.mutations()-written, holds)
	}
	if n := s.alerts("drift", "firing"); n == 0 {
		t.Error("nobody is told")
	}
	if err := s.ask("preview", func(ctx context.Context, d *Daemon) error {
		return d.Resume(ctx, web.ResumeRequest{Environment: "preview", By: access.Stated("bob")})
	}); err != nil {
		t.Fatal(err)
	}
	settled(t, s)
	if after, lives := s.platform.Fields(function); !lives || !maps.Equal(after, before) {
		t.Errorf("it was %v and is %v", before, after)
	}
	now := s.platform.Routing("preview-checkout", "live")
	if got := s.platform.Versions("preview-checkout")[now.Version]; now.Canary != "" || got == "" || got != served {
		t.Errorf("the alias is at %+v, which is %s; it served %s", now, got, served)
	}
	for n, fields := range others {
		if now, _ := s.platform.Fields(n); !maps.Equal(now, fields) {
			t.Errorf("%v was %v and is %v", n, fields, now)
		}
	}
	for _, c := range s.platform.Calls()[calls:] {
		if c.Op == "delete" || c.Op == "detach" || c.Environment != "" && (c.Ref.Kind == manifest.KindQueue || c.Ref.Kind == manifest.KindTrigger) {
			t.Errorf("%s %s", c.Op, c.Ref)
		}
	}
	last := map[string]string{}
	for _, e := range s.received["default"] {
		last[e.Fingerprint] = e.Status
	}
	for fingerprint, status := range last {
		if status != "resolved" {
			t.Errorf("alert %s is %s in the end", fingerprint, status)
		}
	}
	sound(t, s)
}

// TestLesson49WhatFailsDelaysNobody: fifty functions that were changed by hand and
// cannot be put back cost the one that can be no time.
func TestLesson49WhatFailsDelaysNobody(t *testing.T) {
	const many = 50
	took := func(failing bool) time.Duration {
		s := newSimulation(1, memory.Options{}, mutant{}, "preview")
		files := firstContent().files()
		for i := range many {
			name := fmt.Sprintf("f%02d", i)
			files[name+".yaml"] = functionYAML(name, code(100+i)) + "  role: {arn: \"arn:aws:iam::111111111111:role/mailer\"}\n"
		}
		s.repo.commit("env/preview", files)
		s.restart()
		settled(t, s)
		refused := 0
		if failing {
			s.inject = func(op string, ref manifest.Ref) error {
				if op == "put:before" && strings.HasPrefix(ref.Name, "f") {
					refused++
					return providers.Errorf(providers.Transient, "the service does not answer")
				}
				return nil
			}
			for i := range many {
				must(s.platform.Manual("alice").Set(s.function("preview", fmt.Sprintf("f%02d", i)), "handler", `"other"`))
			}
		}
		var all time.Duration
		for n := range 2 { // a third time would be a fight
			s.run(time.Duration(5+n) * time.Minute)
			began := s.real
			must(s.platform.Manual("bob").Set(s.function("preview", "checkout"), "handler", `"other"`))
			back := func() bool {
				fields, _ := s.platform.Fields(s.function("preview", "checkout"))
				return fields["handler"] != `"other"`
			}
			for !back() && s.real.Sub(began) < time.Hour {
				s.turn(true)
				s.advance(time.Second)
			}
			all += s.real.Sub(began)
		}
		if failing && refused < 3*many {
			t.Errorf("only %d writes failed", refused)
		}
		sound(t, s)
		return all
	}
	alone, beside := took(false), took(true)
	t.Logf("alone in %v, beside %d that fail in %v", alone, many, beside)
	if alone == 0 || beside > alone+alone/5 {
		t.Errorf("alone in %v, beside %d that fail in %v", alone, many, beside)
	}
}

// TestLesson49DriftBesideAReleaseThatIsStuck: a release of which one resource
// cannot be written, however long, keeps no drift on the others: it is put back
// as ever, and the release comes into force once the write gets through.
func TestLesson49DriftBesideAReleaseThatIsStuck(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	stuck := true
	s.inject = func(op string, ref manifest.Ref) error {
		if op == "put:before" && ref == checkout && stuck {
			return providers.Errorf(providers.Transient, "the service does not answer")
		}
		return nil
	}
	k := firstContent()
	k.checkout = code(9)
	s.repo.commit("env/preview", k.files())
	s.run(5 * time.Minute)
	hand := s.platform.Manual("alice")
	queue, mailer, anyone := memory.Name{Kind: manifest.KindQueue, Physical: "preview-orders"}, s.function("preview", "mailer"), memory.Name{Kind: manifest.KindPermission, Physical: "preview-mailer", Key: "open"}
	trigger := memory.Name{Kind: manifest.KindTrigger, Physical: "preview-checkout", Key: "orders"}
	must(hand.Set(queue, "visibilityTimeout", "7"))
	must(hand.Set(mailer, "handler", `"other"`))
	must(hand.Add(anyone, map[string]string{"principal": `"*"`, "action": `"lambda:InvokeFunction"`}))
	must(hand.Remove(trigger))
	back := func() bool {
		fields, _ := s.platform.Fields(queue)
		function, _ := s.platform.Fields(mailer)
		_, open := s.platform.Fields(anyone)
		_, feeds := s.platform.Fields(trigger)
		return fields["visibilityTimeout"] == "60" && function["handler"] == `"bootstrap"` && !open && feeds
	}
	if !s.until(5*time.Minute, back) {
		t.Errorf("drift waits for a release that is stuck: %v", s.open())
	}
	if ro := s.watch.environment("preview").Rollout; ro.Phase != rollout.Expand {
		t.Errorf("the release is %q", ro.Phase)
	}
	stuck = false
	settled(t, s)
	sound(t, s)
}

// TestDriftThatIsRefusedEndsNoRelease: what cannot be put back for good is told,
// and the release that has nothing to do with it comes into force.
func TestDriftThatIsRefusedEndsNoRelease(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	stuck := true
	s.inject = func(op string, ref manifest.Ref) error {
		switch {
		case op == "put:before" && ref.Name == "orders" && ref.Kind == manifest.KindQueue:
			return providers.Errorf(providers.Denied, "not allowed to write it")
		case op == "put:before" && ref == checkout && stuck:
			return providers.Errorf(providers.Transient, "the service does not answer")
		}
		return nil
	}
	k := firstContent()
	k.checkout = code(9)
	sha := s.repo.commit("env/preview", k.files())
	s.run(time.Minute)
	must(s.platform.Manual("alice").Set(memory.Name{Kind: manifest.KindQueue, Physical: "preview-orders"}, "visibilityTimeout", "7"))
	s.run(10 * time.Minute)
	if st := s.watch.environment("preview"); len(st.Parked) != 1 || len(st.Quarantine) != 0 || st.Rollout.Phase != rollout.Expand {
		t.Fatalf("parked %v, quarantine %v, %s", st.Parked, st.Quarantine, st.Rollout.Phase)
	}
	stuck = false
	if !s.until(10*time.Minute, func() bool {
		ro := s.watch.environment("preview").Rollout
		return ro.Phase == rollout.Idle && ro.Release.Commit == sha
	}) {
		t.Errorf("the release is not in force: %+v", s.watch.environment("preview").Rollout)
	}
	sound(t, s)
}
