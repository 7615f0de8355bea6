package manifest

import (
	"slices"
	"strings"
)

// patchIndex finds the patches of a document without trying each.
type patchIndex struct {
	patches []patch
	byRef   map[Ref][]int    // by kind and name
	byLabel map[string][]int // by kind, those that select by labels
}

func newPatchIndex(patches []patch) *patchIndex {
	x := &patchIndex{patches: patches, byRef: map[Ref][]int{}, byLabel: map[string][]int{}}
	for i, p := range patches {
		if p.Target.Name != "" {
			ref := Ref{p.Target.Kind, p.Target.Name}
			x.byRef[ref] = append(x.byRef[ref], i)
			continue
		}
		x.byLabel[p.Target.Kind] = append(x.byLabel[p.Target.Kind], i)
	}
	return x
}

// of lists the patches of a document, in the order they are applied.
func (x *patchIndex) of(doc *document) []int {
	out := slices.Clone(x.byRef[doc.ref])
	for _, i := range x.byLabel[doc.ref.Kind] {
		if x.patches[i].Target.matches(doc) {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return out
}

// matches tells whether the document, of the target's kind, has all labels.
func (t *patchTarget) matches(doc *document) bool {
	for key, value := range t.Labels {
		if got, found := doc.meta.Labels[key]; !found || got != value {
			return false
		}
	}
	return len(t.Labels) > 0
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
