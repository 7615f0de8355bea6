package manifest

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// scalar decodes text, numbers and booleans, strictly: what YAML does not
// call a number is none.
func (d *decoder) scalar(n *node, v reflect.Value, p *plan, r *rule) {
	if p.kind != planString && d.isHole(n) {
		return
	}
	switch p.kind {
	case planString:
		d.text(n, v, r)
	case planInt:
		if i, ok := d.integer(n); ok && d.inRange(n, float64(i), r) {
			v.SetInt(i)
		}
	case planFloat:
		if f, ok := d.float(n); ok && d.inRange(n, f, r) {
			v.SetFloat(f)
		}
	case planBool:
		if n.kind != boolNode {
			d.wrongType(n, "true or false", boolHint(n))
			return
		}
		v.SetBool(n.text == "true")
	}
}

func boolHint(n *node) string {
	switch strings.ToLower(n.text) {
	case "yes", "on", "y", "true":
		return "write true"
	case "no", "off", "n", "false":
		return "write false"
	}
	return ""
}

func (d *decoder) text(n *node, v reflect.Value, r *rule) {
	if n.kind != stringNode {
		hint := ""
		if n.kind == intNode || n.kind == floatNode || n.kind == boolNode {
			hint = `put it in quotes: "` + shorten(n.text) + `"`
		}
		d.wrongType(n, "text", hint)
		return
	}
	if !(d.open && strings.Contains(n.text, "${")) {
		d.checkText(n, r)
	}
	v.SetString(n.text)
}

func (d *decoder) checkText(n *node, r *rule) {
	switch {
	case r.required && n.text == "":
		d.fault(n.pos(), "is empty", "")
	case r.enum != nil && !slices.Contains(r.enum, n.text):
		d.fault(n.pos(), "cannot be "+quote(n.text), didYouMean(n.text, r.enum))
	case r.maxLen > 0 && len(n.text) > r.maxLen:
		d.fault(n.pos(), "is "+itoa(len(n.text))+" characters long", "at most "+itoa(r.maxLen))
	case r.match != nil && n.text != "" && !r.match.re.MatchString(n.text):
		d.fault(n.pos(), "cannot be "+quote(n.text), "want "+r.match.want)
	}
}

func (d *decoder) inRange(n *node, f float64, r *rule) bool {
	if r.min != nil && f < *r.min || r.max != nil && f > *r.max {
		d.fault(n.pos(), n.text+" is out of range", "want "+rangeText(r))
		return false
	}
	return true
}

