package manifest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// whole checks what only all resources together show: names that clash,
// references that dangle, cycles, and settings that must fit each other.
type whole struct {
	*renderer
	resources []*Resource
	byRef     map[Ref]int
	routes    map[string]Ref // by API and key
	level     []int          // how far from what needs nothing
}

func (w *whole) fault(at Position, path, message, hint string) {
	w.faults = append(w.faults, Fault{at, path, message, hint})
}

func (w *whole) check() {
	w.byRef = make(map[Ref]int, len(w.resources))
	for i, res := range w.resources {
		if first, twice := w.byRef[res.Ref]; twice {
			w.twice(w.resources[first], res)
			continue
		}
		w.byRef[res.Ref] = i
	}
	w.checkPhysical()
	w.checkUses()
	w.checkCycles()
	for _, res := range w.resources {
		w.checkFit(res)
		w.checkRenamed(res)
	}
}

// twice reports a Ref made twice. Two manifests were told before; what is
// left is a managed role or log group beside a manifest of that name.
func (w *whole) twice(a, b *Resource) {
	if a.Parent == b.Parent {
		return
	}
	w.fault(b.Origin, "", b.Ref.String()+" is declared, and made by a function with one of its own", "the other is at "+a.Origin.String())
}

func (w *whole) checkPhysical() {
	type name struct{ kind, physical string }
	first := make(map[name]int, len(w.expansions))
	for i, res := range w.resources {
		if _, top := kinds[res.Ref.Kind]; res.Parent != (Ref{}) && !top {
			continue // named within its parent
		}
		key := name{res.Ref.Kind, res.Physical}
		j, twice := first[key]
		if twice && w.resources[j].Ref != res.Ref {
			w.fault(res.Origin, "metadata.name", res.Ref.String()+" and "+w.resources[j].Ref.String()+" would both be named "+quote(res.Physical),
				"set metadata.physicalName of one")
			continue
		}
		first[key] = i
	}
}

// checkUses follows every written reference.
func (w *whole) checkUses() {
	declared := make(map[Ref]bool, len(w.docs.docs))
	for _, doc := range w.docs.docs {
		declared[doc.ref] = true // even if it has faults of its own
	}
	for _, x := range w.expansions {
		for _, u := range x.uses {
			w.checkUse(u, declared)
		}
	}
}

func (w *whole) checkUse(u use, declared map[Ref]bool) {
	if _, found := w.byRef[u.ref]; !found && !declared[u.ref] {
		w.fault(u.at, u.path, u.ref.String()+" is not declared", w.nearRef(u.ref))
		return
	}
	known := attributesOf(u.ref.Kind)
	if !slices.Contains(known, u.attribute) {
		w.fault(u.at, u.path, "a "+u.ref.Kind+" has no "+u.attribute, "it has "+strings.Join(known, ", "))
	}
}

// attributesOf lists what references to a kind can ask for.
func attributesOf(kind string) []string {
	if k, found := kinds[kind]; found {
		return k.attributes
	}
	switch kind {
	case KindAlias, KindWorkflowAlias:
		return []string{"arn", "name"}
	case KindURL:
		return []string{"url"}
	}
	return nil
}

// referable lists the kinds a reference may name.
func referable() []string {
	out := []string{KindAlias, KindURL, KindWorkflowAlias}
	for _, name := range kindOrder {
		if kinds[name].attributes != nil {
			out = append(out, name)
		}
	}
	return out
}

func (w *whole) nearRef(ref Ref) string {
	if attributesOf(ref.Kind) == nil {
		return didYouMean(ref.Kind, referable())
	}
	near := w.nearName(ref)
	if _, own := kinds[ref.Kind]; near == "" && own {
		return "declare it: kind: " + ref.Kind + ", metadata: {name: " + shorten(ref.Name) + "}"
	}
	return near
}

func (w *whole) nearName(ref Ref) string {
	var names []string
	for other := range w.byRef {
		if other.Kind == ref.Kind {
			names = append(names, other.Name)
		}
	}
	slices.Sort(names)
	if hint := didYouMean(ref.Name, names); strings.HasPrefix(hint, "did you mean ") {
		return "did you mean " + ref.Kind + "/" + strings.TrimPrefix(hint, "did you mean ")
	}
	return ""
}

// checkCycles finds the level of every resource, and every cycle once.
func (w *whole) checkCycles() {
	w.level = make([]int, len(w.resources))
	state := make([]uint8, len(w.resources)) // 0 new, 1 on the path, 2 done
	var path []int
	var visit func(i int)
	visit = func(i int) {
		state[i] = 1
		path = append(path, i)
		for _, ref := range w.resources[i].Refs {
			j, found := w.byRef[ref]
			switch {
			case !found: // dangling, and told
			case state[j] == 1:
				w.cycle(path[slices.Index(path, j):])
			case state[j] == 0:
				visit(j)
				fallthrough
			default:
				w.level[i] = max(w.level[i], w.level[j]+1)
			}
		}
		path = path[:len(path)-1]
		state[i] = 2
	}
	for i := range w.resources {
		if state[i] == 0 && w.byRef[w.resources[i].Ref] == i {
			visit(i)
		}
	}
}

