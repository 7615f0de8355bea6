package aws

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// offline is a provider that could reach nothing.
func offline(t *testing.T) *world {
	t.Helper()
	return newWorld(t, testOptions(t, "http://127.0.0.1:1"))
}

func shopBindings() providers.Bindings {
	arn := func(name string) map[string]string {
		return map[string]string{
			"arn": "arn:aws:sqs:" + testRegion + ":" + testAccount + ":preview-" + name,
			"url": "https://sqs." + testRegion + ".amazonaws.com/" + testAccount + "/preview-" + name,
		}
	}
	return providers.Bindings{
		{Kind: "Queue", Name: "orders"}: arn("orders"), {Kind: "Queue", Name: "orders-dlq"}: arn("orders-dlq"),
		{Kind: "Role", Name: "checkout"}: {"arn": "arn:aws:iam::" + testAccount + ":role/preview-checkout"},
	}
}

// TestCanonicalGolden fixes the canonical form of every kind: what drift,
// plans and policies name things by.
func TestCanonicalGolden(t *testing.T) {
	w := offline(t)
	var out strings.Builder
	for _, res := range w.shop("preview") {
		if f, ok := res.Spec.(*manifest.FunctionConfig); ok {
			f.Artifact.Digest = "sha256:" + strings.Repeat("ab", 32)
		}
		spec, err := w.Canonical(res, shopBindings())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "-- %s --\n", res.Ref)
		for _, path := range sortedKeys(spec.Fields) {
			mark := ""
			if slices.Contains(spec.Sensitive, path) {
				mark = " (sensitive)"
			}
			fmt.Fprintf(&out, "%s = %s%s\n", path, spec.Fields[path], mark)
		}
	}
	golden := filepath.Join("testdata", "canonical.golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("canonical forms changed (-update writes them): %s", diff)
	}
}

