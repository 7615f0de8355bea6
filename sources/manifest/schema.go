package manifest

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Schema is the JSON Schema (draft 2020-12) of one kind of manifest, made
// from the types that decode it. Text that holds "${…}" stands for any value,
// so it is allowed wherever values are substituted.
func Schema(kindName string) ([]byte, error) {
	k, found := kinds[kindName]
	if !found {
		return nil, fmt.Errorf("schema of %s: no such kind: %s", quote(kindName), kindHint(kindName))
	}
	g := &schemaMaker{plans: k.plans, plain: k.role != roleResource}
	spec := g.of(k.plans[k.typ], &rule{})
	meta := (&schemaMaker{plans: metadataPlans, plain: true}).of(metadataPlans[reflect.TypeFor[metadata]()], &rule{})
	name := meta["properties"].(map[string]any)["name"].(map[string]any)
	constrainText(name, &k.nameRule)
	required := []any{"apiVersion", "kind", "metadata"}
	if !k.noSpec {
		required = append(required, "spec")
	}
	doc := map[string]any{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"$id":         "https://mooring.dev/schemas/v1/" + k.name + ".json",
		"title":       k.name,
		"description": k.summary,
		"type":        "object",
		"properties": map[string]any{
			"apiVersion": map[string]any{"const": APIVersion},
			"kind":       map[string]any{"const": k.name},
			"metadata":   meta,
			"spec":       nullable(spec, k.noSpec),
		},
		"required":             required,
		"additionalProperties": false,
	}
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", k.name, err)
	}
	return append(out, '\n'), nil
}

func nullable(schema map[string]any, yes bool) map[string]any {
	if !yes {
		return schema
	}
	return map[string]any{"anyOf": []any{schema, map[string]any{"type": "null"}}}
}

// schemaMaker turns plans into schemas.
type schemaMaker struct {
	plans map[reflect.Type]*plan
	plain bool // nothing is substituted in this kind
}

// of is the schema of a value that p and r describe.
func (g *schemaMaker) of(p *plan, r *rule) map[string]any {
	out := g.bare(p, r)
	if r.doc != "" {
		out["description"] = r.doc
	}
	if r.fallback != nil {
		out["default"] = fallbackValue(p, *r.fallback)
	}
	return out
}

func (g *schemaMaker) bare(p *plan, r *rule) map[string]any {
	if r.opaque {
		return g.opaque(p)
	}
	switch p.kind {
	case planPointer:
		return g.bare(p.elem, r)
	case planStruct:
		return g.object(p)
	case planList:
		out := map[string]any{"type": "array", "items": g.bare(p.elem, r)}
		if r.maxItems > 0 {
			out["maxItems"] = r.maxItems
		}
		if r.minItems > 0 {
			out["minItems"] = r.minItems
		}
		return g.orValue(out)
	case planMap:
		out := map[string]any{"type": "object", "additionalProperties": g.bare(p.elem, &rule{enum: r.enum, match: r.match})}
		if r.keys != nil {
			out["propertyNames"] = map[string]any{"pattern": r.keys.re.String()}
		}
		if r.maxItems > 0 {
			out["maxProperties"] = r.maxItems
		}
		return g.orValue(out)
	case planUnion:
		return g.orValue(g.union(reflect.New(p.typ).Interface()))
	case planCustom:
		return reflect.New(p.typ).Interface().(custom).schemaNode(g, r)
	case planAny:
		return map[string]any{}
	}
	return g.scalar(p, r)
}

func (g *schemaMaker) opaque(p *plan) map[string]any {
	switch {
	case p.kind == planList && p.elem.kind == planString: // event patterns
		return map[string]any{"type": "array", "items": map[string]any{"type": []any{"string", "object"}}}
	case p.kind == planList:
		return map[string]any{"type": "array", "items": map[string]any{"type": "object"}}
	}
	if p.kind == planAny { // any JSON
		return map[string]any{}
	}
	return map[string]any{"type": "object"}
}

