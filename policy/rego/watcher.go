package rego

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// watcher follows an evaluation and keeps what a person would ask about: which
// rules were true, with which values, and how far the others came.
type watcher struct {
	frames map[uint64]*frame   // by the engine's query number
	rules  []*frame            // those the query itself asked for, in order
	asked  map[string][]*frame // by reference to the rule: it is evaluated only once
	config ast.Value           // data.config
	seen   int
}

// Bounds of what is kept of one evaluation.
const (
	maxFrames  = 20_000
	maxFirings = 3 // of one clause
)

// frame is the body of a rule, or of a comprehension, `every` or `not` within
// one, at work.
type frame struct {
	rule   *ast.Rule // nil for a body within
	parent *frame
	inside []*frame // bodies entered from this one, in order
	// called are those entered since the statement at hand began.
	called []*frame
	at     *ast.Expr

	times   int // how often it was true
	firings []firing
	fail    *failure
}

// firing is one time a body was true.
type firing struct {
	values []Value
	inside []*frame
}

// failure is the furthest a body came: the expression that was not true.
type failure struct {
	expr   *ast.Expr
	values []Value
	called []*frame
}

func newWatcher(config ast.Value) *watcher {
	return &watcher{frames: map[uint64]*frame{}, asked: map[string][]*frame{}, config: config}
}

// Enabled and Config make it a topdown.QueryTracer.
func (w *watcher) Enabled() bool { return true }

// Config asks for the values of variables.
func (w *watcher) Config() topdown.TraceConfig { return topdown.TraceConfig{PlugLocalVars: true} }

// TraceEvent takes one step of the engine.
func (w *watcher) TraceEvent(e topdown.Event) {
	switch e.Op {
	case topdown.EnterOp:
		w.enter(e)
	case topdown.EvalOp:
		if f, expr := w.frames[e.QueryID], exprOf(e); f != nil && expr != nil {
			f.begin(expr)
		}
	case topdown.FailOp:
		if f, expr := w.frames[e.QueryID], exprOf(e); f != nil && expr != nil {
			w.failed(f, expr, e)
		}
	case topdown.ExitOp:
		if f := w.frames[e.QueryID]; f != nil {
			w.fired(f, e)
		}
	}
}

func exprOf(e topdown.Event) *ast.Expr {
	expr, _ := e.Node.(*ast.Expr)
	return expr
}

func (w *watcher) enter(e topdown.Event) {
	if w.seen++; w.seen > maxFrames {
		return
	}
	f := &frame{parent: w.frames[e.ParentID]}
	f.rule, _ = e.Node.(*ast.Rule)
	w.frames[e.QueryID] = f
	if f.rule != nil && len(f.rule.Head.Args) == 0 {
		name := f.rule.Ref().String()
		w.asked[name] = append(w.asked[name], f)
	}
	switch {
	case f.parent == nil:
	case f.rule != nil && f.parent.owner() == nil:
		w.rules = append(w.rules, f)
	default:
		f.parent.inside = append(f.parent.inside, f)
		f.parent.called = append(f.parent.called, f)
	}
}

// owner is the rule a body belongs to; nil for the query itself.
func (f *frame) owner() *ast.Rule {
	for ; f != nil; f = f.parent {
		if f.rule != nil {
			return f.rule
		}
	}
	return nil
}

// begin notes the expression at hand. What the compiler made of one statement
// is several expressions; all but the last of them are marked as generated.
func (f *frame) begin(expr *ast.Expr) {
	if f.at == nil || !f.at.Generated || expr.Index <= f.at.Index {
		f.called = nil
	}
	f.at = expr
}

// failed notes an expression that was not true, if no other was further.
func (w *watcher) failed(f *frame, expr *ast.Expr, e topdown.Event) {
	if f.fail != nil && expr.Index <= f.fail.expr.Index {
		return
	}
	f.fail = &failure{expr: expr, values: w.values(e, expr), called: slices.Clone(f.called)}
	if t, ok := expr.Terms.(*ast.Term); ok && len(f.called) == 0 {
		f.fail.called = w.asked[t.Value.String()]
	}
}

// fired notes that a body was true.
func (w *watcher) fired(f *frame, e topdown.Event) {
	f.times++
	if len(f.firings) >= maxFirings {
		return
	}
	one := firing{inside: slices.Clone(f.inside)}
	switch n := e.Node.(type) {
	case *ast.Rule:
		one.values = w.values(e, n.Body...)
	case ast.Body:
		one.values = w.values(e, n...)
	}
	f.firings = append(f.firings, one)
}
