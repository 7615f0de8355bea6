package manifest

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const latencyFunction = `apiVersion: mooring.dev/v1
kind: Function
metadata: {name: f}
spec:
  artifact: {uri: "file:f.zip", digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}
  runtime: provided.al2023
  handler: bootstrap
  role: {arn: "arn:aws:iam::111111111111:role/f"}
  rollout:
    strategy: canary
    analysis:
      latency: `

// One rule, or a list of them: each percentile once, and in normal form rising. One
// alone has the normal form, and so the digests, that it had before there were lists.
func TestLatencyRules(t *testing.T) {
	rendered := func(t *testing.T, written string) (LatencyRules, *Release) {
		t.Helper()
		rel, err := loadAndRender(new(Loader), fstest.MapFS{"f.yaml": {Data: []byte(latencyFunction + written + "\n")}, "environments/preview.yaml": overlayFile("")})
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		return rel.Functions[Ref{KindFunction, "f"}].Rollout.Analysis.Latency, rel
	}
	schema := compiledSchemas(t)[KindFunction]
	for written, want := range map[string]LatencyRules{
		"{percentile: 99}":   {{99, 0.25}},
		"{}":                 {{90, 0.25}},
		"[{percentile: 99}]": {{99, 0.25}},
		"[{percentile: 99, tolerance: 1}, {percentile: 50}]": {{50, 0.25}, {99, 1}},
		"[{}, {percentile: 99.9}]":                           {{90, 0.25}, {99.9, 0.25}},
	} {
		got, _ := rendered(t, written)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", written, diff)
		}
		if err := schema.Validate(documentsOf(t, []byte(latencyFunction+written+"\n"))[0]); err != nil {
			t.Errorf("%s: the schema refuses it: %v", written, err)
		}
	}
	_, one := rendered(t, "{percentile: 99}")
	if _, listed := rendered(t, "[{percentile: 99}]"); one.Digest != listed.Digest || one.Content != listed.Content {
		t.Error("a list of one is another release than the one")
	}
	if _, two := rendered(t, "[{percentile: 99}, {percentile: 90}]"); one.Digest == two.Digest || one.Content == two.Content {
		t.Error("another percentile is the same release")
	}
	refusedRules(t, schema)
}

// refusedRules: two rules on one percentile are refused where the second stands, as
// is all that is no rule.
func refusedRules(t *testing.T, schema *jsonschema.Schema) {
	t.Helper()
	for written, want := range map[string]string{
		"[{percentile: 99}, {percentile: 99, tolerance: 1}]": "f.yaml:12:35: spec.rollout.analysis.latency[1]: percentile 99 stands twice",
		"[{}, {percentile: 90}]":                             "f.yaml:12:21: spec.rollout.analysis.latency[1]: percentile 90 stands twice",
		"[{percentile: 99}, {percentile: 100}]":              "f.yaml:12:48",
		"[]":                                                 "f.yaml:12:16: spec.rollout.analysis.latency: has 0 items",
		"[{percentile: 50}, {percentile: 60}, {percentile: 70}, {percentile: 80}, {}]": "from 1 to 4",
		"99":           "f.yaml:12:16",
		"[99]":         "f.yaml:12:17",
		"{p99: 0.5}":   "unknown field",
		"[{p99: 0.5}]": "unknown field",
	} {
		_, err := loadAndRender(new(Loader), fstest.MapFS{"f.yaml": {Data: []byte(latencyFunction + written + "\n")}, "environments/preview.yaml": overlayFile("")})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", written, err, want)
		}
		if strings.Contains(want, "twice") {
			continue // a schema cannot tell
		}
		if err := schema.Validate(documentsOf(t, []byte(latencyFunction+written+"\n"))[0]); err == nil {
			t.Errorf("%s: the schema accepts it", written)
		}
	}
}

func overlayFile(spec string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte("apiVersion: mooring.dev/v1\nkind: Environment\nmetadata: {name: preview}\nspec: {" + spec + "}\n")}
}

// What an older daemon wrote is read, and one rule is written as it was.
func TestLatencyRulesInJSON(t *testing.T) {
	for text, want := range map[string]LatencyRules{
		`{"latency":{"percentile":90,"tolerance":0.25}}`:                                     {{90, 0.25}},
		`{"latency":[{"percentile":90,"tolerance":0.25},{"percentile":99,"tolerance":0.5}]}`: {{90, 0.25}, {99, 0.5}},
		`{}`: nil,
	} {
		var got struct {
			Latency LatencyRules `json:"latency,omitempty"`
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil || cmp.Diff(want, got.Latency) != "" {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if again, err := json.Marshal(got); err != nil || string(again) != text {
			t.Errorf("%s is written again as %s, %v", text, again, err)
		}
		if plain := string(appendCanonical(nil, got)); plain != text {
			t.Errorf("%s has the normal form %s", text, plain)
		}
	}
}

// Both are satisfied, whichever is named first, and neither is written to.
func TestMergeLatency(t *testing.T) {
	a, b := LatencyRules{{90, 0.5}, {99, 2}}, LatencyRules{{50, 0.1}, {90, 0.25}, {99.9, 3}}
	want := LatencyRules{{50, 0.1}, {90, 0.25}, {99, 2}, {99.9, 3}}
	for _, got := range []LatencyRules{MergeLatency(a, b), MergeLatency(b, a)} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if got := MergeLatency(a, b[1:2]); got[0].Tolerance != 0.25 || len(got) != 2 {
		t.Errorf("the tighter one: %+v", got)
	}
	if a[0].Tolerance != 0.5 || len(a) != 2 || b[1].Tolerance != 0.25 || MergeLatency(nil, nil) != nil {
		t.Errorf("%+v, %+v", a, b)
	}
}