func (g *schemaMaker) object(p *plan) map[string]any {
	properties := map[string]any{}
	required := []any{}
	for i := range p.fields {
		f := &p.fields[i]
		properties[f.name] = g.of(f.plan, &f.rule)
		if f.rule.required {
			required = append(required, f.name)
		}
	}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func (g *schemaMaker) union(u any) map[string]any {
	var list []any
	for _, v := range u.(union).variants() {
		if v.make != nil {
			list = append(list, g.bare(g.plans[reflect.TypeOf(v.make()).Elem()], &rule{}))
		}
	}
	if _, ok := u.(scalarForm); ok {
		list = append(list, map[string]any{"type": "string"})
	}
	return map[string]any{"anyOf": list}
}

func (g *schemaMaker) scalar(p *plan, r *rule) map[string]any {
	out := map[string]any{}
	switch p.kind {
	case planString:
		out["type"] = "string"
		constrainText(out, r)
		if r.enum == nil && r.match == nil && r.maxLen == 0 {
			return out // any text, "${…}" included
		}
		return g.orValue(out)
	case planInt:
		out["type"] = "integer"
	case planFloat:
		out["type"] = "number"
	case planBool:
		out["type"] = "boolean"
	}
	if r.min != nil {
		out["minimum"] = *r.min
	}
	if r.max != nil {
		out["maximum"] = *r.max
	}
	return g.orValue(out)
}

func constrainText(out map[string]any, r *rule) {
	if r.enum != nil {
		out["enum"] = r.enum
	}
	if r.match != nil {
		out["pattern"] = r.match.re.String()
	}
	if r.maxLen > 0 {
		out["maxLength"] = r.maxLen
	}
	if r.required {
		out["minLength"] = 1
	}
}

// orValue also allows text that a value will replace.
func (g *schemaMaker) orValue(schema map[string]any) map[string]any {
	if g.plain {
		return schema
	}
	return map[string]any{"anyOf": []any{schema, map[string]any{"type": "string", "pattern": `\$\{`}}}
}

func fallbackValue(p *plan, text string) any {
	switch defaultKind(p) {
	case intNode, floatNode:
		return json.Number(text)
	case boolNode:
		return text == "true"
	}
	return text
}

func (v *Value) schemaNode(g *schemaMaker, r *rule) map[string]any {
	mapping := g.object(g.valuePlan())
	if r.target {
		return map[string]any{"anyOf": []any{map[string]any{"type": "string", "minLength": 1}, mapping}}
	}
	return map[string]any{"anyOf": []any{map[string]any{"type": []any{"string", "number", "boolean"}}, mapping}}
}

func (g *schemaMaker) valuePlan() *plan { return g.plans[reflect.TypeFor[valueDoc]()] }

func (t *Target) schemaNode(g *schemaMaker, r *rule) map[string]any {
	inner := (&t.TargetArn).schemaNode(g, &rule{target: true})
	return map[string]any{"anyOf": []any{inner, map[string]any{
		"type": "object", "properties": map[string]any{"targetArn": inner}, "required": []any{"targetArn"}, "additionalProperties": false,
	}}}
}

func (t *Duration) schemaNode(g *schemaMaker, _ *rule) map[string]any {
	return g.orValue(map[string]any{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$|^0$`})
}

func (r *Rollout) schemaNode(g *schemaMaker, _ *rule) map[string]any {
	return g.bare(g.plans[reflect.TypeFor[rolloutDoc]()], &rule{})
}

func (s *Secret) schemaNode(g *schemaMaker, r *rule) map[string]any {
	mapping := g.bare(g.plans[reflect.TypeFor[secretDoc]()], &rule{})
	if r.secret {
		return mapping
	}
	text := patterns["url"]
	if r.match != nil {
		text = r.match
	}
	return map[string]any{"anyOf": []any{mapping, map[string]any{"type": "string", "pattern": text.re.String()}}}
}

func (r *raw) schemaNode(*schemaMaker, *rule) map[string]any { return map[string]any{} }