func (w *whole) cycle(members []int) {
	var names []string
	for _, i := range members {
		names = append(names, w.resources[i].Ref.String())
	}
	names = append(names, names[0])
	w.fault(w.resources[members[0]].Origin, "", "needs itself: "+strings.Join(names, " → "), "break the cycle, for example by an ARN")
}

// ordered sorts the resources by what needs what, ties by Ref.
func (w *whole) ordered() []Resource {
	type group struct {
		level int
		kind  string
	}
	groups := map[group][]*Resource{}
	for i, res := range w.resources {
		key := group{w.level[i], res.Ref.Kind}
		groups[key] = append(groups[key], res)
	}
	keys := slices.SortedFunc(maps.Keys(groups), func(a, b group) int {
		return cmp.Or(cmp.Compare(a.level, b.level), strings.Compare(a.kind, b.kind))
	})
	byName := func(a, b *Resource) int { return strings.Compare(a.Ref.Name, b.Ref.Name) }
	out := make([]Resource, 0, len(w.resources))
	for _, key := range keys {
		members := groups[key]
		if !slices.IsSortedFunc(members, byName) { // documents come sorted, so most groups are
			slices.SortFunc(members, byName)
		}
		for _, res := range members {
			out = append(out, *res)
		}
	}
	return out
}

// checkStream: a trigger by a table reads its stream, so it must have one.
func (w *whole) checkStream(res *Resource, spec *TriggerSpec) {
	at, found := w.byRef[spec.Table.Ref]
	if !found || spec.Table.Ref == (Ref{}) {
		return
	}
	if t, ok := w.resources[at].Spec.(*TableSpec); ok && t.StreamSpecification == nil && t.Manage {
		path := "spec.triggers." + res.Key + ".table"
		w.fault(w.place(res.Parent, path, res.Origin), path, spec.Table.Ref.String()+" has no stream", "give it streamSpecification: {streamViewType: NEW_AND_OLD_IMAGES}")
	}
}

// checkFit holds neighbours against each other where AWS would refuse them.
func (w *whole) checkFit(res *Resource) {
	switch spec := res.Spec.(type) {
	case *TriggerSpec:
		w.checkStream(res, spec)
		queue, ok := w.queue(spec.Queue.Ref)
		if !ok {
			return
		}
		fn, ok := w.resources[w.byRef[res.Parent]].Spec.(*FunctionConfig)
		path := "spec.triggers." + res.Key + ".queue"
		if ok && queue.VisibilityTimeout < fn.Timeout {
			w.fault(w.place(res.Parent, path, res.Origin), path, "visibilityTimeout "+itoa(queue.VisibilityTimeout)+" of "+spec.Queue.Ref.String()+
				" is under the function's timeout "+itoa(fn.Timeout), "AWS refuses that; six times the timeout is usual")
		}
		if queue.FifoQueue && (spec.BatchSize > 10 || spec.MaximumBatchingWindowInSeconds > 0) {
			w.fault(w.place(res.Parent, path, res.Origin), path, "a FIFO queue takes batches of 10 and no batching window", "")
		}
	case *SubscriptionSpec:
		w.fitSubscription(res, spec)
	case *RouteSpec:
		w.checkRoute(res, spec)
	case *QueueSpec:
		if spec.Redrive == nil {
			return
		}
		if dead, ok := w.queue(spec.Redrive.DeadLetter.Ref); ok && dead.FifoQueue != spec.FifoQueue {
			path := "spec.redrive.deadLetter"
			w.fault(w.place(res.Ref, path, res.Origin), path, "a FIFO queue and its dead-letter queue are both FIFO, or neither", "")
		}
	}
}

// place finds where a document's reference stands.
func (w *whole) place(ref Ref, path string, otherwise Position) Position {
	i, found := slices.BinarySearchFunc(w.expansions, ref, func(x *expansion, ref Ref) int { return x.doc.ref.Compare(ref) })
	if !found {
		return otherwise
	}
	for _, u := range w.expansions[i].uses {
		if u.path == path {
			return u.at
		}
	}
	return otherwise
}

// checkRenamed refuses a rename from what is still declared.
func (w *whole) checkRenamed(res *Resource) {
	if res.RenamedFrom == "" {
		return
	}
	if from, err := ParseRef(res.RenamedFrom); err == nil && from != res.Ref {
		if i, found := w.byRef[from]; found {
			w.fault(res.Origin, "metadata.renamedFrom", from.String()+" is still declared", "at "+w.resources[i].Origin.String())
		}
	}
}

func (w *whole) queue(ref Ref) (*QueueSpec, bool) {
	i, found := w.byRef[ref]
	if !found {
		return nil, false
	}
	spec, ok := w.resources[i].Spec.(*QueueSpec)
	return spec, ok
}

// releaseDigest is over everything the expansions came to: every resource,
// its name in the provider, and the deliveries.
func releaseDigest(expansions []*expansion) string {
	b := make([]byte, 0, 80*len(expansions))
	for _, x := range expansions {
		b = append(b, x.sum...)
		b = append(b, '\n')
	}
	return digest(b)
}
