package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
	"pgregory.net/rapid"
)

// The releases a simulated repository goes through.
func variants(t testing.TB) []*manifest.Release {
	t.Helper()
	v1 := base(t)
	edit := func(files map[string]string, file, from, to string) map[string]string {
		files = maps.Clone(files)
		if !strings.Contains(files[file], from) {
			t.Fatalf("%s has no %q", file, from)
		}
		files[file] = strings.Replace(files[file], from, to, 1)
		return files
	}
	code := edit(v1, "mailer.yaml", "sha256:22", "sha256:33")
	both := edit(edit(code, "checkout.yaml", "sha256:11", "sha256:44"), "queues.yaml", "visibilityTimeout: 60", "visibilityTimeout: 30")
	rights := edit(edit(v1, "checkout.yaml", "Sid: orders", "Sid: other"), "checkout.yaml", "reservedConcurrentExecutions: 50", "reservedConcurrentExecutions: 20")
	wider := edit(v1, "queues.yaml", "visibilityTimeout: 60", "visibilityTimeout: 200")
	noMailer := maps.Clone(v1)
	delete(noMailer, "mailer.yaml")
	noTrigger := edit(edit(v1, "checkout.yaml", "  triggers:\n    orders: {queue: Queue/orders, batchSize: 10}\n", ""), "checkout.yaml", "timeout: 10", "timeout: 20")
	more := maps.Clone(v1)
	more["more.yaml"] = "apiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: more}\nspec: {}\n"
	var out []*manifest.Release
	for i, files := range []map[string]string{v1, code, both, rights, wider, noMailer, noTrigger, more} {
		out = append(out, render(t, files, fmt.Sprintf("v%d", i+1)))
	}
	return out
}

