package reconciler

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"unique"

	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// carried is what versions have to be for a release to be returned to.
type carried struct {
	from     string         // what it was made from, besides the release
	refs     []manifest.Ref // of whose attributes it is made
	versions []carriedVersion
}

// carriedVersion is a function and what its version is of. Most releases share
// most of them.
type carriedVersion struct {
	ref      unique.Handle[manifest.Ref]
	snapshot unique.Handle[string]
}

// stillCarried is what was carried, without releases that nobody knows any more.
func (p *pass) stillCarried() map[string]carried {
	out := make(map[string]carried, len(p.st.Known))
	for _, a := range p.st.Known {
		if c, ok := p.e.lost.carried[a.Release.Digest]; ok {
			out[a.Release.Digest] = c
		}
	}
	return out
}

// carries renders a release, without what its code says. n is how many
// resources that were.
func (p *pass) carries(snap sources.Snapshot, of record.Release) (n int, c carried, err error) {
	docs, err := p.e.loader.Load(snap.Tree, manifest.LoadOptions{Path: p.spec.Path})
	if docs == nil {
		return 1, c, err
	}
	rel, err := manifest.Render(docs, p.w.pipeline, p.e.name, snap.Commit.SHA)
	if err != nil {
		return 1, c, fmt.Errorf("render release %.12s again: %w", of.Commit, err)
	}
	cached := maps.Clone(p.e.specs)
	defer func() { p.e.specs = cached }()
	specs, err := p.e.canonical(rel, p.e.bindings())
	if err != nil {
		return len(rel.Resources), c, fmt.Errorf("canonical form: %w", err)
	}
	named := map[manifest.Ref]bool{}
	for _, res := range rel.Resources {
		if plan.Speaks(res.Ref.Kind) { // what others take of it depends on its own
			for _, ref := range res.Refs {
				named[ref] = true
			}
			named[res.Ref] = named[res.Ref] || res.SelfBound
		}
		if d, ok := rel.Functions[res.Ref]; ok && d.Alias != (manifest.Ref{}) {
			c.versions = append(c.versions, carriedVersion{unique.Make(res.Ref), unique.Make(specs[res.Ref].Snapshot)})
		}
	}
	maps.DeleteFunc(named, func(_ manifest.Ref, is bool) bool { return !is })
	c.refs = slices.SortedFunc(maps.Keys(named), manifest.Ref.Compare)
	c.from = p.carriedFrom(c.refs)
	return len(rel.Resources), c, nil
}

// carriedFrom names the pipeline and all that is taken of these: their
// attributes, and the versions by which some are named.
func (p *pass) carriedFrom(refs []manifest.Ref) string {
	h := sha256.New()
	fmt.Fprintln(h, p.w.digest)
	for _, ref := range refs {
		live := p.e.look.inventory.Live[ref]
		fmt.Fprintln(h, ref, live.Exists, live.Attributes) // maps print sorted
		if plan.Speaks(ref.Kind) {
			fmt.Fprintln(h, live.Published)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
