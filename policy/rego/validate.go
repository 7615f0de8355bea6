package rego

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"mooring.dev/policy"
)

// maxInputFaults is how many faults of one input are told.
const maxInputFaults = 20

// InputError says how an input differs from its schema. It never holds a
// value of the input.
type InputError struct {
	Faults []string
	unkept bool // a sensitive value stands in it as it is, or it was not looked into: it is not recorded
}

// Is makes it a policy.ErrInput.
func (e *InputError) Is(target error) bool { return target == policy.ErrInput }

func (e *InputError) Error() string {
	return "invalid policy input: " + strings.Join(e.Faults, "; ")
}

// validator checks a value against a form. The terms of field names are kept,
// because inputs are large and asked about often.
type validator struct {
	root  *form
	terms map[string]*ast.Term
}

func newValidator(f *form) *validator {
	v := &validator{root: f, terms: map[string]*ast.Term{}}
	v.collect(f)
	return v
}

func (v *validator) collect(f *form) {
	if f.elem != nil {
		v.collect(f.elem)
	}
	for _, field := range f.fields {
		v.terms[field.name] = ast.StringTerm(field.name)
		v.collect(field.form)
	}
}

// validate returns an *InputError, or nil.
func (v *validator) validate(value ast.Value) error {
	c := check{validator: v}
	c.value(v.root, value, nil)
	if len(c.faults) > 0 {
		return &InputError{Faults: c.faults, unkept: c.unkept}
	}
	return nil
}

// step is one step of the way to a value, written out only for a fault.
type step struct {
	up    *step
	name  string
	index int
}

func (s *step) String() string {
	if s == nil {
		return "input"
	}
	if s.name == "" {
		return s.up.String() + "[" + strconv.Itoa(s.index) + "]"
	}
	return s.up.String() + "." + s.name
}

type check struct {
	*validator
	faults []string
	unkept bool
}

func (c *check) fault(at *step, format string, args ...any) {
	if len(c.faults) < maxInputFaults {
		c.faults = append(c.faults, at.String()+": "+fmt.Sprintf(format, args...))
	}
}

func (c *check) value(f *form, v ast.Value, at *step) {
	switch f.kind {
	case anyForm:
	case objectForm:
		c.object(f, v, at)
	case arrayForm:
		c.array(f, v, at)
	case mapForm:
		c.mapping(f, v, at)
	default:
		c.scalar(f, v, at)
	}
}

func (c *check) scalar(f *form, v ast.Value, at *step) {
	ok := false
	switch f.kind {
	case stringForm:
		_, ok = v.(ast.String)
	case boolForm:
		_, ok = v.(ast.Boolean)
	case numberForm:
		_, ok = v.(ast.Number)
	case integerForm:
		if n, number := v.(ast.Number); number {
			_, ok = n.Int64()
		}
	}
	if !ok {
		c.fault(at, "want %v, have %s", f.schema()["type"], ast.ValueName(v))
	}
}

func (c *check) array(f *form, v ast.Value, at *step) {
	list, ok := v.(*ast.Array)
	if !ok {
		c.fault(at, "want array, have %s", ast.ValueName(v))
		return
	}
	here := step{up: at}
	for i := range list.Len() {
		here.index = i
		c.value(f.elem, list.Elem(i).Value, &here)
	}
}

func (c *check) mapping(f *form, v ast.Value, at *step) {
	object, ok := v.(ast.Object)
	if !ok {
		c.fault(at, "want object, have %s", ast.ValueName(v))
		return
	}
	object.Foreach(func(k, item *ast.Term) {
		name, _ := k.Value.(ast.String)
		c.value(f.elem, item.Value, &step{up: at, name: string(name)})
	})
}

func (c *check) object(f *form, v ast.Value, at *step) {
	object, ok := v.(ast.Object)
	if !ok {
		c.fault(at, "want object, have %s", ast.ValueName(v))
		return
	}
	present, sensitive := 0, false
	here := step{up: at}
	for _, field := range f.fields {
		here.name = field.name
		item := object.Get(c.terms[field.name])
		if item == nil {
			c.fault(&here, "missing")
			continue
		}
		present++
		sensitive = sensitive || field.name == "sensitive" && item.Value == ast.Boolean(true)
		c.value(field.form, item.Value, &here)
	}
	if present < object.Len() {
		c.unknown(f, object, at)
	}
	if sensitive {
		c.tokens(f, object, at)
	}
}

// unknown names the fields of object the form does not have.
func (c *check) unknown(f *form, object ast.Object, at *step) {
	known := map[string]bool{}
	for _, field := range f.fields {
		known[field.name] = true
	}
	object.Foreach(func(k, _ *ast.Term) {
		if name, ok := k.Value.(ast.String); !ok || !known[string(name)] {
			c.fault(at, "unknown field %v", k)
		}
	})
}

// tokens insists that the values of a sensitive field are tokens, which are
// strings: structure would tell too much.
func (c *check) tokens(f *form, object ast.Object, at *step) {
	for _, field := range f.fields {
		if field.form.kind != anyForm {
			continue
		}
		item := object.Get(c.terms[field.name])
		if item == nil {
			continue // told already
		}
		switch item.Value.(type) {
		case ast.String, ast.Null:
		default:
			c.unkept = true
			c.fault(&step{up: at, name: field.name}, "a sensitive value must be a token")
		}
	}
}
