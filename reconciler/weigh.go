package reconciler

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"mooring.dev/policy"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// codeEvidence holds content of which nobody can say what is signed about it.
const codeEvidence = "evidence"

// evidenceUnknown is why nobody knows what is signed about a content.
type evidenceUnknown struct{ error }

// Bounds of what policy is told.
const (
	maxClaims   = 500 // proved; of more nothing is told, and the content waits
	maxUnproved = 100 // the rest is noise
	maxSubjects = 100 // of each
	maxRelied   = 100 // statements that a promotion names
)

// evidenceFor is what policy is told about a release's content: what each
// signer says of it as a whole. An error means that nobody knows, and is in
// words that stay the same while its reason does.
func (p *pass) evidenceFor(ctx context.Context, rel *manifest.Release) ([]policy.Evidence, error) {
	found := p.statements(ctx)
	all := heap{slices.Clone(found.said), maps.Clone(found.seen)}
	if err := p.takeBeside(ctx, rel, &all); err != nil {
		return nil, err
	}
	if len(all.said) > maxStatements {
		return nil, fmt.Errorf("more than %d statements lie about: which of them count is not known", maxStatements)
	}
	out, proved := weigh(all.said, rel.Content, codeOf(rel)), 0
	for _, e := range out {
		if e.Verified {
			proved++
		}
	}
	if proved > maxClaims {
		return nil, fmt.Errorf("%d things are said about this content: policy is told of at most %d", proved, maxClaims)
	}
	return out, nil
}

// reliedOn names each proved statement that policy was told of, by whose it is
// and its digest.
func reliedOn(told []policy.Evidence) []string {
	var out []string
	for _, e := range told {
		if !e.Verified {
			continue
		}
		for _, digest := range e.Digests {
			out = append(out, e.Signer+"/"+cmp.Or(e.Kind, sources.Attestation)+" "+digest)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), maxRelied)]
}

// evidenceBasis changes when what is said about a release does: what was held
// for want of evidence is judged again then.
func (p *pass) evidenceBasis(ctx context.Context, rel *manifest.Release) string {
	told, err := p.evidenceFor(ctx, rel)
	if err != nil {
		return "|evidence unknown"
	}
	proved := slices.DeleteFunc(told, func(e policy.Evidence) bool { return !e.Verified })
	if len(proved) == 0 {
		return ""
	}
	text, err := json.Marshal(proved)
	if err != nil {
		return "" // plain data: cannot fail
	}
	return fmt.Sprintf("|%x", sha256.Sum256(text))
}

// withoutEvidence is an admission's decision while nobody knows what is signed
// about the content: whatever it was, it is no permission.
func (p *pass) withoutEvidence(d policy.Decision, why error) policy.Decision {
	held := d
	held.Outcome, held.Flags = policy.Hold, nil
	held.Findings = []policy.Finding{{Level: "require", Code: codeEvidence, Msg: why.Error()}}
	held.RecheckNS = p.now.Add(p.e.d.opts.Pace.Check).UnixNano()
	return stricter(d, held)
}

// codeOf are the digests of all code that a release brings.
func codeOf(rel *manifest.Release) []string {
	var out []string
	for _, a := range artifactsOf(rel) {
		if a.Digest != "" && !slices.Contains(out, a.Digest) {
			out = append(out, a.Digest)
		}
	}
	slices.Sort(out)
	return out
}

// artifactsOf is all code that a release brings.
func artifactsOf(rel *manifest.Release) []manifest.Artifact {
	var out []manifest.Artifact
	for _, res := range rel.Resources {
		var a manifest.Artifact
		switch spec := res.Spec.(type) {
		case *manifest.FunctionConfig:
			a = spec.Artifact
		case *manifest.LayerSpec:
			a = spec.Artifact
		}
		if a != (manifest.Artifact{}) && !a.Unmanaged {
			out = append(out, a)
		}
	}
	return out
}

// claim is what statements are weighed together by.
type claim struct{ kind, name, predicateType, signer string }

