package git

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"mooring.dev/sources"
)

// maxReadFile bounds what ReadFile takes into memory, in bytes. Whoever wants
// more opens the file and reads as much as they can bear.
const maxReadFile = 64 << 20

// treeFS is a committed tree as a file system, straight from the objects:
// nothing is ever written to a disk, no link is followed.
type treeFS struct {
	store *store
	root  plumbing.Hash
}

var (
	_ fs.ReadDirFS  = treeFS{}
	_ fs.ReadFileFS = treeFS{}
	_ fs.StatFS     = treeFS{}
)

// find walks to name. Only folders are entered.
func (t treeFS) find(op, name string) (entry, error) {
	at := entry{name: ".", octal: octalTree, mode: fs.ModeDir | 0o755, hash: t.root}
	if !fs.ValidPath(name) {
		return at, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if name == "." {
		return at, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if !at.mode.IsDir() {
			return at, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		entries, err := t.store.tree(at.hash)
		if err != nil {
			return at, &fs.PathError{Op: op, Path: name, Err: err}
		}
		next, found := lookup(entries, part)
		if !found {
			return at, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		at = next
	}
	return at, nil
}

// Open opens a file or folder. Everything else is refused with fs.ErrInvalid.
func (t treeFS) Open(name string) (fs.File, error) {
	at, err := t.find("open", name)
	if err != nil {
		return nil, err
	}
	if at.mode.IsDir() {
		entries, err := t.ReadDir(name)
		if err != nil {
			return nil, err
		}
		return &folder{info: t.info(at), entries: entries}, nil
	}
	if !at.mode.IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: refusal(at)}
	}
	if _, err := t.store.size(at.hash); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &file{fs: t, name: name, info: t.info(at)}, nil
}

// refusal says why an entry cannot be opened.
func refusal(e entry) error {
	switch {
	case e.mode&fs.ModeSymlink != 0:
		return fmt.Errorf("%w: symbolic link", fs.ErrInvalid)
	case e.gitlink():
		return fmt.Errorf("%w: gitlink (submodule)", fs.ErrInvalid)
	}
	return fmt.Errorf("%w: not a plain file", fs.ErrInvalid)
}

// Stat describes name, links and other refused entries included.
func (t treeFS) Stat(name string) (fs.FileInfo, error) {
	at, err := t.find("stat", name)
	if err != nil {
		return nil, err
	}
	return t.info(at), nil
}

// ReadDir lists a folder, sorted by name.
func (t treeFS) ReadDir(name string) ([]fs.DirEntry, error) {
	at, err := t.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !at.mode.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	}
	entries, err := t.store.tree(at.hash)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	list := make([]fs.DirEntry, len(entries))
	for i, e := range entries {
		list[i] = fs.FileInfoToDirEntry(t.info(e))
	}
	return list, nil
}

// ReadFile reads a file of at most 64 MiB.
func (t treeFS) ReadFile(name string) ([]byte, error) {
	at, err := t.find("read", name)
	if err != nil {
		return nil, err
	}
	if !at.mode.IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: refusal(at)}
	}
	raw, err := t.store.whole(plumbing.BlobObject, at.hash, maxReadFile)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return raw, nil
}

func (t treeFS) info(e entry) info { return info{entry: e, store: t.store} }

// info describes one entry. Its size is looked up only when asked for.
type info struct {
	entry entry
	store *store
}

func (i info) Name() string       { return i.entry.name }
func (i info) Mode() fs.FileMode  { return i.entry.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.entry.mode.IsDir() }

// Size is the file's length in bytes, or -1 if the object is not readable:
// opening it says why.
func (i info) Size() int64 {
	if i.entry.mode.IsDir() || i.entry.gitlink() {
		return 0
	}
	size, err := i.store.size(i.entry.hash)
	if err != nil {
		return -1
	}
	return size
}

// Sys is the sources.ContentID of a file or a whole folder, nil for what has no
// content.
func (i info) Sys() any {
	if i.entry.mode.IsRegular() || i.entry.mode.IsDir() {
		return sources.ContentID(i.entry.hash.String())
	}
	return nil
}

// file streams a blob. The object is opened at the first Read.
type file struct {
	fs     treeFS
	name   string
	info   info
	stream io.ReadCloser
	closed bool
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }

func (f *file) Read(p []byte) (int, error) {
	if f.closed {
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: fs.ErrClosed}
	}
	if f.stream == nil {
		stream, _, err := f.fs.store.reader(plumbing.BlobObject, f.info.entry.hash)
		if err != nil {
			return 0, &fs.PathError{Op: "read", Path: f.name, Err: err}
		}
		f.stream = stream
	}
	n, err := f.stream.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &fs.PathError{Op: "read", Path: f.name, Err: err}
	}
	return n, err
}

func (f *file) Close() error {
	if f.closed {
		return &fs.PathError{Op: "close", Path: f.name, Err: fs.ErrClosed}
	}
	f.closed = true
	if f.stream == nil {
		return nil
	}
	return f.stream.Close()
}

// folder is an open directory.
type folder struct {
	info    info
	entries []fs.DirEntry
}

func (d *folder) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *folder) Close() error               { return nil }

func (d *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.entry.name, Err: errors.New("is a directory")}
}

// ReadDir gives the next n entries, or all that are left.
func (d *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 || n > len(d.entries) {
		if n > 0 && len(d.entries) == 0 {
			return nil, io.EOF
		}
		n = len(d.entries)
	}
	list := d.entries[:n:n]
	d.entries = d.entries[n:]
	return list, nil
}
