package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"mooring.dev/policy/rego"
)

// process is one worker as the daemon sees it. It is used by one caller at a
// time.
type process struct {
	cmd    *exec.Cmd
	in     *os.File
	out    *bufio.Reader
	ours   *os.File // out's file
	said   tail     // on standard error
	gone   chan struct{}
	digest string // of the folder it has loaded; "" before
	retire *time.Timer
}

// startDeadline is how long a worker may take to say hello.
const startDeadline = 20 * time.Second

// start begins a worker and waits for its hello.
func (o *Options) start(ctx context.Context) (*process, error) {
	p := &process{gone: make(chan struct{})}
	theirs, err := p.pipes(o)
	if err != nil {
		return nil, fmt.Errorf("start a policy worker: %w", err)
	}
	started := make(chan error)
	go p.live(started, o.alive)
	err = <-started
	for _, f := range theirs {
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("start a policy worker: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	var h hello
	if _, err := p.within(ctx, func() ([]byte, error) { return read(p.out, &h) }); err != nil {
		return nil, fmt.Errorf("start a policy worker: %w", err)
	}
	if h.Protocol != protocol || h.Capabilities != o.capabilities {
		p.end()
		return nil, fmt.Errorf("start a policy worker: %w: %s is another version than this process; restart this one", rego.ErrCrashed, o.Program)
	}
	return p, nil
}

// pipes prepares the command; what it returns are the worker's ends.
func (p *process) pipes(o *Options) ([]*os.File, error) {
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, inRead.Close(), inWrite.Close())
	}
	p.in, p.ours, p.out = inWrite, outRead, bufio.NewReaderSize(outRead, 1<<16)
	p.cmd = &exec.Cmd{
		Path: o.Program, Args: append([]string{o.Name, Command, fmt.Sprintf("--memory=%d", o.Memory)}, o.args...),
		Env: []string{}, Dir: "/", Stdin: inRead, Stdout: outWrite, Stderr: &p.said,
	}
	attach(p.cmd)
	return []*os.File{inRead, outWrite}, nil
}

// live starts the process and waits for its end on one thread: the kernel
// would take the end of the thread that started it for the end of the daemon.
func (p *process) live(started chan<- error, alive *atomic.Int64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.gone)
	seal()
	err := p.cmd.Start()
	if err == nil {
		alive.Add(1)
		defer alive.Add(-1)
	}
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // how it ended is read from its state
	}
}

// call asks for one thing. When ctx ends the worker is killed. After an error
// the process is gone.
func (p *process) call(ctx context.Context, r request, answer any, body ...[]byte) ([]byte, error) {
	return p.within(ctx, func() ([]byte, error) {
		if err := write(p.in, r, body...); err != nil {
			return nil, err
		}
		return read(p.out, answer)
	})
}

// within does work with the pipes, and kills the process if ctx ends before.
func (p *process) within(ctx context.Context, work func() ([]byte, error)) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { slay(p.cmd) })
	body, err := work()
	inTime := stop()
	if err == nil && inTime {
		return body, nil
	}
	p.end()
	switch {
	case inTime:
		return nil, p.fate(err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, rego.ErrLate
	}
	return nil, context.Cause(ctx)
}

// end kills the process and waits until it is gone.
func (p *process) end() {
	slay(p.cmd)
	<-p.gone
	p.close()
}

func (p *process) close() {
	_ = p.in.Close() // nothing is buffered, and nobody reads it any more
	_ = p.ours.Close()
}

// fate says why a process ended by itself, or what it said that made no sense.
func (p *process) fate(err error) error {
	text, state := p.said.String(), p.cmd.ProcessState
	status, _ := state.Sys().(syscall.WaitStatus)
	switch {
	case state.ExitCode() == exitMemory, strings.Contains(text, "out of memory"), strings.Contains(text, "cannot allocate memory"):
		return rego.ErrMemory
	case status.Signaled() && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", rego.ErrCrashed, err) // we killed it, for what it said
	case status.Signaled():
		return fmt.Errorf("%w: it was killed from outside, perhaps for want of memory on this machine", rego.ErrCrashed)
	}
	first, _, _ := strings.Cut(text, "\n")
	return fmt.Errorf("%w: %s %.200s", rego.ErrCrashed, state, first)
}

// tail keeps the beginning of what a process says on standard error.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const maxTail = 4096

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b[:min(len(b), maxTail-len(t.text))]...)
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
