package reconciler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/policy/rego"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// plainWords verifies statements that are written "NAME RESULT", each about all
// of the shop's code; those that begin with "forged" are signed by nobody.
type plainWords struct{}

func (plainWords) Read(_ context.Context, source string, data []byte) []sources.Statement {
	name, result, _ := strings.Cut(string(data), " ")
	if name == "forged" {
		return []sources.Statement{{Digest: "sha256:forged", Source: source, Why: "signed by none of the known keys"}}
	}
	return []sources.Statement{{Digest: "sha256:" + result, Source: source, Verified: true, Signer: "ci", Kind: sources.TestResult, Name: name,
		PredicateType: "https://in-toto.io/attestation/test-result/v0.1", Passed: result == "passed", Result: result, Subjects: []string{code(1), code(2)}}}
}

// besideCode is a simulation whose code has something beside it in S3: what
// there returns.
func besideCode(t *testing.T, policies map[string]string, there func() (string, error)) *simulation {
	t.Helper()
	s := newSimulation(1, memory.Options{}, mutant{}, "staging", "production")
	files := controlFiles("allow", s.names...)
	delete(files, "policies/mode")
	files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "spec:\n", "spec:\n  evidence: {keys: [{name: ci, publicKey: any}]}\n", 1)
	maps.Copy(files, policies)
	s.repo.commit("main", files)
	s.repo.commit("env/staging", inBucket())
	o := s.options()
	o.Policies = func(tree fs.FS, revision string) (policy.Evaluator, error) {
		e, err := regoPolicies(tree, revision)
		if err != nil {
			return nil, err
		}
		return overheard{e.(*rego.Evaluator), s}, nil
	}
	o.Closed = closedRego
	o.Evidence = func(fs.FS, manifest.Evidence) (sources.Verifier, error) { return plainWords{}, nil }
	o.Beside = func(context.Context, manifest.Environment, manifest.Artifact) ([]byte, error) {
		text, err := there()
		return []byte(text), err
	}
	s.startWith(t, o)
	return s
}

// inBucket is the first content with its code in S3.
func inBucket() map[string]string {
	content := firstContent().files()
	for name, text := range content {
		content[name] = strings.ReplaceAll(text, "file:", "s3://shop/")
	}
	return content
}

const unitPassed = `package policy.promotion.unit
import data.policy.lib.test_result
allow if input.environment.name == "production"
require contains item if some item in test_result.require(input.evidence, ["unit"])
`

const noneFailed = `package policy.promotion.unit
import data.policy.lib.test_result
allow if true
deny contains finding if some finding in test_result.failed(input.evidence)
`

const admitPromoted = `package policy.admission.promoted
allow if true
`

// What lies beside the code frees the promotion that waits for it, when it is
// signed and says so; the move names it.
func TestAStatementBesideTheCodeFreesItsPromotion(t *testing.T) {
	lies := ""
	s := besideCode(t, map[string]string{"policies/promotion/unit.rego": unitPassed, "policies/admission/a.rego": admitPromoted}, func() (string, error) { return lies, nil })
	waits := func(text string) {
		t.Helper()
		s.run(2 * time.Minute)
		ps := s.watch.environment("production").Promotions
		if len(ps) == 0 || ps[len(ps)-1].Outcome != "held" || !strings.Contains(ps[len(ps)-1].Reason, text) || s.moved() {
			t.Fatalf("want it held: %s; got %+v", text, ps)
		}
	}
	s.run(10 * time.Minute)
	waits("test unit has no verified result for this content")
	lies = "forged passed"
	waits("not verified: beside s3://shop/")
	waits("signed by none of the known keys")
	lies = "unit warned"
	waits("test unit has not passed")
	lies = "unit passed"
	if !s.until(10*time.Minute, s.moved) {
		t.Fatalf("it does not go on: %+v", s.watch.environment("production").Promotions)
	}
	s.run(time.Minute)
	ps := s.watch.environment("production").Promotions
	if e := ps[len(ps)-1].Evidence; len(e) != 1 || e[0] != "ci/test_result sha256:passed" {
		t.Errorf("it rests on %v", e)
	}
	told := false
	for _, e := range s.watch.environment("production").History {
		told = told || e.Kind == "promotion" && strings.Contains(e.Text, "on evidence of ci/test_result passed")
	}
	if !told {
		t.Errorf("history does not tell: %+v", s.watch.environment("production").History)
	}
}

// An answer that does not come is not the answer that there is nothing: what
// only a failure would stop waits too, is remembered once, and goes on by
// itself.
func TestAnOutageIsNotTheAbsenceOfEvidence(t *testing.T) {
	down, n := true, 0
	s := besideCode(t, map[string]string{"policies/promotion/unit.rego": noneFailed, "policies/admission/a.rego": admitPromoted}, func() (string, error) {
		if n++; down {
			return "", providers.Errorf(providers.Transient, "no answer, request %d", n)
		}
		return "", nil
	})
	s.run(time.Hour)
	ps := s.watch.environment("production").Promotions
	if s.moved() || len(ps) != 1 || ps[0].Outcome != "held" || ps[0].Findings[0].Code != codeEvidence {
		t.Fatalf("want it held once for %s: %+v", codeEvidence, ps)
	}
	if n > 2*150 {
		t.Errorf("%d reads of two files in an hour", n)
	}
	down = false
	if !s.until(10*time.Minute, s.moved) {
		t.Error("it does not go on")
	}
	sound(t, s)
}

// A commit by hand waits for its evidence, and for an answer, as a promotion
// does.
func TestACommitByHandWaitsForEvidence(t *testing.T) {
	lies, fault := "", errors.New("no answer")
	s := besideCode(t, map[string]string{"policies/promotion/unit.rego": unitPassed, "policies/admission/a.rego": admitPromoted}, func() (string, error) { return lies, fault })
	s.repo.commit("env/production", inBucket())
	judged := func(outcome, text string) {
		t.Helper()
		s.run(2 * time.Minute)
		j := s.watch.environment("production").Judged
		if j == nil || j.Outcome != outcome || !strings.Contains(j.Reason, text) {
			t.Fatalf("want %s: %s; got %+v", outcome, text, j)
		}
	}
	judged("hold", "is not known")
	fault = nil
	judged("hold", "test unit has no verified result")
	lies = "unit passed"
	judged("allow", "")
}

// More is said than anybody reads: it is not known what counts.
func TestTooManyStatementsAreUnknown(t *testing.T) {
	var h heap
	for i := range maxStatements + 100 {
		h.take([]sources.Statement{{Digest: fmt.Sprint(i)}}, time.Time{})
	}
	if len(h.said) != maxStatements+1 {
		t.Errorf("%d are kept", len(h.said))
	}
}
