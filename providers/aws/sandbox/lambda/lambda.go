// Package lambda is the sandbox's AWS Lambda: the control plane with AWS's
// awkward semantics (two RevisionId changes an update, windows in which an
// update is in progress, publishing that may be a no-op, pages of 50 and 100,
// a policy for every qualifier) and a data plane that really runs the code in
// processes of this machine.
//
// It refuses what it cannot do truthfully: container images, runtimes without
// an interpreter on this machine, and filter patterns it does not know. It
// knows nothing of credentials, rate lanes or injected faults: the sandbox's
// root does those before a call arrives here. State lives in memory; only code
// is written to disk.
//
// Where it is not established what AWS does, this is what is done here, and no
// client should count on it: settings that are not part of a version
// (concurrency, URLs, asynchronous calls) leave the RevisionId alone; deleting
// a version that is not there is ResourceNotFoundException; a mapping that
// Lambda disabled itself shows LAMBDA_INITIATED; ListAliases pages by 50. A
// function URL of AuthType NONE answers without a permission, and one of
// AWS_IAM wants a signature but does not check it.
package lambda

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/lambda/runtime"
	"mooring.dev/providers/aws/sandbox/stream"
)

// DefaultUpdating is how long AWS-like windows (Pending, InProgress, Creating)
// last where the sandbox's owner does not say otherwise.
const DefaultUpdating = 300 * time.Millisecond

// Options are what the service needs of its surroundings. Zero values work:
// no queues, no objects, every role accepted, instant updates.
type Options struct {
	Now     func() time.Time // nil: time.Now
	Account string           // twelve digits; "" is 000000000000
	Region  string           // "" is us-east-1
	DataDir string           // where code is kept, emptied by New; "" is a temporary folder removed by Close

	// PublicURL is the sandbox's base URL, without a trailing slash. Function
	// URLs and code locations start with it, and functions reach AWS there.
	PublicURL func() string

	Updating time.Duration // length of every in-progress window; 0: changes are instant
	Period   time.Duration // metric timestamps are rounded down to it; 0: exact

	Metrics Metrics  // nil: none are published
	Queues  Queues   // nil: no queue exists
	Streams Streams  // nil: nothing is read
	Objects Objects  // nil: no object exists
	Roles   Roles    // nil: every role exists and may do everything
	Outside *Outside // nil: nothing happens there

	// Credentials are what a function's process gets for its role. nil: keys
	// made from the role's name, the same for the same role.
	Credentials func(roleARN, function string) Credentials
	Rand        func() float64 // [0,1), for weighted aliases; nil: random

	Concurrency  int             // the account's concurrent executions; 0: 1000
	Environments int             // processes alive at once; 0: 64. More invocations wait
	Idle         time.Duration   // how long an unused process is kept; 0: five minutes
	RetryDelays  []time.Duration // waits before the retries of an asynchronous call; nil: one and two minutes
}

// Credentials are handed to a function's process.
type Credentials struct{ AccessKey, SecretKey, SessionToken string }

// Metrics takes one datum of a metric.
type Metrics interface {
	Put(namespace, metric string, dims map[string]string, at time.Time, value float64)
}

// Objects reads an object; version "" is the newest. An error that is a
// *wire.Error keeps its code (NoSuchKey, NoSuchBucket).
type Objects interface {
	Get(bucket, key, version string) ([]byte, error)
}

// Roles answers for IAM.
type Roles interface {
	Exists(arn string) bool
	AssumableBy(arn, service string) bool
	Allows(arn, action string) bool
}

// Queues answers for SQS. Receive waits up to wait for at least one message and
// hides what it returns for visibility.
type Queues interface {
	Receive(ctx context.Context, queueARN string, max int, visibility, wait time.Duration) ([]Message, error)
	Delete(ctx context.Context, queueARN string, receipts []string) error
	Send(ctx context.Context, queueARN, body string) error
	Exists(queueARN string) bool
	VisibilityTimeout(queueARN string) (time.Duration, bool)
}

