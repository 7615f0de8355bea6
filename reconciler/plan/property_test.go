package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
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

// checkPlan holds a plan against the promises of the package.
func checkPlan(rt judgeable, s *shop, p Plan) {
	in := s.input()
	in.Surveys = s.in.Surveys
	before := dump(rt, in)
	again := Make(in)
	if dump(rt, in) != before {
		rt.Fatalf("Make wrote to its input")
	}
	if dump(rt, p) != dump(rt, again) {
		rt.Fatalf("the same input gave two plans:\n%s\n%s", show(p), show(again))
	}
	steps := map[manifest.Ref]bool{}
	for _, step := range p.Steps {
		if steps[step.Ref] {
			rt.Fatalf("two steps about %s", step.Ref)
		}
		steps[step.Ref] = true
		checkStep(rt, in, step)
	}
	for _, f := range p.Facts {
		checkFact(rt, in, f)
	}
	if in.Rollout.Phase == rollout.Back {
		checkTrafficFirst(rt, in, p)
	}
}

func dump(rt judgeable, v any) string {
	if in, ok := v.(Input); ok {
		in.Inventory.Errors = nil // errors do not marshal
		v = struct {
			Live    map[manifest.Ref]providers.Live
			Applied map[manifest.Ref]record.Fact
			Items   map[string]record.DriftItem
			Wrote   map[manifest.Ref]string
			Rollout rollout.State
			Specs   map[manifest.Ref]providers.Spec
			Extras  []providers.Extra
			Target  []manifest.Resource
		}{in.Inventory.Live, in.Applied, in.Items, in.Wrote, in.Rollout, in.Specs, in.Inventory.Extras, in.Target.Resources}
	}
	text, err := json.Marshal(v)
	if err != nil {
		rt.Fatal(err)
	}
	return string(text)
}

func checkStep(rt judgeable, in Input, s Step) {
	live, exists := alive(in, s)
	back := s.Cause == Rollback
	fail := func(why string) { rt.Fatalf("%s: %+v in phase %q", why, s, in.Rollout.Phase) }
	if exists && s.Change.Guard != live.Guard {
		fail("a step without the guard of what lives")
	}
	if !exists && (s.Operation == Update || s.Operation == Publish || s.Operation == Delete) {
		fail("a step about what does not live")
	}
	if in.Inventory.Errors[s.Ref] != nil {
		fail("a write about a resource whose question failed")
	}
	if !in.Inventory.Complete && !exists {
		fail("absence believed of an incomplete listing")
	}
	if live.Settling {
		fail("a write while a change is settling")
	}
	if in.Observing && !back {
		fail("a write while suspended")
	}
	for _, h := range in.Holds {
		if h.Covers(s.Ref) && h.Active(in.Now) && !back {
			fail("a write under a hold")
		}
	}
	if s.Cause == Drift {
		checkRevert(rt, in, s)
	}
	switch s.Operation {
	case Route:
		checkRoute(rt, in, s)
	case Delete:
		checkDelete(rt, in, s, live)
	case Update:
		if in.Rollout.Phase == rollout.Expand {
			checkWidening(rt, s)
		}
		if tagged(s.Ref.Kind) && live.Owner != (providers.Owner{}) && live.Owner.Pipeline != in.Pipeline {
			fail("another pipeline's resource written")
		}
	}
}

// alive is what a step is about, as the inventory has it.
func alive(in Input, s Step) (providers.Live, bool) {
	if s.Operation == Detach {
		return providers.Live{Guard: s.Extra.Guard}, true
	}
	if o, ok := in.Inventory.Orphans[s.Ref]; ok {
		return o, true
	}
	l := in.Inventory.Live[s.Ref]
	return l, l.Exists
}

// A revert touches only what drifted and was decided to be put back.
func checkRevert(rt judgeable, in Input, s Step) {
	if in.Rollout.Phase != rollout.Idle && s.Operation != Create {
		rt.Fatalf("a revert in mid-rollout: %+v", s)
	}
	allowed := map[string]bool{}
	for _, item := range in.Items {
		if item.Ref == s.Ref && item.Response == record.Revert {
			allowed[item.Path] = true
		}
	}
	if len(s.Items) == 0 && s.Operation != Publish { // a version by itself serves nobody
		rt.Fatalf("a revert that names no item: %+v", s)
	}
	for _, f := range s.Fields {
		if s.Operation == Update && !allowed[f.Path] {
			rt.Fatalf("a revert of %s, which nobody decided to put back: %+v", f.Path, s)
		}
	}
}

