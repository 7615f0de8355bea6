// Package tool reads the files of tools that deploy functions, lambroll and
// PipeCD, and drafts manifests of them. It is pure, runs no template, and
// lists what only the tool could tell.
package tool

import (
	"fmt"
	"regexp"
	"strings"

	"mooring.dev/sources/adopt"
	"mooring.dev/sources/adopt/template"
)

// lambrollAlias is the one lambroll points at what it deployed.
const lambrollAlias = "current"

// form is what lambroll works out when it deploys: {{ must_env `ROLE` }}.
var form = regexp.MustCompile(`\{\{[^{}]*\}\}`)

// withDefault is an environment variable with something to stand for it.
var withDefault = regexp.MustCompile("^\\{\\{\\s*env\\s+[`\"][^`\"]+[`\"]\\s+[`\"]([^`\"]*)[`\"]\\s*\\}\\}$")

// Lambroll drafts the function of a function.json.
func Lambroll(file string, data []byte, o template.Options) (adopt.Found, error) {
	marked, forms := mark(string(data))
	root, err := template.Parse(file, []byte(marked))
	if err != nil {
		return adopt.Found{}, err
	}
	members, _ := unmark(root, forms).(map[string]any)
	name, ok := members["FunctionName"].(string)
	if !ok || name == "" {
		return adopt.Found{}, fmt.Errorf("%s: names no FunctionName: it is no function of lambroll, or its name is a form that only lambroll works out", file)
	}
	found := template.Function(name, members, o)
	for i := range found.Drafts {
		if d := &found.Drafts[i]; d.Kind == "Function" {
			d.Spec["alias"] = lambrollAlias
		}
	}
	return found, nil
}

// mark puts a mark in place of every form, in quotes where it stands alone.
func mark(text string) (marked string, forms []string) {
	var out strings.Builder
	quoted, at := false, 0
	for _, span := range form.FindAllStringIndex(text, -1) {
		before := text[at:span[0]]
		quoted = quotes(before, quoted)
		out.WriteString(before)
		m := fmt.Sprintf("<form %d>", len(forms))
		if !quoted {
			m = `"` + m + `"`
		}
		out.WriteString(m)
		forms = append(forms, text[span[0]:span[1]])
		at = span[1]
	}
	out.WriteString(text[at:])
	return out.String(), forms
}

// quotes tells whether the end of a text is inside a JSON string.
func quotes(text string, inside bool) bool {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			inside = !inside
		}
	}
	return inside
}

var markForm = regexp.MustCompile(`<form ([0-9]+)>`)

// unmark makes values that are not known of what holds marks. A variable with
// something to stand for it is that.
func unmark(x any, forms []string) any {
	switch x := x.(type) {
	case map[string]any:
		for key, value := range x {
			x[key] = unmark(value, forms)
		}
	case []any:
		for i := range x {
			x[i] = unmark(x[i], forms)
		}
	case string:
		var unknown any
		text := markForm.ReplaceAllStringFunc(x, func(m string) string {
			var n int
			if _, err := fmt.Sscanf(m, "<form %d>", &n); err != nil || n >= len(forms) {
				return m
			}
			if d := withDefault.FindStringSubmatch(forms[n]); d != nil {
				return d[1]
			}
			unknown = map[string]any{template.Unknown: "is " + forms[n] + ", which only lambroll works out"}
			return ""
		})
		if unknown != nil {
			return unknown
		}
		return text
	}
	return x
}
