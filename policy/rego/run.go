package rego

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"
	_ "time/tzdata" // windows are wall-clock times, on machines without zones too

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// pkg is one decision package with its prepared query.
type pkg struct {
	name   string   // policy.admission.guard
	rules  []string // of its point's names, those it defines; sorted
	gentle []gentleRule
	terms  terms
	query  rego.PreparedEvalQuery
}

// prepare compiles the query for the package's known rules. A rule that is
// undefined is an empty list in its result, so that it does not take the
// others with it.
func (k *pkg) prepare(c *ast.Compiler, store storage.Store, p *ast.Package) error {
	var err error
	if k.terms, err = packageTermsOf(c, p); err != nil {
		return err
	}
	var wanted []string
	for _, r := range k.asked() {
		wanted = append(wanted, fmt.Sprintf("%q: [x | x := %s.%s]", r, p.Path, r))
	}
	k.query, err = rego.New(
		rego.Compiler(c),
		rego.Store(store),
		rego.Query("result := {"+strings.Join(wanted, ", ")+"}"),
		rego.StrictBuiltinErrors(true),
		rego.GenerateJSON(func(t *ast.Term, _ *rego.EvalContext) (any, error) { return t.Value, nil }),
	).PrepareForEval(context.Background())
	return err
}

// asked are the rules the query asks for.
func (k *pkg) asked() []string {
	var names []string
	for _, g := range k.gentle {
		names = append(names, g.name)
	}
	return append(names, k.rules...)
}

// question is what the packages of one decision are asked.
type question struct {
	input ast.Value
	now   time.Time
}

// eval returns the value of each rule that is defined, with what was printed
// and the labels of the rules that were true on the way.
func (k *pkg) eval(ctx context.Context, q question) evaluated {
	var out evaluated
	var tracked topdown.EvaluatedRuleTracker
	rs, err := k.query.Eval(ctx, rego.EvalParsedInput(q.input), rego.EvalTime(q.now),
		rego.EvalPrintHook(&out.printed), rego.EvalEvaluatedRuleTracker(&tracked))
	out.labels = tracked.Labels
	switch {
	case topdown.IsCancel(err):
		return evaluated{err: ErrLate}
	case err != nil:
		out.err = err
		return out
	case len(rs) != 1:
		out.err = errors.New("the package has no result")
		return out
	}
	object, ok := rs[0].Bindings["result"].(ast.Object)
	if !ok {
		out.err = errors.New("the package's result is no object")
		return out
	}
	out.values = map[string]ast.Value{}
	for _, r := range k.asked() {
		if list, ok := object.Get(ast.StringTerm(r)).Value.(*ast.Array); ok && list.Len() == 1 {
			out.values[r] = list.Elem(0).Value
		}
	}
	return out
}

// keeper runs work that may not heed its context. What is late by more than
// the grace is left behind and counted; while too much is left behind nothing
// new begins, so that a bad policy cannot pile up work without end.
type keeper struct {
	grace time.Duration
	most  int64
	left  atomic.Int64
}

type evaluated struct {
	values  map[string]ast.Value
	printed printed
	labels  []map[string]any // of rules that were true, each set once
	err     error
}

// desk is where the work of one decision is done, piece by piece in one
// goroutine: its stack grows once, and not with each package. Who made it
// closes it.
type desk struct {
	keeper *keeper
	work   chan func() evaluated
	done   chan evaluated
}

func (k *keeper) desk() *desk { return &desk{keeper: k} }

func (d *desk) open() {
	work, done := make(chan func() evaluated), make(chan evaluated, 1)
	d.work, d.done = work, done
	go func() {
		defer close(done)
		roomy()
		for w := range work {
			done <- guarded(w)
		}
	}()
}

// roomy grows the stack of its goroutine at once while it is empty. Evaluation is
// deeply recursive: the stack would else be doubled, and copied, five times in
// every decision.
//
//go:noinline
func roomy() byte {
	var room [96 << 10]byte
	return room[len(os.Args)%len(room)]
}

func (d *desk) close() {
	if d.work != nil {
		close(d.work)
		d.work = nil
	}
}

// run calls work and returns its result, or ErrLate soon after ctx ends. What
// is left behind takes its goroutine with it; the next work gets another.
func (d *desk) run(ctx context.Context, work func() evaluated) evaluated {
	k := d.keeper
	if k.left.Load() >= k.most {
		return evaluated{err: ErrBusy}
	}
	if d.work == nil {
		d.open()
	}
	d.work <- work
	select {
	case e := <-d.done:
		return e
	case <-ctx.Done():
	}
	grace := time.NewTimer(k.grace)
	defer grace.Stop()
	select {
	case e := <-d.done: // it heeded the context
		if e.err == nil {
			e.err = ErrLate
		}
		return e
	case <-grace.C:
		d.close()
		k.left.Add(1)
		go func(done <-chan evaluated) {
			<-done
			k.left.Add(-1)
		}(d.done)
		return evaluated{err: ErrLate}
	}
}

// guarded turns a panic of the engine into an error: one policy must not end
// the daemon.
func guarded(work func() evaluated) (e evaluated) {
	defer func() {
		if p := recover(); p != nil {
			e = evaluated{err: fmt.Errorf("the engine panicked: %v", p)}
		}
	}()
	return work()
}
