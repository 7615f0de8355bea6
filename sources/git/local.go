package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"

	"mooring.dev/sources"
)

// local is an upstream on this machine's disk: bare, or with a work tree that
// is never looked at. It is read in place, without a git program.
type local struct {
	path      string
	maxObject int64
	secrets   []string
}

// layout is where a repository keeps its parts.
type layout struct {
	gitDir string // objects and branches
	bare   bool
}

// locate finds the repository at path: a bare one, one with a .git folder, or
// a linked work tree.
func locate(path string) (layout, error) {
	if isGitDir(path) {
		return layout{gitDir: path, bare: filepath.Base(path) != ".git"}, nil
	}
	dot := filepath.Join(path, ".git")
	if isGitDir(dot) {
		return layout{gitDir: dot}, nil
	}
	text, err := os.ReadFile(dot)
	target, found := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir:")
	if err != nil || !found {
		return layout{}, as(sources.ErrUnreachable, "%s is not a git repository", path)
	}
	linked := within(path, strings.TrimSpace(target))
	if common, err := os.ReadFile(filepath.Join(linked, "commondir")); err == nil {
		linked = within(linked, strings.TrimSpace(string(common)))
	}
	if !isGitDir(linked) {
		return layout{}, as(sources.ErrUnreachable, "%s points at %s, which is not a git repository", dot, linked)
	}
	return layout{gitDir: linked}, nil
}

func within(base, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(base, path)
}

func isGitDir(path string) bool {
	for _, part := range []string{"HEAD", "objects", "refs"} {
		if _, err := os.Stat(filepath.Join(path, part)); err != nil {
			return false
		}
	}
	return true
}

// open checks that the repository is of a kind that can be read.
func (u *local) open() (*gogit.Repository, layout, error) {
	where, err := locate(u.path)
	if err != nil {
		return nil, where, err
	}
	repository, err := gogit.PlainOpen(where.gitDir)
	if errors.Is(err, gogit.ErrUnknownExtension) || errors.Is(err, gogit.ErrUnsupportedRepositoryFormatVersion) {
		return nil, where, fmt.Errorf("%s: only SHA-1 repositories with plain files are read: %w", u.path, err)
	}
	if err != nil {
		return nil, where, as(sources.ErrUnreachable, "%s: %v", u.path, err)
	}
	return repository, where, nil
}

func (u *local) list(ctx context.Context) (heads, error) {
	const doing = "list branches"
	repository, where, err := u.open()
	if err != nil {
		return heads{}, fail(doing, nil, err, u.secrets...)
	}
	all := heads{branches: map[string]plumbing.Hash{}}
	if head, err := repository.Reference(plumbing.HEAD, false); err == nil {
		all.main, _ = branchOf(head.Target().String())
	}
	names, err := branchNames(where.gitDir)
	if err != nil {
		return heads{}, fail(doing, sources.ErrUnreachable, err, u.secrets...)
	}
	for _, name := range names {
		branch, ok := branchOf(name)
		if !ok {
			continue
		}
		ref, err := repository.Reference(plumbing.ReferenceName(name), true)
		switch {
		case errors.Is(err, plumbing.ErrReferenceNotFound):
			continue // it points nowhere, or went meanwhile: no branch
		case err != nil:
			return heads{}, fail(doing, sources.ErrUnreachable, fmt.Errorf("%s: %w", name, err), u.secrets...)
		}
		all.branches[branch] = ref.Hash()
	}
	return all, ctx.Err()
}

