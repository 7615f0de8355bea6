package rego

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/open-policy-agent/opa/v1/tester"

	"mooring.dev/policy"
)

// folder makes a tree of texts below policies/.
func folder(files map[string]string) fstest.MapFS {
	tree := fstest.MapFS{}
	for name, text := range files {
		tree["policies/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	return tree
}

func mustLoad(t testing.TB, files map[string]string) *Bundle {
	t.Helper()
	b, err := Load(folder(files), LoadOptions{Revision: "r1"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// loadFaults loads what must be refused.
func loadFaults(t testing.TB, tree fs.FS) []Fault {
	t.Helper()
	b, err := Load(tree, LoadOptions{TestDeadline: 2 * time.Second})
	var refused *LoadError
	if !errors.As(err, &refused) || b != nil {
		t.Fatalf("want a LoadError, got %v, %v", b, err)
	}
	return refused.Faults
}

func TestLoadRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		files       map[string]string
		code        string
		file        string
		line        int
		says, says2 string
	}{
		"a misspelt input field, naming the valid ones": {
			files: map[string]string{"promotion/p.rego": "package policy.promotion.p\n\ndeny contains \"no\" if {\n\tsome u in input.upstream\n\tu.soak_second < 5\n}\n"},
			code:  "rego_type_error", file: "policies/promotion/p.rego", line: 5, says: "content_match", says2: `did you mean "soak_seconds"?`,
		},
		"a misspelt field of the envelope": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\nallow if input.environment.nam == \"x\"\n"},
			code:  "rego_type_error", file: "policies/admission/p.rego", line: 3, says: `did you mean "name"?`,
		},
		"types that never meet": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\nallow if input.environment == \"x\"\n"},
			code:  "rego_type_error", file: "policies/admission/p.rego", line: 3, says: "is never string",
		},
		"another point's field": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\nallow if input.contract.satisfied\n"},
			code:  "rego_type_error", file: "policies/admission/p.rego", line: 3, says: "release",
		},
		"a point's field in the library": {
			files: map[string]string{"lib/p.rego": "package policy.lib.mine\n\nok if input.contract.satisfied\n"},
			code:  "rego_type_error", file: "policies/lib/p.rego", line: 3, says: "release",
		},
		"a misspelt key of data.config": {
			files: map[string]string{
				"admission/p.rego": "package policy.admission.p\n\ndeny contains \"no\" if input.summary.created > data.config.limits.moest\n",
				"data/limits.yaml": "most: 5\n",
			},
			code: "rego_type_error", file: "policies/admission/p.rego", line: 3, says: "most",
		},
		"data that no file gives": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\ndeny contains \"no\" if input.summary.created > data.config.limits.most\n"},
			code:  "reference", file: "policies/admission/p.rego", line: 3, says: "policies/data/limits.yaml",
		},
		"data that no file gives, by an import": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\nimport data.config.limits\n\ndeny contains \"no\" if input.summary.created > limits.most\n"},
			code:  "reference", file: "policies/admission/p.rego", says: "policies/data/limits.yaml",
		},
		"a key of what is no object": {
			files: map[string]string{
				"admission/p.rego": "package policy.admission.p\n\ndeny contains \"no\" if input.summary.created > data.config.limits.most\n",
				"data/limits.yaml": "null\n",
			},
			code: "reference", file: "policies/admission/p.rego", line: 3, says: "limits.most",
		},
		"a key that an empty file does not have": {
			files: map[string]string{
				"admission/p.rego": "package policy.admission.p\n\ndeny contains \"no\" if input.summary.created > data.config.limits.most\n",
				"data/limits.yaml": "{}\n",
			},
			code: "reference", file: "policies/admission/p.rego", line: 3, says: "limits.most",
		},
		"a rule nobody asks for": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\ndenny contains \"no\" if input.truncated\n"},
			code:  "rule_name", file: "policies/admission/p.rego", line: 3, says: `unknown rule "denny"`, says2: `did you mean "deny"?`,
		},
		"a rule of another point": {
			files: map[string]string{"drift/p.rego": "package policy.drift.p\n\ndeny contains \"no\" if input.truncated\n"},
			code:  "rule_name", file: "policies/drift/p.rego", line: 3, says: "action",
		},
		"a deny that is no set": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\ndeny := true if input.truncated\n"},
			code:  "rule_shape", file: "policies/admission/p.rego", line: 3, says: "deny contains",
		},
		"an allow that is a set": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\nallow contains \"x\" if input.truncated\n"},
			code:  "rule_shape", file: "policies/admission/p.rego", line: 3, says: "allow if",
		},
		"an allow that is a function": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\nallow(x) if x\n"},
			code:  "rule_shape", file: "policies/admission/p.rego", line: 3,
		},
		"an allow by default": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\ndefault allow := true\n"},
			code:  "rule_shape", file: "policies/admission/p.rego", line: 3, says: "default",
		},
		"an allow that is text": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\nallow := \"yes\"\n"},
			code:  "rule_shape", file: "policies/admission/p.rego", line: 3,
		},
		"not without its import": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\ndeny contains \"no\" if not input.environment.protected\n"},
			code:  "plain_not", file: "policies/admission/p.rego", line: 3, says: "future.keywords.not",
		},
		"not without its import, inside a comprehension of a helper": {
			files: map[string]string{"lib/p.rego": "package policy.lib.mine\n\nnone := [x | some x in [1]; not x == 1]\n"},
			code:  "plain_not", file: "policies/lib/p.rego", line: 3,
		},
		"http.send": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\nallow if http.send({\"method\": \"get\", \"url\": \"http://localhost\"}).status_code == 200\n"},
			code:  "rego_type_error", file: "policies/admission/p.rego", line: 3, says: "not offered",
		},
		"http.send by the back door": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\nallow if is_object({\"url\": \"http://localhost\"}) with is_object as http.send\n"},
			file:  "policies/admission/p.rego", line: 3,
		},
		"the clock": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\nallow if time.now_ns() > 5\n"},
			code:  "rego_type_error", file: "policies/admission/p.rego", line: 3, says: "time.now_ns",
		},
		"the surroundings": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\nallow if opa.runtime().env.HOME == \"x\"\n"},
			code:  "rego_type_error", file: "policies/admission/p.rego", line: 3, says: "opa.runtime",
		},
		"a shift that cannot be interrupted": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\nallow if bits.lsh(1, 4000000000) > 5\n"},
			code:  "rego_type_error", file: "policies/admission/p.rego", line: 3, says: "bits.lsh",
		},
		"Rego v2": {
			files: map[string]string{"admission/p.rego": "package policy.admission.p\n\nimport rego.v2\n\nallow if input.truncated\n"},
			file:  "policies/admission/p.rego",
		},
		"an unknown point": {
			files: map[string]string{"a/p.rego": "package policy.admision.p\n\nallow if input.truncated\n"},
			code:  "package_name", file: "policies/a/p.rego", line: 1, says: "admission",
		},
		"a package outside policy": {
			files: map[string]string{"a/p.rego": "package system.log\n\nmask contains \"x\"\n"},
			code:  "package_name", file: "policies/a/p.rego", line: 1,
		},
		"a package in the place of the library": {
			files: map[string]string{"lib/p.rego": "package policy.lib.soak\n\nrequire(_, _, _) := set()\n"},
			code:  "package_name", file: "policies/lib/p.rego", line: 1, says: "own library",
		},
		"a looser schema": {
			files: map[string]string{"admission/p.rego": "# METADATA\n# schemas:\n#   - input: {type: object}\npackage policy.admission.p\n\nallow if input.nonsense\n"},
			code:  "schema_override", file: "policies/admission/p.rego",
		},
		"another package's rules": {
			files: map[string]string{
				"admission/a.rego": "package policy.admission.a\n\nallow if input.truncated\n",
				"admission/b.rego": "package policy.admission.b\n\nallow if data.policy.admission.a.allow\n",
			},
			code: "reference", file: "policies/admission/b.rego", line: 3, says: "policy.lib",
		},
		"a library rule that is not there": {
			files: map[string]string{
				"lib/mine.rego":    "package policy.lib.mine\n\nbad if input.truncated\n",
				"admission/b.rego": "package policy.admission.b\n\nimport data.policy.lib.mine\n\ndeny contains \"no\" if mine.bed\n",
			},
			code: "reference", file: "policies/admission/b.rego", line: 5, says: "no such rule",
		},
		"data from nowhere": {
			files: map[string]string{"admission/b.rego": "package policy.admission.b\n\ndeny contains \"no\" if data.limits.most < 5\n"},
			code:  "reference", file: "policies/admission/b.rego", line: 3, says: "data.config",
		},
		"an unused import, being strict": {
			files: map[string]string{"admission/b.rego": "package policy.admission.b\n\nimport data.policy.lib.soak\n\nallow if input.truncated\n"},
			code:  "rego_compile_error", file: "policies/admission/b.rego", line: 3,
		},
		"a syntax error": {
			files: map[string]string{"admission/b.rego": "package policy.admission.b\n\nallow if {\n"},
			code:  "rego_parse_error", file: "policies/admission/b.rego",
		},
		"an empty file": {
			files: map[string]string{"admission/b.rego": ""},
			file:  "policies/admission/b.rego",
		},
		"data that is none": {
			files: map[string]string{"data/x.yaml": "a: [1\n"},
			code:  "data_error", file: "policies/data/x.yaml",
		},
		"data given twice": {
			files: map[string]string{"data/x.yaml": "a: 1\n", "data/x.json": "{}"},
			code:  "data_error", file: "policies/data/x.yaml", says: "data.config.x",
		},
		"an unknown enforcement": {
			files: map[string]string{"admission/b.rego": "# METADATA\n# custom:\n#   enforcement: maybe\npackage policy.admission.b\n\nallow if input.truncated\n"},
			code:  "annotation", file: "policies/admission/b.rego", says: "maybe",
		},
		"a failing test": {
			files: map[string]string{
				"admission/b.rego":      "package policy.admission.b\n\ndeny contains \"no\" if input.truncated\n",
				"admission/b_test.rego": "package policy.admission.b_test\n\nimport data.policy.admission.b\n\ntest_it if {\n\tcount(b.deny) == 1 with input as {\"truncated\": false}\n}\n",
			},
			code: "test_failed", file: "policies/admission/b_test.rego", line: 5, says: "test_it",
		},
		"a failing case of a test": {
			files: map[string]string{
				"admission/b.rego":      "package policy.admission.b\n\ndeny contains \"no\" if input.truncated\n",
				"admission/b_test.rego": "package policy.admission.b_test\n\nimport data.policy.admission.b\n\ntest_it[name] if {\n\tsome name, t in {\"good\": true, \"bad\": false}\n\tcount(b.deny) == 1 with input as {\"truncated\": t}\n}\n",
			},
			code: "test_failed", file: "policies/admission/b_test.rego", line: 5, says: "test_it[bad]",
		},
		"a test that errs": {
			files: map[string]string{
				"lib/b.rego":      "package policy.lib.b\n\nparsed(x) := time.parse_duration_ns(x)\n",
				"lib/b_test.rego": "package policy.lib.b_test\n\nimport data.policy.lib.b\n\ntest_it if b.parsed(\"abc\") == 1\n\ntest_that if b.parsed(\"1s\") > 1\n",
			},
			code: "test_error", file: "policies/lib/b_test.rego", line: 5,
		},
		"a test that would replace the library": {
			files: map[string]string{"b_test.rego": "package policy.lib.soak\n\ntest_it if true\n"},
			code:  "package_name", file: "policies/b_test.rego", line: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			found := loadFaults(t, folder(c.files))
			for _, f := range found {
				if (c.code == "" || f.Code == c.code) && f.File == c.file && (c.line == 0 || f.Line == c.line) && f.Msg != "" &&
					strings.Contains(f.Msg, c.says) && strings.Contains(f.Msg, c.says2) {
					return
				}
			}
			t.Errorf("no such fault among\n%v", (&LoadError{found}).Error())
		})
	}
}

