package wire

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
)

// Decode fills out (a pointer to a struct) from a tree. Members the struct does
// not have are passed over, as AWS does; a value of the wrong type is a
// SerializationException.
func Decode(tree any, out any) error {
	if tree == nil {
		return nil
	}
	return decodeInto(tree, reflect.ValueOf(out).Elem(), "")
}

func decodeInto(tree any, v reflect.Value, path string) error {
	if tree == nil {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return decodeInto(tree, v.Elem(), path)
	case reflect.Interface:
		v.Set(reflect.ValueOf(tree))
		return nil
	case reflect.Struct:
		if v.Type() == timeType {
			return decodeTime(tree, v, path)
		}
		return decodeStruct(tree, v, path)
	case reflect.Map:
		return decodeMap(tree, v, path)
	case reflect.Slice:
		return decodeSlice(tree, v, path)
	default:
		return decodeScalar(tree, v, path)
	}
}

func decodeStruct(tree any, v reflect.Value, path string) error {
	members, ok := asMembers(tree)
	if !ok {
		if s, isText := tree.(string); isText && s == "" { // an empty structure of the query protocol
			return nil
		}
		return wrongType(path, "a structure")
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous {
			if err := decodeStruct(tree, v.Field(i), path); err != nil {
				return err
			}
			continue
		}
		if !field.IsExported() {
			continue
		}
		name := memberName(field)
		if err := decodeInto(members[name], v.Field(i), path+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

func decodeMap(tree any, v reflect.Value, path string) error {
	members, ok := asMembers(tree)
	if !ok {
		return wrongType(path, "a map")
	}
	out := reflect.MakeMap(v.Type())
	for k, x := range members {
		item := reflect.New(v.Type().Elem()).Elem()
		if err := decodeInto(x, item, path+"/"+k); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(k), item)
	}
	v.Set(out)
	return nil
}

func decodeSlice(tree any, v reflect.Value, path string) error {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		return decodeBytes(tree, v, path)
	}
	items, ok := tree.([]any)
	if !ok {
		if s, isText := tree.(string); isText && s == "" { // an empty list of the query protocol
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
			return nil
		}
		return wrongType(path, "a list")
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, x := range items {
		if err := decodeInto(x, out.Index(i), path+"/"+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

func decodeBytes(tree any, v reflect.Value, path string) error {
	switch x := tree.(type) {
	case []byte:
		v.SetBytes(x)
		return nil
	case string:
		raw, err := base64.StdEncoding.DecodeString(x)
		if err != nil {
			return wrongType(path, "base64")
		}
		v.SetBytes(raw)
		return nil
	default:
		return wrongType(path, "a blob")
	}
}

func decodeScalar(tree any, v reflect.Value, path string) error {
	switch v.Kind() {
	case reflect.String:
		s, ok := tree.(string)
		if !ok {
			return wrongType(path, "a string")
		}
		v.SetString(s)
	case reflect.Bool:
		b, ok := tree.(bool)
		if s, isText := tree.(string); isText && (s == "true" || s == "false") {
			b, ok = s == "true", true
		}
		if !ok {
			return wrongType(path, "a boolean")
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64:
		f, ok := asNumber(tree)
		if !ok || f != math.Trunc(f) {
			return wrongType(path, "an integer")
		}
		v.SetInt(int64(f))
	default:
		f, ok := asNumber(tree)
		if !ok {
			return wrongType(path, "a number")
		}
		v.SetFloat(f)
	}
	return nil
}

func decodeTime(tree any, v reflect.Value, path string) error {
	if t, ok := tree.(time.Time); ok {
		v.Set(reflect.ValueOf(t))
		return nil
	}
	if s, ok := tree.(string); ok {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			v.Set(reflect.ValueOf(t))
			return nil
		}
	}
	f, ok := asNumber(tree)
	if !ok {
		return wrongType(path, "a timestamp")
	}
	v.Set(reflect.ValueOf(epoch(f)))
	return nil
}

func epoch(seconds float64) time.Time {
	return time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
}

func asMembers(tree any) (map[string]any, bool) {
	switch x := tree.(type) {
	case map[string]any:
		return x, true
	case Map:
		return x, true
	default:
		return nil, false
	}
}

func asNumber(tree any) (float64, bool) {
	switch x := tree.(type) {
	case int64:
		return float64(x), true
	case float64:
		return x, true
	case json.Number:
		f, err := x.Float64()
		return f, err == nil
	case string:
		f, err := strconv.ParseFloat(x, 64)
		return f, err == nil
	default:
		return 0, false
	}
}

func wrongType(path, want string) error {
	return &Error{Status: 400, Code: "SerializationException", Message: fmt.Sprintf("%s: expected %s", path, want)}
}
