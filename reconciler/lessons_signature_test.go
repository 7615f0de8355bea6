package reconciler

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// badSignatures are what sources/signature makes of commits that prove nothing,
// with what a person is to read.
var badSignatures = map[string]struct {
	signature sources.Signature
	reads     string
}{
	"unsigned":             {sources.Signature{}, "it is not signed"},
	"by a wrong key":       {sources.Signature{Status: "unknown_key", Kind: "ssh", KeyID: "SHA256:eve", Why: "the key is not among the allowed signers"}, "SHA256:eve"},
	"by a key that is out": {sources.Signature{Status: "invalid", Kind: "ssh", KeyID: "SHA256:old", Why: "the key was good until 2026-01-01"}, "good until 2026-01-01"},
}

// TestLesson13WhatProvesNothingIsNotApplied: unsigned, by a wrong key, by one
// that has run out, by one that was taken off, and an unsigned merge of signed
// commits or a signed one of an unsigned commit: each is denied with its own
// reason, and nothing is called.
func TestLesson13WhatProvesNothingIsNotApplied(t *testing.T) {
	for name, bad := range badSignatures {
		for _, verify := range []string{"head", "range"} {
			t.Run(name+", "+verify, func(t *testing.T) {
				s, known := signedRelease(t, verify)
				known[s.repo.commit("env/production", secondContent(512).files())] = bad.signature
				s.denies(t, bad.reads)
			})
		}
	}
	t.Run("by a key that was taken off", func(t *testing.T) {
		s := newSimulation(1, memory.Options{}, mutant{}, "production")
		known, o := map[string]sources.Signature{}, s.options()
		o.Signers = func(tree fs.FS, spec manifest.Signatures) (sources.Signers, error) {
			text, err := fs.ReadFile(tree, spec.AllowedSigners)
			if string(text) == "anna is gone" {
				gone := sources.Signature{Status: "unknown_key", Kind: "ssh", KeyID: goodSignature.KeyID, Why: "the key is not among the allowed signers"}
				return notary{string(text), map[string]sources.Signature{s.repo.branches["env/production"]: gone}}, err
			}
			return notary{string(text), known}, err
		}
		s.repo.commit("main", verifying("head", "anna", s.names))
		s.startWith(t, o)
		known[s.repo.commit("env/production", firstContent().files())] = goodSignature
		settled(t, s)
		s.repo.commit("env/production", secondContent(512).files())
		s.repo.commit("main", verifying("head", "anna is gone", s.names))
		s.denies(t, goodSignature.KeyID)
	})
	for name, signs := range map[string]struct{ merge, side bool }{"unsigned merge": {false, true}, "merge of an unsigned commit": {true, false}} {
		t.Run(name, func(t *testing.T) {
			s, known := signedRelease(t, "range")
			side, merge := s.merge(secondContent(512))
			unsigned := side
			if signs.side {
				known[side], unsigned = goodSignature, merge
			}
			if signs.merge {
				known[merge] = goodSignature
			}
			s.denies(t, short(unsigned))
		})
	}
}

func secondContent(memory int) content {
	k := firstContent()
	k.memory = memory
	return k
}

// signedRelease has a signed release in force in production, which verifies so; the
// answer is what the notary knows.
func signedRelease(t *testing.T, verify string) (*simulation, map[string]sources.Signature) {
	t.Helper()
	s := newSimulation(1, memory.Options{}, mutant{}, "production")
	known := notarised(t, s, verify, false)
	known[s.repo.commit("env/production", firstContent().files())] = goodSignature
	settled(t, s)
	return s, known
}

// denies: what the branch has now does not come in, for a reason that is told.
func (s *simulation) denies(t *testing.T, reads string) {
	t.Helper()
	calls := s.mutations()
	s.run(2 * time.Minute)
	j := s.watch.environment("production").Judged
	if j.Outcome != "deny" || j.Release.Commit != s.repo.branches["env/production"] || len(j.Findings) != 1 || j.Findings[0].Code != codeSignature || !strings.Contains(j.Reason, reads) {
		t.Errorf("judged %+v, want %q in it", j, reads)
	}
	if n := s.mutations() - calls; n != 0 {
		t.Errorf("%d calls", n)
	}
	sound(t, s)
}
