package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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

// command is what to execute for the function's runtime.
func (e *environment) command() (string, []string, error) {
	f, dir := e.function, e.host.opts.Dir
	switch {
	case strings.HasPrefix(f.Runtime, "provided"):
		for _, root := range append([]string{f.TaskRoot}, f.Layers...) {
			path := filepath.Join(root, "bootstrap")
			if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o111 != 0 {
				return path, nil, nil
			}
		}
		return "", nil, &startError{"Runtime.InvalidEntrypoint", "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"}
	case strings.HasPrefix(f.Runtime, "python3"):
		path, err := e.host.python()
		if err != nil {
			return "", nil, &startError{"Runtime.InterpreterMissing", fmt.Sprintf("runtime %s needs the interpreter python3 on this machine: %v", f.Runtime, err)}
		}
		return path, []string{"-u", filepath.Join(dir, "bootstrap.py")}, nil
	case strings.HasPrefix(f.Runtime, "nodejs"):
		path, err := e.host.node()
		if err != nil {
			return "", nil, &startError{"Runtime.InterpreterMissing", fmt.Sprintf("runtime %s needs the interpreter node on this machine: %v", f.Runtime, err)}
		}
		return path, []string{filepath.Join(dir, "bootstrap.mjs")}, nil
	}
	return "", nil, &startError{"Runtime.InterpreterMissing", fmt.Sprintf("the sandbox has no interpreter for runtime %q; it runs provided, provided.*, python3.* and nodejs*", f.Runtime)}
}

// variables is the whole environment of the process: nothing of this process's
// own but the search path gets in.
func (e *environment) variables(api string) []string {
	f := e.function
	all := map[string]string{"PATH": os.Getenv("PATH"), "LANG": "en_US.UTF-8", "TZ": ":UTC", "HOME": e.scratch, "TMPDIR": e.scratch}
	maps.Copy(all, f.Variables)
	maps.Copy(all, map[string]string{
		"AWS_LAMBDA_RUNTIME_API": api, "LAMBDA_TASK_ROOT": f.TaskRoot, "LAMBDA_RUNTIME_DIR": e.host.opts.Dir,
		"_HANDLER": f.Handler, "AWS_LAMBDA_FUNCTION_NAME": f.Name, "AWS_LAMBDA_FUNCTION_VERSION": f.Version,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(f.Memory), "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
		"AWS_EXECUTION_ENV":          "AWS_Lambda_" + f.Runtime,
		"AWS_LAMBDA_LOG_STREAM_NAME": fmt.Sprintf("%s/[%s]%08x", time.Now().UTC().Format("2006/01/02"), f.Version, e.serial),
	})
	if len(f.Layers) > 0 {
		all["PATH"] = joined(f.Layers, "bin", all["PATH"])
		all["PYTHONPATH"] = joined(f.Layers, "python", all["PYTHONPATH"])
		all["NODE_PATH"] = joined(f.Layers, "nodejs/node_modules", all["NODE_PATH"])
		all["LD_LIBRARY_PATH"] = joined(f.Layers, "lib", all["LD_LIBRARY_PATH"])
	}
	out := make([]string, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, name+"="+all[name])
	}
	return out
}

func joined(roots []string, sub, rest string) string {
	var parts []string
	for _, root := range roots {
		parts = append(parts, filepath.Join(root, sub))
	}
	if rest != "" {
		parts = append(parts, rest)
	}
	return strings.Join(parts, string(os.PathListSeparator))
}

// run hands one event to the process and waits for what comes of it.
func (e *environment) run(ctx context.Context, in Invocation, cold bool) (Result, state, error) {
	var result Result
	e.output.begin(in.ID)
	if cold {
		began := time.Now()
		payload, err := e.initialise(ctx, in.ID)
		if err != nil || payload != nil {
			return Result{Payload: payload, Error: "Unhandled", Tail: e.output.tail()}, dead, err
		}
		result.Init = time.Since(began)
	}
	p := &pending{Invocation: in, answer: make(chan answer, 1)}
	e.mu.Lock()
	e.current = p
	e.mu.Unlock()
	select {
	case e.work <- p:
	case <-e.exited:
		if !cold {
			return Result{}, vanished, nil
		}
		return Result{Payload: e.exitFailure(in.ID), Error: "Unhandled", Tail: e.output.tail()}, dead, nil
	case <-ctx.Done():
		return Result{}, dead, ctx.Err()
	}
	e.output.line("START RequestId: " + in.ID + " Version: " + e.function.Version)
	began := time.Now()
	outcome, err := e.await(ctx, p, &result)
	result.Duration = time.Since(began)
	if err != nil {
		return Result{}, dead, err
	}
	e.report(in, &result)
	return result, outcome, nil
}

// initialise waits until the process asks for its first event. A payload is the
// function's error instead.
func (e *environment) initialise(ctx context.Context, id string) ([]byte, error) {
	timer := time.NewTimer(e.host.opts.Init)
	defer timer.Stop()
	select {
	case <-e.ready:
		return nil, nil
	case payload := <-e.initError:
		return payload, nil
	case <-e.exited:
		select {
		case payload := <-e.initError: // it said why before it left
			return payload, nil
		default:
		}
		return e.exitFailure(id), nil
	case <-timer.C:
		return failure("Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Initialisation timed out after %.2f seconds", id, e.host.opts.Init.Seconds())), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (e *environment) await(ctx context.Context, p *pending, result *Result) (state, error) {
	timer := time.NewTimer(e.function.Timeout)
	defer timer.Stop()
	select {
	case a := <-p.answer:
		return e.answered(a, result), nil
	case <-e.exited:
		select {
		case a := <-p.answer: // it answered before it left
			e.answered(a, result)
			return dead, nil
		default:
		}
		result.Payload, result.Error = e.exitFailure(p.ID), "Unhandled"
		return dead, nil
	case <-timer.C:
		text := fmt.Sprintf("Task timed out after %.2f seconds", e.function.Timeout.Seconds())
		e.output.line(time.Now().UTC().Format(time.RFC3339Nano) + " " + p.ID + " " + text)
		result.Payload, result.Error = failure("Sandbox.Timedout", "RequestId: "+p.ID+" Error: "+text), "Unhandled"
		return dead, nil
	case <-ctx.Done():
		return dead, ctx.Err()
	}
}

func (e *environment) answered(a answer, result *Result) state {
	result.Payload = a.payload
	if a.failed {
		result.Error = "Unhandled"
	}
	return alive
}

func (e *environment) report(in Invocation, result *Result) {
	if in.Tail {
		e.output.settle()
	}
	ms := float64(result.Duration.Microseconds()) / 1000
	text := fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB", in.ID, ms, int(ms)+1, e.function.Memory)
	if result.Init > 0 {
		text += fmt.Sprintf("\tInit Duration: %.2f ms", float64(result.Init.Microseconds())/1000)
	}
	e.output.line("END RequestId: " + in.ID)
	e.output.line(text)
	result.Tail = e.output.tail()
}

func (e *environment) exitFailure(id string) []byte {
	return failure("Runtime.ExitError", "RequestId: "+id+" Error: "+e.exitState)
}

func failure(kind, text string) []byte {
	out, err := json.Marshal(map[string]string{"errorType": kind, "errorMessage": text})
	if err != nil {
		return []byte("{}") // two strings always marshal
	}
	return out
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
