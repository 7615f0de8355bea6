// Package browsertest drives a real Chromium as a person would: with a mouse
// that moves to what is seen and is pressed there, and with keys. It speaks the
// DevTools protocol through two pipes, so that no port is open and no other
// program finds it. It is for tests only.
package browsertest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// patience bounds what is waited for.
const patience = 20 * time.Second

// Browser is a Chromium without a window.
type Browser struct {
	t     testing.TB
	out   io.WriteCloser
	ended chan struct{} // closed when nothing more is read

	mu      sync.Mutex
	last    int
	waiting map[int]chan reply
}

type reply struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// Start runs the Chromium at path until the test ends.
func Start(t testing.TB, path string) *Browser {
	t.Helper()
	in, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ours, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe", "--user-data-dir="+filepath.Join(t.TempDir(), "browser"), "about:blank")
	cmd.ExtraFiles = []*os.File{ours, theirs} // its descriptors 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = ours.Close(), theirs.Close() // the child has them
	b := &Browser{t: t, out: out, ended: make(chan struct{}), waiting: map[int]chan reply{}}
	go b.read(in)
	t.Cleanup(func() {
		_ = b.call("", "Browser.close", nil, nil) // it may be gone already
		_ = out.Close()
		select {
		case <-b.ended:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-b.ended
		}
		_ = cmd.Wait() // how it ended is nobody's concern
		_ = in.Close()
	})
	return b
}

// read gives each answer to who waits for it. What is no answer is an event,
// and none is waited for: the page itself is asked.
func (b *Browser) read(in io.Reader) {
	defer close(b.ended)
	lines := bufio.NewReaderSize(in, 1<<20)
	for {
		message, err := lines.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			ID int
			reply
		}
		if json.Unmarshal(bytes.TrimSuffix(message, []byte{0}), &m) != nil || m.ID == 0 {
			continue
		}
		b.mu.Lock()
		to := b.waiting[m.ID]
		delete(b.waiting, m.ID)
		b.mu.Unlock()
		if to != nil {
			to <- m.reply
		}
	}
}

// call asks for something and waits for the answer.
func (b *Browser) call(session, method string, params, into any) error {
	b.mu.Lock()
	b.last++
	id, answer := b.last, make(chan reply, 1)
	b.waiting[id] = answer
	message := map[string]any{"id": id, "method": method}
	if params != nil {
		message["params"] = params
	}
	if session != "" {
		message["sessionId"] = session
	}
	text, err := json.Marshal(message)
	if err == nil {
		_, err = b.out.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case r := <-answer:
		switch {
		case r.Error != nil:
			return fmt.Errorf("%s: %s", method, r.Error.Message)
		case into != nil:
			return json.Unmarshal(r.Result, into)
		}
		return nil
	case <-b.ended:
		return fmt.Errorf("%s: %w", method, errGone)
	case <-time.After(patience):
		return fmt.Errorf("%s: no answer", method)
	}
}

var errGone = errors.New("the browser is gone")
