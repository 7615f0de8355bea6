package manifest

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the golden files")

// A scenario is a txtar archive: the files of a tree, and what becomes of
// them. Its comment may name environments to render, as "render: a b".
// Sections whose name begins with want are written by -update:
//
//	want.faults     everything wrong, one fault a line
//	want.NAME.yaml  the release of environment NAME
//	want.notices    what nothing is held for
func TestScenarios(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) { runScenario(t, path) })
	}
}

func runScenario(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tree := fstest.MapFS{}
	var files, want []txtar.File
	for _, f := range archive.Files {
		if strings.HasPrefix(f.Name, "want.") {
			want = append(want, f)
			continue
		}
		files = append(files, f)
		tree[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	got := outcome(t, tree, string(archive.Comment))
	if *update {
		archive.Files = append(files, got...)
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(text(want), text(got)); diff != "" {
		t.Errorf("(-want +got)\n%s\nrun with -update if this is meant", diff)
	}
}

func text(files []txtar.File) string {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "-- %s --\n%s", f.Name, f.Data)
	}
	return b.String()
}

// outcome loads a tree and renders every environment asked for.
func outcome(t *testing.T, tree fs.FS, comment string) []txtar.File {
	pipeline, err := LoadPipeline(tree)
	if errors.Is(err, fs.ErrNotExist) {
		pipeline, err = testPipeline("preview"), nil
	}
	faults := asFaults(t, err)
	docs, err := new(Loader).Load(tree, LoadOptions{})
	faults = append(faults, asFaults(t, err)...)
	var out []txtar.File
	if pipeline != nil {
		for _, environment := range renderings(comment) {
			release, err := Render(docs, pipeline, environment, "")
			faults = append(faults, asFaults(t, err)...)
			if err == nil {
				text, err := release.RenderYAML()
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, txtar.File{Name: "want." + environment + ".yaml", Data: append(deliveries(release), text...)})
			}
		}
		var notices strings.Builder
		for _, n := range docs.Notices(pipeline) {
			fmt.Fprintln(&notices, n.Error())
		}
		if notices.Len() > 0 {
			out = append(out, txtar.File{Name: "want.notices", Data: []byte(notices.String())})
		}
	}
	if err := faults.sorted(); err != nil {
		out = append(out, txtar.File{Name: "want.faults", Data: []byte(err.Error() + "\n")})
	}
	return out
}

func renderings(comment string) []string {
	for line := range strings.Lines(comment) {
		if names, ok := strings.CutPrefix(line, "render: "); ok {
			return strings.Fields(names)
		}
	}
	return []string{"preview"}
}

// deliveries is a comment with what is not a resource.
func deliveries(r *Release) []byte {
	var b strings.Builder
	for _, res := range r.Resources {
		if d, ok := r.Functions[res.Ref]; ok {
			fmt.Fprintf(&b, "# %s: %s\n", res.Ref, appendCanonical(nil, d))
		}
	}
	for _, broken := range CheckContract(r) {
		fmt.Fprintf(&b, "# broken: %s\n", appendCanonical(nil, broken))
	}
	return []byte(b.String())
}

func asFaults(t *testing.T, err error) Faults {
	if err == nil {
		return nil
	}
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("want faults, got %v", err)
	}
	return faults
}

// testPipeline is a pipeline of environments with nothing special.
func testPipeline(names ...string) *Pipeline {
	p := &Pipeline{Name: "shop", Naming: "${environment}-${name}"}
	for _, name := range names {
		p.Environments = append(p.Environments, Environment{
			Name: name, Branch: "env/" + name, Rollout: defaultRollout(),
			Provider: ProviderTarget{AWS: &AWSTarget{Region: "eu-west-1"}},
		})
	}
	return p
}
