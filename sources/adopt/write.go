package adopt

import (
	"maps"
	"path"
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

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
