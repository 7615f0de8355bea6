package git

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

const (
	maxCommitBytes = 1 << 20
	maxTreeBytes   = 16 << 20
	objectCache    = 32 * cache.MiByte
	// largeObject is from where on a blob is streamed from disk, in bytes.
	largeObject = 16 << 20
	// maxCached bounds what a store remembers of trees and sizes, in entries.
	maxCached = 300_000
)

// storage is the part of go-git's storages a store needs.
type storage interface {
	EncodedObject(plumbing.ObjectType, plumbing.Hash) (plumbing.EncodedObject, error)
	HasEncodedObject(plumbing.Hash) error
	EncodedObjectSize(plumbing.Hash) (int64, error)
	SetEncodedObject(plumbing.EncodedObject) (plumbing.Hash, error)
}

// store reads and writes the objects of one bare repository on disk. It is
// safe for concurrent use, which go-git's storage is not, and it survives an
// outside gc: what is not found is looked for once more in a fresh storage.
type store struct {
	gitDir string
	// damaged says that what is here may lack parts: only being there then
	// proves nothing. Written by Open and Fetch alone, under their lock.
	damaged bool

	mu      sync.Mutex
	layers  []storage // the repository, then its alternates
	fixed   bool      // layers are in memory and not opened again
	trees   map[plumbing.Hash][]entry
	entries int // in trees, in total
	sizes   map[plumbing.Hash]int64
}

func newStore(gitDir string) *store {
	return &store{gitDir: gitDir, trees: map[plumbing.Hash][]entry{}, sizes: map[plumbing.Hash]int64{}}
}

// newMemory is a store over objects that never touched the disk.
func newMemory(objects storage) *store {
	s := newStore("")
	s.layers, s.fixed = []storage{objects}, true
	return s
}

// close frees the files the store holds open. The store opens them again when asked.
func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drop()
}

func (s *store) drop() error {
	if s.fixed {
		return nil
	}
	var errs []error
	for _, layer := range s.layers {
		if closer, ok := layer.(io.Closer); ok {
			errs = append(errs, closer.Close())
		}
	}
	s.layers = nil
	return errors.Join(errs...)
}

// open returns the layers; the caller holds mu.
func (s *store) open() []storage {
	if s.layers == nil {
		options := filesystem.Options{KeepDescriptors: true, LargeObjectThreshold: largeObject}
		for _, dir := range objectDirs(s.gitDir) {
			s.layers = append(s.layers, filesystem.NewStorageWithOptions(
				osfs.New(dir), cache.NewObjectLRU(objectCache), options))
		}
	}
	return s.layers
}

// objectDirs is the repository and the repositories it borrows objects from.
func objectDirs(gitDir string) []string {
	dirs := []string{gitDir}
	for i := 0; i < len(dirs) && i < 8; i++ {
		objects := filepath.Join(dirs[i], "objects")
		text, err := os.ReadFile(filepath.Join(objects, "info", "alternates"))
		if err != nil {
			continue // none: the usual case
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			if !filepath.IsAbs(line) {
				line = filepath.Join(objects, line)
			}
			dirs = append(dirs, filepath.Dir(filepath.Clean(line)))
		}
	}
	return dirs
}

// find calls get on every layer until one has the object, then, in case the
// files have changed beneath us, once more on fresh layers.
func (s *store) find(get func(storage) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.each(get)
	if err == nil {
		return nil
	}
	if closing := s.drop(); closing != nil {
		return errors.Join(err, closing)
	}
	return s.each(get)
}

func (s *store) each(get func(storage) error) error {
	err := plumbing.ErrObjectNotFound
	for _, layer := range s.open() {
		if err = get(layer); !errors.Is(err, plumbing.ErrObjectNotFound) {
			break
		}
	}
	return err
}

// has reports whether the object is here. It does not look twice.
func (s *store) has(hash plumbing.Hash) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.each(func(l storage) error { return l.HasEncodedObject(hash) }) == nil
}

