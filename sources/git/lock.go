package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"mooring.dev/sources"
)

// refMove is one reference going from one commit to another.
type refMove struct {
	gitDir string
	name   string // full: refs/heads/main
	old    plumbing.Hash
	to     plumbing.Hash
	force  bool // whatever old is
}

const (
	lockTries = 100
	lockPause = 10 * time.Millisecond
)

// moveRef moves a reference by git's own protocol: take name.lock, compare,
// write, rename. Git and this never overwrite each other.
func moveRef(ctx context.Context, m refMove) (err error) {
	path := filepath.Join(m.gitDir, filepath.FromSlash(m.name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return as(deniedKind(err), "folder of %s: %v", m.name, err)
	}
	lock, err := takeLock(ctx, path+".lock")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreMissing(os.Remove(lock.Name())))
		}
	}()
	if err := compareRef(m, path); err != nil {
		return errors.Join(err, lock.Close())
	}
	_, err = lock.WriteString(m.to.String() + "\n")
	if err = errors.Join(err, lock.Sync(), lock.Close()); err != nil {
		return fmt.Errorf("write %s: %w", m.name, err)
	}
	if at, err := os.Lstat(path); err == nil && at.IsDir() {
		// git leaves empty folders behind; a full one holds other branches.
		if err := os.Remove(path); err != nil {
			return as(sources.ErrRefused, "%s is a folder of branches", m.name)
		}
	}
	return os.Rename(lock.Name(), path)
}

func deniedKind(err error) error {
	if errors.Is(err, fs.ErrPermission) || !errors.Is(err, fs.ErrNotExist) {
		return sources.ErrRefused // read-only, or a branch stands where a folder is needed
	}
	return sources.ErrUnreachable
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// takeLock creates the lock file, waiting a second for whoever holds it.
func takeLock(ctx context.Context, path string) (*os.File, error) {
	for range lockTries {
		lock, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err == nil {
			return lock, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, as(deniedKind(err), "%v", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockPause):
		}
	}
	return nil, as(sources.ErrUnreachable, "%s exists: somebody else is writing, or died writing", path)
}

// compareRef holds the reference's present value against what the move
// expects. The caller has the lock.
func compareRef(m refMove, path string) error {
	if m.force {
		return nil
	}
	now, err := readRef(m, path)
	if err != nil {
		return err
	}
	if now != m.old {
		return as(sources.ErrMoved, "%s is at %s", m.name, now)
	}
	return nil
}

// readRef is the reference's value, zero if there is none.
func readRef(m refMove, path string) (plumbing.Hash, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		value := strings.TrimSpace(string(text))
		if !plumbing.IsHash(value) {
			return plumbing.ZeroHash, as(sources.ErrRefused, "%s is not a plain branch", m.name)
		}
		return plumbing.NewHash(value), nil
	}
	if info, stat := os.Lstat(path); stat == nil && !info.IsDir() {
		return plumbing.ZeroHash, fmt.Errorf("read %s: %w", m.name, err)
	}
	return packedRef(m)
}

// packedRef looks the reference up in packed-refs, and refuses a name that
// would be a folder of, or lie within, another branch.
func packedRef(m refMove) (found plumbing.Hash, err error) {
	file, err := os.Open(filepath.Join(m.gitDir, "packed-refs"))
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return found, fmt.Errorf("read %s: %w", m.name, err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		value, name, ok := strings.Cut(lines.Text(), " ")
		if !ok || !plumbing.IsHash(value) {
			continue
		}
		if name == m.name {
			return plumbing.NewHash(value), nil
		}
		if strings.HasPrefix(name, m.name+"/") || strings.HasPrefix(m.name, name+"/") {
			return found, as(sources.ErrRefused, "%s and %s cannot both exist", m.name, name)
		}
	}
	return found, lines.Err()
}
