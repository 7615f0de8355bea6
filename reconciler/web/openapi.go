package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// purpose says what a route of the API is for. The document is made from it and
// from the Go types of what is sent and answered.
type purpose struct {
	does   string
	body   any // nil where none is read
	answer any // nil where it is no JSON
	query  []string
}

// Refused is the answer to what was not done.
type Refused struct {
	Error string `json:"error"`
	Hint  string `json:"hint"` // what to do, where that is known
	// Request is its id, in the audit record and the daemon's log.
	Request string `json:"request"`
}

// Accepted is the answer to an act that an environment's next pass carries out.
type Accepted struct {
	Accepted bool `json:"accepted"`
}

// api registers a route of the API, which needs somebody with a role, and
// describes it.
func (s *server) api(pattern string, a purpose, h any) {
	if s.described == nil {
		s.described = map[string]purpose{}
	}
	s.described[pattern] = a
	s.closed(pattern, h)
}

// parameters are what stands in the addresses of routes, and in their queries.
var parameters = map[string]string{
	"name": "the environment", "check": "the check", "receiver": "the receiver", "resource": "the resource as Kind/name",
	"environment": "only what is about this environment", "limit": "at most so many, up to 1000", "release": "digest or commit of one release, or the beginning of it",
	"data": "true: with what holds data", "looks": "true: with every look at them", "point": "the question to policy: admission, promotion, rollout, drift, notify, activation", "commit": "another commit than the one that would be judged",
	"id": "one decision", "since": "a time as in 2026-11-23T18:00:00Z", "after": "continue after this one: the number of a record, the name of a resource", "who": "only what this person did or was refused",
	"outcome": "done or refused", "state": "only resources in this state", "q": "only resources whose name has this in it",
}

type object = map[string]any

// document is the OpenAPI document of the routes there are.
func (s *server) document() object {
	d := describer{components: object{}, of: map[shape]string{}}
	paths := object{}
	refusal := d.schema(reflect.TypeFor[Refused](), false)
	for pattern, a := range s.described {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.ReplaceAll(path, "...}", "}")
		at, ok := paths[path].(object)
		if !ok {
			at = object{}
			paths[path] = at
		}
		at[strings.ToLower(method)] = d.operation(method, path, a)
	}
	responses := object{}
	for name, says := range map[string]string{"Invalid": "the request cannot be read", "Unauthenticated": "no token, or none that is good", "Forbidden": "the role does not let who asks", "Refused": "it could not be done; the answer says why"} {
		responses[name] = object{"description": says, "content": object{"application/json": object{"schema": refusal}}}
	}
	return object{
		"openapi": "3.1.0",
		"info": object{"title": "Mooring", "version": s.o.Version, "license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"description": "What the daemon shows and what people can have done. Fields are only added. Durations are nanoseconds where they are numbers without seconds in their name."},
		"paths":    paths,
		"security": []any{object{"token": []any{}}},
		"components": object{"schemas": d.components, "responses": responses,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "description": "the daemon's own token, or a personal one (mooring token create)"}}},
	}
}

var placeholder = regexp.MustCompile(`\{([a-z]+)\}`)

func (d *describer) operation(method, path string, a purpose) object {
	parameter := func(name, in string) object {
		return object{"name": name, "in": in, "required": in == "path", "description": parameters[name], "schema": object{"type": "string"}}
	}
	params := []any{}
	for _, m := range placeholder.FindAllStringSubmatch(path, -1) {
		params = append(params, parameter(m[1], "path"))
	}
	for _, name := range a.query {
		params = append(params, parameter(name, "query"))
	}
	done := object{"description": "what is asked for", "headers": object{requestID: object{"description": "by which the request is found in the audit record", "schema": object{"type": "string"}}}}
	switch {
	case a.answer != nil:
		done["content"] = object{"application/json": object{"schema": d.schema(reflect.TypeOf(a.answer), false)}}
	default:
		done["content"] = object{"text/event-stream": object{"schema": object{"type": "string"}}}
	}
	name := strings.Trim(regexp.MustCompile(`[^a-z]+`).ReplaceAllString(strings.TrimPrefix(path, "/api/v1"), "_"), "_")
	out := object{"summary": a.does, "operationId": strings.ToLower(method) + "_" + name, "parameters": params, "responses": object{"200": done}}
	for status, response := range map[string]string{"400": "Invalid", "401": "Unauthenticated", "403": "Forbidden", "409": "Refused"} {
		out["responses"].(object)[status] = object{"$ref": "#/components/responses/" + response}
	}
	switch body := a.body.(type) {
	case nil:
	case string: // what it is, in words
		out["requestBody"] = object{"required": true, "description": body, "content": object{"application/json": object{"schema": object{}}}}
	default:
		out["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": d.schema(reflect.TypeOf(body), true)}}}
	}
	return out
}

