package plan

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// shop is a small shell around Make, on the memory platform: it looks, acts
// and remembers, a pass at a time, the way the daemon does.
type shop struct {
	platform *memory.Platform
	provider *memory.Provider
	now      time.Time
	in       Input // everything but what a look brings
	failing  map[manifest.Ref]bool
	partial  bool
	acted    []Step
	known    map[string]*manifest.Release // by digest
	fault    func(op string, ref manifest.Ref) error
}

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const pipelineID = "shop"

func newShop(o memory.Options) *shop {
	s := &shop{now: start, failing: map[manifest.Ref]bool{}, known: map[string]*manifest.Release{}}
	o.Now = func() time.Time { return s.now }
	o.Partial = func() bool { return s.partial }
	o.Inject = func(op string, ref manifest.Ref) error {
		if op == "look" && s.failing[ref] {
			return errors.New("access denied to look")
		}
		if s.fault != nil {
			return s.fault(op, ref)
		}
		return nil
	}
	s.platform = memory.New(o)
	s.provider = s.platform.Environment(pipelineID, "production")
	s.in = Input{
		Pipeline: pipelineID, Environment: manifest.Environment{Name: "production", Drift: manifest.DriftPolicy{Response: "revert"}},
		Applied: map[manifest.Ref]record.Fact{}, Items: map[string]record.DriftItem{}, Rounds: map[string]int{},
		Wrote: map[manifest.Ref]string{}, Parked: map[manifest.Ref]record.Outcome{},
	}
	return s
}

// base is the release every scenario starts from.
func base(t testing.TB) map[string]string {
	t.Helper()
	data, err := os.ReadFile("testdata/shop.base")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range txtar.Parse(data).Files {
		files[f.Name] = string(f.Data)
	}
	return files
}

// render makes a release of files, named by commit.
func render(t testing.TB, files map[string]string, commit string) *manifest.Release {
	t.Helper()
	tree := fstest.MapFS{}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	p, err := manifest.LoadPipeline(tree)
	if err != nil {
		t.Fatalf("pipeline: %v", err)
	}
	docs, err := new(manifest.Loader).Load(tree, manifest.LoadOptions{})
	if err != nil {
		t.Fatalf("load %s: %v", commit, err)
	}
	rel, err := manifest.Render(docs, p, "production", commit)
	if err != nil {
		t.Fatalf("render %s: %v", commit, err)
	}
	return rel
}

// target makes a release the one to be in force, and starts its rollout.
func (s *shop) target(rel *manifest.Release) {
	s.in.Previous, s.in.Target, s.in.Surveys = s.in.Target, rel, 0
	s.known[rel.Digest] = rel
	s.look()
	stages := []manifest.Stage{{Weight: 10}, {Weight: 100}}
	if s.in.Previous == nil || Blind(s.input()) != "" {
		stages = stages[1:]
	}
	s.in.Rollout = rollout.State{
		Release: record.Release{Digest: rel.Digest, Commit: rel.Commit}, Stable: s.in.Rollout.Release,
		Phase: rollout.Expand, Functions: Changing(s.input()), Stages: stages, Cause: "commit",
	}
}

// input is the world as this pass knows it.
func (s *shop) input() Input {
	in := s.in
	in.Now = s.now
	in.Specs = map[manifest.Ref]providers.Spec{}
	if in.Target == nil {
		return in
	}
	inv, err := s.provider.Survey(context.Background(), in.Target.Resources)
	if err != nil {
		inv = providers.Inventory{At: s.now, Errors: map[manifest.Ref]error{{}: err}}
	}
	in.Inventory = inv
	b := providers.Bindings{}
	for ref, live := range inv.Live {
		if live.Exists {
			b[ref] = live.Attributes
		}
	}
	for _, res := range in.Target.Resources {
		spec, err := s.provider.Canonical(res, b)
		if live := inv.Live[res.Ref]; live.Exists && Speaks(res.Ref.Kind) {
			b[res.Ref] = Attributes(in.Target, res.Ref, live, spec)
		}
		if err == nil {
			in.Specs[res.Ref] = spec
		}
	}
	return in
}

// look is one look a minute after the last, and the plan it gives.
func (s *shop) look() Plan {
	s.now = s.now.Add(time.Minute)
	in := s.input()
	if in.Inventory.Complete {
		s.in.Surveys++
	} else {
		s.in.Surveys = 0
	}
	in.Surveys = s.in.Surveys
	return Make(in)
}

// learn remembers what a plan found, and lets the catalogue decide.
func (s *shop) learn(p Plan) {
	for _, f := range p.Facts {
		s.in.Applied[f.Ref] = f
		delete(s.in.Wrote, f.Ref)
	}
	for _, id := range p.Resolved {
		delete(s.in.Items, id)
	}
	for _, item := range p.Items {
		s.in.Items[item.ID] = item
	}
}

// decide takes the catalogue's answer for every confirmed item.
func (s *shop) decide() {
	for id, item := range s.in.Items {
		if item.Confirmed() && item.Response == "" {
			item.Response = item.Default
			s.in.Items[id] = item
		}
	}
}

