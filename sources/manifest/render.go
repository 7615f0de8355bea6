package manifest

import (
	"cmp"
	"slices"
)

// Render makes the release that docs declare for one environment of p at one
// commit: overlay applied, values substituted, expanded, named, checked as a
// whole, ordered and digested. An error is Faults, all of them.
//
// docs is shared with its Loader and not safe for concurrent use; the Release
// is immutable and is.
func Render(docs *Documents, p *Pipeline, environment, commit string) (*Release, error) {
	target, found := p.Environment(environment)
	if !found {
		var known []string
		for _, e := range p.Environments {
			known = append(known, e.Name)
		}
		return nil, Faults{{Position: p.Origin, Message: "no environment " + quote(environment) + " in the Pipeline", Hint: didYouMean(environment, known)}}
	}
	r := &renderer{docs: docs, settings: newSettings(p, target)}
	r.faults = append(r.faults, docs.faults...)
	r.faults = append(r.faults, docs.ofOverlay[environment]...)
	r.overlay = docs.overlay(environment)
	r.faults = append(r.faults, r.overlay.faults...)
	r.expandAll()
	release := r.release()
	if err := r.faults.sorted(); err != nil {
		return nil, err
	}
	release.Environment, release.Commit, release.Content = environment, commit, docs.Content()
	return release, nil
}

func newSettings(p *Pipeline, e Environment) *settings {
	s := &settings{environment: e.Name, pipeline: p.Name, naming: cmp.Or(p.Naming, "${environment}-${name}"), rollout: e.Rollout}
	s.rollout.Deadman = nil         // who looks after a release is no part of it
	if len(s.rollout.Stages) == 0 { // a Pipeline made in Go rather than read
		force := s.rollout.Force
		s.rollout = defaultRollout()
		s.rollout.Force = force
	}
	if e.Provider.AWS != nil {
		s.account = e.Provider.AWS.Account
	}
	b := appendCanonical(nil, []any{s.environment, s.pipeline, s.naming, s.account, s.rollout.Force})
	s.id = digest(appendCanonical(b, s.rollout))
	return s
}

func (d *Documents) overlay(environment string) *overlay {
	doc := d.overlays[environment]
	if doc == nil {
		doc = d.misnamed(environment)
	}
	if doc == nil {
		return emptyOverlay(environment)
	}
	return newOverlay(doc)
}

// misnamed is the overlay that lies where an environment's would, and has
// another name, which is a fault of it: taken for no overlay, the environment
// would live by the manifests alone.
func (d *Documents) misnamed(environment string) (found *document) {
	for _, doc := range d.overlays {
		if placeOfOverlay(doc.root.file) == environment && (found == nil || doc.root.line < found.root.line) {
			found = doc
		}
	}
	return found
}

type renderer struct {
	docs       *Documents
	settings   *settings
	overlay    *overlay
	expansions []*expansion
	faults     Faults
}

// expandAll expands every document, those that did not change from memory.
func (r *renderer) expandAll() {
	used := make([]bool, len(r.overlay.spec.Patches))
	index := newPatchIndex(r.overlay.spec.Patches)
	filled := 0
	for _, doc := range r.docs.docs {
		patches := index.of(doc)
		for _, i := range patches {
			used[i] = true
		}
		if len(doc.faults) > 0 { // told already, and nothing can be made of it
			if len(patches) == 0 {
				r.faults = append(r.faults, doc.missing...)
			}
			continue
		}
		x := r.expand(doc, patches)
		r.expansions = append(r.expansions, x)
		r.faults = append(r.faults, x.faults...)
		if filled += x.filled; filled > maxFilled {
			r.faults = append(r.faults, Fault{doc.position(), "", "values and patches of " + r.settings.environment + " stand for too much", "at most 128 MiB in all manifests"})
			return
		}
	}
	r.unusedPatches(used)
}

// unusedPatches reports patches that match nothing.
func (r *renderer) unusedPatches(used []bool) {
	for i, p := range r.overlay.spec.Patches {
		if !used[i] && len(r.overlay.faults) == 0 {
			at := p.Patch.node.pos()
			r.faults = append(r.faults, Fault{at, "spec.patches[" + itoa(i) + "]", "matches nothing", r.nearTarget(p.Target)})
		}
	}
}

func (r *renderer) nearTarget(t patchTarget) string {
	if t.Name == "" {
		return "no " + t.Kind + " has these labels"
	}
	var names []string
	for _, doc := range r.docs.docs {
		if doc.ref.Kind == t.Kind {
			names = append(names, doc.ref.Name)
		}
	}
	return didYouMean(t.Name, names)
}

// maxMemo bounds what a document remembers: about one rendering for each
// environment.
const maxMemo = 8

func (r *renderer) expand(doc *document, patches []int) *expansion {
	key := r.settings.id
	if doc.dynamic || len(patches) > 0 {
		key += r.overlay.digest
	}
	for _, m := range doc.memo {
		if m.key == key {
			return m.result
		}
	}
	x := r.expandNow(doc, patches)
	if len(doc.memo) >= maxMemo {
		doc.memo = slices.Delete(doc.memo, 0, 1)
	}
	doc.memo = append(doc.memo, memo{key, x})
	return x
}

func (r *renderer) expandNow(doc *document, patches []int) *expansion {
	x := &expansion{doc: doc, settings: r.settings, meta: doc.meta, written: doc.written, uses: doc.uses}
	if doc.dynamic || len(patches) > 0 {
		root := doc.root
		for _, i := range patches {
			body := r.overlay.spec.Patches[i].Patch.node
			root = mergePatch(root, body)
			x.filled += body.cost()
		}
		d := &decoder{values: r.overlay.values}
		x.meta, x.written = d.document(root, doc.kind)
		x.filled += d.filled
		x.uses, x.faults = d.uses, append(d.faults, d.missing...)
	} else {
		x.faults = slices.Clone(doc.missing)
	}
	if len(x.faults) > 0 {
		return x
	}
	x.name()
	doc.kind.expand(x)
	x.seal()
	return x
}

// release puts the expansions together and checks what only the whole shows.
func (r *renderer) release() *Release {
	out := &Release{Overlay: r.overlay.digest, Functions: map[Ref]Delivery{}}
	count := 0
	for _, x := range r.expansions {
		count += len(x.resources)
	}
	w := &whole{renderer: r, resources: make([]*Resource, 0, count)}
	for _, x := range r.expansions {
		for i := range x.resources {
			w.resources = append(w.resources, &x.resources[i])
		}
		if x.function != (Ref{}) {
			out.Functions[x.function] = x.delivery
		}
	}
	w.check()
	if len(r.faults) == 0 {
		out.Resources = w.ordered()
		out.Digest = releaseDigest(r.expansions)
		out.probed = r.probes()
	}
	return out
}
