package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"mooring.dev/policy"
	"mooring.dev/policy/rego"
)

// Policies are a folder's policies, active in the workers of a pool.
type Policies struct {
	Facts    Facts
	Revision string

	pool   *Pool
	folder rego.Folder
	digest string
}

var (
	_ policy.Evaluator = (*Policies)(nil)
	_ policy.Described = (*Policies)(nil)
)

// ReadsActor is true when a drift package looks at who made a change.
func (p *Policies) ReadsActor() bool { return p.Facts.ReadsActor }

// About is what there is to know of the policies without asking them.
func (p *Policies) About() policy.About {
	return policy.About{Digest: p.digest, Tests: p.Facts.Tests, Guards: p.Facts.Packages[policy.Activation], Packages: p.Facts.Sources}
}

// Load activates the policy folder of a tree: it is checked, compiled and its
// tests are run in a worker. The error is a *rego.LoadError, or says how the
// worker ended. A folder that was activated before is not tested again, and
// one that ended its worker is not tried again for a while.
func (p *Pool) Load(ctx context.Context, tree fs.FS, revision string) (*Policies, error) {
	return p.LoadFolder(ctx, rego.Gather(tree, p.o.Load.Dir), revision)
}

// LoadFolder is Load for a folder that was read before.
func (p *Pool) LoadFolder(ctx context.Context, folder rego.Folder, revision string) (*Policies, error) {
	ctx, leave, err := p.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("load policies: %w", err)
	}
	defer leave()
	out := &Policies{Revision: revision, pool: p, folder: folder, digest: folder.Digest()}
	select {
	case p.loading <- struct{}{}:
		defer func() { <-p.loading }()
	case <-ctx.Done():
		return nil, fmt.Errorf("load policies: %w", context.Cause(ctx))
	}
	if v, known := p.known(out.digest); known {
		out.Facts = v.facts
		return out, v.err
	}
	facts, err := p.activate(ctx, out)
	if ctx.Err() != nil && err != nil {
		return nil, fmt.Errorf("load policies: %w", context.Cause(ctx)) // it says nothing about the folder
	}
	out.Facts = facts
	p.remember(out.digest, verdict{facts: facts, err: err})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// retryLoss is how long a folder that ended its worker is not tried again: a
// daemon asks at every look at its repository.
const retryLoss = 10 * time.Minute

// manyVerdicts is how many folders are remembered.
const manyVerdicts = 32

func (p *Pool) known(digest string) (verdict, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, ok := p.verdict[digest]
	return v, ok && (v.until.IsZero() || time.Now().Before(v.until))
}

func (p *Pool) remember(digest string, v verdict) {
	var bad *rego.LoadError
	if v.err != nil && !errors.As(v.err, &bad) {
		v.until = time.Now().Add(retryLoss)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.verdict) >= manyVerdicts {
		clear(p.verdict)
	}
	p.verdict[digest] = v
}

// activate loads and tests a folder in a worker of its own, which then serves.
func (p *Pool) activate(ctx context.Context, s *Policies) (Facts, error) {
	// Compiling has no deadline of its own: it gets what the tests get.
	ctx, cancel := context.WithTimeout(ctx, 2*p.o.Load.SuiteDeadline)
	defer cancel()
	proc, facts, err := p.load(ctx, s, false)
	if err != nil {
		var bad *rego.LoadError
		if !errors.As(err, &bad) {
			p.loss(Loss{Err: err})
			err = fmt.Errorf("load policies: %w", err)
		}
		return facts, err
	}
	// It serves from now on, if there is a seat for it.
	if had, err := p.regular.take(ctx, s.digest); err != nil {
		proc.end()
	} else {
		if had != nil {
			had.end()
		}
		p.regular.give(proc)
	}
	return facts, nil
}

// load starts a worker and has it load the folder.
func (p *Pool) load(ctx context.Context, s *Policies, tested bool) (*process, Facts, error) {
	proc, err := p.o.start(ctx)
	if err != nil {
		return nil, Facts{}, err
	}
	p.started.Add(1)
	r := loadRequest{
		Dir: s.folder.Dir, Faults: s.folder.Faults, Digest: s.digest, Tested: tested,
		Test: p.o.Load.TestDeadline, Suite: p.o.Load.SuiteDeadline, Evaluator: p.o.Evaluator,
	}
	var texts [][]byte
	for name, text := range s.folder.Files {
		r.Files = append(r.Files, fileHead{name, len(text)})
		texts = append(texts, text)
	}
	var answer loadAnswer
	if _, err := proc.call(ctx, request{Load: &r}, &answer, texts...); err != nil {
		return nil, Facts{}, err
	}
	if len(answer.Faults) == 0 && answer.Error == "" {
		proc.digest = s.digest
		return proc, answer.Facts, nil
	}
	proc.end()
	if answer.Error != "" {
		return nil, Facts{}, fmt.Errorf("%w: %s", rego.ErrCrashed, answer.Error)
	}
	return nil, Facts{}, &rego.LoadError{Faults: answer.Faults}
}

