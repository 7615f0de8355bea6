package rego

import (
	"bytes"
	"path"
	"strings"

	"github.com/open-policy-agent/opa/v1/util"
)

// files is what a policy folder holds that concerns us.
type files struct {
	modules map[string]string // *.rego by path, tests apart
	tests   map[string]string // *_test.rego
	config  map[string]any    // data.config: data/a/b.yaml is data.config.a.b
}

// reader sorts a folder's files.
type reader struct {
	folder Folder
	found  files
	faults
}

// sorted tells modules, tests and data apart, and reads the data.
func (f Folder) sorted() (files, faults) {
	r := &reader{folder: f, found: files{modules: map[string]string{}, tests: map[string]string{}, config: map[string]any{}}}
	r.faults = append(r.faults, f.Faults...)
	for _, name := range sortedKeys(f.Files) {
		r.take(name, f.Files[name])
	}
	return r.found, r.faults
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
	at, keys := r.found.config, strings.Split(r.folder.dataName(name), "/")
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
