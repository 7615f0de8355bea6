package reconciler

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	"mooring.dev/policy"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// Bounds of the statements read from a tree.
const (
	maxStatementFiles = 500
	maxStatementFile  = 1 << 20 // bytes
)

// gathered are the statements found in some trees and the journal, kept until
// one of those is another.
type gathered struct {
	of         string
	statements []sources.Statement
}

// statements are all that anybody made, wherever they lie: on the control
// branch, on this environment's branch and on those content comes from, and
// what was posted. Each once.
func (p *pass) statements(ctx context.Context) []sources.Statement {
	w := p.w
	if w.verifier == nil {
		return nil
	}
	trees := map[string]sources.Snapshot{p.e.d.opts.Control: w.control}
	for _, spec := range w.pipeline.Environments {
		if snap, ok := w.branch(spec); ok && (spec.Name == p.e.name || slices.Contains(p.spec.After, spec.Name)) {
			trees[spec.Branch] = snap
		}
	}
	posted := p.e.d.ledger.evidence()
	of := fmt.Sprint(w.control.Commit.SHA, len(posted))
	for _, e := range posted {
		of += e.Digest
	}
	for _, branch := range slices.Sorted(maps.Keys(trees)) {
		of += trees[branch].Commit.SHA + trees[branch].TreeID
	}
	if p.e.gathered.of == of {
		return p.e.gathered.statements
	}
	seen := map[string]bool{}
	var out []sources.Statement
	take := func(found []sources.Statement, at time.Time) {
		for _, s := range found {
			if s.Digest != "" && seen[s.Digest] {
				continue
			}
			seen[s.Digest] = true
			if s.Time.IsZero() {
				s.Time = at
			}
			out = append(out, s)
		}
	}
	for _, branch := range slices.Sorted(maps.Keys(trees)) {
		// Nothing says when a file came: a commit's time is its author's word.
		// What lies beside it counts as much as it does.
		take(statementsIn(ctx, w, branch, trees[branch]), time.Time{})
	}
	for _, e := range posted {
		take(w.verifier.Read(ctx, "posted by "+e.By, e.Envelope), e.At)
	}
	p.e.gathered = gathered{of, out}
	return out
}

// statementsIn reads the folder of statements of a tree.
func statementsIn(ctx context.Context, w *world, branch string, snap sources.Snapshot) (out []sources.Statement) {
	folder, files := w.pipeline.Evidence.Path, 0
	err := fs.WalkDir(snap.Tree, folder, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // no statements here
		case err != nil:
			return err
		case !entry.Type().IsRegular() || path.Ext(name) != ".json" && path.Ext(name) != ".jsonl":
			return nil
		}
		if files++; files > maxStatementFiles {
			out = append(out, sources.Statement{Source: branch + ":" + folder, Why: fmt.Sprintf("more than %d files: the rest is not read", maxStatementFiles)})
			return fs.SkipAll
		}
		source := branch + ":" + name
		data, err := readBounded(snap.Tree, name)
		if err != nil {
			out = append(out, sources.Statement{Source: source, Why: err.Error()})
			return nil
		}
		out = append(out, w.verifier.Read(ctx, source, data)...)
		return nil
	})
	if err != nil {
		out = append(out, sources.Statement{Source: branch + ":" + folder, Why: err.Error()})
	}
	return out
}

func readBounded(tree fs.FS, name string) ([]byte, error) {
	f, err := tree.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, maxStatementFile+1))
	if err == nil && len(data) > maxStatementFile {
		return nil, fmt.Errorf("over %d KiB", maxStatementFile>>10)
	}
	return data, err
}

// evidenceFor is what policy is told about a release's content: what each
// signer says of it as a whole.
func (p *pass) evidenceFor(ctx context.Context, rel *manifest.Release) []policy.Evidence {
	return weigh(p.statements(ctx), rel.Content, codeOf(rel))
}

