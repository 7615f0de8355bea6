// Package worker has policies evaluated in other processes: the same program,
// started anew, which loads a folder, runs its tests and answers one question
// at a time. OPA heeds a deadline only between steps and has no limit on
// memory; a process has both. What a policy costs, however hostile, is its own
// decision: the worker is killed, the decision is closed under a name (late,
// memory, crashed, busy), and the next one gets a fresh worker.
//
// A worker has an empty environment, no directory but the root, no file or
// socket besides its pipes, and dies with the process that started it. On
// Linux the kernel holds it to all that; elsewhere the memory limit is the
// runtime's and the worker's own watch over it.
//
// The package refuses to decide: it hands over documents and returns what
// policy/rego says, here or there.
package worker

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"mooring.dev/policy/rego"
)

// Defaults.
const (
	defaultMemory  = 512 << 20
	defaultWorkers = 4
	defaultIdle    = time.Minute
)

// Options of a Pool. Zero fields take the defaults.
type Options struct {
	// Program is what is started, and Name its first word; default this very
	// program. Its main hands what follows the argument "policy-worker" to Main.
	Program, Name string
	// Memory is what one worker may take, in bytes; default 512 MiB.
	Memory int64
	// Workers is how many decisions are made at a time; default 4. One worker
	// more is for those that ended their workers before, and one for
	// activation.
	Workers int
	// Grace is how long a worker may take beyond the deadline of a decision
	// before it is killed; default half of that deadline, at most 1s.
	Grace time.Duration
	// Idle is how long a worker without work stays; the last one stays on.
	// Default 1m.
	Idle      time.Duration
	Load      rego.LoadOptions
	Evaluator rego.EvaluatorOptions
	// Notice is told when a worker was killed or broke, and why; may be nil.
	Notice func(Loss)

	capabilities string        // digest of what this program offers to policies
	alive        *atomic.Int64 // workers there are now
	args         []string      // for tests
}

// Loss is a worker that ended before it had answered.
type Loss struct {
	Environment string // "" at activation
	Point       string
	Err         error // rego.ErrLate, ErrMemory, ErrCrashed
}

func (o Options) withDefaults() (Options, error) {
	if o.Program == "" {
		self, err := program()
		if err != nil {
			return o, fmt.Errorf("find this program: %w", err)
		}
		o.Program = self
	}
	o.Name = cmp.Or(o.Name, "mooring")
	o.Memory, o.Workers, o.Idle = cmp.Or(o.Memory, defaultMemory), cmp.Or(o.Workers, defaultWorkers), cmp.Or(o.Idle, defaultIdle)
	o.Load.Dir = cmp.Or(o.Load.Dir, "policies")
	o.Load.TestDeadline, o.Load.SuiteDeadline = cmp.Or(o.Load.TestDeadline, 5*time.Second), cmp.Or(o.Load.SuiteDeadline, time.Minute)
	o.Evaluator = o.Evaluator.WithDefaults()
	o.Grace = cmp.Or(o.Grace, min(time.Second, o.Evaluator.DecisionDeadline/2))
	sum := sha256.Sum256(rego.Capabilities())
	o.alive = &atomic.Int64{}
	o.capabilities = hex.EncodeToString(sum[:])
	return o, nil
}

// Pool keeps the workers of a daemon. It is safe for concurrent use.
type Pool struct {
	o       Options
	ctx     context.Context
	stop    context.CancelFunc
	regular *lane
	penalty *lane
	loading chan struct{} // one activation at a time

	mu      sync.Mutex
	verdict map[string]verdict // of activation, by the folder's digest
	strikes map[string]bool    // who lost a worker, by asker
	inUse   sync.WaitGroup     // calls that hold a process
	closed  bool
	started atomic.Int64
	lost    atomic.Int64
}

// verdict is what activating a folder came to.
type verdict struct {
	facts Facts
	err   error
	until time.Time // zero: for good
}

// New makes a pool. No worker is started before there is work.
func New(o Options) (*Pool, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Pool{o: o, loading: make(chan struct{}, 1), verdict: map[string]verdict{}, strikes: map[string]bool{}}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.regular, p.penalty = newLane(o.Workers, o.Idle), newLane(1, o.Idle)
	return p, nil
}

// errStopping answers what is asked of a pool that is closed.
var errStopping = errors.New("the policy workers were stopped")

// Close kills every worker and waits until they are gone. What is being
// decided then is closed.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
	p.inUse.Wait()
	p.regular.close()
	p.penalty.close()
}

// enter counts a call in, unless the pool is closed; its context ends with the
// pool's.
func (p *Pool) enter(ctx context.Context) (context.Context, func(), error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, errStopping
	}
	p.inUse.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	unhook := context.AfterFunc(p.ctx, func() { cancel(errStopping) })
	return ctx, func() { unhook(); cancel(nil); p.inUse.Done() }, nil
}

// Stats counts workers.
type Stats struct {
	Started int64 // ever
	Lost    int64 // killed or broken before they had answered
	Alive   int   // now
}

// Stats tells how the pool fares.
func (p *Pool) Stats() Stats {
	return Stats{Started: p.started.Load(), Lost: p.lost.Load(), Alive: int(p.o.alive.Load())}
}

func (p *Pool) loss(l Loss) {
	p.lost.Add(1)
	if p.o.Notice != nil {
		p.o.Notice(l)
	}
}
