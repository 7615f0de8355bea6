package web

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var updateDocs = flag.Bool("update-docs", false, "write docs/api.md anew")

// documented is a server that can everything, its document, and what compiles a
// schema of it by its place.
func documented(t *testing.T) (h http.Handler, doc map[string]any, schema func(place ...string) *jsonschema.Schema) {
	t.Helper()
	h = serve(t, &fake{}, func(o *Options) {
		o.Control, o.View = &able{}, &shelved{fake: fake{status: Status{Environments: []EnvironmentStatus{{Name: "preview"}}}}, resources: []ResourceStatus{{Resource: "Function/checkout"}}}
	})
	w := ask(h, "GET", "/api/v1/openapi.json", "", "Authorization", "Bearer the-token")
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	got, err := jsonschema.UnmarshalJSON(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	doc = got.(map[string]any)
	shutTight(doc)
	c := jsonschema.NewCompiler()
	if err := c.AddResource("api.json", doc); err != nil {
		t.Fatal(err)
	}
	return h, doc, func(place ...string) *jsonschema.Schema {
		t.Helper()
		for i, p := range place {
			place[i] = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(p)
		}
		s, err := c.Compile("api.json#/" + strings.Join(place, "/"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// shutTight makes every object of a document take no member it does not name: what
// a handler answers beyond its schema is found.
func shutTight(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, member := range v {
			shutTight(member)
		}
		if _, open := v["additionalProperties"]; v["properties"] != nil && v["type"] == "object" && !open {
			v["additionalProperties"] = false
		}
	case []any:
		for _, member := range v {
			shutTight(member)
		}
	}
}

// TestEveryRouteOfTheAPIIsDescribed: and nothing is that there is not. Schemas
// compile, each parameter of an address is declared, each operation has a name
// of its own and says what it does.
func TestEveryRouteOfTheAPIIsDescribed(t *testing.T) {
	h, doc, schema := documented(t)
	var routes, told []string
	for _, pattern := range h.(*server).shut {
		if strings.Contains(pattern, " /api/") {
			routes = append(routes, strings.ReplaceAll(pattern, "...}", "}"))
		}
	}
	ids := map[string]bool{}
	for path, item := range doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			told = append(told, strings.ToUpper(method)+" "+path)
			o := op.(map[string]any)
			id, _ := o["operationId"].(string)
			if does, _ := o["summary"].(string); id == "" || ids[id] || !strings.HasSuffix(does, ".") {
				t.Errorf("%s %s: id %q, summary %q", method, path, id, does)
			}
			ids[id] = true
			declared := 0
			for _, p := range o["parameters"].([]any) {
				p := p.(map[string]any)
				if says, _ := p["description"].(string); says == "" {
					t.Errorf("%s %s: parameter %v says nothing", method, path, p["name"])
				}
				if p["in"] == "path" && strings.Contains(path, "{"+p["name"].(string)+"}") {
					declared++
				}
			}
			if declared != strings.Count(path, "{") {
				t.Errorf("%s %s: %d parameters are declared", method, path, declared)
			}
			for _, status := range []string{"200", "400", "401", "403", "409"} {
				if o["responses"].(map[string]any)[status] == nil {
					t.Errorf("%s %s: no %s", method, path, status)
				}
			}
		}
	}
	slices.Sort(routes)
	slices.Sort(told)
	if !slices.Equal(routes, told) || len(told) < 25 {
		t.Errorf("there are\n%v\ndescribed are\n%v", routes, told)
	}
	components := doc["components"].(map[string]any)
	for name := range components["schemas"].(map[string]any) {
		schema("components", "schemas", name)
	}
	if version, _ := doc["openapi"].(string); !strings.HasPrefix(version, "3.1.") || doc["info"].(map[string]any)["title"] == "" {
		t.Errorf("openapi %q, info %v", version, doc["info"])
	}
	checkRefs(t, doc, doc)
}

// checkRefs: what a document refers to is in it.
func checkRefs(t *testing.T, doc, v any) {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			at := doc
			for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
				at, _ = at.(map[string]any)[part]
			}
			if at == nil {
				t.Errorf("%s leads nowhere", ref)
			}
		}
		for _, member := range v {
			checkRefs(t, doc, member)
		}
	case []any:
		for _, member := range v {
			checkRefs(t, doc, member)
		}
	}
}