// statementsAbout names each proved statement about a release by whose it is
// and its digest.
func (p *pass) statementsAbout(ctx context.Context, rel *manifest.Release) []string {
	about := append(codeOf(rel), rel.Content)
	var out []string
	for _, s := range p.statements(ctx) {
		if s.Verified && slices.ContainsFunc(about, s.About) {
			out = append(out, s.Signer+"/"+cmp.Or(s.Kind, sources.Attestation)+" "+s.Digest)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// codeOf are the digests of all code that a release brings.
func codeOf(rel *manifest.Release) []string {
	var out []string
	for _, res := range rel.Resources {
		var a manifest.Artifact
		switch spec := res.Spec.(type) {
		case *manifest.FunctionConfig:
			a = spec.Artifact
		case *manifest.LayerSpec:
			a = spec.Artifact
		}
		if a.Digest != "" && !a.Unmanaged && !slices.Contains(out, a.Digest) {
			out = append(out, a.Digest)
		}
	}
	slices.Sort(out)
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
	out := []policy.Evidence{}
	for _, s := range all {
		if !s.Verified {
			out = append(out, policy.Evidence{Kind: cmp.Or(s.Kind, sources.Attestation), Name: s.Source, PredicateType: s.PredicateType, TimeNS: nanoseconds(s.Time)})
			continue
		}
		c := claim{s.Kind, s.Name, s.PredicateType, s.Signer}
		claims[c] = append(claims[c], s)
	}
	for c, said := range claims {
		e := policy.Evidence{Kind: c.kind, Name: c.name, PredicateType: c.predicateType, Verified: true, Signer: c.signer}
		e.SubjectMatch, e.Passed, e.TimeNS = whole(said, content, code)
		if !e.SubjectMatch && !slices.ContainsFunc(said, func(s sources.Statement) bool { return slices.ContainsFunc(code, s.About) }) {
			continue // about other content altogether: no news here
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b policy.Evidence) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.PredicateType, b.PredicateType), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Signer, b.Signer), cmp.Compare(a.TimeNS, b.TimeNS))
	})
	return out
}

// whole is what the statements of one claim come to.
func whole(said []sources.Statement, content string, code []string) (match, passed bool, newest int64) {
	match, passed = len(code) > 0, true
	about := func(s sources.Statement, digest string) bool {
		return s.About(digest) || content != "" && s.About(content)
	}
	need := code
	if len(need) == 0 {
		need, match = []string{content}, content != ""
	}
	for _, digest := range need {
		var last time.Time
		found, good := false, false
		for _, s := range said {
			switch {
			case !about(s, digest):
			case !found || s.Time.After(last):
				found, good, last = true, s.Passed, s.Time
			case s.Time.Equal(last):
				good = good && s.Passed
			}
		}
		match, passed = match && found, passed && good
		newest = max(newest, nanoseconds(last))
	}
	return match, match && passed, newest
}

func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// AddEvidence takes signed statements that were posted. Those that prove
// nothing are refused, so that whoever posts hears why.
func (d *Daemon) AddEvidence(ctx context.Context, r web.EvidenceRequest) ([]web.Statement, error) {
	if err := r.By.Check(access.Attest, ""); err != nil {
		return nil, err
	}
	w := d.world.Load()
	if w == nil || w.verifier == nil {
		return nil, errors.New("evidence: mooring.yaml was not read yet")
	}
	found := w.verifier.Read(ctx, "the envelope", r.Envelope)
	out := make([]web.Statement, len(found))
	for i, s := range found {
		if !s.Verified {
			return nil, fmt.Errorf("evidence: %s: %s", s.Source, s.Why)
		}
		out[i] = web.Statement{Digest: s.Digest, Kind: s.Kind, Name: s.Name, PredicateType: s.PredicateType, Signer: s.Signer, Passed: s.Passed, Subjects: s.Subjects}
	}
	sum := sha256.Sum256(r.Envelope)
	e := journal.Evidence{Digest: "sha256:" + hex.EncodeToString(sum[:]), Envelope: r.Envelope, By: r.By.Name, At: d.opts.Now()}
	if slices.ContainsFunc(d.ledger.evidence(), func(o journal.Evidence) bool { return o.Digest == e.Digest }) {
		return out, nil // it is there already
	}
	if err := d.ledger.append(ctx, "", journal.Record{Evidence: &e}); err != nil {
		return nil, err
	}
	for _, name := range d.names() {
		if env := d.environment(name); env != nil {
			env.nudge()
		}
	}
	return out, nil
}
