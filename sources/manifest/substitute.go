package manifest

import (
	"strings"
)

// values are what an environment's overlay gives for ${name}.
type values struct {
	environment string
	byName      map[string]*node
	cost        map[string]int // of filling it in once, in bytes, about
	names       []string
}

// find reports an undefined name, and values that are filled in until there
// is no end to it.
func (v *values) find(d *decoder, at *node, name string) *node {
	if found, ok := v.byName[name]; ok {
		if d.full {
			return nil
		}
		if d.filled += v.cost[name]; d.filled <= maxFilledOne {
			return found
		}
		d.full = true
		d.fault(at.pos(), "values stand for too much", "at most 1 MiB in one manifest")
		return nil
	}
	hint := didYouMean(name, v.names)
	if hint == "" || !strings.HasPrefix(hint, "did") {
		hint = "define it under values in environments/" + v.environment + ".yaml; $${ stands for ${ itself"
	}
	d.fault(at.pos(), "no value "+quote(name)+" for environment "+v.environment, hint)
	return nil
}

// cost is about what n takes in memory.
func (n *node) cost() int {
	total := 64 + len(n.text)
	for _, item := range n.items {
		total += item.cost()
	}
	for _, e := range n.entries {
		total += len(e.key) + e.value.cost()
	}
	return total
}

// lookup is {value: name}; nil when open, or undefined, which is reported.
func (d *decoder) lookup(n *node) *node {
	d.dynamic = true
	if d.open {
		d.strings++
		return nil
	}
	name := n.entries[0].value
	return d.values.find(d, name, name.text)
}

// substitute fills in "${name}". A string that is nothing else takes the
// value's type; within text only scalars have a place. "$${" is "${".
func (v *values) substitute(d *decoder, n *node) *node {
	text := n.text
	if name, ok := soleName(text); ok {
		found := v.find(d, n, name)
		if found == nil {
			return nil
		}
		out := *found
		out.file, out.line, out.col = n.file, n.line, n.col
		return &out
	}
	var b strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			b.WriteString(text)
			break
		}
		if i > 0 && text[i-1] == '$' {
			b.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		name, rest, closed := strings.Cut(text[i+2:], "}")
		if !closed {
			d.fault(n.pos(), "has a ${ without its }", "write $${ for ${ itself")
			return nil
		}
		found := v.find(d, n, name)
		if found == nil {
			return nil
		}
		if found.kind == listNode || found.kind == mapNode || found.kind == nullNode {
			d.fault(n.pos(), "value "+quote(name)+" is "+found.kind.String()+" and cannot stand inside text", "")
			return nil
		}
		b.WriteString(text[:i] + found.text)
		text = rest
	}
	out := *n
	out.text = b.String()
	return &out
}

// soleName tells whether text is one ${name} and nothing else.
func soleName(text string) (string, bool) {
	inner, ok := strings.CutPrefix(text, "${")
	if !ok {
		return "", false
	}
	name, rest, closed := strings.Cut(inner, "}")
	return name, closed && rest == ""
}
