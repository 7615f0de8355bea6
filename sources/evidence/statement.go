package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"mooring.dev/sources"
)

// Bounds of what is read; what is beyond is refused.
const (
	MaxEnvelope  = 256 << 10 // bytes of one envelope
	MaxEnvelopes = 64        // in one file
	MaxSubjects  = 4096      // of one statement
)

// PayloadType of an in-toto statement.
const PayloadType = "application/vnd.in-toto+json"

// statementTypes are the versions of the statement around a predicate: the same
// members in both. Provenance v0.2 comes in the older one, and cosign, BuildKit
// and Tekton Chains wrote others in it too.
var statementTypes = []string{"https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"}

// Predicate types that are understood.
const (
	testResultV01 = "https://in-toto.io/attestation/test-result/v0.1"
	slsaV1        = "https://slsa.dev/provenance/v1"
	slsaV02       = "https://slsa.dev/provenance/v0.2"
)

// Read reads every envelope of a file: one JSON document, or one on each line.
// What cannot be read is a statement too, with why, so that nobody wonders
// where it is.
func Read(ctx context.Context, source string, data []byte, keys []Key) []sources.Statement {
	var out []sources.Statement
	for i, text := range envelopes(data) {
		at := source
		if i > 0 {
			at = fmt.Sprintf("%s:%d", source, i+1)
		}
		if i == MaxEnvelopes {
			return append(out, sources.Statement{Source: at, Why: fmt.Sprintf("more than %d envelopes in one file: the rest is not read", MaxEnvelopes)})
		}
		out = append(out, readOne(ctx, at, text, keys))
	}
	return out
}

// envelopes splits JSON lines; a document over several lines is one.
func envelopes(data []byte) [][]byte {
	data = bytes.TrimSpace(data)
	if json.Valid(data) || len(data) == 0 {
		return [][]byte{data}
	}
	var out [][]byte
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			out = append(out, line)
		}
	}
	return out
}

func readOne(ctx context.Context, source string, data []byte, keys []Key) sources.Statement {
	sum := sha256.Sum256(data)
	s := sources.Statement{Digest: "sha256:" + hex.EncodeToString(sum[:]), Source: source}
	payload, signer, err := open(ctx, data, keys)
	if err != nil {
		s.Why = err.Error()
		return s
	}
	if err := say(&s, payload); err != nil {
		return sources.Statement{Digest: s.Digest, Source: source, Signer: signer, Why: err.Error()}
	}
	s.Verified, s.Signer = true, signer
	return s
}

// open verifies an envelope and gives what was signed. What an envelope says
// of whose signature it is, is a hint that nobody signed: every key is tried.
func open(ctx context.Context, data []byte, keys []Key) (payload []byte, signer string, err error) {
	if len(data) > MaxEnvelope {
		return nil, "", fmt.Errorf("the envelope is over %d KiB", MaxEnvelope>>10)
	}
	var e dsse.Envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, "", errors.New("no DSSE envelope: it is not the JSON of one")
	}
	switch {
	case e.PayloadType != PayloadType:
		return nil, "", fmt.Errorf("payload type %q: want %s", printable(e.PayloadType), PayloadType)
	case len(e.Signatures) == 0:
		return nil, "", errors.New("nobody signed it")
	case len(e.Signatures) > MaxEnvelopes:
		return nil, "", fmt.Errorf("%d signatures: at most %d are tried", len(e.Signatures), MaxEnvelopes)
	}
	for i := range e.Signatures {
		e.Signatures[i].KeyID = ""
	}
	for _, k := range keys {
		verifier, err := dsse.NewEnvelopeVerifier(k)
		if err != nil {
			return nil, "", err
		}
		if _, payload, err = verifier.VerifyAndDecode(ctx, &e); err == nil {
			return payload, k.name, nil
		}
	}
	if len(keys) == 0 {
		return nil, "", errors.New("no key is known: name keys under spec.evidence of mooring.yaml")
	}
	return nil, "", errors.New("signed by none of the known keys")
}

