package manifest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

var attributes = []string{"arn", "url", "name", "streamsArn", "streamArn", "executeArn", AttributeObjects, AttributeAlias}

// AttributeObjects is the ARN that means all objects of a bucket, for policies.
const AttributeObjects = "objectsArn"

// AttributeAlias is the ARN of the alias that traffic goes through; of what has
// none, its own ARN.
const AttributeAlias = "alias"

// valueDoc is the mapping form of a Value.
type valueDoc struct {
	Ref       string `json:"ref" doc:"The resource, as Queue/orders."`
	Attribute string `json:"attribute" doc:"Which attribute of it: arn (default), url, name, or alias (the ARN of the alias of a function or workflow)."`
	Secret    string `json:"secret" doc:"The name of a declared Secret: its ARN."`
	Parameter string `json:"parameter" doc:"The name of a declared Parameter: its name."`
	Value     string `json:"value" doc:"The name of one of the environment's values."`
	Pending   bool   `json:"pending" doc:"Of a secret or parameter in a function's environment: not in force yet, the variable keeps what it has live."`
}

func (v *Value) writtenAs() any { return &valueDoc{} }

var valueKeys = []string{"ref", "attribute", "secret", "parameter", "value", "pending"}

// decodeNode reads a literal, a reference, or {value: name}. Where the rule
// says target, only references and ARNs are meant, and "Queue/orders" is
// short for {ref: Queue/orders}.
func (v *Value) decodeNode(d *decoder, n *node, r *rule) {
	switch n.kind {
	case mapNode:
		v.fromMapping(d, n, r)
	case listNode, nullNode:
		d.wrongType(n, "text or a reference", "")
	default:
		v.fromScalar(d, n, r)
	}
}

func (v *Value) fromScalar(d *decoder, n *node, r *rule) {
	if !r.target {
		v.Literal = n.text
		return
	}
	switch {
	case n.kind != stringNode:
		d.wrongType(n, "an ARN or a reference", "")
	case strings.HasPrefix(n.text, "arn:"):
		v.Literal = n.text
		if !d.isHole(n) && !patterns["arn"].re.MatchString(n.text) {
			d.fault(n.pos(), "cannot be "+quote(n.text), "want an ARN")
		}
	case d.isHole(n):
	default:
		v.setRef(d, n, r)
	}
}

func (v *Value) setRef(d *decoder, n *node, r *rule) {
	ref, err := ParseRef(n.text)
	if err != nil {
		d.fault(n.pos(), "cannot be "+quote(n.text), "want "+refForm(r)+" or an ARN")
		return
	}
	if r.kinds != nil && !slices.Contains(r.kinds, ref.Kind) {
		d.fault(n.pos(), "cannot be "+quote(n.text), "want "+refForm(r))
		return
	}
	v.Ref = ref
	d.uses = append(d.uses, use{ref: ref, attribute: "arn", at: n.pos(), path: d.at()})
}

func refForm(r *rule) string {
	if r.kinds == nil {
		return "Kind/name"
	}
	return strings.Join(r.kinds, "/name or ") + "/name"
}

func (v *Value) fromMapping(d *decoder, n *node, r *rule) {
	var form string
	for _, e := range n.entries {
		switch {
		case !slices.Contains(valueKeys, e.key):
			d.fault(e.pos(), "unknown field "+quote(e.key), didYouMean(e.key, valueKeys))
			return
		case e.key == "attribute", e.key == "pending":
		case form != "":
			d.fault(n.pos(), "has both "+form+" and "+e.key, "choose one")
			return
		default:
			form = e.key
		}
	}
	if form == "" {
		d.fault(n.pos(), "needs ref, secret, parameter or value", "")
		return
	}
	name := n.get(form)
	if name == nil || name.kind != stringNode || name.text == "" {
		d.fault(n.pos(), form+" must be text", "")
		return
	}
	if form == "value" {
		v.fromValue(d, n, r)
		return
	}
	v.fromReference(d, n, form, r)
}

// fromReference reads {ref, attribute}, {secret} or {parameter}.
func (v *Value) fromReference(d *decoder, n *node, form string, r *rule) {
	name, attribute := d.resolve(n.get(form)), n.get("attribute")
	if name == nil {
		return // told
	}
	if form != "ref" && attribute != nil {
		d.fault(attribute.pos(), "attribute goes with ref only", "")
		return
	}
	if !v.setPending(d, n, form, r) {
		return
	}
	switch form {
	case "secret":
		v.Secret = name.text
	case "parameter":
		v.Parameter = name.text
	default:
		if d.isHole(name) {
			return
		}
		v.setRef(d, name, r)
		v.setAttribute(d, attribute)
		return
	}
	ref, at, inForce := v.Target()
	if !inForce {
		return // it need not be declared yet
	}
	if r.kinds != nil && !slices.Contains(r.kinds, ref.Kind) {
		d.fault(n.pos(), "cannot be a "+form, "want "+refForm(r))
		return
	}
	d.uses = append(d.uses, use{ref: ref, attribute: at, at: name.pos(), path: d.at()})
}

