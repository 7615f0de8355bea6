package manifest

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

// metadata is what every manifest carries beside its spec.
type metadata struct {
	Name         string            `json:"name" is:"required" doc:"The name in the repository; with the kind it names the resource."`
	Labels       map[string]string `json:"labels" is:"keys=label,maxitems=64" doc:"Labels for policies and for patches to select by."`
	PhysicalName string            `json:"physicalName" is:"maxlen=255" doc:"The name in the provider, instead of the one by the pipeline's naming."`
	RenamedFrom  string            `json:"renamedFrom" is:"maxlen=512" doc:"The name before: the resource is renamed, not deleted and made again."`
	Adopt        bool              `json:"adopt" doc:"Whether an existing resource of this name may be taken over."`
	Annotations  map[string]any    `json:"annotations" is:"opaque" doc:"Notes for other tools; ignored."`
}

var metadataPlans = plansOf[metadata]()

// document is one manifest, decoded as far as it can be without an
// environment.
type document struct {
	ref     Ref
	kind    *kind
	root    *node
	meta    metadata
	written any // nil when the spec has faults
	uses    []use
	content string // digest before overlay and substitution
	dynamic bool   // values change it
	faults  Faults
	missing Faults // what a patch may still cure
	memo    []memo
}

// memo is an expansion done before, by everything it depended on.
type memo struct {
	key    string
	result *expansion
}

func (doc *document) position() Position { return doc.root.pos() }

var documentFields = []string{"apiVersion", "kind", "metadata", "spec"}

// newDocument decodes a manifest without an environment.
func newDocument(raw rawDocument) *document {
	doc := &document{root: raw.root}
	k, found := kinds[raw.kind]
	if !found {
		doc.faults = append(doc.faults, Fault{raw.root.get("kind").pos(), "kind", "unknown kind " + quote(raw.kind), kindHint(raw.kind)})
		return doc
	}
	doc.kind = k
	doc.ref = Ref{Kind: k.name, Name: nameOf(raw.root)}
	if k.role == rolePipeline {
		return doc
	}
	d := &decoder{open: true}
	doc.meta, doc.written = d.document(raw.root, k)
	doc.uses, doc.dynamic = d.uses, d.dynamic
	doc.faults, doc.missing = d.faults, d.missing
	if k.role == roleResource && len(d.faults) == 0 {
		doc.content = contentDigest(doc, d.holes)
	}
	return doc
}

func kindHint(name string) string {
	hint := didYouMean(name, kindOrder)
	if hint == "" {
		hint = "one of " + strings.Join(kindOrder, ", ")
	}
	return hint
}

// nameOf is metadata.name as far as it can be told.
func nameOf(root *node) string {
	if n := root.get("metadata").get("name"); n != nil {
		return n.text
	}
	return ""
}

// document decodes a whole manifest of a known kind.
func (d *decoder) document(root *node, k *kind) (metadata, any) {
	for _, e := range root.entries {
		if !slices.Contains(documentFields, e.key) {
			d.push(e.key)
			d.fault(e.pos(), "unknown field", didYouMean(e.key, documentFields))
			d.pop()
		}
	}
	meta := d.metadata(root, k)
	written := reflect.New(k.typ)
	d.push("spec")
	defer d.pop()
	d.plans = k.plans
	spec := root.get("spec")
	switch {
	case spec != nil:
		d.decode(spec, written.Elem(), k.plans[k.typ], &rule{})
	case k.noSpec:
		applyDefault(written.Elem(), k.plans[k.typ], &rule{})
	default:
		d.need(root.pos(), "is required", "")
	}
	return meta, written.Interface()
}

func (d *decoder) metadata(root *node, k *kind) metadata {
	var meta metadata
	d.plans = metadataPlans
	d.push("metadata")
	defer d.pop()
	n := root.get("metadata")
	if n == nil {
		d.fault(root.pos(), "is required", "as metadata: {name: checkout}")
		return meta
	}
	if name := n.get("name"); name == nil {
		d.fault(n.pos(), "needs name", "")
	} else if strings.Contains(name.text, "${") {
		d.fault(name.pos(), "a name holds no ${…}", "patches and references go by it")
		return meta
	} else {
		d.push("name")
		d.checkText(name, &k.nameRule)
		d.pop()
	}
	before := len(d.missing)
	d.into(n, &meta)
	d.missing = d.missing[:before] // the name: said above
	return meta
}

// contentDigest is over the document as written, defaults applied, values
// and patches not.
func contentDigest(doc *document, holes []hole) string {
	b := appendCanonical(nil, doc.ref.String())
	b = append(b, '\n')
	meta := doc.meta
	meta.Annotations = nil
	b = appendCanonical(b, meta)
	b = append(b, '\n')
	b = appendCanonical(b, doc.written)
	holes = slices.SortedFunc(slices.Values(holes), func(a, b hole) int {
		return cmp.Or(strings.Compare(a.path, b.path), strings.Compare(a.text, b.text))
	})
	for _, h := range holes {
		b = append(b, '\n')
		b = appendCanonical(b, []any{h.path, h.text})
	}
	return digest(b)
}
