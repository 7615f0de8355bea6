package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// unreturnable are the releases that nobody can return to any more, as far as
// looked: why, by their digest, and "" for one that can be returned to.
type unreturnable struct {
	from string // what it was judged from
	why  map[string]string
	// carried is what the releases have of versions, by their digest: it stays
	// while versions come and go, so that none is rendered for that again.
	carried map[string]carried
}

// lookedBackAt is how many resources one pass renders again to tell which
// releases can be returned to. What is more waits for the next pass.
const lookedBackAt = 5_000

// lookBack tells which known releases a rollback would be refused to, newest
// first, whenever releases or versions came or went. It is asked at rest: what
// moves has its versions in both hands.
func (p *pass) lookBack(ctx context.Context) {
	if p.target == nil || p.st.Rollout.Phase != rollout.Idle || !p.e.look.inventory.Complete {
		return
	}
	if from := p.versionsThere(); p.e.lost.from != from {
		p.e.lost = unreturnable{from: from, why: map[string]string{}, carried: p.stillCarried()}
	}
	for left, i := lookedBackAt, len(p.st.Known)-1; i >= 0 && left > 0; i-- {
		rel := p.st.Known[i].Release
		if _, judged := p.e.lost.why[rel.Digest]; judged {
			continue
		}
		n, why, err := p.lostOf(ctx, rel)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			why = err.Error() // a rollback would say the same
		}
		left -= n
		p.changedLost(rel.Digest, why)
	}
}

// changedLost replaces the map: the one before may be published.
func (p *pass) changedLost(digest, why string) {
	p.e.lost.why = maps.Clone(p.e.lost.why)
	p.e.lost.why[digest] = why
}

// versionsThere names what lookBack judges from.
func (p *pass) versionsThere() string {
	versions := 0
	for _, live := range p.e.look.inventory.Live {
		versions += len(live.Published)
	}
	newest := ""
	if n := len(p.st.Known); n > 0 {
		newest = p.st.Known[n-1].Release.Digest
	}
	return fmt.Sprint(versions, "|", newest, "|", p.st.Rollout.Release.Digest, "|", p.w.digest)
}

// lostOf looks for the versions that carry a release, which is rendered only when
// what they carry is not known. n is how many resources that were.
func (p *pass) lostOf(ctx context.Context, of record.Release) (n int, why string, err error) {
	if of.Digest == p.st.Rollout.Release.Digest {
		return 0, "", nil
	}
	snap, err := p.e.d.opts.Source.Open(ctx, of.Commit)
	if errors.Is(err, sources.ErrUnknownCommit) {
		return 1, "its commit is in the repository no more", nil
	}
	if err != nil {
		return 1, "", fmt.Errorf("open release %.12s: %w", of.Commit, err)
	}
	c, ok := p.e.lost.carried[of.Digest]
	if !ok || c.from != p.carriedFrom(c.refs) {
		if n, c, err = p.carries(snap, of); err != nil {
			return n, "", err
		}
		p.e.lost.carried[of.Digest] = c
	}
	for _, v := range c.versions {
		ref := v.ref.Value()
		back := versionOf(p.e.look.inventory.Live[ref], v.snapshot.Value())
		if p.cleanedUp(ref, back, p.servingBeside(ref, back)) {
			return n, noVersion(ref), nil
		}
	}
	return n, "", nil
}

// backTo is the version of a function that carries a release, and the one that
// serves now beside it; "" for none.
func (p *pass) backTo(rel *manifest.Release, res manifest.Resource, snapshot string) (back, now string) {
	if d, ok := rel.Functions[res.Ref]; !ok || d.Alias == (manifest.Ref{}) {
		return "", ""
	}
	back = versionOf(p.e.look.inventory.Live[res.Ref], snapshot)
	return back, p.servingBeside(res.Ref, back)
}

// cleanedUp: the function serves by version, and none carries the release.
func (p *pass) cleanedUp(ref manifest.Ref, back, now string) bool {
	return back == "" && now != "" && len(p.e.look.inventory.Live[ref].Published) > 0
}

func noVersion(ref manifest.Ref) string {
	return fmt.Sprintf("no version of %s carries it any more", ref)
}

// noReturn is why a rollback to a release would be refused; "" where it would
// not be, as far as looked.
func (pub *published) noReturn(digest string) string {
	if digest == "" {
		return ""
	}
	return pub.lost[digest]
}
