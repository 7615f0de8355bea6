// Package adopt makes a folder of manifests of drafts: of what lives, or of
// what another tool's files declare. It names and groups them, puts references
// in place of addresses, takes secrets out, and lists what it could not carry.
// It is pure: data in, files out. It refuses to write a value that looks like
// a secret, and to drop anything without saying so.
package adopt

import (
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
		Files: map[string][]byte{}, Moves: append([]Move{}, found.Moves...), Left: append([]Left{}, found.Left...), Skipped: append([]Skipped{}, found.Skipped...), Resources: []string{}, Unmanaged: []string{}, Tools: []Tool{},
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
		switch d.Kind {
		case manifest.KindLogGroup: // a path is no file's name
			d.Name = strings.Trim(d.Name, "/")
		case manifest.KindBucket: // nor is another tool's name one of a bucket
			d.Name = strings.ToLower(d.Name)
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
