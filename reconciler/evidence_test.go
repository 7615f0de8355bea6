package reconciler

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mooring.dev/policy"
	"mooring.dev/sources"
)

func digestN(n int) string { return fmt.Sprintf("sha256:%064d", n) }

func says(signer, name string, passed bool, minute int, subjects ...string) sources.Statement {
	return sources.Statement{Digest: fmt.Sprint(signer, name, passed, minute, subjects), Verified: true, Signer: signer, Kind: sources.TestResult, Name: name,
		PredicateType: "test", Passed: passed, Subjects: subjects, Time: time.Unix(0, 0).Add(time.Duration(minute) * time.Minute)}
}

// What statements come to, for content 0 whose code is 1 and 2.
func TestWeigh(t *testing.T) {
	for name, c := range map[string]struct {
		said          []sources.Statement
		match, passed bool
	}{
		"about the content":              {[]sources.Statement{says("ci", "unit", true, 1, digestN(0))}, true, true},
		"about all code at once":         {[]sources.Statement{says("ci", "unit", true, 1, digestN(1), digestN(2))}, true, true},
		"about all code, piece by piece": {[]sources.Statement{says("ci", "unit", true, 1, digestN(1)), says("ci", "unit", true, 9, digestN(2))}, true, true},
		"about a part":                   {[]sources.Statement{says("ci", "unit", true, 1, digestN(1))}, false, false},
		"a part failed":                  {[]sources.Statement{says("ci", "unit", false, 1, digestN(1)), says("ci", "unit", true, 9, digestN(2))}, true, false},
		"failed, then passed":            {[]sources.Statement{says("ci", "unit", false, 1, digestN(0)), says("ci", "unit", true, 2, digestN(0))}, true, true},
		"passed, then failed":            {[]sources.Statement{says("ci", "unit", true, 1, digestN(0)), says("ci", "unit", false, 2, digestN(0))}, true, false},
		"both at one moment":             {[]sources.Statement{says("ci", "unit", true, 1, digestN(0)), says("ci", "unit", false, 1, digestN(0))}, true, false},
	} {
		for range 2 {
			got := weigh(c.said, digestN(0), []string{digestN(1), digestN(2)})
			if len(got) != 1 || got[0].SubjectMatch != c.match || got[0].Passed != c.passed {
				t.Errorf("%s: %+v", name, got)
			}
			slices.Reverse(c.said)
		}
	}
	apart := []sources.Statement{says("ci", "unit", true, 1, digestN(1)), says("eve", "unit", true, 1, digestN(2)), says("ci", "load", true, 1, digestN(2))}
	for _, e := range weigh(apart, digestN(0), []string{digestN(1), digestN(2)}) {
		if e.SubjectMatch || e.Passed {
			t.Errorf("one half by one, the other by another, make a whole: %+v", e)
		}
	}
	if got := weigh([]sources.Statement{says("ci", "unit", true, 1, digestN(7))}, digestN(0), []string{digestN(1)}); len(got) != 0 {
		t.Errorf("of other content: %+v", got)
	}
	if got := weigh([]sources.Statement{says("ci", "unit", true, 1, digestN(7))}, "", nil); len(got) != 0 {
		t.Errorf("nothing is said of nothing: %+v", got)
	}
}

// Taking any statement away, or its signature, makes nothing pass that did not
// pass before, unless it was one that failed.
func TestLessEvidenceProvesNoMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := []string{digestN(1), digestN(2)}
		said := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) sources.Statement {
			subjects := rapid.SliceOfN(rapid.SampledFrom([]string{digestN(0), digestN(1), digestN(2), digestN(3)}), 1, 3).Draw(t, "about")
			return says(rapid.SampledFrom([]string{"ci", "eve"}).Draw(t, "signer"), "unit", true, rapid.IntRange(0, 3).Draw(t, "minute"), subjects...)
		}), 1, 6).Draw(t, "said")
		good := func(all []sources.Statement) map[string]bool {
			out := map[string]bool{}
			for _, e := range weigh(all, digestN(0), code) {
				if e.Verified && e.SubjectMatch && e.Passed {
					out[e.Signer] = true
				}
			}
			return out
		}
		before := good(said)
		i := rapid.IntRange(0, len(said)-1).Draw(t, "which")
		without := slices.Delete(slices.Clone(said), i, i+1)
		unsigned := slices.Clone(said)
		unsigned[i].Verified = false
		for _, after := range []map[string]bool{good(without), good(unsigned)} {
			for signer := range after {
				if !before[signer] {
					t.Errorf("less proves more: %v, then %v", before, after)
				}
			}
		}
		if got := weigh(unsigned, digestN(0), code); !slices.ContainsFunc(got, func(e policy.Evidence) bool { return !e.Verified && !e.SubjectMatch && !e.Passed }) {
			t.Errorf("what nobody signed is not told: %+v", got)
		}
	})
}
