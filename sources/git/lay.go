package git

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// lay is a tree with files put into it, each whole. One that is there keeps its
// mode; what is no plain file is not replaced.
func (r *Repository) lay(tree plumbing.Hash, files map[string][]byte) (plumbing.Hash, error) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		with, err := r.placeOf(tree, name)
		if err != nil {
			return plumbing.ZeroHash, fmt.Errorf("put file %s: %w", scrub(name), err)
		}
		if with.hash, err = r.store.write(plumbing.BlobObject, files[name]); err != nil {
			return plumbing.ZeroHash, err
		}
		if tree, err = r.replace(entry{octal: octalTree, hash: tree}, strings.Split(name, "/"), with); err != nil {
			return plumbing.ZeroHash, err
		}
	}
	return tree, nil
}

var errNoFile = errors.New("there is something else than a file at this path")

// placeOf is the entry that a file takes the place of, or would have.
func (r *Repository) placeOf(tree plumbing.Hash, name string) (entry, error) {
	if !fs.ValidPath(name) || name == "." {
		return entry{}, fs.ErrInvalid
	}
	at := entry{octal: octalTree, hash: tree}
	parts := strings.Split(name, "/")
	for i, part := range parts {
		if hostileName(part) {
			return entry{}, fs.ErrInvalid
		}
		entries, err := r.folder(at)
		if err != nil {
			return entry{}, err
		}
		next, found := lookup(entries, part)
		last := i == len(parts)-1
		switch {
		case !found:
			return entry{octal: octalFile}, nil
		case last && next.octal != octalFile && next.octal != octalProgram, !last && next.octal != octalTree:
			return entry{}, errNoFile
		}
		at = next
	}
	return entry{octal: at.octal}, nil
}