// branchNames are the names of loose and packed branches. Git's own *.lock
// files beside them are no branches, however long they have been lying there.
func branchNames(gitDir string) ([]string, error) {
	names := map[string]bool{}
	root := filepath.Join(gitDir, filepath.FromSlash(headsPrefix))
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".lock") {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a folder that was emptied and removed meanwhile
			}
			return err
		}
		rel, err := filepath.Rel(gitDir, path)
		if err != nil {
			return err
		}
		names[filepath.ToSlash(rel)] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	packed, err := os.ReadFile(filepath.Join(gitDir, "packed-refs"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(packed)) {
		if _, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.HasPrefix(name, headsPrefix) {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

func (u *local) bring(ctx context.Context, into *store, wants []plumbing.Hash) (err error) {
	const doing = "read repository"
	_, where, err := u.open()
	if err != nil {
		return fail(doing, nil, err, u.secrets...)
	}
	from := newStore(where.gitDir)
	defer func() { err = errors.Join(err, from.close()) }()
	order, err := missing(ctx, from, wants, into.complete)
	if err != nil {
		return fail(doing, sources.ErrUnreachable, err, u.secrets...)
	}
	return fail(doing, nil, into.transfer(ctx, from, order, u.maxObject), u.secrets...)
}

// push writes the objects and then moves the branch under git's own lock, so
// that it cannot cross a push of git's. Hooks do not run, and no reflog is
// written.
func (u *local) push(ctx context.Context, from *store, branch string, old, to plumbing.Hash) (err error) {
	const doing = "push"
	_, where, err := u.open()
	if err != nil {
		return fail(doing, nil, err, u.secrets...)
	}
	if used, err := checkedOut(where, branch); err != nil || used {
		if err == nil {
			err = as(sources.ErrRefused, "branch %s is checked out in %s", branch, u.path)
		}
		return fail(doing, nil, err)
	}
	now, err := u.list(ctx)
	if err != nil {
		return err
	}
	if now.branches[branch] != old {
		return fail(doing, nil, as(sources.ErrMoved, "branch %s is at %s", branch, now.branches[branch]))
	}
	order, err := unsent(ctx, from, to, now.branches)
	if err != nil {
		return fail(doing, nil, err)
	}
	there := newStore(where.gitDir)
	defer func() { err = errors.Join(err, there.close()) }()
	if err := there.transfer(ctx, from, order, u.maxObject); err != nil {
		return fail(doing, deniedAs(err), err)
	}
	err = moveRef(ctx, refMove{gitDir: where.gitDir, name: headsPrefix + branch, old: old, to: to})
	return fail(doing, deniedAs(err), err)
}

// deniedAs turns the file system's no into the contract's.
func deniedAs(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return sources.ErrRefused
	}
	return sources.ErrUnreachable
}

// checkedOut reports whether some work tree stands on the branch: moving it
// would make that work tree look as if everything had been edited.
func checkedOut(where layout, branch string) (bool, error) {
	var files []string
	if !where.bare {
		files = append(files, filepath.Join(where.gitDir, "HEAD"))
	}
	linked, err := filepath.Glob(filepath.Join(where.gitDir, "worktrees", "*", "HEAD"))
	if err != nil {
		return false, err
	}
	for _, file := range slices.Concat(files, linked) {
		text, err := os.ReadFile(file)
		if err != nil {
			return false, err
		}
		if strings.TrimSpace(string(text)) == "ref: "+headsPrefix+branch {
			return true, nil
		}
	}
	return false, nil
}

// unsent lists what a push has to bring: everything of the commit that is not
// in the history of a branch the upstream has.
func unsent(ctx context.Context, from *store, to plumbing.Hash, theirs map[string]plumbing.Hash) ([]plumbing.Hash, error) {
	known, err := reach(ctx, from, theirs)
	if err != nil {
		return nil, err
	}
	// What stands in the trees of the nearest commits they have is there too.
	edge := map[plumbing.Hash]bool{}
	queue := []plumbing.Hash{to}
	for seen := map[plumbing.Hash]bool{}; len(queue) > 0; {
		hash := queue[0]
		queue = queue[1:]
		if seen[hash] {
			continue
		}
		seen[hash] = true
		commit, err := from.commit(hash)
		if err != nil {
			return nil, err
		}
		if !known[hash] {
			queue = append(queue, commit.ParentHashes...)
		} else if err := from.inside(commit.TreeHash, edge, 0); err != nil {
			return nil, err
		}
	}
	return missing(ctx, from, []plumbing.Hash{to}, func(h plumbing.Hash) bool { return known[h] || edge[h] })
}

// reach is every commit in the history of branches, as far as it is here.
func reach(ctx context.Context, from *store, branches map[string]plumbing.Hash) (map[plumbing.Hash]bool, error) {
	known := map[plumbing.Hash]bool{}
	for _, tip := range branches {
		queue := []plumbing.Hash{tip}
		for len(queue) > 0 {
			hash := queue[len(queue)-1]
			queue = queue[:len(queue)-1]
			if known[hash] || !from.has(hash) {
				continue
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			known[hash] = true
			commit, err := from.commit(hash)
			if err != nil {
				return nil, err
			}
			queue = append(queue, commit.ParentHashes...)
		}
	}
	return known, nil
}

// inside adds a tree and everything below it to the set.
func (s *store) inside(tree plumbing.Hash, set map[plumbing.Hash]bool, depth int) error {
	if set[tree] || depth > maxDepth {
		return nil
	}
	set[tree] = true
	entries, err := s.tree(tree)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.octal != octalTree {
			set[e.hash] = true
		} else if err := s.inside(e.hash, set, depth+1); err != nil {
			return err
		}
	}
	return nil
}
