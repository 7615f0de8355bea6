package amend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// decode reads canonical JSON; numbers keep their text.
func decode(text string) (any, error) {
	var v any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("read a live value: %w", err)
	}
	return v, nil
}

// written is a value as it stands behind "key:", breaks and indentation
// included.
func written(value any, indent int, inFlow bool) string {
	switch v := value.(type) {
	case map[string]any:
		if len(v) == 0 || inFlow {
			break
		}
		return "\n" + strings.Join(entries(v, indent+2), "\n")
	case []any:
		if inFlow || short(v) {
			break
		}
		return "\n" + strings.Join(listed(v, indent+2), "\n")
	case string:
		return " " + scalar(v, inFlow)
	}
	return " " + flow(value)
}

// short lists are written on one line.
func short(list []any) bool {
	for _, item := range list {
		if m, ok := item.(map[string]any); ok && m["ref"] == nil {
			return false
		}
	}
	return len(flow(list)) <= 90
}

// order is how keys that belong together are written: what a patch is about
// comes first.
func order(m map[string]any) []string {
	keys := slices.Sorted(maps.Keys(m))
	if i := slices.Index(keys, "target"); i > 0 && m["patch"] != nil {
		keys[0], keys[i] = keys[i], keys[0]
	}
	return keys
}

func entries(m map[string]any, indent int) []string {
	var out []string
	for _, key := range order(m) {
		out = append(out, strings.Repeat(" ", indent)+scalar(key, false)+":"+valueOf(key, m[key], indent))
	}
	return out
}

// valueOf writes a patch's target on one line, as people do.
func valueOf(key string, value any, indent int) string {
	if m, ok := value.(map[string]any); ok && (key == "target" && m["kind"] != nil || m["ref"] != nil) {
		return " " + flow(value)
	}
	return written(value, indent, false)
}

func listed(list []any, indent int) []string {
	var out []string
	dash := strings.Repeat(" ", indent) + "- "
	for _, item := range list {
		m, ok := item.(map[string]any)
		if !ok || len(m) == 0 {
			out = append(out, dash+flow(item))
			continue
		}
		lines := entries(m, indent+2)
		lines[0] = dash + strings.TrimLeft(lines[0], " ")
		out = append(out, lines...)
	}
	return out
}

// flow is a value on one line.
func flow(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return scalar(v, true)
	case []any:
		items := make([]string, 0, len(v))
		for _, item := range v {
			items = append(items, flow(item))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		items := make([]string, 0, len(v))
		for _, key := range flowOrder(v) {
			items = append(items, scalar(key, true)+": "+flow(v[key]))
		}
		return "{" + strings.Join(items, ", ") + "}"
	}
	return fmt.Sprint(value) // numbers and booleans
}

// flowOrder: kind before name, ref before attribute.
func flowOrder(m map[string]any) []string {
	keys := order(m)
	if i := slices.Index(keys, "ref"); i > 0 {
		keys[0], keys[i] = keys[i], keys[0]
	}
	return keys
}

// scalar is text as YAML: plain where it reads back as that, else quoted.
func scalar(s string, inFlow bool) string {
	probe := s
	if inFlow {
		probe = "[" + s + "]"
	}
	if s == "" || strings.ContainsAny(s, "\n\r\t") || strings.TrimSpace(s) != s {
		return quoted(s)
	}
	var n yaml.Node
	if yaml.Unmarshal([]byte(probe), &n) != nil || len(n.Content) != 1 {
		return quoted(s)
	}
	got := n.Content[0]
	if inFlow {
		if len(got.Content) != 1 {
			return quoted(s)
		}
		got = got.Content[0]
	}
	plain := got.Kind == yaml.ScalarNode && got.Tag == "!!str" && got.Style == 0 && got.Value == s && got.Anchor == ""
	if !plain || strings.Contains(s, " #") || strings.Contains(s, ": ") || ambiguous(s) {
		return quoted(s)
	}
	return s
}

// ambiguous words are read as something else by older readers of YAML.
func ambiguous(s string) bool {
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~":
		return true
	}
	return false
}

// quoted is JSON's form, which YAML reads as well.
func quoted(s string) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil {
		return `""` // strings always encode
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// quotedAs writes text as the scalar it replaces was written.
func quotedAs(old *yaml.Node, s string, inFlow bool) string {
	if old.Kind == yaml.ScalarNode && old.Style == yaml.DoubleQuotedStyle {
		return quoted(s)
	}
	if old.Kind == yaml.ScalarNode && old.Style == yaml.SingleQuotedStyle && !strings.ContainsAny(s, "'\n\r\t") {
		return "'" + s + "'"
	}
	return scalar(s, inFlow || flows(old))
}
