package manifest

import (
	"maps"
	"path"
	"slices"
	"strings"
)

func environmentKind() *kind {
	return newKind[overlaySpec](kind{
		name:     KindEnvironment,
		summary:  "What differs in one environment: values for ${name}, and patches. It stands in environments/NAME.yaml on every branch.",
		role:     roleOverlay,
		nameRule: rule{required: true, maxLen: 32, match: patterns["environment"]},
		noSpec:   true,
		example: `apiVersion: mooring.dev/v1
kind: Environment
metadata: {name: production}
spec:
  values: {logLevel: warn, checkoutMemory: 1024}
  patches:
    - target: {kind: Function, name: checkout}
      patch: {spec: {reservedConcurrentExecutions: 200}}
    - target: {kind: Queue, labels: {tier: critical}}
      patch: {spec: {messageRetentionPeriod: 1209600}}
`,
	})
}

// overlaySpec is environments/NAME.yaml.
type overlaySpec struct {
	Values  map[string]raw `json:"values" is:"keys=value,maxitems=10000" doc:"What ${name} stands for in this environment."`
	Patches []patch        `json:"patches" is:"maxitems=10000" doc:"RFC 7386 merge patches, applied in order."`
}

type patch struct {
	Target patchTarget `json:"target" is:"required" doc:"What is patched."`
	Patch  raw         `json:"patch" is:"required" doc:"The merge patch of the whole manifest; null removes."`
}

type patchTarget struct {
	Kind   string            `json:"kind" is:"required" doc:"The kind of manifest."`
	Name   string            `json:"name" doc:"One manifest, by name."`
	Labels map[string]string `json:"labels" is:"keys=label" doc:"Every manifest that has all of these labels."`
}

// raw is YAML kept as it stands.
type raw struct{ node *node }

func (r *raw) decodeNode(_ *decoder, n *node, _ *rule) { r.node = n }

func (t *patchTarget) check(d *decoder, n *node) {
	k, found := kinds[t.Kind]
	switch {
	case !found:
		d.fault(n.get("kind").pos(), "unknown kind "+quote(t.Kind), kindHint(t.Kind))
	case k.role != roleResource:
		d.fault(n.get("kind").pos(), t.Kind+" cannot be patched", "")
	case t.Name == "" && len(t.Labels) == 0:
		d.fault(n.pos(), "needs name or labels", "")
	case t.Name != "" && len(t.Labels) > 0:
		d.fault(n.pos(), "has both name and labels", "choose one")
	}
}

func (p *patch) check(d *decoder, _ *node) {
	body := p.Patch.node
	if body.kind != mapNode {
		d.wrongType(body, "a mapping", "as {spec: {memorySize: 1024}}")
		return
	}
	for _, e := range body.entries {
		switch e.key {
		case "spec":
		case "metadata":
			if name := find(e.value, "name"); name != nil {
				d.fault(name.pos(), "a patch cannot change the name", "")
			}
		default:
			d.fault(e.pos(), "cannot patch "+quote(e.key), "patch spec, or metadata other than its name")
		}
	}
}

// find is get, nulls included.
func find(n *node, key string) *node {
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// overlay is an Environment document, ready for use.
type overlay struct {
	spec   *overlaySpec
	values *values
	faults Faults
	digest string
}

// emptyOverlay is that of an environment without a file.
func emptyOverlay(environment string) *overlay {
	return &overlay{
		spec: &overlaySpec{}, values: &values{environment: environment},
		digest: digest([]byte(`{}`)),
	}
}

// newOverlay reads an Environment document strictly: values hold no values.
func newOverlay(doc *document) *overlay {
	d := &decoder{open: true}
	_, written := d.document(doc.root, doc.kind)
	out := emptyOverlay(doc.ref.Name)
	out.faults = append(d.faults, d.missing...)
	if folder, file := path.Split(doc.root.file); path.Base(folder) == "environments" &&
		strings.TrimSuffix(file, path.Ext(file)) != doc.ref.Name {
		at := doc.root.get("metadata").get("name")
		if at == nil {
			at = doc.root
		}
		out.faults = append(out.faults, Fault{at.pos(), "metadata.name", "is not the name of the file", "the overlay of NAME is environments/NAME.yaml"})
	}
	out.spec = written.(*overlaySpec) // with faults, what could be read of it still saves false ones elsewhere
	out.spec.Patches = slices.DeleteFunc(out.spec.Patches, func(p patch) bool { return p.Patch.node == nil || p.Patch.node.kind != mapNode })
	out.values.byName = make(map[string]*node, len(out.spec.Values))
	for name, value := range out.spec.Values {
		if value.node == nil {
			continue
		}
		checkValue(out, name, value.node)
		out.values.byName[name] = value.node
	}
	out.values.names = slices.Sorted(maps.Keys(out.values.byName))
	out.digest = digest(appendNode(nil, doc.root.get("spec")))
	return out
}

// checkValue refuses values inside values: there is one round of substitution.
func checkValue(o *overlay, name string, n *node) {
	if n.kind == stringNode && strings.Contains(n.text, "${") {
		o.faults = append(o.faults, Fault{n.pos(), "spec.values." + name, "a value holds no ${…}", ""})
	}
	for _, item := range n.items {
		checkValue(o, name, item)
	}
	for _, e := range n.entries {
		checkValue(o, name, e.value)
	}
}

// matches tells whether a patch is for the document.
func (t *patchTarget) matches(doc *document) bool {
	if doc.ref.Kind != t.Kind || t.Name != "" && t.Name != doc.ref.Name {
		return false
	}
	for key, value := range t.Labels {
		if got, found := doc.meta.Labels[key]; !found || got != value {
			return false
		}
	}
	return true
}

// mergePatch applies RFC 7386: mappings merge, null removes, all else
// replaces. Neither argument is written to.
func mergePatch(target, patch *node) *node {
	if patch.kind != mapNode {
		return patch
	}
	out := *patch
	out.entries = nil
	if target != nil && target.kind == mapNode {
		out.file, out.line, out.col = target.file, target.line, target.col
		out.entries = slices.Clone(target.entries)
	}
	for _, e := range patch.entries {
		i := slices.IndexFunc(out.entries, func(have entry) bool { return have.key == e.key })
		switch {
		case e.value.kind == nullNode && i >= 0:
			out.entries = slices.Delete(out.entries, i, i+1)
		case e.value.kind == nullNode:
		case i >= 0:
			out.entries[i] = entry{e.key, e.line, e.col, mergePatch(out.entries[i].value, e.value)}
		default:
			out.entries = append(out.entries, entry{e.key, e.line, e.col, mergePatch(nil, e.value)})
		}
	}
	return &out
}

// appendNode writes a node as JSON with sorted keys; numbers keep their text
// unless plain.
func appendNode(b []byte, n *node) []byte {
	if n == nil {
		return append(b, "{}"...)
	}
	switch n.kind {
	case listNode:
		b = append(b, '[')
		for i, item := range n.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendNode(b, item)
		}
		return append(b, ']')
	case mapNode:
		b = append(b, '{')
		sorted := slices.SortedFunc(slices.Values(n.entries), func(a, b entry) int { return strings.Compare(a.key, b.key) })
		for i, e := range sorted {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, e.key)
			b = append(b, ':')
			b = appendNode(b, e.value)
		}
		return append(b, '}')
	case stringNode:
		return appendString(b, n.text)
	case nullNode:
		return append(b, "null"...)
	}
	return append(b, n.text...)
}
