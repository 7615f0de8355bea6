package rego

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"mooring.dev/policy"
)

// ruleShape is what a rule under a point has to be.
type ruleShape int

const (
	setRule  ruleShape = iota // name contains item if …
	boolRule                  // name if …
	numberRule
)

// ruleNames are the rules a package may define at each point.
var ruleNames = map[policy.Point]map[string]ruleShape{
	policy.Admission:  {"allow": boolRule, "deny": setRule, "warn": setRule, "require": setRule, "flag": setRule},
	policy.Promotion:  {"allow": boolRule, "deny": setRule, "warn": setRule, "require": setRule, "flag": setRule},
	policy.Rollout:    {"abort": setRule, "pause": setRule, "advance": boolRule, "weight": numberRule},
	policy.Drift:      {"action": setRule},
	policy.Notify:     {"route": setRule, "mute": setRule},
	policy.Activation: {"allow": boolRule, "deny": setRule, "warn": setRule, "require": setRule},
}

// place is what a package path stands for.
type place struct {
	point policy.Point // "" for a helper
	name  string       // policy.admission.guard
	lib   bool
}

// placeOf reads a package path: policy.POINT.NAME or policy.lib.…
func placeOf(pkg *ast.Package) (place, bool) {
	var words []string
	for _, term := range pkg.Path[1:] { // [0] is "data"
		word, ok := term.Value.(ast.String)
		if !ok || strings.ContainsAny(string(word), ".\"\\ ") {
			return place{}, false
		}
		words = append(words, string(word))
	}
	p := place{name: strings.Join(words, ".")}
	switch {
	case len(words) < 3 || words[0] != "policy":
		return p, false
	case words[1] == "lib":
		p.lib = true
		return p, true
	}
	p.point = policy.Point(words[1])
	return p, len(words) == 3 && slices.Contains(points, p.point)
}

// checkModules holds the modules against the rules OPA does not know of.
func checkModules(modules map[string]*ast.Module, own map[string]bool) faults {
	var fs faults
	packages := map[string][]*ast.Module{}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		m := modules[name]
		p, ok := placeOf(m.Package)
		switch {
		case !ok:
			fs.at(m.Package.Location, "package_name", "package %s: a package is policy.POINT.NAME with POINT one of admission, promotion, rollout, drift, notify, activation; or policy.lib.NAME", m.Package.Path)
		case p.lib && own[p.name]:
			fs.at(m.Package.Location, "package_name", "package %s is Mooring's own library; choose another name", p.name)
		case !p.lib:
			packages[p.name] = append(packages[p.name], m)
		}
		checkNots(m, &fs)
		checkSchemas(m, p, &fs)
	}
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		checkRules(packages[name], &fs)
	}
	return fs
}

// checkNots refuses the old meaning of `not`, which is silently undefined when
// what it negates is missing.
func checkNots(m *ast.Module, fs *faults) {
	ast.WalkExprs(m, func(e *ast.Expr) bool {
		if e.Negated {
			fs.at(e.Location, "plain_not", "`not` needs `import future.keywords.not` in this file: without it, `not` of something missing fails open")
		}
		return false
	})
}

// checkSchemas refuses annotations that would loosen the check of the input.
func checkSchemas(m *ast.Module, p place, fs *faults) {
	for _, a := range m.Annotations {
		for _, s := range a.Schemas {
			if s.Definition != nil || !s.Schema.Equal(schemaRef(string(p.point))) {
				fs.at(a.Location, "schema_override", "the schema of %s cannot be chosen: input is checked by schema.%s already", s.Path, p.point)
			}
		}
	}
}

// checkRules holds the rules of one package, all its files together, against
// the names and shapes its point knows. Besides those there may be functions,
// rules whose name starts with an underscore, and rules that a known rule uses.
func checkRules(modules []*ast.Module, fs *faults) {
	p, _ := placeOf(modules[0].Package)
	known := ruleNames[p.point]
	used := usedNames(modules, known)
	for _, m := range modules {
		for _, rule := range m.Rules {
			name := rule.Head.Ref()[0].Value.String()
			shape, isKnown := known[name]
			switch {
			case isKnown:
				checkShape(rule, name, shape, fs)
			case len(rule.Head.Args) > 0, strings.HasPrefix(name, "_"), used[name]:
			default:
				names := slices.Sorted(maps.Keys(known))
				fs.at(rule.Location, "rule_name", "unknown rule %q: at %s a package may define %s%s; a helper is used by one of these, starts with an underscore, or lives in policy.lib",
					name, p.point, strings.Join(names, ", "), meant(name, names))
			}
		}
	}
}

// usedNames are the names the known rules mention, directly or through others.
func usedNames(modules []*ast.Module, known map[string]ruleShape) map[string]bool {
	mentions := map[string]map[string]bool{}
	for _, m := range modules {
		for _, rule := range m.Rules {
			name := rule.Head.Ref()[0].Value.String()
			if mentions[name] == nil {
				mentions[name] = map[string]bool{}
			}
			ast.WalkTerms(rule, func(t *ast.Term) bool {
				if v, ok := t.Value.(ast.Var); ok {
					mentions[name][string(v)] = true
				}
				return false
			})
		}
	}
	used, queue := map[string]bool{}, slices.Collect(maps.Keys(known))
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		for next := range mentions[name] {
			if next != name && !used[next] {
				used[next] = true
				queue = append(queue, next)
			}
		}
	}
	return used
}

func checkShape(rule *ast.Rule, name string, shape ruleShape, fs *faults) {
	h := rule.Head
	plain := len(h.Args) == 0 && len(h.Ref()) == 1
	switch {
	case shape == setRule && (!plain || h.RuleKind() != ast.MultiValue):
		fs.at(rule.Location, "rule_shape", "%s must be a set: write `%s contains item if { … }`", name, name)
	case shape != setRule && (!plain || h.RuleKind() != ast.SingleValue):
		fs.at(rule.Location, "rule_shape", "%s must be a single value: write `%s if { … }`", name, name)
	case shape == boolRule && rule.Default && ast.Boolean(true).Equal(h.Value.Value):
		fs.at(rule.Location, "rule_shape", "`default %s := true` would allow whatever the other rules cannot tell; leave the default out", name)
	case shape == boolRule && isConstant(h.Value) && !isBoolean(h.Value),
		shape == numberRule && isConstant(h.Value) && !isNumber(h.Value):
		fs.at(rule.Location, "rule_shape", "%s cannot be %v", name, h.Value)
	}
}

func isConstant(t *ast.Term) bool { return ast.IsConstant(t.Value) }

func isBoolean(t *ast.Term) bool {
	_, ok := t.Value.(ast.Boolean)
	return ok
}

func isNumber(t *ast.Term) bool {
	_, ok := t.Value.(ast.Number)
	return ok
}
