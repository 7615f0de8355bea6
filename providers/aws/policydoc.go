package aws

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"sort"
	"strings"

	"mooring.dev/sources/manifest"
)

const policyVersion = "2012-10-17"

// canonicalPolicy is a policy document by meaning: statements in no order,
// without their names; actions, resources and condition values as sets; an
// account as its root's ARN. Equal meaning gives equal text.
func canonicalPolicy(document map[string]any) json.RawMessage {
	if document == nil {
		return json.RawMessage(`""`)
	}
	var statements []string
	for _, s := range statementsOf(document["Statement"]) {
		statements = append(statements, canonicalJSON(canonicalStatement(s)))
	}
	sort.Strings(statements)
	parts := make([]json.RawMessage, 0, len(statements))
	for i, s := range statements {
		if i == 0 || s != statements[i-1] {
			parts = append(parts, json.RawMessage(s))
		}
	}
	version, _ := document["Version"].(string)
	out := map[string]any{"Version": orElse(version, "2008-10-17"), "Statement": parts}
	return json.RawMessage(canonicalJSON(out))
}

// parsePolicy reads a document as AWS hands it out: JSON, in IAM's answers
// URL-encoded.
func parsePolicy(text string) (map[string]any, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "%7B") || strings.HasPrefix(strings.TrimSpace(text), "%7b") {
		decoded, err := url.PathUnescape(text)
		if err != nil {
			return nil, fmt.Errorf("policy document: %w", err)
		}
		text = decoded
	}
	var document map[string]any
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		return nil, fmt.Errorf("policy document: %w", err)
	}
	return document, nil
}

// statementsOf reads one statement or a list of them.
func statementsOf(v any) []map[string]any {
	switch s := v.(type) {
	case map[string]any:
		return []map[string]any{s}
	case []map[string]any:
		return s
	case []any:
		var out []map[string]any
		for _, item := range s {
			if m, ok := item.(map[string]any); ok {
				out = append(out, m)
			}
		}
		return out
	}
	return nil
}

func canonicalStatement(s map[string]any) map[string]any {
	out := map[string]any{"Effect": "Allow"}
	for key, v := range s {
		switch key {
		case "Sid":
		case "Action", "NotAction":
			out[key] = uniqueStrings(v, strings.ToLower)
		case "Resource", "NotResource":
			out[key] = uniqueStrings(v, nil)
		case "Principal", "NotPrincipal":
			out[key] = canonicalPrincipal(v)
		case "Condition":
			if c := canonicalCondition(v); len(c) > 0 {
				out[key] = c
			}
		default:
			out[key] = v
		}
	}
	return out
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

func canonicalPrincipal(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return map[string]any{"AWS": uniqueStrings(v, principalName)}
	}
	out := map[string]any{}
	for kind, names := range m {
		if kind == "AWS" {
			out[kind] = uniqueStrings(names, principalName)
		} else {
			out[kind] = uniqueStrings(names, nil)
		}
	}
	return out
}

// principalName writes an account as AWS stores it.
func principalName(name string) string {
	if accountID.MatchString(name) {
		return "arn:aws:iam::" + name + ":root"
	}
	return name
}

// canonicalCondition: operators and keys are told apart without case.
func canonicalCondition(v any) map[string]any {
	operators, _ := v.(map[string]any)
	out := map[string]any{}
	for operator, keys := range operators {
		values := map[string]any{}
		entries, _ := keys.(map[string]any)
		for key, value := range entries {
			values[strings.ToLower(key)] = uniqueStrings(value, nil)
		}
		out[operator] = values
	}
	return out
}

// uniqueStrings makes a sorted set of a scalar or a list.
func uniqueStrings(v any, change func(string) string) []string {
	var items []any
	switch x := v.(type) {
	case []any:
		items = x
	case []string:
		for _, s := range x {
			items = append(items, s)
		}
	default:
		items = []any{x}
	}
	seen := map[string]bool{}
	out := []string{}
	for _, item := range items {
		text, ok := item.(string)
		if !ok {
			text = canonicalJSON(item)
		}
		if change != nil {
			text = change(text)
		}
		if !seen[text] {
			seen[text] = true
			out = append(out, text)
		}
	}
	sort.Strings(out)
	return out
}

// resolveDocument copies a document with its references ({ref: Queue/orders},
// {secret: name}, {parameter: name}) replaced by what they point at.
func resolveDocument(v any, b *builder) any {
	switch x := v.(type) {
	case manifest.Value:
		return b.value(x)
	case map[string]any:
		if value, ok := referenceOf(x); ok {
			return b.value(value)
		}
		out := make(map[string]any, len(x))
		for k, item := range x {
			out[k] = resolveDocument(item, b)
		}
		return out
	case []any:
		out := make([]any, 0, len(x))
		for _, item := range x {
			out = append(out, resolveDocument(item, b))
		}
		return out
	}
	return v
}

// referenceOf reads an object that stands for an address.
func referenceOf(m map[string]any) (manifest.Value, bool) {
	text := func(key string) string { s, _ := m[key].(string); return s }
	if len(m) == 0 || len(m) > 2 {
		return manifest.Value{}, false
	}
	for key := range m {
		if key != "ref" && key != "attribute" && key != "secret" && key != "parameter" {
			return manifest.Value{}, false
		}
	}
	v := manifest.Value{Attribute: text("attribute"), Secret: text("secret"), Parameter: text("parameter")}
	if text("ref") != "" {
		ref, err := manifest.ParseRef(text("ref"))
		if err != nil {
			return manifest.Value{}, false
		}
		v.Ref = ref
	}
	_, _, ok := v.Target()
	return v, ok
}
