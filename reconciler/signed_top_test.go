package reconciler

import (
	"testing"

	"mooring.dev/sources"
)

// TestWhatASignedHeadVouchesFor: a commit names its whole tree, so that whoever
// signs the head signs for all that is in it, however that came there. How it
// came there is what range asks.
func TestWhatASignedHeadVouchesFor(t *testing.T) {
	type brought struct{ reads, head string } // reads: the commit that a refusal names
	cases := map[string]struct {
		bring func(s *simulation, known map[string]sources.Signature) brought
		lets  map[string]bool // by verify
	}{
		"an empty signed commit over an unsigned one": {func(s *simulation, known map[string]sources.Signature) brought {
			below := s.repo.commit("env/production", secondContent(512).files())
			head := s.repo.commit("env/production", secondContent(512).files())
			known[head] = goodSignature
			return brought{below, head}
		}, map[string]bool{"head": true}},
		"an empty unsigned commit over a signed one": {func(s *simulation, known map[string]sources.Signature) brought {
			known[s.repo.commit("env/production", secondContent(512).files())] = goodSignature
			head := s.repo.commit("env/production", secondContent(512).files())
			return brought{head, head}
		}, nil},
		"a merge signed by nobody of signed commits": {func(s *simulation, known map[string]sources.Signature) brought {
			side, merge := s.merge(secondContent(512))
			known[side] = goodSignature
			return brought{merge, merge}
		}, nil},
		"a signed merge of an unsigned commit": {func(s *simulation, known map[string]sources.Signature) brought {
			side, merge := s.merge(secondContent(512))
			known[merge] = goodSignature
			return brought{side, merge}
		}, map[string]bool{"head": true}},
		"a signed merge of signed commits": {func(s *simulation, known map[string]sources.Signature) brought {
			side, merge := s.merge(secondContent(512))
			known[side], known[merge] = goodSignature, goodSignature
			return brought{"", merge}
		}, map[string]bool{"head": true, "range": true}},
	}
	for name, c := range cases {
		for _, verify := range []string{"head", "range"} {
			t.Run(name+", "+verify, func(t *testing.T) {
				s, known := signedRelease(t, verify)
				b := c.bring(s, known)
				if !c.lets[verify] {
					s.denies(t, short(b.reads))
					return
				}
				settled(t, s)
				if got := s.watch.environment("production").Admitted.Release.Commit; got != b.head {
					t.Errorf("%s is let in, want %s: judged %+v", short(got), short(b.head), s.watch.environment("production").Judged)
				}
				sound(t, s)
			})
		}
	}
}

// merge commits content beside production's branch and merges it; the answer
// is both commits.
func (s *simulation) merge(k content) (side, merge string) {
	main := s.repo.branches["env/production"]
	side = s.repo.commit("side", k.files())
	merged, id := tree(k.files())
	merge = s.repo.add("env/production", sources.Snapshot{Tree: merged, TreeID: id, Commit: sources.Commit{Parents: []string{main, side}, Message: "merge"}})
	return side, merge
}
