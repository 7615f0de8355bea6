package manifest

import (
	"reflect"
	"strings"
)

// decoder fills typed values from nodes and notes every fault.
//
// It works in two ways. Reading a repository it is open: values are not known
// yet, so a "${name}" where no text belongs is a hole, kept for the content
// digest, and what a patch may still add is not missed. Rendering it is
// closed: values are substituted and everything required must be there.
type decoder struct {
	open    bool
	literal bool // "${" is text like any other: nothing is substituted
	values  *values
	plans   map[reflect.Type]*plan

	path    []string
	faults  Faults
	missing Faults // what a patch may still cure
	holes   []hole
	dynamic bool // the result depends on values
	strings int  // open text: "${" in strings
	filled  int  // bytes, about, that values stand for so far
	full    bool // that is too much, and was told
	uses    []use
}

// hole is a place that only a value can fill.
type hole struct{ path, text string }

// use is a reference to another resource, and where it stands.
type use struct {
	ref       Ref
	attribute string
	at        Position
	path      string
}

func (d *decoder) at() string {
	var b strings.Builder
	for _, part := range d.path {
		if b.Len() > 0 && part[0] != '[' {
			b.WriteByte('.')
		}
		b.WriteString(part)
	}
	return b.String()
}

func (d *decoder) push(part string) {
	if part == "" || strings.ContainsAny(part, ".[]\"") && part[0] != '[' {
		part = `["` + shorten(part) + `"]`
	}
	d.path = append(d.path, part)
}

func (d *decoder) pop() { d.path = d.path[:len(d.path)-1] }

func (d *decoder) fault(at Position, message, hint string) {
	d.faults = append(d.faults, Fault{Position: at, Path: d.at(), Message: message, Hint: hint})
}

// need reports something that is not there but might yet come by a patch.
func (d *decoder) need(at Position, message, hint string) {
	d.missing = append(d.missing, Fault{Position: at, Path: d.at(), Message: message, Hint: hint})
}

func (d *decoder) wrongType(n *node, want, hint string) {
	got := n.kind.String()
	if n.kind == stringNode {
		got = "text"
	}
	d.fault(n.pos(), "want "+want+", got "+got, hint)
}

// isHole notes that n can only be judged once values are known.
func (d *decoder) isHole(n *node) bool {
	if !d.open || n.kind != stringNode || !strings.Contains(n.text, "${") {
		return false
	}
	d.holes = append(d.holes, hole{d.at(), n.text})
	return true
}

// resolve substitutes values; nil if that failed, and was reported.
func (d *decoder) resolve(n *node) *node {
	if d.literal || n.kind != stringNode || !strings.Contains(n.text, "${") {
		return n
	}
	d.dynamic = true
	if d.open {
		d.strings++
		return n
	}
	return d.values.substitute(d, n)
}

// decode fills v, which is settable, as p and r say.
func (d *decoder) decode(n *node, v reflect.Value, p *plan, r *rule) {
	if r.opaque {
		d.opaque(n, v, p)
		return
	}
	if n = d.resolve(n); n == nil {
		return
	}
	switch p.kind {
	case planPointer:
		v.Set(reflect.New(p.elem.typ))
		d.decode(n, v.Elem(), p.elem, r)
	case planCustom:
		v.Addr().Interface().(custom).decodeNode(d, n, r)
	case planUnion:
		d.union(n, v.Addr().Interface().(union))
	case planStruct:
		d.structure(n, v, p)
	case planList:
		d.list(n, v, p, r)
	case planMap:
		d.mapping(n, v, p, r)
	case planAny:
		setAny(v, d.anything(n))
	default:
		d.scalar(n, v, p, r)
	}
}

// structure decodes a mapping with known fields and applies defaults.
func (d *decoder) structure(n *node, v reflect.Value, p *plan) {
	if d.isHole(n) {
		return
	}
	if n.kind != mapNode {
		d.wrongType(n, "a mapping", "")
		return
	}
	faults, missing, open := len(d.faults), len(d.missing), len(d.holes)+d.strings
	for _, e := range n.entries {
		if p.field(e.key) == nil {
			d.push(e.key)
			d.fault(e.pos(), "unknown field", didYouMean(e.key, p.names))
			d.pop()
		}
	}
	for i := range p.fields {
		d.field(n, v, &p.fields[i])
	}
	if c, ok := v.Addr().Interface().(checker); ok &&
		len(d.faults) == faults && len(d.missing) == missing && len(d.holes)+d.strings == open {
		c.check(d, n)
	}
}

