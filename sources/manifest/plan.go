package manifest

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A plan is what decoding, defaults and the JSON Schema know of a Go type. It
// is made once from the type's tags:
//
//	json:"name"      the field's name in YAML
//	is:"…"           comma-separated: required, default=, min=, max=, enum=a|b,
//	                 match=PATTERN, keys=PATTERN, maxlen=, maxitems=, minitems=,
//	                 kinds=A|B (of a reference), target, secret, opaque
//	doc:"…"          what it means, and its unit
type plan struct {
	kind   planKind
	typ    reflect.Type
	fields []field // of a struct, in the order of the type
	names  []string
	elem   *plan // of a list, a map or a pointer
}

type planKind uint8

const (
	planStruct planKind = iota
	planList
	planMap
	planPointer
	planString
	planInt
	planFloat
	planBool
	planAny
	planCustom
	planUnion
)

type field struct {
	name string
	at   []int // where it is, through embedded structs
	plan *plan
	rule rule
}

// rule is what a field's value must be.
type rule struct {
	doc      string
	required bool
	fallback *string // the default, as text
	min, max *float64
	enum     []string
	match    *pattern
	keys     *pattern
	maxLen   int
	minItems int
	maxItems int
	kinds    []string // a reference must name one of these
	target   bool     // an ARN or a reference, never plain text
	secret   bool     // may not stand in the repository
	opaque   bool     // a document of another language: nothing is substituted
}

// custom is a type with a written form of its own.
type custom interface {
	decodeNode(d *decoder, n *node, r *rule)
	schemaNode(g *schemaMaker, r *rule) map[string]any
}

// union is a mapping that is one of several, told by the key it has.
type union interface {
	variants() []variant
	set(key string, value any)
}

type variant struct {
	key  string // its presence chooses the variant; "" chooses when no other does
	make func() any
}

// scalarForm is a union that may also be written as one word.
type scalarForm interface{ decodeScalar(d *decoder, n *node) }

// checker is a type whose fields must agree with each other. It is asked only
// when each of them is well by itself.
type checker interface{ check(d *decoder, n *node) }

// written is a custom type that is read as another type first.
type written interface{ writtenAs() any }

// plansOf compiles a type and everything it is made of.
func plansOf[T any]() map[reflect.Type]*plan {
	seen := map[reflect.Type]*plan{}
	compile(reflect.TypeFor[T](), seen)
	return seen
}

func compile(t reflect.Type, seen map[reflect.Type]*plan) *plan {
	if p, found := seen[t]; found {
		return p
	}
	p := &plan{typ: t}
	seen[t] = p
	if special(t, p, seen) {
		return p
	}
	switch t.Kind() {
	case reflect.Struct:
		p.kind = planStruct
		p.compileFields(seen)
	case reflect.Slice:
		p.kind, p.elem = planList, compile(t.Elem(), seen)
	case reflect.Map:
		p.kind, p.elem = planMap, compile(t.Elem(), seen)
	case reflect.Pointer:
		p.kind, p.elem = planPointer, compile(t.Elem(), seen)
	case reflect.Interface:
		p.kind = planAny
	default:
		p.kind = scalarPlan(t)
	}
	return p
}

// special compiles types that have a written form of their own.
func special(t reflect.Type, p *plan, seen map[reflect.Type]*plan) bool {
	zero := reflect.New(t).Interface()
	if u, ok := zero.(union); ok {
		p.kind = planUnion
		for _, v := range u.variants() {
			if v.make != nil {
				compile(reflect.TypeOf(v.make()).Elem(), seen)
			}
		}
		return true
	}
	if w, ok := zero.(written); ok {
		compile(reflect.TypeOf(w.writtenAs()).Elem(), seen)
	}
	_, ok := zero.(custom)
	if ok {
		p.kind = planCustom
	}
	return ok
}

func scalarPlan(t reflect.Type) planKind {
	switch t.Kind() {
	case reflect.String:
		return planString
	case reflect.Int:
		return planInt
	case reflect.Float64:
		return planFloat
	case reflect.Bool:
		return planBool
	}
	panic("manifest: no written form for " + t.String()) // a mistake in this package's types
}

func (p *plan) compileFields(seen map[reflect.Type]*plan) {
	for i := range p.typ.NumField() {
		f := p.typ.Field(i)
		if f.Anonymous {
			p.embed(i, compile(f.Type, seen))
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		p.fields = append(p.fields, field{
			name: name, at: []int{i}, plan: compile(f.Type, seen),
			rule: parseRule(p.typ.String()+"."+name, f.Tag.Get("is"), f.Tag.Get("doc")),
		})
		p.names = append(p.names, name)
	}
}

// embed takes over the fields of an embedded struct.
func (p *plan) embed(at int, inner *plan) {
	for _, f := range inner.fields {
		f.at = append([]int{at}, f.at...)
		p.fields = append(p.fields, f)
		p.names = append(p.names, f.name)
	}
}

func (p *plan) field(name string) *field {
	if i := slices.Index(p.names, name); i >= 0 {
		return &p.fields[i]
	}
	return nil
}

func parseRule(where, text, doc string) rule {
	r := rule{doc: doc}
	for part := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(part, "=")
		switch key {
		case "":
		case "required":
			r.required = true
		case "default":
			r.fallback = &value
		case "min":
			r.min = ruleNumber(where, value)
		case "max":
			r.max = ruleNumber(where, value)
		case "enum":
			r.enum = strings.Split(value, "|")
		case "kinds":
			r.kinds = strings.Split(value, "|")
		case "match":
			r.match = patternNamed(where, value)
		case "keys":
			r.keys = patternNamed(where, value)
		case "maxlen":
			r.maxLen = int(*ruleNumber(where, value))
		case "minitems":
			r.minItems = int(*ruleNumber(where, value))
		case "maxitems":
			r.maxItems = int(*ruleNumber(where, value))
		case "target":
			r.target = true
		case "secret":
			r.secret = true
		case "opaque":
			r.opaque = true
		default:
			panic(fmt.Sprintf("manifest: %s: no such rule %q", where, key)) // a mistake in this package's types
		}
	}
	return r
}

func ruleNumber(where, text string) *float64 {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(fmt.Sprintf("manifest: %s: %v", where, err)) // a mistake in this package's types
	}
	return &f
}
