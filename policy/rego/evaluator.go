package rego

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"mooring.dev/policy"
)

// EvaluatorOptions bound a decision. Zero fields take the defaults.
type EvaluatorOptions struct {
	PackageDeadline  time.Duration // for one package; default 2s
	DecisionDeadline time.Duration // for all of a decision; default 5s
	MaxInput         int           // bytes of JSON; default 8 MiB
	MaxChanges       int           // of an input; the rest are cut, which holds; default 5000
	MaxResult        int           // bytes of one package's result; default 256 KiB
	MaxAnswers       int           // bytes of all packages' results together; default 4 MiB
	MaxFindings      int           // items of one package's result; default 200
	// MaxHeap ends a package's evaluation when this process's heap grows over
	// so many bytes; 0: it is not watched. It is for processes that do nothing
	// but evaluate.
	MaxHeap uint64
	// OwnFaults are kinds of events about Mooring itself, which no policy can
	// mute; default policy.OwnFaults.
	OwnFaults []string
}

// Evaluator asks the packages of a bundle. It is safe for concurrent use.
type Evaluator struct {
	bundle *Bundle
	broken error // set instead of bundle
	// revision is told in every decision.
	revision string
	o        EvaluatorOptions
	keeper   *keeper
	// capabilities is the digest of what policies may use, for the records.
	capabilities string
}

var (
	_ policy.Evaluator = (*Evaluator)(nil)
	_ policy.Described = (*Evaluator)(nil)
)

// maxLeft is how many late evaluations may be left behind at a time.
const maxLeft = 8

// WithDefaults fills the zero fields, which New does too.
func (o EvaluatorOptions) WithDefaults() EvaluatorOptions {
	o.PackageDeadline = cmp.Or(o.PackageDeadline, 2*time.Second)
	o.DecisionDeadline = cmp.Or(o.DecisionDeadline, 5*time.Second)
	o.MaxInput = cmp.Or(o.MaxInput, 8<<20)
	o.MaxChanges = cmp.Or(o.MaxChanges, 5000)
	o.MaxResult = cmp.Or(o.MaxResult, 256<<10)
	o.MaxAnswers = cmp.Or(o.MaxAnswers, 4<<20)
	o.MaxFindings = cmp.Or(o.MaxFindings, 200)
	if o.OwnFaults == nil {
		o.OwnFaults = policy.OwnFaults()
	}
	return o
}

// New makes an evaluator of b. A nil b is closed at every point.
func New(b *Bundle, o EvaluatorOptions) *Evaluator {
	o = o.WithDefaults()
	e := &Evaluator{bundle: b, o: o, keeper: &keeper{grace: 200 * time.Millisecond, most: maxLeft}, capabilities: digest(Capabilities())}
	if b == nil {
		e.broken = errors.New("no policies could be loaded")
		return e
	}
	e.revision = b.Revision
	return e
}

// Closed answers every question with the point's closed value, naming why.
func Closed(why error) *Evaluator { return ClosedAt("", why) }

// ClosedAt is Closed for policies of a revision that are there, but cannot be
// asked.
func ClosedAt(revision string, why error) *Evaluator {
	e := New(nil, EvaluatorOptions{})
	e.revision, e.broken = revision, why
	return e
}

// About is what there is to know of the policies without asking them; nothing
// where there are none.
func (e *Evaluator) About() policy.About {
	if e.bundle == nil {
		return policy.About{}
	}
	return e.bundle.About()
}

// Left is how many evaluations went past their deadline and are running still.
func (e *Evaluator) Left() int { return int(e.keeper.left.Load()) }

// Evaluate implements policy.Evaluator. Input.Request must have an ID, which
// becomes the decision's, and a time. The error, if any, names every package
// that could not be evaluated, or is an *InputError; the Decision then has
// Outcome Error and is closed.
func (e *Evaluator) Evaluate(ctx context.Context, p policy.Point, in policy.Input) (policy.Decision, error) {
	doc, in, err := e.o.Document(p, in)
	if err != nil {
		return e.close(p, e.facts(in), nil, err)
	}
	return e.evaluate(ctx, p, doc, e.facts(in).asWritten())
}

