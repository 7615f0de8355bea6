package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"testing/fstest"

	"mooring.dev/sources/manifest"
)

// The receivers that docs/alerts.md shows can be declared and opened as they
// stand.
func TestReceiversOfTheDocs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "alerts.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("docs/alerts.md shows no receivers")
	}
	p, err := manifest.LoadPipeline(fstest.MapFS{manifest.PipelineFile: {Data: block[1]}})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Receivers) < 8 {
		t.Errorf("%d receivers are shown", len(p.Receivers))
	}
	f := &platforms{place: &place{}}
	for name, r := range p.Receivers {
		if n, err := f.openNotifier(name, r); err != nil || n == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.openNotifier("own", manifest.Receiver{Webhook: &manifest.Webhook{Template: "{{.Titel}}"}}); err == nil {
		t.Error("a template with a misspelt field opens")
	}
}