// TestAnswersAreAsDescribed asks every route, with good and with bad requests,
// and holds each answer against its schema.
func TestAnswersAreAsDescribed(t *testing.T) {
	h, doc, schema := documented(t)
	seen := map[int]int{}
	for _, pattern := range h.(*server).shut {
		method, path, _ := strings.Cut(strings.ReplaceAll(pattern, "...}", "}"), " ")
		if !strings.HasPrefix(path, "/api/") || path == "/api/v1/events" || path == "/api/v1/openapi.json" {
			continue
		}
		target := strings.NewReplacer("{name}", "preview", "{resource}", "Function/checkout", "{check}", "smoke", "{receiver}", "default").Replace(path)
		for _, bearer := range []string{"the-token", "another"} {
			for _, body := range []string{"{}", "no json"} {
				w := ask(h, method, target, body, "Authorization", "Bearer "+bearer)
				seen[w.Code]++
				place := []string{"components", "schemas", "Refused"}
				if w.Code == http.StatusOK {
					place = []string{"paths", path, strings.ToLower(method), "responses", "200", "content", "application/json", "schema"}
				}
				v, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
				if err != nil {
					t.Fatalf("%s: %v", pattern, err)
				}
				if err := schema(place...).Validate(v); err != nil {
					t.Errorf("%s answers %d, not as described: %v", pattern, w.Code, err)
				}
			}
		}
	}
	if seen[200] < 30 || seen[400] < 10 || seen[401] < 40 {
		t.Errorf("answers: %v of %d routes", seen, len(doc["paths"].(map[string]any)))
	}
}

// TestTypesAreAsDescribed fills every type that is answered, whole and not at
// all, and holds what encoding/json makes of it against the schema.
func TestTypesAreAsDescribed(t *testing.T) {
	h, _, schema := documented(t)
	s := h.(*server)
	for _, pattern := range slices.Sorted(maps.Keys(s.described)) {
		p := s.described[pattern]
		method, path, _ := strings.Cut(strings.ReplaceAll(pattern, "...}", "}"), " ")
		var want []any
		if p.answer != nil {
			full := reflect.New(reflect.TypeOf(p.answer)).Elem()
			fill(full, 0)
			want = append(want, full.Interface(), reflect.Zero(reflect.TypeOf(p.answer)).Interface())
		}
		for _, v := range want {
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatalf("%s: %v", pattern, err)
			}
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if raw, ok := v.(object); ok && raw == nil {
				continue
			}
			if err := schema("paths", path, strings.ToLower(method), "responses", "200", "content", "application/json", "schema").Validate(doc); err != nil {
				t.Errorf("%s: %s: %v", pattern, text, err)
			}
		}
	}
}

// fill gives every part of a value something, a few levels deep.
func fill(v reflect.Value, depth int) {
	if depth > 8 || !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Interface:
		v.Set(reflect.ValueOf("x"))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes([]byte(`{"a":1}`))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), depth+1)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, depth+1)
		fill(value, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), depth+1)
		}
	}
}

// TestBodiesAreAsDescribed: a member that a handler reads is in the schema, and
// one it refuses is not.
func TestBodiesAreAsDescribed(t *testing.T) {
	h, _, schema := documented(t)
	s := h.(*server)
	n := 0
	for pattern, p := range s.described {
		if _, words := p.body.(string); p.body == nil || words {
			continue
		}
		n++
		method, path, _ := strings.Cut(pattern, " ")
		full := reflect.New(reflect.TypeOf(p.body)).Elem()
		fill(full, 0)
		text, err := json.Marshal(full.Interface())
		if err != nil {
			t.Fatal(err)
		}
		for body, good := range map[string]bool{string(text): true, `{"no_such_member":1}`: false} {
			v, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			target := strings.NewReplacer("{name}", "preview", "{check}", "smoke").Replace(path)
			if err := schema("paths", path, strings.ToLower(method), "requestBody", "content", "application/json", "schema").Validate(v); (err == nil) != good {
				t.Errorf("%s with %s: %v", pattern, body, err)
			}
			if w := ask(h, method, target, body, "Authorization", "Bearer the-token"); (w.Code != http.StatusBadRequest) != good {
				t.Errorf("%s with %s: %d %s", pattern, body, w.Code, w.Body)
			}
		}
	}
	if n < 12 {
		t.Errorf("%d routes have bodies", n)
	}
}

// TestAPIReference holds docs/api.md against the routes.
func TestAPIReference(t *testing.T) {
	h, _, _ := documented(t)
	path := filepath.Join("..", "..", "docs", "api.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), "<!-- routes -->\n")
	_, after, ends := strings.Cut(rest, "<!-- /routes -->")
	if !ok || !ends {
		t.Fatal("docs/api.md has no place for the routes")
	}
	want := before + "<!-- routes -->\n" + h.(*server).reference() + "<!-- /routes -->" + after
	if *updateDocs {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want != string(text) && !*updateDocs {
		t.Error("docs/api.md is not what the routes say: go test ./reconciler/web -run TestAPIReference -update-docs")
	}
}
