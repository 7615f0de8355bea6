package template

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"mooring.dev/sources/adopt"
	"mooring.dev/sources/manifest"
)

var update = flag.Bool("update", false, "write the golden files")

func TestTemplates(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			beside := fstest.MapFS{}
			for _, f := range archive.Files[1 : len(archive.Files)-1] {
				beside[f.Name] = &fstest.MapFile{Data: f.Data}
			}
			found, err := Read(archive.Files[0].Data, Options{File: archive.Files[0].Name, Region: "eu-west-1", Account: "111111111111", Stack: "shop", Tree: beside})
			if err != nil {
				t.Fatal(err)
			}
			result, err := adopt.Compose(found, adopt.Options{Environment: "prod", Source: "Read from " + archive.Files[0].Name})
			if err != nil {
				t.Fatal(err)
			}
			render(t, result)
			var got strings.Builder
			for _, name := range slices.Sorted(maps.Keys(result.Files)) {
				fmt.Fprintf(&got, "== %s\n%s", name, result.Files[name])
			}
			if strings.Contains(got.String(), "not-to-be-shown") || strings.Contains(got.String(), "token-0123") {
				t.Error("a secret is written down")
			}
			want := &archive.Files[len(archive.Files)-1]
			if *update {
				want.Data = []byte(got.String())
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want.Data), got.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// render holds what was made against what a repository accepts.
func render(t *testing.T, r *adopt.Result) {
	t.Helper()
	tree := fstest.MapFS{manifest.PipelineFile: {Data: []byte(`
apiVersion: mooring.dev/v1
kind: Pipeline
metadata: {name: shop}
spec: {environments: [{name: prod, provider: {aws: {region: eu-west-1, account: "111111111111"}}}]}
`)}}
	for name, text := range r.Files {
		tree[name] = &fstest.MapFile{Data: text}
	}
	pipeline, err := manifest.LoadPipeline(tree)
	if err != nil {
		t.Fatal(err)
	}
	var loader manifest.Loader
	docs, err := loader.Load(tree, manifest.LoadOptions{})
	if err != nil {
		t.Errorf("what was made is no repository: %v", err)
	}
	release, err := manifest.Render(docs, pipeline, "prod", "commit")
	if err != nil {
		t.Errorf("what was made is refused: %v", err)
	} else if len(release.Resources) < len(r.Resources) {
		t.Errorf("%d resources of %d are rendered", len(release.Resources), len(r.Resources))
	}
}

// bombs are templates that grow when they are read.
var bombs = map[string]string{
	"aliases":    "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nResources: {F: {Type: AWS::SQS::Queue, Properties: {X: [*e,*e,*e,*e,*e,*e,*e,*e,*e]}}}\n",
	"depth":      "Resources: {F: {Type: AWS::SQS::Queue, Properties: {X: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}}}\n",
	"size":       "Resources: {F: {Type: AWS::SQS::Queue}}\n# " + strings.Repeat("x", maxBytes),
	"itself":     "a: &a [*a]\nResources: {F: {Type: AWS::SQS::Queue}}\n",
	"twice":      "Resources: {F: {Type: AWS::SQS::Queue}}\nResources: {}\n",
	"none":       "kind: Deployment\n",
	"no mapping": "[1, 2]",
}

func TestHostileTemplatesAreRefused(t *testing.T) {
	for name, text := range bombs {
		started := time.Now()
		if _, err := Read([]byte(text), Options{File: "t.yaml"}); err == nil || !strings.HasPrefix(err.Error(), "t.yaml") {
			t.Errorf("%s: want an error that names the file, got %v", name, err)
		}
		if took := time.Since(started); took > 5*time.Second {
			t.Errorf("%s: took %v to refuse", name, took)
		}
	}
}

// TestCirclesAreNotKnown: conditions and substitutions that need themselves,
// or make more text than anybody deploys, are listed as not known.
func TestCirclesAreNotKnown(t *testing.T) {
	long := strings.Repeat("y", 4000)
	text := `
Parameters: {Long: {Type: String, Default: ` + long + `}}
Conditions:
  A: !Condition B
  B: !Or [!Condition A, !Condition A]
Resources:
  Q:
    Type: AWS::SQS::Queue
    Condition: A
    Properties:
      QueueName: !If [A, x, y]
      KmsMasterKeyId: !Sub "` + strings.Repeat("${Long}", 50_000) + `"
`
	found, err := Read([]byte(text), Options{File: "t.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Drafts) != 1 || len(found.Left) != 1 {
		t.Fatalf("%+v", found)
	}
	if left := strings.Join(found.Drafts[0].Left, "\n"); !strings.Contains(left, "more than is worked out") {
		t.Errorf("left: %s", left)
	}
}

func FuzzRead(f *testing.F) {
	for _, text := range bombs {
		f.Add([]byte(text[:min(len(text), 4096)]))
	}
	paths, _ := filepath.Glob("testdata/*.txtar") // the pattern is well formed
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := Read(data, Options{File: "t.yaml", Region: "eu-west-1"})
		if err != nil {
			return
		}
		if _, err := adopt.Compose(found, adopt.Options{}); err != nil {
			t.Skip(err) // it says so, and writes nothing
		}
	})
}