// EvaluateWritten decides about what Document wrote, perhaps in another
// process: it is complete and needs no reading twice. Any other document is
// for EvaluateDocument.
func (e *Evaluator) EvaluateWritten(ctx context.Context, p policy.Point, doc []byte) (policy.Decision, error) {
	var in policy.Input
	if err := json.Unmarshal(doc, &in); err != nil {
		return e.close(p, e.facts(in), nil, &InputError{Faults: []string{err.Error()}})
	}
	return e.evaluate(ctx, p, doc, e.facts(in).asWritten())
}

// Document is the input as JSON, complete, and as it is shown there. Of more
// changes than there may be, or fit, only the first are shown, and Truncated
// says so, which holds the decision for a person. The error is an *InputError.
func (o EvaluatorOptions) Document(p policy.Point, in policy.Input) ([]byte, policy.Input, error) {
	o, in = o.WithDefaults(), in.Complete(p)
	if len(in.Changes) > o.MaxChanges {
		in.Changes, in.Truncated = in.Changes[:o.MaxChanges], true
	}
	for {
		doc, err := json.Marshal(in)
		switch {
		case err != nil:
			return nil, in, &InputError{Faults: []string{err.Error()}}
		case len(doc) <= o.MaxInput || len(in.Changes) == 0:
			return doc, in, nil
		}
		fit := len(in.Changes) * o.MaxInput / len(doc)
		in.Changes, in.Truncated = in.Changes[:fit*9/10], true
	}
}

// EvaluateDocument decides about an input that is JSON already: a recorded one,
// or one written by hand. The document must be complete.
func (e *Evaluator) EvaluateDocument(ctx context.Context, p policy.Point, doc []byte) (policy.Decision, error) {
	in, line, err := document(doc)
	if err != nil {
		return e.close(p, e.facts(in), nil, err)
	}
	return e.evaluate(ctx, p, line, e.facts(in))
}

// document reads an input that is JSON, and writes it as it will stand in the
// record.
func document(doc []byte) (in policy.Input, line []byte, err error) {
	var compact, escaped bytes.Buffer
	if err = json.Unmarshal(doc, &in); err == nil {
		err = json.Compact(&compact, doc)
	}
	if err != nil {
		return in, nil, &InputError{Faults: []string{err.Error()}}
	}
	json.HTMLEscape(&escaped, compact.Bytes())
	return in, escaped.Bytes(), nil
}

func (e *Evaluator) evaluate(ctx context.Context, p policy.Point, doc []byte, f facts) (policy.Decision, error) {
	began := time.Now()
	if e.broken != nil {
		return e.close(p, f, doc, e.broken)
	}
	value, err := e.read(p, doc, f)
	var bad *InputError
	if errors.As(err, &bad) && bad.unkept {
		doc = nil
	}
	if err != nil {
		return e.close(p, f, doc, err)
	}
	answers := e.ask(ctx, p, question{input: value, now: time.Unix(0, f.Request.TimeNS)}, f)
	d := combine(p, f, answers)
	d.Revision = e.revision
	return e.recorded(d, f, doc, answers, time.Since(began))
}

func (e *Evaluator) facts(in policy.Input) facts {
	own := in.NotifyFacts != nil && slices.Contains(e.o.OwnFaults, in.Event.Kind)
	return facts{Input: in, ownFault: own}
}

// read checks the document and converts it, once for all packages.
func (e *Evaluator) read(p policy.Point, doc []byte, f facts) (ast.Value, error) {
	if !slices.Contains(points, p) {
		return nil, fmt.Errorf("unknown decision point %q", p)
	}
	if len(doc) > e.o.MaxInput {
		return nil, &InputError{Faults: []string{fmt.Sprintf("larger than %d bytes", e.o.MaxInput)}, unkept: true}
	}
	value, err := f.value(doc)
	if err != nil {
		return nil, &InputError{Faults: []string{err.Error()}, unkept: true}
	}
	if err := e.bundle.validators[p].validate(value); err != nil {
		return nil, err
	}
	return value, f.consistent(p)
}