// judgeable is what a promise is broken to: a test or a property.
type judgeable interface {
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

// hands are what people do to the cloud.
var hands = []func(h memory.Hand, s *shop) error{
	func(h memory.Hand, s *shop) error {
		return h.Set(s.name(ref("Function/checkout")), "environment.LOG_LEVEL", `"debug"`)
	},
	func(h memory.Hand, s *shop) error {
		return h.Set(s.name(ref("Function/checkout")), "environment.EXTRA", `"x"`)
	},
	func(h memory.Hand, s *shop) error {
		return h.Set(s.name(ref("Function/mailer")), "code", `"sha256:evil"`)
	},
	func(h memory.Hand, s *shop) error {
		return h.Set(s.name(ref("Function/mailer")), "memorySize", "4096")
	},
	func(h memory.Hand, s *shop) error {
		return h.Set(s.name(ref("Queue/orders")), "visibilityTimeout", "7")
	},
	func(h memory.Hand, s *shop) error {
		return h.Set(s.name(ref("Concurrency/checkout")), "reservedConcurrentExecutions", "0")
	},
	func(h memory.Hand, s *shop) error {
		return h.Set(s.name(ref("Role/checkout")), `statement["admin"]`, `{"Action":"*"}`)
	},
	func(h memory.Hand, s *shop) error {
		return h.Set(s.name(ref("Trigger/checkout.orders")), "enabled", "false")
	},
	func(h memory.Hand, s *shop) error { return h.Remove(s.name(ref("Permission/checkout.partner"))) },
	func(h memory.Hand, s *shop) error { return h.Remove(s.name(ref("Alias/mailer.live"))) },
	func(h memory.Hand, s *shop) error { return h.Remove(s.name(ref("Function/mailer"))) },
	func(h memory.Hand, s *shop) error {
		return h.Add(s.name(ref("Permission/checkout.anyone")), map[string]string{"principal": `"*"`})
	},
	func(h memory.Hand, s *shop) error {
		return h.Point("production-mailer", "live", providers.Routing{Version: "1"})
	},
	func(h memory.Hand, s *shop) error {
		return h.Own(s.name(ref("Function/mailer")), providers.Owner{Pipeline: "else", Environment: "production", Resource: "Function/mailer"})
	},
}

// TestPlanKeepsItsPromises throws commits, hands, faults, holds and failed
// questions at the planner, checks every plan it makes, and then lets it
// settle.
func TestPlanKeepsItsPromises(t *testing.T) {
	releases := variants(t)
	rapid.Check(t, func(rt *rapid.T) {
		s := newShop(memory.Options{
			Settle: time.Duration(rapid.IntRange(0, 2).Draw(rt, "settle")) * 45 * time.Second,
			Stale:  time.Duration(rapid.IntRange(0, 1).Draw(rt, "stale")) * 30 * time.Second,
		})
		if err := s.platform.Manual("setup").Add(memory.Name{Kind: manifest.KindSecret, Physical: "shop/stripe"}, nil); err != nil {
			rt.Fatal(err)
		}
		s.now = s.now.Add(time.Hour)
		s.target(releases[0])
		for range rapid.IntRange(5, 40).Draw(rt, "passes") {
			disturb(rt, s, releases)
			p := s.look()
			checkPlan(rt, s, p)
			s.learn(p)
			s.decide()
			if p.Signal.Impossible != "" {
				s.rollBack()
				continue
			}
			_ = s.act(p) // injected faults are the point; what took hold is seen by the next look
			if len(p.Steps) == 0 {
				s.advance(p)
			}
		}
		calm(s)
		settle(rt, s)
	})
}

// TestEveryEffectMayFail makes a release in which every single effect fails
// once, before and after it took hold, and wants the same end each time.
func TestEveryEffectMayFail(t *testing.T) {
	releases := variants(t)
	for _, when := range []string{":before", ":after"} {
		for failing := 0; ; failing++ {
			s := newShop(memory.Options{Settle: 20 * time.Second})
			if err := s.platform.Manual("setup").Add(memory.Name{Kind: manifest.KindSecret, Physical: "shop/stripe"}, nil); err != nil {
				t.Fatal(err)
			}
			effects := 0
			s.fault = func(op string, _ manifest.Ref) error {
				if !strings.HasSuffix(op, when) {
					return nil
				}
				if effects++; effects == failing+1 {
					return errors.New("lost")
				}
				return nil
			}
			s.in.Approved = true
			s.target(releases[0])
			settle(t, s)
			for _, rel := range []*manifest.Release{releases[2], releases[5]} {
				s.target(rel)
				settle(t, s)
			}
			if effects <= failing {
				if failing < 25 {
					t.Errorf("only %d effects: the sweep sees too little", failing)
				}
				break
			}
		}
	}
}

// disturb is one thing that happens between two passes.
func disturb(rt *rapid.T, s *shop, releases []*manifest.Release) {
	s.fault = nil
	clear(s.failing)
	s.partial = false
	switch rapid.IntRange(0, 11).Draw(rt, "event") {
	case 0:
		s.commit(releases[rapid.IntRange(0, len(releases)-1).Draw(rt, "release")])
	case 1:
		_ = hands[rapid.IntRange(0, len(hands)-1).Draw(rt, "hand")](s.platform.Manual("eve"), s) // some have nothing to act on
	case 2:
		s.failing[s.anyRef(rt, "blind")] = true
	case 3:
		s.partial = true
	case 4:
		s.in.Holds = []record.Hold{{ID: "h", Owner: "ann", Reason: "why", Scope: record.HoldScope{Ref: s.anyRef(rt, "held")}}}
	case 5:
		s.in.Holds = nil
	case 6:
		s.rollBack()
	case 7:
		s.in.Observing = !s.in.Observing
	case 8, 9:
		when := rapid.SampledFrom([]string{":before", ":after"}).Draw(rt, "when")
		s.fault = func(op string, _ manifest.Ref) error {
			if strings.HasSuffix(op, when) {
				return errors.New("lost")
			}
			return nil
		}
	}
}

func (s *shop) anyRef(rt *rapid.T, label string) manifest.Ref {
	all := s.in.Target.Resources
	return all[rapid.IntRange(0, len(all)-1).Draw(rt, label)].Ref
}

// commit is a newly admitted release; one in mid-shift goes back first, as
// the rollout does.
func (s *shop) commit(rel *manifest.Release) {
	if rel == s.in.Target || s.in.Rollout.Phase == rollout.Back || s.in.Rollout.Phase == rollout.Shift {
		return
	}
	stable := s.in.Rollout.Stable
	moving := s.in.Rollout.Phase == rollout.Expand
	s.target(rel)
	if moving {
		s.in.Rollout.Stable = stable
	}
}

// rollBack gives up the moving release.
func (s *shop) rollBack() {
	r := &s.in.Rollout
	stable := s.known[r.Stable.Digest]
	if r.Phase == rollout.Idle || r.Phase == rollout.Back || stable == nil {
		return
	}
	r.Phase, r.Weight = rollout.Back, 0
	s.in.Previous, s.in.Target, s.in.Surveys = s.in.Target, stable, 0
}

// calm ends all disturbance: faults, holds, suspension, other owners.
func calm(s *shop) {
	s.fault, s.partial, s.in.Holds, s.in.Observing, s.in.Approved = nil, false, nil, false, true
	clear(s.failing)
	name := s.name(ref("Function/mailer"))
	if _, ok := s.platform.Fields(name); ok {
		_ = s.platform.Manual("ann").Own(name, providers.Owner{Pipeline: pipelineID, Environment: "production", Resource: "Function/mailer", Release: "r"})
	}
	s.in.Environment.Drift.Rounds = 1000
}

// settle lets everything be put back and checks that live is as declared.
func settle(rt judgeable, s *shop) {
	var p Plan
	quiet := 0
	for range 150 {
		p = s.look()
		checkPlan(rt, s, p)
		s.learn(p)
		for id, item := range s.in.Items {
			if item.Confirmed() {
				item.Response = record.Revert // a person wants Git everywhere
				s.in.Items[id] = item
			}
		}
		if p.Signal.Impossible != "" {
			if s.rollBack(); s.in.Rollout.Phase != rollout.Back {
				s.in.Rollout.Phase = rollout.Expand // a first deployment, tried again by a person
			}
			continue
		}
		_ = s.act(p)
		if p.Signal.Foreign != "" {
			for _, f := range s.in.Rollout.Functions {
				_ = s.platform.Manual("ann").Point("production-"+f.Ref.Name, "live", providers.Routing{Version: f.Stable})
			}
		}
		if len(p.Steps) > 0 {
			continue
		}
		quiet++
		if s.advance(p) || len(p.Facts)+len(p.Items) > 0 || s.in.Rollout.Phase != rollout.Idle {
			quiet = 0
		}
		if quiet == 3 && len(p.Stale) > 0 {
			// Nothing that serves carries what is in force any more: the shell
			// makes the release once more.
			s.target(s.in.Target)
			quiet = 0
		}
		if quiet == 3 {
			break
		}
	}
	in := s.input()
	if len(p.Steps) > 0 || s.in.Rollout.Phase != rollout.Idle {
		rt.Fatalf("no end in phase %q:\n%s", s.in.Rollout.Phase, show(p))
	}
	for _, res := range in.Target.Resources {
		live := in.Inventory.Live[res.Ref]
		if !live.Exists || live.Spec.Digest != in.Specs[res.Ref].Digest {
			rt.Fatalf("%s is not as declared in the end:\n%s", res.Ref, show(p))
		}
		if alias := in.Target.Functions[res.Ref].Alias; alias != (manifest.Ref{}) {
			serving := live.Published[in.Inventory.Live[alias].Routing.Version]
			if serving.Snapshot != in.Specs[res.Ref].Snapshot {
				rt.Fatalf("%s serves version %+v, which is not what is declared", res.Ref, serving)
			}
		}
	}
	if len(in.Inventory.Orphans) > 0 {
		rt.Fatalf("left over: %v", slices.Collect(maps.Keys(in.Inventory.Orphans)))
	}
}