func TestLoadTellsEverythingAtOnce(t *testing.T) {
	found := loadFaults(t, folder(map[string]string{
		"admission/a.rego": "package policy.admission.a\n\ndenny contains \"x\" if input.truncatd\n",
		"drift/b.rego":     "package policy.drift.b\n\naction contains x if {\n\tnot input.truncated\n\tx := {\"item\": input.itemz}\n}\n",
	}))
	var codes []string
	for _, f := range found {
		codes = append(codes, f.Code)
	}
	if got := strings.Join(codes, " "); got != "rego_type_error rule_name plain_not rego_type_error" &&
		got != "rule_name rego_type_error plain_not rego_type_error" {
		t.Errorf("codes %q\n%v", got, (&LoadError{found}).Error())
	}
}

// A policy that asks the library who did it waits for the answer as well.
func TestReadsActor(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want bool
	}{
		"itself":          {"action contains {\"item\": i.id, \"do\": \"hold\"} if {\n\tsome i in input.items\n\ti.actor.name == \"x\"\n}\n", true},
		"by the library":  {"import data.policy.lib.drift\n\naction contains a if some a in drift.revert_except(input.items, [\"x\"], \"y\")\n", true},
		"not by anything": {"import data.policy.lib.drift\n\naction contains a if some a in drift.tired(input.items, 3)\n", false},
	} {
		if b := mustLoad(t, map[string]string{"drift/p.rego": "package policy.drift.p\n\n" + c.body}); b.ReadsActor() != c.want {
			t.Errorf("%s: reads the actor: %v", name, b.ReadsActor())
		}
	}
}

