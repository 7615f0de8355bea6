package dir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"mooring.dev/sources"
)

func (i *image) find(op, name string) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	n := i.nodes[name]
	if n == nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return n, nil
}

// readable says why a node has no content to read.
func (n *node) readable() error {
	switch {
	case n.mode&fs.ModeSymlink != 0:
		return fmt.Errorf("%w: symbolic link", fs.ErrInvalid)
	case !n.mode.IsRegular():
		return fmt.Errorf("%w: not a plain file", fs.ErrInvalid)
	case !n.kept:
		return fmt.Errorf("%w: %d bytes, at most %d are read in a working folder", fs.ErrInvalid, n.size, maxFile)
	}
	return nil
}

// Open opens a file or folder. Links and large files are refused with fs.ErrInvalid.
func (i *image) Open(name string) (fs.File, error) {
	n, err := i.find("open", name)
	if err != nil {
		return nil, err
	}
	if n.mode.IsDir() {
		return &openFolder{node: n, left: n.list}, nil
	}
	if err := n.readable(); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &openFile{node: n, Reader: bytes.NewReader(n.content)}, nil
}

// ReadFile returns a copy of a file's content.
func (i *image) ReadFile(name string) ([]byte, error) {
	n, err := i.find("read", name)
	if err != nil {
		return nil, err
	}
	if err := n.readable(); err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return bytes.Clone(n.content), nil
}

// ReadDir lists a folder, sorted by name.
func (i *image) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := i.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !n.mode.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	}
	return slices.Clone(n.list), nil
}

// Stat describes name, links included.
func (i *image) Stat(name string) (fs.FileInfo, error) {
	n, err := i.find("stat", name)
	if err != nil {
		return nil, err
	}
	return stat{n}, nil
}

// stat is a node as fs.FileInfo.
type stat struct{ node *node }

func (s stat) Name() string       { return s.node.name }
func (s stat) Size() int64        { return s.node.size }
func (s stat) Mode() fs.FileMode  { return s.node.mode }
func (s stat) ModTime() time.Time { return s.node.changed }
func (s stat) IsDir() bool        { return s.node.mode.IsDir() }

// Sys is the file's sources.ContentID, nil for what has no content.
func (s stat) Sys() any {
	if s.node.mode.IsRegular() {
		return sources.ContentID(s.node.digest)
	}
	return nil
}

type openFile struct {
	node *node
	*bytes.Reader
}

func (f *openFile) Stat() (fs.FileInfo, error) { return stat{f.node}, nil }
func (f *openFile) Close() error               { return nil }

type openFolder struct {
	node *node
	left []fs.DirEntry
}

func (f *openFolder) Stat() (fs.FileInfo, error) { return stat{f.node}, nil }
func (f *openFolder) Close() error               { return nil }

func (f *openFolder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.node.name, Err: errors.New("is a directory")}
}

// ReadDir gives the next n entries, or all that are left.
func (f *openFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(f.left)
	} else if len(f.left) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(f.left))
	list := slices.Clone(f.left[:n])
	f.left = f.left[n:]
	return list, nil
}
