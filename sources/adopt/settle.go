package adopt

import (
	"slices"

	"mooring.dev/sources/manifest"
)

// settle links what a repository would accept, until no reference leads to
// something that it would not.
func (c *composer) settle() {
	c.admit(func(d *manifest.Draft) bool { return standing[d.Kind] != "" }, func(*manifest.Draft) {})
	c.behind()
	every := func(*manifest.Draft) bool { return true }
	c.admit(every, func(*manifest.Draft) {})
	for range len(c.drafts) + 1 {
		c.behind()
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
		why := err.Error()
		if last := len(d.Left) - 1; len(d.Spec) == 0 && last >= 0 {
			why = d.Left[last] // without that it would be something else
		}
		c.result.Skipped = append(c.result.Skipped, Skipped{Kind: d.Kind, Name: nameIn(d), Why: "a manifest could not say it: " + why})
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
