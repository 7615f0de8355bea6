package amend

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand"
	"strings"
	"testing"
	"testing/fstest"

	"mooring.dev/sources/manifest"
)

// TestManyAtOnce: whatever was changed together, each difference is adopted and
// declared as it lives, or left with a reason; no token is ever written, and a
// second edit of the edited tree finds nothing to do.
func TestManyAtOnce(t *testing.T) {
	pl := newPlatform(t)
	for seed := range int64(12) {
		random := rand.New(rand.NewSource(seed))
		alone := seed%2 == 0
		p := pipelineOf(t, alone)
		before := map[string]string{"shop.yaml": shop, overlayFile: overlayText}
		live := map[string]string{"shop.yaml": shop, overlayFile: overlayText}
		for _, i := range random.Perm(len(rows))[:4+2*seed] {
			r := rows[i]
			for name, text := range live {
				if r.noLay || strings.Count(text, r.from) != 1 {
					continue
				}
				live[name] = strings.Replace(text, r.from, r.to, 1)
				if !renders(p, treeOf(live)) { // it does not go with the others
					live[name] = text
				}
			}
		}
		items := pl.drifted(t, rendered(t, p, treeOf(before)), rendered(t, p, treeOf(live)))
		in := Input{Tree: treeOf(before), Pipeline: p, Environment: "production", Items: items, Fields: pl.fields, Addresses: pl.addresses}
		out, err := Edit(in)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if len(out.Adopted)+len(out.Left) != len(items) {
			t.Errorf("seed %d: %d adopted and %d left of %d", seed, len(out.Adopted), len(out.Left), len(items))
		}
		for _, l := range out.Left {
			if l.Why == "" || refused(l.Item) == "" && !strings.Contains(l.Why, "reference") {
				t.Errorf("seed %d: %s %s is left: %s", seed, l.Item.Ref, l.Item.Path, l.Why)
			}
		}
		pl.checkDeclared(t, p, before, out)
		tree := treeOf(before)
		for name, data := range out.Files {
			if bytes.Contains(data, []byte("hmac:")) {
				t.Errorf("seed %d: a token is written:\n%s", seed, data)
			}
			if !alone && name != overlayFile {
				t.Errorf("seed %d: %s is edited, which others live by", seed, name)
			}
			tree[name] = &fstest.MapFile{Data: data}
		}
		var again []Item
		for _, a := range out.Adopted {
			if declaredAs(pl, rendered(t, p, tree), a.Item) != nil {
				again = append(again, a.Item)
			}
		}
		if len(again) > 0 {
			t.Errorf("seed %d: %d are to be adopted again", seed, len(again))
		}
	}
}

// TestAStormIsTriedAtOnce: many differences of one kind cost one rendering, and
// what would cost too many waits for the next offer.
func TestAStormIsTriedAtOnce(t *testing.T) {
	pl, p := newPlatform(t), pipelineOf(t, false)
	text := ""
	for i := range 12 {
		text += fmt.Sprintf("---\napiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: q%d}\nspec: {visibilityTimeout: 60}\n", i)
	}
	before := treeOf(map[string]string{"q.yaml": text})
	live := treeOf(map[string]string{"q.yaml": strings.ReplaceAll(text, "60", "90")})
	items := pl.drifted(t, rendered(t, p, before), rendered(t, p, live))
	w, err := newWork(Input{Tree: before, Pipeline: p, Environment: "production", Items: items, Fields: pl.fields, Addresses: pl.addresses})
	if err != nil {
		t.Fatal(err)
	}
	w.budget = 1
	if !w.atOnce(items) || len(w.adopted) != len(items) || bytes.Count(w.files[overlayFile], []byte("visibilityTimeout: 90")) != len(items) {
		t.Errorf("%d of %d adopted:\n%s", len(w.adopted), len(items), w.files[overlayFile])
	}
	if why := w.adopt(items[0]); why != errEffort.Error() {
		t.Errorf("beyond the budget: %q", why)
	}
}

func renders(p *manifest.Pipeline, tree fs.FS) bool {
	docs, err := (&manifest.Loader{}).Load(tree, manifest.LoadOptions{})
	if err == nil {
		_, err = manifest.Render(docs, p, "production", "")
	}
	return err == nil
}

