package manifest

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestKnownStrategies(t *testing.T) {
	m := func(n int) Duration { return Duration(time.Duration(n) * time.Minute) }
	for name, want := range map[string]struct {
		strategy string
		stages   []Stage
	}{
		"allAtOnce":               {AllAtOnce, []Stage{{100, 0}}},
		"blueGreen":               {BlueGreen, []Stage{{100, 0}}},
		"canary":                  {Canary, []Stage{{10, m(5)}, {100, 0}}},
		"AllAtOnce":               {AllAtOnce, []Stage{{100, 0}}},
		"LambdaAllAtOnce":         {AllAtOnce, []Stage{{100, 0}}},
		"Canary10Percent5Minutes": {Canary, []Stage{{10, m(5)}, {100, 0}}},
		"CodeDeployDefault.LambdaCanary10Percent30Minutes": {Canary, []Stage{{10, m(30)}, {100, 0}}},
		"Linear50PercentEvery2Minutes":                     {Linear, []Stage{{50, m(2)}, {100, 0}}},
		"LambdaLinear40PercentEvery1Minute":                {Linear, []Stage{{40, m(1)}, {80, m(1)}, {100, 0}}},
	} {
		strategy, stages, ok := knownStrategy(name)
		if !ok || strategy != want.strategy || !slices.Equal(stages, want.stages) {
			t.Errorf("%s: %v %v %v", name, strategy, stages, ok)
		}
	}
	for _, name := range []string{"Canary0Percent5Minutes", "Linear0PercentEvery1Minute", "canary ", "Canary100Percent5Minutes", "x"} {
		if _, _, ok := knownStrategy(name); ok {
			t.Errorf("%q was accepted", name)
		}
	}
	if _, stages, _ := knownStrategy("Linear10PercentEvery1Minute"); len(stages) != 10 || stages[9] != (Stage{Weight: 100}) {
		t.Errorf("linear: %v", stages)
	}
}

