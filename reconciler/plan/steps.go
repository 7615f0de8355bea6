package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// step builds a step about a declared resource. Fields of an update are
// limited to diffs; nil means every declared field.
func (w *world) step(l *look, op Operation, cause Cause, diffs []diff) *Step {
	s := &Step{Ref: l.res.Ref, Operation: op, Cause: cause}
	s.Change = providers.Change{
		Resource: *l.res, Bindings: w.bindings(l.res), Guard: l.live.Guard,
		Release: w.in.Target.Digest, Adopt: w.adopts(l),
	}
	for _, d := range diffs {
		s.Fields = append(s.Fields, Field{Path: d.path, Before: d.l, After: d.d, Sensitive: l.sensitive(d.path)})
		if d.inD {
			s.Change.Fields = append(s.Change.Fields, d.path)
		} else {
			s.Change.Remove = append(s.Change.Remove, d.path)
		}
	}
	if op == Update {
		if s.Change.Fields == nil {
			s.Change.Fields = []string{}
		}
		slices.SortFunc(s.Fields, func(a, b Field) int { return compareText(a.Path, b.Path) })
		slices.Sort(s.Change.Fields)
		slices.Sort(s.Change.Remove)
	}
	if op == Create {
		s.Fields = created(l.spec)
	}
	s.Risk = risks(l, op, diffs)
	return s
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// created lists what a new resource starts with.
func created(spec providers.Spec) []Field {
	fields := make([]Field, 0, len(spec.Fields))
	for path, value := range spec.Fields {
		fields = append(fields, Field{Path: path, After: value, Sensitive: slices.Contains(spec.Sensitive, path)})
	}
	slices.SortFunc(fields, func(a, b Field) int { return compareText(a.Path, b.Path) })
	return fields
}

// bindings are the attributes of everything the resource refers to.
func (w *world) bindings(res *manifest.Resource) providers.Bindings {
	b := providers.Bindings{}
	add := func(ref manifest.Ref) {
		if live := w.in.Inventory.Live[ref]; live.Exists && len(live.Attributes) > 0 {
			b[ref] = Attributes(w.in.Target, ref, live, w.in.Specs[ref])
		}
	}
	for _, ref := range res.Refs {
		add(ref)
	}
	if res.Parent != (manifest.Ref{}) {
		add(res.Parent)
	}
	if res.SelfBound {
		add(res.Ref)
	}
	return b
}

// propose adds a step unless something stops it; it returns the step added.
func (w *world) propose(l *look, s *Step) *Step {
	ref := s.Ref
	back := s.Cause == Rollback
	switch {
	case w.proposed(ref):
		return nil
	case w.in.Observing && !back:
		return nil
	case !back && w.held(ref):
		return nil
	case s.Operation != Route && !w.dependenciesInPlace(l, s):
		return nil
	}
	if parked, ok := w.in.Parked[ref]; ok && !(back && s.Operation == Route) && parked.Input == s.Input() {
		w.wait(ref, "parked", "it failed for good and nothing it depends on changed: "+parked.Error)
		if w.ends(l, s) {
			w.impossible(ref, parked.Error)
		}
		return nil
	}
	return w.add(*s)
}

// ends: a release whose step is refused for good cannot get there. It can where
// only something is to be taken away, or drift is to be put back that nothing of
// the release waits for.
func (w *world) ends(l *look, s *Step) bool {
	switch {
	case s.Operation == Delete, s.Operation == Detach:
		return false
	case s.Cause == Drift:
		return s.Operation == Create && w.reached(l.res)
	}
	return true
}

func (w *world) add(s Step) *Step {
	i, ok := w.index[s.Ref]
	if !ok {
		i = len(w.index) + removalRank(s.Ref.Kind)
	}
	w.order[s.Ref] = i
	w.plan.Steps = append(w.plan.Steps, s)
	return &w.plan.Steps[len(w.plan.Steps)-1]
}

// proposed is true when ref has its one step already.
func (w *world) proposed(ref manifest.Ref) bool {
	_, ok := w.order[ref]
	return ok
}

// held says whether a hold stops writes about ref.
func (w *world) held(ref manifest.Ref) bool {
	for _, h := range w.in.Holds {
		if h.Covers(ref) && h.Active(w.in.Now) {
			w.wait(ref, "hold", h.Owner+" holds it: "+h.Reason)
			return true
		}
	}
	return false
}

// dependenciesInPlace checks what the step needs; what it refers to must
// live, and must have been widened before.
func (w *world) dependenciesInPlace(l *look, s *Step) bool {
	var lacking, unwidened []manifest.Ref
	for _, ref := range l.spec.Unbound {
		if needed(l, s) {
			lacking = append(lacking, ref)
		}
	}
	for _, ref := range l.res.Refs {
		switch {
		case slices.Contains(lacking, ref):
		case !w.lives(ref) || w.in.Inventory.Live[ref].Failed != "" && foreignKind(ref.Kind):
			lacking = append(lacking, ref)
		case w.pending[ref] && w.orderly(l.res, ref):
			unwidened = append(unwidened, ref)
		}
	}
	if slices.ContainsFunc(lacking, func(ref manifest.Ref) bool { return w.blind[ref] }) {
		w.wait(l.res.Ref, "unknown", "what it needs could not be seen", lacking...)
		return false
	}
	if len(lacking) > 0 {
		if w.phase() == rollout.Back && !slices.ContainsFunc(lacking, func(ref manifest.Ref) bool { return !w.lost[ref] }) {
			// A way back does not wait for what somebody deleted: that is
			// drift, and what needs it follows once the release is in force.
			delete(w.open, l.res.Ref)
		}
		w.wait(l.res.Ref, "dependency", "what it needs does not live yet", lacking...)
		return false
	}
	if len(unwidened) > 0 {
		w.wait(l.res.Ref, "dependency", "what it needs is being changed first", unwidened...)
		return false
	}
	return true
}

// needed: a step that touches none of a spec's placeholders could be made,
// but which fields those are the planner is not told; only taking something
// away is safe.
func needed(_ *look, s *Step) bool {
	return s.Operation != Update || len(s.Change.Fields) > 0
}

// orderly is true while the order of a release matters: in a release in force
// nothing is being built up. A dead-letter queue and its source may be in any
// order once both live.
func (w *world) orderly(res *manifest.Resource, need manifest.Ref) bool {
	return w.phase() == rollout.Expand && res.Ref != need
}

// Input digests what a step is about, guard and time left out: a step that
// failed for good is not tried again until this changes.
func (s Step) Input() string {
	body := struct {
		Ref       manifest.Ref
		Operation Operation
		Resource  string
		Bindings  providers.Bindings
		Fields    []Field
		Remove    []string
		Routing   providers.Routing
		Extra     manifest.Ref
		Adopt     bool
	}{s.Ref, s.Operation, s.Change.Resource.Digest, s.Change.Bindings, s.Fields, s.Change.Remove, s.Routing, s.Extra.Ref, s.Change.Adopt}
	text, err := json.Marshal(body)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// risks names what a reader of the plan should look at twice.
func risks(l *look, op Operation, diffs []diff) []string {
	var risk []string
	if l.res.Stateful && (op == Delete || op == Create) {
		risk = append(risk, "stateful")
	}
	switch l.res.Ref.Kind {
	case manifest.KindRole:
		risk = append(risk, "iam")
	case manifest.KindPermission:
		if spec, ok := l.res.Spec.(*manifest.PermissionSpec); ok && spec.Principal == "*" && op != Detach {
			risk = append(risk, "public")
		}
	case manifest.KindRoute:
		if spec, ok := l.res.Spec.(*manifest.RouteSpec); ok && spec.Authorizer == "" && spec.AuthorizationType == "NONE" && op != Delete {
			risk = append(risk, "public")
		}
	case manifest.KindURL:
		if spec, ok := l.res.Spec.(*manifest.URLSpec); ok && spec.AuthType == "NONE" && op != Detach {
			risk = append(risk, "public")
		}
	case manifest.KindFunction, manifest.KindWorkflow:
		if slices.ContainsFunc(diffs, func(d diff) bool { return member(d.path) == "role" || d.path == "roleArn" }) {
			risk = append(risk, "iam")
		}
	}
	return risk
}

// settled records that a resource was seen as declared, when that is news.
func (w *world) settled(l *look, version string) {
	fact := record.Fact{
		Ref: l.res.Ref, Release: w.in.Target.Digest, At: w.in.Now,
		Fields: l.factFields(), Snapshot: l.spec.Snapshot, Version: version,
	}
	if manifest.Versioned(l.res.Ref.Kind) && !w.versioned(l.res.Ref) {
		fact.Snapshot = ""
	}
	if traitsOf(l.res.Ref.Kind).published {
		v, _ := Carrier(l.live, l.spec)
		fact.Version = v.Number
	}
	fact.Newest, fact.Identity = w.newest(l, version), w.identity(l)
	before, ok := w.in.Applied[l.res.Ref]
	_, pending := w.in.Wrote[l.res.Ref]
	if ok && !pending && sameFact(before, fact) {
		if w.in.atRest != nil && version == "" && !w.adopts(l) {
			w.in.atRest[l.res.Ref] = true
		}
		return
	}
	w.plan.Facts = append(w.plan.Facts, fact)
}

// sameFact compares all but when it was seen and for which release.
func sameFact(a, b record.Fact) bool {
	return !a.Gone && a.Snapshot == b.Snapshot && a.Version == b.Version && a.Newest == b.Newest && a.Identity == b.Identity && sameFields(a.Fields, b.Fields)
}

func sameFields(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if o, ok := b[k]; !ok || o != v {
			return false
		}
	}
	return true
}

// factFields are the declared fields that were seen; what could not be read
// stays as it was last known. The map is shared with the Spec when it can be:
// nobody writes to either.
func (l *look) factFields() map[string]string {
	if len(l.live.Unseen) == 0 {
		return l.spec.Fields
	}
	fields := make(map[string]string, len(l.spec.Fields))
	for path, value := range l.spec.Fields {
		if !l.unseen(path) {
			fields[path] = value
		} else if old, ok := l.fact.Fields[path]; ok {
			fields[path] = old
		}
	}
	return fields
}
