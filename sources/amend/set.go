package amend

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// lookup finds a mapping's entry; -1 when there is none.
func lookup(n *yaml.Node, key string) int {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && n.Content[i].Kind == yaml.ScalarNode {
			return i
		}
	}
	return -1
}

// get is the node at a path; nil when there is none.
func get(n *yaml.Node, at []string) *yaml.Node {
	for _, key := range at {
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		i := lookup(n, key)
		if i < 0 {
			return nil
		}
		n = n.Content[i+1]
	}
	return n
}

// set writes a value at a path below a mapping of the document.
func (t *text) set(m *yaml.Node, at []string, value any) (*text, error) {
	if m.Kind != yaml.MappingNode || m.Anchor != "" {
		return nil, errForm
	}
	i := lookup(m, at[0])
	if i < 0 {
		return t.insert(m, at[0], nested(at[1:], value))
	}
	key, old := m.Content[i], m.Content[i+1]
	switch {
	case len(at) > 1 && old.Kind == yaml.MappingNode && len(old.Content) > 0:
		return t.set(old, at[1:], value)
	case len(at) > 1 && old.Kind != yaml.MappingNode && old.Tag != "!!null":
		return nil, errForm // what stands there is no mapping
	}
	return t.replace(m, key, old, nested(at[1:], value))
}

// nested is a value below the keys of a path.
func nested(at []string, value any) any {
	for i := len(at) - 1; i >= 0; i-- {
		value = map[string]any{at[i]: value}
	}
	return value
}

func flows(n *yaml.Node) bool { return n.Style&yaml.FlowStyle != 0 }

// replace puts a value in the place of another.
func (t *text) replace(m, key, old *yaml.Node, value any) (*text, error) {
	indent := m.Column - 1
	if empty(old) {
		after, err := t.afterKey(key)
		if err != nil {
			return nil, err
		}
		return t.cut(after, after, written(value, indent, flows(m))), nil
	}
	from, to, err := t.span(old, indent)
	if err != nil {
		return nil, err
	}
	if old.Kind == yaml.ScalarNode || flows(old) || flows(m) {
		with := flow(value)
		if s, ok := value.(string); ok {
			with = quotedAs(old, s, flows(m))
		}
		return t.cut(from, to, with), nil
	}
	after, err := t.afterKey(key)
	if err != nil {
		return nil, err
	}
	return t.cut(after, to, written(value, indent, false)), nil
}

// insert adds an entry to a mapping, as its last.
func (t *text) insert(m *yaml.Node, key string, value any) (*text, error) {
	indent := m.Column - 1
	if flows(m) {
		from, end, err := t.span(m, indent)
		if err != nil {
			return nil, err
		}
		entry := scalar(key, true) + ": " + flow(value)
		if len(m.Content) == 0 {
			return t.cut(from, end, "{"+entry+"}"), nil
		}
		_, last, err := t.span(m.Content[len(m.Content)-1], indent)
		if err != nil {
			return nil, err
		}
		return t.cut(last, last, ", "+entry), nil
	}
	_, last, err := t.span(m, indent)
	if err != nil {
		return nil, err
	}
	at := t.lineEnd(t.lineOf(last))
	return t.cut(at, at, "\n"+strings.Repeat(" ", indent)+scalar(key, false)+":"+written(value, indent, false)), nil
}

// add adds an item to the list at a path of a mapping, which need not be there.
func (t *text) add(m *yaml.Node, at []string, item any) (*text, error) {
	list := get(m, at)
	if list == nil || list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
		return t.set(m, at, []any{item})
	}
	if list.Anchor != "" {
		return nil, errForm
	}
	_, last, err := t.span(list.Content[len(list.Content)-1], list.Column-1)
	if err != nil {
		return nil, err
	}
	if flows(list) {
		return t.cut(last, last, ", "+flow(item)), nil
	}
	end := t.lineEnd(t.lineOf(last))
	return t.cut(end, end, "\n"+strings.Join(listed([]any{item}, list.Column-1), "\n")), nil
}

// unset takes the entry at a path out. A mapping that would be left with
// nothing goes with it, but for the first keep names of the path.
func (t *text) unset(m *yaml.Node, at []string, keep int) (*text, error) {
	for len(at) > keep+1 {
		if above := get(m, at[:len(at)-1]); above == nil || above.Kind != yaml.MappingNode || len(above.Content) > 2 {
			break
		}
		at = at[:len(at)-1]
	}
	parent := get(m, at[:len(at)-1])
	if parent == nil || parent.Kind != yaml.MappingNode || parent.Anchor != "" {
		return nil, errForm
	}
	i := lookup(parent, at[len(at)-1])
	if i < 0 {
		return nil, errForm
	}
	key, old := parent.Content[i], parent.Content[i+1]
	from := t.offset(key.Line, key.Column)
	_, to, err := t.span(old, parent.Column-1)
	if err == nil && empty(old) {
		to, err = t.afterKey(key)
	}
	if err != nil {
		return nil, err
	}
	if flows(parent) {
		return t.unsetFlow(from, to), nil
	}
	start := t.lines[key.Line-1]
	if strings.TrimSpace(string(t.data[start:from])) != "" {
		return nil, errForm // it stands behind the dash of a list
	}
	return t.cut(start, min(t.lineEnd(t.lineOf(to))+1, len(t.data)), ""), nil
}

// unsetFlow takes an entry out of {a: 1, b: 2}, with one comma.
func (t *text) unsetFlow(from, to int) *text {
	rest := strings.TrimLeft(string(t.data[to:]), " \n")
	if after, ok := strings.CutPrefix(rest, ","); ok {
		return t.cut(from, len(t.data)-len(strings.TrimLeft(after, " ")), "")
	}
	before := strings.TrimRight(string(t.data[:from]), " \n")
	if cut, ok := strings.CutSuffix(before, ","); ok {
		return t.cut(len(cut), to, "")
	}
	return t.cut(from, to, "")
}