func TestCanonicalLeavesPlaceholdersForWhatDoesNotLive(t *testing.T) {
	w := offline(t)
	all := w.shop("preview")
	spec, err := w.Canonical(all[3], nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []manifest.Ref{{Kind: "Queue", Name: "orders"}, {Kind: "Role", Name: "checkout"}}
	if diff := cmp.Diff(want, spec.Unbound); diff != "" {
		t.Errorf("unbound: %s", diff)
	}
	if _, err := w.Put(t.Context(), providers.Change{Resource: all[3]}); providers.KindOf(err) != providers.Transient || err == nil {
		t.Errorf("a function that points at nothing was written: %v", err)
	}
}

func TestNoSecretInACanonicalForm(t *testing.T) {
	w := offline(t)
	fn := w.shop("preview")[3]
	spec, err := w.Canonical(fn, shopBindings())
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(spec); strings.Contains(text, "sk_test_1") {
		t.Errorf("the value of STRIPE_KEY stands in %s", text)
	}
	other, err := newWorld(t, func() Options { o := testOptions(t, "http://127.0.0.1:1"); o.Tokens = []byte("other"); return o }()).Canonical(fn, shopBindings())
	if err != nil {
		t.Fatal(err)
	}
	if spec.Fields["environment.STRIPE_KEY"] == other.Fields["environment.STRIPE_KEY"] {
		t.Error("two keys make the same token: it is a plain hash")
	}
}

func TestSnapshotCoversWhatAVersionKeepsAndNothingElse(t *testing.T) {
	w := offline(t)
	snapshot := func(change func(*manifest.FunctionConfig)) string {
		fn := w.shop("preview")[3]
		change(fn.Spec.(*manifest.FunctionConfig))
		spec, err := w.Canonical(fn, shopBindings())
		if err != nil {
			t.Fatal(err)
		}
		return spec.Snapshot
	}
	same := snapshot(func(*manifest.FunctionConfig) {})
	for name, change := range map[string]func(*manifest.FunctionConfig){
		"tags":                 func(f *manifest.FunctionConfig) { f.Tags = map[string]string{"team": "other"} },
		"codeSigningConfigArn": func(f *manifest.FunctionConfig) { f.CodeSigningConfigArn = "arn:x" },
		"sourceKmsKeyArn":      func(f *manifest.FunctionConfig) { f.SourceKmsKeyArn = "arn:x" },
	} {
		if snapshot(change) != same {
			t.Errorf("%s is in the snapshot, and no version keeps it", name)
		}
	}
	for name, change := range map[string]func(*manifest.FunctionConfig){
		"code":        func(f *manifest.FunctionConfig) { f.Artifact.Digest = "sha256:" + strings.Repeat("cd", 32) },
		"description": func(f *manifest.FunctionConfig) { f.Description = "x" },
		"secret":      func(f *manifest.FunctionConfig) { f.Environment["STRIPE_KEY"] = manifest.Value{Literal: "sk_test_2"} },
		"variable":    func(f *manifest.FunctionConfig) { f.Environment["NEW"] = manifest.Value{Literal: ""} },
		"layers":      func(f *manifest.FunctionConfig) { f.Layers = []manifest.Value{{Literal: "a"}, {Literal: "b"}} },
		"logging":     func(f *manifest.FunctionConfig) { f.LoggingConfig = &manifest.LoggingConfig{LogFormat: "JSON"} },
	} {
		if snapshot(change) == same {
			t.Errorf("%s is not in the snapshot, and every version keeps it", name)
		}
	}
}

func TestEveryMemberIsCarriedByMerge(t *testing.T) {
	full := functionConfig{
		code: "c", packageType: "Image", runtime: "r", handler: "h", description: "d", architectures: []string{"arm64"}, memory: 1, timeout: 2,
		role: "role", layers: []string{"l"}, subnets: []string{"s"}, groups: []string{"g"}, ipv6: true, deadLetter: "dl", kmsKey: "k", tracing: "Active",
		fileSystems: []manifest.FileSystem{{Arn: "fs"}}, entryPoint: []string{"e"}, command: []string{"c"}, workingDirectory: "w", ephemeral: 3,
		snapStart: "PublishedVersions", logFormat: "JSON", logGroup: "lg", applicationLevel: "WARN", sysLevel: "WARN",
	}
	var empty functionConfig
	changed := merge(functionMembers, &empty, &full, allowedBy(nil))
	if len(changed) != len(functionMembers) {
		t.Errorf("merge carried %d of %d members", len(changed), len(functionMembers))
	}
	if empty.snapshot(nil) != full.snapshot(nil) {
		t.Error("a member is read but not carried")
	}
	var one functionConfig
	if got := merge(functionMembers, &one, &full, allowedBy([]string{"timeout"})); !slices.Equal(got, []string{"timeout"}) || one.memory != 0 {
		t.Errorf("merge of timeout alone carried %v", got)
	}
}

func TestKeyPaths(t *testing.T) {
	for _, key := range []string{"LOG_LEVEL", "a.b", `quo"ted`, "", "a b", "mooring:pipeline", "aws/x", "[0]"} {
		path := keyPath("environment", key)
		if got, ok := keyOf("environment", path); !ok || got != key {
			t.Errorf("%q became %q, which reads as %q", key, path, got)
		}
	}
	if got := keyPath("environment", "a.b"); got != `environment["a.b"]` {
		t.Errorf("a key with a dot became %s", got)
	}
	if _, ok := keyOf("tags", "tagsAndMore.x"); ok {
		t.Error("tagsAndMore.x was read as a tag")
	}
}

// TestCanonicalJSONIsJSON: the short way for plain values writes what the
// long way does.
func TestCanonicalJSONIsJSON(t *testing.T) {
	for _, v := range []any{"", "plain", `quo"te`, `back\slash`, "new\nline", "ümlaut", "\x7f", "<&>", "\xff", 0, -7, true, false, []string{}, []string{"a"}} {
		var got, want any
		text := canonicalJSON(v)
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%q gives %s: %v", v, text, err)
			continue
		}
		long, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(long, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", v, diff)
		}
	}
}
