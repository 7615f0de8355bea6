package reconciler

import (
	"context"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// mutants are deliberate faults in what the daemon builds on. A simulation
// that lets one live would not notice the daemon making the same mistake.
func mutants() []mutant {
	return append(append(policyMutants(), platformMutants()...), journalMutants()...)
}

// evaluatorFunc is an evaluator by a function.
type evaluatorFunc func(context.Context, policy.Point, policy.Input) (policy.Decision, error)

func (f evaluatorFunc) Evaluate(ctx context.Context, p policy.Point, in policy.Input) (policy.Decision, error) {
	return f(ctx, p, in)
}

func policyMutants() []mutant {
	return []mutant{
		{name: "policy fails open", evaluator: func(e policy.Evaluator) policy.Evaluator {
			return evaluatorFunc(func(ctx context.Context, p policy.Point, in policy.Input) (policy.Decision, error) {
				d, err := e.Evaluate(ctx, p, in)
				if err != nil {
					d.Outcome, d.Default = policy.Allow, true
				}
				return d, nil
			})
		}},
		{name: "decisions are not recorded", evaluator: func(e policy.Evaluator) policy.Evaluator {
			return evaluatorFunc(func(ctx context.Context, p policy.Point, in policy.Input) (policy.Decision, error) {
				d, err := e.Evaluate(ctx, p, in)
				d.Record = nil
				return d, err
			})
		}},
		{name: "a receiver's refusal counts as delivered", notifier: func(n notify.Notifier) notify.Notifier { return deafNotifier{n} }},
	}
}

type deafNotifier struct{ notify.Notifier }

func (n deafNotifier) Notify(ctx context.Context, e notify.Event) error {
	_ = n.Notifier.Notify(ctx, e) // the mutant
	return nil
}

// wrapped is a provider whose calls can be bent; nil members change nothing.
type wrapped struct {
	*tapped
	survey  func(context.Context, []manifest.Resource) (providers.Inventory, error)
	observe func(context.Context, ...manifest.Resource) (map[manifest.Ref]providers.Live, error)
	put     func(context.Context, providers.Change) (providers.Receipt, error)
	route   func(context.Context, providers.Change, providers.Routing) (providers.Receipt, error)
}

func (w *wrapped) Survey(ctx context.Context, want []manifest.Resource) (providers.Inventory, error) {
	if w.survey != nil {
		return w.survey(ctx, want)
	}
	return w.tapped.Survey(ctx, want)
}

func (w *wrapped) Observe(ctx context.Context, want ...manifest.Resource) (map[manifest.Ref]providers.Live, error) {
	if w.observe != nil {
		return w.observe(ctx, want...)
	}
	return w.tapped.Observe(ctx, want...)
}

func (w *wrapped) Put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	if w.put != nil {
		return w.put(ctx, c)
	}
	return w.tapped.Put(ctx, c)
}

func (w *wrapped) Route(ctx context.Context, c providers.Change, to providers.Routing) (providers.Receipt, error) {
	if w.route != nil {
		return w.route(ctx, c, to)
	}
	return w.tapped.Route(ctx, c, to)
}

func platformMutants() []mutant {
	return []mutant{
		{name: "guards are ignored", provider: ignoreGuards},
		{name: "a failed question is read as absence", provider: failedIsAbsent},
		{name: "a partial listing is called complete", provider: partialIsComplete},
		{name: "what was asked for is shown as done", provider: askedIsDone},
		{name: "traffic asked for is shown as moved", provider: askedIsRouted},
		{name: "everything found is said to be ours", provider: allIsOurs},
	}
}

// ignoreGuards writes over whatever is there now.
func ignoreGuards(t *tapped) providers.Provider {
	w := &wrapped{tapped: t}
	w.put = func(ctx context.Context, c providers.Change) (providers.Receipt, error) {
		planned := c
		planned.Guard = t.s.platform.Guard(name(c.Resource))
		done := t.s.watch.write(write{t: t, op: "put", res: c.Resource, ref: c.Resource.Ref, guard: c.Guard, release: c.Release, fields: append(append([]string{}, c.Fields...), c.Remove...), whole: c.Fields == nil})
		defer func() { done() }()
		return t.Provider.Put(ctx, planned)
	}
	return w
}

