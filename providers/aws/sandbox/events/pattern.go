package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Pattern is an event pattern.
type Pattern struct{ root map[string]any }

// ParsePattern reads a pattern. A leaf that is no list, and a matcher that is
// not known here, are errors.
func ParsePattern(text string) (Pattern, error) {
	var root map[string]any
	if err := json.Unmarshal([]byte(text), &root); err != nil {
		return Pattern{}, errors.New("it is not a JSON object")
	}
	if len(root) == 0 {
		return Pattern{}, errors.New("it is empty")
	}
	return Pattern{root: root}, check(root)
}

// matchers are the objects a pattern's list may hold.
var matchers = []string{"prefix", "suffix", "exists", "anything-but", "equals-ignore-case", "wildcard", "numeric", "cidr"}

func check(node map[string]any) error {
	for key, want := range node {
		switch x := want.(type) {
		case map[string]any:
			if err := check(x); err != nil {
				return err
			}
		case []any:
			if err := checkList(key, x); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%q must be an object or an array", key)
		}
	}
	return nil
}

func checkList(key string, list []any) error {
	for _, item := range list {
		if _, nested := item.([]any); nested {
			return fmt.Errorf("%q must not hold an array of arrays", key)
		}
		m, ok := item.(map[string]any)
		if !ok {
			continue
		}
		if key == "$or" {
			if err := check(m); err != nil {
				return err
			}
			continue
		}
		for name := range m {
			if !slices.Contains(matchers, name) {
				return fmt.Errorf("unrecognized match type %s", name)
			}
		}
	}
	return nil
}

// Matches tells whether an event (decoded JSON) fits the pattern.
func (p Pattern) Matches(event map[string]any) bool { return fits(p.root, event) }

func fits(pattern, event map[string]any) bool {
	for key, want := range pattern {
		if key == "$or" {
			if !anyFits(want, event) {
				return false
			}
			continue
		}
		have, present := event[key]
		switch x := want.(type) {
		case map[string]any:
			inner, ok := have.(map[string]any)
			if !ok {
				inner = nil // {"exists": false} below may still hold
			}
			if !fits(x, inner) {
				return false
			}
		case []any:
			if !fitsList(x, have, present) {
				return false
			}
		}
	}
	return true
}

func anyFits(alternatives any, event map[string]any) bool {
	list, ok := alternatives.([]any)
	return ok && slices.ContainsFunc(list, func(a any) bool {
		m, isObject := a.(map[string]any)
		return isObject && fits(m, event)
	})
}

func fitsList(want []any, have any, present bool) bool {
	return slices.ContainsFunc(want, func(w any) bool {
		if m, ok := w.(map[string]any); ok {
			if exists, asked := m["exists"].(bool); asked {
				return exists == present
			}
		}
		if !present {
			return false
		}
		if list, many := have.([]any); many {
			return slices.ContainsFunc(list, func(one any) bool { return fitsOne(w, one) })
		}
		return fitsOne(w, have)
	})
}

func fitsOne(want, have any) bool {
	m, matcher := want.(map[string]any)
	if !matcher {
		return same(want, have)
	}
	text, isText := have.(string)
	for name, arg := range m {
		switch s, _ := arg.(string); name {
		case "prefix":
			return isText && strings.HasPrefix(text, s)
		case "suffix":
			return isText && strings.HasSuffix(text, s)
		case "equals-ignore-case":
			return isText && strings.EqualFold(text, s)
		case "wildcard":
			return isText && wire.Glob(s, text)
		case "cidr":
			_, block, err := net.ParseCIDR(s)
			return err == nil && isText && block.Contains(net.ParseIP(text))
		case "anything-but":
			return !fitsAny(arg, have)
		case "numeric":
			return fitsNumeric(arg, have)
		}
	}
	return false
}

// same compares scalars; nothing else is equal to anything.
func same(want, have any) bool {
	switch want.(type) {
	case nil, string, float64, bool:
		return want == have
	default:
		return false
	}
}

// fitsAny is what anything-but denies: a value, a list of values, or a matcher.
func fitsAny(arg, have any) bool {
	if list, ok := arg.([]any); ok {
		return slices.ContainsFunc(list, func(one any) bool { return fitsOne(one, have) })
	}
	return fitsOne(arg, have)
}

// fitsNumeric judges ["", ">=", 1, "<", 5].
func fitsNumeric(arg, have any) bool {
	list, ok := arg.([]any)
	n, isNumber := have.(float64)
	if !ok || !isNumber || len(list)%2 != 0 {
		return false
	}
	for i := 0; i < len(list); i += 2 {
		limit, ok := list[i+1].(float64)
		if !ok {
			return false
		}
		holds := map[any]bool{"=": n == limit, "<": n < limit, "<=": n <= limit, ">": n > limit, ">=": n >= limit}[list[i]]
		if !holds {
			return false
		}
	}
	return true
}
