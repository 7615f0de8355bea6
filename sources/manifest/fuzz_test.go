package manifest

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
)

// seed adds every file of every scenario, and every example.
func seed(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if !strings.HasPrefix(file.Name, "want.") {
				f.Add(file.Data)
			}
		}
	}
	for _, k := range Kinds() {
		f.Add([]byte(k.Example))
	}
	f.Add([]byte(bomb(8)))
	f.Add([]byte("version https://git-lfs.github.com/spec/v1\n"))
	f.Add([]byte("apiVersion: mooring.dev/v1\nkind: Contract\nspec: {queues: [orders]}\n"))
}

// Whatever a file holds, loading and rendering end, with a release or with
// faults that name the file; and the same again gives the same.
func FuzzLoad(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		tree := fstest.MapFS{
			"a.yaml":                    {Data: data},
			"environments/preview.yaml": {Data: data},
			"environments/b.yaml":       {Data: []byte("apiVersion: mooring.dev/v1\nkind: Environment\nmetadata: {name: b}\nspec: {values: {x: 1, level: info, memory: 256}}\n")},
		}
		loader := new(Loader)
		docs, err := loader.Load(tree, LoadOptions{})
		if err != nil {
			checkFaults(t, err)
		}
		for _, environment := range []string{"preview", "b"} {
			p := testPipeline("preview", "b")
			a, errA := Render(docs, p, environment, "")
			b, errB := Render(docs, p, environment, "")
			if errA != nil {
				checkFaults(t, errA)
				if errB == nil || errA.Error() != errB.Error() {
					t.Fatalf("first %v, then %v", errA, errB)
				}
				continue
			}
			if err != nil {
				t.Fatalf("rendered in spite of %v", err)
			}
			if a.Digest != b.Digest || a.Content != b.Content {
				t.Fatal("two renderings differ")
			}
			if _, err := a.RenderYAML(); err != nil {
				t.Fatal(err)
			}
			CheckContract(a)
		}
	})
}

func checkFaults(t *testing.T, err error) {
	var faults Faults
	if !errors.As(err, &faults) || len(faults) == 0 {
		t.Fatalf("want faults, got %v", err)
	}
	for _, fault := range faults {
		if fault.Position.File == "" || fault.Message == "" {
			t.Fatalf("a fault without place or message: %+v", fault)
		}
	}
}

func FuzzPipeline(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := LoadPipeline(fstest.MapFS{PipelineFile: {Data: data}})
		if err != nil {
			checkFaults(t, err)
			return
		}
		seen := map[string]bool{}
		for _, e := range p.Environments {
			if e.Name == "" || e.Branch == "" || seen[e.Name] || len(e.Rollout.Stages) == 0 || e.Drift.Interval <= 0 {
				t.Fatalf("%+v", e)
			}
			if e.Rollout.Stages[len(e.Rollout.Stages)-1].Weight != 100 {
				t.Fatalf("%+v", e.Rollout)
			}
			if (e.Provider.AWS == nil) == (e.Provider.Memory == nil) {
				t.Fatalf("%+v", e.Provider)
			}
			seen[e.Name] = true
		}
	})
}

func FuzzContract(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		expects, err := ParseContract(data)
		if err != nil {
			checkFaults(t, err)
			return
		}
		CheckContract(&Release{Functions: map[Ref]Delivery{{KindFunction, "f"}: {Expects: expects}}})
	})
}
