package rego

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Value is what a name in a policy stood for: input.environment.name, or a
// variable.
type Value struct {
	Name  string `json:"name"`
	Value string `json:"value"` // JSON, shortened where it is long
}

// maxShown is how many bytes of a value are shown.
const maxShown = 160

// scope resolves the names an author wrote, at one moment of an evaluation.
type scope struct {
	input  ast.Value
	locals map[string]ast.Value
	config ast.Value
	seen   map[string]bool
	found  []Value
	failed bool // what is undefined is told too
}

// values are those of what the statements of exprs name, as the author wrote
// it: the compiler's own variables and expressions are left out.
func (w *watcher) values(e topdown.Event, exprs ...*ast.Expr) []Value {
	s := scope{config: w.config, locals: map[string]ast.Value{}, seen: map[string]bool{}, failed: e.Op == topdown.FailOp}
	if in := e.Input(); in != nil {
		s.input = in.Value
	}
	if e.Locals != nil {
		e.Locals.Iter(func(k, v ast.Value) bool {
			name, ok := k.(ast.Var)
			if at, known := e.LocalMetadata[name]; ok && known && !at.Name.IsGenerated() && !at.Name.IsWildcard() {
				s.locals[string(at.Name)] = v
			}
			return false
		})
	}
	for _, expr := range exprs {
		if expr.Generated && len(exprs) > 1 || expr.Location == nil {
			continue
		}
		s.statement(string(expr.Location.Text))
	}
	return s.found
}

// statement reads a statement's own text again, which has the author's names.
func (s *scope) statement(text string) {
	options := ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: capabilities(), FutureKeywords: []string{"not"}}
	body, err := ast.ParseBodyWithOpts(text, options)
	if err != nil {
		return // it is shown without values
	}
	for _, expr := range body {
		s.expr(expr)
	}
}

func (s *scope) expr(expr *ast.Expr) {
	switch terms := expr.Terms.(type) {
	case *ast.Term:
		s.term(terms)
	case []*ast.Term:
		for _, t := range terms[1:] {
			s.term(t)
		}
	case *ast.Every:
		s.term(terms.Domain)
	case *ast.SomeDecl:
		for _, t := range terms.Symbols {
			s.term(t)
		}
	case *ast.Not:
		for _, inner := range terms.Body {
			s.expr(inner)
		}
	}
}

// term notes the values of the names in a term. What comprehensions do inside
// has frames of its own.
func (s *scope) term(t *ast.Term) {
	switch v := t.Value.(type) {
	case ast.Var:
		if value, ok := s.locals[string(v)]; ok {
			s.note(string(v), value)
		}
	case ast.Ref:
		switch value, known := s.resolve(v); {
		case value != nil:
			s.note(v.String(), value)
		case known && s.failed && !s.seen[v.String()]:
			s.seen[v.String()] = true
			s.found = append(s.found, Value{v.String(), "undefined"})
		}
		for _, part := range v[1:] {
			s.term(part)
		}
	case ast.Call:
		for _, part := range v[1:] {
			s.term(part)
		}
	case *ast.Array:
		v.Foreach(s.term)
	case ast.Set:
		v.Foreach(s.term)
	case ast.Object:
		v.Foreach(func(_, item *ast.Term) { s.term(item) })
	}
}

func (s *scope) note(name string, v ast.Value) {
	if !s.seen[name] {
		s.seen[name] = true
		s.found = append(s.found, Value{name, shown(v)})
	}
}

// resolve follows a reference. known says that all it goes by is known: with
// no value it is undefined then.
func (s *scope) resolve(ref ast.Ref) (value ast.Value, known bool) {
	head, _ := ref[0].Value.(ast.Var)
	local, isLocal := s.locals[string(head)]
	switch {
	case isLocal:
		value = local
	case head == "input":
		value = s.input
	case head == "data" && len(ref) > 1 && ast.String("config").Equal(ref[1].Value):
		value, ref = s.config, ref[1:]
	default:
		return nil, false
	}
	for _, part := range ref[1:] {
		key := part.Value
		switch k := key.(type) {
		case ast.Var:
			key = s.locals[string(k)]
		case ast.Ref:
			key, _ = s.resolve(k)
		}
		if key == nil || value == nil {
			return nil, value == nil
		}
		found, err := value.Find(ast.Ref{ast.NewTerm(key)})
		if err != nil {
			return nil, true
		}
		value = found
	}
	return value, true
}

// shown is a value as JSON, cut where it is long.
func shown(v ast.Value) string {
	plain, err := ast.JSON(v)
	if err != nil {
		return v.String()
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(plain); err != nil {
		return v.String()
	}
	text := strings.TrimSpace(out.String())
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return text
}