type statement struct {
	Type          string          `json:"_type"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
	Subject       []struct {
		Digest map[string]string `json:"digest"`
	} `json:"subject"`
}

// say reads a statement that was signed.
func say(s *sources.Statement, payload []byte) error {
	var st statement
	if err := json.Unmarshal(payload, &st); err != nil {
		return errors.New("the signed payload is no in-toto statement")
	}
	switch {
	case !slices.Contains(statementTypes, st.Type):
		return fmt.Errorf("statement type %q: want %s", printable(st.Type), strings.Join(statementTypes, " or "))
	case st.PredicateType == "":
		return errors.New("the statement names no predicate type")
	case len(st.Subject) == 0:
		return errors.New("the statement is about nothing")
	case len(st.Subject) > MaxSubjects:
		return fmt.Errorf("%d subjects: at most %d are read", len(st.Subject), MaxSubjects)
	}
	for _, about := range st.Subject {
		for algorithm, value := range about.Digest {
			if d := digest(algorithm, value); d != "" {
				s.Subjects = append(s.Subjects, d)
			}
		}
	}
	if len(s.Subjects) == 0 {
		return errors.New("no subject has a sha256 or gitCommit digest")
	}
	slices.Sort(s.Subjects)
	s.Subjects = slices.Compact(s.Subjects)
	s.PredicateType = st.PredicateType
	return predicate(s, st.Predicate)
}

var digestForms = map[string]*regexp.Regexp{"sha256": regexp.MustCompile(`^[0-9a-f]{64}$`), "gitCommit": regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)}

func digest(algorithm, value string) string {
	value = strings.ToLower(value)
	if form := digestForms[algorithm]; form == nil || !form.MatchString(value) {
		return ""
	}
	return algorithm + ":" + value
}

// results are what a test may come to, as policy is told.
var results = map[string]string{"PASSED": "passed", "WARNED": "warned", "FAILED": "failed"}

// predicate reads what the kinds that are understood say. A test that does not
// say that it passed has not.
func predicate(s *sources.Statement, raw json.RawMessage) error {
	switch s.PredicateType {
	case testResultV01:
		var p struct {
			Result        string `json:"result"`
			Configuration []struct {
				Name string `json:"name"`
				URI  string `json:"uri"`
			} `json:"configuration"`
		}
		if err := json.Unmarshal(raw, &p); err != nil {
			return errors.New("the predicate is no test result")
		}
		s.Kind, s.Passed, s.Result = sources.TestResult, p.Result == "PASSED", results[p.Result]
		if len(p.Configuration) > 0 {
			s.Name = p.Configuration[0].Name
		}
	case slsaV1:
		var p struct {
			RunDetails struct {
				Builder struct {
					ID string `json:"id"`
				} `json:"builder"`
				Metadata struct {
					FinishedOn time.Time `json:"finishedOn"`
				} `json:"metadata"`
			} `json:"runDetails"`
		}
		if err := json.Unmarshal(raw, &p); err != nil {
			return errors.New("the predicate is no SLSA provenance")
		}
		s.Kind, s.Name, s.Time = sources.Provenance, p.RunDetails.Builder.ID, p.RunDetails.Metadata.FinishedOn
	case slsaV02:
		var p struct {
			Builder struct {
				ID string `json:"id"`
			} `json:"builder"`
			Metadata struct {
				FinishedOn time.Time `json:"buildFinishedOn"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(raw, &p); err != nil {
			return errors.New("the predicate is no SLSA provenance")
		}
		s.Kind, s.Name, s.Time = sources.Provenance, p.Builder.ID, p.Metadata.FinishedOn
	default:
		s.Kind = sources.Attestation
	}
	return nil
}

// printable is foreign text as it may stand in a message.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text[:min(len(text), 100)])
}
