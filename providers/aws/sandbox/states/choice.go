package states

import (
	"errors"
	"fmt"
	"strings"

	"mooring.dev/providers/aws/sandbox/wire"
)

// holds tells whether a choice's rule is true of the input.
func holds(rule map[string]any, input, context any) (bool, error) {
	for key, joins := range map[string]bool{"And": true, "Or": false} {
		list, ok := rule[key].([]any)
		if !ok {
			continue
		}
		for _, item := range list {
			inner, _ := item.(map[string]any)
			got, err := holds(inner, input, context)
			if err != nil || got != joins {
				return got, err
			}
		}
		return joins, nil
	}
	if inner, ok := rule["Not"].(map[string]any); ok {
		got, err := holds(inner, input, context)
		return !got, err
	}
	path, _ := rule["Variable"].(string)
	value, err := follow(path, input, context)
	for key, operand := range rule {
		if key == "Variable" || key == "Next" || key == "Comment" {
			continue
		}
		if key == "IsPresent" {
			return (err == nil) == (operand == true), nil
		}
		if err != nil {
			return false, err
		}
		if name, byPath := strings.CutSuffix(key, "Path"); byPath {
			text, _ := operand.(string)
			if operand, err = follow(text, input, context); err != nil {
				return false, err
			}
			key = name
		}
		return compare(key, value, operand)
	}
	return false, errors.New("a choice compares nothing")
}

func compare(operator string, value, operand any) (bool, error) {
	is := func(ok bool) (bool, error) { return ok == (operand == true), nil }
	switch operator {
	case "IsNull":
		return is(value == nil)
	case "IsString":
		_, ok := value.(string)
		return is(ok)
	case "IsNumeric":
		_, ok := value.(float64)
		return is(ok)
	case "IsBoolean":
		_, ok := value.(bool)
		return is(ok)
	case "BooleanEquals":
		_, ok := value.(bool)
		return ok && value == operand, nil
	case "StringMatches":
		text, ok := value.(string)
		pattern, _ := operand.(string)
		return ok && wire.Glob(pattern, text), nil
	}
	kind, order := "", ""
	for _, k := range []string{"String", "Numeric", "Timestamp"} {
		if rest, ok := strings.CutPrefix(operator, k); ok {
			kind, order = k, rest
		}
	}
	sign, comparable := 0, false
	if kind == "Numeric" {
		a, ok1 := value.(float64)
		b, ok2 := operand.(float64)
		sign, comparable = signOf(a < b, a > b), ok1 && ok2
	} else {
		a, ok1 := value.(string)
		b, ok2 := operand.(string)
		sign, comparable = strings.Compare(a, b), ok1 && ok2
	}
	switch order {
	case "Equals":
		return comparable && sign == 0, nil
	case "LessThan":
		return comparable && sign < 0, nil
	case "GreaterThan":
		return comparable && sign > 0, nil
	case "LessThanEquals":
		return comparable && sign <= 0, nil
	case "GreaterThanEquals":
		return comparable && sign >= 0, nil
	}
	return false, fmt.Errorf("the sandbox does not know the comparison %s", operator)
}

func signOf(less, more bool) int {
	switch {
	case less:
		return -1
	case more:
		return 1
	}
	return 0
}
