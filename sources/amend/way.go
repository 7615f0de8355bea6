package amend

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"mooring.dev/sources/manifest"
)

// way is one way to declare an item: an edit of files, and where it is made.
type way struct {
	where string
	edit  func(files map[string][]byte) error
}

// ways are the edits that may adopt an item, the likeliest first. Which of them
// does is seen by rendering.
func (w *work) ways(item Item) ([]way, error) {
	doc := documentOf(item, w.before)
	res, found := w.before.Resource(doc)
	if !found {
		return nil, errors.New("nothing that is declared has it")
	}
	at, err := w.document(res, doc)
	if err != nil {
		return nil, err
	}
	wishes, err := w.wishes(item, at)
	if err != nil {
		return nil, err
	}
	var out []way
	for _, wish := range wishes {
		out = append(out, w.byValue(at, wish)...)
		if w.alone {
			out = append(out, w.inManifest(at, wish))
		}
		out = append(out, w.inPatch(at, wish))
	}
	return out, nil
}

// place is a manifest as it stands in its file.
type place struct {
	ref   manifest.Ref
	file  string
	line  int
	root  *yaml.Node
	patch *yaml.Node // of the overlay, the last that is about this manifest alone; nil: none
}

// wish is what a manifest shall say at a place; remove takes it out.
type wish struct {
	at     []string
	value  any
	remove bool
	form   *wish // the mapping that has to be there first; nil: none
}

// apply writes the wish below a mapping. null takes out what a patch is to
// remove.
func (wi wish) apply(find func(*text) (*yaml.Node, error), t *text, above []string, null bool) (*text, error) {
	if f := wi.form; f != nil {
		m, err := find(t)
		if err != nil {
			return nil, err
		}
		if n := get(m, slices.Concat(above, f.at)); n == nil || n.Kind != yaml.MappingNode {
			if t, err = t.set(m, slices.Concat(above, f.at), f.value); err != nil {
				return nil, err
			}
		}
	}
	m, err := find(t)
	switch {
	case err != nil:
		return nil, err
	case !wi.remove:
		return t.set(m, slices.Concat(above, wi.at), wi.value)
	case null:
		return t.set(m, slices.Concat(above, wi.at), nil)
	}
	return t.unset(m, slices.Concat(above, wi.at), 1)
}

func (wi wish) String() string { return strings.Join(wi.at, ".") }

func (w *work) read(files map[string][]byte, name string) ([]byte, error) {
	if data, ok := files[name]; ok {
		return data, nil
	}
	return fs.ReadFile(w.Tree, name)
}

func (w *work) document(res manifest.Resource, ref manifest.Ref) (place, error) {
	out := place{ref: ref, file: res.Origin.File, line: res.Origin.Line}
	data, err := w.read(w.files, out.file)
	if err != nil {
		return out, fmt.Errorf("read the manifest of %s: %w", ref, err)
	}
	line, err := lineOf(data, ref, out.line)
	if err != nil {
		return out, err
	}
	out.line = line
	if out.root, err = newText(data).document(line); err != nil {
		return out, err
	}
	if data, err := w.read(w.files, w.overlay); err == nil {
		if overlay := overlayIn(data, w.Environment); overlay != nil {
			out.patch = patchOf(overlay, ref)
		}
	}
	return out, nil
}

// lineOf finds the document of a manifest, which edits above it may have moved.
func lineOf(data []byte, ref manifest.Ref, line int) (int, error) {
	for _, root := range documents(data) {
		name := get(root, []string{"metadata", "name"})
		kind := get(root, []string{"kind"})
		if name != nil && kind != nil && name.Value == ref.Name && kind.Value == ref.Kind {
			return root.Line, nil
		}
	}
	return line, errForm
}

func documents(data []byte) []*yaml.Node {
	var out []*yaml.Node
	loader, err := yaml.NewLoader(strings.NewReader(string(data)))
	for err == nil {
		var n yaml.Node
		if err = loader.Load(&n); err == nil && len(n.Content) == 1 && n.Content[0].Kind == yaml.MappingNode {
			out = append(out, n.Content[0])
		}
	}
	return out
}

// overlayIn is an environment's overlay in a file; nil when there is none.
func overlayIn(data []byte, environment string) *yaml.Node {
	for _, root := range documents(data) {
		kind, name := get(root, []string{"kind"}), get(root, []string{"metadata", "name"})
		if kind != nil && name != nil && kind.Value == manifest.KindEnvironment && name.Value == environment {
			return root
		}
	}
	return nil
}

