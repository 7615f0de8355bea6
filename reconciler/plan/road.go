package plan

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// Forecast is the whole way from what lives to what is declared.
type Forecast struct {
	Steps []Step // in the order they would be made
	Holds []record.Hold
	Waits []Wait // of the last look: what still keeps it from arriving
	Adopt []manifest.Ref
	Items []record.DriftItem // of the first look
}

// Road is the planner run to its fixed point on a copy of the world: every
// step until in.Target is in force, traffic stages included, as if no hold
// stood, every approval and verdict came, and what keeps a phase from being over
// were over. Whoever judges a release has to see the deletions that would need
// approval, also while something else is in the way.
func Road(in Input) []Step { return Foresee(in).Steps }

// Foresee is Road with what the planner would hold and wait for.
func Foresee(in Input) Forecast {
	var road Forecast
	if in.Target == nil {
		return road
	}
	approved := in.Approved
	in = begin(in)
	in.users = nil
	in.atRest = map[manifest.Ref]bool{}
	holds := map[string]record.Hold{}
	bound := 8*len(in.Target.Resources) + 8*len(in.Inventory.Orphans) + 64
	phase, blocked := rollout.Phase("none yet"), false
	for pass := range bound {
		p := Make(in)
		if pass == 0 {
			road.Items = p.Items
		}
		if !approved && phase != in.Rollout.Phase {
			phase = in.Rollout.Phase
			predict(in, holds)
		}
		if !blocked {
			road.Waits = p.Waits
		}
		road.Adopt = append(road.Adopt, p.Adopt...)
		road.Steps = append(road.Steps, p.Steps...)
		in = remember(in, p)
		for _, s := range p.Steps {
			effect(&in, s)
		}
		if len(p.Steps) > 0 {
			continue
		}
		next, moved := ahead(in, p)
		if !moved && len(p.Facts) == 0 {
			if in.Rollout.Phase == rollout.Idle {
				break
			}
			blocked, next = true, past(in, p)
		}
		in = next
	}
	for _, id := range slices.Sorted(maps.Keys(holds)) {
		road.Holds = append(road.Holds, holds[id])
	}
	return road
}

// predict collects what the planner would hold without approval.
func predict(in Input, holds map[string]record.Hold) {
	in.Approved = false
	for _, h := range Make(in).Holds {
		holds[h.ID] = h
	}
}

// begin starts the rollout that in.Target needs, unless it is moving or in
// force already. One that is overtaken, or goes back, has gone back first. The
// copy owns its maps.
func begin(in Input) Input {
	in = owned(in)
	in.Surveys, in.Observing, in.Approved = 2, false, true
	in.Holds, in.Parked = nil, nil
	s := in.Rollout
	if s.Release.Digest == in.Target.Digest && s.Phase != rollout.Back {
		return in
	}
	stable := goneBack(&in)
	stages := []manifest.Stage{{Weight: 100}}
	functions := Changing(in)
	if Blind(in) == "" {
		for _, f := range functions {
			if own := in.Target.Functions[f.Ref].Rollout.Stages; len(own) > len(stages) {
				stages = own
			}
		}
	}
	for _, f := range functions {
		pointed(&in, f) // whatever a hand made of it: people are to say that it goes on
	}
	in.Rollout = rollout.State{
		Release: record.Release{Commit: in.Target.Commit, Content: in.Target.Content, Overlay: in.Target.Overlay, Digest: in.Target.Digest},
		Stable:  stable, Phase: rollout.Expand, Functions: functions, Stages: stages,
	}
	return in
}

// goneBack has traffic where another release begins: at the stable versions of one
// that is under way, at the new ones where all its stages were passed or there is
// nothing to go back to. It returns the release that those are of.
func goneBack(in *Input) record.Release {
	switch s := in.Rollout; {
	case s.Phase == rollout.Idle, s.Phase == rollout.Connect, s.Phase == rollout.Contract, s.Phase == rollout.Shift && s.Stable.Digest == "":
		return s.Release
	}
	for _, f := range in.Rollout.Functions {
		pointed(in, f)
	}
	return in.Rollout.Stable
}

