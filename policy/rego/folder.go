package rego

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Limits of a policy folder.
const (
	maxFile  = 1 << 20
	maxFiles = 1000
	maxTotal = 16 << 20
)

// Folder is a policy folder as it was read: the texts, not yet looked into.
// It can be handed to another process and loaded there.
type Folder struct {
	Dir    string            // its place in the tree
	Files  map[string][]byte // by path in the tree: *.rego, and data files
	Faults []Fault           // what could not be read; LoadFolder reports them
}

// Digest names what the folder holds, wherever it was read.
func (f Folder) Digest() string {
	h := sha256.New()
	write := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	write([]byte(f.Dir))
	for _, name := range sortedKeys(f.Files) {
		write([]byte(name))
		write(f.Files[name])
	}
	for _, fault := range f.Faults {
		write([]byte(fault.String()))
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// gatherer reads files within the limits.
type gatherer struct {
	tree  fs.FS
	found Folder
	total int
	faults
}

// Gather reads the policy folder dir of tree. A folder that is not there is an
// empty one. Hidden files, and files that are neither Rego nor below data/,
// are left alone; what cannot be read plainly is a fault.
func Gather(tree fs.FS, dir string) Folder {
	g := &gatherer{tree: tree, found: Folder{Dir: dir, Files: map[string][]byte{}}}
	if _, err := fs.Stat(tree, dir); errors.Is(err, fs.ErrNotExist) {
		return g.found
	}
	if err := fs.WalkDir(tree, dir, g.visit); err != nil {
		g.file(dir, "read_error", "%v", err)
	}
	g.found.Faults = slices.Clone(g.faults)
	return g.found
}

var errTooMuch = errors.New("too much for a policy folder")

func (g *gatherer) visit(name string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if strings.HasPrefix(d.Name(), ".") && name != g.found.Dir && name != "." {
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	if d.IsDir() || !g.found.ours(name) {
		return nil
	}
	if !d.Type().IsRegular() {
		g.file(name, "read_error", "not a regular file")
		return nil
	}
	if len(g.found.Files)+len(g.faults) >= maxFiles {
		return fmt.Errorf("%w: more than %d files", errTooMuch, maxFiles)
	}
	text, err := g.text(name)
	if err != nil {
		g.file(name, "read_error", "%v", err)
		return nil
	}
	if g.total += len(text); g.total > maxTotal {
		return fmt.Errorf("%w: more than %d bytes", errTooMuch, maxTotal)
	}
	g.found.Files[name] = text
	return nil
}

func (g *gatherer) text(name string) ([]byte, error) {
	f, err := g.tree.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("larger than %d bytes", maxFile)
	}
	return text, nil
}

func (f Folder) ours(name string) bool {
	return path.Ext(name) == ".rego" || f.dataName(name) != ""
}

// dataName is where below data.config a data file belongs; "" if it is none.
func (f Folder) dataName(name string) string {
	below, ok := strings.CutPrefix(name, path.Join(f.Dir, "data")+"/")
	if !ok {
		return ""
	}
	switch ext := path.Ext(below); ext {
	case ".json", ".yaml", ".yml":
		return strings.TrimSuffix(below, ext)
	}
	return ""
}
