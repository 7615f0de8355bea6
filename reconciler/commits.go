package reconciler

import (
	"context"
	"io/fs"
	"path"
	"slices"

	"mooring.dev/policy"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources"
)

// How far back the commits that bring a content are looked for.
const (
	maxCommits   = 50
	maxAncestors = 500
	maxPaths     = 1000
	keptLineages = 4
)

// lineage is what was last looked up of commits, so that a pass that waits
// does not walk history again and again.
type lineage struct {
	from, to string
	commits  []sources.Commit
	paths    []string
}

// between are the commits that to has and from has not, newest first, and the
// files that differ. from may be "". What cannot be read any more (a shallow
// or pruned history) ends the walk.
func (e *environment) between(ctx context.Context, from, to string) lineage {
	for _, l := range e.lineage {
		if l.to == to && l.from == from {
			return l
		}
	}
	l := lineage{from: from, to: to}
	known := map[string]bool{}
	for _, c := range e.history(ctx, from, nil, maxAncestors) {
		known[c.SHA] = true
	}
	l.commits = e.history(ctx, to, known, maxCommits)
	l.paths = e.changed(ctx, from, to)
	e.lineage = append(e.lineage, l)
	e.lineage = e.lineage[max(0, len(e.lineage)-keptLineages):]
	return l
}

// history walks parents, breadth first, up to a number of commits.
func (e *environment) history(ctx context.Context, from string, known map[string]bool, most int) []sources.Commit {
	var out []sources.Commit
	seen := map[string]bool{}
	for next := []string{from}; len(next) > 0 && len(out) < most; next = next[1:] {
		sha := next[0]
		if sha == "" || seen[sha] || known[sha] {
			continue
		}
		seen[sha] = true
		snap, err := e.d.opts.Source.Open(ctx, sha)
		if err != nil {
			continue
		}
		out = append(out, snap.Commit)
		next = append(next, snap.Commit.Parents...)
	}
	return out
}

// changed are the files that two commits' trees differ in. A folder that names
// its content is not entered when it is the same in both.
func (e *environment) changed(ctx context.Context, from, to string) []string {
	var out []string
	before, after := e.tree(ctx, from), e.tree(ctx, to)
	differ(before, after, ".", &out)
	slices.Sort(out)
	return out[:min(len(out), maxPaths)]
}

// tree of a commit; empty where it cannot be read.
func (e *environment) tree(ctx context.Context, sha string) fs.FS {
	if sha != "" {
		if snap, err := e.d.opts.Source.Open(ctx, sha); err == nil {
			return snap.Tree
		}
	}
	return nil
}

func differ(before, after fs.FS, dir string, out *[]string) {
	was, is := entries(before, dir), entries(after, dir)
	for name := range names(was, is) {
		a, b := was[name], is[name]
		switch full := path.Join(dir, name); {
		case a.id != nil && a.id == b.id && a.dir == b.dir:
		case a.dir || b.dir:
			differ(only(before, a.dir), only(after, b.dir), full, out)
			if a.there && !a.dir || b.there && !b.dir {
				*out = append(*out, full)
			}
		default:
			*out = append(*out, full)
		}
	}
}

// treeEntry is a name in a folder; id is what names its content, if anything.
type treeEntry struct {
	there, dir bool
	id         any
}

func entries(tree fs.FS, dir string) map[string]treeEntry {
	out := map[string]treeEntry{}
	if tree == nil {
		return out
	}
	list, err := fs.ReadDir(tree, dir)
	if err != nil {
		return out // what cannot be read holds nothing
	}
	for _, d := range list {
		e := treeEntry{there: true, dir: d.IsDir()}
		if info, err := d.Info(); err == nil {
			if id, ok := info.Sys().(sources.ContentID); ok {
				e.id = id
			}
		}
		out[d.Name()] = e
	}
	return out
}

func only(tree fs.FS, is bool) fs.FS {
	if is {
		return tree
	}
	return nil
}

// names of both.
func names(a, b map[string]treeEntry) map[string]bool {
	out := make(map[string]bool, max(len(a), len(b)))
	for name := range a {
		out[name] = true
	}
	for name := range b {
		out[name] = true
	}
	return out
}

// addCommits tells policy what brings the content.
func (w *world) addCommits(in *policy.Input, l lineage) {
	in.Commits = []policy.Commit{}
	for _, c := range l.commits {
		in.Commits = append(in.Commits, w.commitInput(c))
	}
	if len(in.Commits) == 0 {
		in.Commits = append(in.Commits, in.Commit)
	}
	in.Source.Paths = l.paths
}

// bringing are the commits that bring a content into this environment: those
// on its branch for what is at its head, those upstream for what would come.
func (p *pass) bringing(ctx context.Context, key record.Key) []sources.Commit {
	if p.head.release != nil && named(p.head.release).Key() == key {
		return p.e.between(ctx, p.admittedCommit(), p.head.snap.Commit.SHA).commits
	}
	if j := p.st.Judged; j != nil && j.Release.Key() == key {
		return p.e.between(ctx, p.admittedCommit(), j.Release.Commit).commits
	}
	for _, name := range p.spec.After {
		if up := p.e.d.place(name); up.InForce.Content == key.Content {
			return p.e.between(ctx, p.lastSource(name), up.InForce.Commit).commits
		}
	}
	return nil
}

// lastSource is the upstream commit whose content was last moved from there
// into this environment; what is behind it came before. "" when none was.
func (p *pass) lastSource(from string) string {
	for _, pr := range slices.Backward(p.st.Promotions) {
		if pr.From == from && pr.Outcome == "moved" && pr.Source != "" {
			return pr.Source
		}
	}
	return p.admittedCommit()
}

// admittedCommit is the commit last let into this environment. What is held
// since is not behind it.
func (p *pass) admittedCommit() string {
	if p.st.Admitted == nil {
		return ""
	}
	return p.st.Admitted.Release.Commit
}