// setPending reads pending; false if it cannot stand here, and that was told.
func (v *Value) setPending(d *decoder, n *node, form string, r *rule) bool {
	p := n.get("pending")
	switch {
	case p == nil:
		return true
	case p.kind != boolNode:
		d.wrongType(p, "true or false", "")
		return false
	case p.text == "true" && (form == "ref" || r.target):
		d.fault(p.pos(), "pending goes with a secret or parameter of a function's environment only", "")
		return false
	}
	v.Pending = p.text == "true"
	return true
}

func (v *Value) setAttribute(d *decoder, n *node) {
	if n == nil || v.Ref == (Ref{}) {
		return
	}
	if n.kind != stringNode || !slices.Contains(attributes, n.text) {
		d.fault(n.pos(), "unknown attribute "+quote(n.text), didYouMean(n.text, attributes))
		return
	}
	d.uses[len(d.uses)-1].attribute = n.text
	if n.text != "arn" { // the default is not written, so that equal meaning is equal form
		v.Attribute = n.text
	}
}

// fromValue reads {value: name}.
func (v *Value) fromValue(d *decoder, n *node, r *rule) {
	found := d.lookup(n)
	switch {
	case found == nil && d.open:
		d.holes = append(d.holes, hole{d.at(), "{value: " + n.get("value").text + "}"})
	case found == nil:
	case found.kind == mapNode, found.kind == listNode, found.kind == nullNode:
		d.fault(n.pos(), "value "+quote(n.get("value").text)+" is "+found.kind.String(), "want text")
	default:
		out := *found
		out.file, out.line, out.col = n.file, n.line, n.col
		v.fromScalar(d, &out, r)
	}
}

// MarshalJSON writes a Value as a manifest does: literal text, or the
// mapping of a reference.
func (v Value) MarshalJSON() ([]byte, error) {
	return appendCanonical(nil, v.plain()), nil
}

func (v Value) plain() any {
	switch {
	case v.Ref != Ref{}:
		out := map[string]any{"ref": v.Ref.String()}
		if v.Attribute != "" && v.Attribute != "arn" {
			out["attribute"] = v.Attribute
		}
		return out
	case v.Pending && v.Secret != "":
		return map[string]any{"secret": v.Secret, "pending": true}
	case v.Pending:
		return map[string]any{"parameter": v.Parameter, "pending": true}
	case v.Secret != "":
		return map[string]any{"secret": v.Secret}
	case v.Parameter != "":
		return map[string]any{"parameter": v.Parameter}
	}
	return v.Literal
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (v *Value) UnmarshalJSON(data []byte) error {
	*v = Value{}
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &v.Literal)
	}
	var doc struct {
		Ref       Ref    `json:"ref"`
		Attribute string `json:"attribute"`
		Secret    string `json:"secret"`
		Parameter string `json:"parameter"`
		Pending   bool   `json:"pending"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("read a value: %w", err)
	}
	*v = Value{Ref: doc.Ref, Attribute: doc.Attribute, Secret: doc.Secret, Parameter: doc.Parameter, Pending: doc.Pending}
	return nil
}

func (t *Target) writtenAs() any { return &valueDoc{} }

// decodeNode reads "Queue/dlq" as well as {targetArn: …}.
func (t *Target) decodeNode(d *decoder, n *node, r *rule) {
	inner := rule{target: true, kinds: r.kinds}
	if n.kind == mapNode && n.get("targetArn") != nil {
		if len(n.entries) > 1 {
			d.fault(n.pos(), "has more than targetArn", "")
		}
		d.push("targetArn")
		if arn := d.resolve(n.get("targetArn")); arn != nil {
			t.TargetArn.decodeNode(d, arn, &inner)
		}
		d.pop()
		return
	}
	t.TargetArn.decodeNode(d, n, &inner)
}

// decodeNode reads "5m" or "1h30m".
func (t *Duration) decodeNode(d *decoder, n *node, r *rule) {
	if d.isHole(n) {
		return
	}
	if n.kind != stringNode {
		d.wrongType(n, "a duration", `as 30s, 5m or 1h30m`)
		return
	}
	got, err := time.ParseDuration(n.text)
	switch {
	case err != nil:
		d.fault(n.pos(), "cannot be "+quote(n.text), "want a duration, as 30s, 5m or 1h30m")
	case got < 0 || got > 366*24*time.Hour:
		d.fault(n.pos(), n.text+" is out of range", "want 0s to a year")
	case got%time.Millisecond != 0:
		d.fault(n.pos(), n.text+" is too fine", "whole milliseconds at least")
	case r.min != nil && got.Seconds() < *r.min:
		d.fault(n.pos(), n.text+" is out of range", "want at least "+number(*r.min)+"s")
	default:
		*t = Duration(got)
	}
}

// String is the shortest form a manifest would use: "5m", "1h30m".
func (t Duration) String() string {
	text := time.Duration(t).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// MarshalText makes a Duration "5m" in JSON.
func (t Duration) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (t *Duration) UnmarshalText(text []byte) error {
	got, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("read a duration: %w", err)
	}
	*t = Duration(got)
	return nil
}
