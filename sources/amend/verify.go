package amend

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

// verify renders the edited tree: the items and those adopted before are
// declared as they live, and nothing else changed.
func (w *work) verify(files map[string][]byte, items []Item) error {
	after, _, err := w.render(files)
	if err != nil {
		return fmt.Errorf("declaring it is refused: %s", firstOf(err))
	}
	allowed := map[manifest.Ref][]Item{}
	for _, a := range w.adopted {
		allowed[a.Item.Ref] = append(allowed[a.Item.Ref], a.Item)
	}
	for _, item := range items {
		allowed[item.Ref] = append(allowed[item.Ref], item)
	}
	if err := w.nothingElse(after, allowed); err != nil {
		return err
	}
	for _, of := range allowed {
		for _, item := range of {
			if err := w.declares(after, item); err != nil {
				return err
			}
		}
	}
	return nil
}

// firstOf is the first line of an error: faults are many.
func firstOf(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// nothingElse: what differs from before are the fields of the items alone.
func (w *work) nothingElse(after *manifest.Release, allowed map[manifest.Ref][]Item) error {
	was := map[manifest.Ref]manifest.Resource{}
	for _, res := range w.before.Resources {
		was[res.Ref] = res
	}
	for _, res := range after.Resources {
		old, known := was[res.Ref]
		delete(was, res.Ref)
		switch {
		case known && old.Digest == res.Digest && old.Physical == res.Physical:
		case !known && !slices.ContainsFunc(allowed[res.Ref], func(i Item) bool { return i.Path == "" && i.Kind == Extra }):
			return fmt.Errorf("declaring it would declare %s as well", res.Ref)
		case known:
			if err := w.onlyFields(old, res, allowed[res.Ref]); err != nil {
				return err
			}
		}
	}
	for ref := range was {
		if !slices.ContainsFunc(allowed[ref], func(i Item) bool { return i.Path == "" && i.Kind == Missing }) {
			return fmt.Errorf("declaring it would take out %s as well", ref)
		}
	}
	return w.sameDeliveries(after)
}

func (w *work) sameDeliveries(after *manifest.Release) error {
	for ref, d := range w.before.Functions {
		if mustJSON(d) != mustJSON(after.Functions[ref]) {
			return fmt.Errorf("declaring it would change how %s is released", ref)
		}
	}
	return nil
}

func (w *work) onlyFields(old, res manifest.Resource, allowed []Item) error {
	before, err := w.was(old)
	if err != nil {
		return err
	}
	now, err := w.Fields(res)
	if err != nil {
		return err
	}
	for _, field := range slices.Sorted(maps.Keys(join(before, now))) {
		a, inA := before[field]
		b, inB := now[field]
		if inA == inB && a == b || slices.ContainsFunc(allowed, func(i Item) bool { return i.Path == field }) {
			continue
		}
		return fmt.Errorf("declaring it would change %s %s as well", res.Ref, field)
	}
	if old.Physical != res.Physical {
		return fmt.Errorf("declaring it would rename %s", res.Ref)
	}
	return nil
}

func (w *work) was(res manifest.Resource) (map[string]string, error) {
	if f, ok := w.fields[res.Ref]; ok {
		return f, nil
	}
	f, err := w.Fields(res)
	if err == nil {
		w.fields[res.Ref] = f
	}
	return f, err
}

func join(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, b)
	return out
}

// declares: what is declared is what lives.
func (w *work) declares(after *manifest.Release, item Item) error {
	res, found := after.Resource(item.Ref)
	if item.Path == "" && item.Kind == Missing {
		if found {
			return errNotSo
		}
		return nil
	}
	if !found {
		return errNotSo
	}
	fields, err := w.Fields(res)
	if err != nil {
		return err
	}
	if item.Path == "" {
		var live map[string]json.RawMessage
		if json.Unmarshal([]byte(item.Live), &live) != nil || len(live) != len(fields) {
			return errNotSo
		}
		for field, value := range live {
			if fields[field] != string(value) {
				return fmt.Errorf("%w: %s would be %s", errNotSo, field, fields[field])
			}
		}
		return nil
	}
	now, declared := fields[item.Path]
	switch {
	case item.Kind == Missing && declared, item.Kind != Missing && (!declared || now != item.Live):
		return errNotSo
	}
	return nil
}

var errNotSo = errors.New("no manifest makes it so")

func mustJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error() // never equal to what marshals
	}
	return string(text)
}
