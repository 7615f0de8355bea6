package rights

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Limits of IAM, in characters without white space.
const (
	InlineLimit  = 10_240 // of all inline policies of a role together
	ManagedLimit = 6_144  // of one managed policy
)

// Document is an IAM policy document.
type Document struct {
	Version   string
	Statement []Statement
}

// Statement allows; there is no other effect here.
type Statement struct {
	Sid       string
	Effect    string
	Principal map[string][]string `json:",omitempty"` // of a trust policy
	Action    []string
	Resource  []string  `json:",omitempty"`
	Condition Condition `json:",omitempty"`
}

// Size is what IAM counts: characters without white space.
func (d Document) Size() int {
	text, err := json.Marshal(d)
	if err != nil { // strings and maps of strings
		return 0
	}
	return len(text)
}

const version = "2012-10-17"

// Documents makes policies of grants: one while it can stand inline in a role,
// else as many as managed policies take.
func Documents(grants []Grant) []Document {
	whole := Document{Version: version, Statement: statements(grants)}
	if whole.Size() <= InlineLimit {
		return []Document{whole}
	}
	var out []Document
	part := Document{Version: version}
	for _, s := range whole.Statement {
		for _, piece := range s.pieces() {
			longer := part
			longer.Statement = append(slices.Clone(part.Statement), piece)
			if longer.Size() > ManagedLimit && len(part.Statement) > 0 {
				out = append(out, part)
				longer.Statement = []Statement{piece}
			}
			part = longer
		}
	}
	return append(out, part)
}

// pieces halves a statement that is too long for any policy: one that names
// very many resources.
func (s Statement) pieces() []Statement {
	if (Document{Version: version, Statement: []Statement{s}}).Size() <= ManagedLimit || len(s.Resource) < 2 {
		return []Statement{s}
	}
	half := len(s.Resource) / 2
	a, b := s, s
	a.Resource, b.Resource = s.Resource[:half], s.Resource[half:]
	a.Sid, b.Sid = s.Sid+"A", s.Sid+"B"
	return append(a.pieces(), b.pieces()...)
}

// statements joins grants that are about the same, so that none is said twice.
func statements(grants []Grant) []Statement {
	grants = joined(grants, func(g Grant) string { return key(g.Capability, g.Resources, g.Where) }, func(into *Grant, g Grant) {
		into.Actions = union(into.Actions, g.Actions)
	})
	grants = joined(grants, func(g Grant) string { return key(g.Capability, g.Actions, g.Where) }, func(into *Grant, g Grant) {
		into.Resources = covered(append(slices.Clone(into.Resources), g.Resources...))
	})
	grants = joined(grants, keyButValues, func(into *Grant, g Grant) { into.Where = into.Where.or(g.Where) })
	slices.SortStableFunc(grants, func(a, b Grant) int {
		return slices.Index(All(), a.Capability) - slices.Index(All(), b.Capability)
	})
	used := map[string]int{}
	out := make([]Statement, 0, len(grants))
	for _, g := range grants {
		sid := title(string(g.Capability)) + title(g.Kind)
		if used[sid]++; used[sid] > 1 {
			sid = fmt.Sprint(sid, used[sid])
		}
		out = append(out, Statement{Sid: sid, Effect: "Allow", Action: g.Actions, Resource: g.Resources, Condition: g.Where})
	}
	return out
}

// joined merges grants of one key, in the place of the first.
func joined(grants []Grant, keyOf func(Grant) string, merge func(into *Grant, g Grant)) []Grant {
	at := map[string]int{}
	var out []Grant
	for _, g := range grants {
		k := keyOf(g)
		if i, known := at[k]; known {
			merge(&out[i], g)
			continue
		}
		at[k] = len(out)
		out = append(out, g)
	}
	return out
}

// keyButValues is the key of grants that differ in the values of one condition
// alone: a list of values is met by any of them.
func keyButValues(g Grant) string {
	if len(g.Where) != 1 {
		return key(g)
	}
	for operator, keys := range g.Where {
		if len(keys) == 1 {
			return key(g.Capability, g.Actions, g.Resources, operator, slices.Collect(maps.Keys(keys)))
		}
	}
	return key(g)
}

// or is met where either condition is, of the same operators and keys.
func (c Condition) or(other Condition) Condition {
	out := Condition{}
	for operator, keys := range c {
		out[operator] = map[string][]string{}
		for name, values := range keys {
			out[operator][name] = union(values, other[operator][name])
		}
	}
	return out
}

func key(parts ...any) string {
	text, err := json.Marshal(parts)
	if err != nil { // strings and maps of strings
		return ""
	}
	return string(text)
}

func union(a, b []string) []string {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

func title(word string) string {
	if word == "" {
		return "All"
	}
	return strings.ToUpper(word[:1]) + word[1:]
}
