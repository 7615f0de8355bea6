package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path"
	"sort"
	"strings"

	"go.yaml.in/yaml/v4"
)

// parseIncluded reads a JSON or YAML file that is no manifest by itself.
func parseIncluded(file string, data []byte) (*node, Faults) {
	if strings.EqualFold(path.Ext(file), ".json") {
		return parseJSON(file, data)
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, Faults{{Position: Position{File: file}, Message: "cannot be read as YAML"}}
	}
	var n yaml.Node
	if err := loader.Load(&n); err != nil || n.Kind != yaml.DocumentNode || len(n.Content) != 1 {
		if err == nil || errors.Is(err, io.EOF) {
			return nil, Faults{{Position: Position{File: file}, Message: "holds nothing"}}
		}
		return nil, Faults{syntaxFault(file, err)}
	}
	c := &converter{file: file}
	out := c.convert(n.Content[0], 1)
	return out, c.faults
}

// parseJSON reads a JSON document into nodes with their places. YAML would
// read most of it as well, but not every escape.
func parseJSON(file string, data []byte) (*node, Faults) {
	p := &jsonParser{file: file, data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	p.dec.UseNumber()
	for i, c := range data {
		if c == '\n' {
			p.lines = append(p.lines, i+1)
		}
	}
	out := p.value(1)
	if len(p.faults) == 0 {
		if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
			p.fault(p.node(nullNode), "holds more than one document", "")
		}
	}
	return out, p.faults
}

type jsonParser struct {
	file   string
	data   []byte
	lines  []int // where each line after the first begins
	dec    *json.Decoder
	faults Faults
}

func (p *jsonParser) fault(at *node, message, hint string) {
	p.faults = append(p.faults, Fault{Position: at.pos(), Message: message, Hint: hint})
}

// node is an empty node where the next token begins.
func (p *jsonParser) node(kind nodeKind) *node {
	at := int(p.dec.InputOffset())
	for at < len(p.data) && strings.IndexByte(" \t\r\n,:", p.data[at]) >= 0 {
		at++
	}
	line := sort.SearchInts(p.lines, at+1)
	start := 0
	if line > 0 {
		start = p.lines[line-1]
	}
	return &node{kind: kind, file: p.file, line: int32(line + 1), col: int32(at - start + 1)}
}

func (p *jsonParser) value(depth int) *node {
	n := p.node(nullNode)
	if depth > MaxNesting {
		p.fault(n, "nested too deeply", "at most 64 levels")
		return n
	}
	token, err := p.dec.Token()
	if err != nil {
		p.fault(n, "cannot be read as JSON", "")
		return n
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			n.kind = mapNode
			p.object(n, depth)
		} else {
			n.kind = listNode
			p.array(n, depth)
		}
	case string:
		n.kind, n.text = stringNode, t
	case bool:
		n.kind, n.text = boolNode, "false"
		if t {
			n.text = "true"
		}
	case json.Number:
		n.kind, n.text = intNode, t.String()
		if strings.ContainsAny(n.text, ".eE") {
			n.kind = floatNode
		}
	}
	return n
}

func (p *jsonParser) array(n *node, depth int) {
	for p.dec.More() && len(p.faults) == 0 {
		n.items = append(n.items, p.value(depth+1))
	}
	p.closing(n)
}

func (p *jsonParser) object(n *node, depth int) {
	first := map[string]int32{}
	for p.dec.More() && len(p.faults) == 0 {
		at := p.node(nullNode)
		token, err := p.dec.Token()
		key, ok := token.(string)
		if err != nil || !ok {
			p.fault(at, "cannot be read as JSON", "")
			return
		}
		if line, twice := first[key]; twice {
			p.fault(at, "duplicate key "+quote(key), "first at line "+itoa(int(line)))
			return
		}
		first[key] = at.line
		n.entries = append(n.entries, entry{key: key, line: at.line, col: at.col, value: p.value(depth + 1)})
	}
	p.closing(n)
}

func (p *jsonParser) closing(n *node) {
	if len(p.faults) > 0 {
		return
	}
	if _, err := p.dec.Token(); err != nil {
		p.fault(p.node(nullNode), "cannot be read as JSON", "what begins at line "+itoa(int(n.line))+" has no end")
	}
}