func failedIsAbsent(t *tapped) providers.Provider {
	w := &wrapped{tapped: t}
	w.survey = func(ctx context.Context, want []manifest.Resource) (providers.Inventory, error) {
		inv, err := t.Survey(ctx, want)
		for ref := range inv.Errors {
			delete(inv.Errors, ref)
			inv.Live[ref] = providers.Live{SeenAt: inv.At}
		}
		return inv, err
	}
	w.observe = func(ctx context.Context, want ...manifest.Resource) (map[manifest.Ref]providers.Live, error) {
		seen, _ := t.Observe(ctx, want...)
		for _, res := range want {
			if _, ok := seen[res.Ref]; !ok {
				seen[res.Ref] = providers.Live{SeenAt: t.s.real}
			}
		}
		return seen, nil
	}
	return w
}

func partialIsComplete(t *tapped) providers.Provider {
	return &wrapped{tapped: t, survey: func(ctx context.Context, want []manifest.Resource) (providers.Inventory, error) {
		inv, err := t.Survey(ctx, want)
		inv.Complete = true
		return inv, err
	}}
}

// askedIsDone shows every resource as it was last asked to be, whatever became
// of the call.
func askedIsDone(t *tapped) providers.Provider {
	asked := map[manifest.Ref]providers.Spec{}
	w := &wrapped{tapped: t}
	w.put = func(ctx context.Context, c providers.Change) (providers.Receipt, error) {
		if spec, err := t.Canonical(c.Resource, c.Bindings); err == nil && c.Fields == nil {
			asked[c.Resource.Ref] = spec
		}
		r, _ := t.Put(ctx, c)
		return r, nil
	}
	show := func(seen map[manifest.Ref]providers.Live) {
		for ref, spec := range asked {
			if live, ok := seen[ref]; ok && !live.Exists {
				live.Exists, live.Spec = true, spec
				live.Owner = providers.Owner{Pipeline: "shop", Environment: t.env, Resource: ref.String()}
				seen[ref] = live
			}
		}
	}
	w.survey = func(ctx context.Context, want []manifest.Resource) (providers.Inventory, error) {
		inv, err := t.Survey(ctx, want)
		show(inv.Live)
		return inv, err
	}
	w.observe = func(ctx context.Context, want ...manifest.Resource) (map[manifest.Ref]providers.Live, error) {
		seen, err := t.Observe(ctx, want...)
		show(seen)
		return seen, err
	}
	return w
}

// askedIsRouted shows traffic where it was sent, also where the call failed:
// the clock of a stage starts before anything moved.
func askedIsRouted(t *tapped) providers.Provider {
	asked := map[manifest.Ref]providers.Routing{}
	w := &wrapped{tapped: t}
	w.route = func(ctx context.Context, c providers.Change, to providers.Routing) (providers.Receipt, error) {
		asked[c.Resource.Ref] = to
		r, _ := t.Route(ctx, c, to)
		return r, nil
	}
	show := func(seen map[manifest.Ref]providers.Live) {
		for ref, to := range asked {
			if live, ok := seen[ref]; ok && live.Exists {
				live.Routing = to
				seen[ref] = live
			}
		}
	}
	w.survey = func(ctx context.Context, want []manifest.Resource) (providers.Inventory, error) {
		inv, err := t.Survey(ctx, want)
		show(inv.Live)
		return inv, err
	}
	w.observe = func(ctx context.Context, want ...manifest.Resource) (map[manifest.Ref]providers.Live, error) {
		seen, err := t.Observe(ctx, want...)
		show(seen)
		return seen, err
	}
	return w
}

// allIsOurs adopts without asking: what carries no tags is shown with ours.
func allIsOurs(t *tapped) providers.Provider {
	w := &wrapped{tapped: t}
	claim := func(seen map[manifest.Ref]providers.Live) {
		for ref, live := range seen {
			if live.Exists && live.Owner == (providers.Owner{}) {
				live.Owner = providers.Owner{Pipeline: "shop", Environment: t.env, Resource: ref.String()}
				seen[ref] = live
			}
		}
	}
	w.survey = func(ctx context.Context, want []manifest.Resource) (providers.Inventory, error) {
		inv, err := t.Survey(ctx, want)
		claim(inv.Live)
		return inv, err
	}
	w.observe = func(ctx context.Context, want ...manifest.Resource) (map[manifest.Ref]providers.Live, error) {
		seen, err := t.Observe(ctx, want...)
		claim(seen)
		return seen, err
	}
	w.put = func(ctx context.Context, c providers.Change) (providers.Receipt, error) {
		c.Adopt = true
		return t.Put(ctx, c)
	}
	return w
}

