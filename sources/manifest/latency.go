package manifest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

// LatencyRules are the percentiles that are judged, each once. One alone is
// written as itself and several as a list, in manifests and in JSON.
type LatencyRules []LatencyRule

// maxLatencyRules bounds what one rollout names: each is asked of the platform at
// every look.
const maxLatencyRules = 4

// defaultPercentile is judged where none is named.
const defaultPercentile = 90

// settled are the rules with their defaults, the percentiles rising.
func (l LatencyRules) settled() LatencyRules {
	out := slices.Clone(l)
	for i, r := range out {
		out[i] = LatencyRule{Percentile: cmp.Or(r.Percentile, defaultPercentile), Tolerance: cmp.Or(r.Tolerance, 0.25)}
	}
	slices.SortFunc(out, func(a, b LatencyRule) int { return cmp.Compare(a.Percentile, b.Percentile) })
	return out
}

// MergeLatency is what satisfies both: every percentile that one of them names,
// with the tighter tolerance where both do.
func MergeLatency(a, b LatencyRules) LatencyRules {
	out := slices.Clone(a)
	for _, r := range b {
		i, found := slices.BinarySearchFunc(out, r, func(a, b LatencyRule) int { return cmp.Compare(a.Percentile, b.Percentile) })
		if !found {
			out = slices.Insert(out, i, r)
			continue
		}
		out[i].Tolerance = min(out[i].Tolerance, r.Tolerance)
	}
	return out
}

// MarshalJSON writes one rule as itself.
func (l LatencyRules) MarshalJSON() ([]byte, error) {
	if len(l) == 1 {
		return json.Marshal(l[0])
	}
	return json.Marshal([]LatencyRule(l))
}

// UnmarshalJSON reads one rule or a list.
func (l *LatencyRules) UnmarshalJSON(text []byte) error {
	if len(text) == 0 || text[0] != '{' {
		if err := json.Unmarshal(text, (*[]LatencyRule)(l)); err != nil {
			return fmt.Errorf("latency: %w", err)
		}
		return nil
	}
	var one LatencyRule
	if err := json.Unmarshal(text, &one); err != nil {
		return fmt.Errorf("latency: %w", err)
	}
	*l = LatencyRules{one}
	return nil
}

func (l *LatencyRules) writtenAs() any { return &LatencyRule{} }

func (l *LatencyRules) decodeNode(d *decoder, n *node, _ *rule) {
	if d.isHole(n) {
		return
	}
	if n.kind != listNode {
		*l = make(LatencyRules, 1)
		d.into(n, &(*l)[0])
		return
	}
	if len(n.items) == 0 || len(n.items) > maxLatencyRules {
		d.fault(n.pos(), "has "+itoa(len(n.items))+" items", "from 1 to "+itoa(maxLatencyRules))
		return
	}
	*l = make(LatencyRules, len(n.items))
	for i, item := range n.items {
		d.push("[" + itoa(i) + "]")
		d.into(item, &(*l)[i])
		percentile := cmp.Or((*l)[i].Percentile, defaultPercentile)
		if slices.ContainsFunc((*l)[:i], func(r LatencyRule) bool { return cmp.Or(r.Percentile, defaultPercentile) == percentile }) {
			d.fault(item.pos(), fmt.Sprintf("percentile %g stands twice", percentile), "give it one tolerance")
		}
		d.pop()
	}
}

func (l *LatencyRules) schemaNode(g *schemaMaker, _ *rule) map[string]any {
	one := g.object(g.plans[reflect.TypeFor[LatencyRule]()])
	forms := []any{one, map[string]any{"type": "array", "items": one, "minItems": 1, "maxItems": maxLatencyRules}}
	if text, replaced := g.orValue(nil)["anyOf"].([]any); replaced {
		forms = append(forms, text[1])
	}
	return map[string]any{"anyOf": forms}
}