// patchOf is the last patch of one manifest by name.
func patchOf(overlay *yaml.Node, ref manifest.Ref) *yaml.Node {
	list := get(overlay, []string{"spec", "patches"})
	if list == nil {
		return nil
	}
	for _, item := range slices.Backward(list.Content) {
		kind, name := get(item, []string{"target", "kind"}), get(item, []string{"target", "name"})
		if kind != nil && name != nil && kind.Value == ref.Kind && name.Value == ref.Name && get(item, []string{"patch"}) != nil {
			return item
		}
	}
	return nil
}

// now is what the manifest says at a place: the patch, or what stands below it.
func (p place) now(at []string) *yaml.Node {
	if n := get(p.patch, slices.Concat([]string{"patch"}, at)); n != nil {
		return n
	}
	return get(p.root, at)
}

// inManifest writes into the manifest itself.
func (w *work) inManifest(p place, wi wish) way {
	return way{p.file + ": " + wi.String(), func(files map[string][]byte) error {
		data, err := w.read(files, p.file)
		if err != nil {
			return err
		}
		line, err := lineOf(data, p.ref, p.line)
		if err != nil {
			return err
		}
		t, err := wi.apply(func(t *text) (*yaml.Node, error) { return t.document(line) }, newText(data), nil, false)
		if err == nil {
			files[p.file] = t.data
		}
		return err
	}}
}

// byValue changes the overlay's value where the manifest says ${name} and
// nothing else.
func (w *work) byValue(p place, wi wish) []way {
	n := p.now(wi.at)
	if n == nil || wi.remove {
		return nil
	}
	name := ""
	if inner, ok := strings.CutPrefix(n.Value, "${"); ok && n.Kind == yaml.ScalarNode {
		name, _ = strings.CutSuffix(inner, "}")
	} else if v := get(n, []string{"value"}); v != nil && len(n.Content) == 2 {
		name = v.Value
	}
	if name == "" || strings.ContainsAny(name, "${}") {
		return nil
	}
	at := []string{"spec", "values", name}
	return []way{{w.overlay + ": " + strings.Join(at, "."), func(files map[string][]byte) error {
		return w.onOverlay(files, func(t *text, overlay *yaml.Node) (*text, error) {
			if get(overlay, at) == nil {
				return nil, errForm
			}
			return t.set(overlay, at, wi.value)
		})
	}}}
}

// inPatch writes into the overlay's patch of the manifest, or adds one.
func (w *work) inPatch(p place, wi wish) way {
	return way{w.overlay + ": patch of " + p.ref.String() + ", " + wi.String(), func(files map[string][]byte) error {
		return w.onOverlay(files, func(t *text, overlay *yaml.Node) (*text, error) {
			if patchOf(overlay, p.ref) != nil {
				return wi.apply(func(t *text) (*yaml.Node, error) { return patchOf(overlayIn(t.data, w.Environment), p.ref), nil }, t, []string{"patch"}, true)
			}
			patch := nested(wi.at, wi.value)
			if wi.form != nil {
				patch = joined(nested(wi.form.at, wi.form.value), patch)
			}
			return t.add(overlay, []string{"spec", "patches"}, map[string]any{
				"target": map[string]any{"kind": p.ref.Kind, "name": p.ref.Name}, "patch": patch,
			})
		})
	}}
}

// joined is two nested mappings as one.
func joined(a, b any) any {
	x, ok := a.(map[string]any)
	y, both := b.(map[string]any)
	if !ok || !both {
		return b
	}
	out := maps.Clone(x)
	for key, v := range y {
		out[key] = v
		if old, had := x[key]; had {
			out[key] = joined(old, v)
		}
	}
	return out
}

// onOverlay edits the environment's overlay, which is made where there is none.
func (w *work) onOverlay(files map[string][]byte, edit func(*text, *yaml.Node) (*text, error)) error {
	data, err := w.read(files, w.overlay)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = []byte("apiVersion: "+manifest.APIVersion+"\nkind: Environment\nmetadata: {name: "+w.Environment+"}\nspec:\n"), nil
	}
	if err != nil {
		return err
	}
	overlay := overlayIn(data, w.Environment)
	if overlay == nil {
		return fmt.Errorf("%w: %s holds no Environment %s", errForm, path.Base(w.overlay), w.Environment)
	}
	t, err := edit(newText(data), overlay)
	if err == nil {
		files[w.overlay] = t.data
	}
	return err
}
