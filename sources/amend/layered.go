package amend

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// layered is a tree with some files in the place of others, or added to it.
type layered struct {
	fs.FS
	files map[string][]byte
}

var (
	_ fs.ReadDirFS  = layered{}
	_ fs.ReadFileFS = layered{}
	_ fs.StatFS     = layered{}
	_ fs.ReadLinkFS = layered{}
)

func (l layered) Open(name string) (fs.File, error) {
	if data, ok := l.files[name]; ok {
		return &open{Reader: bytes.NewReader(data), info: info{path.Base(name), int64(len(data)), 0}}, nil
	}
	if l.folder(name) {
		return &open{Reader: bytes.NewReader(nil), info: info{path.Base(name), 0, fs.ModeDir}}, nil
	}
	return l.FS.Open(name)
}

func (l layered) ReadFile(name string) ([]byte, error) {
	if data, ok := l.files[name]; ok {
		return slices.Clone(data), nil
	}
	return fs.ReadFile(l.FS, name)
}

func (l layered) Stat(name string) (fs.FileInfo, error) { return l.stat(name, fs.Stat) }

// Lstat keeps links visible: whoever reads a tree refuses them.
func (l layered) Lstat(name string) (fs.FileInfo, error) { return l.stat(name, fs.Lstat) }

func (l layered) ReadLink(name string) (string, error) { return fs.ReadLink(l.FS, name) }

func (l layered) stat(name string, below func(fs.FS, string) (fs.FileInfo, error)) (fs.FileInfo, error) {
	if data, ok := l.files[name]; ok {
		return info{path.Base(name), int64(len(data)), 0}, nil
	}
	if l.folder(name) {
		return info{path.Base(name), 0, fs.ModeDir}, nil
	}
	return below(l.FS, name)
}

// folder: files stand in it, and the tree below has none of that name.
func (l layered) folder(name string) bool {
	for file := range l.files {
		if strings.HasPrefix(file, name+"/") {
			_, err := fs.Lstat(l.FS, name)
			return err != nil
		}
	}
	return false
}

// ReadDir lists a folder of the tree with what stands in it besides.
func (l layered) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(l.FS, name)
	if err != nil && !l.folder(name) {
		return nil, err
	}
	added := map[string]fs.DirEntry{}
	for file, data := range l.files {
		rest, inside := file, name == "."
		if !inside {
			rest, inside = strings.CutPrefix(file, name+"/")
		}
		if !inside {
			continue
		}
		if first, _, deeper := strings.Cut(rest, "/"); deeper {
			added[first] = fs.FileInfoToDirEntry(info{first, 0, fs.ModeDir})
		} else {
			added[first] = fs.FileInfoToDirEntry(info{first, int64(len(data)), 0})
		}
	}
	var out []fs.DirEntry
	for _, e := range entries {
		a, ok := added[e.Name()]
		if delete(added, e.Name()); ok && !a.IsDir() {
			e = a
		}
		out = append(out, e)
	}
	for _, e := range added {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

// open is a file in memory.
type open struct {
	io.Reader
	info info
}

func (o *open) Stat() (fs.FileInfo, error) { return o.info, nil }
func (o *open) Close() error               { return nil }

// info has no id: what is edited is read anew.
type info struct {
	name string
	size int64
	mode fs.FileMode
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode | 0o444 }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