// pointed has the alias of a function at its stable version.
func pointed(in *Input, f rollout.Function) {
	if live, ok := in.Inventory.Live[f.Alias]; ok && live.Exists && f.Stable != "" {
		live.Routing = providers.Routing{Version: f.Stable}
		in.Inventory.Live[f.Alias] = live
	}
}

// remember folds a look's facts.
func remember(in Input, p Plan) Input {
	for _, f := range p.Facts {
		in.Applied[f.Ref] = f
	}
	return in
}

// ahead moves the rollout to its next phase, as if every check passed.
func ahead(in Input, p Plan) (Input, bool) {
	s := in.Rollout
	s.Functions = slices.Clone(s.Functions)
	switch {
	case s.Phase == rollout.Expand && p.Signal.Ready:
		for i := range s.Functions {
			s.Functions[i].New = p.Signal.Versions[s.Functions[i].Ref]
		}
		s.Phase, s.Stage, s.Weight = rollout.Shift, 0, firstWeight(s)
	case s.Phase == rollout.Check:
		s.Phase, s.Stage, s.Weight = rollout.Shift, 0, firstWeight(s)
	case s.Phase == rollout.Shift && p.Signal.Routed && s.Stage+1 < len(s.Stages):
		s.Stage++
		s.Weight, s.Reached = s.Stages[s.Stage].Weight, false
	case s.Phase == rollout.Shift && p.Signal.Routed:
		s.Phase, s.Weight = rollout.Connect, 100
	case s.Phase == rollout.Connect && p.Signal.Ready:
		s.Phase = rollout.Contract
	case s.Phase == rollout.Contract && p.Signal.Ready, s.Phase == rollout.Back && p.Signal.Ready:
		if s.Phase == rollout.Back {
			s.Functions, s.Release = nil, s.Stable
		}
		s.Phase = rollout.Idle
	default:
		return in, false
	}
	in.Rollout = s
	return in, true
}

// past moves the rollout on over what keeps its phase from being over: a version
// that cannot be foreseen, an alias that somebody else moved, a thing that does not
// answer. What it is about gets no steps; what comes after it does.
func past(in Input, p Plan) Input {
	s := in.Rollout
	s.Functions = slices.Clone(s.Functions)
	switch s.Phase {
	case rollout.Expand, rollout.Check:
		for i, f := range s.Functions {
			s.Functions[i].New = cmp.Or(f.New, p.Signal.Versions[f.Ref], f.Stable)
		}
		s.Phase, s.Stage, s.Weight = rollout.Shift, 0, firstWeight(s)
	case rollout.Shift:
		s.Phase, s.Weight = rollout.Connect, 100
	case rollout.Connect:
		s.Phase = rollout.Contract
	default:
		s.Phase = rollout.Idle
	}
	in.Rollout = s
	return in
}

func firstWeight(s rollout.State) int {
	if len(s.Stages) == 0 {
		return 100
	}
	return s.Stages[0].Weight
}

// Apply is the input after a step has taken hold: a model of effects, for
// looking ahead. Nothing the step does not touch changes; in is left alone.
func Apply(in Input, s Step) Input {
	in = owned(in)
	effect(&in, s)
	return in
}

// owned is a copy of the input whose maps may be written to.
func owned(in Input) Input {
	in.Applied = cloned(in.Applied)
	in.Specs = cloned(in.Specs)
	in.Inventory.Live = cloned(in.Inventory.Live)
	in.Inventory.Orphans = cloned(in.Inventory.Orphans)
	in.Inventory.Extras = slices.Clone(in.Inventory.Extras)
	return in
}

func cloned[V any](m map[manifest.Ref]V) map[manifest.Ref]V {
	if m == nil {
		return map[manifest.Ref]V{}
	}
	return maps.Clone(m)
}

// effect writes a step's effect into an input that owns its maps.
func effect(in *Input, s Step) {
	switch s.Operation {
	case Create:
		applyCreate(in, s)
	case Update:
		applyUpdate(in, s)
	case Publish:
		applyPublish(in, s)
	case Route:
		live := in.Inventory.Live[s.Ref]
		if !live.Exists {
			live = providers.Live{Exists: true, Spec: in.Specs[s.Ref], SeenAt: in.Now}
			bound(in, s.Ref)
		}
		live.Routing = s.Routing
		live.Guard += "+"
		in.Inventory.Live[s.Ref] = live
	case Delete:
		delete(in.Inventory.Live, s.Ref)
		delete(in.Inventory.Orphans, s.Ref)
		in.Inventory.Extras = slices.DeleteFunc(in.Inventory.Extras, func(e providers.Extra) bool { return e.Parent == s.Ref })
	case Detach:
		delete(in.Inventory.Live, s.Ref)
		in.Inventory.Extras = slices.DeleteFunc(in.Inventory.Extras, func(e providers.Extra) bool { return e.Ref == s.Ref })
	}
}

