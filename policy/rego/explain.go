package rego

import (
	"context"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"mooring.dev/policy"
)

// Explained is how one package came to its answer.
type Explained struct {
	Package     string   `json:"package"`
	Enforcement string   `json:"enforcement"`
	Error       string   `json:"error,omitempty"` // it could not be evaluated
	Rules       []Clause `json:"rules"`           // every clause of its rules, in the order asked
}

// Clause is one `rule … if { … }`.
type Clause struct {
	Rule string `json:"rule"`
	File string `json:"file"`
	Line int    `json:"line"`
	// Fired is how often it was true: once, or once for each item of a set.
	Fired int `json:"fired"`
	// Values are those of the names in its statements where it fired, once for
	// each of the first few times.
	Values [][]Value `json:"values,omitempty"`
	// Why are, where it fired, the helpers that were true for it; where it did
	// not, the furthest expression that was not true, with what was not true
	// inside that.
	Why []Reason `json:"why,omitempty"`
}

// Reason is an expression, or a helper, that made a clause fire or fail.
type Reason struct {
	Expr   string   `json:"expr"`
	File   string   `json:"file"`
	Line   int      `json:"line"`
	True   bool     `json:"true"` // else it was not true
	Values []Value  `json:"values,omitempty"`
	Why    []Reason `json:"why,omitempty"`
}

// Explain evaluates the packages of a point once more, watching each of them.
// doc must be a valid input, as Evaluate and EvaluateDocument take it. It is
// for people: slower than a decision, under the same deadlines.
func (e *Evaluator) Explain(ctx context.Context, p policy.Point, doc []byte) ([]Explained, error) {
	in, line, err := document(doc)
	if err != nil {
		return nil, err
	}
	if e.bundle == nil {
		return nil, e.broken
	}
	f := e.facts(in)
	value, err := e.read(p, line, f)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.o.DecisionDeadline)
	defer cancel()
	out := []Explained{}
	for _, k := range e.bundle.packages[p] {
		x := Explained{Package: k.name, Enforcement: k.terms.at(time.Unix(0, f.Request.TimeNS)), Rules: []Clause{}}
		w := newWatcher(e.bundle.config)
		// Indexing and early exit leave out clauses that a person asks about.
		_, err := k.query.Eval(ctx, rego.EvalParsedInput(value), rego.EvalTime(time.Unix(0, f.Request.TimeNS)),
			rego.EvalQueryTracer(w), rego.EvalRuleIndexing(false), rego.EvalEarlyExit(false))
		if err != nil {
			x.Error = err.Error()
		}
		for _, f := range w.rules {
			if f.rule.Location.File == libraryPrefix+"effective_on" {
				continue // no clause of an author's
			}
			x.Rules = append(x.Rules, clause(f))
		}
		out = append(out, x)
	}
	return out, nil
}

func clause(f *frame) Clause {
	c := Clause{Rule: ruleText(f.rule), Fired: f.times}
	c.File, c.Line = placeOfNode(f.rule.Location)
	for _, one := range f.firings {
		if len(one.values) > 0 {
			c.Values = append(c.Values, one.values)
		}
	}
	if f.times > 0 {
		c.Why = helpers(f.firings[0].inside, maxDepth)
	} else if f.fail != nil {
		c.Why = []Reason{f.fail.reason(maxDepth)}
	}
	return c
}

// maxDepth is how many calls deep reasons are told, and maxReasons how many
// beside one another.
const maxDepth, maxReasons = 5, 6

// reason tells an expression that was not true. Inside it are the furthest
// expressions of what it called; for a `not`, what was true though it should
// not have been.
func (x *failure) reason(depth int) Reason {
	r := Reason{Expr: statement(x.expr.Location), Values: x.values}
	r.File, r.Line = placeOfNode(x.expr.Location)
	if _, not := x.expr.Terms.(*ast.Not); not {
		r.Why = r.without(helpers(x.called, depth-1))
	} else {
		r.Why = r.without(obstacles(x.called, depth-1))
	}
	return r
}

// without leaves out what only repeats r: `every` and `not` are bodies of
// their own, about the same statement.
func (r Reason) without(inside []Reason) []Reason {
	var out []Reason
	for _, i := range inside {
		if i.Expr == r.Expr && i.File == r.File && i.Line == r.Line {
			out = append(out, i.Why...)
		} else {
			out = append(out, i)
		}
	}
	return out
}

// obstacles are the expressions that were not true in bodies. Of a body that
// was true, those of the bodies inside it: a comprehension is true, and empty,
// when nothing in it was.
func obstacles(frames []*frame, depth int) []Reason {
	var out []Reason
	for _, f := range frames {
		if depth <= 0 || len(out) >= maxReasons {
			break
		}
		if f.times == 0 && f.fail != nil {
			out = append(out, f.fail.reason(depth))
		} else {
			out = append(out, obstacles(f.inside, depth-1)...)
		}
	}
	return out[:min(len(out), maxReasons)]
}

// helpers are the rules and bodies that were true.
func helpers(frames []*frame, depth int) []Reason {
	var out []Reason
	for _, f := range frames {
		if depth <= 0 || len(out) >= maxReasons {
			break
		}
		if f.times == 0 {
			continue
		}
		inside := helpers(f.firings[0].inside, depth-1)
		if f.rule == nil {
			if values := f.firings[0].values; len(values) > 0 && len(inside) == 0 {
				inside = []Reason{f.bodyReason(values)}
			}
			out = append(out, inside...)
			continue
		}
		r := Reason{Expr: ruleText(f.rule), True: true, Values: f.firings[0].values, Why: inside}
		r.File, r.Line = placeOfNode(f.rule.Location)
		out = append(out, r)
	}
	return out[:min(len(out), maxReasons)]
}

// bodyReason tells what was true within a comprehension or `every`.
func (f *frame) bodyReason(values []Value) Reason {
	r := Reason{Expr: "…", True: true, Values: values}
	if f.at != nil {
		r.Expr = statement(f.at.Location)
		r.File, r.Line = placeOfNode(f.at.Location)
	}
	return r
}

// ruleText is how a rule is called: policy.lib.soak.settled by its last words.
func ruleText(r *ast.Rule) string {
	if g, ok := gentleOf(r); ok {
		return g.base
	}
	name := r.Head.Ref()[0].Value.String()
	if p, ok := placeOf(r.Module.Package); ok && p.lib {
		return p.name[strings.LastIndexByte(p.name, '.')+1:] + "." + name
	}
	return name
}

// placeOfNode is where something stands.
func placeOfNode(loc *ast.Location) (file string, line int) {
	if loc == nil {
		return "", 0
	}
	return loc.File, loc.Row
}

// statement is the first line of what the author wrote.
func statement(loc *ast.Location) string {
	if loc == nil {
		return ""
	}
	text, more, cut := strings.Cut(string(loc.Text), "\n")
	if cut && strings.TrimSpace(more) != "" {
		text += " …"
	}
	return text
}
