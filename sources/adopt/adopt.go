// Package adopt makes a folder of manifests of drafts: of what lives, or of
// what another tool's files declare. It names and groups them, puts references
// in place of addresses, takes secrets out, and lists what it could not carry.
// It is pure: data in, files out. It refuses to write a value that looks like
// a secret, and to drop anything without saying so.
package adopt

import (
	"maps"
	"path"
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

// Found is what an import starts from.
type Found struct {
	Drafts  []manifest.Draft
	Skipped []Skipped
	// Left is what the source as a whole could not say.
	Left []Left
	// Moves are secrets the source does not hold the value of.
	Moves []Move
}

// Placeholder begins the address of something that has none before it is
// deployed: it stands where a reference is to stand. What no reference takes
// the place of is left out.
const Placeholder = "arn:template:"

// Skipped is something that was found and is not taken.
type Skipped struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Why    string `json:"why"`
	Tool   string `json:"tool,omitempty"` // taken when this tool is named
	Failed bool   `json:"failed,omitempty"`
}

// Left is something that a manifest does not say.
type Left struct {
	Resource string `json:"resource,omitempty"`
	What     string `json:"what"`
}

// Move is a value that looks like a secret and is to be moved to one.
type Move struct {
	Function string `json:"function"`
	Variable string `json:"variable"`
	Secret   string `json:"secret"` // where to
	Why      string `json:"why"`
}

// Options say how manifests are made.
type Options struct {
	// Environment is cut off names that begin or end in it.
	Environment string
	// Artifacts is where code was kept, by the kind and the physical name of
	// what it is of: Function/shop-checkout, Layer/money.
	Artifacts map[string]manifest.Artifact
	// Source says in words what was read, for the report.
	Source string
}

// Result is a folder of manifests and what is to be known about it.
type Result struct {
	Files     map[string][]byte `json:"-"` // by path
	Resources []string          `json:"resources"`
	Moves     []Move            `json:"secrets"`
	Left      []Left            `json:"left"`
	Skipped   []Skipped         `json:"skipped"`
	Unmanaged []string          `json:"unmanagedCode"` // functions whose code something else brings
	Tools     []Tool            `json:"tools"`         // that manage what was taken
}

// Tool is something that manages what was taken, and would undo what is done
// here while it goes on.
type Tool struct {
	Tool      string   `json:"tool"`
	Group     string   `json:"group,omitempty"` // the stack or service
	Resources []string `json:"resources"`
}

// ReportFile is what a person reads after an import.
const ReportFile = "IMPORT.md"

// Compose makes the folder.
func Compose(found Found, o Options) (*Result, error) {
	c := &composer{o: o, result: &Result{
		Files: map[string][]byte{}, Moves: append([]Move{}, found.Moves...), Left: slices.Clone(found.Left), Skipped: found.Skipped, Resources: []string{}, Unmanaged: []string{}, Tools: []Tool{},
	}}
	for _, d := range found.Drafts {
		c.drafts = append(c.drafts, cloned(d))
	}
	c.name()
	c.artifacts()
	c.secrets()
	c.group()
	c.settle()
	if err := c.write(); err != nil {
		return nil, err
	}
	c.report()
	return c.result, c.leaks()
}

// composer is one Compose.
type composer struct {
	o      Options
	drafts []*manifest.Draft
	folder map[manifest.Ref]string
	values map[string]string // secret values, to where they are to move
	// scrubbed are places that held secrets and are not written, one for each
	// draft that had any.
	scrubbed map[manifest.Ref]string
	result   *Result
}

// cloned is a draft whose spec may be written to.
func cloned(d manifest.Draft) *manifest.Draft {
	d.Spec, _ = deep(d.Spec).(map[string]any)
	if d.Spec == nil {
		d.Spec = map[string]any{}
	}
	d.Left = slices.Clone(d.Left)
	return &d
}

