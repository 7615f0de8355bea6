package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"mooring.dev/policy/rego"
	"mooring.dev/sources"
	"mooring.dev/sources/git"
	"mooring.dev/sources/graft"
	"mooring.dev/sources/manifest"
)

// policySources finds policies that are not in the control branch's own
// folder.
type policySources struct {
	place  *place
	cache  string // folder of the repositories' stores
	notice func(error)

	mu    sync.Mutex
	repos map[string]*git.Repository
}

// withPolicies has a source's control branch show the policies it names.
func (p *place) withPolicies(source sources.Source, cache string, notice func(error)) sources.Source {
	found := &policySources{place: p, cache: cache + "-policies", notice: notice, repos: map[string]*git.Repository{}}
	return graft.New(graft.Options{Source: source, Control: p.control, Resolve: found.find, Notice: notice})
}

func (f *policySources) find(ctx context.Context, s manifest.PolicySource, control fs.FS) (graft.Found, error) {
	switch {
	case s.Repo != "":
		return f.fromRepository(ctx, s)
	case s.Bundle != "":
		return f.fromBundle(s, control)
	}
	tree, err := below(control, s.Path)
	return graft.Found{ID: s.Path, Tree: tree}, err
}

// below is a folder of a tree, which must be there.
func below(tree fs.FS, folder string) (fs.FS, error) {
	folder = path.Clean(folder)
	info, err := fs.Stat(tree, folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no folder %q", folder)
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%q is no folder", folder)
	}
	return fs.Sub(tree, folder)
}

func (f *policySources) fromRepository(ctx context.Context, s manifest.PolicySource) (graft.Found, error) {
	repo, err := f.repository(s.Repo)
	if err != nil {
		return graft.Found{}, err
	}
	snap, err := f.snapshot(ctx, repo, s)
	if err != nil {
		return graft.Found{}, err
	}
	folder := s.Path
	if folder == "" {
		folder = graft.Folder
	}
	tree, err := below(snap.Tree, folder)
	if err != nil {
		return graft.Found{}, fmt.Errorf("commit %s of %s: %w", snap.Commit.SHA, redacted(s.Repo), err)
	}
	return graft.Found{ID: snap.Commit.SHA + " " + folder, Tree: tree}, nil
}

// snapshot is the pinned commit, or the branch as it is now. What is pinned is
// kept, so that it need not be there still.
func (f *policySources) snapshot(ctx context.Context, repo *git.Repository, s manifest.PolicySource) (sources.Snapshot, error) {
	if s.Commit != "" {
		if snap, err := repo.Open(ctx, s.Commit); err == nil {
			return snap, nil
		}
	}
	branches, err := repo.Fetch(ctx)
	if err != nil {
		return sources.Snapshot{}, fmt.Errorf("read %s: %w", redacted(s.Repo), err)
	}
	if s.Ref != "" {
		snap, ok := branches[s.Ref]
		if !ok {
			return snap, fmt.Errorf("%s has no branch %q", redacted(s.Repo), s.Ref)
		}
		return snap, nil
	}
	snap, err := repo.Open(ctx, s.Commit)
	if err != nil {
		return snap, fmt.Errorf("%s: no branch of it has the commit %s: %w", redacted(s.Repo), s.Commit, err)
	}
	return snap, repo.Keep(ctx, "policies/"+s.Commit, s.Commit)
}

// repository opens a repository of policies. The credentials of the
// repository of state are for its own host; others have a token of their own.
func (f *policySources) repository(address string) (*git.Repository, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if repo := f.repos[address]; repo != nil {
		return repo, nil
	}
	sum := sha256.Sum256([]byte(address))
	o := git.Options{
		URL: address, Dir: filepath.Join(f.cache, hex.EncodeToString(sum[:8])), TokenEnv: "MOORING_POLICY_GIT_TOKEN",
		SSHKeyFile: f.place.sshKey, KnownHostsFile: f.place.knownHosts, CAFile: f.place.caFile, Files: f.place.files, Notice: f.notice,
	}
	if sameHost(address, f.place.repo) {
		o.User, o.TokenEnv, o.TokenFile = f.place.user, "MOORING_GIT_TOKEN", f.place.tokenFile
		if err := f.place.asApp(&o); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(f.cache, 0o700); err != nil {
		return nil, fmt.Errorf("folder of repositories: %w", err)
	}
	repo, err := git.Open(o)
	if err != nil {
		return nil, err
	}
	f.repos[address] = repo
	return repo, nil
}

// sameHost: two addresses are at one host, by one way.
func sameHost(a, b string) bool {
	one, err := url.Parse(a)
	other, otherErr := url.Parse(b)
	return err == nil && otherErr == nil && one.Host != "" && one.Scheme == other.Scheme && strings.EqualFold(one.Host, other.Host)
}

// redacted is an address without what may be a password in it.
func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return address
	}
	u.User = nil
	return u.String()
}

func (f *policySources) fromBundle(s manifest.PolicySource, control fs.FS) (graft.Found, error) {
	o := rego.OPABundleOptions{Digest: s.Digest, PublicKey: s.PublicKey}
	tree, name := control, path.Clean(s.Bundle)
	if file, ok := strings.CutPrefix(s.Bundle, "file:"); ok {
		if f.place.artifacts == "" {
			return graft.Found{}, fmt.Errorf("%s: no directory of artifacts is given; name one with --artifacts", s.Bundle)
		}
		root, err := os.OpenRoot(f.place.artifacts) // no link leads out of it
		if err != nil {
			return graft.Found{}, fmt.Errorf("%s: %w", s.Bundle, err)
		}
		defer root.Close()
		tree, name = root.FS(), path.Clean(file)
	}
	bundle, err := readBundle(tree, name, o)
	if err != nil {
		return graft.Found{}, fmt.Errorf("%s: %w", s.Bundle, err)
	}
	if bundle.Signed && s.PublicKey == "" && f.notice != nil {
		f.notice(fmt.Errorf("%s is signed, and spec.policies.publicKey names no key: its digest alone was checked", s.Bundle))
	}
	return graft.Found{ID: s.Digest, Tree: graft.Files(bundle.Files)}, nil
}

func readBundle(tree fs.FS, name string, o rego.OPABundleOptions) (rego.OPABundle, error) {
	info, err := fs.Stat(tree, name)
	if err != nil {
		return rego.OPABundle{}, err
	}
	if info.IsDir() {
		folder, err := fs.Sub(tree, name)
		if err != nil {
			return rego.OPABundle{}, err
		}
		return rego.ReadOPABundleFolder(folder, o)
	}
	file, err := tree.Open(name)
	if err != nil {
		return rego.OPABundle{}, err
	}
	defer file.Close()
	return rego.ReadOPABundle(io.Reader(file), o)
}
