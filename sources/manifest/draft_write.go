package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// draftWriter makes YAML of a Draft, led by the plans that would decode it.
type draftWriter struct {
	kind  *kind
	plans map[reflect.Type]*plan
}

func newDraftWriter(k *kind) *draftWriter { return &draftWriter{kind: k, plans: k.plans} }

func (w *draftWriter) document(d Draft) ([]byte, error) {
	meta := map[string]any{"name": d.Name}
	if d.Physical != "" {
		meta["physicalName"] = d.Physical
	}
	if d.Adopt {
		meta["adopt"] = true
	}
	if len(d.Labels) > 0 {
		meta["labels"] = texts(d.Labels)
	}
	metaNode := (&draftWriter{plans: metadataPlans}).value(meta, metadataPlans[reflect.TypeFor[metadata]()], &rule{})
	metaNode.Style = yaml.FlowStyle
	root := mappingNode(
		textNode("apiVersion"), textNode(APIVersion), textNode("kind"), textNode(d.Kind), textNode("metadata"), metaNode,
	)
	spec := w.value(d.Spec, w.plans[w.kind.typ], &rule{})
	if len(spec.Content) > 0 || !w.kind.noSpec {
		root.Content = append(root.Content, textNode("spec"), spec)
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func texts(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// value writes x as p and r would read it. Without a plan, as it stands.
func (w *draftWriter) value(x any, p *plan, r *rule) *yaml.Node {
	if p == nil || r.opaque {
		return plainNode(x, !r.opaque)
	}
	switch p.kind {
	case planPointer:
		return w.value(x, p.elem, r)
	case planStruct:
		return w.structure(x, p)
	case planUnion:
		return w.union(x, p)
	case planCustom:
		if m, ok := x.(map[string]any); ok {
			return w.custom(m, p)
		}
	case planList:
		list, ok := x.([]any)
		if !ok {
			break
		}
		node := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, item := range list {
			node.Content = append(node.Content, w.value(item, p.elem, &rule{}))
		}
		return compact(node)
	case planMap:
		m, ok := x.(map[string]any)
		if !ok {
			break
		}
		node := mappingNode()
		for _, key := range slices.Sorted(maps.Keys(m)) {
			node.Content = append(node.Content, textNode(key), w.value(m[key], p.elem, &rule{}))
		}
		return node
	}
	return compact(plainNode(x, true))
}

// structure writes a struct's fields in the order of the reference; what has
// its default, or says nothing, is left out. Unknown fields come last, for
// reading to refuse.
func (w *draftWriter) structure(x any, p *plan) *yaml.Node {
	m, ok := x.(map[string]any)
	if !ok {
		return plainNode(x, true)
	}
	node := mappingNode()
	for i := range p.fields {
		f := &p.fields[i]
		v, there := m[f.name]
		if !there || unsaid(v, f) {
			continue
		}
		node.Content = append(node.Content, textNode(f.name), w.value(v, f.plan, &f.rule))
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if p.field(key) == nil {
			node.Content = append(node.Content, textNode(key), plainNode(m[key], true))
		}
	}
	return node
}

// custom writes the mapping form of a type that has one, as a reference.
func (w *draftWriter) custom(m map[string]any, p *plan) *yaml.Node {
	if form, ok := reflect.New(p.typ).Interface().(written); ok {
		return compact(w.structure(m, w.plans[reflect.TypeOf(form.writtenAs()).Elem()]))
	}
	return compact(plainNode(m, true))
}

func (w *draftWriter) union(x any, p *plan) *yaml.Node {
	m, ok := x.(map[string]any)
	if !ok {
		return plainNode(x, true)
	}
	for _, v := range reflect.New(p.typ).Interface().(union).variants() {
		if _, there := m[v.key]; v.make != nil && (there || v.key == "") {
			node := w.structure(x, w.plans[reflect.TypeOf(v.make()).Elem()])
			if len(node.Content) == 2 {
				return compact(node)
			}
			return node
		}
	}
	return plainNode(x, true)
}

// unsaid: leaving the field out means the same.
func unsaid(v any, f *field) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0 && !f.rule.required && f.plan.kind != planUnion
	case []any:
		return len(v) == 0
	case string:
		if f.rule.fallback != nil {
			return v == *f.rule.fallback
		}
		return v == "" && !f.rule.required
	case bool:
		if f.rule.fallback != nil {
			return strconv.FormatBool(v) == *f.rule.fallback
		}
		return !v && f.plan.kind == planBool && !f.rule.required
	}
	return f.rule.fallback != nil && fmt.Sprint(v) == *f.rule.fallback
}

// plainNode writes JSON's types as they are. Where values are substituted,
// "${" is written so that it stays what it is.
func plainNode(x any, substituted bool) *yaml.Node {
	switch x := x.(type) {
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(x)}
	case string:
		if substituted {
			x = strings.ReplaceAll(x, "${", "$${")
		}
		return textNode(x)
	case []any:
		node := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, item := range x {
			node.Content = append(node.Content, plainNode(item, substituted))
		}
		return compact(node)
	case map[string]any:
		node := mappingNode()
		for _, key := range slices.Sorted(maps.Keys(x)) {
			node.Content = append(node.Content, textNode(key), plainNode(x[key], substituted))
		}
		return node
	}
	text := fmt.Sprint(x)
	if n, ok := x.(float64); ok {
		text = string(appendFloat(nil, n))
	}
	tag := "!!int"
	if strings.ContainsAny(text, ".eE") {
		tag = "!!float"
	}
	if _, ok := x.(json.Number); !ok && reflect.ValueOf(x).Kind() == reflect.String {
		tag = "!!str"
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text}
}

func mappingNode(content ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: content}
}

func textNode(text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if strings.Contains(text, "\n") {
		n.Style = yaml.LiteralStyle
	}
	return n
}

// compact writes what is small on one line: references, and lists of words.
func compact(n *yaml.Node) *yaml.Node {
	size := 0
	for _, c := range n.Content {
		if c.Kind != yaml.ScalarNode || c.Style == yaml.LiteralStyle {
			return n
		}
		size += len(c.Value) + 2
	}
	if size <= 90 {
		n.Style = yaml.FlowStyle
	}
	return n
}
