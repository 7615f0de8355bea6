package lambda

import (
	"encoding/json"
	"reflect"
	"strings"
)

// pattern is one filter of a mapping: the event pattern language, as far as it
// is known here. What is not known is refused when the mapping is made.
type pattern struct {
	fields map[string]pattern
	any    []pattern // $or
	tests  []test    // one must hold; nil for an object
}

type test func(value any, present bool) bool

func badPattern() error { return invalid("Invalid filter pattern definition.") }

func parseFilters(c *filterCriteria) ([]pattern, error) {
	if c == nil {
		return nil, nil
	}
	if len(c.Filters) > 10 {
		return nil, invalid("The number of filters exceeds the limit.")
	}
	var out []pattern
	for _, f := range c.Filters {
		var raw map[string]any
		if len(f.Pattern) > 4096 || json.Unmarshal([]byte(f.Pattern), &raw) != nil {
			return nil, badPattern()
		}
		p, err := parsePattern(raw)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func parsePattern(raw map[string]any) (pattern, error) {
	p := pattern{fields: map[string]pattern{}}
	for name, value := range raw {
		var err error
		switch v := value.(type) {
		case map[string]any:
			p.fields[name], err = parsePattern(v)
		case []any:
			if name == "$or" {
				p.any, err = parseAny(v)
			} else {
				p.fields[name], err = parseTests(v)
			}
		default:
			err = badPattern()
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

func parseAny(list []any) ([]pattern, error) {
	var out []pattern
	for _, item := range list {
		object, isObject := item.(map[string]any)
		if !isObject {
			return nil, badPattern()
		}
		p, err := parsePattern(object)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func parseTests(list []any) (pattern, error) {
	p := pattern{}
	if len(list) == 0 {
		return p, badPattern()
	}
	for _, item := range list {
		t, err := parseTest(item)
		if err != nil {
			return p, err
		}
		p.tests = append(p.tests, t)
	}
	return p, nil
}

func parseTest(item any) (test, error) {
	object, isObject := item.(map[string]any)
	if !isObject {
		if _, isList := item.([]any); isList {
			return nil, badPattern()
		}
		return func(v any, present bool) bool { return present && reflect.DeepEqual(v, item) }, nil
	}
	if len(object) != 1 {
		return nil, badPattern()
	}
	for operator, operand := range object {
		return parseOperator(operator, operand)
	}
	return nil, badPattern()
}

func parseOperator(operator string, operand any) (test, error) {
	text, isText := operand.(string)
	switch operator {
	case "exists":
		want, isBool := operand.(bool)
		if isBool {
			return func(_ any, present bool) bool { return present == want }, nil
		}
	case "prefix":
		if isText {
			return onText(func(v string) bool { return strings.HasPrefix(v, text) }), nil
		}
	case "suffix":
		if isText {
			return onText(func(v string) bool { return strings.HasSuffix(v, text) }), nil
		}
	case "equals-ignore-case":
		if isText {
			return onText(func(v string) bool { return strings.EqualFold(v, text) }), nil
		}
	case "anything-but":
		return anythingBut(operand)
	case "numeric":
		return numeric(operand)
	}
	return nil, badPattern()
}

func onText(f func(string) bool) test {
	return func(v any, _ bool) bool {
		text, isText := v.(string)
		return isText && f(text)
	}
}

func anythingBut(operand any) (test, error) {
	list, isList := operand.([]any)
	if !isList {
		list = []any{operand}
	}
	var unwanted []test
	for _, item := range list {
		t, err := parseTest(item)
		if err != nil {
			return nil, err
		}
		unwanted = append(unwanted, t)
	}
	return func(v any, present bool) bool {
		for _, t := range unwanted {
			if t(v, present) {
				return false
			}
		}
		return present
	}, nil
}

// numeric reads [operator, number, operator, number, …]; all must hold.
func numeric(operand any) (test, error) {
	list, isList := operand.([]any)
	if !isList || len(list) == 0 || len(list)%2 != 0 {
		return nil, badPattern()
	}
	var all []func(float64) bool
	for i := 0; i < len(list); i += 2 {
		operator, _ := list[i].(string)
		limit, isNumber := list[i+1].(float64)
		compare, known := map[string]func(float64) bool{
			"=": func(v float64) bool { return v == limit }, "<": func(v float64) bool { return v < limit }, "<=": func(v float64) bool { return v <= limit },
			">": func(v float64) bool { return v > limit }, ">=": func(v float64) bool { return v >= limit },
		}[operator]
		if !isNumber || !known {
			return nil, badPattern()
		}
		all = append(all, compare)
	}
	return func(v any, _ bool) bool {
		n, isNumber := v.(float64)
		for _, compare := range all {
			isNumber = isNumber && compare(n)
		}
		return isNumber
	}, nil
}

// matches holds a value against the pattern. A list matches when one of its
// elements does.
func (p pattern) matches(value any, present bool) bool {
	if p.tests != nil {
		return p.test(value, present)
	}
	object, isObject := value.(map[string]any)
	if !isObject && present {
		return false
	}
	for name, field := range p.fields {
		v, there := object[name]
		if !field.matches(v, there) {
			return false
		}
	}
	if p.any == nil {
		return true
	}
	for _, alternative := range p.any {
		if alternative.matches(value, present) {
			return true
		}
	}
	return false
}

func (p pattern) test(value any, present bool) bool {
	candidates := []any{value}
	if list, isList := value.([]any); isList && len(list) > 0 {
		candidates = list
	}
	for _, candidate := range candidates {
		for _, t := range p.tests {
			if t(candidate, present) {
				return true
			}
		}
	}
	return false
}