// TestText: an edit cuts where it says and nowhere else, however the file is
// written; what a program does not edit is refused.
func TestText(t *testing.T) {
	const doc = "# head\na: 1  # one\nb:\n    # over x\n    x: \"q\\\"}u\" # two\n    f: {k: [1, 2], 'ö k': 'it''s', l: a}\n    s: |\n      foo\n      bar\n    n: # none\nlast: &anchor {z: 1}\nfolded: two\n  lines\nlist:\n- k: 1\n  m: 2\n"
	for name, c := range map[string]struct {
		at       string
		value    any
		remove   bool
		from, to string // "": refused
	}{
		"plain":                    {at: "a", value: "two words", from: "a: 1  #", to: "a: two words  #"},
		"quoted":                   {at: "b.x", value: `a"b`, from: `x: "q\"}u" #`, to: `x: "a\"b" #`},
		"within flow":              {at: "b.f.ö k", value: "it", from: "'it''s'", to: "'it'"},
		"added to flow":            {at: "b.f.new", value: "a, b", from: "l: a}", to: `l: a, new: "a, b"}`},
		"list in flow":             {at: "b.f.k", value: []any{"a"}, from: "[1, 2]", to: "[a]"},
		"block text":               {at: "b.s", value: "one", from: "s: |\n      foo\n      bar\n", to: "s: one\n"},
		"empty":                    {at: "b.n", value: 3, from: "n: # none", to: "n: 3 # none"},
		"below empty":              {at: "b.n.deep", value: 3, from: "n: # none", to: "n:\n      deep: 3 # none"},
		"added after empty":        {at: "b.other", value: true, from: "n: # none\n", to: "n: # none\n    other: true\n"},
		"added":                    {at: "new.deep", value: map[string]any{"ref": "Queue/q", "attribute": "url"}, from: "  m: 2\n", to: "  m: 2\nnew:\n  deep: {ref: Queue/q, attribute: url}\n"},
		"words that are no text":   {at: "a", value: "no", from: "a: 1  #", to: `a: "no"  #`},
		"taken out":                {at: "b.x", remove: true, from: "    x: \"q\\\"}u\" # two\n", to: ""},
		"taken out of flow":        {at: "b.f.k", remove: true, from: "{k: [1, 2], ", to: "{"},
		"last taken out of flow":   {at: "b.f.l", remove: true, from: "'it''s', l: a}", to: "'it''s'}"},
		"block text taken out":     {at: "b.s", remove: true, from: "    s: |\n      foo\n      bar\n", to: ""},
		"what is empty, taken out": {at: "b.n", remove: true, from: "    n: # none\n", to: ""},
		"below an anchor":          {at: "last.z", value: 2},
		"an anchor":                {at: "last", value: 2},
		"folded":                   {at: "folded", value: 2},
		"below text":               {at: "a.b", value: 2},
		"not there":                {at: "b.zzz", remove: true},
	} {
		t.Run(name, func(t *testing.T) {
			text := newText([]byte(doc))
			root, err := text.document(2)
			if err != nil {
				t.Fatal(err)
			}
			at := strings.Split(c.at, ".")
			if c.remove {
				text, err = text.unset(root, at, 0)
			} else {
				text, err = text.set(root, at, c.value)
			}
			if c.from == "" {
				if err == nil {
					t.Errorf("edited:\n%s", text.data)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Replace(doc, c.from, c.to, 1); string(text.data) != want || want == doc {
				t.Errorf("%s\nwant\n%s", text.data, want)
			}
		})
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte(shop), "spec.memorySize", "a: b")
	f.Add([]byte("a: {b: 'c'}\n"), "a.b", "d, e")
	f.Fuzz(func(t *testing.T, data []byte, at, value string) {
		docs := documents(data)
		if len(docs) == 0 {
			return
		}
		edited, err := newText(data).set(docs[0], strings.Split(at, "."), value)
		if err != nil {
			return
		}
		// What comes of it is seen by rendering: here it must only come to an end.
		documents(edited.data)
	})
}
