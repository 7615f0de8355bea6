package states

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"mooring.dev/providers/aws/sandbox/wire"
)

// steps are the parts of a reference path: $.a['b'][0].
func steps(path string) ([]string, error) {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok {
		return nil, fmt.Errorf("the path %q does not begin with $", path)
	}
	var out []string
	for rest != "" {
		switch {
		case strings.HasPrefix(rest, "['"):
			name, after, closed := strings.Cut(rest[2:], "']")
			if !closed {
				return nil, fmt.Errorf("the path %q has no end", path)
			}
			out, rest = append(out, name), after
		case rest[0] == '[':
			index, after, closed := strings.Cut(rest[1:], "]")
			if _, err := strconv.Atoi(index); err != nil || !closed {
				return nil, fmt.Errorf("the sandbox does not follow the path %q", path)
			}
			out, rest = append(out, index), after
		case rest[0] == '.' && !strings.HasPrefix(rest, ".."):
			end := strings.IndexAny(rest[1:], ".[") + 1
			if end == 0 {
				end = len(rest)
			}
			out, rest = append(out, rest[1:end]), rest[end:]
		default:
			return nil, fmt.Errorf("the sandbox does not follow the path %q", path)
		}
	}
	return out, nil
}

var errNothing = errors.New("the path leads to nothing")

// follow reads what a path leads to, $$ being the context.
func follow(path string, doc, context any) (any, error) {
	if strings.HasPrefix(path, "$$") {
		path, doc = path[1:], context
	}
	parts, err := steps(path)
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		switch x := doc.(type) {
		case map[string]any:
			value, ok := x[part]
			if !ok {
				return nil, fmt.Errorf("%w: %s", errNothing, path)
			}
			doc = value
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(x) {
				return nil, fmt.Errorf("%w: %s", errNothing, path)
			}
			doc = x[i]
		default:
			return nil, fmt.Errorf("%w: %s", errNothing, path)
		}
	}
	return doc, nil
}

// place puts a value where a path says, in a copy of doc.
func place(path string, doc, value any) (any, error) {
	parts, err := steps(path)
	if err != nil || len(parts) == 0 {
		return value, err
	}
	root, _ := doc.(map[string]any)
	root = maps.Clone(root)
	if root == nil {
		root = map[string]any{}
	}
	at := root
	for _, part := range parts[:len(parts)-1] {
		inner, _ := at[part].(map[string]any)
		inner = maps.Clone(inner)
		if inner == nil {
			inner = map[string]any{}
		}
		at[part] = inner
		at = inner
	}
	at[parts[len(parts)-1]] = value
	return root, nil
}

// fill is a template with its "name.$" members replaced by what they lead to.
func fill(template, doc, context any) (any, error) {
	switch t := template.(type) {
	case map[string]any:
		out := make(map[string]any, len(t))
		for key, value := range t {
			name, dynamic := strings.CutSuffix(key, ".$")
			var err error
			if path, isText := value.(string); dynamic && isText {
				out[name], err = evaluate(path, doc, context)
			} else {
				out[key], err = fill(value, doc, context)
			}
			if err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		out := make([]any, len(t))
		for i, value := range t {
			var err error
			if out[i], err = fill(value, doc, context); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return template, nil
}

// evaluate follows a path, or runs one of the few intrinsic functions that
// are here.
func evaluate(text string, doc, context any) (any, error) {
	if strings.HasPrefix(text, "$") {
		return follow(text, doc, context)
	}
	argument := func(name string) (any, bool, error) {
		inner, ok := strings.CutPrefix(text, name+"(")
		if !ok || !strings.HasSuffix(inner, ")") {
			return nil, false, nil
		}
		value, err := follow(strings.TrimSpace(strings.TrimSuffix(inner, ")")), doc, context)
		return value, true, err
	}
	if text == "States.UUID()" {
		return wire.NewID(), nil
	}
	if value, is, err := argument("States.JsonToString"); is {
		raw, _ := json.Marshal(value) // it was JSON
		return string(raw), err
	}
	if value, is, err := argument("States.StringToJson"); is && err == nil {
		var out any
		textual, _ := value.(string)
		if err := json.Unmarshal([]byte(textual), &out); err != nil {
			return nil, fmt.Errorf("States.StringToJson: %w", err)
		}
		return out, nil
	}
	return nil, fmt.Errorf("the sandbox does not know %s", text)
}
