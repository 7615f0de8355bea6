package worker

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"mooring.dev/policy"
	"mooring.dev/policy/rego"
)

// protocol is the version of what is spoken over the pipes. Both ends are the
// same program, unless its file was replaced under a running daemon.
const protocol = 1

// maxFrame bounds each part of a frame, so that a broken process cannot make
// the other end allocate without end.
const maxFrame = 64 << 20

// hello is what a worker says first.
type hello struct {
	Protocol     int    `json:"protocol"`
	Capabilities string `json:"capabilities"` // digest
}

// request asks a worker for one thing: exactly one member is set.
type request struct {
	Load   *loadRequest   `json:"load,omitempty"`
	Decide *decideRequest `json:"decide,omitempty"`
}

// loadRequest comes with the files' texts, one after the other.
type loadRequest struct {
	Dir       string                `json:"dir"`
	Files     []fileHead            `json:"files"`
	Faults    []rego.Fault          `json:"faults"`
	Digest    string                `json:"digest"` // of the folder
	Tested    bool                  `json:"tested"`
	Test      time.Duration         `json:"test"`
	Suite     time.Duration         `json:"suite"`
	Evaluator rego.EvaluatorOptions `json:"evaluator"`
}

type fileHead struct {
	Name string `json:"name"`
	Size int    `json:"size"`
}

// loadAnswer tells what was loaded, or why not.
type loadAnswer struct {
	Facts  Facts        `json:"facts"`
	Faults []rego.Fault `json:"faults,omitempty"`
	Error  string       `json:"error,omitempty"`
}

// Facts is what is known of policies without asking them.
type Facts struct {
	Packages   map[policy.Point][]string `json:"packages"`
	Tests      int                       `json:"tests"` // of the folder; all passed
	ReadsActor bool                      `json:"reads_actor"`
	Sources    map[string]string         `json:"sources"` // digests of the packages' texts
}

// decideRequest comes with the document.
type decideRequest struct {
	Point    policy.Point `json:"point"`
	Revision string       `json:"revision"`
	// Written: the document is one that rego wrote, and not anybody's.
	Written bool `json:"written"`
}

// decideAnswer comes with the decision's record.
type decideAnswer struct {
	Decision policy.Decision `json:"decision"`
	Error    *reported       `json:"error,omitempty"`
	// Spent: something was left running or was ended for its memory; the
	// process should not be asked again.
	Spent bool `json:"spent,omitempty"`
}

// reported is an error that crossed the pipe: its text, and which of the
// known ones it is.
type reported struct {
	Text  string           `json:"text"`
	Ended []string         `json:"ended,omitempty"`
	Input *rego.InputError `json:"input,omitempty"`
}

// endings are the errors that keep their identity over the pipe.
var endings = map[string]error{"late": rego.ErrLate, "memory": rego.ErrMemory, "crashed": rego.ErrCrashed, "busy": rego.ErrBusy}

func report(err error) *reported {
	if err == nil {
		return nil
	}
	r := &reported{Text: err.Error()}
	for name, known := range endings {
		if errors.Is(err, known) {
			r.Ended = append(r.Ended, name)
		}
	}
	errors.As(err, &r.Input)
	return r
}

func (r *reported) Error() string { return r.Text }

func (r *reported) Unwrap() []error {
	var inner []error
	for _, name := range r.Ended {
		if known := endings[name]; known != nil {
			inner = append(inner, known)
		}
	}
	if r.Input != nil {
		inner = append(inner, r.Input)
	}
	return inner
}

// write sends a frame: the sizes of both parts, the head as JSON, the body.
func write(w io.Writer, head any, body ...[]byte) error {
	text, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("write a frame: %w", err)
	}
	size := 0
	for _, b := range body {
		size += len(b)
	}
	if len(text) > maxFrame || size > maxFrame {
		return fmt.Errorf("write a frame: larger than %d bytes", maxFrame)
	}
	sizes := binary.BigEndian.AppendUint32(nil, uint32(len(text)))
	sizes = binary.BigEndian.AppendUint32(sizes, uint32(size))
	for _, part := range append([][]byte{append(sizes, text...)}, body...) {
		if _, err := w.Write(part); err != nil {
			return fmt.Errorf("write a frame: %w", err)
		}
	}
	return nil
}

// read receives a frame into head and returns its body. io.EOF means that the
// other end has closed between frames.
func read(r io.Reader, head any) ([]byte, error) {
	var sizes [8]byte
	if _, err := io.ReadFull(r, sizes[:]); err != nil {
		return nil, err
	}
	first, second := binary.BigEndian.Uint32(sizes[:4]), binary.BigEndian.Uint32(sizes[4:])
	if first > maxFrame || second > maxFrame {
		return nil, fmt.Errorf("read a frame: larger than %d bytes", maxFrame)
	}
	text, err := part(r, int64(first))
	if err != nil {
		return nil, err
	}
	decode := json.NewDecoder(bytes.NewReader(text))
	decode.UseNumber() // details keep the numbers policy gave
	if err := decode.Decode(head); err != nil {
		return nil, fmt.Errorf("read a frame: %v", err) // not wrapped: it may be an io.EOF that is none
	}
	return part(r, int64(second))
}

// part reads size bytes without believing that they will come.
func part(r io.Reader, size int64) ([]byte, error) {
	var b bytes.Buffer
	if size <= 1<<20 {
		b.Grow(int(size))
	}
	if n, err := io.Copy(&b, io.LimitReader(r, size)); err != nil {
		return nil, fmt.Errorf("read a frame: %w", err)
	} else if n < size {
		return nil, fmt.Errorf("read a frame: %w", io.ErrUnexpectedEOF)
	}
	return b.Bytes(), nil
}
