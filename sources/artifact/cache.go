package artifact

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// inUse is how long a blob that was handed out is left alone.
const inUse = time.Hour

const temporary = "download-"

// cache is a folder of files named by their SHA-256.
type cache struct {
	dir string
	max int64
	now func() time.Time
}

// find returns a blob after hashing it again: a disk may rot, and a folder
// may be written to. What does not match is dropped.
func (c cache) find(sum string) (Blob, bool) {
	path := filepath.Join(c.dir, sum)
	size, got, err := hashFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Blob{}, false
	}
	if err != nil || got != sum {
		// Not being able to drop it is no reason to trust it: the fresh
		// copy replaces it by name.
		_ = os.Remove(path)
		return Blob{}, false
	}
	now := c.now()
	// The time of last use; if it cannot be set the blob is dropped sooner.
	_ = os.Chtimes(path, now, now)
	return Blob{Path: path, Digest: "sha256:" + sum, Size: size}, true
}

func hashFile(path string) (size int64, sum string, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, "", err
	}
	if !info.Mode().IsRegular() {
		return 0, "", fmt.Errorf("%s is not a plain file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	hash := sha256.New()
	size, err = io.Copy(hash, file)
	return size, hex.EncodeToString(hash.Sum(nil)), err
}

// create makes a file to download into.
func (c cache) create() (*os.File, error) {
	file, err := os.CreateTemp(c.dir, temporary)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	return file, nil
}

// discard closes and removes a download, if keep has not taken it.
func (c cache) discard(file *os.File) error {
	err := file.Close()
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	if gone := os.Remove(file.Name()); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		return errors.Join(err, gone)
	}
	return err
}

// keep moves a verified download to its place, in one step.
func (c cache) keep(file *os.File, sum string, size int64) (Blob, error) {
	path := filepath.Join(c.dir, sum)
	err := errors.Join(file.Sync(), file.Chmod(0o400), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return Blob{}, fmt.Errorf("cache: %w", err)
	}
	if err := c.trim(); err != nil {
		return Blob{}, fmt.Errorf("cache: %w", err)
	}
	return Blob{Path: path, Digest: "sha256:" + sum, Size: size}, nil
}

// trim drops what was used longest ago until the cache fits, and downloads
// that were never finished.
func (c cache) trim() error {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	var files []fs.FileInfo
	var total int64
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			continue // removed meanwhile
		}
		files = append(files, info)
		total += info.Size()
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	for _, info := range files {
		old := c.now().Sub(info.ModTime()) > inUse
		abandoned := strings.HasPrefix(info.Name(), temporary)
		if !old || total <= c.max && !abandoned {
			continue
		}
		if err := os.Remove(filepath.Join(c.dir, info.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		total -= info.Size()
	}
	return nil
}
