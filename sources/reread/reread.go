// Package reread reads files that are replaced while a process runs: tokens,
// keys, certificates. What a file said last stays in use while what it says now
// cannot be used, and that is told once. It watches nothing: a file is read
// when somebody asks. It refuses to let what a file says into an error.
package reread

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
)

// limit bounds a file, in bytes.
const limit = 1 << 20

// Renewer is one thing that may be replaced.
type Renewer interface {
	// Name is what people know it by; it holds no secret.
	Name() string
	// Renew takes what there is now. changed: it is another than when Renew was
	// called last, or than what was first taken. After an error what was taken
	// before stays in use.
	Renew(ctx context.Context) (changed bool, err error)
}

// Set is all that one process reads anew. The zero Set is empty, and of a nil
// one nothing is told. Safe for concurrent use.
type Set struct {
	// Notice is told, once, why a file cannot be used whose former content stays;
	// may be nil. Set before use.
	Notice func(error)

	mu    sync.Mutex
	items []Renewer
}

// Add puts something into the set, in place of what has the same name.
func (s *Set) Add(r Renewer) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items = append(slices.DeleteFunc(s.items, func(old Renewer) bool { return old.Name() == r.Name() }), r)
}

// Renewed is what came of renewing a Set, by names in the order they were added.
type Renewed struct {
	Changed []string
	Kept    []string // what cannot be used now, so that what was before stays
	Err     error    // of all that are kept
}

// Renew takes everything anew.
func (s *Set) Renew(ctx context.Context) Renewed {
	var done Renewed
	if s == nil {
		return done
	}
	s.mu.Lock()
	items := slices.Clone(s.items)
	s.mu.Unlock()
	for _, r := range items {
		changed, err := r.Renew(ctx)
		if err != nil {
			done.Kept, done.Err = append(done.Kept, r.Name()), errors.Join(done.Err, err)
		} else if changed {
			done.Changed = append(done.Changed, r.Name())
		}
	}
	return done
}

// Spec says which file, and what it holds.
type Spec[T any] struct {
	What string // "Git token": what people call it
	Path string
	// Parse makes a value of a file's content; its error holds nothing of it.
	Parse func(data []byte) (T, error)
}

// File is a value that stands in a file. Safe for concurrent use.
type File[T any] struct {
	spec Spec[T]
	set  *Set

	mu    sync.Mutex
	known bool              // there is a value
	value T                 // of the last content that could be used
	sum   [sha256.Size]byte // of that content
	told  [sha256.Size]byte // sum when Renew was called last
	said  string            // the fault that was told last
}

// Open makes a file part of a set, which may be nil. Nothing is read yet.
func Open[T any](s *Set, spec Spec[T]) *File[T] {
	f := &File[T]{spec: spec, set: s}
	s.Add(f)
	return f
}

// Name implements Renewer.
func (f *File[T]) Name() string { return f.spec.What + " " + f.spec.Path }

// Get is what the file says now, or said last while that cannot be used. The
// error is that of a file that could never be used.
func (f *File[T]) Get() (T, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.read()
	if err != nil && f.known {
		err = nil
	}
	return f.value, err
}

// Renew implements Renewer.
func (f *File[T]) Renew(context.Context) (changed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.read(); err != nil {
		return false, err
	}
	changed = f.sum != f.told
	f.told = f.sum
	return changed, nil
}

// read takes the file as it is now. A fault is told once, while there is a
// value that stays.
func (f *File[T]) read() error {
	err := f.take()
	if err == nil {
		f.said = ""
		return nil
	}
	if f.known && f.said != err.Error() && f.set != nil && f.set.Notice != nil {
		f.set.Notice(err)
	}
	f.said = err.Error()
	return err
}

func (f *File[T]) take() error {
	data, err := content(f.spec.Path)
	if err != nil {
		return fmt.Errorf("%s: %w", f.spec.What, err)
	}
	sum := sha256.Sum256(data)
	if f.known && sum == f.sum {
		return nil
	}
	value, err := f.spec.Parse(data)
	if err != nil {
		return fmt.Errorf("%s %s: %w", f.spec.What, f.spec.Path, err)
	}
	if !f.known {
		f.told = sum
	}
	f.value, f.sum, f.known = value, sum, true
	return nil
}

// content of a file that is not empty and not too large.
func content(path string) (data []byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if data, err = io.ReadAll(io.LimitReader(file, limit+1)); err != nil {
		return nil, err
	}
	switch {
	case len(data) > limit:
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	case len(bytes.TrimSpace(data)) == 0:
		return nil, fmt.Errorf("%s is empty", path)
	}
	return data, nil
}

// Text is a file's content without the space around it.
func Text(data []byte) (string, error) { return string(bytes.TrimSpace(data)), nil }