// openAPI registers the document, last: it tells of every route before it.
func (s *server) openAPI() {
	s.api("GET /api/v1/openapi.json", purpose{does: "This document.", answer: object{}}, func(*http.Request) (any, error) { return s.document(), nil })
}

// shape is a type as it is sent, or as it is answered.
type shape struct {
	t    reflect.Type
	sent bool
}

// describer makes JSON schemas of Go types, as encoding/json writes and reads
// them. Named structs become components.
type describer struct {
	components object
	of         map[shape]string
}

func (d *describer) schema(t reflect.Type, sent bool) object {
	switch {
	case t == reflect.TypeFor[json.RawMessage](), t.Kind() == reflect.Interface:
		return object{}
	case t.String() == "time.Time":
		return object{"type": "string", "format": "date-time"}
	case t.String() == "time.Duration":
		return object{"type": "integer", "description": "nanoseconds"}
	case t.Implements(reflect.TypeFor[interface{ MarshalText() ([]byte, error) }]()):
		return object{"type": "string"}
	case t.Implements(reflect.TypeFor[json.Marshaler]()):
		return object{} // says itself what it is
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Pointer:
		return object{"anyOf": []any{d.schema(t.Elem(), sent), object{"type": "null"}}}
	case reflect.Map:
		return object{"type": []any{"object", "null"}, "additionalProperties": d.schema(t.Elem(), sent)}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{"type": []any{"string", "null"}, "contentEncoding": "base64"}
		}
		return object{"type": []any{"array", "null"}, "items": d.schema(t.Elem(), sent)}
	case reflect.Array:
		return object{"type": "array", "items": d.schema(t.Elem(), sent)}
	case reflect.Struct:
		return d.structure(t, sent)
	}
	return object{"type": "integer"} // the other kinds are numbers, or are written by nothing
}

func (d *describer) structure(t reflect.Type, sent bool) object {
	name, known := d.of[shape{t, sent}]
	if !known {
		name = t.Name()
		if _, taken := d.components[name]; taken {
			of := strings.Split(t.String(), ".")[0]
			name = strings.ToUpper(of[:1]) + of[1:] + name
		}
		if t.Name() != "" {
			d.of[shape{t, sent}], d.components[name] = name, object{}
		}
		s := object{"type": "object", "properties": object{}}
		required := d.fields(t, sent, s["properties"].(object))
		switch {
		case sent:
			s["additionalProperties"] = false
		case len(required) > 0:
			slices.Sort(required)
			s["required"] = required
		}
		if t.Name() == "" {
			return s
		}
		d.components[name] = s
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// fields adds those of a struct and of what is embedded in it, and says which
// are always there.
func (d *describer) fields(t reflect.Type, sent bool, into object) (required []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
			continue
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			required = append(required, d.fields(f.Type, sent, into)...)
			continue
		case name == "":
			name = f.Name
		}
		into[name] = d.schema(f.Type, sent)
		if !strings.Contains(rest, "omit") {
			required = append(required, name)
		}
	}
	return required
}

// reference is the document for people: docs/api.md.
func (s *server) reference() string {
	var b strings.Builder
	patterns := make([]string, 0, len(s.described))
	for p := range s.described {
		patterns = append(patterns, p)
	}
	slices.SortFunc(patterns, func(a, b string) int {
		at := func(p string) string { method, path, _ := strings.Cut(p, " "); return path + " " + method }
		return strings.Compare(at(a), at(b))
	})
	b.WriteString("| route | does | asked with | body | answer |\n|---|---|---|---|---|\n")
	for _, p := range patterns {
		a := s.described[p]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", strings.ReplaceAll(p, "...}", "}"), a.does, quoted(a.query), typeName(a.body), typeName(a.answer))
	}
	return b.String()
}

func quoted(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, "`"+n+"`")
	}
	return strings.Join(out, " ")
}

// typeName is how the document calls a type.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Slice && t.Elem().Name() != "" && t.Elem().Kind() == reflect.Struct {
		return "list of `" + t.Elem().Name() + "`"
	}
	if t.Kind() != reflect.Struct {
		return "a document"
	}
	if t.Name() == "" {
		return "`reason`"
	}
	return "`" + t.Name() + "`"
}
