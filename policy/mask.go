package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Masked stands in a record where a value was masked.
const Masked = "masked"

// Masks say what of the inputs is not kept in decision records. The paths are
// JSON pointers below the record's input, such as /input/commit/author; * is
// every item of a list, or every member of an object.
type Masks struct {
	Erase []string // taken out
	Mask  []string // the value is replaced by the text "masked"
}

// Apply rewrites a decision record's line, and names in its `erased` and
// `masked` what was there and is not any more. The input's digest stays that
// of the whole input. A line it cannot read it refuses: nothing is kept that
// was not to be kept.
func (m Masks) Apply(line []byte) ([]byte, error) {
	if len(m.Erase)+len(m.Mask) == 0 || len(line) == 0 {
		return line, nil
	}
	var record map[string]json.RawMessage
	if err := json.Unmarshal(line, &record); err != nil {
		return nil, fmt.Errorf("mask a decision record: %w", err)
	}
	if len(record["input"]) == 0 {
		return line, nil
	}
	var input any
	d := json.NewDecoder(bytes.NewReader(record["input"]))
	d.UseNumber()
	if err := d.Decode(&input); err != nil {
		return nil, fmt.Errorf("mask a decision record's input: %w", err)
	}
	root := map[string]any{"input": input}
	erased, masked := []string{}, []string{}
	for _, path := range m.Mask {
		edit(root, steps(path), "", &masked, func(any) (any, bool) { return Masked, true })
	}
	for _, path := range m.Erase {
		edit(root, steps(path), "", &erased, func(any) (any, bool) { return nil, false })
	}
	if len(erased)+len(masked) == 0 {
		return line, nil
	}
	slices.Sort(erased)
	slices.Sort(masked)
	for name, value := range map[string]any{"input": root["input"], "erased": slices.Compact(erased), "masked": slices.Compact(masked)} {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("mask a decision record: %w", err)
		}
		record[name] = text
	}
	out, err := json.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("mask a decision record: %w", err)
	}
	return out, nil
}

// steps are the parts of a JSON pointer.
func steps(path string) []string {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(p, "~1", "/"), "~0", "~")
	}
	return parts
}

// edit changes what a path leads to within v, and returns what v is then; kept
// is false for what is to be taken out. A list keeps its length: an item that
// is erased becomes null.
func edit(v any, path []string, at string, done *[]string, change func(any) (any, bool)) (after any, kept bool) {
	if len(path) == 0 {
		*done = append(*done, at)
		return change(v)
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	switch v := v.(type) {
	case map[string]any:
		for name, item := range v {
			if path[0] != "*" && path[0] != name {
				continue
			}
			if after, kept := edit(item, path[1:], at+"/"+escape.Replace(name), done, change); kept {
				v[name] = after
			} else {
				delete(v, name)
			}
		}
	case []any:
		for i, item := range v {
			if path[0] == "*" || path[0] == strconv.Itoa(i) {
				v[i], _ = edit(item, path[1:], at+"/"+strconv.Itoa(i), done, change)
			}
		}
	}
	return v, true
}