func TestWhereCodeMayLie(t *testing.T) {
	digest := strings.Repeat("a", 64)
	for uri, want := range map[string]bool{
		"file:a/b.zip": true, "file:../b.zip": false, "file:/b.zip": false, "file:": false,
		"s3://shop-artifacts/a.zip": true, "s3://shop-artifacts": false, "s3://b/a.zip": false,
		"oci://registry.example/shop/checkout": true, "oci://registry.example:5000/checkout:1.2": true, "oci://localhost:5000/a_b/c-d.e": true,
		"oci://registry.example/checkout@sha256:" + digest: true, "oci://registry.example/checkout:v1@sha256:" + digest: true,
		"oci://registry.example": false, "oci://registry.example/": false, "oci:///checkout": false, "oci://registry.example/Checkout": false,
		"oci://ann:pw@registry.example/checkout": false, "oci://registry.example/../checkout": false, "oci://registry.example/checkout?x=y": false,
		"oci://registry.example/checkout@sha256:12": false, "oci:registry.example/checkout": false,
		"https://registry.example/a.zip": false, "a.zip": false,
	} {
		tree := fstest.MapFS{"f.yaml": {Data: []byte("apiVersion: mooring.dev/v1\nkind: Function\nmetadata: {name: checkout}\nspec:\n  artifact: {uri: \"" + uri +
			"\", digest: \"sha256:" + digest + "\"}\n  runtime: provided.al2023\n  handler: h\n  role: {statements: []}\n")}}
		rel, err := loadAndRender(new(Loader), tree)
		if (err == nil) != want || want && rel.Functions[Ref{KindFunction, "checkout"}].Alias == (Ref{}) {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

func TestRolloutMerging(t *testing.T) {
	below := defaultRollout()
	below.Analysis.Tolerance = 0.5
	zero := 0.0
	got := (&rolloutDoc{Analysis: &analysisDoc{FalseRollback: &zero, OnUndecided: "proceed"}}).over(below)
	if got.Strategy != AllAtOnce || got.Analysis.FalseRollback != 0 || got.Analysis.Tolerance != 0.5 || got.Analysis.OnUndecided != "proceed" {
		t.Errorf("%+v", got)
	}
	var none *rolloutDoc
	if diff := cmp.Diff(below, none.over(below)); diff != "" {
		t.Error(diff)
	}
}

func TestSensitiveName(t *testing.T) {
	for name, want := range map[string]bool{
		"STRIPE_KEY": true, "API_TOKEN": true, "DB_PASSWORD": true, "SMTP_PASSWD": true, "CLIENT_SECRET": true, "AWS_CREDENTIALS": true,
		"PRIVATE_PEM": true, "SENTRY_DSN": true, "apiKey": true, "dbPassword": true, "AUTHTOKEN": true, "KEY": true, "DATABASE_URL": true,
		"MONGO_URI": true, "CONNECTION_STRING": true, "ACCESS_KEY_ID": true, "HMAC_SALT": true, "JWT.SECRET": true, "TOKEN_2": true,
		"KEYBOARD": false, "MONKEY": false, "LOG_LEVEL": false, "TOKENIZER": false, "ORDERS_URL": false, "SECRET_NAME": false,
		"TOKEN_TTL": false, "COMPASS": false, "AUTHOR": false, "KEYSPACE": false, "PASSENGERS": false, "": false,
	} {
		if got := SensitiveName(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestParseContract(t *testing.T) {
	got, err := ParseContract([]byte("apiVersion: mooring.dev/v1\nkind: Contract\nspec: {environment: [B, A, B], queues: [orders], secrets: [\"${x}\"]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Expects{Environment: []string{"A", "B"}, Queues: []string{"orders"}, Secrets: []string{"${x}"}}, got); diff != "" {
		t.Error(diff)
	}
	for name, text := range map[string]string{
		"empty": "", "other kind": "apiVersion: mooring.dev/v1\nkind: Queue\nspec: {}", "unknown field": "apiVersion: mooring.dev/v1\nkind: Contract\nspec: {queue: [a]}",
		"two": strings.Repeat("---\napiVersion: mooring.dev/v1\nkind: Contract\n", 2), "type": "apiVersion: mooring.dev/v1\nkind: Contract\nspec: {queues: a}",
		"top": "apiVersion: mooring.dev/v1\nkind: Contract\nexpects: {}", "NUL": "\x00",
	} {
		if _, err := ParseContract([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestCheckContractOfEveryKind: each list of a contract is held against the
// release, and what is declared satisfies it.
func TestCheckContractOfEveryKind(t *testing.T) {
	fn := Ref{KindFunction, "checkout"}
	expects := Expects{
		Queues: []string{"q"}, Secrets: []string{"s"}, Parameters: []string{"/p"}, Topics: []string{"Topic/t"}, Tables: []string{"orders"},
		Buckets: []string{"b"}, Workflows: []string{"w"}, Permissions: []string{"partner"},
	}
	empty := &Release{Functions: map[Ref]Delivery{fn: {Expects: expects}}}
	whole := &Release{Functions: empty.Functions}
	for _, want := range expects.Resources(fn) {
		whole.Resources = append(whole.Resources, Resource{Ref: want.Ref})
	}
	if got := CheckContract(empty); len(got) != 8 {
		t.Errorf("%d of 8 broken: %v", len(got), got)
	}
	if got := CheckContract(whole); len(got) != 0 {
		t.Errorf("broken although all is declared: %v", got)
	}
	if got := reflect.TypeFor[Expects]().NumField() - 1; got != len(expects.Resources(fn)) {
		t.Errorf("a contract has %d lists of resources, %d are checked", got, len(expects.Resources(fn)))
	}
	if diff := cmp.Diff(expects.normal(), MergeExpects(expects, Expects{})); diff != "" {
		t.Errorf("merging loses a list: %s", diff)
	}
}

func TestMergeExpects(t *testing.T) {
	got := MergeExpects(Expects{Queues: []string{"b"}}, Expects{Queues: []string{"a", "b"}, Parameters: []string{"/p"}})
	if diff := cmp.Diff(Expects{Queues: []string{"a", "b"}, Parameters: []string{"/p"}}, got); diff != "" {
		t.Error(diff)
	}
}

// The examples of RFC 7386, appendix A, as far as they are about mappings.
func TestMergePatch(t *testing.T) {
	for _, test := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		target, patch := nodeOf(t, test[0]), nodeOf(t, test[1])
		if got := string(appendNode(nil, mergePatch(target, patch))); got != test[2] {
			t.Errorf("%s with %s: got %s, want %s", test[0], test[1], got, test[2])
		}
		if got := string(appendNode(nil, target)); got != test[0] {
			t.Errorf("the target was written to: %s", got)
		}
	}
}

func nodeOf(t *testing.T, text string) *node {
	raws, faults := parseFile("x.yaml", []byte(`{"apiVersion": "mooring.dev/v1", "kind": "X", "x": `+text+`}`))
	if len(faults) > 0 || len(raws) != 1 {
		t.Fatal(faults)
	}
	return raws[0].root.entries[2].value
}

// The normal form is JSON, the same as encoding/json's but for the order of
// keys: nothing is lost in it.
func TestNormalIsJSON(t *testing.T) {
	release := exampleRelease(t)
	for _, res := range release.Resources {
		var normal struct {
			Ref  Ref
			Spec any
		}
		if err := json.Unmarshal(Normal(res), &normal); err != nil {
			t.Fatalf("%s: %v", res.Ref, err)
		}
		text, err := json.Marshal(res.Spec)
		if err != nil {
			t.Fatal(err)
		}
		var want any
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, normal.Spec); diff != "" || normal.Ref != res.Ref {
			t.Errorf("%s (-json +normal)\n%s", res.Ref, diff)
		}
		back := reflect.New(reflect.TypeOf(res.Spec).Elem()).Interface()
		if err := json.Unmarshal(text, back); err != nil {
			t.Fatalf("%s: read back: %v", res.Ref, err)
		}
		again := res
		again.Spec = back
		if string(Normal(again)) != string(Normal(res)) {
			t.Errorf("%s changes when written and read:\n%s\n%s", res.Ref, Normal(res), Normal(again))
		}
	}
}

func exampleRelease(t *testing.T) *Release {
	docs, err := new(Loader).Load(fstest.MapFS{"a.yaml": {Data: []byte(functionKind().example)}}, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return mustRender(t, docs, testPipeline("preview"), "preview")
}

func TestReleaseJSON(t *testing.T) {
	release := exampleRelease(t)
	text, err := json.Marshal(release)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Environment, Commit, Content, Overlay, Release string
		Resources                                      []struct {
			APIVersion, Kind string
			Metadata         struct{ Name, PhysicalName, Digest, Parent string }
			Spec             map[string]any
		}
		Functions map[string]struct {
			Alias   Ref
			Rollout Rollout
			Expects Expects
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Release != release.Digest || got.Content != release.Content || len(got.Resources) != len(release.Resources) {
		t.Errorf("%s", text)
	}
	for i, res := range release.Resources {
		if g := got.Resources[i]; g.Kind != res.Ref.Kind || g.Metadata.Name != res.Ref.Name || g.Metadata.Digest != res.Digest || g.Metadata.PhysicalName != res.Physical {
			t.Errorf("%v: %+v", res.Ref, g)
		}
	}
	fn := Ref{KindFunction, "checkout"}
	if diff := cmp.Diff(release.Functions[fn].Rollout, got.Functions["Function/checkout"].Rollout); diff != "" {
		t.Error(diff)
	}
}

func TestValueRoundTrip(t *testing.T) {
	for _, v := range []Value{
		{}, {Literal: `a"b`}, {Ref: Ref{KindQueue, "a"}}, {Ref: Ref{KindQueue, "a"}, Attribute: "url"}, {Secret: "shop/stripe"}, {Parameter: "/a"},
	} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var back Value
		if err := json.Unmarshal(text, &back); err != nil || back != v {
			t.Errorf("%s: %+v, %v", text, back, err)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]string{"5m": "5m", "90s": "1m30s", "1h": "1h", "1h30m": "1h30m", "0s": "0s", "1500ms": "1.5s", "3600s": "1h", "20m0s": "20m"} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.String() != want {
			t.Errorf("%s: %s, %v", text, d, err)
		}
	}
}

func TestCutNamesStayApart(t *testing.T) {
	a, b := cut(strings.Repeat("a", 64)+"x", 64), cut(strings.Repeat("a", 64)+"y", 64)
	if len(a) != 64 || a == b || cut("short", 64) != "short" {
		t.Errorf("%s %s", a, b)
	}
}

// A function without SQS, network or destinations gets logging rights and no
// more; documents keep what is not ours.
func TestManagedRoleHasNoMoreThanNeeded(t *testing.T) {
	f := &functionSpec{Role: executionRole{Managed: &RoleSpec{}}}
	got := managedRole(f)
	if len(got.Statements) != 1 || got.Statements[0]["Sid"] != "MooringLogs" {
		t.Errorf("%v", got.Statements)
	}
	if f.Role.Managed.AssumeRolePolicy != nil || len(f.Role.Managed.Statements) != 0 {
		t.Error("the written spec was written to")
	}
}
