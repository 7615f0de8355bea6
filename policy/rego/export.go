package rego

import (
	"encoding/json"
	"io/fs"
	"path"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// LibraryPackage is one package of the built-in library.
type LibraryPackage struct {
	Name    string `json:"name"` // policy.lib.soak
	Summary string `json:"summary"`
	File    string `json:"file"` // soak.rego
	Text    []byte `json:"-"`
}

// Library is the built-in helpers in source form, sorted by name, for reading
// and for OPA's own tools.
func Library() []LibraryPackage {
	found, fs := Gather(libraryFiles, "library").sorted()
	modules := parseAll(found.modules, &fs)
	if len(fs) > 0 {
		panic(fs.err())
	}
	var out []LibraryPackage
	for _, file := range sortedKeys(modules) {
		p, _ := placeOf(modules[file].Package)
		out = append(out, LibraryPackage{
			Name: p.name, Summary: firstSentence(modules[file]), File: path.Base(file), Text: []byte(found.modules[file]),
		})
	}
	return out
}

// firstSentence is what the description of a module's package begins with.
func firstSentence(m *ast.Module) string {
	for _, a := range m.Annotations {
		if a.Scope == "package" {
			text, _, _ := strings.Cut(strings.Join(strings.Fields(a.Description), " "), ". ")
			return strings.TrimSuffix(text, ".")
		}
	}
	return ""
}

// Config is the data of a policy folder as JSON, as policies read it below
// data.config. The error is a *LoadError.
func Config(tree fs.FS, dir string) ([]byte, error) {
	found, faults := Gather(tree, LoadOptions{Dir: dir}.withDefaults().Dir).sorted()
	if err := faults.err(); err != nil {
		return nil, err
	}
	return json.MarshalIndent(found.config, "", "  ")
}