func applyCreate(in *Input, s Step) {
	in.Inventory.Live[s.Ref] = providers.Live{
		Exists: true, Spec: in.Specs[s.Ref], Guard: "+", SeenAt: in.Now, Owner: owner(*in, s.Ref),
		Attributes: map[string]string{"name": s.Change.Resource.Physical},
	}
	bound(in, s.Ref)
}

// bound takes what could not be resolved without ref for resolved; the
// placeholders stay, for they are all that is known before it lives.
func bound(in *Input, ref manifest.Ref) {
	if in.users == nil {
		in.users = usersOf(in.Target)
	}
	for _, i := range in.users[ref] {
		res := &in.Target.Resources[i]
		if spec := in.Specs[res.Ref]; slices.Contains(spec.Unbound, ref) {
			spec.Unbound = slices.DeleteFunc(slices.Clone(spec.Unbound), func(r manifest.Ref) bool { return r == ref })
			in.Specs[res.Ref] = spec
		}
	}
}

// usersOf are the places in a release of what is on each ref, or refers to it.
func usersOf(rel *manifest.Release) map[manifest.Ref][]int {
	users := make(map[manifest.Ref][]int, len(rel.Resources))
	for i := range rel.Resources {
		res := &rel.Resources[i]
		for _, ref := range res.Refs {
			users[ref] = append(users[ref], i)
		}
		if res.Parent != (manifest.Ref{}) && !slices.Contains(res.Refs, res.Parent) {
			users[res.Parent] = append(users[res.Parent], i)
		}
	}
	return users
}

func owner(in Input, ref manifest.Ref) providers.Owner {
	if !tagged(ref.Kind) {
		return providers.Owner{}
	}
	return providers.Owner{Pipeline: in.Pipeline, Environment: in.Environment.Name, Resource: ref.String(), Release: in.Target.Digest}
}

func applyUpdate(in *Input, s Step) {
	live, spec := in.Inventory.Live[s.Ref], in.Specs[s.Ref]
	fields := maps.Clone(live.Spec.Fields)
	if fields == nil {
		fields = map[string]string{}
	}
	for _, path := range s.Change.Fields {
		fields[path] = spec.Fields[path]
	}
	for _, path := range s.Change.Remove {
		delete(fields, path)
	}
	live.Spec.Fields, live.Spec.Digest, live.Spec.Snapshot = fields, "", "changed"
	seen := look{live: live}
	if same(spec.Fields, fields, seen.unseen) && same(fields, spec.Fields, seen.unseen) {
		live.Spec = spec // what was not looked at yet is looked at once it is written
	}
	live.Guard += "+"
	live.Owner = owner(*in, s.Ref)
	in.Inventory.Live[s.Ref] = live
	if traitsOf(s.Ref.Kind).published {
		bound(in, s.Ref) // what waits for its version
	}
}

// same: whatever a has and but does not say, b has too.
func same(a, b map[string]string, but func(string) bool) bool {
	for path, v := range a {
		if w, ok := b[path]; (!ok || w != v) && !but(path) {
			return false
		}
	}
	return true
}

func applyPublish(in *Input, s Step) {
	live := in.Inventory.Live[s.Ref]
	live.Published = maps.Clone(live.Published)
	if live.Published == nil {
		live.Published = map[string]providers.Version{}
	}
	last := 0
	for number := range live.Published {
		if n, err := strconv.Atoi(number); err == nil {
			last = max(last, n)
		}
	}
	number := strconv.Itoa(last + 1)
	live.Published[number] = providers.Version{Number: number, Snapshot: in.Specs[s.Ref].Snapshot, Ready: true}
	in.Inventory.Live[s.Ref] = live
	bound(in, s.Ref) // what waits for the version's number
}
