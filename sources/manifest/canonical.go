package manifest

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Normal is a resource in normal form as JSON: its Ref and Spec, keys
// sorted, empty fields left out. Equal meaning gives equal bytes.
func Normal(res Resource) []byte {
	b := make([]byte, 0, 512)
	b = append(b, `{"ref":`...)
	b = appendString(b, res.Ref.String())
	b = append(b, `,"spec":`...)
	b = appendCanonical(b, res.Spec)
	return append(b, '}')
}

// digest is "sha256:…" of bytes.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// appendCanonical writes any of this package's values, and what JSON can
// hold, as JSON with sorted keys.
func appendCanonical(b []byte, x any) []byte {
	switch x := x.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendString(b, x)
	case bool:
		return strconv.AppendBool(b, x)
	case int:
		return strconv.AppendInt(b, int64(x), 10)
	case int64:
		return strconv.AppendInt(b, x, 10)
	case float64:
		return appendFloat(b, x)
	case []any:
		b = append(b, '[')
		for i, item := range x {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendCanonical(b, item)
		}
		return append(b, ']')
	case map[string]any:
		return appendMap(b, x)
	case LatencyRules:
		if len(x) == 1 {
			return appendReflect(b, reflect.ValueOf(x[0]))
		}
	}
	return appendReflect(b, reflect.ValueOf(x))
}

func appendMap(b []byte, x map[string]any) []byte {
	b = append(b, '{')
	for i, key := range slices.Sorted(maps.Keys(x)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, key)
		b = append(b, ':')
		b = appendCanonical(b, x[key])
	}
	return append(b, '}')
}

// appendFloat writes whole numbers as such: 1.0 is 1.
func appendFloat(b []byte, f float64) []byte {
	if f == float64(int64(f)) && f < 1<<53 && f > -1<<53 {
		return strconv.AppendInt(b, int64(f), 10)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string cannot fail
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// appendReflect writes the typed values: structs by their json names.
func appendReflect(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return append(b, "null"...)
		}
		return appendCanonical(b, v.Elem().Interface())
	case reflect.Slice:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendCanonical(b, v.Index(i).Interface())
		}
		return append(b, ']')
	case reflect.Map:
		return appendReflectMap(b, v)
	case reflect.Struct:
		return appendStruct(b, v)
	case reflect.Int, reflect.Int64:
		if text, ok := v.Interface().(encoding.TextMarshaler); ok {
			return appendText(b, text)
		}
		return strconv.AppendInt(b, v.Int(), 10)
	case reflect.String:
		return appendString(b, v.String())
	}
	return append(b, "null"...)
}

func appendText(b []byte, t encoding.TextMarshaler) []byte {
	text, err := t.MarshalText()
	if err != nil {
		return append(b, "null"...)
	}
	return appendString(b, string(text))
}

func appendReflectMap(b []byte, v reflect.Value) []byte {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	b = append(b, '{')
	for i, key := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, key.String())
		b = append(b, ':')
		b = appendCanonical(b, v.MapIndex(key).Interface())
	}
	return append(b, '}')
}

func appendStruct(b []byte, v reflect.Value) []byte {
	switch x := v.Interface().(type) {
	case Value:
		return appendCanonical(b, x.plain())
	case Ref:
		return appendString(b, x.String())
	}
	b = append(b, '{')
	first := true
	for _, f := range layoutOf(v.Type()) {
		value := v.Field(f.at)
		if f.omit && isEmpty(value) || value.Kind() == reflect.Pointer && value.IsNil() {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, f.quoted...)
		b = appendCanonical(b, value.Interface())
	}
	return append(b, '}')
}

// isEmpty is what encoding/json's omitempty and omitzero leave out.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return v.IsZero()
}

// layoutField is one field of a struct in the order of its JSON names.
type layoutField struct {
	at     int
	name   string
	quoted []byte // `"name":`
	omit   bool
}

// layouts holds the types of the normal form; it is never written to.
var layouts = makeLayouts(
	reflect.TypeFor[FunctionConfig](), reflect.TypeFor[QueueSpec](), reflect.TypeFor[RoleSpec](),
	reflect.TypeFor[AliasSpec](), reflect.TypeFor[TriggerSpec](), reflect.TypeFor[PermissionSpec](),
	reflect.TypeFor[URLSpec](), reflect.TypeFor[AsyncSpec](), reflect.TypeFor[ConcurrencySpec](),
	reflect.TypeFor[Artifact](), reflect.TypeFor[Redrive](), reflect.TypeFor[Delivery](), reflect.TypeFor[Rollout](),
	reflect.TypeFor[Analysis](), reflect.TypeFor[Stage](), reflect.TypeFor[EphemeralStorage](), reflect.TypeFor[Expects](),
	reflect.TypeFor[VpcConfig](), reflect.TypeFor[Target](), reflect.TypeFor[TracingConfig](), reflect.TypeFor[FileSystem](),
	reflect.TypeFor[ImageConfig](), reflect.TypeFor[SnapStart](), reflect.TypeFor[LoggingConfig](), reflect.TypeFor[Cors](),
	reflect.TypeFor[TopicSpec](), reflect.TypeFor[SubscriptionSpec](), reflect.TypeFor[RuleSpec](), reflect.TypeFor[RuleTarget](),
	reflect.TypeFor[ScheduleSpec](), reflect.TypeFor[ScheduleTarget](), reflect.TypeFor[FlexibleTimeWindow](), reflect.TypeFor[RetryPolicy](),
	reflect.TypeFor[metadata](), reflect.TypeFor[asyncDoc](), reflect.TypeFor[urlDoc](), reflect.TypeFor[permissionDoc](),
	reflect.TypeFor[rolloutDoc](), reflect.TypeFor[analysisDoc](),
	reflect.TypeFor[WorkflowSpec](), reflect.TypeFor[workflowSpec](), reflect.TypeFor[WorkflowLogging](),
	reflect.TypeFor[functionSpec](), reflect.TypeFor[queueTrigger](), reflect.TypeFor[trigger](), reflect.TypeFor[executionRole](),
)

func makeLayouts(types ...reflect.Type) map[reflect.Type][]layoutField {
	out := make(map[reflect.Type][]layoutField, len(types))
	for _, t := range types {
		out[t] = makeLayout(t)
	}
	return out
}

func layoutOf(t reflect.Type) []layoutField {
	if l, found := layouts[t]; found {
		return l
	}
	return makeLayout(t)
}

func makeLayout(t reflect.Type) []layoutField {
	var out []layoutField
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		out = append(out, layoutField{
			at: i, name: name, quoted: append(appendString(nil, name), ':'), omit: strings.HasPrefix(options, "omit"),
		})
	}
	slices.SortFunc(out, func(a, b layoutField) int { return strings.Compare(a.name, b.name) })
	return out
}