func TestLoadLimits(t *testing.T) {
	big := folder(map[string]string{"data/big.json": `"` + strings.Repeat("x", maxFile) + `"`})
	many := fstest.MapFS{}
	for i := range maxFiles + 1 {
		many["policies/lib/f"+strings.Repeat("x", i%50)+string(rune('a'+i/50))+".rego"] = &fstest.MapFile{Data: []byte("package policy.lib.x\n")}
	}
	link := folder(map[string]string{"lib/x.rego": "package policy.lib.x\n"})
	link["policies/lib/x.rego"].Mode = fs.ModeSymlink
	for name, tree := range map[string]fs.FS{"a big file": big, "many files": many, "a link": link} {
		if found := loadFaults(t, tree); found[0].Code != "read_error" {
			t.Errorf("%s: %v", name, found)
		}
	}
	// A link is not followed, wherever it leads.
	link["policies/lib/x.rego"].Data = []byte("../../elsewhere.rego")
	link["elsewhere.rego"] = &fstest.MapFile{Data: []byte("package policy.lib.x\n")}
	if found := loadFaults(t, link); found[0].Msg != "not a regular file" {
		t.Errorf("a link: %v", found)
	}
}

// Tests that were not run are no tests that passed.
func TestSuiteCutShort(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	none := make(chan *tester.Result)
	close(none)
	if err := collect(ctx, none, time.Second, func(r *tester.Result) { t.Errorf("a result: %v", r) }); err == nil {
		t.Error("no test ran, and nothing was said")
	}
}

