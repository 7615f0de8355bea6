package manifest

import (
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// Whose stages a function moves by: what the environment forces, then what its
// overlay says, then the function, then the environment. What one of them leaves out
// is the next one's word.
func TestWhoseStages(t *testing.T) {
	const (
		environment = "strategy: linear, stages: [{weight: 30, hold: 3m}], analysis: {tolerance: 0.3, minSamples: 30}"
		function    = "strategy: canary, stages: [{weight: 20, hold: 2m}], analysis: {tolerance: 0.2}"
		overlay     = "rollout: {stages: [{weight: 10, hold: 1m}]}"
	)
	for name, tc := range map[string]struct {
		environment, function, patch string
		alone                        bool // no alias
		want                         string
		tolerance                    float64
		samples                      int
	}{
		"nobody":                                {want: "100", tolerance: 0.02, samples: 50},
		"the environment":                       {environment: environment, want: "30 100", tolerance: 0.3, samples: 30},
		"the function":                          {function: function, want: "20 100", tolerance: 0.2, samples: 50},
		"the function over the environment":     {environment: environment, function: function, want: "20 100", tolerance: 0.2, samples: 30},
		"the function says how it is judged":    {environment: environment, function: "analysis: {tolerance: 0.2}", want: "30 100", tolerance: 0.2, samples: 30},
		"the function goes at once":             {environment: environment, function: "strategy: allAtOnce", want: "100", tolerance: 0.3, samples: 30},
		"the overlay":                           {environment: environment, patch: overlay, want: "10 100", tolerance: 0.3, samples: 30},
		"the overlay over the function":         {environment: environment, function: function, patch: overlay, want: "10 100", tolerance: 0.2, samples: 30},
		"the overlay says it is not judged so":  {environment: environment, function: function, patch: "rollout: {analysis: null}", want: "20 100", tolerance: 0.3, samples: 30},
		"the overlay takes the function's away": {environment: environment, function: function, patch: "rollout: null", want: "30 100", tolerance: 0.3, samples: 30},
		"the environment, which forces":         {environment: "force: true, " + environment, function: function, patch: overlay, want: "30 100", tolerance: 0.3, samples: 30},
		"no alias, no traffic to move":          {environment: environment, alone: true, want: "100", tolerance: 0.3, samples: 30},
	} {
		p, err := deadmanPipeline(tc.environment)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text := strings.Split(latencyFunction, "  rollout:")[0]
		if tc.function != "" {
			text += "  rollout: {" + tc.function + "}\n"
		}
		if tc.alone {
			text += "  alias: none\n"
		}
		tree := fstest.MapFS{"f.yaml": {Data: []byte(text)}}
		if tc.patch != "" {
			tree["environments/prod.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: mooring.dev/v1\nkind: Environment\nmetadata: {name: prod}\nspec: {patches: [{target: {kind: Function, name: f}, patch: {spec: {" + tc.patch + "}}}]}\n")}
		}
		docs, err := new(Loader).Load(tree, LoadOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := mustRender(t, docs, p, "prod").Functions[Ref{KindFunction, "f"}].Rollout
		var weights []string
		for _, s := range got.Stages {
			weights = append(weights, strconv.Itoa(s.Weight))
		}
		if diff := cmp.Diff(tc.want, strings.Join(weights, " ")); diff != "" || got.Analysis.Tolerance != tc.tolerance || got.Analysis.MinSamples != tc.samples || got.Force {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
