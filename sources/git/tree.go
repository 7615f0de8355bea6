package git

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
)

// entry is one name in a tree object.
type entry struct {
	name string
	mode fs.FileMode
	hash plumbing.Hash
	// octal is git's own mode: what entries are written back with.
	octal string
}

const (
	octalTree    = "40000"
	octalFile    = "100644"
	octalProgram = "100755"
	octalLink    = "120000"
	octalGitlink = "160000"
)

// gitlink reports a submodule: its hash is a commit of another repository.
func (e entry) gitlink() bool { return e.octal == octalGitlink }

var errMalformedTree = errors.New("malformed tree")

// parseTree reads the raw form of a tree object and returns its entries
// sorted by name. Entries that no work tree could hold are kept, with a mode
// that says that they are no files.
func parseTree(raw []byte) ([]entry, error) {
	var entries []entry
	for len(raw) > 0 {
		space := bytes.IndexByte(raw, ' ')
		if space < 1 || space > 7 {
			return nil, fmt.Errorf("%w: no mode", errMalformedTree)
		}
		mode := string(raw[:space])
		raw = raw[space+1:]
		end := bytes.IndexByte(raw, 0)
		if end < 0 || len(raw) < end+1+len(plumbing.Hash{}) {
			return nil, fmt.Errorf("%w: cut short", errMalformedTree)
		}
		e := entry{name: string(raw[:end])}
		raw = raw[end+1:]
		e.hash = plumbing.Hash(raw[:len(e.hash)])
		raw = raw[len(e.hash):]
		e.octal, e.mode = modeOf(mode)
		if hostileName(e.name) {
			e.mode = fs.ModeIrregular
		}
		entries = append(entries, e)
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	markTwins(entries)
	return entries, nil
}

// modeOf translates git's octal mode. What git does not know is irregular.
func modeOf(octal string) (string, fs.FileMode) {
	switch octal {
	case octalTree, "040000":
		return octalTree, fs.ModeDir | 0o755
	case octalFile, "100664":
		return octalFile, 0o644
	case octalProgram:
		return octalProgram, 0o755
	case octalLink:
		return octalLink, fs.ModeSymlink | 0o777
	case octalGitlink:
		return octalGitlink, fs.ModeIrregular
	}
	return octal, fs.ModeIrregular
}

// hostileName reports names that could not be one plain name in a folder.
func hostileName(name string) bool {
	if name == "" || name == "." || name == ".." || !utf8.ValidString(name) {
		return true
	}
	if strings.ContainsAny(name, "/\\") || strings.EqualFold(name, ".git") {
		return true
	}
	return strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// markTwins makes every entry irregular whose name the tree has twice:
// which of them is meant depends on who reads.
func markTwins(sorted []entry) {
	for i := 1; i < len(sorted); i++ {
		if sorted[i].name == sorted[i-1].name {
			sorted[i].mode, sorted[i-1].mode = fs.ModeIrregular, fs.ModeIrregular
		}
	}
}

// lookup finds a name in entries that parseTree returned.
func lookup(entries []entry, name string) (entry, bool) {
	at, found := slices.BinarySearchFunc(entries, name, func(e entry, n string) int {
		return strings.Compare(e.name, n)
	})
	if !found {
		return entry{}, false
	}
	return entries[at], true
}

// encodeTree is the inverse of parseTree: entries in git's order, in which a
// folder sorts as if its name ended in a slash.
func encodeTree(entries []entry) []byte {
	key := func(e entry) string {
		if e.octal == octalTree {
			return e.name + "/"
		}
		return e.name
	}
	sorted := slices.Clone(entries)
	slices.SortStableFunc(sorted, func(a, b entry) int { return strings.Compare(key(a), key(b)) })
	var out bytes.Buffer
	for _, e := range sorted {
		fmt.Fprintf(&out, "%s %s\x00", e.octal, e.name)
		out.Write(e.hash[:])
	}
	return out.Bytes()
}
