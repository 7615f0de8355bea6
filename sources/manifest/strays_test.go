package manifest

import (
	"fmt"
	"slices"
	"testing"
	"testing/fstest"
)

// A name that no function has is told at its place, with the one that was
// meant, for the environments whose rule it is; the release renders all the same.
func TestStrayNamesOfProbes(t *testing.T) {
	pipeline, err := LoadPipeline(fstest.MapFS{PipelineFile: {Data: []byte(`apiVersion: mooring.dev/v1
kind: Pipeline
metadata: {name: shop}
spec:
  environments:
    - name: preview
      provider: {memory: {}}
      rollout: {strategy: canary, analysis: {probe: {functions: [checkout]}}}
    - name: production
      provider: {memory: {}}
      rollout:
        strategy: canary
        analysis:
          probe: {functions: [checkout, chekcout]}
`)}})
	if err != nil {
		t.Fatal(err)
	}
	const function = `apiVersion: mooring.dev/v1
kind: Function
metadata: {name: checkout}
spec:
  artifact: {uri: "file:a.zip", digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}
  runtime: provided.al2023
  handler: bootstrap
  role: {statements: []}
  rollout: {strategy: canary, analysis: {probe: {functions: [fulfil, "${whom}"]}}}
`
	tree := fstest.MapFS{
		"checkout.yaml":                {Data: []byte(function)},
		"environments/preview.yaml":    {Data: []byte("apiVersion: mooring.dev/v1\nkind: Environment\nmetadata: {name: preview}\nspec: {values: {whom: checkout}}\n")},
		"environments/production.yaml": {Data: []byte("apiVersion: mooring.dev/v1\nkind: Environment\nmetadata: {name: production}\nspec: {values: {whom: checkout}}\n")},
	}
	const fulfil = "checkout.yaml:9:62 spec.rollout.analysis.probe.functions[0], one of checkout"
	want := map[string][]string{
		"preview":    {fulfil},
		"production": {"mooring.yaml:14:41 spec.environments[1].rollout.analysis.probe.functions[1], did you mean checkout?", fulfil},
	}
	for environment, lines := range want {
		var loader Loader
		docs, err := loader.Load(tree, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		rel, err := Render(docs, pipeline, environment, "c1")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range pipeline.Strays(rel) {
			got = append(got, fmt.Sprintf("%s %s, %s", f.Position, f.Path, f.Hint))
		}
		if !slices.Equal(got, lines) {
			t.Errorf("%s: %q, want %q", environment, got, lines)
		}
	}
}
