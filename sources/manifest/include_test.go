package manifest

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

const flowManifest = `apiVersion: mooring.dev/v1
kind: Workflow
metadata: {name: fulfil}
spec: {definition: {file: flow.asl.json}, role: {arn: "arn:aws:iam::111111111111:role/flows"}}
`

func flowText(mark string) string {
	return `{"StartAt": "A", "States": {"A": {"Type": "Pass", "Comment": "` + mark + `", "End": true}}}`
}

func TestAnIncludedFileIsPartOfTheManifest(t *testing.T) {
	var l Loader
	load := func(tree fs.FS) string {
		t.Helper()
		docs, err := l.Load(tree, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return docs.Content()
	}
	tree := fstest.MapFS{
		"flow.yaml":     {Data: []byte(flowManifest), Sys: contentID("one")},
		"flow.asl.json": {Data: []byte(flowText("one"))},
	}
	first := load(tree)
	tree["flow.asl.json"] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(flowText("one"), " ", "\n  "))}
	if again := load(tree); again != first {
		t.Error("other spaces are other content")
	}
	tree["flow.asl.json"] = &fstest.MapFile{Data: []byte(flowText("two"))}
	if changed := load(tree); changed == first {
		t.Error("another definition is the same content")
	}
	tree["flow.asl.json"] = &fstest.MapFile{Data: []byte(flowText("one"))}
	if back := load(tree); back != first {
		t.Error("the definition of before is other content")
	}
	delete(tree, "flow.asl.json")
	if _, err := l.Load(tree, LoadOptions{}); err == nil {
		t.Error("a file that is gone is not missed")
	}
	tree["flow.asl.json"] = &fstest.MapFile{Data: []byte(flowText("one"))}
	if found := load(tree); found != first {
		t.Error("a file that is there again is other content")
	}
}

func TestNothingHostileIsIncluded(t *testing.T) {
	good := &fstest.MapFile{Data: []byte(flowText("one"))}
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	for name, tree := range map[string]fstest.MapFS{
		"a link":            {"flow.asl.json": {Data: []byte("other.json"), Mode: fs.ModeSymlink}, "other.json": good},
		"a folder":          {"flow.asl.json/x": good},
		"too large":         {"flow.asl.json": {Data: []byte(flowText(strings.Repeat("x", MaxFileSize)))}},
		"an LFS pointer":    {"flow.asl.json": {Data: []byte("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n")}},
		"no UTF-8":          {"flow.asl.json": {Data: []byte(`{"StartAt": "` + "\xff" + `"}`)}},
		"nested too deeply": {"flow.asl.json": {Data: []byte(`{"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": ` + deep + `, "End": true}}}`)}},
		"two documents":     {"flow.asl.json": {Data: []byte(flowText("one") + flowText("two"))}},
		"a list":            {"flow.asl.json": {Data: []byte(`[]`)}},
		"nothing":           {"flow.asl.json": {Data: nil}},
	} {
		tree["flow.yaml"] = &fstest.MapFile{Data: []byte(flowManifest)}
		_, err := new(Loader).Load(tree, LoadOptions{})
		var faults Faults
		if !errors.As(err, &faults) {
			t.Errorf("%s: %v", name, err)
		}
	}
	linked := fstest.MapFS{
		"flow.yaml": {Data: []byte(strings.Replace(flowManifest, "flow.asl.json", "in/flow.asl.json", 1))},
		"in":        {Data: []byte("elsewhere"), Mode: fs.ModeSymlink}, "elsewhere/flow.asl.json": good,
	}
	if _, err := new(Loader).Load(linked, LoadOptions{}); err == nil {
		t.Error("a file behind a link is included")
	}
}

// FuzzJSON: whatever a file holds, it is read or refused, and every place is
// in the file.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{flowText("one"), `{"a": [1, 2.5e3, true, null, "é😀\/"]}`, "{", `{"a":1,"a":2}`, `[[[`, `"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, faults := parseJSON("f.json", data)
		lines := strings.Count(string(data), "\n") + 1
		for _, fault := range faults {
			if fault.Position.Line < 1 || fault.Position.Line > lines {
				t.Errorf("line %d of %d: %s", fault.Position.Line, lines, fault.Message)
			}
		}
		if n == nil {
			t.Error("neither read nor refused")
		}
	})
}
