package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// apiDocument is what a daemon says its API is.
type apiDocument struct {
	compiler *jsonschema.Compiler
	paths    map[string]map[string]any
}

// readAPI reads a document, and compiles each of its schemas. Unlike the document
// it lets no field pass that is not in it.
func readAPI(document []byte) (*apiDocument, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	c := &apiDocument{compiler: jsonschema.NewCompiler(), paths: map[string]map[string]any{}}
	root, _ := doc.(map[string]any)
	paths, _ := root["paths"].(map[string]any)
	components, _ := root["components"].(map[string]any)
	schemas, _ := components["schemas"].(map[string]any)
	for path, operations := range paths {
		c.paths[path], _ = operations.(map[string]any)
	}
	for _, schema := range schemas {
		if s, ok := schema.(map[string]any); ok && s["properties"] != nil {
			s["additionalProperties"] = false
		}
	}
	if err := c.compiler.AddResource("openapi.json", doc); err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	for name := range schemas {
		if _, err := c.compiler.Compile("openapi.json#/components/schemas/" + name); err != nil {
			return nil, fmt.Errorf("schema of %s: %w", name, err)
		}
	}
	return c, nil
}

// check says what is wrong with an answer to a request; a route that the
// document does not have is, unless the daemon says that there is none.
func (c *apiDocument) check(method, path string, status int, body []byte) error {
	at, ok := c.find(strings.ToLower(method), path)
	if !ok && status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
		return fmt.Errorf("%s %s: the document has no such route", method, path)
	}
	part := "components/schemas/Refused" // which every refusal of the document is
	if status == 200 {
		part = "paths/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(at) + "/" + strings.ToLower(method) + "/responses/200/content/application~1json/schema"
	}
	schema, err := c.compiler.Compile("openapi.json#/" + part)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, at, err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s %s answers no JSON: %w", method, at, err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("%s %s: %w", method, at, err)
	}
	return nil
}

// find is the path of the document that a request's path is of: the one with
// the most words of its own.
func (c *apiDocument) find(method, path string) (best string, ok bool) {
	most := -1
	for candidate, operations := range c.paths {
		if operations[method] == nil {
			continue
		}
		if own, fits := fit(candidate, path); fits && own > most {
			best, most = candidate, own
		}
	}
	return best, most >= 0
}

// fit: the last {parameter} of a pattern may be several words long, as
// {resource...} is.
func fit(pattern, path string) (own int, ok bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(got) < len(want) || len(got) > len(want) && want[len(want)-1] != "{resource}" {
		return 0, false
	}
	for i, word := range want {
		switch {
		case strings.HasPrefix(word, "{"):
		case word == got[i]:
			own++
		default:
			return 0, false
		}
	}
	return own, true
}

// asDescribed holds a daemon's answer against the document that it has of its
// own API.
func asDescribed(st *stage, req *http.Request, token string, status int, data []byte) error {
	if status == http.StatusUnauthorized {
		return nil // nobody is told the document either
	}
	if st.documents[req.URL.Host] == nil {
		ask, err := http.NewRequest(http.MethodGet, "http://"+req.URL.Host+"/api/v1/openapi.json", nil)
		if err != nil {
			return err
		}
		ask.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(ask)
		if err != nil {
			return nil // the daemon was stopped meanwhile
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil
		}
		document, err := readAPI(text)
		if err != nil {
			return fmt.Errorf("%w in %.300s", err, text)
		}
		if st.documents == nil {
			st.documents = map[string]*apiDocument{}
		}
		st.documents[req.URL.Host] = document
	}
	return st.documents[req.URL.Host].check(req.Method, req.URL.Path, status, data)
}
