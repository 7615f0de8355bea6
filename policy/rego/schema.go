package rego

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"mooring.dev/policy"
)

// points lists the points in the order of a content's life, and after them the
// one that is about policies.
var points = []policy.Point{policy.Admission, policy.Promotion, policy.Rollout, policy.Drift, policy.Notify, policy.Activation}

// Points lists the points in the order of a content's life, and after them the
// one that is about policies.
func Points() []policy.Point { return slices.Clone(points) }

// form is what a value must look like. The JSON Schemas that are published
// and compiled against, and the check of every input, come from the same
// form, which comes from the Go types of the contract.
type form struct {
	kind   formKind
	fields []formField // of an object, sorted by name; all required, no others
	elem   *form       // of an array or a map
}

type formField struct {
	name string
	form *form
}

type formKind int

const (
	anyForm formKind = iota // any JSON value, null included
	objectForm
	arrayForm
	mapForm
	stringForm
	integerForm
	numberForm
	boolForm
)

// parts is the embedded struct of Input each point adds.
var parts = map[policy.Point]reflect.Type{
	policy.Promotion:  reflect.TypeFor[policy.PromotionFacts](),
	policy.Rollout:    reflect.TypeFor[policy.RolloutFacts](),
	policy.Drift:      reflect.TypeFor[policy.DriftFacts](),
	policy.Notify:     reflect.TypeFor[policy.NotifyFacts](),
	policy.Activation: reflect.TypeFor[policy.ActivationFacts](),
}

// inputForm is the form of a point's input. The empty point has the envelope
// alone, which is what helpers in policy.lib may read.
func inputForm(p policy.Point) *form {
	f := objectOf(reflect.TypeFor[policy.Input]())
	if part, ok := parts[p]; ok {
		f.fields = append(f.fields, objectOf(part).fields...)
	}
	sortFields(f.fields)
	return f
}

func objectOf(t reflect.Type) *form {
	f := &form{kind: objectForm}
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous { // the parts of points
			continue
		}
		f.fields = append(f.fields, formField{field.Tag.Get("json"), formOf(field.Type)})
	}
	sortFields(f.fields)
	return f
}

func sortFields(fields []formField) {
	slices.SortFunc(fields, func(a, b formField) int { return strings.Compare(a.name, b.name) })
}

func formOf(t reflect.Type) *form {
	if t == reflect.TypeFor[json.RawMessage]() {
		return &form{kind: anyForm}
	}
	switch t.Kind() {
	case reflect.Struct:
		return objectOf(t)
	case reflect.Slice:
		return &form{kind: arrayForm, elem: formOf(t.Elem())}
	case reflect.Map:
		return &form{kind: mapForm, elem: formOf(t.Elem())}
	case reflect.String:
		return &form{kind: stringForm}
	case reflect.Int, reflect.Int64:
		return &form{kind: integerForm}
	case reflect.Float64:
		return &form{kind: numberForm}
	case reflect.Bool:
		return &form{kind: boolForm}
	}
	panic(fmt.Sprintf("policy input has a field of type %v, which no policy could read", t))
}

// schema is the JSON Schema of f.
func (f *form) schema() map[string]any {
	switch f.kind {
	case objectForm:
		properties, required := map[string]any{}, []any{}
		for _, field := range f.fields {
			properties[field.name] = field.form.schema()
			required = append(required, field.name)
		}
		return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
	case arrayForm:
		return map[string]any{"type": "array", "items": f.elem.schema()}
	case mapForm:
		return map[string]any{"type": "object", "additionalProperties": f.elem.schema()}
	case stringForm:
		return map[string]any{"type": "string"}
	case integerForm:
		return map[string]any{"type": "integer"}
	case numberForm:
		return map[string]any{"type": "number"}
	case boolForm:
		return map[string]any{"type": "boolean"}
	}
	return map[string]any{}
}

// Schemas are the JSON Schemas of the input at each point. Every field is
// required and no other is allowed.
func Schemas() map[policy.Point][]byte {
	out := map[policy.Point][]byte{}
	for _, p := range points {
		s := inputForm(p).schema()
		s["$schema"] = "http://json-schema.org/draft-07/schema#"
		s["title"] = policy.API + " input at " + string(p)
		out[p] = must(json.MarshalIndent(s, "", "  "))
	}
	return out
}