// weigh puts together what one signer says in one way (one test, one builder)
// of a content. It is about this content when it is about the content's digest,
// or about every piece of code in it; a part is not the whole. For each the
// newest statement counts, and the whole has passed when each of them has;
// statements of the same moment count together. What nobody known signed is
// told, and is about nothing.
func weigh(all []sources.Statement, content string, code []string) []policy.Evidence {
	claims := map[claim][]sources.Statement{}
	out, unproved := []policy.Evidence{}, 0
	for _, s := range all {
		if s.Verified {
			c := claim{s.Kind, s.Name, s.PredicateType, s.Signer}
			claims[c] = append(claims[c], s)
			continue
		}
		if unproved++; unproved <= maxUnproved {
			out = append(out, unprovedEvidence(s))
		}
	}
	for c, said := range claims {
		w := whole(said, content, code)
		if len(w.counted) == 0 {
			continue // about other content altogether: no news here
		}
		e := policy.Evidence{Kind: c.kind, Name: c.name, PredicateType: c.predicateType, Verified: true, Signer: c.signer,
			SubjectMatch: w.match, Passed: w.passed, TimeNS: w.newest, Result: w.result(), Source: w.counted[0].Source, Subjects: w.subjects(content, code)}
		if c.kind == sources.Provenance {
			e.Builder = c.name
		}
		for _, s := range w.counted {
			e.Digests = append(e.Digests, s.Digest)
		}
		slices.Sort(e.Digests)
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b policy.Evidence) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.PredicateType, b.PredicateType), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Signer, b.Signer), cmp.Compare(a.TimeNS, b.TimeNS))
	})
	return out
}

// unprovedEvidence is a statement of which nothing is believed, and why.
func unprovedEvidence(s sources.Statement) policy.Evidence {
	e := policy.Evidence{Kind: cmp.Or(s.Kind, sources.Attestation), Name: s.Source, PredicateType: s.PredicateType, TimeNS: nanoseconds(s.Time), Source: s.Source, Why: s.Why}
	if s.Digest != "" {
		e.Digests = []string{s.Digest}
	}
	return e
}

// weighed is what the statements of one claim come to.
type weighed struct {
	match, passed bool
	newest        int64
	counted       []sources.Statement // that it rests on
}

func whole(said []sources.Statement, content string, code []string) weighed {
	w := weighed{match: len(code) > 0, passed: true}
	about := func(s sources.Statement, digest string) bool {
		return s.About(digest) || content != "" && s.About(content)
	}
	need := code
	if len(need) == 0 {
		need, w.match = []string{content}, content != ""
	}
	for _, digest := range need {
		var newest []sources.Statement
		for _, s := range said {
			switch {
			case digest == "" || !about(s, digest):
			case len(newest) == 0 || s.Time.After(newest[0].Time):
				newest = []sources.Statement{s}
			case s.Time.Equal(newest[0].Time):
				newest = append(newest, s)
			}
		}
		w.match = w.match && len(newest) > 0
		for _, s := range newest {
			w.passed = w.passed && s.Passed
			w.newest = max(w.newest, nanoseconds(s.Time))
			if !slices.ContainsFunc(w.counted, func(o sources.Statement) bool { return o.Digest == s.Digest }) {
				w.counted = append(w.counted, s)
			}
		}
	}
	w.passed = w.passed && w.match
	return w
}

// resultRanks orders what tests come to, the worst last.
var resultRanks = []string{"passed", "warned", "", "failed"}

// result is the worst that is said.
func (w weighed) result() string {
	worst := 0
	for _, s := range w.counted {
		if s.Kind != sources.TestResult {
			return ""
		}
		worst = max(worst, slices.Index(resultRanks, s.Result))
	}
	return resultRanks[worst]
}

// subjects are all that is spoken of, this content and its code first.
func (w weighed) subjects(content string, code []string) []string {
	var mine, other []string
	for _, s := range w.counted {
		for _, digest := range s.Subjects {
			if digest == content || slices.Contains(code, digest) {
				mine = append(mine, digest)
			} else {
				other = append(other, digest)
			}
		}
	}
	slices.Sort(mine)
	slices.Sort(other)
	out := append(slices.Compact(mine), slices.Compact(other)...)
	return out[:min(len(out), maxSubjects)]
}

func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// promotedBy is the newest move that brought a content in.
func promotedBy(all []record.Promotion, key record.Key) (record.Promotion, bool) {
	for _, pr := range slices.Backward(all) {
		if pr.Key == key && pr.Outcome == "moved" {
			return pr, true
		}
	}
	return record.Promotion{}, false
}