// Evaluate implements policy.Evaluator.
func (p *Policies) Evaluate(ctx context.Context, point policy.Point, in policy.Input) (policy.Decision, error) {
	doc, shown, err := p.pool.o.Evaluator.Document(point, in)
	if err != nil { // it cannot be written: closed here, as it would be there
		return rego.ClosedAt(p.Revision, err).Evaluate(ctx, point, shown)
	}
	return p.decide(ctx, decideRequest{Point: point, Written: true}, doc, shown.Environment.Name)
}

// EvaluateDocument decides about a document that is complete already.
func (p *Policies) EvaluateDocument(ctx context.Context, point policy.Point, doc []byte) (policy.Decision, error) {
	return p.decide(ctx, decideRequest{Point: point}, doc, "")
}

// decide asks a worker, and closes the decision when there is no answer.
func (p *Policies) decide(ctx context.Context, r decideRequest, doc []byte, environment string) (policy.Decision, error) {
	r.Revision = p.Revision
	answer, err := p.ask(ctx, r, doc, environment)
	if err != nil {
		return rego.ClosedAt(p.Revision, err).EvaluateDocument(ctx, r.Point, doc)
	}
	if answer.Error != nil {
		return answer.Decision, answer.Error
	}
	return answer.Decision, nil
}

// ask has a worker make one decision. An asker whose last question was late,
// or cost a worker, waits for the one worker of its kind, so that the others
// are spared.
func (p *Policies) ask(ctx context.Context, r decideRequest, doc []byte, environment string) (decideAnswer, error) {
	pool := p.pool
	ctx, leave, err := pool.enter(ctx)
	if err != nil {
		return decideAnswer{}, err
	}
	defer leave()
	asker := p.digest + "\n" + string(r.Point) + "\n" + environment
	lane := pool.laneOf(asker)
	proc, err := p.worker(ctx, lane)
	if err != nil {
		return decideAnswer{}, err
	}
	answer, err := p.put(ctx, proc, r, doc)
	if err == nil && answer.Spent {
		proc.end()
	}
	if err != nil || answer.Spent {
		proc = nil
	}
	lane.give(proc)
	if err != nil && ctx.Err() != nil {
		return answer, context.Cause(ctx) // the caller went away: nobody's fault
	}
	ended := err
	if err == nil && answer.Error != nil {
		ended = answer.Error
	}
	if proc == nil {
		pool.loss(Loss{Environment: environment, Point: string(r.Point), Err: ended})
	}
	pool.strike(asker, proc == nil || errors.Is(ended, rego.ErrLate))
	return answer, err
}

// put asks a process, which is gone after an error.
func (p *Policies) put(ctx context.Context, proc *process, r decideRequest, doc []byte) (decideAnswer, error) {
	o := p.pool.o
	ctx, cancel := context.WithTimeout(ctx, o.Evaluator.DecisionDeadline+o.Grace)
	defer cancel()
	var answer decideAnswer
	record, err := proc.call(ctx, request{Decide: &r}, &answer, doc)
	answer.Decision.Record = record
	return answer, err
}

// worker takes a worker that has loaded the policies, starting one if need be.
// On an error the seat is free again.
func (p *Policies) worker(ctx context.Context, l *lane) (*process, error) {
	wait, cancel := context.WithTimeout(ctx, p.pool.o.Evaluator.DecisionDeadline)
	defer cancel()
	proc, err := l.take(wait, p.digest)
	if err != nil || proc != nil {
		return proc, err
	}
	loading, cancel := context.WithTimeout(ctx, p.pool.o.Load.SuiteDeadline)
	defer cancel()
	proc, _, err = p.pool.load(loading, p, true)
	if err != nil {
		l.give(nil)
		return nil, err
	}
	return proc, nil
}

func (p *Pool) laneOf(asker string) *lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.strikes[asker] {
		return p.penalty
	}
	return p.regular
}

// manyStrikes is how many askers are remembered.
const manyStrikes = 10_000

func (p *Pool) strike(asker string, lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !lost {
		delete(p.strikes, asker)
		return
	}
	if len(p.strikes) >= manyStrikes {
		clear(p.strikes)
	}
	p.strikes[asker] = true
}
