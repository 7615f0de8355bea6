// Package git is a Git repository as a source: it keeps a bare store of its
// own, brings branches into it from a local path, over HTTP or over SSH,
// shows commits as immutable file trees, and moves content between branches
// by compare-and-swap.
//
// It refuses to write a work tree, to run a program, to follow a link in a
// tree, to send credentials to another host than the one it was told, and to
// trust an SSH host it was not told about. It verifies no signatures: it says
// that there is one, and what it was made over. SHA-256 repositories, reftables and partial clones are
// not read.
package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"golang.org/x/crypto/ssh"

	"mooring.dev/sources"
	"mooring.dev/sources/reread"
)

// Repository follows one upstream repository. Its methods may be called at
// the same time.
type Repository struct {
	options  Options
	upstream upstream
	local    *local // nil unless upstream is on this disk
	store    *store
	signing  *reread.File[ssh.Signer] // nil: merge commits are not signed

	fetching sync.Mutex // one fetch or push at a time
	// naming is held while the store's references are written: never for as
	// long as an upstream takes to answer, so that Keep never waits for one.
	naming sync.Mutex

	mu   sync.Mutex
	main string
	seen map[plumbing.Hash]sources.Snapshot // of the last fetch
}

var (
	_ sources.Source   = (*Repository)(nil)
	_ sources.Proposer = (*Repository)(nil)
)

// Open opens or creates the store. It does not speak to the upstream yet.
func Open(options Options) (*Repository, error) {
	if err := options.validate(); err != nil {
		return nil, fmt.Errorf("open repository: %w", err)
	}
	options.setDefaults()
	r := &Repository{options: options, seen: map[plumbing.Hash]sources.Snapshot{}}
	var err error
	if r.signing, err = options.signingKey(); err != nil {
		return nil, fmt.Errorf("open repository: %w", err)
	}
	if err := r.connect(); err != nil {
		return nil, fmt.Errorf("open repository: %w", err)
	}
	dir, err := filepath.Abs(options.Dir)
	if err != nil {
		return nil, fmt.Errorf("open repository: %w", err)
	}
	if err := prepare(dir); err != nil {
		return nil, fmt.Errorf("open repository: store: %w", err)
	}
	r.store = newStore(dir)
	if r.store.damaged, err = recoverStore(dir); err != nil {
		return nil, fmt.Errorf("open repository: store: %w", err)
	}
	if r.store.damaged {
		options.Notice(errors.New("the store was damaged, likely by a loss of power: everything is fetched again"))
	}
	return r, nil
}

// prepare makes sure there is a bare repository, without what an interrupted
// fetch left behind.
func prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	_, err := gogit.PlainOpen(dir)
	if errors.Is(err, gogit.ErrRepositoryNotExists) {
		_, err = gogit.PlainInit(dir, true)
	}
	if err != nil {
		return err
	}
	return sweep(dir)
}

// sweep removes temporary packs. Only one Repository uses a store.
func sweep(dir string) error {
	var errs []error
	for _, pattern := range []string{"tmp_pack_*", receivedPattern} {
		left, err := filepath.Glob(filepath.Join(dir, "objects", "pack", pattern))
		errs = append(errs, err)
		for _, path := range left {
			errs = append(errs, ignoreMissing(os.Remove(path)))
		}
	}
	return errors.Join(errs...)
}

// Close frees the files the store holds open.
func (r *Repository) Close() error {
	r.fetching.Lock()
	defer r.fetching.Unlock()
	err := r.store.close()
	if !r.store.damaged { // else the next one must look again
		err = errors.Join(err, closed(r.store.gitDir))
	}
	return err
}

// DefaultBranch is the branch the upstream's HEAD named at the last Fetch, or "".
func (r *Repository) DefaultBranch() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.main
}

// maxRounds bounds how often one Fetch starts again because the upstream
// moved beneath it.
const maxRounds = 3

// Fetch lists the branches and brings what is new. An empty repository has no
// branches, which is no error; names that are no valid branch, and branches
// that are no commit, are left out.
func (r *Repository) Fetch(ctx context.Context) (map[string]sources.Snapshot, error) {
	r.fetching.Lock()
	defer r.fetching.Unlock()
	ctx, cancel := context.WithTimeout(ctx, r.options.Timeout)
	defer cancel()
	var before heads
	var failed error
	for range maxRounds {
		now, err := r.upstream.list(ctx)
		if err != nil {
			return nil, err
		}
		if failed != nil && maps.Equal(before.branches, now.branches) {
			return nil, failed // nothing moved: trying again would fail again
		}
		if failed = r.bring(ctx, now); failed == nil {
			return r.record(ctx, now)
		}
		before = now
	}
	return nil, failed
}