// bent is a store whose appends can be bent before they are written. Bodies
// are changed in place: the daemon believes what it wrote.
type bent struct {
	journal.Store
	before  func(*journal.Record)
	swallow bool
}

func (b bent) Append(ctx context.Context, fence journal.Fence, recs ...journal.Record) error {
	for i := range recs {
		if b.before != nil {
			b.before(&recs[i])
		}
	}
	err := b.Store.Append(ctx, fence, recs...)
	if b.swallow {
		return nil
	}
	return err
}

func bend(name string, f func(s *simulation) func(*journal.Record)) mutant {
	return mutant{name: name, store: func(st journal.Store, s *simulation) journal.Store { return bent{Store: st, before: f(s)} }}
}

func journalMutants() []mutant {
	return []mutant{
		{name: "journal errors are swallowed", store: func(st journal.Store, _ *simulation) journal.Store { return bent{Store: st, swallow: true} }},
		bend("what is applied is not remembered", func(*simulation) func(*journal.Record) {
			return func(r *journal.Record) {
				if r.Fact != nil {
					*r.Fact = record.Fact{Ref: r.Fact.Ref, Release: r.Fact.Release, At: r.Fact.At, Gone: true}
				}
			}
		}),
		bend("quarantine is forgotten", func(*simulation) func(*journal.Record) {
			return func(r *journal.Record) {
				if r.Quarantine != nil {
					r.Quarantine.Key = record.Key{}
				}
			}
		}),
		bend("holds end at once", func(*simulation) func(*journal.Record) {
			return func(r *journal.Record) {
				if r.Hold != nil {
					r.Hold.Until = r.Hold.Since
				}
			}
		}),
		bend("intents are not written", func(*simulation) func(*journal.Record) {
			return func(r *journal.Record) {
				if r.Intent != nil {
					r.Intent.Ref.Name += "-other"
				}
			}
		}),
		bend("every stage passes", func(*simulation) func(*journal.Record) {
			return func(r *journal.Record) {
				if r.Rollout != nil && r.Rollout.Phase == rollout.Shift {
					for i := range r.Rollout.Functions {
						f := &r.Rollout.Functions[i]
						f.LogE, f.LogSafe, f.Staged.Calls, f.Guarded = -100, 100, 1000, true
						clear(f.Stakes[:])
					}
				}
			}
		}),
		bend("a stage's clock runs on the wall", stageOnTheWall),
		bend("a soak's clock runs on the wall", soakOnTheWall),
		bend("alerts go to nobody", func(*simulation) func(*journal.Record) {
			return func(r *journal.Record) {
				if r.Alert != nil {
					r.Alert.Receivers = nil
				}
			}
		}),
		bend("what an operator did is put back", func(*simulation) func(*journal.Record) {
			return func(r *journal.Record) {
				if r.Drift != nil && r.Drift.Response == record.HoldIt {
					r.Drift.Response = record.Revert
				}
			}
		}),
	}
}

// stageOnTheWall counts a stage by the daemon's clock, downtime and jumps
// included.
func stageOnTheWall(s *simulation) func(*journal.Record) {
	type stage struct {
		digest string
		number int
	}
	begun := map[stage]time.Time{}
	return func(r *journal.Record) {
		if r.Rollout == nil || r.Rollout.Phase != rollout.Shift {
			return
		}
		at := stage{r.Environment + r.Rollout.Release.Digest, r.Rollout.Stage}
		if _, ok := begun[at]; !ok {
			begun[at] = s.now()
		}
		r.Rollout.Elapsed = s.now().Sub(begun[at])
	}
}

func soakOnTheWall(s *simulation) func(*journal.Record) {
	begun := map[string]time.Time{}
	return func(r *journal.Record) {
		if r.Soak == nil {
			return
		}
		at := r.Environment + r.Soak.Release
		if _, ok := begun[at]; !ok {
			begun[at] = s.now()
		}
		r.Soak.Elapsed = s.now().Sub(begun[at])
	}
}

// TestMutantsAreCaught runs the simulation against each mutant until an
// invariant or the convergence fails.
func TestMutantsAreCaught(t *testing.T) {
	if mutantSeeds == 0 {
		t.Skip("run without the race detector")
	}
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= mutantSeeds; seed++ {
				if s := runSeed(seed, m, nil); !s.watch.ok() {
					t.Logf("seed %d: %s", seed, s.watch.broken[0][:min(240, len(s.watch.broken[0]))])
					return
				}
			}
			t.Errorf("lives through %d seeds", mutantSeeds)
		})
	}
}
