package rego

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

//go:embed library
var libraryFiles embed.FS

// libraryPrefix marks files that are ours in messages.
const libraryPrefix = "mooring:"

// library is the built-in helpers, parsed once: the compiler works on copies.
// They are part of the binary and have their own tests: a fault in them is ours.
var library = sync.OnceValue(func() shelf {
	found, fs := Gather(libraryFiles, "library").sorted()
	out := shelf{modules: parseAll(marked(found.modules), &fs), names: map[string]bool{}}
	if len(fs) > 0 {
		panic(fs.err())
	}
	for _, m := range out.modules {
		p, _ := placeOf(m.Package)
		out.names[p.name] = true
	}
	return out
})

// shelf is the library. It is immutable.
type shelf struct {
	modules map[string]*ast.Module
	names   map[string]bool // of its packages
}

// usedBy are the modules of the library that others lean on, directly or
// through each other; compiling the rest would be for nothing.
func (b shelf) usedBy(others ...map[string]*ast.Module) map[string]*ast.Module {
	out := map[string]*ast.Module{}
	for _, modules := range others {
		for _, m := range modules {
			b.take(m, out)
		}
	}
	return out
}

func (b shelf) take(user *ast.Module, out map[string]*ast.Module) {
	if len(out) == len(b.modules) {
		return
	}
	ast.WalkRefs(user, func(r ast.Ref) bool {
		if !r.HasPrefix(ast.DefaultRootRef) {
			return false
		}
		for file, m := range b.modules {
			if out[file] == nil && mayMean(r, m.Package.Path) {
				out[file] = m
				b.take(m, out)
			}
		}
		return false
	})
}

// mayMean: r leads to, into or past a package, as far as can be told.
func mayMean(r, pkg ast.Ref) bool {
	for i := 1; i < min(len(r), len(pkg)); i++ {
		if _, known := r[i].Value.(ast.String); known && !r[i].Equal(pkg[i]) {
			return false
		}
	}
	return true
}

// marked names files as ours.
func marked(texts map[string]string) map[string]string {
	out := map[string]string{}
	for file, text := range texts {
		out[libraryPrefix+file] = text
	}
	return out
}

// parseAll parses what parses; the rest are faults.
func parseAll(texts map[string]string, fs *faults) map[string]*ast.Module {
	modules := map[string]*ast.Module{}
	options := ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: capabilities(), ProcessAnnotation: true}
	for _, file := range slices.Sorted(maps.Keys(texts)) {
		m, err := ast.ParseModuleWithOpts(file, texts[file], options)
		switch {
		case err != nil:
			fs.opa(file, err)
		case m == nil:
			fs.file(file, "rego_parse_error", "empty file")
		default:
			modules[file] = m
		}
	}
	return modules
}

// checkTestPackages keeps tests from replacing what they test.
func checkTestPackages(tests map[string]*ast.Module, own map[string]bool) faults {
	var found faults
	for _, file := range slices.Sorted(maps.Keys(tests)) {
		m := tests[file]
		if p, _ := placeOf(m.Package); own[p.name] || !m.Package.Path.HasPrefix(ast.MustParseRef("data.policy")) {
			found.at(m.Package.Location, "package_name", "package %s: a test is in the package it tests, or in policy.POINT.NAME_test", m.Package.Path)
		}
	}
	return found
}

// newCompiler is a strict compiler with restricted capabilities, and the
// modules that type the input by the schema of each package's point. They must
// be compiled with the rest.
func newCompiler(config map[string]any) (*ast.Compiler, map[string]*ast.Module) {
	schemas, typings := ast.NewSchemaSet(), map[string]*ast.Module{}
	for _, t := range append(inputTypes(), typed("config", configSchema(config), "data.config", "policy")) {
		schemas.Put(schemaRef(t.name), t.schema)
		typings[libraryPrefix+"schema/"+t.name] = t.module
	}
	c := ast.NewCompiler().
		WithDefaultRegoVersion(ast.RegoV1).
		WithCapabilities(capabilities()).
		WithSchemas(schemas).
		WithUseTypeCheckAnnotations(true).
		WithEnablePrintStatements(true).
		WithStrict(true)
	c.SetErrorLimit(0)
	return c, typings
}

// compile compiles everything at once; the compiler says whether it failed.
func compile(modules map[string]*ast.Module, config map[string]any) *ast.Compiler {
	c, all := newCompiler(config)
	maps.Copy(all, modules)
	c.Compile(all)
	return c
}

// inputType is a schema, and the module that has it type a path.
type inputType struct {
	name   string
	schema any
	module *ast.Module
}

func typed(name string, schema map[string]any, path, pkg string) inputType {
	return inputType{name: name, schema: jsonNumbers(schema), module: typing(pkg, path, name)}
}

// inputTypes are those of the input, which are the same for every folder.
func inputTypes() []inputType { return slices.Clone(allInputTypes()) }

var allInputTypes = sync.OnceValue(func() []inputType {
	out := []inputType{typed("lib", inputForm("").schema(), "input", "policy.lib")}
	for _, p := range points {
		out = append(out, typed(string(p), inputForm(p).schema(), "input", "policy."+string(p)))
	}
	return out
})

func schemaRef(name string) ast.Ref {
	return ast.Ref{ast.SchemaRootDocument, ast.StringTerm(name)}
}

// typing is a module without rules whose only purpose is to type path, by
// schema name, in every package below pkg: authors need annotate nothing.
func typing(pkg, path, name string) *ast.Module {
	text := fmt.Sprintf("# METADATA\n# scope: subpackages\n# schemas:\n#   - %s: schema.%s\npackage %s\n", path, name, pkg)
	return ast.MustParseModuleWithOpts(text, ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true})
}

// configSchema is inferred from the data at hand, so that a misspelt key of
// data.config is found like a misspelt field of the input.
func configSchema(v any) map[string]any {
	switch v := v.(type) {
	case map[string]any:
		properties := map[string]any{}
		for k, item := range v {
			properties[k] = configSchema(item)
		}
		return map[string]any{"type": "object", "properties": properties}
	case []any:
		return listSchema(v)
	case string:
		return map[string]any{"type": "string"}
	case bool:
		return map[string]any{"type": "boolean"}
	case json.Number, float64, int:
		return map[string]any{"type": "number"}
	}
	return map[string]any{}
}

// listSchema types the items when all are alike.
func listSchema(items []any) map[string]any {
	list := map[string]any{"type": "array"}
	for i, item := range items {
		s := configSchema(item)
		if i > 0 && !reflect.DeepEqual(list["items"], s) {
			delete(list, "items")
			return list
		}
		list["items"] = s
	}
	return list
}

// jsonNumbers gives a schema the shape OPA's schema reader knows.
func jsonNumbers(schema map[string]any) any {
	var out any
	if err := json.Unmarshal(must(json.Marshal(schema)), &out); err != nil {
		panic(err)
	}
	return out
}
