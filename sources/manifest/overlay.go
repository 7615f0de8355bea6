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
	Patches []patch        `json:"patches" is:"maxitems=5000" doc:"RFC 7386 merge patches, applied in order."`
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
	if place := placeOfOverlay(doc.root.file); place != "" && place != doc.ref.Name {
		at := doc.root.get("metadata").get("name")
		if at == nil {
			at = doc.root
		}
		out.faults = append(out.faults, Fault{at.pos(), "metadata.name", "is not the name of the file", "the overlay of NAME is environments/NAME.yaml"})
	}
	out.spec = written.(*overlaySpec) // with faults, what could be read of it still saves false ones elsewhere
	out.spec.Patches = slices.DeleteFunc(out.spec.Patches, func(p patch) bool { return p.Patch.node == nil || p.Patch.node.kind != mapNode })
	out.values.byName = make(map[string]*node, len(out.spec.Values))
	out.values.cost = make(map[string]int, len(out.spec.Values))
	for name, value := range out.spec.Values {
		if value.node == nil {
			continue
		}
		checkValue(out, name, value.node)
		out.values.byName[name], out.values.cost[name] = value.node, value.node.cost()
	}
	out.values.names = slices.Sorted(maps.Keys(out.values.byName))
	out.digest = digest(appendNode(nil, doc.root.get("spec")))
	return out
}

// placeOfOverlay is the environment whose overlay a file holds by its name, ""
// if by none.
func placeOfOverlay(name string) string {
	folder, file := path.Split(name)
	if path.Base(folder) != "environments" {
		return ""
	}
	return strings.TrimSuffix(file, path.Ext(file))
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

// OverlayFile is the file that holds an environment's overlay; "" when there is
// none.
func (d *Documents) OverlayFile(environment string) string {
	doc := d.overlays[environment]
	if doc == nil {
		return ""
	}
	return doc.root.file
}
