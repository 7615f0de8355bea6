package template

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var placeholder = regexp.MustCompile(`\$\{(!?)([^}]+)\}`)

// sub fills ${names} in. What is a placeholder alone takes its value whole.
func (r *resolver) sub(x any, depth int) any {
	text, own := "", map[string]any{}
	switch x := x.(type) {
	case string:
		text = x
	case []any:
		if len(x) == 2 {
			text, _ = x[0].(string)
			own, _ = x[1].(map[string]any)
		}
	}
	lookup := func(name string) any {
		if v, ok := own[name]; ok {
			return r.eval(v, depth)
		}
		if id, attribute, ok := strings.Cut(name, "."); ok {
			return r.getAtt([]any{id, attribute}, depth)
		}
		return r.ref(name)
	}
	if m := placeholder.FindStringSubmatch(text); m != nil && m[0] == text && m[1] == "" {
		return lookup(m[2])
	}
	var missing any
	out := placeholder.ReplaceAllStringFunc(text, func(at string) string {
		m := placeholder.FindStringSubmatch(at)
		if m[1] == "!" {
			return "${" + m[2] + "}"
		}
		if missing != nil {
			return ""
		}
		part, why := r.part(lookup(m[2]))
		if why == nil && r.grown(len(part)) {
			why = unknown{why: "is more than is worked out"}
		}
		if why != nil {
			missing = why
			return ""
		}
		return part
	})
	if missing != nil {
		return missing
	}
	return dynamic(out)
}

// part is plain, with addresses where the template tells what they will be.
func (r *resolver) part(x any) (text string, why any) {
	address, _ := x.(string)
	if literal := r.literals[address]; literal != "" {
		return literal, nil
	}
	if strings.HasPrefix(address, innerAddress) { // whoever reads it knows what is meant
		return address, nil
	}
	return plain(x)
}

// plain is a value as a part of a longer text; why is set when it cannot be.
func plain(x any) (text string, why any) {
	switch x := x.(type) {
	case unknown:
		return "", x
	case absent, nil, map[string]any, []any:
		return "", unknown{why: "joins what is no text"}
	case string:
		if isAddress(x) {
			return "", unknown{why: "is a text with an address in it that is not known before a deployment"}
		}
		return x, nil
	}
	return fmt.Sprint(x), nil
}

func (r *resolver) join(x any, depth int) any {
	pair, _ := x.([]any)
	if len(pair) != 2 {
		return unknown{why: "is no Fn::Join"}
	}
	separator, _ := pair[0].(string)
	items, ok := r.eval(pair[1], depth).([]any)
	if !ok {
		return unknown{why: "joins what is not known"}
	}
	var parts []string
	for _, item := range items {
		text, why := r.part(item)
		if why != nil {
			if len(items) == 1 {
				return item
			}
			return why
		}
		if r.grown(len(text) + len(separator)) {
			return unknown{why: "is more than is worked out"}
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, separator)
}

func (r *resolver) split(x any, depth int) any {
	pair, _ := x.([]any)
	if len(pair) != 2 {
		return unknown{why: "is no Fn::Split"}
	}
	separator, _ := pair[0].(string)
	text, why := plain(r.eval(pair[1], depth))
	if why != nil || separator == "" {
		return unknown{why: "splits what is not known"}
	}
	var out []any
	for _, part := range strings.Split(text, separator) {
		out = append(out, part)
	}
	return out
}

func (r *resolver) pick(x any, depth int) any {
	pair, _ := x.([]any)
	if len(pair) != 2 {
		return unknown{why: "is no Fn::Select"}
	}
	index, err := strconv.Atoi(fmt.Sprint(r.eval(pair[0], depth)))
	items, ok := r.eval(pair[1], depth).([]any)
	if err != nil || !ok || index < 0 || index >= len(items) {
		return unknown{why: "selects from what is not known"}
	}
	return items[index]
}

func (r *resolver) findInMap(x any, depth int) any {
	keys, _ := x.([]any)
	if len(keys) < 3 {
		return unknown{why: "is no Fn::FindInMap"}
	}
	var at any = r.mappings
	for _, key := range keys[:3] {
		text, why := plain(r.eval(key, depth))
		if why != nil {
			return unknown{why: "looks up what is not known: " + why.(unknown).why}
		}
		m, _ := at.(map[string]any)
		next, ok := m[text]
		if !ok {
			return unknown{why: fmt.Sprintf("looks up %q, which the mapping does not have", text)}
		}
		at = next
	}
	return at
}

func (r *resolver) base64(x any, depth int) any {
	text, why := plain(r.eval(x, depth))
	if why != nil {
		return why
	}
	if r.grown(2 * len(text)) {
		return unknown{why: "is more than is worked out"}
	}
	return base64.StdEncoding.EncodeToString([]byte(text))
}

func (r *resolver) length(x any, depth int) any {
	items, ok := r.eval(x, depth).([]any)
	if !ok {
		return unknown{why: "counts what is not known"}
	}
	return len(items)
}

// jsonText is a document as text; parts that are not known make all of it so.
func (r *resolver) jsonText(x any, depth int) any {
	var problems []problem
	value := clean(r.eval(x, depth), "", &problems)
	if len(problems) > 0 {
		return unknown{why: problems[0].why}
	}
	text, err := json.Marshal(value)
	if err != nil || r.grown(len(text)) {
		return unknown{why: "is more than is worked out"}
	}
	if strings.Contains(string(text), adoptPlaceholder) {
		return unknown{why: "is a text with an address in it that is not known before a deployment"}
	}
	return string(text)
}
