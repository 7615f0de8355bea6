// Package amend edits an environment's manifests so that they declare what
// somebody changed by hand. What it does not edit keeps its bytes: comments,
// order and form. It claims nothing that it did not see: the edited tree is
// rendered, and a difference counts as adopted only where what is declared then
// is what lives, and nothing else changed.
//
// It refuses to write a secret, to adopt code, and to edit what another
// environment lives by as well.
package amend

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

// Kinds of a difference.
const (
	Changed = "changed"
	Missing = "missing"
	Extra   = "extra"
)

// Item is one difference between what is declared and what lives.
type Item struct {
	ID     string
	Ref    manifest.Ref
	Parent manifest.Ref // of an extra resource
	Path   string       // of the field, in the platform's words; "" for the resource as a whole
	Kind   string
	Live   string // canonical JSON; of an extra resource its fields by path
	// Sensitive values are tokens: they can be told apart and not written.
	Sensitive bool
}

// Input is what is to be declared, and where.
type Input struct {
	Tree        fs.FS
	Pipeline    *manifest.Pipeline
	Environment string
	Items       []Item
	// Fields is a resource as the platform would show it, by field path.
	Fields func(manifest.Resource) (map[string]string, error)
	// Addresses are what references resolve to: attributes by resource.
	Addresses map[manifest.Ref]map[string]string
	// Loader reads the trees; it may know files of Tree already. nil: a new one.
	Loader *manifest.Loader
}

// Result is what became of each item: it is in Adopted or in Left.
type Result struct {
	Files   map[string][]byte // those that differ, whole, by path
	Adopted []Adopted
	Left    []Left
}

// Adopted is an item that the edited tree declares as it lives.
type Adopted struct {
	Item  Item
	Where string // file and field, for people
}

// Left is an item that is not adopted.
type Left struct {
	Item Item
	Why  string
}

// MaxItems is how many differences one edit adopts at most; the others are
// told so.
const MaxItems = 100

// Alone says whether nobody but the environment lives by its manifests: it
// comes after none, none comes after it, and none reads the same folder.
func Alone(p *manifest.Pipeline, environment string) bool {
	own, ok := p.Environment(environment)
	if !ok || len(own.After) > 0 {
		return false
	}
	for _, e := range p.Environments {
		if e.Name == environment {
			continue
		}
		if slices.Contains(e.After, environment) || e.Branch == own.Branch && path.Clean(e.Path) == path.Clean(own.Path) {
			return false
		}
	}
	return true
}

// Edit adopts as many items as can be. An error is about the tree as it is: it
// does not render, and so nothing can be said.
func Edit(in Input) (Result, error) {
	w, err := newWork(in)
	if err != nil {
		return Result{}, err
	}
	items := slices.SortedFunc(slices.Values(in.Items), func(a, b Item) int {
		return strings.Compare(a.Ref.String()+"\x00"+a.Path+"\x00"+a.Kind, b.Ref.String()+"\x00"+b.Path+"\x00"+b.Kind)
	})
	var left []Left
	if w.atOnce(items) {
		items = slices.DeleteFunc(items, func(i Item) bool { return refused(i) == "" })
	}
	for i, item := range items {
		why := refused(item)
		if i >= MaxItems {
			why = fmt.Sprintf("%d others come first: it is offered when those are in", MaxItems)
		}
		if why == "" {
			why = w.adopt(item)
		}
		if why != "" {
			left = append(left, Left{item, why})
		}
	}
	left = w.together(left)
	out := Result{Files: map[string][]byte{}, Adopted: w.adopted, Left: left}
	for name, data := range w.files {
		if before, err := fs.ReadFile(in.Tree, name); err != nil || !bytes.Equal(before, data) {
			out.Files[name] = data
		}
	}
	slices.SortFunc(out.Adopted, func(a, b Adopted) int {
		return strings.Compare(a.Item.Ref.String()+a.Item.Path, b.Item.Ref.String()+b.Item.Path)
	})
	return out, nil
}

// many differences are first tried at once: each rendering of a large tree takes
// its time.
const many = 8

// atOnce adopts all that may be in one go, where there are many of them.
func (w *work) atOnce(items []Item) bool {
	var wanted []Item
	var each []way
	for _, item := range items {
		if refused(item) != "" {
			continue
		}
		ways, err := w.ways(item)
		if err != nil || len(ways) == 0 {
			return false
		}
		wanted, each = append(wanted, item), append(each, ways[0])
	}
	return len(wanted) > many && len(wanted) <= MaxItems && w.try(each, wanted) == nil
}

