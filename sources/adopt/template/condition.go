package template

import "slices"

func (r *resolver) choose(x any, depth int) any {
	three, _ := x.([]any)
	if len(three) != 3 {
		return unknown{why: "is no Fn::If"}
	}
	name, _ := three[0].(string)
	yes, ok := r.condition(name, nil)
	switch {
	case !ok:
		return unknown{why: "depends on condition " + name + ", which is not known"}
	case yes:
		return r.eval(three[1], depth)
	}
	return r.eval(three[2], depth)
}

// condition works a condition out; known is false for what cannot be. path
// are the conditions being worked out: a circle is not known.
func (r *resolver) condition(name string, path []string) (yes, known bool) {
	body, ok := r.conditions[name]
	if !ok || slices.Contains(path, name) {
		return false, false
	}
	return r.test(body, append(slices.Clip(path), name))
}

func (r *resolver) test(x any, path []string) (yes, known bool) {
	if r.steps++; r.steps > maxSteps || len(path) > maxDepth {
		return false, false
	}
	m, _ := x.(map[string]any)
	for name, argument := range m {
		items, _ := argument.([]any)
		switch name {
		case "Condition":
			text, _ := argument.(string)
			return r.condition(text, path)
		case "Fn::Equals":
			if len(items) != 2 {
				return false, false
			}
			a, why := plain(r.eval(items[0], 0))
			b, whyNot := plain(r.eval(items[1], 0))
			return a == b, why == nil && whyNot == nil
		case "Fn::Not":
			if len(items) != 1 {
				return false, false
			}
			yes, known = r.test(items[0], append(slices.Clip(path), "!"))
			return !yes, known
		case "Fn::And", "Fn::Or":
			return r.testAll(items, name == "Fn::Or", path)
		}
	}
	return false, false
}

// testAll is Or (decided by one that holds) or And (by one that does not).
func (r *resolver) testAll(items []any, decides bool, path []string) (yes, known bool) {
	known = true
	for _, item := range items {
		y, k := r.test(item, append(slices.Clip(path), "&"))
		if k && y == decides {
			return decides, true
		}
		known = known && k
	}
	return !decides, known
}
