package manifest

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

type nodeKind uint8

const (
	nullNode nodeKind = iota
	boolNode
	intNode
	floatNode
	stringNode
	listNode
	mapNode
)

func (k nodeKind) String() string {
	return [...]string{"null", "a boolean", "a number", "a number", "a string", "a list", "a mapping"}[k]
}

// node is a parsed value with its place. Nodes are shared and never written
// to after parsing.
type node struct {
	kind      nodeKind
	line, col int32
	file      string
	text      string  // of a scalar
	items     []*node // of a list
	entries   []entry // of a mapping, in the file's order, keys unique
}

type entry struct {
	key       string
	line, col int32
	value     *node
}

func (n *node) pos() Position {
	return Position{File: n.file, Line: int(n.line), Column: int(n.col)}
}

// pos is the place of the key.
func (e entry) pos() Position {
	return Position{File: e.value.file, Line: int(e.line), Column: int(e.col)}
}

// get finds a mapping's value; nil if there is none, or it is null.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for _, e := range n.entries {
		if e.key == key && e.value.kind != nullNode {
			return e.value
		}
	}
	return nil
}

// converter turns the parser's nodes into ours: aliases expanded within a
// budget, merge keys applied, duplicate keys and foreign tags refused.
type converter struct {
	file    string
	aliased int // nodes made from aliases so far
	inAlias bool
	stopped bool // a limit was hit: one fault is enough
	faults  Faults
}

func (c *converter) fault(n *yaml.Node, message, hint string) {
	c.faults = append(c.faults, Fault{
		Position: Position{c.file, n.Line, n.Column}, Message: message, Hint: hint,
	})
}

func (c *converter) stop(n *yaml.Node, message, hint string) *node {
	if !c.stopped {
		c.fault(n, message, hint)
	}
	c.stopped = true
	return c.scalar(n, nullNode)
}

func (c *converter) scalar(n *yaml.Node, kind nodeKind) *node {
	return &node{kind: kind, line: int32(n.Line), col: int32(n.Column), file: c.file, text: n.Value}
}

func (c *converter) convert(n *yaml.Node, depth int) *node {
	if c.stopped {
		return c.scalar(n, nullNode)
	}
	if depth > MaxNesting {
		return c.stop(n, "nested too deeply", "at most 64 levels")
	}
	if c.inAlias {
		if c.aliased++; c.aliased > maxAliased {
			return c.stop(n, "aliases stand for too much", "write it out, or use values")
		}
	}
	switch n.Kind {
	case yaml.AliasNode:
		return c.alias(n, depth)
	case yaml.SequenceNode:
		out := c.scalar(n, listNode)
		c.checkTag(n, "!!seq")
		for _, item := range n.Content {
			out.items = append(out.items, c.convert(item, depth+1))
		}
		return out
	case yaml.MappingNode:
		c.checkTag(n, "!!map")
		return c.mapping(n, depth)
	case yaml.ScalarNode:
		return c.scalarOf(n)
	}
	return c.scalar(n, nullNode)
}

func (c *converter) alias(n *yaml.Node, depth int) *node {
	if n.Alias == nil {
		return c.stop(n, "alias of nothing", "")
	}
	outer := c.inAlias
	c.inAlias = true
	out := c.convert(n.Alias, depth+1)
	c.inAlias = outer
	return out
}

func (c *converter) checkTag(n *yaml.Node, want string) {
	if n.Tag != "" && n.Tag != want {
		c.fault(n, "tag "+n.Tag+" is not supported", "manifests are plain YAML")
	}
}

func (c *converter) scalarOf(n *yaml.Node) *node {
	switch n.Tag {
	case "!!null":
		return c.scalar(n, nullNode)
	case "!!bool":
		out := c.scalar(n, boolNode)
		out.text = strings.ToLower(n.Value)
		return out
	case "!!int":
		return c.scalar(n, intNode)
	case "!!float":
		return c.scalar(n, floatNode)
	case "!!str", "!!timestamp", "!!merge", "":
		return c.scalar(n, stringNode)
	}
	c.fault(n, "tag "+n.Tag+" is not supported", "manifests are plain YAML")
	return c.scalar(n, nullNode)
}

func (c *converter) mapping(n *yaml.Node, depth int) *node {
	out := c.scalar(n, mapNode)
	first := make(map[string]int, len(n.Content)/2)
	var merged []*node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag == "!!merge" {
			merged = append(merged, c.convert(value, depth+1))
			continue
		}
		for key.Kind == yaml.AliasNode && key.Alias != nil {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode || key.Tag == "!!null" {
			c.fault(key, "a key must be a plain string", "")
			continue
		}
		if line, twice := first[key.Value]; twice {
			c.fault(key, "duplicate key "+quote(key.Value), "first at line "+itoa(line))
			continue
		}
		first[key.Value] = key.Line
		out.entries = append(out.entries, entry{
			key: key.Value, line: int32(key.Line), col: int32(key.Column), value: c.convert(value, depth+1),
		})
	}
	for _, m := range merged {
		c.merge(n, out, m, first)
	}
	return out
}

// merge adds the entries of a merge key's value that out does not have.
func (c *converter) merge(at *yaml.Node, out, from *node, have map[string]int) {
	switch from.kind {
	case mapNode:
		for _, e := range from.entries {
			if _, found := have[e.key]; !found {
				have[e.key] = int(e.line)
				out.entries = append(out.entries, e)
			}
		}
	case listNode:
		for _, item := range from.items {
			if item.kind != mapNode {
				c.fault(at, "a merge key needs mappings", "")
				return
			}
			c.merge(at, out, item, have)
		}
	case nullNode: // a limit was hit, and said
	default:
		c.fault(at, "a merge key needs a mapping", "")
	}
}
