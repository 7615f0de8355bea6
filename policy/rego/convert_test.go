package rego

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"pgregory.net/rapid"

	"mooring.dev/policy"
)

// drawn fills a value of the contract with anything JSON can carry.
func drawn(t *rapid.T, v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte(rapid.SampledFrom([]string{
			"null", "true", "false", " 1 ", "-0", "0", "7", "1e3", "1.50", "12345678901234567890", `"plain"`, `"esc\n\u00e9 \u2028 <"`, `"é"`, `""`,
			`{"b":1,"a":[1,{"x":null}]}`, "[]", "{}", `"token:1"`,
		}).Draw(t, "raw")))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"<&>\u2028", "null"})).Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "int"))
	case reflect.Float64:
		v.SetFloat(rapid.SampledFrom([]float64{0, 1, 0.1, -2.5, 1e21, 1e-9, math.MaxFloat64, 100}).Draw(t, "float"))
	case reflect.Struct:
		for i := range v.NumField() {
			drawn(t, v.Field(i))
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "there") {
			v.Set(reflect.New(v.Type().Elem()))
			drawn(t, v.Elem())
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rapid.IntRange(0, 2).Draw(t, "len"), 2))
		for i := range v.Len() {
			drawn(t, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rapid.IntRange(0, 2).Draw(t, "len") {
			item := reflect.New(v.Type().Elem()).Elem()
			drawn(t, item)
			v.SetMapIndex(reflect.ValueOf(rapid.String().Draw(t, "key")), item)
		}
	}
}

// An input becomes what its JSON becomes, to the last digit, whatever is in
// it; and where that cannot be told without JSON, JSON is asked.
func TestConversionIsWhatJSONSays(t *testing.T) {
	converted := 0
	rapid.Check(t, func(t *rapid.T) {
		var in policy.Input
		drawn(t, reflect.ValueOf(&in).Elem())
		if rapid.IntRange(0, 9).Draw(t, "odd") == 0 {
			in.Commit.Message = "\xff is no text"
		}
		doc, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		want, err := ast.ValueFromReader(bytes.NewReader(doc))
		if err != nil {
			t.Fatal(err)
		}
		got, err := valueOf(in)
		if err != nil {
			return // not a text: JSON is asked
		}
		converted++
		if got.Compare(want) != 0 || got.String() != want.String() || got.Hash() != want.Hash() {
			t.Fatalf("%s\n%s", got, want)
		}
		var back policy.Input
		if err := json.Unmarshal(doc, &back); err != nil {
			t.Fatal(err)
		}
		if again, err := valueOf(back); err != nil || again.Compare(want) != 0 {
			t.Fatalf("read back: %v", err)
		}
	})
	if converted < 50 {
		t.Errorf("%d inputs were converted", converted)
	}
}

// A document that was written, and the same one read as anybody's, make the
// same record but for the times.
func TestWrittenIsRecordedAsRead(t *testing.T) {
	e := New(shop(t), EvaluatorOptions{})
	for _, p := range points {
		in := sample(p)
		in.Commit.Message = `a <b> & "input":null` + "\u2028 \xff"
		in.Environment.Name = `"input":null,`
		doc, _, err := EvaluatorOptions{}.Document(p, in)
		if err != nil {
			t.Fatal(err)
		}
		one := decide(t, e, p, in)
		two, err := e.EvaluateWritten(t.Context(), p, doc)
		if err != nil {
			t.Fatal(err)
		}
		three, err := e.EvaluateDocument(t.Context(), p, doc)
		if err != nil {
			t.Fatal(err)
		}
		if a, b, c := timeless(t, one.Record), timeless(t, two.Record), timeless(t, three.Record); !bytes.Equal(a, b) || !bytes.Equal(b, c) {
			t.Errorf("%s:\n%s\n%s\n%s", p, a, b, c)
		}
		var r struct{ Input json.RawMessage }
		if err := json.Unmarshal(one.Record, &r); err != nil || !bytes.Equal(r.Input, doc) {
			t.Errorf("%s: the input is recorded otherwise: %v", p, err)
		}
	}
}
