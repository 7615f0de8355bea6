package rego

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/open-policy-agent/opa/v1/util"
)

// Limits of a policy folder.
const (
	maxFile  = 1 << 20
	maxFiles = 1000
	maxTotal = 16 << 20
)

// files is what a policy folder holds that concerns us.
type files struct {
	modules map[string]string // *.rego by path, tests apart
	tests   map[string]string // *_test.rego
	config  map[string]any    // data.config: data/a/b.yaml is data.config.a.b
}

// reader gathers files within the limits.
type reader struct {
	tree  fs.FS
	dir   string
	found files
	count int
	total int
	faults
}

// read gathers the policy folder. A folder that is not there is an empty one.
// Hidden files, and files that are neither Rego nor below data/, are left
// alone; what cannot be read plainly is a fault.
func read(tree fs.FS, dir string) (files, faults) {
	r := &reader{tree: tree, dir: dir, found: files{modules: map[string]string{}, tests: map[string]string{}, config: map[string]any{}}}
	if _, err := fs.Stat(tree, dir); errors.Is(err, fs.ErrNotExist) {
		return r.found, nil
	}
	if err := fs.WalkDir(tree, dir, r.visit); err != nil {
		r.file(dir, "read_error", "%v", err)
	}
	return r.found, r.faults
}

var errTooMuch = errors.New("too much for a policy folder")

func (r *reader) visit(name string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if strings.HasPrefix(d.Name(), ".") && name != r.dir && name != "." {
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	if d.IsDir() || !r.ours(name) {
		return nil
	}
	if !d.Type().IsRegular() {
		r.file(name, "read_error", "not a regular file")
		return nil
	}
	if r.count++; r.count > maxFiles {
		return fmt.Errorf("%w: more than %d files", errTooMuch, maxFiles)
	}
	text, err := r.text(name)
	if err != nil {
		r.file(name, "read_error", "%v", err)
		return nil
	}
	if r.total += len(text); r.total > maxTotal {
		return fmt.Errorf("%w: more than %d bytes", errTooMuch, maxTotal)
	}
	r.take(name, text)
	return nil
}

func (r *reader) ours(name string) bool {
	return path.Ext(name) == ".rego" || r.dataName(name) != ""
}

// dataName is where below data.config a data file belongs; "" if it is none.
func (r *reader) dataName(name string) string {
	below, ok := strings.CutPrefix(name, path.Join(r.dir, "data")+"/")
	if !ok {
		return ""
	}
	switch ext := path.Ext(below); ext {
	case ".json", ".yaml", ".yml":
		return strings.TrimSuffix(below, ext)
	}
	return ""
}

func (r *reader) text(name string) ([]byte, error) {
	f, err := r.tree.Open(name)
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

func (r *reader) take(name string, text []byte) {
	switch {
	case strings.HasSuffix(name, "_test.rego"):
		r.found.tests[name] = string(text)
	case path.Ext(name) == ".rego":
		r.found.modules[name] = string(text)
	default:
		r.data(name, text)
	}
}

func (r *reader) data(name string, text []byte) {
	var value any
	if err := util.Unmarshal(bytes.TrimSpace(text), &value); err != nil {
		r.file(name, "data_error", "%v", err)
		return
	}
	at, keys := r.found.config, strings.Split(r.dataName(name), "/")
	for _, k := range keys[:len(keys)-1] {
		next, ok := at[k].(map[string]any)
		if at[k] != nil && !ok {
			r.file(name, "data_error", "data.config.%s is a value already, given by another file", strings.Join(keys, "."))
			return
		}
		if next == nil {
			next = map[string]any{}
			at[k] = next
		}
		at = next
	}
	last := keys[len(keys)-1]
	if _, taken := at[last]; taken {
		r.file(name, "data_error", "data.config.%s is given by another file already", strings.Join(keys, "."))
		return
	}
	at[last] = value
}
