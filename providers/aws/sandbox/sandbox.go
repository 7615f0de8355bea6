package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"mooring.dev/providers/aws/sandbox/actor"
	"mooring.dev/providers/aws/sandbox/fault"
	"mooring.dev/providers/aws/sandbox/lambda"
	"mooring.dev/providers/aws/sandbox/quota"
	"mooring.dev/providers/aws/sandbox/s3"
	"mooring.dev/providers/aws/sandbox/wire"
)

// Rule makes calls go wrong; Effect is how.
type (
	Rule   = fault.Rule
	Effect = fault.Effect
)

// Options are the sandbox's; the zero value of each has a use.
type Options struct {
	Listen  string // host:port on loopback; default 127.0.0.1:0
	DataDir string // where functions are unpacked; default a temporary folder, removed on Close
	Account string // the account of keys that name none; default 111111111111
	Region  string // the region of requests that name none; default eu-west-1

	Now    func() time.Time // default time.Now
	Period time.Duration    // what stands for CloudWatch's minute; default one minute
	// Updating is how long a function update stays in progress; default none.
	Updating time.Duration
	// Rates switches the account's rate lanes on.
	Rates bool
	// Policies holds the sessions of roles to the roles' policies from the start;
	// see EnforcePolicies.
	Policies bool
	// TrailLag is how late LookupEvents shows an event; default none.
	TrailLag time.Duration
	// Records bounds the calls kept for Calls; default 10,000.
	Records int
	Seed    uint64 // of the faults that come by chance
}

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Account == "" {
		o.Account = "111111111111"
	}
	if o.Region == "" {
		o.Region = "eu-west-1"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Period <= 0 {
		o.Period = time.Minute
	}
	if o.Records <= 0 {
		o.Records = 10_000
	}
	return o
}

func (o Options) validate() error {
	var faults []error
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		faults = append(faults, fmt.Errorf("listen address %q: %w", o.Listen, err))
	} else if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		faults = append(faults, fmt.Errorf("listen address %q: the sandbox believes every signature, so it only listens on loopback", o.Listen))
	}
	if !actor.IsAccount(o.Account) {
		faults = append(faults, fmt.Errorf("account %q: an account has twelve digits", o.Account))
	}
	return errors.Join(faults...)
}

// Sandbox is one small AWS: any number of accounts and regions, kept apart.
type Sandbox struct {
	// Faults are the rules by which calls go wrong.
	Faults *fault.Rules
	// Outside is what befalls functions without a call: in the registry, in
	// KMS, and to the runtimes.
	Outside *lambda.Outside

	options Options
	clock   *clock
	ids     *actor.Registry
	lanes   *quota.Lanes
	records *records
	stale   *staleness
	objects *s3.Service

	enforced atomic.Bool // policies of roles

	mu     sync.Mutex
	sites  map[place]*site
	roles  map[string]*account
	closed bool
	server *http.Server
	url    string
	served chan error
	temp   string // a folder of ours to remove

	done    chan struct{} // closed by Close: the end of what the sandbox does by itself
	ticking sync.WaitGroup
}

// New makes a sandbox that is not listening yet.
func New(options Options) (*Sandbox, error) {
	options = options.withDefaults()
	if err := options.validate(); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	c := &clock{base: options.Now}
	s := &Sandbox{
		Faults:  fault.NewRules(options.Seed),
		Outside: &lambda.Outside{},
		options: options,
		clock:   c,
		ids:     actor.New(options.Account),
		lanes:   quota.New(c.Now, options.Rates),
		records: newRecords(options.Records),
		stale:   newStaleness(c.Now),
		sites:   map[place]*site{},
		roles:   map[string]*account{},
		done:    make(chan struct{}),
	}
	s.enforced.Store(options.Policies)
	s.objects = s3.New(s3.Options{Now: c.Now, May: s.mayNotify, Tell: s.tellOfObject})
	if err := s.makeFolder(); err != nil {
		return nil, err
	}
	return s, nil
}

// Start listens and serves until Close, or until ctx ends.
func (s *Sandbox) Start(ctx context.Context) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", s.options.Listen)
	if err != nil {
		return fmt.Errorf("sandbox: listen: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		return errors.Join(errors.New("sandbox: started twice"), listener.Close())
	}
	s.url = "http://" + listener.Addr().String()
	serving, stop := context.WithCancel(ctx)
	s.server = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return serving },
	}
	s.served = make(chan error, 1)
	go func(server *http.Server, served chan<- error) {
		defer stop()
		served <- server.Serve(listener)
	}(s.server, s.served)
	context.AfterFunc(serving, func() { _ = listener.Close() })
	s.ticking.Go(func() { s.tick(serving) })
	return nil
}

// tick fires what is scheduled, until ctx ends.
func (s *Sandbox) tick(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			for _, st := range s.all() {
				st.bus.Tick(ctx)
				st.schedules.Tick(ctx)
				st.queues.Tick()
			}
		}
	}
}

// URL is where the sandbox listens, "" before Start.
func (s *Sandbox) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.url
}

// Now is the sandbox's time: the clock it was given, plus what was advanced.
func (s *Sandbox) Now() time.Time { return s.clock.Now() }

// Advance moves the sandbox's time forward.
func (s *Sandbox) Advance(d time.Duration) {
	s.clock.advance(d)
	for _, st := range s.all() {
		st.queues.Wake()
	}
}

// EnforceRates switches the account's rate lanes on or off; their budgets start
// full.
func (s *Sandbox) EnforceRates(on bool) { s.lanes.Enforce(on) }

// RegisterActor gives an access key a name. An empty ARN is made of the type
// and name, in the default account.
func (s *Sandbox) RegisterActor(accessKey string, a wire.Actor) { s.ids.Register(accessKey, a) }

// Calls lists the recorded calls from since on, oldest first; the zero time
// lists all that are kept.
func (s *Sandbox) Calls(since time.Time) []wire.Call { return s.records.since(since) }

// Counts tells how often what was called since the last Reset.
func (s *Sandbox) Counts() Counts { return s.records.totals() }

// Reset forgets calls and counts; the state of the services stays.
func (s *Sandbox) Reset() { s.records.reset() }

// clock is a clock that can be moved forward.
type clock struct {
	base func() time.Time
	mu   sync.Mutex
	lead time.Duration
}

// Now is the time in UTC.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base().Add(c.lead).UTC()
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lead += d
}
