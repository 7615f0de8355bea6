package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// LoadOptions says what of a tree is read.
type LoadOptions struct {
	// Path is the folder that holds the manifests, where environments share
	// a branch; "" is the whole tree.
	Path string
}

// Loader reads trees and remembers what it read, so that a file that did not
// change is neither parsed nor rendered again. The zero value is ready. A
// Loader, and all Documents it returned, belong to one goroutine.
type Loader struct {
	parsed map[file]*parsedFile
}

// parsedFile is what one file holds.
type parsedFile struct {
	docs     []*document
	faults   Faults
	included []included // files that are part of docs
}

// Documents is every manifest of one tree, decoded as far as that goes
// without an environment.
type Documents struct {
	docs     []*document          // resources, sorted by Ref
	overlays map[string]*document // Environment, by name
	notices  []Fault
	faults   Faults
	// ofOverlay are faults that concern one environment only.
	ofOverlay map[string]Faults
	content   string
}

// Load reads every manifest below opts.Path. An error that is Faults is about
// the repository, and the Documents come with it: rendering those gives these
// faults again, with the ones only a rendering finds, and never a Release.
// Any other error is about the tree itself, which could not be read.
//
// Faults of an overlay are told when its environment is rendered.
func (l *Loader) Load(tree fs.FS, opts LoadOptions) (*Documents, error) {
	w := &walker{tree: tree, root: path.Clean(opts.Path)}
	if !fs.ValidPath(w.root) {
		return nil, fmt.Errorf("open folder %s: %w", printable(opts.Path), fs.ErrInvalid)
	}
	err := w.enter()
	if errors.Is(err, errTooMany) {
		w.refuse(".", "the tree has more than "+itoa(maxEntries)+" files, or more than 256 MiB of YAML", "split it, or name a path")
		docs := gather(nil, w)
		return docs, docs.faults.sorted()
	} else if err != nil {
		return nil, err
	}
	files, err := l.parse(tree, w.files)
	if err != nil {
		return nil, err
	}
	docs := gather(files, w)
	return docs, docs.faults.sorted()
}

// parse parses what is new and keeps what is not; what is gone is forgotten.
func (l *Loader) parse(tree fs.FS, files []file) ([]*parsedFile, error) {
	next := make(map[file]*parsedFile, len(files))
	out := make([]*parsedFile, len(files))
	for i, f := range files {
		if p, found := l.parsed[f]; found && f.id != "" && fresh(tree, p.included) {
			next[f], out[i] = p, p
			continue
		}
		data, err := readLimited(tree, f.path)
		if err != nil {
			return nil, err
		}
		if f.id == "" {
			f.id = digest(data)
		}
		p, found := l.parsed[f]
		if !found || !fresh(tree, p.included) {
			p = newParsedFile(tree, f.path, data)
		}
		next[f], out[i] = p, p
	}
	l.parsed = next
	return out, nil
}

func newParsedFile(tree fs.FS, name string, data []byte) *parsedFile {
	raws, faults := parseFile(name, data)
	p := &parsedFile{faults: faults}
	files := &includer{tree: tree, file: name}
	for _, raw := range raws {
		if raw.kind == kindContract && path.Base(name) == ContractFile {
			continue // belongs to the code beside it
		}
		raw.root = files.document(raw.root)
		doc := newDocument(raw)
		if len(files.faults) > 0 { // what it would hold is not known
			doc.faults, doc.missing, files.faults = files.faults, nil, nil
		}
		p.docs = append(p.docs, doc)
	}
	p.included = files.included
	return p
}

// gather sorts what the files hold.
func gather(files []*parsedFile, w *walker) *Documents {
	out := &Documents{faults: w.faults, overlays: map[string]*document{}, ofOverlay: map[string]Faults{}}
	count := 0
	for i, p := range files {
		count += len(p.docs)
		out.addFaults(w.files[i].path, p.faults)
		for _, doc := range p.docs {
			out.add(doc)
		}
	}
	if count > MaxManifests {
		out.faults = append(out.faults, Fault{Position: Position{File: "."}, Message: "the tree holds " + itoa(count) + " manifests", Hint: "at most " + itoa(MaxManifests)})
	}
	slices.SortStableFunc(out.docs, func(a, b *document) int { return a.ref.Compare(b.ref) })
	out.refuseTwice()
	return out
}

// addFaults gives a file's faults to its environment alone if it is an
// overlay by its place.
func (d *Documents) addFaults(name string, faults Faults) {
	if len(faults) == 0 {
		return
	}
	if path.Base(path.Dir(name)) == "environments" {
		environment := strings.TrimSuffix(path.Base(name), path.Ext(name))
		d.ofOverlay[environment] = append(d.ofOverlay[environment], faults...)
		return
	}
	d.faults = append(d.faults, faults...)
}

func (d *Documents) add(doc *document) {
	switch {
	case doc.kind == nil:
		d.faults = append(d.faults, doc.faults...)
	case doc.kind.role == rolePipeline:
		if doc.root.file != PipelineFile {
			d.notices = append(d.notices, Fault{Position: doc.position(), Message: "a Pipeline is read from " + PipelineFile + " of the control branch only: ignored"})
		}
	case doc.kind.role == roleOverlay:
		if first := d.overlays[doc.ref.Name]; first != nil {
			d.ofOverlay[doc.ref.Name] = append(d.ofOverlay[doc.ref.Name], Fault{doc.position(), "metadata.name", "a second overlay of " + doc.ref.Name, "the first is at " + first.position().String()})
			return
		}
		d.overlays[doc.ref.Name] = doc
	default:
		d.docs = append(d.docs, doc)
		d.faults = append(d.faults, doc.faults...)
	}
}

// refuseTwice reports resources declared more than once.
func (d *Documents) refuseTwice() {
	for i := 1; i < len(d.docs); i++ {
		if a, b := d.docs[i-1], d.docs[i]; a.ref == b.ref && a.ref.Name != "" {
			d.faults = append(d.faults, Fault{b.position(), "metadata.name", a.ref.String() + " is declared twice", "the first is at " + a.position().String()})
		}
	}
}

// Len is the number of manifests that declare resources.
func (d *Documents) Len() int { return len(d.docs) }

// Content is the digest of what is declared, before any environment's overlay
// and values: the same on every branch that declares the same system. It is
// meaningful only for Documents that loaded without faults.
func (d *Documents) Content() string {
	if d.content == "" {
		var b []byte
		for _, doc := range d.docs {
			b = append(b, doc.content...)
			b = append(b, '\n')
		}
		d.content = digest(b)
	}
	return d.content
}

// Notices are what a person should know and nothing is held for: a Pipeline
// on an environment branch, an overlay of an environment that p does not have.
func (d *Documents) Notices(p *Pipeline) Faults {
	out := Faults(slices.Clone(d.notices))
	var known []string
	for _, e := range p.Environments {
		known = append(known, e.Name)
	}
	for name, doc := range d.overlays {
		if place := placeOfOverlay(doc.root.file); slices.Contains(known, place) && d.overlays[place] == nil {
			continue // a fault of that environment
		}
		if !slices.Contains(known, name) {
			out = append(out, Fault{doc.position(), "metadata.name", "no environment " + quote(name) + " in the Pipeline: ignored", didYouMean(name, known)})
		}
	}
	slices.SortFunc(out, compareFaults)
	return out
}
