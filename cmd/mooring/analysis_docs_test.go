package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"mooring.dev/sources/manifest"
)

// What docs/analysis.md shows can be said of an environment as it stands, and
// says something.
func TestAnalysisOfTheDocs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "analysis.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) == 0 {
		t.Fatal("docs/analysis.md shows nothing")
	}
	for _, block := range blocks {
		pipeline := "apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: shop}\nspec:\n  environments:\n    - name: production\n      provider: {memory: {}}\n      " +
			strings.ReplaceAll(strings.TrimSpace(string(block[1])), "\n", "\n      ") + "\n"
		p, err := manifest.LoadPipeline(fstest.MapFS{manifest.PipelineFile: {Data: []byte(pipeline)}})
		if err != nil {
			t.Errorf("%v\n%s", err, block[1])
			continue
		}
		r := p.Environments[0].Rollout
		if a := r.Analysis; len(a.Latency) == 0 && a.Probe == nil && len(a.Metrics) < 3 && len(a.Alarms) < 2 && r.Deadman == nil {
			t.Errorf("nothing is said by\n%s", block[1])
		}
	}
}
