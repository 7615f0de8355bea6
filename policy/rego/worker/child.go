package worker

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"mooring.dev/policy"
	"mooring.dev/policy/rego"
)

// Command is the argument that makes a program a worker: the program's main
// hands the arguments after it to Main.
const Command = "policy-worker"

// exitMemory is the exit code of a worker that ended itself for its memory.
const exitMemory = 97

// Main is the worker process: it limits itself, says hello, and answers
// requests from standard input on standard output until that is closed. It
// returns the exit code.
func Main(args []string) int {
	flags := flag.NewFlagSet(Command, flag.ContinueOnError)
	memory := flags.Int64("memory", defaultMemory, "bytes this process may take")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := restrain(*memory); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := serve(os.Stdin, os.Stdout, *memory); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// restrain bounds what this process can do, before it sees a policy. Most of
// it is refused by the kernel where the system allows that (confine), the
// rest by the runtime.
func restrain(memory int64) error {
	debug.SetTraceback("none")
	debug.SetMaxStack(int(memory / 4))
	debug.SetMemoryLimit(memory * 3 / 4)
	debug.SetGCPercent(200)
	runtime.GOMAXPROCS(min(2, runtime.NumCPU()))
	go guard(memory)
	return confine(memory)
}

// guardPeriod is how often a worker looks at its own size.
const guardPeriod = 20 * time.Millisecond

// guard ends the process when it has grown over memory. Where the kernel holds
// the limit this only gives the end its name.
func guard(memory int64) {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for range time.Tick(guardPeriod) {
		metrics.Read(samples)
		if samples[0].Value.Uint64()-samples[1].Value.Uint64() > uint64(memory) {
			os.Exit(exitMemory)
		}
	}
}

// served is what a worker has been given.
type served struct {
	memory    int64
	facts     Facts
	evaluator func(revision string) *rego.Evaluator
}

// frame is a request as it came.
type frame struct {
	request
	body []byte
	err  error
}

func serve(in io.Reader, out io.Writer, memory int64) error {
	sum := sha256.Sum256(rego.Capabilities())
	if err := write(out, hello{Protocol: protocol, Capabilities: hex.EncodeToString(sum[:])}); err != nil {
		return err
	}
	frames := make(chan frame)
	go listen(bufio.NewReaderSize(in, 1<<16), frames)
	s := &served{memory: memory}
	for f := range frames {
		switch {
		case f.err != nil:
			return f.err
		case f.Load != nil:
			if err := write(out, s.load(*f.Load, f.body)); err != nil {
				return err
			}
		case f.Decide != nil:
			answer := s.decide(*f.Decide, f.body)
			if err := write(out, answer, answer.Decision.Record); err != nil {
				return err
			}
		default:
			return errors.New("a request asks for nothing")
		}
	}
	return nil
}

// listen reads requests. When nobody is there to ask any more the process
// ends, whatever it is doing.
func listen(in io.Reader, frames chan<- frame) {
	for {
		var f frame
		f.body, f.err = read(in, &f.request)
		if errors.Is(f.err, io.EOF) {
			os.Exit(0)
		}
		frames <- f
		if f.err != nil {
			return
		}
	}
}

// load makes the bundle of a folder that came over the pipe.
func (s *served) load(r loadRequest, body []byte) loadAnswer {
	folder := rego.Folder{Dir: r.Dir, Files: map[string][]byte{}, Faults: r.Faults}
	for _, f := range r.Files {
		if f.Size < 0 || f.Size > len(body) {
			return loadAnswer{Error: "the files are cut short"}
		}
		folder.Files[f.Name], body = body[:f.Size:f.Size], body[f.Size:]
	}
	if folder.Digest() != r.Digest {
		return loadAnswer{Error: "the files are not what their digest says"}
	}
	bundle, err := rego.LoadFolder(folder, rego.LoadOptions{Dir: r.Dir, TestDeadline: r.Test, SuiteDeadline: r.Suite, Tested: r.Tested})
	var bad *rego.LoadError
	switch {
	case errors.As(err, &bad):
		return loadAnswer{Faults: bad.Faults}
	case err != nil:
		return loadAnswer{Error: err.Error()}
	}
	s.facts = Facts{Packages: map[policy.Point][]string{}, Tests: bundle.Tests, ReadsActor: bundle.ReadsActor(), Sources: bundle.About().Packages}
	for _, p := range rego.Points() {
		s.facts.Packages[p] = bundle.Packages(p)
	}
	r.Evaluator.MaxHeap = uint64(s.memory / 5 * 4)
	s.evaluator = func(revision string) *rego.Evaluator {
		b := *bundle
		b.Revision = revision
		return rego.New(&b, r.Evaluator)
	}
	debug.FreeOSMemory() // what compiling and testing left
	return loadAnswer{Facts: s.facts}
}

func (s *served) decide(r decideRequest, doc []byte) decideAnswer {
	if s.evaluator == nil {
		return decideAnswer{Error: &reported{Text: "no policies were loaded"}, Spent: true}
	}
	e := s.evaluator(r.Revision)
	evaluate := e.EvaluateDocument
	if r.Written {
		evaluate = e.EvaluateWritten
	}
	d, err := evaluate(context.Background(), r.Point, doc)
	return decideAnswer{Decision: d, Error: report(err), Spent: e.Left() > 0 || errors.Is(err, rego.ErrMemory)}
}
