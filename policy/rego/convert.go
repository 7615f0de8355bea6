package rego

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"

	"mooring.dev/policy"
)

// shapeOf is how a Go type of the contract becomes an engine value: what JSON
// would make of it, without writing and reading it.
type shapeOf struct {
	kind   reflect.Kind
	raw    bool // json.RawMessage
	fields []shapeField
	parts  []shapeField // embedded: their fields stand beside the others, if they are there
	elem   *shapeOf
}

type shapeField struct {
	index int
	name  *ast.Term
	shape *shapeOf
}

// inputShape is that of policy.Input.
var inputShape = shapeFor(reflect.TypeFor[policy.Input]())

func shapeFor(t reflect.Type) *shapeOf {
	s := &shapeOf{kind: t.Kind(), raw: t == reflect.TypeFor[json.RawMessage]()}
	switch {
	case s.raw:
	case s.kind == reflect.Slice, s.kind == reflect.Map:
		s.elem = shapeFor(t.Elem())
	case s.kind == reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Anonymous {
				s.parts = append(s.parts, shapeField{index: i, shape: shapeFor(f.Type.Elem())})
				continue
			}
			s.fields = append(s.fields, shapeField{index: i, name: ast.StringTerm(f.Tag.Get("json")), shape: shapeFor(f.Type)})
		}
	}
	return s
}

// errByWriting: only JSON itself can say what this value becomes.
var errByWriting = errors.New("not convertible without JSON")

// converter makes the values of one input. A change's words are those of the
// next one: each is made once.
type converter struct{ texts map[string]*ast.Term }

// string is the term of a text.
func (c converter) string(text string) *ast.Term {
	const short, many = 64, 4096
	if t := c.texts[text]; t != nil {
		return t
	}
	t := ast.StringTerm(text)
	if len(text) <= short && len(c.texts) < many {
		c.texts[text] = t
	}
	return t
}

// valueOf is what ast.ValueFromReader makes of json.Marshal of in.
func valueOf(in policy.Input) (ast.Value, error) {
	c := converter{texts: map[string]*ast.Term{}}
	t, err := c.term(inputShape, reflect.ValueOf(in))
	if err != nil {
		return nil, err
	}
	return t.Value, nil
}

func (c converter) term(s *shapeOf, v reflect.Value) (*ast.Term, error) {
	if s.raw {
		return c.raw(v.Bytes())
	}
	switch s.kind {
	case reflect.String:
		if text := v.String(); utf8.ValidString(text) {
			return c.string(text), nil
		}
	case reflect.Bool:
		return ast.InternedTerm(v.Bool()), nil
	case reflect.Int, reflect.Int64:
		if n := int(v.Int()); int64(n) == v.Int() {
			return ast.InternedTerm(n), nil // small ones are there already
		}
		return ast.NumberTerm(json.Number(strconv.FormatInt(v.Int(), 10))), nil
	case reflect.Float64:
		text, err := json.Marshal(v.Float())
		return ast.NumberTerm(json.Number(text)), err
	case reflect.Struct:
		return c.object(s, v)
	case reflect.Slice:
		return c.array(s, v)
	case reflect.Map:
		return c.mapping(s, v)
	}
	return nil, errByWriting
}

func (c converter) object(s *shapeOf, v reflect.Value) (*ast.Term, error) {
	pairs, err := c.pairs(s, v, make([][2]*ast.Term, 0, len(s.fields)))
	if err != nil {
		return nil, err
	}
	return ast.ObjectTerm(pairs...), nil
}

func (c converter) pairs(s *shapeOf, v reflect.Value, pairs [][2]*ast.Term) ([][2]*ast.Term, error) {
	for _, f := range s.fields {
		t, err := c.term(f.shape, v.Field(f.index))
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]*ast.Term{f.name, t})
	}
	for _, p := range s.parts {
		part := v.Field(p.index)
		if part.IsNil() {
			continue
		}
		var err error
		if pairs, err = c.pairs(p.shape, part.Elem(), pairs); err != nil {
			return nil, err
		}
	}
	return pairs, nil
}

func (c converter) array(s *shapeOf, v reflect.Value) (*ast.Term, error) {
	if v.IsNil() {
		return ast.InternedNullTerm, nil
	}
	if v.Len() == 0 {
		return ast.InternedEmptyArray, nil
	}
	items := make([]*ast.Term, v.Len())
	for i := range items {
		var err error
		if items[i], err = c.term(s.elem, v.Index(i)); err != nil {
			return nil, err
		}
	}
	return ast.ArrayTerm(items...), nil
}

func (c converter) mapping(s *shapeOf, v reflect.Value) (*ast.Term, error) {
	if v.IsNil() {
		return ast.InternedNullTerm, nil
	}
	pairs := make([][2]*ast.Term, 0, v.Len())
	for entry := v.MapRange(); entry.Next(); {
		key := entry.Key().String()
		if !utf8.ValidString(key) {
			return nil, errByWriting
		}
		t, err := c.term(s.elem, entry.Value())
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]*ast.Term{ast.StringTerm(key), t})
	}
	return ast.ObjectTerm(pairs...), nil
}

// raw reads a JSON value; most are short and plain.
func (c converter) raw(text []byte) (*ast.Term, error) {
	text = bytes.TrimSpace(text)
	switch {
	case len(text) == 0, string(text) == "null":
		return ast.InternedNullTerm, nil // an empty RawMessage is written as null
	case string(text) == "true", string(text) == "false":
		return ast.InternedTerm(text[0] == 't'), nil
	case plainString(text):
		return c.string(string(text[1 : len(text)-1])), nil
	case plainInteger(text):
		return ast.NumberTerm(json.Number(text)), nil
	}
	v, err := ast.ValueFromReader(bytes.NewReader(text))
	if err != nil || !json.Valid(text) {
		return nil, errByWriting
	}
	return ast.NewTerm(v), nil
}

// plainInteger is true for an integer as JSON writes it.
func plainInteger(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return text[0] != '0' || len(text) == 1
}

// plainString is true for a JSON string that is its own content.
func plainString(text []byte) bool {
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return false
	}
	for _, c := range text[1 : len(text)-1] {
		if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
