package template

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// What one template may be: CloudFormation's own limit, and what keeps a
// hostile one from growing.
const (
	maxBytes = 1 << 20
	maxNodes = 200_000 // aliases written out
	maxDepth = 64
)

// parse reads YAML or JSON into plain values; short forms of intrinsic
// functions (!Ref x) become their long ones ({Ref: x}).
func parse(file string, data []byte) (map[string]any, error) {
	if len(data) > maxBytes {
		return nil, fmt.Errorf("%s: is %d bytes; a template has at most %d", file, len(data), maxBytes)
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be read as YAML", file)
	}
	var doc yaml.Node
	if err := loader.Load(&doc); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	c := &converter{file: file}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: is no template: want a mapping", file)
	}
	root, err := c.convert(doc.Content[0], 0)
	if err != nil {
		return nil, err
	}
	return root.(map[string]any), nil
}

// converter makes plain values of nodes.
type converter struct {
	file  string
	nodes int
}

func (c *converter) fault(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d:%d: %s", c.file, n.Line, n.Column, fmt.Sprintf(format, args...))
}

func (c *converter) convert(n *yaml.Node, depth int) (any, error) {
	if c.nodes++; c.nodes > maxNodes {
		return nil, c.fault(n, "the template has more than %d values, its aliases written out", maxNodes)
	}
	if depth > maxDepth {
		return nil, c.fault(n, "is nested deeper than %d", maxDepth)
	}
	if n.Kind == yaml.AliasNode {
		return c.convert(n.Alias, depth+1)
	}
	value, err := c.plain(n, depth)
	if err != nil || !strings.HasPrefix(n.Tag, "!") || strings.HasPrefix(n.Tag, "!!") {
		return value, err
	}
	switch name := strings.TrimPrefix(n.Tag, "!"); name {
	case "Ref", "Condition":
		return map[string]any{name: value}, nil
	case "GetAtt":
		if text, ok := value.(string); ok {
			id, attribute, _ := strings.Cut(text, ".")
			value = []any{id, attribute}
		}
		return map[string]any{"Fn::GetAtt": value}, nil
	default:
		return map[string]any{"Fn::" + name: value}, nil
	}
}

// plain converts a node without its tag.
func (c *converter) plain(n *yaml.Node, depth int) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		return c.mapping(n, depth)
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, item := range n.Content {
			value, err := c.convert(item, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, value)
		}
		return out, nil
	case yaml.ScalarNode:
		return scalar(n), nil
	}
	return nil, c.fault(n, "cannot be read")
}

func (c *converter) mapping(n *yaml.Node, depth int) (any, error) {
	out := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return nil, c.fault(key, "a key must be text")
		}
		if _, twice := out[key.Value]; twice {
			return nil, c.fault(key, "key %q stands twice", key.Value)
		}
		v, err := c.convert(value, depth+1)
		if err != nil {
			return nil, err
		}
		if inherited, ok := v.(map[string]any); ok && key.Tag == "!!merge" {
			for k, v := range inherited {
				if _, there := out[k]; !there {
					out[k] = v
				}
			}
			continue
		}
		out[key.Value] = v
	}
	return out, nil
}

// scalar reads what YAML's core schema does; numbers stay exact.
func scalar(n *yaml.Node) any {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return n.Value
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int":
		if i, err := strconv.Atoi(n.Value); err == nil {
			return i
		}
	case "!!float":
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return f
		}
	}
	return n.Value
}
