package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
)

// Draft is a manifest yet to be written: what an import makes of something
// that lives, or of another tool's file.
type Draft struct {
	Kind, Name string
	Physical   string // metadata.physicalName; "" leaves it to the naming
	Adopt      bool
	Labels     map[string]string
	// Spec is the spec as a manifest would write it, in JSON's types. It may
	// hold plain text that is a secret, until whoever made it took that out.
	Spec map[string]any
	// Beside is the end of the name of a file that holds what the kind may
	// include (a workflow's definition), as "asl.json"; "" writes it inline.
	Beside string

	// What is known of it besides. None of this is written.
	Addresses map[string]string // attribute ("arn", "url", "name") to the text that names it
	Tool      string            // the tool that made it: cloudformation, sst, …; "" if none is known
	Group     string            // the stack or service it belongs to; "" if none is known
	Version   string            // of the platform's, that it was read from; "" for none
	Left      []string          // what a manifest cannot say, in words
}

// Ref is the resource the draft declares.
func (d Draft) Ref() Ref { return Ref{d.Kind, d.Name} }

// Leave notes what a manifest cannot say.
func (d *Draft) Leave(format string, args ...any) {
	d.Left = append(d.Left, fmt.Sprintf(format, args...))
}

// SpecOf is one of this package's spec types in the form of a Draft's Spec.
func SpecOf(spec any) (map[string]any, error) {
	var out map[string]any
	d := json.NewDecoder(bytes.NewReader(appendCanonical(nil, spec)))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		return nil, fmt.Errorf("draft of a %T: %w", spec, err)
	}
	return out, nil
}

// YAML writes the draft as one document: fields in the order of the
// reference, defaults left out. What it writes is read again; an error that
// is Faults says what a repository would refuse.
func (d Draft) YAML() ([]byte, error) {
	k, found := kinds[d.Kind]
	if !found || k.role != roleResource {
		return nil, fmt.Errorf("write %s: no such kind: %s", d.Ref(), kindHint(d.Kind))
	}
	text, err := newDraftWriter(k).document(d)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", d.Ref(), err)
	}
	faults := d.faults(text)
	if name, _ := d.File(); name != "" {
		short := d
		short.Spec = maps.Clone(d.Spec)
		short.Spec[k.include] = map[string]any{"file": name}
		if text, err = newDraftWriter(k).document(short); err != nil {
			return nil, fmt.Errorf("write %s: %w", d.Ref(), err)
		}
	}
	return text, faults.sorted()
}

// File is what is written beside the manifest: its name, and its text in JSON.
// It is "" when there is nothing.
func (d Draft) File() (name string, text []byte) {
	k := kinds[d.Kind]
	if d.Beside == "" || k == nil || k.include == "" || d.Spec[k.include] == nil {
		return "", nil
	}
	text, err := json.MarshalIndent(d.Spec[k.include], "", "  ")
	if err != nil {
		return "", nil // it is no JSON: then it is no draft either, and YAML says so
	}
	return d.Name + "." + d.Beside, append(text, '\n')
}

// faults are what a repository would refuse.
func (d Draft) faults(text []byte) Faults {
	raws, faults := parseFile(d.Kind+"/"+d.Name, text)
	for _, raw := range raws {
		doc := newDocument(raw)
		faults = append(faults, doc.faults...)
		faults = append(faults, doc.missing...)
	}
	return faults
}
