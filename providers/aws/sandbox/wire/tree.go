package wire

import (
	"reflect"
	"time"
)

// A tree is what all protocols share: nil, bool, int64, float64, string,
// []byte, time.Time, []any, map[string]any for a structure's members, and Map
// for a map with keys of the caller's own. Services speak Go structs whose
// field names are AWS's member names; a `wire:"name"` tag renames one.

// Map is a map in a tree, told apart from a structure because XML and the
// audit trail write its keys differently.
type Map map[string]any

var timeType = reflect.TypeFor[time.Time]()

// Tree turns a Go value into a tree. Empty strings, zero times and nil
// pointers, slices and maps are left out of structures.
func Tree(v any) any {
	if v == nil {
		return nil
	}
	return treeOf(reflect.ValueOf(v))
}

func treeOf(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return treeOf(v.Elem())
	case reflect.Struct:
		if v.Type() == timeType {
			return v.Interface()
		}
		return treeOfStruct(v)
	case reflect.Map:
		return treeOfMap(v)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Bytes()
		}
		out := make([]any, 0, v.Len())
		for i := range v.Len() {
			out = append(out, treeOf(v.Index(i)))
		}
		return out
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Float64, reflect.Float32:
		return v.Float()
	default:
		return v.String()
	}
}

func treeOfStruct(v reflect.Value) any {
	out := map[string]any{}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous {
			if inner, ok := treeOf(v.Field(i)).(map[string]any); ok {
				for k, x := range inner {
					out[k] = x
				}
			}
			continue
		}
		if !field.IsExported() || isEmpty(v.Field(i)) {
			continue
		}
		out[memberName(field)] = treeOf(v.Field(i))
	}
	return out
}

func treeOfMap(v reflect.Value) any {
	if v.Type() == reflect.TypeFor[map[string]any]() { // already a tree
		return v.Interface()
	}
	out := Map{}
	for _, k := range v.MapKeys() {
		out[k.String()] = treeOf(v.MapIndex(k))
	}
	return out
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		t, ok := v.Interface().(time.Time)
		return ok && t.IsZero()
	default:
		return false
	}
}

func memberName(f reflect.StructField) string {
	if name := f.Tag.Get("wire"); name != "" {
		return name
	}
	return f.Name
}
