package runtime

import (
	"bytes"
	"strings"
	"sync"
	"time"
)

const (
	logLines   = 2000
	lineLimit  = 64 << 10
	tailLimit  = 4096
	quiet      = 10 * time.Millisecond
	quietLimit = 100 * time.Millisecond
)

// Line is one line a function wrote.
type Line struct {
	At                       time.Time
	Version, RequestID, Text string
}

// Log keeps a function's newest lines; the oldest go first. The zero value is
// ready, and a nil Log keeps nothing.
type Log struct {
	mu    sync.Mutex
	lines []Line
}

// Add appends a line.
func (l *Log) Add(line Line) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) == logLines {
		l.lines = append(l.lines[:0:0], l.lines[logLines/10:]...)
	}
	l.lines = append(l.lines, line)
}

// Lines are what is kept, oldest first.
func (l *Log) Lines() []Line {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Line(nil), l.lines...)
}

// output splits what a process writes into lines, and remembers those of the
// invocation under way.
type output struct {
	log     *Log
	version string

	mu      sync.Mutex
	id      string
	partial []byte
	end     []byte // of this invocation
	last    time.Time
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = time.Now()
	o.partial = append(o.partial, p...)
	for {
		i := bytes.IndexByte(o.partial, '\n')
		if i < 0 && len(o.partial) < lineLimit {
			return len(p), nil
		}
		if i < 0 {
			i = len(o.partial) - 1
		}
		o.add(strings.TrimRight(string(o.partial[:i+1]), "\r\n"))
		o.partial = o.partial[i+1:]
	}
}

func (o *output) add(text string) {
	o.log.Add(Line{At: time.Now(), Version: o.version, RequestID: o.id, Text: text})
	o.end = append(append(o.end, text...), '\n')
	if n := len(o.end); n > tailLimit {
		o.end = append(o.end[:0:0], o.end[n-tailLimit:]...)
	}
}

// begin starts an invocation's output.
func (o *output) begin(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.id, o.end = id, nil
}

func (o *output) line(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.add(text)
}

// flush takes an unfinished last line.
func (o *output) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.partial) > 0 {
		o.add(string(o.partial))
		o.partial = nil
	}
}

func (o *output) tail() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]byte(nil), o.end...)
}

// settle waits until the process has written nothing for a moment: its answer
// may overtake its output, since they come by different ways.
func (o *output) settle() {
	for began := time.Now(); time.Since(began) < quietLimit; time.Sleep(quiet / 2) {
		o.mu.Lock()
		still := time.Since(o.last) >= quiet
		o.mu.Unlock()
		if still && time.Since(began) >= quiet {
			return
		}
	}
}
