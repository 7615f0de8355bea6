package git

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"

	"mooring.dev/sources"
)

const (
	headsPrefix = "refs/heads/"          // of an upstream
	trackPrefix = "refs/remotes/origin/" // of the store: what was fetched last
	keepPrefix  = "refs/mooring/keep/"   // of the store: what is pinned
)

// maxRefName bounds a branch name, in bytes: longer ones are no file name.
const maxRefName = 250

// branchOf gives the branch a full reference name stands for, if it is one
// that cannot be mistaken for something else: git's own rules for names, so
// that a name never leaves the folder it is stored in.
func branchOf(ref string) (string, bool) {
	branch, found := strings.CutPrefix(ref, headsPrefix)
	if !found || !validBranch(branch) {
		return "", false
	}
	return branch, true
}

// validBranch holds a name against git's rules for references.
func validBranch(name string) bool {
	if name == "" || len(name) > maxRefName || name == "@" || strings.HasSuffix(name, ".") {
		return false
	}
	if strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.HasPrefix(name, "-") {
		return false
	}
	for _, r := range name {
		if r <= ' ' || r == 0x7f || r == '\uFFFD' || strings.ContainsRune(`~^:?*[\`, r) {
			return false
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}

// track makes the store's references say what the upstream's did.
func (r *Repository) track(ctx context.Context, branches map[string]sources.Snapshot) error {
	r.naming.Lock()
	defer r.naming.Unlock()
	held, err := r.store.refs(trackPrefix)
	if err != nil {
		return err
	}
	for branch := range held {
		if _, there := branches[branch]; !there {
			if err := r.removeRef(trackPrefix + branch); err != nil {
				return err
			}
		}
	}
	for branch, snapshot := range branches {
		if hash := plumbing.NewHash(snapshot.Commit.SHA); held[branch] != hash {
			move := refMove{gitDir: r.store.gitDir, name: trackPrefix + branch, to: hash, force: true}
			if err := moveRef(ctx, move); err != nil {
				return err
			}
		}
	}
	return nil
}

// refs are the store's own references below a prefix, by the rest of the name.
func (s *store) refs(prefix string) (map[string]plumbing.Hash, error) {
	repository, err := gogit.PlainOpen(s.gitDir)
	if err != nil {
		return nil, err
	}
	all, err := repository.References()
	if err != nil {
		return nil, err
	}
	found := map[string]plumbing.Hash{}
	err = all.ForEach(func(ref *plumbing.Reference) error {
		if rest, ok := strings.CutPrefix(ref.Name().String(), prefix); ok && ref.Type() == plumbing.HashReference {
			found[rest] = ref.Hash()
		}
		return nil
	})
	return found, err
}

func (r *Repository) removeRef(name string) error {
	repository, err := gogit.PlainOpen(r.store.gitDir)
	if err != nil {
		return err
	}
	if err := repository.Storer.RemoveReference(plumbing.ReferenceName(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
