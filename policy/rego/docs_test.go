package rego

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

var updateDocs = flag.Bool("update-docs", false, "write docs/policy-library.md anew")

// TestLibraryDocs: the reference of the library is what its annotations say,
// and everything of the library that others can use has one that names its
// arguments.
func TestLibraryDocs(t *testing.T) {
	const path = "../../docs/policy-library.md"
	want := libraryDocs(t)
	if *updateDocs {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/policy-library.md is not what the annotations say: go test ./policy/rego -run TestLibraryDocs -update-docs")
	}
	if n := strings.Count(want, "\n### "); n < 45 {
		t.Errorf("only %d functions", n)
	}
}

func libraryDocs(t *testing.T) string {
	modules, _ := libraryTexts(t)
	var b strings.Builder
	b.WriteString(`# The starter library

Made from the annotations in its source (` + "`mooring policy library`" + ` writes the source). It is built in: ` + "`import data.policy.lib.window`" + `. Where a
function gives items of ` + "`require`" + ` or findings, it gives a set: ` + "`require contains item if some item in window.only(…)`" + `. Data that make no sense
are an item that holds (at drift: an alert), never silence.
`)
	for _, file := range sortedKeys(modules) {
		m := modules[file]
		p, _ := placeOf(m.Package)
		about := scoped(m, "package", nil)
		if about == nil {
			t.Fatalf("%s has no annotation for its package", file)
		}
		fmt.Fprintf(&b, "\n## %s\n\n**%s.** %s\n", p.name, about.Title, strings.TrimSpace(about.Description))
		documented(t, &b, m)
	}
	return b.String()
}

// documented writes the functions and values of a module that have no
// underscore.
func documented(t *testing.T, b *strings.Builder, m *ast.Module) {
	seen := map[string]bool{}
	for _, r := range m.Rules {
		name := r.Head.Ref().String()
		if strings.HasPrefix(name, "_") || seen[name] {
			continue
		}
		seen[name] = true
		a := scoped(m, "rule", r)
		if a == nil || a.Title != name || a.Description == "" {
			t.Errorf("%s: %s has no annotation with its title and a description", r.Location, name)
			continue
		}
		meanings, _ := a.Custom["arguments"].(map[string]any)
		var names, rows []string
		for _, arg := range r.Head.Args {
			word := strings.Trim(arg.String(), `"`)
			text, _ := meanings[word].(string)
			if text == "" {
				t.Errorf("%s: %s says nothing of its argument %s", r.Location, name, word)
			}
			names, rows = append(names, word), append(rows, fmt.Sprintf("- `%s`: %s", word, text))
		}
		if len(meanings) != len(names) {
			t.Errorf("%s: %s has the arguments %v", r.Location, name, names)
		}
		call := name
		if len(names) > 0 {
			call += "(" + strings.Join(names, ", ") + ")"
		}
		fmt.Fprintf(b, "\n### `%s`\n\n%s\n", call, strings.TrimSpace(a.Description))
		if len(rows) > 0 {
			fmt.Fprintf(b, "\n%s\n", strings.Join(rows, "\n"))
		}
	}
}

// scoped is the annotation of a module's package, or of one of its rules.
func scoped(m *ast.Module, scope string, r *ast.Rule) *ast.Annotations {
	i := slices.IndexFunc(m.Annotations, func(a *ast.Annotations) bool {
		return a.Scope == scope && (r == nil || a.GetTargetPath().Equal(r.Ref().GroundPrefix()) && a.EndLoc() != nil && a.EndLoc().Row < r.Location.Row && r.Location.Row-a.EndLoc().Row <= 1)
	})
	if i < 0 {
		return nil
	}
	return m.Annotations[i]
}
