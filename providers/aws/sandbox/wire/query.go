package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// parseQuery reads the flattened members of the query protocol
// (Tags.member.1.Key=team) back into a tree.
func parseQuery(form url.Values) any {
	root := map[string]any{}
	for key, values := range form {
		if len(values) > 0 {
			place(root, strings.Split(key, "."), values[0])
		}
	}
	return foldLists(root)
}

func place(at map[string]any, path []string, value string) {
	if len(path) == 1 {
		if _, taken := at[path[0]]; !taken {
			at[path[0]] = value
		}
		return
	}
	next, ok := at[path[0]].(map[string]any)
	if !ok {
		next = map[string]any{}
		at[path[0]] = next
	}
	place(next, path[1:], value)
}

// foldLists turns {member: {1: …, 2: …}} and {1: …, 2: …} into lists, and
// {entry: {1: {key, value}}}, of SNS also {Name, Value}, into maps.
func foldLists(tree any) any {
	m, ok := tree.(map[string]any)
	if !ok {
		return tree
	}
	for k := range m {
		m[k] = foldLists(m[k])
	}
	if len(m) == 1 {
		if inner, found := m["member"].([]any); found {
			return inner
		}
		if entries, found := m["entry"].([]any); found {
			return foldEntries(entries)
		}
	}
	return foldNumbered(m)
}

func foldNumbered(m map[string]any) any {
	if len(m) == 0 {
		return m
	}
	out := make([]any, 0, len(m))
	for i := 1; i <= len(m); i++ {
		item, ok := m[strconv.Itoa(i)]
		if !ok {
			return m
		}
		out = append(out, item)
	}
	return out
}

func foldEntries(entries []any) any {
	out := Map{}
	for _, e := range entries {
		pair, ok := e.(map[string]any)
		if !ok {
			continue
		}
		if key, isText := pair["key"].(string); isText {
			out[key] = pair["value"]
		} else if key, isText = pair["Name"].(string); isText {
			out[key] = pair["Value"]
		}
	}
	return out
}

// xmlOf writes a tree as the members of an element, the query protocol's way:
// list items are <member>, map items <entry>.
func xmlOf(out *bytes.Buffer, tree any) {
	switch x := tree.(type) {
	case map[string]any:
		for _, k := range sortedKeys(x) {
			element(out, k, x[k])
		}
	case Map:
		for _, k := range sortedKeys(x) {
			out.WriteString("<entry>")
			element(out, "key", k)
			element(out, "value", x[k])
			out.WriteString("</entry>")
		}
	case []any:
		for _, item := range x {
			element(out, "member", item)
		}
	case nil:
	default:
		escape(out, scalarText(x))
	}
}

func element(out *bytes.Buffer, name string, tree any) {
	fmt.Fprintf(out, "<%s>", name)
	xmlOf(out, tree)
	fmt.Fprintf(out, "</%s>", name)
}

func scalarText(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case time.Time:
		return x.UTC().Format("2006-01-02T15:04:05.000Z")
	case []byte:
		return base64.StdEncoding.EncodeToString(x)
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	default:
		return fmt.Sprint(x)
	}
}

func escape(out *bytes.Buffer, s string) {
	// EscapeText fails only when the writer does, and a buffer never does.
	_ = xml.EscapeText(out, []byte(s))
}
