package sources

import (
	"context"
	"slices"
	"time"
)

// Kinds of statements.
const (
	TestResult  = "test_result"
	Provenance  = "provenance"
	Attestation = "attestation" // any other predicate
)

// Statement is what one signed envelope says, and what of it is proved.
type Statement struct {
	Digest string // sha256:… of the envelope: it names the statement
	Source string // where it was found, for people
	// Verified: signed by Signer's key. Of what is not, only Why is worth
	// reading: it proves nothing.
	Verified bool
	Signer   string
	Why      string

	Kind          string
	Name          string // of a test; of a builder
	PredicateType string
	Passed        bool     // a test that passed; no other kind of statement does
	Result        string   // of a test: "passed" | "warned" | "failed"; "" where it says none of these
	Subjects      []string // "sha256:…" and "gitCommit:…", sorted
	// Time is when it was made, as it says itself, else when it came.
	Time time.Time
}

// About tells whether a statement is about something with this digest.
func (s Statement) About(digest string) bool { return slices.Contains(s.Subjects, digest) }

// Verifier reads signed statements with the keys it was made of.
type Verifier interface {
	// Read reads every envelope of a file, source being its name for people.
	// What cannot be read or is signed by nobody known is a statement too, with
	// why.
	Read(ctx context.Context, source string, data []byte) []Statement
}
