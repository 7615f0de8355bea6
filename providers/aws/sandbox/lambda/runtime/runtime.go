// Package runtime runs function code in processes of this machine, each beside
// a server that speaks the Lambda Runtime API on loopback. Processes are kept
// warm, reused, reaped when idle, and all ended by Close.
//
// It refuses runtimes it has no interpreter for, and says so as the function's
// own error. It isolates nothing: code runs as this user. It knows no aliases,
// limits or metrics; that is the caller's.
package runtime

import (
	"context"
	_ "embed" // the interpreters' start-up programs
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"time"
)

//go:embed bootstrap.py
var pythonBootstrap []byte

//go:embed bootstrap.mjs
var nodeBootstrap []byte

// ErrClosed is returned for invocations after Close.
var ErrClosed = errors.New("the function host is closed")

// Options of a host.
type Options struct {
	Dir          string        // for start-up programs and scratch folders; must exist
	Environments int           // processes alive at once; 0 is 64. Further invocations wait
	Idle         time.Duration // how long an unused process lives; 0 is five minutes
	Init         time.Duration // how long one may take to start; 0 is ten seconds
}

// Function is one state of a function's code and settings.
type Function struct {
	Group   string // which function and version; processes of another Key in the same Group are ended
	Key     string // which state of it
	Name    string
	Version string
	ARN     string

	Runtime, Handler string
	Memory           int // MB; told to the code, not enforced
	Timeout          time.Duration
	TaskRoot         string            // the folder of its code
	Layers           []string          // folders of its layers, in order
	Variables        map[string]string // everything the process gets beside what this package sets
	Log              *Log
}

// Invocation is one event for a function.
type Invocation struct {
	ID, ARN       string
	Payload       []byte
	ClientContext string
	Tail          bool // wait for the output to settle, and return its end
}

// Result is what came of an invocation.
type Result struct {
	Payload  []byte
	Error    string        // "" or "Unhandled"
	Duration time.Duration // of the handler
	Init     time.Duration // of the start, when this invocation started the process
	Tail     []byte        // the last 4 KB of its output
}

// Host owns every process.
type Host struct {
	opts   Options
	spawn  chan func() // run on one thread that lives as long as the host
	done   chan struct{}
	wg     sync.WaitGroup
	python func() (string, error)
	node   func() (string, error)

	mu     sync.Mutex
	idle   map[string][]*environment // by Key, the last used at the end
	all    map[*environment]bool
	freed  chan struct{} // closed and renewed when an environment is released or ends
	serial int
	closed bool
}

// New makes a host that runs nothing yet.
func New(o Options) (*Host, error) {
	if o.Environments == 0 {
		o.Environments = 64
	}
	if o.Idle == 0 {
		o.Idle = 5 * time.Minute
	}
	if o.Init == 0 {
		o.Init = 10 * time.Second
	}
	for name, content := range map[string][]byte{"bootstrap.py": pythonBootstrap, "bootstrap.mjs": nodeBootstrap} {
		if err := os.WriteFile(filepath.Join(o.Dir, name), content, 0o600); err != nil {
			return nil, fmt.Errorf("write the start-up program %s: %w", name, err)
		}
	}
	h := &Host{opts: o, spawn: make(chan func()), done: make(chan struct{}), idle: map[string][]*environment{},
		all: map[*environment]bool{}, freed: make(chan struct{}), python: sync.OnceValues(findPython), node: sync.OnceValues(findNode)}
	h.wg.Add(1)
	go h.spawner()
	return h, nil
}

// spawner starts processes. They are told to die with the thread that started
// them, so that thread must live on.
func (h *Host) spawner() {
	defer h.wg.Done()
	goruntime.LockOSThread() // never unlocked: the thread ends with the goroutine
	for {
		select {
		case f := <-h.spawn:
			f()
		case <-h.done:
			return
		}
	}
}

// Invoke runs one event. What goes wrong with the function is in the Result; an
// error means that ctx ended or the host is closed.
func (h *Host) Invoke(ctx context.Context, f *Function, in Invocation) (Result, error) {
	for {
		env, cold, err := h.acquire(ctx, f)
		if err != nil {
			return Result{}, err
		}
		if env == nil { // could not be started
			return h.refused(f, in, cold), nil
		}
		result, state, err := env.run(ctx, in, cold == "new")
		switch {
		case state == alive:
			h.release(env)
		default:
			env.end()
		}
		if state == vanished { // it had died before it took the event: not this event's fault
			continue
		}
		return result, err
	}
}

// refused is the result for a function that cannot be started here.
func (h *Host) refused(f *Function, in Invocation, why string) Result {
	kind, text, _ := strings.Cut(why, "\x00")
	f.Log.Add(Line{At: time.Now(), Version: f.Version, RequestID: in.ID, Text: text})
	return Result{Payload: failure(kind, "RequestId: "+in.ID+" Error: "+text), Error: "Unhandled"}
}

// Retire ends the warm processes of a group.
func (h *Host) Retire(group string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.retireOthers(&Function{Group: group})
	}
}

// Environments is how many processes are alive.
func (h *Host) Environments() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.all)
}

// Close ends every process, in use or not, and waits until they are gone.
func (h *Host) Close() {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return
	}
	h.closed = true
	var list []*environment
	for env := range h.all {
		if env.timer != nil {
			env.timer.Stop()
		}
		list = append(list, env)
	}
	h.signal()
	h.mu.Unlock()
	for _, env := range list {
		env.end()
	}
	close(h.done)
	h.wg.Wait()
}