// act makes the steps of a plan, each journaled before.
func (s *shop) act(p Plan) error {
	var errs []error
	ctx := context.Background()
	for _, step := range p.Steps {
		s.in.Wrote[step.Ref] = step.Change.Release
		if f, ok := s.in.Applied[step.Ref]; ok && step.Operation == Create {
			f.Identity = "" // as the journal's fold has it
			s.in.Applied[step.Ref] = f
		}
		for _, id := range step.Items {
			s.in.Rounds[id]++
		}
		s.acted = append(s.acted, step)
		var err error
		switch step.Operation {
		case Create, Update:
			_, err = s.provider.Put(ctx, step.Change)
		case Publish:
			_, _, err = s.provider.Publish(ctx, step.Change)
		case Route:
			_, err = s.provider.Route(ctx, step.Change, step.Routing)
		case Delete:
			_, err = s.provider.Delete(ctx, step.Change.Resource, step.Change.Guard)
		case Detach:
			_, err = s.provider.Detach(ctx, step.Change.Resource, step.Extra)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// pass is look, remember, decide, act, and the rollout's next phase.
func (s *shop) pass() (Plan, error) {
	p := s.look()
	s.learn(p)
	s.decide()
	err := s.act(p)
	if len(p.Steps) == 0 {
		s.advance(p)
	}
	return p, err
}

// advance moves the rollout on as if every check had passed.
func (s *shop) advance(p Plan) bool {
	in := s.in
	next, moved := ahead(in, p)
	s.in.Rollout = next.Rollout
	return moved
}

// converge passes until nothing moves; it fails when that does not end.
func (s *shop) converge(t testing.TB) {
	t.Helper()
	quiet := 0
	for range 200 {
		phase := s.in.Rollout.Phase
		p, err := s.pass()
		if err != nil {
			t.Logf("pass: %v", err)
		}
		if len(p.Steps) == 0 && len(p.Facts) == 0 && phase == s.in.Rollout.Phase {
			quiet++
		} else {
			quiet = 0
		}
		if quiet == 3 {
			return
		}
	}
	t.Fatalf("it does not converge:\n%s", show(s.look()))
}

// name is the platform's name of a declared or formerly declared resource.
func (s *shop) name(ref manifest.Ref) memory.Name {
	for _, rel := range []*manifest.Release{s.in.Target, s.in.Previous} {
		if rel == nil {
			continue
		}
		if res, ok := rel.Resource(ref); ok {
			return memory.NameOf(res)
		}
	}
	if foreignKind(ref.Kind) {
		return memory.Name{Kind: ref.Kind, Physical: ref.Name}
	}
	name, key, _ := strings.Cut(ref.Name, ".")
	return memory.Name{Kind: ref.Kind, Physical: "production-" + name, Key: key}
}

// show is a plan for people.
func show(p Plan) string {
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "step  %s %s (%s)%s%s\n", s.Operation, s.Ref, s.Cause, flags(s.Risk), guarded(s))
		showFields(&b, s)
	}
	for _, ref := range p.Adopt {
		fmt.Fprintf(&b, "adopt %s\n", ref)
	}
	for _, f := range p.Facts {
		fmt.Fprintf(&b, "fact  %s%s%s\n", f.Ref, text(" gone", f.Gone), text(" at version "+f.Version, f.Version != ""))
	}
	for _, i := range p.Items {
		fmt.Fprintf(&b, "drift %s %s: %s -> %s; seen %d, %s, by default %s%s%s%s%s\n", i.Ref, strings.TrimSpace(i.Path+" "+string(i.Kind)), or(i.Declared), or(i.Live),
			i.Seen, i.Severity, i.Default, text(", decided "+string(i.Response), i.Response != ""), text(", open", i.Open), text(", breaks the contract", i.Contract), text(" ("+i.Reason+")", i.Reason != ""))
	}
	for range p.Resolved {
		fmt.Fprintf(&b, "resolved\n")
	}
	for _, w := range p.Waits {
		fmt.Fprintf(&b, "wait  %s for %s: %s%s\n", w.Ref, w.For, w.Why, refs(w.Refs))
	}
	for _, h := range p.Holds {
		fmt.Fprintf(&b, "hold  %s on %s: %s\n", h.Kind, h.Scope.Ref, h.Reason)
	}
	for _, ref := range p.Stale {
		fmt.Fprintf(&b, "stale %s\n", ref)
	}
	g := p.Signal
	fmt.Fprintf(&b, "signal%s%s%s%s\n", text(" ready", g.Ready), text(" routed", g.Routed), text(" foreign: "+g.Foreign, g.Foreign != ""), text(" impossible: "+g.Impossible, g.Impossible != ""))
	for _, ref := range slices.SortedFunc(maps.Keys(g.Versions), manifest.Ref.Compare) {
		fmt.Fprintf(&b, "       %s is version %s\n", ref, g.Versions[ref])
	}
	return b.String()
}

func showFields(b *strings.Builder, s Step) {
	if s.Operation == Create {
		fmt.Fprintf(b, "        %d fields\n", len(s.Fields))
		return
	}
	for _, f := range s.Fields {
		fmt.Fprintf(b, "        %s: %s -> %s\n", f.Path, or(f.Before), or(f.After))
	}
}

func guarded(s Step) string {
	if s.Change.Guard == "" {
		return " unguarded"
	}
	return ""
}

func flags(risk []string) string {
	if len(risk) == 0 {
		return ""
	}
	return " [" + strings.Join(risk, " ") + "]"
}

func refs(list []manifest.Ref) string {
	if len(list) == 0 {
		return ""
	}
	return fmt.Sprintf(" %v", list)
}

func text(s string, on bool) string {
	if !on {
		return ""
	}
	return s
}

func or(s string) string {
	if s == "" {
		return "nothing"
	}
	if len(s) > 40 {
		return s[:37] + "…"
	}
	return s
}

func ref(text string) manifest.Ref {
	r, err := manifest.ParseRef(text)
	if err != nil {
		panic(err)
	}
	return r
}

func replaced(t testing.TB, text, from, to string) string {
	t.Helper()
	if !strings.Contains(text, from) {
		t.Fatalf("no %q to replace", from)
	}
	return strings.Replace(text, from, to, 1)
}
