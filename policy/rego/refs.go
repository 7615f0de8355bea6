package rego

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// checkRefs looks, after compilation, for references that can never be
// defined, and for packages that lean on other decision packages: each is
// judged by itself. What is missing is silent in Rego, and silence opens.
func checkRefs(c *ast.Compiler, config map[string]any) faults {
	var fs faults
	for _, file := range slices.Sorted(maps.Keys(c.Modules)) {
		m := c.Modules[file]
		p, ok := placeOf(m.Package)
		if !ok {
			continue
		}
		for _, rule := range m.Rules {
			ast.WalkRefs(rule, func(r ast.Ref) bool {
				checkRef(c, p, r, &fs)
				checkConfigRef(config, r, &fs)
				return false
			})
		}
	}
	return fs
}

func checkRef(c *ast.Compiler, p place, r ast.Ref, fs *faults) {
	if !r.HasPrefix(ast.DefaultRootRef) || len(r) < 2 {
		if r.Equal(ast.DefaultRootRef) {
			fs.at(r[0].Location, "reference", "data as a whole cannot be read")
		}
		return
	}
	root, _ := r[1].Value.(ast.String)
	switch root {
	case "config":
	case "policy":
		checkPolicyRef(c, p, r, fs)
	default:
		fs.at(r[0].Location, "reference", "%s: there is only data.config (files below policies/data) and data.policy.lib", r)
	}
}

func checkPolicyRef(c *ast.Compiler, p place, r ast.Ref, fs *faults) {
	ground := r.GroundPrefix()
	if len(ground) < 4 {
		fs.at(r[0].Location, "reference", "%s: name the package and the rule", r)
		return
	}
	target, ok := placeOf(&ast.Package{Path: ground[:4]})
	if ok && !target.lib && target.name != p.name {
		fs.at(r[0].Location, "reference", "%s: a package cannot read another point's or package's rules; move what is shared to policy.lib", r)
		return
	}
	if len(c.GetRules(ground)) == 0 {
		fs.at(r[0].Location, "reference", "%s: no such rule", r)
	}
}

// checkConfigRef refuses to read data that no file gives.
func checkConfigRef(config map[string]any, r ast.Ref, fs *faults) {
	if len(r) < 3 || !r.HasPrefix(configRef) {
		return
	}
	var at any = config
	for i, term := range r[len(configRef):] {
		name, ok := term.Value.(ast.String)
		_, list := at.([]any)
		if !ok || list {
			return // decided by the input, or by the types
		}
		object, _ := at.(map[string]any) // anything else has no members
		if at, ok = object[string(name)]; !ok {
			file, _ := r[len(configRef)].Value.(ast.String)
			fs.at(r[0].Location, "reference", "%s: policies/data has no %q; give it in policies/data/%s.yaml", r, r[:len(configRef)+i+1], string(file))
			return
		}
	}
}

var configRef = ast.MustParseRef("data.config")
