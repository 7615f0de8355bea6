package adopt

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

const (
	folderAlone  = "services" // of functions that nothing groups
	folderShared = "shared"   // of what several folders use
)

// group gives every draft a folder: the stack or service it is tagged with,
// else the word its name begins with when others begin with it too. What
// functions use goes where they are, if that is one place.
func (c *composer) group() {
	c.folder = map[manifest.Ref]string{}
	words := map[string]int{}
	for _, d := range c.drafts {
		if d.Kind == manifest.KindFunction && d.Group == "" {
			words[firstWord(d.Name)]++
		}
	}
	users := map[string]map[string]bool{} // by address: folders
	for _, d := range c.drafts {
		if d.Kind != manifest.KindFunction {
			continue
		}
		folder := clean(d.Group)
		if d.Group == "" {
			if folder = firstWord(d.Name); words[folder] < 2 {
				folder = folderAlone
			}
		}
		c.folder[d.Ref()] = folder
		for address := range texts(d.Spec, map[string]bool{}) {
			if users[address] == nil {
				users[address] = map[string]bool{}
			}
			users[address][folder] = true
		}
	}
	c.groupUsed(users)
}

// groupUsed places everything but functions; dead-letter queues go along with
// the queues they serve.
func (c *composer) groupUsed(users map[string]map[string]bool) {
	owned := map[string]string{} // by address of a function: its folder
	for _, d := range c.drafts {
		if d.Kind == manifest.KindFunction {
			for _, address := range append(slices.Collect(maps.Values(d.Addresses)), d.Physical) {
				owned[address] = c.folder[d.Ref()]
			}
		}
	}
	for range 2 { // queues first, then what they name
		for _, d := range c.drafts {
			if d.Kind == manifest.KindFunction {
				continue
			}
			folders := map[string]bool{}
			for _, address := range d.Addresses {
				maps.Copy(folders, users[address])
			}
			switch {
			case len(folders) == 1:
				for folder := range folders {
					c.folder[d.Ref()] = folder
				}
			case len(folders) == 0 && d.Group != "":
				c.folder[d.Ref()] = clean(d.Group)
			case len(folders) == 0:
				c.folder[d.Ref()] = c.beside(d, owned)
			default:
				c.folder[d.Ref()] = folderShared
			}
			if d.Kind == manifest.KindRole { // what a role may use belongs to nobody for that
				continue
			}
			for address := range texts(d.Spec, map[string]bool{}) {
				if users[address] == nil {
					users[address] = map[string]bool{}
				}
				if c.folder[d.Ref()] != folderShared {
					users[address][c.folder[d.Ref()]] = true
				}
			}
		}
	}
}

// beside is the folder of what names functions, and is named by nothing: theirs,
// if it is one; else that of the functions whose names begin as its does.
func (c *composer) beside(d *manifest.Draft, owned map[string]string) string {
	folders := map[string]bool{}
	for text := range texts(d.Spec, map[string]bool{}) {
		if folder := owned[text]; folder != "" {
			folders[folder] = true
		}
	}
	delete(folders, "")
	if len(folders) == 1 {
		for folder := range folders {
			return folder
		}
	}
	if first := firstWord(strings.Trim(d.Name, "/")); len(folders) == 0 && first != folderAlone {
		for _, folder := range owned {
			if folder == first {
				return first
			}
		}
	}
	return folderShared
}

// texts are all strings of a spec.
func texts(x any, into map[string]bool) map[string]bool {
	switch x := x.(type) {
	case map[string]any:
		for _, v := range x {
			texts(v, into)
		}
	case []any:
		for _, v := range x {
			texts(v, into)
		}
	case string:
		into[x] = true
	}
	return into
}

// firstWord of a name in kebab, snake or camel case.
func firstWord(name string) string {
	for i := range len(name) {
		c := name[i]
		if c == '-' || c == '_' || c == '.' || i > 0 && c >= 'A' && c <= 'Z' && name[i-1] >= 'a' && name[i-1] <= 'z' {
			if i > 0 {
				return clean(name[:i])
			}
		}
	}
	return clean(name)
}

// clean makes a folder's name of any text.
func clean(name string) string {
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name)
	out = strings.Trim(out[:min(len(out), 60)], "-_")
	if out == "" || slices.Contains([]string{"policies", "environments"}, out) {
		return folderAlone
	}
	return out
}

// number reads what JSON, YAML or Go call a number; nothing is otherwise.
func number(x any, otherwise float64) float64 {
	switch x := x.(type) {
	case nil:
		return otherwise
	case int:
		return float64(x)
	case float64:
		return x
	case json.Number:
		f, _ := x.Float64() // what is none counts as nothing
		return f
	}
	return 0
}