// Streams answers for the streams of tables and of Kinesis.
type Streams interface {
	// Stream is the stream with that ARN; nil when there is none.
	Stream(arn string) *stream.Log
}

// Message is one queue message as a mapping hands it to a function.
type Message struct {
	ID, Receipt, Body, MD5 string
	Attributes             map[string]string           // ApproximateReceiveCount, SentTimestamp, …
	MessageAttributes      map[string]MessageAttribute // as the sender set them
}

// MessageAttribute is one attribute a sender set, in Lambda's spelling.
type MessageAttribute struct {
	StringValue string `json:"stringValue,omitempty"`
	BinaryValue string `json:"binaryValue,omitempty"` // base64
	DataType    string `json:"dataType"`
}

// Service is the sandbox's Lambda. It is safe for concurrent use.
type Service struct {
	opts   Options
	ownDir bool
	host   *runtime.Host
	routes []route

	ctx    context.Context // ends with Close; bounds pollers and asynchronous calls
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu        sync.Mutex // guards everything below
	closed    bool
	functions map[string]*function
	mappings  map[string]*mapping
	layers    map[string]*layer
	signing   map[string]*signingConfig // by id
	code      map[string]*bundle        // by hex SHA-256 of the zip
	inflight  map[string]int            // concurrent executions by function name
	changes   uint64                    // names the state of settings that a process was started from
}

// New makes a service with nothing in it. Close ends its processes.
func New(o Options) (*Service, error) {
	s := &Service{
		opts:      o.withDefaults(),
		functions: map[string]*function{},
		mappings:  map[string]*mapping{},
		layers:    map[string]*layer{},
		signing:   map[string]*signingConfig{},
		code:      map[string]*bundle{},
		inflight:  map[string]int{},
	}
	if s.opts.DataDir == "" {
		dir, err := os.MkdirTemp("", "mooring-lambda-")
		if err != nil {
			return nil, fmt.Errorf("make the folder for function code: %w", err)
		}
		s.opts.DataDir, s.ownDir = dir, true
	}
	for _, sub := range []string{"code", "tasks", "runtime"} {
		if err := os.RemoveAll(filepath.Join(s.opts.DataDir, sub)); err != nil { // of a process that was killed
			return nil, fmt.Errorf("clear the folder for function code: %w", err)
		}
		if err := os.MkdirAll(filepath.Join(s.opts.DataDir, sub), 0o755); err != nil {
			return nil, fmt.Errorf("make the folder for function code: %w", err)
		}
	}
	host, err := runtime.New(runtime.Options{
		Dir:          filepath.Join(s.opts.DataDir, "runtime"),
		Environments: s.opts.Environments,
		Idle:         s.opts.Idle,
	})
	if err != nil {
		return nil, err
	}
	s.host = host
	s.routes = s.table()
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Account == "" {
		o.Account = "000000000000"
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.PublicURL == nil {
		o.PublicURL = func() string { return "" }
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.Concurrency == 0 {
		o.Concurrency = 1000
	}
	if o.RetryDelays == nil {
		o.RetryDelays = []time.Duration{time.Minute, 2 * time.Minute}
	}
	if o.Outside == nil {
		o.Outside = &Outside{}
	}
	if o.Credentials == nil {
		o.Credentials = madeCredentials
	}
	return o
}

// Name is the signing name.
func (s *Service) Name() string { return "lambda" }

// Close stops polling, ends every process, waits for them, and removes the code
// folder when New made it. Calls that arrive later find the service gone.
func (s *Service) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.host.Close()
	s.wg.Wait()
	if s.ownDir {
		if err := os.RemoveAll(s.opts.DataDir); err != nil {
			return fmt.Errorf("remove the folder of function code: %w", err)
		}
	}
	return nil
}

// background runs f until it returns; Close waits for it. It reports false when
// the service is closed. The caller holds s.mu.
func (s *Service) background(f func(context.Context)) bool {
	if s.closed {
		return false
	}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		f(s.ctx)
	}()
	return true
}
