package rego

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mooring.dev/policy"
)

var update = flag.Bool("update", false, "rewrite golden files")

// golden holds text against a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		write(t, path, got)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test ./policy/rego -run %s -update rewrites it):\n%s", path, t.Name(), got)
	}
}

// The schemas are published under the inputs' version: within it fields are
// only ever added.
func TestSchemasGolden(t *testing.T) {
	dir := strings.ReplaceAll(policy.API, "/", "-")
	for p, text := range Schemas() {
		path := filepath.Join("testdata", dir, string(p)+".json")
		if old, err := os.ReadFile(path); err == nil {
			var before, after map[string]any
			if err := json.Unmarshal(old, &before); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &after); err != nil {
				t.Fatal(err)
			}
			kept(t, string(p), before, after)
		}
		golden(t, filepath.Join(dir, string(p)+".json"), append(text, '\n'))
	}
}

// kept insists that what a schema had is there still, and means the same. It
// looks before the golden file is rewritten.
func kept(t *testing.T, at string, before, after map[string]any) {
	t.Helper()
	if before["type"] != after["type"] {
		t.Errorf("%s was %v and is %v: that takes another version of %s", at, before["type"], after["type"], policy.API)
	}
	for _, part := range []string{"items", "additionalProperties"} {
		if was, ok := before[part].(map[string]any); ok {
			is, _ := after[part].(map[string]any)
			kept(t, at+"[]", was, is)
		}
	}
	was, _ := before["properties"].(map[string]any)
	is, _ := after["properties"].(map[string]any)
	for name, old := range was {
		now, there := is[name].(map[string]any)
		if !there {
			t.Errorf("%s.%s is gone: that takes another version of %s", at, name, policy.API)
			continue
		}
		kept(t, at+"."+name, old.(map[string]any), now)
	}
}

// toldOfEverything is a package that says something of everything a record keeps.
const toldOfEverything = `# METADATA
# labels: {control: CM-3}
package policy.promotion.everything

import future.keywords.not

allow if input.contract.satisfied

deny contains {"code": "late", "msg": "too late", "resource": "Function/checkout", "path": "code", "details": {"at": 3}, "remediation": "earlier"} if {
	print("it is", input.request.time_ns)
	input.request.time_ns > 1
}

# METADATA
# labels: {control: CM-4}
require contains {"kind": "soak", "code": "soak", "msg": "an hour", "need": 3600, "have": u.soak_seconds, "until_ns": input.request.time_ns + 3600000000000} if {
	some u in input.upstream
	u.soak_seconds < 3600
}

warn contains "mind the gap" if not input.environment.suspended

flag contains "iam" if input.summary.updated > 0
`

const toldBroken = `package policy.promotion.broken

deny contains "x" if to_number(input.environment.region) == 1
`

// One decision record, whole: OPA's field names, then ours. Times are left
// out, and the input, which is held against its schema.
func TestRecordGolden(t *testing.T) {
	b := mustLoad(t, map[string]string{"promotion/everything.rego": toldOfEverything, "promotion/broken.rego": toldBroken})
	d := decide(t, New(b, EvaluatorOptions{}), policy.Promotion, sample(policy.Promotion))
	var r map[string]any
	if err := json.Unmarshal(timeless(t, d.Record), &r); err != nil {
		t.Fatal(err)
	}
	if r["input"] == nil {
		t.Error("no input")
	}
	r["input"] = "…"
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		t.Fatal(err)
	}
	golden(t, "record.json", out.Bytes())
}

// What is printed is kept up to a bound, and told with its place.
func TestPrintsAreBounded(t *testing.T) {
	const body = "deny contains \"x\" if {\n\tsome i in numbers.range(1, 1000)\n\tprint(i, \"of\", \"many\")\n\ti == 1000\n}\n"
	const long = "warn contains \"x\" if {\n\tsome s in [concat(\"\", [c | some i in numbers.range(1, 9000); c := \"é\"])]\n\tprint(s)\n}\n"
	for name, body := range map[string]string{"many": body, "long": long} {
		d := decide(t, New(mustLoad(t, packs(policy.Admission, body)), EvaluatorOptions{}), policy.Admission, sample(policy.Admission))
		var r struct {
			Packages []struct{ Print []string }
		}
		if err := json.Unmarshal(d.Record, &r); err != nil {
			t.Fatal(err)
		}
		said := r.Packages[0].Print
		if len(said) == 0 || len(said) > maxPrints+1 || len(strings.Join(said, "")) > maxPrintBytes+100 {
			t.Errorf("%s: %d lines, %d bytes", name, len(said), len(strings.Join(said, "")))
		}
		if !strings.HasPrefix(said[0], "policies/admission/") || !strings.HasSuffix(said[len(said)-1], "…") && said[len(said)-1] != "… and more" {
			t.Errorf("%s: %q … %q", name, said[0][:40], said[len(said)-1])
		}
	}
}
