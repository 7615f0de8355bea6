package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"mooring.dev/policy"
	"mooring.dev/policy/rego"
)

// With a single worker for everybody, an environment whose questions never end
// costs the others one deadline, once: from then on it waits for the worker of
// its kind. When it decides again it is one of the others again.
func TestWhoeverIsLateDoesNotHoldTheOthers(t *testing.T) {
	pool := newPool(t, Options{Workers: 1, Evaluator: quick})
	p := load(t, pool, hostileIn("production", "input.commit.message == \"m\"\n\t"+hostile["cross product"]))
	if _, err := ask(t, p, policy.Admission, question("production")); !errors.Is(err, rego.ErrLate) {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var others sync.WaitGroup
	late := 0
	others.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				switch _, err := ask(t, p, policy.Admission, question("production")); {
				case errors.Is(err, rego.ErrLate):
					late++
				case !errors.Is(err, rego.ErrBusy): // so much else to do
					t.Error(err)
				}
			}
		}
	})
	held := 0 // by a machine that has other things to do, now and then
	for range 100 {
		d, err := ask(t, p, policy.Admission, question("staging"))
		if errors.Is(err, rego.ErrLate) || errors.Is(err, rego.ErrBusy) {
			held++
		} else if err != nil || d.Outcome != policy.Allow {
			t.Errorf("%s, %v", d.Outcome, err)
		}
	}
	close(stop)
	others.Wait()
	if held > 20 { // who shares a lane with it is held each time
		t.Errorf("%d of 100 were held by who is late", held)
	}
	if late > 90 {
		t.Errorf("%d late decisions beside 100 good ones", late)
	}
	if pool.laneOf(p.digest+"\nadmission\nproduction") != pool.penalty || pool.laneOf(p.digest+"\nadmission\nstaging") != pool.regular {
		t.Error("who was late is not set apart")
	}
	in := question("production")
	in.Commit.Message = "another"
	if d, err := ask(t, p, policy.Admission, in); err != nil || d.Outcome != policy.Allow {
		t.Errorf("%s, %v", d.Outcome, err)
	}
	if pool.laneOf(p.digest+"\nadmission\nproduction") != pool.regular {
		t.Error("who decides again is still set apart")
	}
}

// However many ask at once, there are no more workers than may be.
func TestWorkersAreBounded(t *testing.T) {
	pool := newPool(t, Options{Workers: 2, Evaluator: rego.EvaluatorOptions{DecisionDeadline: time.Minute}})
	one, other := load(t, pool, admission("one", yes)), load(t, pool, admission("other", yes))
	var asking sync.WaitGroup
	for i := range 40 {
		asking.Go(func() {
			p := []*Policies{one, other}[i%2]
			if d, err := ask(t, p, policy.Admission, question(fmt.Sprint("e", i))); err != nil || d.Outcome != policy.Allow {
				t.Errorf("%s, %v", d.Outcome, err)
			}
			if s := pool.Stats(); s.Alive > 2 {
				t.Errorf("%d workers", s.Alive)
			}
		})
	}
	asking.Wait()
	if s := pool.Stats(); s.Lost != 0 {
		t.Errorf("%+v", s)
	}
}

// A caller who goes away gets no answer, and blames nobody.
func TestCallerGoesAway(t *testing.T) {
	pool := newPool(t, Options{})
	p := load(t, pool, hostileIn("production", hostile["cross product"]))
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	d, err := p.Evaluate(ctx, policy.Admission, question("production"))
	if d.Outcome != policy.Error || !errors.Is(err, context.Canceled) {
		t.Errorf("%s, %v", d.Outcome, err)
	}
	if s := pool.Stats(); s.Lost != 0 || pool.laneOf(p.digest+"\nadmission\nproduction") != pool.regular {
		t.Errorf("%+v", s)
	}
}