func deep(x any) any {
	switch x := x.(type) {
	case map[string]any:
		if x == nil {
			return x
		}
		out := make(map[string]any, len(x))
		for k, v := range x {
			out[k] = deep(v)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, v := range x {
			out[i] = deep(v)
		}
		return out
	}
	return x
}

// literal kinds go by their name in the platform.
func literal(kind string) bool { return kind == manifest.KindSecret || kind == manifest.KindParameter }

// name gives every draft a name of its own in the repository: the physical
// one without the environment's.
func (c *composer) name() {
	taken := map[manifest.Ref]bool{}
	for _, d := range c.drafts {
		if d.Kind == manifest.KindLogGroup { // a path is no file's name
			d.Name = strings.Trim(d.Name, "/")
		}
		if short := c.shorten(d.Name); !literal(d.Kind) && short != d.Name {
			ref := manifest.Ref{Kind: d.Kind, Name: short}
			if !taken[ref] && !slices.ContainsFunc(c.drafts, func(o *manifest.Draft) bool { return o.Ref() == ref }) {
				d.Name = short
			}
		}
		taken[d.Ref()] = true
	}
}

// shorten cuts the environment off the beginning or end of a name.
func (c *composer) shorten(name string) string {
	if c.o.Environment == "" {
		return name
	}
	base, suffix := name, ""
	if rest, ok := strings.CutSuffix(name, ".fifo"); ok {
		base, suffix = rest, ".fifo"
	}
	for _, dash := range []string{"-", "_"} {
		if rest, ok := strings.CutPrefix(base, c.o.Environment+dash); ok && rest != "" {
			return rest + suffix
		}
		if rest, ok := strings.CutSuffix(base, dash+c.o.Environment); ok && rest != "" {
			return rest + suffix
		}
	}
	return name
}

// artifacts names the code that was kept. A layer is declared with its code or
// not at all.
func (c *composer) artifacts() {
	c.drafts = slices.DeleteFunc(c.drafts, func(d *manifest.Draft) bool {
		a, _ := d.Spec["artifact"].(map[string]any)
		if kept, ok := c.o.Artifacts[d.Kind+"/"+d.Physical]; ok {
			d.Spec["artifact"] = map[string]any{"uri": kept.URI, "digest": kept.Digest}
			return false
		}
		switch {
		case a["unmanaged"] != true:
		case d.Kind == manifest.KindFunction:
			c.result.Unmanaged = append(c.result.Unmanaged, d.Ref().String())
		case d.Kind == manifest.KindLayer:
			why := "a layer is declared with its code: import again with --artifacts; functions name its version by ARN until then"
			for _, left := range d.Left {
				why += "; " + left
			}
			c.result.Skipped = append(c.result.Skipped, Skipped{Kind: d.Kind, Name: nameIn(d), Why: why})
			return true
		}
		return false
	})
	slices.Sort(c.result.Unmanaged)
}

// settle links what a repository would accept, until no reference leads to
// something that it would not.
func (c *composer) settle() {
	isAPI := func(d *manifest.Draft) bool { return d.Kind == manifest.KindAPI }
	c.admit(isAPI, func(*manifest.Draft) {})
	c.behindAPIs()
	every := func(*manifest.Draft) bool { return true }
	c.admit(every, func(*manifest.Draft) {})
	for range len(c.drafts) + 1 {
		c.behindAPIs()
		before := make([]*manifest.Draft, len(c.drafts))
		for i, d := range c.drafts {
			before[i] = cloned(*d)
		}
		c.link()
		if !c.admit(every, c.unlinked) {
			return
		}
		accepted := map[manifest.Ref]bool{}
		for _, d := range c.drafts {
			accepted[d.Ref()] = true
		}
		c.drafts = slices.DeleteFunc(before, func(d *manifest.Draft) bool { return !accepted[d.Ref()] })
	}
}

// admit keeps what a repository would accept by itself, of some drafts. What it
// would not is listed, with why; then it is true.
func (c *composer) admit(which func(*manifest.Draft) bool, prepare func(*manifest.Draft)) bool {
	n := len(c.drafts)
	c.drafts = slices.DeleteFunc(c.drafts, func(d *manifest.Draft) bool {
		if !which(d) {
			return false
		}
		prepare(d)
		_, err := d.YAML()
		if err == nil {
			return false
		}
		c.result.Skipped = append(c.result.Skipped, Skipped{Kind: d.Kind, Name: nameIn(d), Why: "a manifest could not say it: " + err.Error()})
		return true
	})
	c.drafts = slices.CompactFunc(c.sorted(), func(a, b *manifest.Draft) bool { return a.Ref() == b.Ref() })
	return len(c.drafts) < n
}

func nameIn(d *manifest.Draft) string {
	if d.Physical != "" {
		return d.Physical
	}
	return d.Name
}

func (c *composer) sorted() []*manifest.Draft {
	slices.SortStableFunc(c.drafts, func(a, b *manifest.Draft) int { return a.Ref().Compare(b.Ref()) })
	return c.drafts
}

// write puts the drafts into files: a function and the role that is its alone
// into one of their own, everything else together by kind.
func (c *composer) write() error {
	files := map[string][]*manifest.Draft{}
	for _, d := range c.drafts {
		if name, text := d.File(); name != "" {
			c.result.Files[path.Join(c.folder[d.Ref()], name)] = text
		}
		name := strings.ToLower(d.Kind) + "s.yaml"
		switch d.Kind {
		case manifest.KindFunction:
			name = d.Name + ".yaml"
		case manifest.KindRole:
			if fn := c.onlyUser(d.Ref()); fn != "" {
				name = fn + ".yaml"
			}
		}
		at := path.Join(c.folder[d.Ref()], name)
		files[at] = append(files[at], d)
	}
	for at, drafts := range files {
		var text []byte
		for i, d := range drafts {
			one, err := d.YAML()
			if err != nil {
				return err
			}
			if i > 0 {
				text = append(text, "---\n"...)
			}
			text = append(text, one...)
			c.result.Resources = append(c.result.Resources, d.Ref().String())
			for _, what := range d.Left {
				c.result.Left = append(c.result.Left, Left{d.Ref().String(), what})
			}
		}
		c.result.Files[at] = text
	}
	slices.Sort(c.result.Resources)
	c.tools()
	taken := func(ref string) bool { return slices.Contains(c.result.Resources, ref) }
	c.result.Moves = slices.DeleteFunc(c.result.Moves, func(m Move) bool { return !taken(m.Function) })
	c.result.Unmanaged = slices.DeleteFunc(c.result.Unmanaged, func(ref string) bool { return !taken(ref) })
	slices.SortFunc(c.result.Left, func(a, b Left) int { return strings.Compare(a.Resource+"\x00"+a.What, b.Resource+"\x00"+b.What) })
	return nil
}

// tools lists what else manages what is declared, by tool and stack.
func (c *composer) tools() {
	at := map[[2]string][]string{}
	for _, d := range c.drafts {
		if d.Tool != "" {
			key := [2]string{d.Tool, d.Group}
			at[key] = append(at[key], d.Ref().String())
		}
	}
	for key, refs := range at {
		slices.Sort(refs)
		c.result.Tools = append(c.result.Tools, Tool{key[0], key[1], refs})
	}
	slices.SortFunc(c.result.Tools, func(a, b Tool) int { return strings.Compare(a.Tool+" "+a.Group, b.Tool+" "+b.Group) })
}

// onlyUser is the one function that takes a role on; "" when several do.
func (c *composer) onlyUser(role manifest.Ref) string {
	user := ""
	for _, d := range c.drafts {
		if d.Kind != manifest.KindFunction || roleOf(d) != role.String() {
			continue
		}
		if user != "" {
			return ""
		}
		user = d.Name
	}
	return user
}

func roleOf(d *manifest.Draft) string {
	role, _ := d.Spec["role"].(map[string]any)
	ref, _ := role["ref"].(string)
	return ref
}

// paths lists the files in order.
func (r *Result) paths() []string { return slices.Sorted(maps.Keys(r.Files)) }