// bring copies the commits that the store lacks.
func (r *Repository) bring(ctx context.Context, now heads) error {
	var wants []plumbing.Hash
	for _, hash := range now.branches {
		if !r.store.complete(hash) && !slices.Contains(wants, hash) {
			wants = append(wants, hash)
		}
	}
	if len(wants) == 0 {
		return nil
	}
	slices.SortFunc(wants, func(a, b plumbing.Hash) int { return strings.Compare(a.String(), b.String()) })
	if err := r.upstream.bring(ctx, r.store, wants); err != nil {
		return err
	}
	for _, want := range wants {
		if !r.store.has(want) {
			return fail("fetch", nil, as(sources.ErrUnreachable, "%s was promised and not sent", want))
		}
	}
	r.store.damaged = false
	return nil
}

// record describes what was fetched and lets references of the store hold it.
func (r *Repository) record(ctx context.Context, now heads) (map[string]sources.Snapshot, error) {
	out := make(map[string]sources.Snapshot, len(now.branches))
	seen := make(map[plumbing.Hash]sources.Snapshot, len(now.branches))
	r.mu.Lock()
	before := r.seen
	r.mu.Unlock()
	for branch, hash := range now.branches {
		snapshot, known := before[hash]
		if !known {
			var err error
			snapshot, err = r.store.snapshot(hash)
			if errors.Is(err, sources.ErrUnknownCommit) {
				continue // a tag or a blob by the name of a branch
			}
			if err != nil {
				return nil, fail("read branch "+branch, nil, err)
			}
		}
		out[branch], seen[hash] = snapshot, snapshot
	}
	if err := r.track(ctx, out); err != nil {
		return nil, fail("record branches", nil, err)
	}
	if err := r.store.tidy(ctx); err != nil {
		r.options.Notice(err) // what was fetched is good all the same
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen, r.main = seen, now.main
	return out, nil
}

// Open returns a commit the store holds.
func (r *Repository) Open(_ context.Context, sha string) (sources.Snapshot, error) {
	hash, err := parseSHA(sha)
	if err != nil {
		return sources.Snapshot{}, fail("open commit", nil, err)
	}
	snapshot, err := r.store.snapshot(hash)
	return snapshot, fail("open commit", nil, err)
}

// Keep pins a commit of the store under refs/mooring/keep/NAME. The name
// follows git's rules for branches.
func (r *Repository) Keep(ctx context.Context, name, sha string) error {
	doing := fmt.Sprintf("keep %q", name)
	if !validBranch(name) {
		return fail(doing, nil, errors.New("not a valid name"))
	}
	r.naming.Lock()
	defer r.naming.Unlock()
	if sha == "" {
		return fail(doing, nil, r.removeRef(keepPrefix+name))
	}
	hash, err := parseSHA(sha)
	if err != nil {
		return fail(doing, nil, err)
	}
	if !r.store.has(hash) {
		return fail(doing, nil, as(sources.ErrUnknownCommit, "%s", sha))
	}
	move := refMove{gitDir: r.store.gitDir, name: keepPrefix + name, to: hash, force: true}
	return fail(doing, nil, moveRef(ctx, move))
}

// Classify says how a branch got from one commit to another. It walks
// parents and reads no dates. Both commits must be in the store.
func (r *Repository) Classify(ctx context.Context, from, to string) (sources.Update, error) {
	const doing = "classify update"
	switch {
	case from == to:
		return sources.UpdateNone, nil
	case to == "":
		return sources.UpdateDeleted, nil
	case from == "":
		return sources.UpdateCreated, nil
	}
	old, err := parseSHA(from)
	if err != nil {
		return "", fail(doing, nil, err)
	}
	tip, err := parseSHA(to)
	if err != nil {
		return "", fail(doing, nil, err)
	}
	for _, hash := range []plumbing.Hash{old, tip} {
		if !r.store.has(hash) {
			return "", fail(doing, nil, as(sources.ErrUnknownCommit, "%s", hash))
		}
	}
	forward, err := r.store.isAncestor(ctx, old, tip)
	if err != nil {
		return "", fail(doing, nil, err)
	}
	if !forward {
		return sources.UpdateForced, nil
	}
	commit, err := r.store.commit(tip)
	if err != nil {
		return "", fail(doing, nil, err)
	}
	if len(commit.ParentHashes) > 1 {
		return sources.UpdateMerge, nil
	}
	return sources.UpdateFastForward, nil
}
