package rego

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
)

// ReadsActor is true when a drift package reads who made a difference: only
// then is a revert worth waiting for the name.
func (e *Evaluator) ReadsActor() bool { return e.bundle != nil && e.bundle.ReadsActor() }

// readsActor is true when a module, or a helper it leans on, names the member
// "actor" anywhere.
func readsActor(c *ast.Compiler, m *ast.Module) bool {
	seen := map[util.T]bool{}
	var names func(rule util.T) bool
	names = func(rule util.T) bool {
		if seen[rule] {
			return false
		}
		seen[rule] = true
		if mentions(rule, "actor") {
			return true
		}
		for next := range c.Graph.Dependencies(rule) {
			if names(next) {
				return true
			}
		}
		return false
	}
	for _, r := range m.Rules {
		if names(r) {
			return true
		}
	}
	return false
}

// mentions is true when something of a module names a member.
func mentions(x any, member string) bool {
	found := false
	ast.WalkTerms(x, func(t *ast.Term) bool {
		found = found || ast.String(member).Equal(t.Value)
		return found
	})
	return found
}