// Closing a pool ends what is being decided, closed, and nothing is decided
// afterwards.
func TestCloseEndsDecisions(t *testing.T) {
	pool := newPool(t, Options{})
	p := load(t, pool, hostileIn("production", hostile["cross product"]))
	ended := make(chan error)
	go func() {
		d, err := p.Evaluate(context.Background(), policy.Admission, question("production"))
		if d.Outcome != policy.Error {
			err = errors.Join(err, fmt.Errorf("outcome %s", d.Outcome))
		}
		ended <- err
	}()
	for len(pool.regular.seats) == 0 {
		time.Sleep(time.Millisecond)
	}
	pool.Close()
	if err := <-ended; !errors.Is(err, errStopping) {
		t.Error(err)
	}
	if d, err := p.Evaluate(context.Background(), policy.Admission, question("staging")); d.Outcome != policy.Error || !errors.Is(err, errStopping) {
		t.Errorf("%s, %v", d.Outcome, err)
	}
	if _, err := pool.Load(context.Background(), folder(nil), "r2"); !errors.Is(err, errStopping) {
		t.Error(err)
	}
}

// A program that is no worker, or another version of one, is an error with a
// name, and is not left running.
func TestStrangeWorkers(t *testing.T) {
	for how, says := range map[string]error{"silent": context.DeadlineExceeded, "another-version": rego.ErrCrashed, "babbling": rego.ErrCrashed} {
		t.Run(how, func(t *testing.T) {
			pool := newPool(t, Options{args: []string{"be=" + how}})
			ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
			defer cancel()
			if _, err := pool.Load(ctx, folder(admission("x", yes)), "r1"); !errors.Is(err, says) && !(how == "silent" && errors.Is(err, rego.ErrLate)) {
				t.Error(err)
			}
		})
	}
	pool := newPool(t, Options{Program: "/nonexistent/program"})
	if _, err := pool.Load(context.Background(), folder(nil), "r1"); err == nil {
		t.Error("a program that is not there was started")
	}
}

// A worker that dies between two decisions costs one of them.
func TestWorkerDiesAtRest(t *testing.T) {
	pool := newPool(t, Options{})
	p := load(t, pool, admission("x", yes))
	pool.regular.mu.Lock()
	slay(pool.regular.rest[0].cmd)
	<-pool.regular.rest[0].gone
	pool.regular.mu.Unlock()
	if d, err := ask(t, p, policy.Admission, question("staging")); d.Outcome != policy.Error || !errors.Is(err, rego.ErrCrashed) {
		t.Errorf("%s, %v", d.Outcome, err)
	}
	if d, err := ask(t, p, policy.Admission, question("staging")); err != nil || d.Outcome != policy.Allow {
		t.Errorf("%s, %v", d.Outcome, err)
	}
}

// Idle workers go; the last one stays for the next question.
func TestIdleWorkersGo(t *testing.T) {
	pool := newPool(t, Options{Workers: 3, Idle: 20 * time.Millisecond})
	p := load(t, pool, admission("x", yes))
	warm(t, p, 3)
	for end := time.Now().Add(10 * time.Second); pool.Stats().Alive > 1; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", pool.Stats())
		}
	}
	time.Sleep(60 * time.Millisecond)
	if n := pool.Stats().Alive; n != 1 {
		t.Errorf("%d workers", n)
	}
}

// A folder that does not load is named as in this process, faults and all, and
// the same policies under another revision are not tested again.
func TestLoading(t *testing.T) {
	pool := newPool(t, Options{})
	_, err := pool.Load(context.Background(), folder(admission("x", "denny contains \"x\"\n")), "r1")
	_, here := rego.Load(folder(admission("x", "denny contains \"x\"\n")), rego.LoadOptions{})
	var bad *rego.LoadError
	if !errors.As(err, &bad) || err.Error() != here.Error() || bad.Faults[0].Line != 5 {
		t.Errorf("%v, here %v", err, here)
	}
	tree := folder(admission("x", yes))
	tree["policies/link.rego"] = &fstest.MapFile{Mode: 0o777 | 1<<27}
	if _, err := pool.Load(context.Background(), tree, "r1"); !errors.As(err, &bad) || bad.Faults[0].Code != "read_error" {
		t.Errorf("what could not be read: %v", err)
	}
	started := pool.Stats().Started
	load(t, pool, admission("x", yes))
	p, err := pool.Load(context.Background(), folder(admission("x", yes)), "r2")
	if err != nil || p.Revision != "r2" || pool.Stats().Started != started+1 {
		t.Errorf("%v, %+v", err, pool.Stats())
	}
	if d, err := p.Evaluate(context.Background(), policy.Admission, question("staging")); err != nil || d.Revision != "r2" {
		t.Errorf("%s, %v", d.Revision, err)
	}
}
