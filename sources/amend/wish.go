package amend

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"mooring.dev/sources/manifest"
)

// wishes are what the manifest may be made to say, the likeliest first.
func (w *work) wishes(item Item, p place) ([]wish, error) {
	if item.Kind == Extra && item.Path == "" {
		return w.extra(item)
	}
	res, found := w.before.Resource(item.Ref)
	if !found {
		return nil, errors.New("nothing that is declared has it")
	}
	var out []wish
	for _, at := range w.spots(res, item.Path, p) {
		if item.Kind == Missing {
			out = append(out, wish{at: at, remove: true})
			continue
		}
		live, err := decode(item.Live)
		if err != nil {
			return nil, err
		}
		more, err := w.values(res, p, at, live)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// spots are where the manifest may say a field, as it is written.
func (w *work) spots(res manifest.Resource, field string, p place) [][]string {
	own := res.Parent == (manifest.Ref{})
	key := res.Key
	if res.Ref.Kind == manifest.KindURL && !own {
		key = urlKey(p)
	}
	if manifest.AliasKind(res.Ref.Kind) {
		return [][]string{{"spec", "aliasDescription"}}
	}
	if res.Ref.Kind == manifest.KindProvisioned {
		return [][]string{{"spec", "provisionedConcurrentExecutions"}}
	}
	out := places(res.Ref, key, field, own)
	if field == "" { // the child as a whole: its trigger, or its member
		switch res.Ref.Kind {
		case manifest.KindConcurrency:
			return [][]string{{"spec", "reservedConcurrentExecutions"}}
		case manifest.KindURL, manifest.KindRule, manifest.KindSchedule:
			return [][]string{{"spec", "triggers", key}}
		}
	}
	return out
}

// urlKey is the trigger that is a function's URL.
func urlKey(p place) string {
	for _, below := range []*yaml.Node{get(p.patch, []string{"patch", "spec", "triggers"}), get(p.root, []string{"spec", "triggers"})} {
		for i := 0; below != nil && i+1 < len(below.Content); i += 2 {
			if get(below.Content[i+1], []string{"url"}) != nil {
				return below.Content[i].Value
			}
		}
	}
	return "url"
}

// values are the ways to say one live value at one place.
func (w *work) values(res manifest.Resource, p place, at []string, live any) ([]wish, error) {
	n := p.now(at)
	if text, ok := live.(string); ok && referring(n, w.before) {
		known, found := w.refer(text, attributeOf(n))
		if !found && text != "" {
			return nil, fmt.Errorf("it is declared as a reference, and what lives is nothing that is declared here: %s", cutText(text))
		}
		if found {
			return []wish{{at: at, value: asWritten(n, known)}}, nil
		}
	}
	if res.Ref.Kind == manifest.KindRole && at[len(at)-1] == "statements" {
		live = withoutOwn(live)
	}
	var out []wish
	if nothing(live) {
		out = append(out, wish{at: at, remove: true})
	}
	referred := w.referAll(live, true)
	if referred, ok := referred.(map[string]any); ok {
		out = append(out, wish{at: at, value: replacing(toPlain(n), referred)})
	}
	for _, value := range []any{referred, w.referAll(live, false), escaped(live)} {
		if !slices.ContainsFunc(out, func(o wish) bool { return !o.remove && mustJSON(o.value) == mustJSON(value) }) {
			out = append(out, wish{at: at, value: value})
		}
	}
	form := scheduled(p, at)
	for i := range out {
		out[i].form = form
	}
	return out, nil
}

// scheduled is the mapping that a trigger's schedule has to be for a field of it
// to be said, where its time alone is written, as schedule: rate(1 hour).
func scheduled(p place, at []string) *wish {
	i := slices.Index(at, "schedule")
	if i < 0 || i+1 >= len(at) {
		return nil
	}
	n := p.now(at[:i+1])
	if n == nil || n.Kind != yaml.ScalarNode || strings.Contains(n.Value, "${") {
		return nil
	}
	return &wish{at: at[:i+1], value: map[string]any{"scheduleExpression": n.Value}}
}

// replacing is a merge patch that turns one mapping into another.
func replacing(before any, after map[string]any) any {
	was, ok := before.(map[string]any)
	if !ok {
		return after
	}
	out := map[string]any{}
	for key := range was {
		if _, still := after[key]; !still {
			out[key] = nil
		}
	}
	for key, v := range after {
		if inner, ok := v.(map[string]any); ok {
			out[key] = replacing(was[key], inner)
			continue
		}
		out[key] = v
	}
	return out
}

// toPlain is a node as JSON's types would have it, as far as mappings go.
func toPlain(n *yaml.Node) any {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	out := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		out[n.Content[i].Value] = toPlain(n.Content[i+1])
	}
	return out
}

// withoutOwn is the statements of a role's policy but those that Mooring adds to
// a function's role.
func withoutOwn(live any) any {
	if policy, ok := live.(map[string]any); ok {
		live = policy["Statement"]
	}
	list, ok := live.([]any)
	if !ok {
		return live
	}
	out := []any{}
	for _, s := range list {
		m, _ := s.(map[string]any)
		if sid, _ := m["Sid"].(string); !strings.HasPrefix(sid, "Mooring") {
			out = append(out, s)
		}
	}
	return out
}

// escaped keeps text that looks like a value's name from being taken for one.
func escaped(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "${", "$${")
	case []any:
		out := make([]any, 0, len(v))
		for _, item := range v {
			out = append(out, escaped(item))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, item := range v {
			out[key] = escaped(item)
		}
		return out
	}
	return v
}