func (d *decoder) field(n *node, v reflect.Value, f *field) {
	d.push(f.name)
	defer d.pop()
	if value := n.get(f.name); value != nil {
		d.decode(value, v.FieldByIndex(f.at), f.plan, &f.rule)
		return
	}
	if f.rule.required {
		d.need(n.pos(), "is required", "")
		return
	}
	applyDefault(v.FieldByIndex(f.at), f.plan, &f.rule)
}

// applyDefault gives an absent field its value.
func applyDefault(v reflect.Value, p *plan, r *rule) {
	switch {
	case r.fallback != nil:
		d := decoder{literal: true}
		d.decode(&node{kind: defaultKind(p), text: *r.fallback}, v, p, &rule{})
	case p.kind == planStruct:
		for i := range p.fields {
			applyDefault(v.FieldByIndex(p.fields[i].at), p.fields[i].plan, &p.fields[i].rule)
		}
	}
}

func defaultKind(p *plan) nodeKind {
	switch p.kind {
	case planInt:
		return intNode
	case planFloat:
		return floatNode
	case planBool:
		return boolNode
	case planPointer:
		return defaultKind(p.elem)
	}
	return stringNode
}

func (d *decoder) list(n *node, v reflect.Value, p *plan, r *rule) {
	if d.isHole(n) {
		return
	}
	if n.kind != listNode {
		d.wrongType(n, "a list", listHint(n))
		return
	}
	if r.maxItems > 0 && len(n.items) > r.maxItems {
		d.fault(n.pos(), "has "+itoa(len(n.items))+" items", "at most "+itoa(r.maxItems))
	}
	if len(n.items) < r.minItems {
		d.need(n.pos(), "has "+itoa(len(n.items))+" items", "at least "+itoa(r.minItems))
	}
	out := reflect.MakeSlice(p.typ, len(n.items), len(n.items))
	for i, item := range n.items {
		d.push("[" + itoa(i) + "]")
		if item.kind == nullNode {
			d.fault(item.pos(), "is empty", "")
		} else {
			d.decode(item, out.Index(i), p.elem, r)
		}
		d.pop()
	}
	if len(n.items) > 0 {
		v.Set(out)
	}
}

func listHint(n *node) string {
	if n.kind >= boolNode && n.kind <= stringNode {
		return "write [" + shorten(n.text) + "]"
	}
	return ""
}

func (d *decoder) mapping(n *node, v reflect.Value, p *plan, r *rule) {
	if d.isHole(n) {
		return
	}
	if n.kind != mapNode {
		d.wrongType(n, "a mapping", "")
		return
	}
	if r.maxItems > 0 && len(n.entries) > r.maxItems {
		d.fault(n.pos(), "has "+itoa(len(n.entries))+" entries", "at most "+itoa(r.maxItems))
	}
	out := reflect.MakeMapWithSize(p.typ, len(n.entries))
	for _, e := range n.entries {
		d.push(e.key)
		if r.keys != nil && !r.keys.re.MatchString(e.key) {
			d.fault(e.pos(), "is no valid name here", "want "+r.keys.want)
		}
		value := reflect.New(p.elem.typ).Elem()
		if e.value.kind == nullNode {
			d.fault(e.pos(), "is empty", `write "" for an empty string`)
		} else {
			d.decode(e.value, value, p.elem, r)
		}
		out.SetMapIndex(reflect.ValueOf(e.key), value)
		d.pop()
	}
	if len(n.entries) > 0 {
		v.Set(out)
	}
}

// union decodes the variant whose key is there.
func (d *decoder) union(n *node, u union) {
	if d.isHole(n) {
		return
	}
	if s, ok := u.(scalarForm); ok && n.kind == stringNode {
		s.decodeScalar(d, n)
		return
	}
	if n.kind != mapNode {
		d.wrongType(n, "a mapping", "")
		return
	}
	var chosen *variant
	var keys []string
	for _, v := range u.variants() {
		v := v
		keys = append(keys, v.key)
		if v.key != "" && n.get(v.key) == nil || v.key == "" && chosen != nil {
			continue
		}
		if chosen != nil {
			d.fault(n.pos(), "has both "+chosen.key+" and "+v.key, "choose one")
			return
		}
		chosen = &v
	}
	switch {
	case chosen == nil:
		d.fault(n.pos(), "needs one of "+strings.Join(keys, ", "), nearestKey(n, keys))
	default:
		into := chosen.make()
		d.into(n, into)
		u.set(chosen.key, into)
	}
}

func nearestKey(n *node, keys []string) string {
	for _, e := range n.entries {
		if hint := didYouMean(e.key, keys); strings.HasPrefix(hint, "did you mean") {
			return hint
		}
	}
	return ""
}

// into decodes a whole value; target is a pointer.
func (d *decoder) into(n *node, target any) {
	v := reflect.ValueOf(target).Elem()
	d.decode(n, v, d.plans[v.Type()], &rule{})
}
