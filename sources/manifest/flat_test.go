package manifest

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing/fstest"
)

// flat is a tree whose folders are listed in advance, as a commit's are:
// fstest.MapFS walks all of its files for each folder.
type flat struct {
	fstest.MapFS
	folders map[string][]fs.DirEntry
}

func newFlat(tree fstest.MapFS) flat {
	out := flat{tree, map[string][]fs.DirEntry{}}
	made := map[string]bool{}
	for name, file := range tree {
		dir := path.Dir(name)
		out.folders[dir] = append(out.folders[dir], fs.FileInfoToDirEntry(flatInfo{nil, path.Base(name), file}))
		for ; dir != "." && !made[dir]; dir = path.Dir(dir) {
			made[dir] = true
			parent := path.Dir(dir)
			out.folders[parent] = append(out.folders[parent], fs.FileInfoToDirEntry(flatInfo{nil, path.Base(dir), &fstest.MapFile{Mode: fs.ModeDir}}))
		}
	}
	for _, list := range out.folders {
		slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return out
}

func (f flat) ReadDir(name string) ([]fs.DirEntry, error) { return f.folders[name], nil }

type flatInfo struct {
	fs.FileInfo
	name string
	file *fstest.MapFile
}

func (i flatInfo) Name() string      { return i.name }
func (i flatInfo) Size() int64       { return int64(len(i.file.Data)) }
func (i flatInfo) Mode() fs.FileMode { return i.file.Mode }
func (i flatInfo) IsDir() bool       { return i.file.Mode.IsDir() }
func (i flatInfo) Sys() any          { return i.file.Sys }