// A test that never ends is left behind.
func TestSuiteStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan *tester.Result)
		began := time.Now()
		if err := collect(t.Context(), stuck, time.Minute, nil); err == nil || time.Since(began) != time.Minute+time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		close(stuck)
	})
}

func TestLoadSuiteDeadline(t *testing.T) {
	endless := folder(map[string]string{
		"lib/b.rego":      "package policy.lib.b\n\nsum(n) := count([1 | some i in numbers.range(1, n); some j in numbers.range(1, n); i == j])\n",
		"lib/b_test.rego": "package policy.lib.b_test\n\nimport data.policy.lib.b\n\ntest_it if b.sum(1000000) == 1\n",
	})
	_, err := Load(endless, LoadOptions{TestDeadline: 50 * time.Millisecond})
	var refused *LoadError
	if !errors.As(err, &refused) || refused.Faults[0].Code != "test_error" {
		t.Errorf("test deadline: %v", err)
	}
	_, err = Load(endless, LoadOptions{SuiteDeadline: 50 * time.Millisecond})
	if !errors.As(err, &refused) || refused.Faults[0].Code != "test_error" {
		t.Errorf("suite deadline: %v", err)
	}
}

// Hidden files, notes and folders that do not exist are nothing; files of one
// package are one package; data is found by its place.
func TestLoadTakes(t *testing.T) {
	if b, err := Load(fstest.MapFS{}, LoadOptions{}); err != nil || len(b.Packages(policy.Admission)) != 0 {
		t.Errorf("no folder: %v", err)
	}
	b := mustLoad(t, map[string]string{
		"README.md":             "not ours",
		".hidden/x.rego":        "nonsense",
		"notes.yaml":            "a: [1",
		"admission/a.rego":      "package policy.admission.a\n\nimport future.keywords.not\n\nallow if {\n\tapplies\n\tnot _big\n}\n\napplies if helper(1)\n\nhelper(x) if x == 1\n",
		"admission/a2.rego":     "package policy.admission.a\n\n_big if input.summary.created > data.config.teams.shop.most\n\n_unused := 1\n",
		"admission/a_test.rego": "package policy.admission.a_test\n\nimport data.policy.admission.a\n\ntest_small if a.allow with input.summary.created as 1\n\ntest_config if data.config.list[0].x == 1\n",
		"data/teams/shop.yml":   "most: 5\n",
		"data/list.json":        `[{"x": 1}, {"x": 2}]`,
		"drift/z.rego":          "package policy.drift.z\n\naction contains {\"item\": i.id, \"do\": \"alert\"} if some i in input.items\n",
	})
	if got := b.Packages(policy.Admission); len(got) != 1 || got[0] != "policy.admission.a" || b.Tests != 2 {
		t.Errorf("packages %v, tests %d", got, b.Tests)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("package policy.admission.a\n\nallow if input.truncated\n", "a: 1")
	f.Add("package policy.lib.a\n\nf(x) := x if { not x }\n", "a: &a [*a]")
	f.Add("# METADATA\n# custom: {enforcement: 1}\npackage policy.drift.a\n\naction contains x if x := input.items[_]", "{")
	f.Add("package policy[\"admission\"].a.b\n\ndeny[x] := 1", "")
	f.Fuzz(func(t *testing.T, text, data string) {
		tree := folder(map[string]string{"a.rego": text, "data/d.yaml": data})
		b, err := Load(tree, LoadOptions{TestDeadline: 100 * time.Millisecond, SuiteDeadline: time.Second})
		var refused *LoadError
		if err == nil == (b == nil) || err != nil && !errors.As(err, &refused) {
			t.Fatalf("%v, %v", b, err)
		}
	})
}