// together tries once more what failed alone: fields that only fit each other.
func (w *work) together(left []Left) []Left {
	groups := map[manifest.Ref][]int{}
	for i, l := range left {
		if doc := documentOf(l.Item, w.before); doc != (manifest.Ref{}) && refused(l.Item) == "" && i < MaxItems {
			groups[doc] = append(groups[doc], i)
		}
	}
	done := map[int]bool{}
	for _, doc := range slices.SortedFunc(maps.Keys(groups), manifest.Ref.Compare) {
		group := groups[doc]
		if len(group) < 2 {
			continue
		}
		items := make([]Item, 0, len(group))
		for _, i := range group {
			items = append(items, left[i].Item)
		}
		if !w.adoptAll(items) {
			continue
		}
		for _, i := range group {
			done[i] = true
		}
	}
	var out []Left
	for i, l := range left {
		if !done[i] {
			out = append(out, l)
		}
	}
	return out
}

// refused says why an item is never adopted; "" when it may be.
func refused(item Item) string {
	switch {
	case item.Sensitive && item.Kind != Missing:
		return "it is known as a token only, and no secret is written: declare it as a secret or parameter, or put it back"
	case item.Ref.Kind == manifest.KindFunction && (item.Path == "code" || item.Path == "packageType"):
		return "code is not adopted from what lives: build it, and name its digest in artifact"
	case manifest.AliasKind(item.Ref.Kind) && item.Path != "description":
		return "where traffic goes is a rollout's, and no manifest says it"
	case item.Path == "versions" || strings.HasPrefix(item.Path, "versions.") && item.Ref.Kind != manifest.KindProvisioned:
		return "versions are published by releases, and no manifest lists them"
	case item.Path == "" && item.Parent == (manifest.Ref{}) && item.Kind == Missing && topLevel(item.Ref.Kind):
		return "whether it is declared at all is for its manifest: take that out by hand, or let it be put back"
	}
	return ""
}

// work is an edit in the making.
type work struct {
	Input
	root    string // folder of the environment's manifests
	alone   bool
	before  *manifest.Release
	fields  map[manifest.Ref]map[string]string // of before, as far as asked
	overlay string                             // file; it need not be there yet
	files   map[string][]byte                  // edited so far
	adopted []Adopted
	budget  int // renderings that may be tried still
}

// effort bounds what one edit renders: resources times renderings. It is about
// a few seconds.
const effort = 200_000

// minTries are the renderings that a tree of any size gets.
const minTries = 20

var errEffort = errors.New("there is too much to be tried at once: it is offered when the others are in")

func newWork(in Input) (*work, error) {
	if in.Loader == nil {
		in.Loader = &manifest.Loader{}
	}
	spec, _ := in.Pipeline.Environment(in.Environment)
	w := &work{
		Input: in, root: path.Clean(spec.Path), alone: Alone(in.Pipeline, in.Environment),
		fields: map[manifest.Ref]map[string]string{}, files: map[string][]byte{},
	}
	var err error
	if w.before, w.overlay, err = w.render(nil); err != nil {
		return nil, fmt.Errorf("render the manifests of %s: %w", in.Environment, err)
	}
	w.budget = max(minTries, effort/max(1, len(w.before.Resources)))
	if w.overlay == "" {
		w.overlay = path.Join(w.root, "environments", in.Environment+".yaml")
	}
	return w, nil
}

// render makes the release of the tree with files in place, and names the file
// of the environment's overlay.
func (w *work) render(files map[string][]byte) (*manifest.Release, string, error) {
	docs, err := w.Loader.Load(layered{w.Tree, files}, manifest.LoadOptions{Path: w.root})
	if docs == nil {
		return nil, "", err
	}
	release, err := manifest.Render(docs, w.Pipeline, w.Environment, "")
	return release, docs.OverlayFile(w.Environment), err
}

// adopt makes one item declared as it lives, by the first way that does; else
// it says why there is none.
func (w *work) adopt(item Item) string {
	ways, err := w.ways(item)
	if err != nil {
		return err.Error()
	}
	why := ""
	for _, one := range ways {
		err := w.try([]way{one}, []Item{item})
		if err == nil {
			return ""
		}
		if why == "" || !errors.Is(err, errForm) {
			why = err.Error()
		}
		if errors.Is(err, errEffort) {
			return why
		}
	}
	return cmp.Or(why, noWay)
}

// adoptAll makes several items declared that only are together: by an edit for
// one that brings the others, or by one for each.
func (w *work) adoptAll(items []Item) bool {
	var each []way
	for _, item := range items {
		ways, err := w.ways(item)
		if err != nil || len(ways) == 0 {
			return false
		}
		for _, one := range ways {
			if w.try([]way{one}, items) == nil {
				return true
			}
		}
		each = append(each, ways[0])
	}
	return w.try(each, items) == nil
}

// try makes edits, and keeps them where all items are declared then.
func (w *work) try(ways []way, items []Item) error {
	files := maps.Clone(w.files)
	for _, one := range ways {
		if err := one.edit(files); err != nil {
			return err
		}
	}
	if w.budget--; w.budget < 0 {
		return errEffort
	}
	if err := w.verify(files, items); err != nil {
		return err
	}
	w.files = files
	for i, item := range items {
		w.adopted = append(w.adopted, Adopted{item, ways[min(i, len(ways)-1)].where})
	}
	return nil
}

const noWay = "no manifest has a field for it"
