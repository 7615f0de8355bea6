package runtime

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// environment is one process and its Runtime API server.
type environment struct {
	host     *Host
	function *Function
	serial   int
	scratch  string
	server   *http.Server
	cmd      *exec.Cmd
	timer    *time.Timer // while idle

	work      chan *pending // to the process, when it asks for the next event
	ready     chan struct{} // closed when it asks for the first time
	readyOnce sync.Once
	initError chan []byte
	ended     chan struct{} // closed by end: nobody wants it any more
	endOnce   sync.Once
	exited    chan struct{} // closed when the process is gone
	exitState string        // set before exited is closed
	serving   sync.WaitGroup

	output output

	mu      sync.Mutex // guards what follows
	current *pending
	pid     int // 0 before the process runs
}

// pending is an event on its way through the process.
type pending struct {
	Invocation
	answer chan answer // holds one
}

type answer struct {
	payload []byte
	failed  bool
}

// state is what became of an environment in a run.
type state int

const (
	dead     state = iota // must be ended
	alive                 // may be used again
	vanished              // it was dead before it took the event
)

// start launches the process and its server.
func (e *environment) start() error {
	command, args, err := e.command()
	if err != nil {
		close(e.exited)
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		close(e.exited)
		return fmt.Errorf("listen for the runtime: %w", err)
	}
	e.server = &http.Server{Handler: e.api(), ReadHeaderTimeout: time.Minute}
	e.serving.Add(1)
	go func() {
		defer e.serving.Done()
		_ = e.server.Serve(listener) // ends with end()
	}()
	e.scratch = filepath.Join(e.host.opts.Dir, "environment-"+strconv.Itoa(e.serial))
	if err := os.MkdirAll(e.scratch, 0o700); err != nil {
		close(e.exited)
		return fmt.Errorf("make the function's scratch folder: %w", err)
	}
	e.output = output{log: e.function.Log, version: e.function.Version}
	e.cmd = exec.Command(command, args...)
	e.cmd.Dir = e.function.TaskRoot
	e.cmd.Env = e.variables(listener.Addr().String())
	e.cmd.Stdout, e.cmd.Stderr = &e.output, &e.output
	e.cmd.WaitDelay = time.Second // a grandchild may hold the pipe
	isolate(e.cmd)
	return e.launch()
}

func (e *environment) launch() error {
	started := make(chan error, 1)
	select {
	case e.host.spawn <- func() { started <- e.cmd.Start() }:
	case <-e.host.done:
		close(e.exited)
		return ErrClosed
	}
	if err := <-started; err != nil {
		close(e.exited)
		return &startError{"Runtime.InvalidEntrypoint", err.Error()}
	}
	e.began()
	e.serving.Add(1)
	go func() {
		defer e.serving.Done()
		e.exitState = exitText(e.cmd.Wait())
		e.output.flush()
		close(e.exited)
	}()
	return nil
}

// began notes the process, and kills it at once when its end was asked for
// while it was starting.
func (e *environment) began() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pid = e.cmd.Process.Pid
	select {
	case <-e.ended:
		killGroup(e.pid)
	default:
	}
}

func exitText(err error) string {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "Runtime exited without providing a reason"
	case errors.As(err, &exit):
		return "Runtime exited with error: " + exit.Error()
	}
	return "Runtime exited: " + err.Error()
}

// end kills the process and everything it started, and waits until all is gone.
func (e *environment) end() {
	e.endOnce.Do(func() {
		close(e.ended)
		e.mu.Lock()
		pid := e.pid
		e.mu.Unlock()
		if pid != 0 {
			killGroup(pid)
		}
		<-e.exited
		if e.server != nil {
			_ = e.server.Close() // nobody reads it any more
		}
		e.serving.Wait()
		if e.scratch != "" {
			_ = os.RemoveAll(e.scratch) // scratch; Close removes the whole folder
		}
		e.host.mu.Lock()
		delete(e.host.all, e)
		e.host.signal()
		e.host.mu.Unlock()
	})
}
