package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"mooring.dev/policy/rego"
	"mooring.dev/sources/manifest"
)

var updateDocs = flag.Bool("update-docs", false, "write docs/manifests.md anew")

// TestManifestsReference: the reference in docs is what the schemas say.
func TestManifestsReference(t *testing.T) {
	path := filepath.Join(moduleRoot(t), "docs", "manifests.md")
	want := manifestsReference(t)
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
		t.Error("docs/manifests.md is not what the schemas say: go test ./cmd/mooring -run TestManifestsReference -update-docs")
	}
}

func manifestsReference(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# Manifests

Made from the schemas (` + "`mooring schema KIND`" + ` prints one as JSON Schema). YAML, one or more documents a file, in any folder of an
environment's branch. Unknown fields, wrong types and dangling references are errors, all named at once with file, line and
column. Field names and units are AWS's own. ` + "`${name}`" + ` takes a value of ` + "`environments/NAME.yaml`" + `; ` + "`$${`" + ` is a plain ` + "`${`" + `.

`)
	for _, kind := range manifest.Kinds() {
		text, err := manifest.Schema(kind.Name)
		if err != nil {
			t.Fatal(err)
		}
		var schema map[string]any
		if err := json.Unmarshal(text, &schema); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "## %s\n\n%s\n\n```yaml\n%s\n```\n\n| field | type | default | meaning |\n|---|---|---|---|\n", kind.Name, kind.Summary, strings.TrimSpace(kind.Example))
		properties, _ := schema["properties"].(map[string]any)
		defs, _ := schema["$defs"].(map[string]any)
		writeFields(&b, fields{defs: defs}, "spec", properties["spec"], 0)
		b.WriteString("\n")
	}
	return strings.TrimSpace(b.String()) + "\n"
}

// fields writes a schema's properties as rows of a table.
type fields struct{ defs map[string]any }

// resolve follows references and takes the most telling of alternatives.
func (f fields) resolve(v any) map[string]any {
	schema, _ := v.(map[string]any)
	if ref, ok := schema["$ref"].(string); ok {
		target := maps.Clone(f.resolve(f.defs[strings.TrimPrefix(ref, "#/$defs/")]))
		if d, ok := schema["description"]; ok && target != nil {
			target["description"] = d
		}
		return target
	}
	return schema
}

func writeFields(b *strings.Builder, f fields, path string, v any, depth int) {
	schema := f.resolve(v)
	for _, alternative := range alternatives(schema) {
		if s := f.resolve(alternative); s["properties"] != nil && schema["properties"] == nil {
			writeFields(b, f, path, s, depth)
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	required := map[string]bool{}
	if list, ok := schema["required"].([]any); ok {
		for _, r := range list {
			required[fmt.Sprint(r)] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		field := f.resolve(properties[name])
		where := name
		if path != "spec" {
			where = strings.TrimPrefix(path, "spec.") + "." + name
		}
		def := ""
		if d, ok := field["default"]; ok {
			text, err := json.Marshal(d)
			if err == nil {
				def = "`" + string(text) + "`"
			}
		} else if required[name] {
			def = "required"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", where, typeOf(f, field), def, escape(description(field)))
		if depth < 3 {
			next := "spec." + where
			writeFields(b, f, next, field, depth+1)
			if items := f.resolve(field["items"]); items["properties"] != nil {
				writeFields(b, f, next+"[]", items, depth+1)
			}
			if each := f.resolve(field["additionalProperties"]); each["properties"] != nil {
				writeFields(b, f, next+".KEY", each, depth+1)
			}
		}
	}
}

func alternatives(schema map[string]any) []any {
	for _, key := range []string{"anyOf", "oneOf"} {
		if list, ok := schema[key].([]any); ok {
			return list
		}
	}
	return nil
}

func typeOf(f fields, field map[string]any) string {
	switch enum, ok := field["enum"].([]any); {
	case ok:
		words := make([]string, len(enum))
		for i, e := range enum {
			words[i] = fmt.Sprintf("`%v`", e)
		}
		return strings.Join(words, " ")
	case field["const"] != nil:
		return fmt.Sprintf("`%v`", field["const"])
	}
	var kinds []string
	add := func(v any) {
		if s, ok := v.(string); ok && !slices.Contains(kinds, s) {
			kinds = append(kinds, s)
		}
	}
	if list, ok := field["type"].([]any); ok {
		for _, v := range list {
			add(v)
		}
	}
	add(field["type"])
	for _, a := range alternatives(field) {
		add(f.resolve(a)["type"])
	}
	text := strings.Join(kinds, " or ")
	if low, ok := field["minimum"]; ok && field["maximum"] != nil {
		text += fmt.Sprintf(" %v to %v", low, field["maximum"])
	}
	return text
}

func description(field map[string]any) string {
	d, _ := field["description"].(string)
	return d
}

func escape(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\n", " "), "|", "\\|")
}

// TestDocsRego: every rule shown in the docs loads as the daemon would load it.
func TestDocsRego(t *testing.T) {
	count := 0
	eachBlock(t, "rego", func(t *testing.T, _, code string) {
		count++
		pkg := regexp.MustCompile(`package policy\.(\w+)\.(\w+)`).FindStringSubmatch(code)
		if pkg == nil {
			t.Fatal("the rule names no package policy.<point>.<name>")
		}
		tree := fstest.MapFS{"policies/" + pkg[1] + "/" + pkg[2] + ".rego": {Data: []byte(code)}}
		if _, err := rego.Load(tree, rego.LoadOptions{Revision: "docs"}); err != nil {
			t.Error(err)
		}
	})
	if count == 0 {
		t.Error("the docs show no rule")
	}
}

// TestDocsYAML: every manifest shown in the docs loads.
func TestDocsYAML(t *testing.T) {
	count := 0
	eachBlock(t, "yaml", func(t *testing.T, _, code string) {
		count++
		if strings.Contains(code, "kind: Pipeline") {
			if _, err := manifest.LoadPipeline(fstest.MapFS{"mooring.yaml": {Data: []byte(code)}}); err != nil {
				t.Error(err)
			}
			return
		}
		name := "example.yaml"
		if strings.Contains(code, "kind: Environment") {
			m := regexp.MustCompile(`name: (\w+)`).FindStringSubmatch(code)
			name = "environments/" + m[1] + ".yaml"
		}
		var loader manifest.Loader
		if _, err := loader.Load(fstest.MapFS{name: {Data: []byte(code)}}, manifest.LoadOptions{}); err != nil {
			t.Error(err)
		}
	})
	if count < 5 {
		t.Errorf("the docs show only %d manifests", count)
	}
}

func eachBlock(t *testing.T, language string, check func(t *testing.T, file, code string)) {
	t.Helper()
	root := os.DirFS(moduleRoot(t))
	files, err := fs.Glob(root, "docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	// What is shown of a file is loaded with the folder it is in.
	block := regexp.MustCompile("(?s)(<!-- file: [^\n]*\n)?```" + language + "\n(.*?)```")
	for _, name := range append(files, "README.md") {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range block.FindAllSubmatch(text, -1) {
			if len(m[1]) > 0 {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", filepath.Base(name), i+1), func(t *testing.T) { check(t, name, string(m[2])) })
		}
	}
}
