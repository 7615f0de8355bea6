package graft

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"mooring.dev/sources"
)

// Files makes a tree of texts by their paths. Paths that are none are left
// out, and so is a file that stands where another has its folder.
func Files(texts map[string][]byte) fs.FS {
	m := memory{".": &entry{name: ".", dir: true}}
	names := make([]string, 0, len(texts))
	for name := range texts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !fs.ValidPath(name) || name == "." || m[name] != nil {
			continue
		}
		if parent := m.folder(path.Dir(name)); parent != nil {
			e := &entry{name: path.Base(name), data: texts[name]}
			m[name] = e
			parent.inside = append(parent.inside, e)
		}
	}
	for _, e := range m {
		slices.SortFunc(e.inside, func(a, b *entry) int { return strings.Compare(a.name, b.name) })
	}
	return m
}

// memory is a tree in memory, by path.
type memory map[string]*entry

// folder makes a folder and those above it; nil where a file is in the way.
func (m memory) folder(name string) *entry {
	if e := m[name]; e != nil {
		if !e.dir {
			return nil
		}
		return e
	}
	parent := m.folder(path.Dir(name))
	if parent == nil {
		return nil
	}
	e := &entry{name: path.Base(name), dir: true}
	m[name] = e
	parent.inside = append(parent.inside, e)
	return e
}

func (m memory) Open(name string) (fs.File, error) {
	e := m[name]
	switch {
	case !fs.ValidPath(name):
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	case e == nil:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &opened{entry: e, Reader: bytes.NewReader(e.data)}, nil
}

// entry is a file or a folder; it is its own description.
type entry struct {
	name   string
	data   []byte
	dir    bool
	inside []*entry
}

func (e *entry) Name() string       { return e.name }
func (e *entry) Size() int64        { return int64(len(e.data)) }
func (e *entry) ModTime() time.Time { return time.Time{} }
func (e *entry) IsDir() bool        { return e.dir }

func (e *entry) Mode() fs.FileMode {
	if e.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

func (e *entry) Type() fs.FileMode          { return e.Mode().Type() }
func (e *entry) Info() (fs.FileInfo, error) { return e, nil }

// Sys names the content of a file.
func (e *entry) Sys() any {
	if e.dir {
		return nil
	}
	sum := sha256.Sum256(e.data)
	return sources.ContentID("sha256:" + hex.EncodeToString(sum[:]))
}

// opened is an entry being read.
type opened struct {
	*entry
	*bytes.Reader
	at int
}

// Size is of both; a file asks its reader for nothing else.
func (o *opened) Size() int64 { return o.entry.Size() }

func (o *opened) Stat() (fs.FileInfo, error) { return o.entry, nil }

func (o *opened) Close() error { return nil }

func (o *opened) Read(b []byte) (int, error) {
	if o.dir {
		return 0, &fs.PathError{Op: "read", Path: o.name, Err: fs.ErrInvalid}
	}
	return o.Reader.Read(b)
}

// ReadDir implements fs.ReadDirFile.
func (o *opened) ReadDir(n int) ([]fs.DirEntry, error) {
	if !o.dir {
		return nil, &fs.PathError{Op: "readdir", Path: o.name, Err: fs.ErrInvalid}
	}
	left := o.inside[o.at:]
	if n > 0 && len(left) == 0 {
		return nil, io.EOF
	}
	if n > 0 && len(left) > n {
		left = left[:n]
	}
	o.at += len(left)
	out := make([]fs.DirEntry, len(left))
	for i, e := range left {
		out[i] = e
	}
	return out, nil
}