// No alias is ever routed to what is not published, nor forward before its
// time.
func checkRoute(rt judgeable, in Input, s Step) {
	for _, res := range in.Target.Resources {
		if res.Ref != s.Ref {
			continue
		}
		fn := in.Inventory.Live[res.Parent]
		for _, v := range []string{s.Routing.Version, s.Routing.Canary} {
			if _, ok := fn.Published[v]; v != "" && !ok && fn.Exists && in.Inventory.Errors[res.Parent] == nil {
				rt.Fatalf("routed to version %s, which is not published: %+v", v, s)
			}
		}
	}
	if in.Rollout.Phase == rollout.Expand || in.Rollout.Phase == rollout.Check {
		for _, f := range in.Rollout.Functions {
			if f.Alias == s.Ref && s.Routing != (providers.Routing{Version: f.Stable}) {
				rt.Fatalf("traffic moved before its time: %+v", s)
			}
		}
	}
}

// Deletions need every one of their conditions.
func checkDelete(rt judgeable, in Input, s Step, live providers.Live) {
	_, declared := in.Target.Resource(s.Ref)
	phase := in.Rollout.Phase
	switch {
	case declared:
		rt.Fatalf("deletes what is declared: %+v", s)
	case in.Surveys < 2 || !in.Inventory.Complete:
		rt.Fatalf("deletes without two complete listings: %+v", s)
	case live.Owner.Pipeline != in.Pipeline || live.Owner.Environment != in.Environment.Name || live.Owner.Resource != s.Ref.String():
		rt.Fatalf("deletes what it does not own: %+v", s)
	case phase != rollout.Contract && phase != rollout.Idle && phase != rollout.Back:
		rt.Fatalf("deletes in phase %q: %+v", phase, s)
	case s.Ref.Kind == manifest.KindQueue && !in.Approved:
		rt.Fatalf("deletes what holds state without approval: %+v", s)
	}
}

// Nothing is narrowed before traffic has moved.
func checkWidening(rt judgeable, s Step) {
	if s.Ref.Kind == manifest.KindFunction {
		return
	}
	if len(s.Change.Remove) > 0 {
		rt.Fatalf("takes something away in expand: %+v", s)
	}
	for _, f := range s.Fields {
		old, err1 := strconv.Atoi(f.Before)
		now, err2 := strconv.Atoi(f.After)
		if err1 == nil && err2 == nil && now < old {
			rt.Fatalf("lowers %s in expand: %+v", f.Path, s)
		}
	}
}

// A fact is what was seen: live equals declared in everything that was read.
func checkFact(rt judgeable, in Input, f record.Fact) {
	live := in.Inventory.Live[f.Ref]
	if in.Inventory.Errors[f.Ref] != nil {
		rt.Fatalf("a fact about %s, whose question failed", f.Ref)
	}
	if f.Gone {
		_, orphan := in.Inventory.Orphans[f.Ref]
		if live.Exists || orphan || !in.Inventory.Complete && !foreignKind(f.Ref.Kind) {
			rt.Fatalf("%s is said to be gone", f.Ref)
		}
		return
	}
	if !live.Exists || live.Settling || live.Failed != "" {
		rt.Fatalf("a fact about %s, which is not in place: %+v", f.Ref, live)
	}
	for path, v := range f.Fields {
		if live.Spec.Fields[path] != v {
			rt.Fatalf("a fact about %s, but %s is %s", f.Ref, path, live.Spec.Fields[path])
		}
	}
	if f.Ref.Kind == manifest.KindAlias && live.Routing != (providers.Routing{Version: f.Version}) {
		rt.Fatalf("a fact about %s at version %s, but it points at %+v", f.Ref, f.Version, live.Routing)
	}
	if f.Snapshot != "" {
		if v, ok := live.Published[f.Version]; !ok || v.Snapshot != f.Snapshot {
			rt.Fatalf("a fact about %s at version %q, which does not carry it", f.Ref, f.Version)
		}
	}
}

// In a rollback nothing is done beside traffic while traffic is not back.
func checkTrafficFirst(rt judgeable, in Input, p Plan) {
	away := false
	for _, f := range in.Rollout.Functions {
		live := in.Inventory.Live[f.Alias]
		_, declared := in.Target.Resource(f.Alias)
		_, stands := in.Inventory.Live[f.Ref].Published[f.Stable]
		there := (live.Exists || declared) && (stands || in.Inventory.Errors[f.Ref] != nil)
		away = away || f.Stable != "" && there && live.Routing != providers.Routing{Version: f.Stable}
	}
	for _, s := range p.Steps {
		if away && s.Operation != Route {
			rt.Fatalf("%s before traffic is back: %s", s.Operation, show(p))
		}
		if s.Cause != Rollback && !(s.Cause == Drift && s.Operation == Create) {
			rt.Fatalf("a step of another cause on the way back: %+v", s)
		}
	}
}