// facts is the input as the combination reads it.
type facts struct {
	policy.Input
	ownFault bool
	written  bool // the document is what Document makes of Input
}

func (f facts) asWritten() facts {
	f.written = true
	return f
}

// value is the document as the engine takes it.
func (f facts) value(doc []byte) (ast.Value, error) {
	if f.written {
		if value, err := valueOf(f.Input); err == nil {
			return value, nil
		}
	}
	return ast.ValueFromReader(bytes.NewReader(doc))
}

// consistent checks what no schema says.
func (f facts) consistent(p policy.Point) error {
	switch {
	case f.API != policy.API:
		return &InputError{Faults: []string{fmt.Sprintf("input.api: want %q", policy.API)}}
	case f.Point != p:
		return &InputError{Faults: []string{fmt.Sprintf("input.point: asked at %s", p)}}
	case f.Request.ID == "":
		return &InputError{Faults: []string{"input.request.id: empty"}}
	case f.Request.TimeNS <= 0:
		return &InputError{Faults: []string{"input.request.time_ns: no time"}}
	}
	return nil
}

// ask evaluates each package by itself.
func (e *Evaluator) ask(ctx context.Context, p policy.Point, q question, f facts) []answer {
	ctx, cancel := context.WithTimeout(ctx, e.o.DecisionDeadline)
	defer cancel()
	at := e.keeper.desk()
	defer at.close()
	var answers []answer
	room := e.o.MaxAnswers
	for _, k := range e.bundle.packages[p] {
		began := time.Now()
		got := e.askOne(ctx, at, k, q)
		for _, a := range k.answers(q.now) {
			if a.err = got.err; a.err == nil {
				a.err = a.take(got.values, f, limits{result: min(e.o.MaxResult, room), findings: e.o.MaxFindings})
			}
			if a.err != nil {
				a.err = shortened{a.err}
			}
			room -= a.size
			a.took = time.Since(began)
			if len(answers) == 0 || answers[len(answers)-1].pkg != a.pkg {
				a.printed, a.labels = got.printed.lines, got.labels // told once
			}
			answers = append(answers, a)
			if got.err != nil {
				break // told once
			}
		}
	}
	return answers
}

func (e *Evaluator) askOne(ctx context.Context, at *desk, k *pkg, q question) evaluated {
	ctx, cancel := context.WithTimeout(ctx, e.o.PackageDeadline)
	defer cancel()
	if ctx.Err() != nil {
		return evaluated{err: ErrLate}
	}
	ctx, stop := watchHeap(ctx, e.o.MaxHeap)
	defer stop()
	got := at.run(ctx, func() evaluated { return k.eval(ctx, q) })
	if errors.Is(got.err, ErrLate) && errors.Is(context.Cause(ctx), ErrMemory) {
		got.err = ErrMemory
		shed()
	}
	return got
}

// close answers without asking anybody.
func (e *Evaluator) close(p policy.Point, f facts, doc []byte, why error) (policy.Decision, error) {
	d := combine(p, f, []answer{{err: why, enforcement: mandatory}})
	d.Revision = e.revision
	return e.recorded(d, f, doc, []answer{{err: why, enforcement: mandatory}}, 0)
}

func (e *Evaluator) recorded(d policy.Decision, f facts, doc []byte, answers []answer, took time.Duration) (policy.Decision, error) {
	d.Record = record(d, f, doc, answers, took, e.capabilities)
	var broken []error
	for _, a := range answers {
		if a.err != nil && a.enforcement != dryRun {
			broken = append(broken, a.failure())
		}
	}
	if len(broken) > 0 {
		return d, fmt.Errorf("decide %s: %w", d.Point, errors.Join(broken...))
	}
	return d, nil
}