// complete reports whether the object is here with all it needs. Objects are
// written after what they need, so being here is enough, but for damage.
func (s *store) complete(hash plumbing.Hash) bool { return !s.damaged && s.has(hash) }

// size is the length of an object in bytes, from its header.
func (s *store) size(hash plumbing.Hash) (int64, error) {
	s.mu.Lock()
	size, known := s.sizes[hash]
	s.mu.Unlock()
	if known {
		return size, nil
	}
	err := s.find(func(l storage) (err error) {
		size, err = l.EncodedObjectSize(hash)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("object %s: %w", hash, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sizes) >= maxCached {
		clear(s.sizes)
	}
	s.sizes[hash] = size
	return size, nil
}

// reader streams an object of the kind asked for.
func (s *store) reader(kind plumbing.ObjectType, hash plumbing.Hash) (io.ReadCloser, plumbing.ObjectType, error) {
	var stream io.ReadCloser
	err := s.find(func(l storage) error {
		found, err := l.EncodedObject(kind, hash)
		if err != nil {
			return err
		}
		kind = found.Type()
		stream, err = found.Reader()
		return err
	})
	if err != nil {
		return nil, kind, fmt.Errorf("object %s: %w", hash, err)
	}
	return stream, kind, nil
}

// whole reads an object of at most limit bytes.
func (s *store) whole(kind plumbing.ObjectType, hash plumbing.Hash, limit int64) ([]byte, error) {
	size, err := s.size(hash)
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, as(ErrTooLarge, "%s %s has %d bytes, %d are allowed", kind, hash, size, limit)
	}
	stream, _, err := s.reader(kind, hash)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, size)
	_, err = io.ReadFull(stream, raw)
	if err = errors.Join(err, stream.Close()); err != nil {
		return nil, fmt.Errorf("object %s: %w", hash, err)
	}
	return raw, nil
}

// tree reads and remembers the entries of a tree. They must not be written to.
func (s *store) tree(hash plumbing.Hash) ([]entry, error) {
	s.mu.Lock()
	entries, known := s.trees[hash]
	s.mu.Unlock()
	if known {
		return entries, nil
	}
	raw, err := s.whole(plumbing.TreeObject, hash, maxTreeBytes)
	if err != nil {
		return nil, err
	}
	if entries, err = parseTree(raw); err != nil {
		return nil, fmt.Errorf("tree %s: %w", hash, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries+len(entries) > maxCached {
		clear(s.trees)
		s.entries = 0
	}
	s.trees[hash] = entries
	s.entries += len(entries) + 1
	return entries, nil
}

// commit reads and decodes a commit.
func (s *store) commit(hash plumbing.Hash) (*object.Commit, error) {
	raw, err := s.whole(plumbing.CommitObject, hash, maxCommitBytes)
	if err != nil {
		return nil, err
	}
	memory := &plumbing.MemoryObject{}
	memory.SetType(plumbing.CommitObject)
	if _, err := memory.Write(raw); err != nil {
		return nil, fmt.Errorf("commit %s: %w", hash, err)
	}
	commit := &object.Commit{}
	if err := commit.Decode(memory); err != nil {
		return nil, fmt.Errorf("commit %s: %w", hash, err)
	}
	return commit, nil
}

// write adds a loose object and returns its hash.
func (s *store) write(kind plumbing.ObjectType, raw []byte) (plumbing.Hash, error) {
	memory := &plumbing.MemoryObject{}
	memory.SetType(kind)
	if _, err := memory.Write(raw); err != nil {
		return plumbing.ZeroHash, err
	}
	return s.put(memory)
}

func (s *store) put(o plumbing.EncodedObject) (plumbing.Hash, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hash, err := s.open()[0].SetEncodedObject(o)
	if err != nil {
		return hash, fmt.Errorf("write object: %w", err)
	}
	return hash, nil
}