// extra is an extra resource as its parent's manifest would write it.
func (w *work) extra(item Item) ([]wish, error) {
	fields, err := decode(item.Live)
	live, ok := fields.(map[string]any)
	if err != nil || !ok {
		return nil, errors.New("what lives is not known well enough to be written")
	}
	at, value, ok := extraOf(item, live)
	if !ok {
		return nil, errors.New("a manifest has no place for it that a program could fill in")
	}
	return []wish{{at: at, value: w.referAll(value, true)}, {at: at, value: value}}, nil
}

// referring: a manifest says it by a reference.
func referring(n *yaml.Node, release *manifest.Release) bool {
	switch {
	case n == nil:
		return false
	case n.Kind == yaml.MappingNode:
		return get(n, []string{"ref"}) != nil || get(n, []string{"secret"}) != nil || get(n, []string{"parameter"}) != nil ||
			referring(get(n, []string{"targetArn"}), release)
	}
	ref, err := manifest.ParseRef(n.Value)
	if err != nil {
		return false
	}
	_, declared := release.Resource(ref)
	return declared
}

// attributeOf is what a reference asks for.
func attributeOf(n *yaml.Node) string {
	if a := get(n, []string{"attribute"}); a != nil {
		return a.Value
	}
	return "arn"
}

// asWritten is a reference in the form of the one it replaces.
func asWritten(n *yaml.Node, ref map[string]any) any {
	if _, attribute := ref["attribute"]; n.Kind == yaml.ScalarNode && !attribute {
		return ref["ref"]
	}
	if ref["attribute"] == nil && get(n, []string{"attribute"}) != nil {
		ref = maps.Clone(ref)
		ref["attribute"] = "arn"
	}
	return ref
}

// refer finds the declared resource that a text is the address of.
func (w *work) refer(text, attribute string) (map[string]any, bool) {
	for _, ref := range slices.SortedFunc(maps.Keys(w.Addresses), manifest.Ref.Compare) {
		if w.Addresses[ref][attribute] != text {
			continue
		}
		if _, declared := w.before.Resource(ref); !declared || ref.Kind == manifest.KindSecret || ref.Kind == manifest.KindParameter {
			continue
		}
		out := map[string]any{"ref": ref.String()}
		if attribute != "arn" {
			out["attribute"] = attribute
		}
		return out, true
	}
	return nil, false
}

// referAll writes what is the address of something declared as a reference.
func (w *work) referAll(v any, refer bool) any {
	switch v := v.(type) {
	case string:
		if !refer {
			return v
		}
		for _, attribute := range []string{"arn", "url"} {
			if ref, found := w.refer(v, attribute); found && strings.Contains(v, ":") {
				return ref
			}
		}
	case []any:
		out := make([]any, 0, len(v))
		for _, item := range v {
			out = append(out, w.referAll(item, refer))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, item := range v {
			out[key] = w.referAll(item, refer)
		}
		return out
	}
	return v
}

// cutText is a value as far as people need it.
func cutText(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
