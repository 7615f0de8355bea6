package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// contentID stands for sources.ContentID, which this package cannot import.
type contentID string

func (c contentID) String() string { return string(c) }

// countingFS counts how often files are opened.
type countingFS struct {
	fstest.MapFS
	opened map[string]int
}

func (c countingFS) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, ".yaml") {
		c.opened[name]++
	}
	return c.MapFS.Open(name)
}

func queueFile(name string, delay int, id string) *fstest.MapFile {
	f := &fstest.MapFile{Data: fmt.Appendf(nil, "apiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: %s}\nspec: {delaySeconds: %d}\n", name, delay)}
	if id != "" {
		f.Sys = contentID(id)
	}
	return f
}

func TestUnchangedFilesAreNeitherReadNorParsed(t *testing.T) {
	loader := new(Loader)
	tree := countingFS{fstest.MapFS{"a.yaml": queueFile("a", 1, "blob1"), "b.yaml": queueFile("b", 1, "blob2")}, map[string]int{}}
	load := func() *Documents {
		t.Helper()
		docs, err := loader.Load(tree, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return docs
	}
	first := load()
	second := load()
	if tree.opened["a.yaml"] != 1 || tree.opened["b.yaml"] != 1 {
		t.Fatalf("opened %v", tree.opened)
	}
	if first.docs[0] != second.docs[0] {
		t.Error("an unchanged document was parsed again")
	}
	tree.MapFS["b.yaml"] = queueFile("b", 2, "blob3")
	third := load()
	if tree.opened["a.yaml"] != 1 || tree.opened["b.yaml"] != 2 {
		t.Fatalf("opened %v", tree.opened)
	}
	if third.docs[0] != first.docs[0] || third.docs[1] == first.docs[1] || third.Content() == first.Content() {
		t.Error("the changed document, and it alone, must be new")
	}
}

// Without content ids, files are read each time and parsed only when changed.
func TestFilesWithoutIDsAreHashed(t *testing.T) {
	loader := new(Loader)
	tree := fstest.MapFS{"a.yaml": queueFile("a", 1, "")}
	first, err := loader.Load(tree, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := loader.Load(tree, LoadOptions{})
	if err != nil || first.docs[0] != second.docs[0] {
		t.Fatalf("parsed again: %v", err)
	}
	tree["a.yaml"] = queueFile("a", 2, "")
	third, err := loader.Load(tree, LoadOptions{})
	if err != nil || third.docs[0] == first.docs[0] {
		t.Fatalf("the change was not seen: %v", err)
	}
}

// Expansions of unchanged documents are the same ones, per environment.
func TestRenderingIsRemembered(t *testing.T) {
	docs, err := new(Loader).Load(fstest.MapFS{"a.yaml": queueFile("a", 1, "")}, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := testPipeline("preview", "production")
	a := mustRender(t, docs, p, "preview")
	b := mustRender(t, docs, p, "production")
	c := mustRender(t, docs, p, "preview")
	if a.Resources[0].Spec != c.Resources[0].Spec {
		t.Error("expanded again")
	}
	if a.Resources[0].Physical != "preview-a" || b.Resources[0].Physical != "production-a" {
		t.Errorf("names: %s, %s", a.Resources[0].Physical, b.Resources[0].Physical)
	}
	for i := range 2 * maxMemo {
		p.Naming = fmt.Sprintf("n%d-${name}", i)
		mustRender(t, docs, p, "preview")
	}
	if n := len(docs.docs[0].memo); n != maxMemo {
		t.Errorf("%d renderings are remembered, want %d", n, maxMemo)
	}
}

func mustRender(t testing.TB, docs *Documents, p *Pipeline, environment string) *Release {
	t.Helper()
	release, err := Render(docs, p, environment, "c0ffee")
	if err != nil {
		t.Fatal(err)
	}
	return release
}

func TestLoadPath(t *testing.T) {
	tree := fstest.MapFS{"preview/a.yaml": queueFile("a", 1, ""), "production/b.yaml": queueFile("b", 1, "")}
	docs, err := new(Loader).Load(tree, LoadOptions{Path: "production"})
	if err != nil || docs.Len() != 1 || docs.docs[0].position().String() != "production/b.yaml:1:1" {
		t.Fatalf("%v %+v", err, docs)
	}
	if docs, err = new(Loader).Load(tree, LoadOptions{Path: "preview/"}); err != nil || docs.Len() != 1 {
		t.Fatalf("%v %+v", err, docs)
	}
	tree["link"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("preview")}
	var faults Faults
	if _, err := new(Loader).Load(tree, LoadOptions{Path: "link"}); !errors.As(err, &faults) {
		t.Errorf("a link was followed: %v", err)
	}
	if _, err := new(Loader).Load(tree, LoadOptions{Path: "../x"}); err == nil {
		t.Error("a path out of the tree was accepted")
	}
	if _, err := new(Loader).Load(tree, LoadOptions{Path: "staging"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing folder: %v", err)
	}
}

// An empty branch declares nothing, and that is no fault.
func TestEmptyTree(t *testing.T) {
	docs, err := new(Loader).Load(fstest.MapFS{}, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	release := mustRender(t, docs, testPipeline("preview"), "preview")
	if len(release.Resources) != 0 || release.Digest == "" || release.Content == "" || release.Commit != "c0ffee" {
		t.Errorf("%+v", release)
	}
}

func TestRenderUnknownEnvironment(t *testing.T) {
	docs, err := new(Loader).Load(fstest.MapFS{}, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var faults Faults
	if _, err := Render(docs, testPipeline("preview"), "preveiw", ""); !errors.As(err, &faults) || faults[0].Hint != "did you mean preview?" {
		t.Fatalf("got %v", err)
	}
}

// Documents with faults render to all faults, and never to a Release.
func TestFaultyDocumentsNeverRender(t *testing.T) {
	tree := fstest.MapFS{"a.yaml": queueFile("a", 901, ""), "b.yaml": {Data: []byte(
		"apiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: b}\nspec: {redrive: {deadLetter: Queue/c, maxReceiveCount: 1}}\n")}}
	docs, err := new(Loader).Load(tree, LoadOptions{})
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 1 {
		t.Fatalf("loading: %v", err)
	}
	release, err := Render(docs, testPipeline("preview"), "preview", "")
	if release != nil || !errors.As(err, &faults) || len(faults) != 2 {
		t.Fatalf("rendering: %v", err)
	}
}

// A fault of one environment's overlay does not hold another environment.
func TestOverlayFaultsStayInTheirEnvironment(t *testing.T) {
	tree := fstest.MapFS{
		"a.yaml":                       queueFile("a", 1, ""),
		"environments/production.yaml": {Data: []byte("apiVersion: mooring.dev/v1\nkind: [\n")},
	}
	docs, err := new(Loader).Load(tree, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := testPipeline("preview", "production")
	mustRender(t, docs, p, "preview")
	if _, err := Render(docs, p, "production", ""); err == nil {
		t.Error("production rendered without its overlay")
	}
}

func TestForcedRollout(t *testing.T) {
	docs, err := new(Loader).Load(fstest.MapFS{"a.yaml": {Data: []byte(functionKind().example)}}, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := testPipeline("preview")
	fn := Ref{KindFunction, "checkout"}
	if got := mustRender(t, docs, p, "preview").Functions[fn].Rollout; got.Strategy != Canary {
		t.Errorf("the function's own: %+v", got)
	}
	p.Environments[0].Rollout.Force = true
	if got := mustRender(t, docs, p, "preview").Functions[fn].Rollout; got.Strategy != AllAtOnce || got.Force {
		t.Errorf("forced: %+v", got)
	}
}

// A document that did not change renders anew when its overlay did.
func TestNewOverlayRendersAnew(t *testing.T) {
	loader := new(Loader)
	overlay := func(delay int) *fstest.MapFile {
		return &fstest.MapFile{Data: fmt.Appendf(nil, "apiVersion: mooring.dev/v1\nkind: Environment\nmetadata: {name: preview}\nspec: {values: {delay: %d}, patches: [{target: {kind: Queue, name: b}, patch: {spec: {delaySeconds: %d}}}]}\n", delay, delay)}
	}
	tree := fstest.MapFS{
		"a.yaml": {Data: []byte("apiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: a}\nspec: {delaySeconds: \"${delay}\"}\n")},
		"b.yaml": queueFile("b", 1, ""),
	}
	for _, want := range []int{5, 7, 5} {
		tree["environments/preview.yaml"] = overlay(want)
		docs, err := loader.Load(tree, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, res := range mustRender(t, docs, testPipeline("preview"), "preview").Resources {
			if got := res.Spec.(*QueueSpec).DelaySeconds; got != want {
				t.Errorf("%s: delay %d, want %d", res.Ref, got, want)
			}
		}
	}
}

// Patches apply in the order they are written, however they select.
func TestPatchesApplyInOrder(t *testing.T) {
	tree := fstest.MapFS{
		"a.yaml": {Data: []byte("apiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: a, labels: {x: y}}\n")},
		"environments/preview.yaml": {Data: []byte(`apiVersion: mooring.dev/v1
kind: Environment
metadata: {name: preview}
spec:
  patches:
    - {target: {kind: Queue, labels: {x: y}}, patch: {spec: {delaySeconds: 1, visibilityTimeout: 1}}}
    - {target: {kind: Queue, name: a}, patch: {spec: {delaySeconds: 2}}}
    - {target: {kind: Queue, labels: {x: y}}, patch: {spec: {visibilityTimeout: 3}}}
`)},
	}
	docs, err := new(Loader).Load(tree, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := mustRender(t, docs, testPipeline("preview"), "preview").Resources[0].Spec.(*QueueSpec)
	if got.DelaySeconds != 2 || got.VisibilityTimeout != 3 {
		t.Errorf("%+v", got)
	}
}

// Annotations are notes for others: they change nothing.
func TestAnnotationsChangeNothing(t *testing.T) {
	text := "apiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: a, annotations: {note: %s}}\n"
	var releases []*Release
	for _, note := range []string{"one", "{two: [\"${three}\"]}"} {
		docs, err := new(Loader).Load(fstest.MapFS{"a.yaml": {Data: fmt.Appendf(nil, text, note)}}, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		releases = append(releases, mustRender(t, docs, testPipeline("preview"), "preview"))
	}
	if releases[0].Content != releases[1].Content || releases[0].Digest != releases[1].Digest {
		t.Error("an annotation changed a digest")
	}
}
