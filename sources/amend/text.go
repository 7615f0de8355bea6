package amend

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// errForm: the file is written in a way that is not edited (anchors, aliases,
// scalars folded over lines, …).
var errForm = errors.New("the manifest is written in a form that is not edited by a program")

// text is a YAML file under edit. Each edit cuts into the bytes, and leaves all
// others as they are.
type text struct {
	data  []byte
	lines []int // where each begins
}

func newText(data []byte) *text {
	t := &text{data: data, lines: []int{0}}
	for i, c := range data {
		if c == '\n' {
			t.lines = append(t.lines, i+1)
		}
	}
	return t
}

// document is the mapping of the document that begins at a line.
func (t *text) document(line int) (*yaml.Node, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(t.data))
	if err != nil {
		return nil, err
	}
	for {
		var n yaml.Node
		err := loader.Load(&n)
		switch {
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("%w: no document at line %d", errForm, line)
		case err != nil:
			return nil, err
		case len(n.Content) == 1 && n.Content[0].Kind == yaml.MappingNode && n.Content[0].Line == line:
			return n.Content[0], nil
		}
	}
}

// offset is where a node begins. Columns count characters.
func (t *text) offset(line, column int) int {
	at := t.lines[min(line, len(t.lines))-1]
	for range column - 1 {
		if at >= len(t.data) || t.data[at] == '\n' {
			break
		}
		_, size := utf8.DecodeRune(t.data[at:])
		at += size
	}
	return at
}

// span is the bytes a node stands in; parent is the indentation of what it is
// the value of.
func (t *text) span(n *yaml.Node, parent int) (from, to int, err error) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return 0, 0, errForm
	}
	from = t.offset(n.Line, n.Column)
	switch {
	case n.Kind == yaml.ScalarNode:
		to, err = t.scalarEnd(n, from, parent)
	case n.Style&yaml.FlowStyle != 0:
		to, err = t.flowEnd(from)
	default:
		last := n.Content[len(n.Content)-1]
		if _, to, err = t.span(last, n.Column-1); err == nil && empty(last) && n.Kind == yaml.MappingNode {
			to, err = t.afterKey(n.Content[len(n.Content)-2])
		}
	}
	return from, to, err
}

// empty is a value that is not written: `key:`.
func empty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null" && n.Value == ""
}

// afterKey is where a value that is not written would stand: behind the colon.
func (t *text) afterKey(key *yaml.Node) (int, error) {
	_, end, err := t.span(key, 0)
	if err != nil {
		return 0, err
	}
	colon := bytes.IndexByte(t.data[end:], ':')
	if colon < 0 || len(bytes.TrimSpace(t.data[end:end+colon])) > 0 {
		return 0, errForm
	}
	return end + colon + 1, nil
}

func (t *text) scalarEnd(n *yaml.Node, from, parent int) (int, error) {
	switch n.Style {
	case yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle:
		return t.quotedEnd(from)
	case yaml.LiteralStyle, yaml.FoldedStyle:
		return t.blockEnd(n.Line, parent), nil
	}
	if !bytes.HasPrefix(t.data[from:], []byte(n.Value)) {
		return 0, errForm // folded over lines
	}
	return from + len(n.Value), nil
}

// blockEnd is the end of a block scalar whose header stands on a line.
func (t *text) blockEnd(line, parent int) int {
	end := t.lineEnd(line)
	for next := line + 1; next <= len(t.lines); next++ {
		content := t.data[t.lines[next-1]:t.lineEnd(next)]
		inside := len(content) - len(bytes.TrimLeft(content, " "))
		if len(bytes.TrimSpace(content)) == 0 {
			continue
		}
		if inside <= parent {
			break
		}
		end = t.lineEnd(next)
	}
	return end
}

// lineEnd is where a line's break stands, or the file ends.
func (t *text) lineEnd(line int) int {
	if line < len(t.lines) {
		return t.lines[line] - 1
	}
	return len(t.data)
}

// lineOf is the line that a byte stands in.
func (t *text) lineOf(at int) int {
	line, found := slices.BinarySearch(t.lines, at)
	if found {
		return line + 1
	}
	return line
}

func (t *text) quotedEnd(from int) (int, error) {
	quote := t.data[from]
	for i := from + 1; i < len(t.data); i++ {
		switch {
		case quote == '"' && t.data[i] == '\\':
			i++
		case t.data[i] == quote && quote == '\'' && i+1 < len(t.data) && t.data[i+1] == '\'':
			i++
		case t.data[i] == quote:
			return i + 1, nil
		}
	}
	return 0, errForm
}

// flowEnd finds the bracket that closes the one at from.
func (t *text) flowEnd(from int) (int, error) {
	depth := 0
	for i := from; i < len(t.data); i++ {
		switch c := t.data[i]; {
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1, nil
			}
		case (c == '"' || c == '\'') && opens(t.data[:i]):
			end, err := t.quotedEnd(i)
			if err != nil {
				return 0, err
			}
			i = end - 1
		case c == '#' && (t.data[i-1] == ' ' || t.data[i-1] == '\n'):
			i = t.lineEnd(t.lineOf(i))
		}
	}
	return 0, errForm
}

// opens: a quote after this begins a scalar, and is no part of a plain one.
func opens(before []byte) bool {
	before = bytes.TrimRight(before, " \t\n")
	return len(before) == 0 || strings.IndexByte("{[,:", before[len(before)-1]) >= 0
}

// cut puts other bytes in the place of some.
func (t *text) cut(from, to int, with string) *text {
	return newText(slices.Concat(t.data[:from], []byte(with), t.data[to:]))
}
