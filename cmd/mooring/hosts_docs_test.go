package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"testing/fstest"

	"mooring.dev/sources/manifest"
)

// What docs/hosts.md declares can be declared.
func TestHostsOfTheDocs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "hosts.md"))
	check(t, err)
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) < 2 {
		t.Fatalf("docs/hosts.md shows %d pipelines", len(blocks))
	}
	for _, b := range blocks {
		if p, err := manifest.LoadPipeline(fstest.MapFS{manifest.PipelineFile: {Data: b[1]}}); err != nil || p.Host == nil {
			t.Errorf("%v in\n%s", err, b[1])
		} else if h, err := openHost(*p.Host, &secrets{}, nil); (err != nil || h == nil) != (p.Host.Repository() == nil) {
			t.Errorf("%v of\n%s", err, b[1])
		}
	}
}
