package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

func compiledSchemas(t *testing.T) map[string]*jsonschema.Schema {
	out := map[string]*jsonschema.Schema{}
	for _, k := range Kinds() {
		text, err := Schema(k.Name)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource(k.Name+".json", doc); err != nil {
			t.Fatal(err)
		}
		if out[k.Name], err = c.Compile(k.Name + ".json"); err != nil {
			t.Fatalf("schema of %s: %v", k.Name, err)
		}
	}
	return out
}

// documentsOf reads YAML as an editor with a schema would.
func documentsOf(t *testing.T, data []byte) []any {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var out []any
	for {
		var doc any
		err := loader.Load(&doc)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		doc, err = jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, doc)
	}
}

func TestExamplesValidateAndLoad(t *testing.T) {
	schemas := compiledSchemas(t)
	if len(schemas) != len(allKinds()) {
		t.Fatalf("%d kinds are listed, %d are known", len(schemas), len(allKinds()))
	}
	for _, k := range Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			if k.Summary == "" {
				t.Error("no summary")
			}
			validateAll(t, schemas, []byte(k.Example))
			loadExample(t, k)
		})
	}
}

func validateAll(t *testing.T, schemas map[string]*jsonschema.Schema, data []byte) {
	t.Helper()
	for _, doc := range documentsOf(t, data) {
		m, _ := doc.(map[string]any)
		kind, _ := m["kind"].(string)
		if m["apiVersion"] != APIVersion {
			continue
		}
		if err := schemas[kind].Validate(doc); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func loadExample(t *testing.T, k KindInfo) {
	switch k.Name {
	case KindPipeline:
		if _, err := LoadPipeline(fstest.MapFS{PipelineFile: {Data: []byte(k.Example)}}); err != nil {
			t.Fatal(err)
		}
	case KindEnvironment:
		tree := fstest.MapFS{"environments/production.yaml": {Data: []byte(k.Example)}}
		docs, err := new(Loader).Load(tree, LoadOptions{})
		if err != nil || len(docs.overlay("production").faults) > 0 {
			t.Fatal(err, docs.overlay("production").faults)
		}
	default:
		docs, err := new(Loader).Load(fstest.MapFS{"a.yaml": {Data: []byte(k.Example)}}, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		release, err := Render(docs, testPipeline("preview"), "preview", "c0ffee")
		if err != nil {
			t.Fatal(err)
		}
		if len(CheckContract(release)) > 0 {
			t.Errorf("the example breaks its own contract: %v", CheckContract(release))
		}
	}
}

// What renders validates: no schema is stricter than the decoder.
func TestSchemasAcceptWhatRenders(t *testing.T) {
	schemas := compiledSchemas(t)
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, path := range paths {
		if strings.HasPrefix(filepath.Base(path), "faults") || filepath.Base(path) == "yaml.txtar" {
			continue // yaml.txtar has merge keys, which are gone once read
		}
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if !strings.HasPrefix(f.Name, "want.") && isYAML(f.Name) {
				validateAll(t, schemas, f.Data)
				checked++
			}
		}
	}
	if checked == 0 {
		t.Fatal("nothing was checked")
	}
}

// What a schema can refuse, it refuses.
func TestSchemasRefuse(t *testing.T) {
	schemas := compiledSchemas(t)
	head := "apiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: a}\n"
	for name, text := range map[string]string{
		"range":   head + "spec: {delaySeconds: 901}",
		"type":    head + `spec: {delaySeconds: "1"}`,
		"enum":    head + "spec: {deduplicationScope: all}",
		"unknown": head + "spec: {delay: 1}",
		"missing": head + "spec: {redrive: {maxReceiveCount: 1}}",
		"name":    "apiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: a b}",
		"top":     head + "specs: {}",
		"version": "apiVersion: mooring.dev/v2\nkind: Queue\nmetadata: {name: a}",
	} {
		if err := schemas[KindQueue].Validate(documentsOf(t, []byte(text))[0]); err == nil {
			t.Errorf("%s: accepted %s", name, text)
		}
	}
	if err := schemas[KindQueue].Validate(documentsOf(t, []byte(head+`spec: {delaySeconds: "${x}"}`))[0]); err != nil {
		t.Errorf("a value is refused: %v", err)
	}
}

func TestSchemaOfUnknownKind(t *testing.T) {
	if _, err := Schema("Funktion"); err == nil {
		t.Error("no error")
	}
}

// Every field a newcomer may write says what it means.
func TestEveryFieldIsDescribed(t *testing.T) {
	for _, k := range allKinds() {
		for typ, p := range k.plans {
			for _, f := range p.fields {
				if f.rule.doc == "" {
					t.Errorf("%s: %s.%s has no description", k.name, typ, f.name)
				}
			}
		}
	}
}

// A member of the normal form that no written form fills would silently never
// be set.
func TestFunctionConfigIsFilled(t *testing.T) {
	want := map[string]bool{"packageType": true} // from the artifact
	for _, f := range functionKind().plans[reflect.TypeFor[functionSpec]()].fields {
		want[f.name] = true
	}
	for _, f := range makeLayout(reflect.TypeFor[FunctionConfig]()) {
		if !want[f.name] {
			t.Errorf("no way to write %s", f.name)
		}
	}
}
