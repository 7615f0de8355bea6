package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// includer puts the files that manifests name where they are named. What it
// reads is a part of the manifest from then on, places of faults included.
type includer struct {
	tree     fs.FS
	file     string // the manifest's
	included []included
	faults   Faults
}

// included is a file as it was read; without an id it could not be.
type included struct{ path, id string }

// fresh tells whether every file is still as it was.
func fresh(tree fs.FS, files []included) bool {
	for _, f := range files {
		id := ""
		if data, err := readIncluded(tree, f.path); err == nil {
			id = digest(data)
		}
		if id != f.id {
			return false
		}
	}
	return true
}

func (i *includer) fault(n *node, message, hint string) {
	i.faults = append(i.faults, Fault{Position: n.pos(), Path: "spec.definition", Message: message, Hint: hint})
}

// document replaces {file: …} of a kind's including member. The nodes given
// are not written to.
func (i *includer) document(root *node) *node {
	k := kinds[root.get("kind").text]
	if k == nil || k.include == "" {
		return root
	}
	spec := root.get("spec")
	member := spec.get(k.include)
	if member == nil || member.kind != mapNode || member.get("file") == nil {
		return root
	}
	if content := i.load(member); content != nil {
		return root.with("spec", spec.with(k.include, content))
	}
	return root
}

// with is the mapping with another value of one key.
func (n *node) with(key string, value *node) *node {
	out := *n
	out.entries = make([]entry, len(n.entries))
	for i, e := range n.entries {
		if e.key == key {
			e.value = value
		}
		out.entries[i] = e
	}
	return &out
}

// load reads the file that n names; nil, with a fault, when it cannot be had.
func (i *includer) load(n *node) *node {
	name := n.get("file")
	switch {
	case len(n.entries) > 1:
		i.fault(n, "has more than file", "the file holds the whole definition")
		return nil
	case name.kind != stringNode || strings.Contains(name.text, "${"):
		i.fault(name, "file must be a plain path", "an environment's values go into it by {value: name}")
		return nil
	case !fs.ValidPath(name.text) || name.text == "." || strings.Contains(name.text, `\`):
		i.fault(name, "cannot be "+quote(name.text), "a path beside the manifest or below it, without ..")
		return nil
	}
	full := path.Join(path.Dir(i.file), name.text)
	data, err := readIncluded(i.tree, full)
	if err != nil {
		i.included = append(i.included, included{path: full})
		i.fault(name, "cannot be read: "+shorten(includeProblem(err)), "the path is relative to the manifest's folder")
		return nil
	}
	i.included = append(i.included, included{path: full, id: digest(data)})
	if message, hint := refuseBytes(data); message != "" {
		i.faults = append(i.faults, Fault{Position: Position{File: full}, Message: message, Hint: hint})
		return nil
	}
	content, faults := parseIncluded(full, data)
	i.faults = append(i.faults, faults...)
	if len(faults) == 0 && content.kind != mapNode {
		i.fault(name, "holds no mapping", "a state machine is an object with StartAt and States")
		return nil
	}
	if len(faults) > 0 {
		return nil
	}
	return content
}

var errLink = errors.New("is a symbolic link")

// readIncluded reads a file through no link, one byte over the limit at most.
func readIncluded(tree fs.FS, name string) ([]byte, error) {
	for at := name; at != "."; at = path.Dir(at) {
		info, err := fs.Lstat(tree, at)
		if err != nil {
			return nil, err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return nil, errLink
		}
		if at == name && !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%w: no plain file", fs.ErrInvalid)
		}
	}
	return readLimited(tree, name)
}

func includeProblem(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file"
	case errors.Is(err, errLink):
		return "it is a symbolic link, or behind one"
	case errors.Is(err, fs.ErrInvalid):
		return "it is no plain file, or too large"
	}
	return "it cannot be opened"
}