func rangeText(r *rule) string {
	switch {
	case r.max == nil:
		return "at least " + number(*r.min)
	case r.min == nil:
		return "at most " + number(*r.max)
	}
	return number(*r.min) + " to " + number(*r.max)
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func (d *decoder) integer(n *node) (int64, bool) {
	if n.kind != intNode {
		hint := ""
		if _, err := strconv.Atoi(n.text); err == nil && n.kind == stringNode {
			hint = "write it without quotes"
		}
		d.wrongType(n, "a whole number", hint)
		return 0, false
	}
	i, ok := plainInt(n.text)
	if !ok {
		d.fault(n.pos(), "cannot be read as a whole number", "write it in plain decimal digits")
	}
	return i, ok
}

// plainInt reads decimal digits only. Octal, hexadecimal and grouped digits
// mean different numbers to different readers of YAML.
func plainInt(text string) (int64, bool) {
	digits := strings.TrimPrefix(text, "-")
	if len(digits) > 1 && digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	i, err := strconv.ParseInt(text, 10, 64)
	return i, err == nil
}

func (d *decoder) float(n *node) (float64, bool) {
	if n.kind != intNode && n.kind != floatNode {
		d.wrongType(n, "a number", "")
		return 0, false
	}
	f, ok := plainFloat(n.text)
	if !ok {
		d.fault(n.pos(), "cannot be read as a number", "write it in plain decimal digits")
	}
	return f, ok
}

func plainFloat(text string) (float64, bool) {
	if strings.ContainsAny(text, "_xXpP") {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
}

func setAny(v reflect.Value, x any) {
	if x == nil {
		v.SetZero()
		return
	}
	v.Set(reflect.ValueOf(x))
}

// anything decodes free-form data, substituting values.
func (d *decoder) anything(n *node) any {
	if n = d.resolve(n); n == nil {
		return nil
	}
	switch n.kind {
	case listNode:
		out := make([]any, 0, len(n.items))
		for _, item := range n.items {
			out = append(out, d.anything(item))
		}
		return out
	case mapNode:
		out := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			out[e.key] = d.anything(e.value)
		}
		return out
	}
	return d.plain(n)
}

// plain is a scalar as JSON knows it.
func (d *decoder) plain(n *node) any {
	switch n.kind {
	case boolNode:
		return n.text == "true"
	case stringNode:
		return n.text
	case intNode:
		if i, ok := plainInt(n.text); ok {
			return i
		}
		d.fault(n.pos(), "cannot be read as a whole number", "write it in plain decimal digits, or in quotes")
	case floatNode:
		if f, ok := plainFloat(n.text); ok {
			return f
		}
		d.fault(n.pos(), "cannot be read as a number", "write it in plain decimal digits, or in quotes")
	}
	return nil
}

// opaque decodes a document of another language. Its strings are carried as
// they stand; {ref: …}, {secret: …}, {parameter: …} and {value: …} are the
// ways in.
func (d *decoder) opaque(n *node, v reflect.Value, p *plan) {
	switch {
	case p.kind == planList && p.elem.kind == planString:
		d.patternList(n, v)
	case p.kind == planList && n.kind != listNode:
		d.wrongType(n, "a list", "")
	case p.kind == planList:
		out := reflect.MakeSlice(p.typ, len(n.items), len(n.items))
		for i, item := range n.items {
			d.push("[" + itoa(i) + "]")
			d.opaque(item, out.Index(i), p.elem)
			d.pop()
		}
		v.Set(out)
	case p.kind == planMap && n.kind != mapNode:
		d.wrongType(n, "a mapping", "")
	default:
		setAny(v, d.foreign(n))
	}
}

// patternList decodes event patterns: JSON text, or the same as YAML.
func (d *decoder) patternList(n *node, v reflect.Value) {
	if n.kind != listNode {
		d.wrongType(n, "a list of event patterns", "")
		return
	}
	out := make([]string, len(n.items))
	for i, item := range n.items {
		d.push("[" + itoa(i) + "]")
		out[i] = d.eventPattern(item)
		d.pop()
	}
	v.Set(reflect.ValueOf(out))
}

func (d *decoder) eventPattern(n *node) string {
	var x any
	switch n.kind {
	case mapNode:
		x = d.foreign(n)
	case stringNode:
		if err := json.Unmarshal([]byte(n.text), &x); err != nil {
			d.fault(n.pos(), "is no JSON", "an event pattern is a JSON object, or the same written in YAML")
			return ""
		}
	}
	if _, ok := x.(map[string]any); !ok {
		d.fault(n.pos(), "is no event pattern", "an event pattern is a JSON object, or the same written in YAML")
		return ""
	}
	return string(appendCanonical(nil, x))
}

func (d *decoder) foreign(n *node) any {
	switch n.kind {
	case listNode:
		out := make([]any, 0, len(n.items))
		for i, item := range n.items {
			d.push("[" + itoa(i) + "]")
			out = append(out, d.foreign(item))
			d.pop()
		}
		return out
	case mapNode:
		if x, ok := d.wayIn(n); ok {
			return x
		}
		out := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			d.push(e.key)
			out[e.key] = d.foreign(e.value)
			d.pop()
		}
		return out
	}
	return d.plain(n)
}

// wayIn recognises {ref: …} and its like, and {value: …}, inside a document
// of another language. A reference stays {"ref": "Kind/name"}.
func (d *decoder) wayIn(n *node) (any, bool) {
	if len(n.entries) == 0 || len(n.entries) > 2 {
		return nil, false
	}
	switch n.entries[0].key {
	case "ref", "attribute", "secret", "parameter":
		var v Value
		v.decodeNode(d, n, &rule{})
		ref, attribute, ok := v.Target()
		if !ok {
			return nil, true
		}
		out := map[string]any{"ref": ref.String()}
		if attribute != "arn" {
			out["attribute"] = attribute
		}
		return out, true
	case "value":
		if len(n.entries) > 1 || n.entries[0].value.kind != stringNode {
			return nil, false
		}
		if found := d.lookup(n); found != nil {
			return d.foreignValue(found), true
		}
		return map[string]any{"value": n.entries[0].value.text}, true
	}
	return nil, false
}

// foreignValue is a value as it stands in the overlay, nothing substituted.
func (d *decoder) foreignValue(n *node) any {
	switch n.kind {
	case listNode:
		out := make([]any, 0, len(n.items))
		for _, item := range n.items {
			out = append(out, d.foreignValue(item))
		}
		return out
	case mapNode:
		out := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			out[e.key] = d.foreignValue(e.value)
		}
		return out
	}
	return d.plain(n)
}
