package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mooring.dev/providers/aws/sandbox/lambda/runtime"
)

// childFolder names the folder of a host in a process that is to be killed.
const childFolder = "MOORING_TEST_HOST_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		child(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// child runs one function that notes its process and never ends.
func child(dir string) {
	h, err := runtime.New(runtime.Options{Dir: dir})
	if err != nil {
		panic(err)
	}
	f := &runtime.Function{Group: "f", Key: "f#1", Name: "f", Version: "1", Runtime: "python3.12", Handler: "app.handler", Timeout: time.Hour, TaskRoot: dir}
	_, _ = h.Invoke(context.Background(), f, runtime.Invocation{ID: "a"}) // ends with this process
}

func newHost(t *testing.T, o runtime.Options) *runtime.Host {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must have python3: %v", err)
		}
		t.Skipf("python3 is not on this machine: %v", err)
	}
	o.Dir = t.TempDir()
	h, err := runtime.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// function is a Python function; each has a state of its own.
func function(t *testing.T, name, source string) *runtime.Function {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "app.py"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	return &runtime.Function{Group: name, Key: name + "#1", Name: name, Version: "1", Runtime: "python3.12", Handler: "app.handler",
		Timeout: 20 * time.Second, TaskRoot: root, Log: &runtime.Log{}}
}

func invoke(t *testing.T, h *runtime.Host, f *runtime.Function, payload string) runtime.Result {
	t.Helper()
	result, err := h.Invoke(t.Context(), f, runtime.Invocation{ID: "request-1", Payload: []byte(payload)})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

const pid = "import os\ndef handler(event, context):\n    return os.getpid()\n"

func await(t *testing.T, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-ticker.C {
		if done() {
			return
		}
	}
	t.Fatal("it did not happen within 20 seconds")
}

func TestOnlyTheFirstInvocationStartsTheProcess(t *testing.T) {
	h := newHost(t, runtime.Options{})
	f := function(t, "f", pid)
	first, second := invoke(t, h, f, `{}`), invoke(t, h, f, `{}`)
	if string(first.Payload) != string(second.Payload) || first.Init == 0 || second.Init != 0 {
		t.Errorf("processes %s and %s, starts %v and %v", first.Payload, second.Payload, first.Init, second.Init)
	}
}

func TestIdleProcessesAreReaped(t *testing.T) {
	h := newHost(t, runtime.Options{Idle: time.Millisecond})
	invoke(t, h, function(t, "f", pid), `{}`)
	await(t, func() bool { return h.Environments() == 0 })
}

func TestANewStateEndsTheProcessesOfTheOld(t *testing.T) {
	h := newHost(t, runtime.Options{})
	f := function(t, "f", pid)
	old := invoke(t, h, f, `{}`)
	changed := *f
	changed.Key = "f#2"
	if now := invoke(t, h, &changed, `{}`); string(now.Payload) == string(old.Payload) {
		t.Error("the old process served the new state")
	}
	await(t, func() bool { return h.Environments() == 1 })
	h.Retire("f")
	await(t, func() bool { return h.Environments() == 0 })
}

func TestAFullMachineEvictsIdleProcessesAndElseWaits(t *testing.T) {
	h := newHost(t, runtime.Options{Environments: 1})
	invoke(t, h, function(t, "f", pid), `{}`)
	invoke(t, h, function(t, "g", pid), `{}`) // f's idle process makes room
	if n := h.Environments(); n != 1 {
		t.Errorf("%d processes, 1 allowed", n)
	}
	slow := function(t, "slow", "import time\ndef handler(e, c):\n    time.sleep(0.05)\n    return 1\n")
	var wg sync.WaitGroup
	for range 4 { // they take turns
		wg.Go(func() {
			if r := invoke(t, h, slow, `{}`); string(r.Payload) != "1" {
				t.Errorf("%s", r.Payload)
			}
		})
	}
	wg.Wait()
}

func TestWaitingForRoomEndsWithItsContext(t *testing.T) {
	h := newHost(t, runtime.Options{Environments: 1})
	marker := filepath.Join(t.TempDir(), "started")
	busy := function(t, "busy", fmt.Sprintf("import time\ndef handler(e, c):\n    open(%q, 'w').close()\n    time.sleep(300)\n", marker))
	busy.Timeout = time.Hour
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		_, err := h.Invoke(context.WithoutCancel(ctx), busy, runtime.Invocation{ID: "a"})
		done <- err
	}()
	await(t, func() bool { _, err := os.Stat(marker); return err == nil })
	cancel()
	if _, err := h.Invoke(ctx, function(t, "f", pid), runtime.Invocation{ID: "b"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	h.Close()
	<-done
	if _, err := h.Invoke(t.Context(), busy, runtime.Invocation{ID: "c"}); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestAProcessThatDiedWhileIdleIsReplaced(t *testing.T) {
	h := newHost(t, runtime.Options{})
	f := function(t, "f", "import os\ndef handler(event, context):\n    return os.getpid()\n")
	first := invoke(t, h, f, `{}`)
	pid, err := strconv.Atoi(string(first.Payload))
	if err != nil {
		t.Fatalf("the first call met %s %s", first.Error, first.Payload)
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return process.Signal(syscall.Signal(0)) != nil }) // until the host has seen it end
	if second := invoke(t, h, f, `{}`); second.Error != "" || string(second.Payload) == string(first.Payload) {
		t.Errorf("the next call met %s %s", second.Error, second.Payload)
	}
}

func TestAStartThatTakesTooLongIsAFunctionError(t *testing.T) {
	h := newHost(t, runtime.Options{Init: 50 * time.Millisecond})
	r := invoke(t, h, function(t, "f", "import time\ntime.sleep(300)\n"), `{}`)
	if r.Error != "Unhandled" || !strings.Contains(string(r.Payload), "Sandbox.Timedout") {
		t.Errorf("%s %s", r.Error, r.Payload)
	}
	await(t, func() bool { return h.Environments() == 0 })
}

func TestResponsesOverSixMegabytesAreRefused(t *testing.T) {
	h := newHost(t, runtime.Options{})
	f := function(t, "f", "def handler(event, context):\n    return 'x' * event['n']\n")
	if r := invoke(t, h, f, `{"n": 7000000}`); !strings.Contains(string(r.Payload), "Function.ResponseSizeTooLarge") {
		t.Errorf("%.200s", r.Payload)
	}
	if r := invoke(t, h, f, `{"n": 1}`); string(r.Payload) != `"x"` {
		t.Errorf("the next call met %.200s", r.Payload)
	}
}

func TestOutputBelongsToTheInvocationThatMadeIt(t *testing.T) {
	h := newHost(t, runtime.Options{})
	f := function(t, "f", "def handler(event, context):\n    print('for', event)\n")
	for i := range 3 {
		result, err := h.Invoke(t.Context(), f, runtime.Invocation{ID: fmt.Sprint("r", i), Payload: fmt.Append(nil, i), Tail: true})
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(result.Tail), "for "); n != 1 || !strings.Contains(string(result.Tail), fmt.Sprint("for ", i)) {
			t.Errorf("the tail of call %d is\n%s", i, result.Tail)
		}
	}
}

func TestLogsKeepTheNewestLines(t *testing.T) {
	l := &runtime.Log{}
	for i := range 5000 {
		l.Add(runtime.Line{Text: fmt.Sprint(i)})
	}
	lines := l.Lines()
	if len(lines) > 2000 || len(lines) < 1800 || lines[len(lines)-1].Text != "4999" {
		t.Errorf("%d lines, the last is %s", len(lines), lines[len(lines)-1].Text)
	}
}
