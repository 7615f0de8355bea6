package git

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"mooring.dev/sources"
)

// Propose moves content onto a branch and pushes it, if the branch is still
// where the edit thought. A branch that already has the content stays as it
// is; one that is behind is moved forward; else a merge commit of both is
// made. A branch that does not exist is created, but not for a Path alone.
//
// With Onto the branch is one that is offered: it comes to hold what another
// branch at Onto is to take, replacing what it held, if that is what the edit
// thought. One that offers the same already stays as it is.
//
// On a local repository git's hooks do not run; a branch on which some work
// tree stands is refused.
func (r *Repository) Propose(ctx context.Context, e sources.Edit) (sources.Proposal, error) {
	r.fetching.Lock()
	defer r.fetching.Unlock()
	ctx, cancel := context.WithTimeout(ctx, r.options.Timeout)
	defer cancel()
	doing := "propose to branch " + scrub(e.Branch)
	work, err := r.prepareEdit(ctx, e)
	if err != nil {
		return sources.Proposal{}, fail(doing, nil, err)
	}
	to, err := r.compose(ctx, work)
	if err == nil && e.Onto != "" {
		to, err = r.offered(ctx, work, to)
	}
	if err != nil {
		return sources.Proposal{}, fail(doing, nil, err)
	}
	if to != work.there {
		if err := r.upstream.push(ctx, r.store, e.Branch, work.there, to); err != nil {
			return sources.Proposal{}, fail(doing, nil, err)
		}
	}
	return sources.Proposal{SHA: to.String(), FastForward: to == work.target || to == work.source}, nil
}

// offered is what the branch holds already, if that is what to would offer.
func (r *Repository) offered(ctx context.Context, work edit, to plumbing.Hash) (plumbing.Hash, error) {
	if work.there.IsZero() {
		return to, nil
	}
	now, err := r.store.commit(work.there)
	if err != nil {
		return to, err
	}
	wanted, err := r.store.commit(to)
	if err != nil || now.TreeHash != wanted.TreeHash {
		return to, err
	}
	onto, err := r.store.isAncestor(ctx, work.target, work.there)
	if onto && err == nil {
		return work.there, nil
	}
	return to, err
}

// edit is an Edit whose commits are known to be in the store.
type edit struct {
	sources.Edit
	there  plumbing.Hash // where the branch is; zero: it does not exist
	target plumbing.Hash // that the content comes onto; zero: nothing
	source plumbing.Hash
}

func (r *Repository) prepareEdit(ctx context.Context, e sources.Edit) (edit, error) {
	work := edit{Edit: e}
	if !validBranch(e.Branch) {
		return work, errors.New("not a valid branch name")
	}
	for _, path := range []string{e.Path, e.SourcePath} {
		if path != "" && !fs.ValidPath(path) {
			return work, fmt.Errorf("path %q is not a path within the repository", path)
		}
	}
	if e.Path == "." {
		work.Path = ""
	}
	if work.Path == "" && e.SourcePath == "." {
		work.SourcePath = ""
	}
	var err error
	if work.source, err = parseSHA(e.Source); err != nil {
		return work, err
	}
	if !r.store.has(work.source) {
		return work, as(sources.ErrUnknownCommit, "%s", e.Source)
	}
	if e.Expect != "" {
		if work.there, err = parseSHA(e.Expect); err != nil {
			return work, err
		}
	}
	if work.target = work.there; e.Onto != "" {
		if work.target, err = parseSHA(e.Onto); err != nil {
			return work, err
		}
	}
	now, err := r.upstream.list(ctx)
	if err != nil {
		return work, err
	}
	if now.branches[e.Branch] != work.there {
		return work, as(sources.ErrMoved, "it is at %s", now.branches[e.Branch])
	}
	var lacking []plumbing.Hash
	for _, commit := range []plumbing.Hash{work.there, work.target} {
		if !commit.IsZero() && !r.store.has(commit) {
			lacking = append(lacking, commit)
		}
	}
	if len(lacking) > 0 {
		return work, r.upstream.bring(ctx, r.store, lacking)
	}
	return work, nil
}

// compose finds or writes the commit the branch is to be at.
func (r *Repository) compose(ctx context.Context, work edit) (plumbing.Hash, error) {
	if work.target.IsZero() {
		if work.Path != "" || work.SourcePath != "" || len(work.Files) > 0 {
			return plumbing.ZeroHash, errors.New("a path is wanted on a branch that does not exist")
		}
		return work.source, nil
	}
	source, err := r.store.commit(work.source)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	target, err := r.store.commit(work.target)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	tree := source.TreeHash
	if work.Path != "" || work.SourcePath != "" {
		if tree, err = r.graft(target.TreeHash, source.TreeHash, work.Edit); err != nil {
			return plumbing.ZeroHash, err
		}
	}
	if tree, err = r.lay(tree, work.Files); err != nil {
		return plumbing.ZeroHash, err
	}
	if tree == target.TreeHash {
		return work.target, nil
	}
	forward, err := r.store.isAncestor(ctx, work.target, work.source)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if forward && tree == source.TreeHash {
		return work.source, nil
	}
	return r.merge(ctx, work, tree)
}

// merge writes the commit that brings tree onto the target. A source that the
// target already has in its history is no second parent.
func (r *Repository) merge(ctx context.Context, work edit, tree plumbing.Hash) (plumbing.Hash, error) {
	parents := []plumbing.Hash{work.target, work.source}
	had, err := r.store.isAncestor(ctx, work.source, work.target)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if had {
		parents = parents[:1]
	}
	now := r.options.Now()
	committer := stamp(r.options.Author, now)
	author := committer
	if work.Author != (sources.Identity{}) {
		author = stamp(work.Author, now)
	}
	return r.store.newCommit(object.Commit{
		Author: author, Committer: committer, Message: work.Message, TreeHash: tree, ParentHashes: parents,
	}, r.sign())
}

// graft is the tree of onto with the folder or file at the edit's path taken
// from the tree of from.
func (r *Repository) graft(onto, from plumbing.Hash, e sources.Edit) (plumbing.Hash, error) {
	source := cmp.Or(e.SourcePath, e.Path)
	taken := entry{octal: octalTree, hash: from}
	for part := range strings.SplitSeq(source, "/") {
		if part == "." {
			continue
		}
		entries, err := r.folder(taken)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		var found bool
		if taken, found = lookup(entries, part); !found {
			return plumbing.ZeroHash, fmt.Errorf("the source has no %q: nothing is removed by copying", source)
		}
	}
	if e.Path == "" {
		if taken.octal != octalTree {
			return plumbing.ZeroHash, fmt.Errorf("%q is no folder", source)
		}
		return taken.hash, nil
	}
	return r.replace(entry{octal: octalTree, hash: onto}, strings.Split(e.Path, "/"), taken)
}

// folder is the entries of a folder; a file has none.
func (r *Repository) folder(e entry) ([]entry, error) {
	if e.octal != octalTree || e.hash.IsZero() {
		return nil, nil
	}
	return r.store.tree(e.hash)
}

// replace writes the trees from path upwards with a new entry at its end.
func (r *Repository) replace(at entry, path []string, with entry) (plumbing.Hash, error) {
	entries, err := r.folder(at)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	below, _ := lookup(entries, path[0])
	if len(path) > 1 {
		hash, err := r.replace(below, path[1:], with)
		if err != nil {
			return plumbing.ZeroHash, err
		}
		with = entry{octal: octalTree, hash: hash}
	}
	with.name = path[0]
	kept := slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return e.name == path[0] })
	return r.store.write(plumbing.TreeObject, encodeTree(append(kept, with)))
}
