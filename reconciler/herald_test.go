package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// crowd is a host in memory, and the people on it.
type crowd struct {
	head func(branch string) string

	mu       sync.Mutex
	statuses []sources.CommitStatus
	pulls    []sources.PullRequest
	reviews  map[int][]sources.Review
	comments map[string][]string // every text a comment had, by number and marker
	calls    int
	words    int // reviews given so far
	fault    func(ctx context.Context, op string) error
}

var _ sources.Host = (*crowd)(nil)

func (c *crowd) enter(ctx context.Context, op string) error {
	c.mu.Lock()
	fault := c.fault
	c.calls++
	c.mu.Unlock()
	if fault != nil {
		return fault(ctx, op)
	}
	return ctx.Err()
}

// breaks sets the fault of every call to come; nil heals.
func (c *crowd) breaks(fault func(ctx context.Context, op string) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = fault
}

// claims sets what the host says is the head of a branch.
func (c *crowd) claims(head func(branch string) string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head = head
}

func (c *crowd) asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

func (c *crowd) at(r sources.PullRequest) sources.PullRequest {
	if sha := c.head(r.Head); r.State == sources.RequestOpen && sha != "" && !r.Foreign {
		r.Commit = sha
	}
	return r
}

func (c *crowd) Requests(ctx context.Context, base string) ([]sources.PullRequest, error) {
	if err := c.enter(ctx, "requests"); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []sources.PullRequest
	for _, r := range c.pulls {
		if r.Base == base && r.State == sources.RequestOpen {
			out = append(out, c.at(r))
		}
	}
	return out, nil
}

func (c *crowd) Find(ctx context.Context, head, base string) (sources.PullRequest, bool, error) {
	if err := c.enter(ctx, "find"); err != nil {
		return sources.PullRequest{}, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range slices.Backward(c.pulls) {
		if r.Base == base && r.Head == head {
			return c.at(r), true, nil
		}
	}
	return sources.PullRequest{}, false, nil
}

func (c *crowd) Upsert(ctx context.Context, d sources.Draft) (sources.PullRequest, error) {
	if err := c.enter(ctx, "upsert"); err != nil {
		return sources.PullRequest{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, r := range c.pulls {
		if r.Base == d.Base && r.Head == d.Head && r.State == sources.RequestOpen {
			c.pulls[i].Title, c.pulls[i].Body = d.Title, d.Body
			return c.at(c.pulls[i]), nil
		}
	}
	return c.open(d), nil
}

func (c *crowd) open(d sources.Draft) sources.PullRequest {
	r := sources.PullRequest{Number: len(c.pulls) + 1, State: sources.RequestOpen, Head: d.Head, Base: d.Base, Title: d.Title, Body: d.Body}
	r.URL = fmt.Sprintf("https://host.example/%d", r.Number)
	r = c.at(r)
	c.pulls = append(c.pulls, r)
	return r
}

func (c *crowd) Reviews(ctx context.Context, number int) ([]sources.Review, error) {
	if err := c.enter(ctx, "reviews"); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.reviews[number]), nil
}

func (c *crowd) Status(ctx context.Context, s sources.CommitStatus) error {
	if err := c.enter(ctx, "status"); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.statuses = append(c.statuses, s)
	return nil
}

func (c *crowd) Comment(ctx context.Context, m sources.Comment) (time.Time, error) {
	if err := c.enter(ctx, "comment"); err != nil {
		return time.Time{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := fmt.Sprintf("%d %s", m.Number, m.Marker)
	c.comments[key] = append(c.comments[key], m.Text)
	return time.Now(), nil
}

func (c *crowd) Facts(ctx context.Context, _ string) (sources.HostFacts, error) {
	return sources.HostFacts{Repository: "acme/shop", Write: true, WriteKnown: true}, c.enter(ctx, "facts")
}

// said are the statuses of a commit in a context, in order.
func (c *crowd) said(commit, context string) []sources.CommitStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []sources.CommitStatus
	for _, s := range c.statuses {
		if s.Commit == commit && s.Context == context {
			out = append(out, s)
		}
	}
	return out
}

// last is the newest status of a commit in a context.
func (c *crowd) last(commit, context string) sources.CommitStatus {
	all := c.said(commit, context)
	if len(all) == 0 {
		return sources.CommitStatus{Text: "(nothing)"}
	}
	return all[len(all)-1]
}

// comment is what the comment of an environment on a pull request says now, and how often it was written.
func (c *crowd) comment(number int, environment string) (text string, written int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.comments[fmt.Sprintf("%d mooring plan %s", number, environment)]
	if len(all) == 0 {
		return "", 0
	}
	return all[len(all)-1], len(all)
}

// pull opens a pull request as a person does.
func (c *crowd) pull(head, base string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open(sources.Draft{Head: head, Base: base, Title: "bring " + head}).Number
}

// stand is a daemon at work, its repository, and the host around it.
type stand struct {
	d      *Daemon
	stop   func() // ends the daemon
	start  func() // begins another, from what the journal has
	repo   *shared
	crowd  *crowd
	events *box

	platform *memory.Platform
	read     []string // URIs of code whose contract was read; by one goroutine a time
}

func (s *stand) push(branch string, files map[string]string) string {
	s.repo.mu.Lock()
	defer s.repo.mu.Unlock()
	return s.repo.r.commit(branch, files)
}

func (s *stand) branch(name string) string {
	s.repo.mu.Lock()
	defer s.repo.mu.Unlock()
	return s.repo.r.branches[name]
}

// wait lets time pass, and then everybody come to rest.
func (s *stand) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *stand) status(name string) web.EnvironmentStatus {
	for _, e := range s.d.Status().Environments {
		if e.Name == name {
			return e
		}
	}
	return web.EnvironmentStatus{}
}

// onHost runs a daemon of preview and production on a host; files are the
// control branch.
func onHost(t *testing.T, files map[string]string, try func(t *testing.T, s *stand)) {
	t.Helper()
	onHostOf(t, files, func(s *stand) sources.Host { return s.crowd }, try)
}

// onHostOf is onHost with another host than the crowd; it is asked for each
// time the daemon opens one.
func onHostOf(t *testing.T, files map[string]string, host func(s *stand) sources.Host, try func(t *testing.T, s *stand)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulation(1, memory.Options{}, mutant{}, "preview", "production")                          // for its repository only
		platform := memory.New(memory.Options{Now: time.Now, Settle: 2 * time.Second, Activate: time.Second}) // things take time
		must(platform.Manual("admin").Add(memory.Name{Kind: manifest.KindSecret, Physical: "shop/stripe"}, nil))
		for _, env := range []string{"preview", "production"} {
			platform.SetTraffic(env+"-checkout", memory.Traffic{PerSecond: 100})
			platform.SetTraffic(env+"-mailer", memory.Traffic{PerSecond: 100})
		}
		s := &stand{repo: &shared{r: sim.repo}, events: &box{}, platform: platform}
		s.crowd = &crowd{head: s.branch, reviews: map[int][]sources.Review{}, comments: map[string][]string{}}
		s.push("main", files)
		o := sim.options()
		o.Source, o.Proposer, o.Store, o.Now, o.NewID, o.Pace = s.repo, s.repo, journal.NewMemory(), time.Now, nil, Pace{}
		o.Policies, o.Closed = loadRules(func(policy.Point, string, policy.Input, policy.Decision) {}), closedRules(func(policy.Point, string, policy.Input, policy.Decision) {})
		if _, simple := files["policies/mode"]; !simple {
			o.Policies, o.Closed = regoPolicies, closedRego
		}
		o.Provider = func(_ context.Context, _ *manifest.Pipeline, e manifest.Environment) (providers.Provider, error) {
			return platform.Environment("shop", e.Name), nil
		}
		o.Host = func(h manifest.Host) (sources.Host, error) {
			if h.Repository() == nil || h.Repository().Repository != "acme/shop" {
				return nil, errors.New("another repository")
			}
			return host(s), nil
		}
		o.Notifier = func(string, manifest.Receiver) (notify.Notifier, error) { return s.events, nil }
		o.Contracts = func(_ context.Context, _ manifest.Environment, a manifest.Artifact) (manifest.Expects, error) {
			s.repo.mu.Lock()
			defer s.repo.mu.Unlock()
			s.read = append(s.read, a.URI)
			return manifest.Expects{}, nil
		}
		o.PageURL = "https://mooring.example"
		s.start = func() {
			ctx, cancel := context.WithCancel(t.Context())
			d, err := New(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- d.Run(ctx) }()
			s.d, s.stop = d, func() {
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}
		}
		s.start()
		defer func() { s.stop() }()
		try(t, s)
	})
}

const onGitHub = "{github: {repository: acme/shop, token: {fromEnv: HOST_TOKEN}}, identities: {ann-w: {name: ann}, bob: {name: bob, environments: [preview]}, dev: {name: Dev}}}"

// ruledBy is a control branch with policies of its own.
func ruledBy(policies map[string]string) map[string]string {
	files := hostedFiles(onGitHub, "preview", "production")
	delete(files, "policies/mode")
	maps.Copy(files, policies)
	return files
}

// A pull request into an environment shows plan, findings and status; one
// comment, which says what is true now.
func TestAPullRequestShowsPlanFindingsAndStatus(t *testing.T) {
	onHost(t, ruledBy(map[string]string{"policies/admission/one.rego": onePerson}), func(t *testing.T, s *stand) {
		s.push("env/preview", firstContent().files())
		s.wait(20 * time.Minute) // it is promoted
		c := firstContent()
		c.memory = 512
		fix := s.push("fix/memory", c.files())
		number := s.crowd.pull("fix/memory", "env/production")
		s.wait(5 * time.Minute)
		text, written := s.crowd.comment(number, "production")
		for _, want := range []string{"`env/production`", "**held**", "`hotfix`", "one person looks at it", "update `Function/checkout`", "`memorySize`: `256` → `512`", "https://mooring.example/environments/production"} {
			if !strings.Contains(text, want) {
				t.Errorf("the comment lacks %q:\n%s", want, text)
			}
		}
		if written != 1 {
			t.Errorf("it was written %d times", written)
		}
		if got := s.crowd.last(fix, "mooring/production"); got.State != sources.StatusPending || !strings.Contains(got.Text, "one person looks at it") {
			t.Errorf("status: %+v", got)
		}
		c.memory = 1024
		c.invalid = true
		s.push("fix/memory", c.files())
		s.wait(5 * time.Minute)
		if text, written := s.crowd.comment(number, "production"); written != 2 || !strings.Contains(text, "visibilityTimeot") {
			t.Errorf("written %d times, now:\n%s", written, text)
		}
		if got := s.crowd.last(s.branch("fix/memory"), "mooring/production"); got.State != sources.StatusFailure {
			t.Errorf("status: %+v", got)
		}
		if _, n := s.crowd.comment(number, "preview"); n != 0 {
			t.Error("preview comments on a pull request into production")
		}
	})
}

// A host that hangs, fails or wants to be left alone delays no pass, and is
// told all that is still true once it is well.
func TestASickHostDelaysNothing(t *testing.T) {
	for name, fault := range map[string]func(ctx context.Context, op string) error{
		"hangs": func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() },
		"fails": func(context.Context, string) error { return sources.ErrUnreachable },
		"limits": func(context.Context, string) error {
			return fmt.Errorf("status: %w", &sources.LimitedError{Until: time.Now().Add(20 * time.Minute)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			onHost(t, hostedFiles(onGitHub, "preview", "production"), func(t *testing.T, s *stand) {
				s.crowd.breaks(fault)
				sha := s.push("env/preview", firstContent().files())
				s.wait(5 * time.Minute)
				if got := s.status("preview"); got.State != "in_sync" || got.Commit != sha {
					t.Errorf("preview is %s: %s", got.State, got.Reason)
				}
				if faults := s.d.Status().Faults; !slices.ContainsFunc(faults, func(f string) bool { return strings.HasPrefix(f, "host: ") }) {
					t.Errorf("nobody is told: %q", faults)
				}
				if n := s.crowd.asked(); name == "limits" && n != 1 {
					t.Errorf("asked %d times within the time it wants to be left alone", n)
				} else if n > 30 {
					t.Errorf("asked %d times in five minutes", n)
				}
				want := 1
				if name == "limits" {
					want = 0 // that is no fault
				}
				if n := s.events.count(hostFault, "firing"); n != 0 {
					t.Errorf("%d alerts before it was broken for %s", n, hostPatience)
				}
				s.wait(10 * time.Minute)
				if n := s.events.count(hostFault, "firing"); n != want {
					t.Errorf("%d alerts about the host, want %d", n, want)
				}
				s.crowd.breaks(nil)
				s.wait(30 * time.Minute)
				if n := s.events.count(hostFault, "resolved"); n != want {
					t.Errorf("%d alerts resolved, want %d", n, want)
				}
				if got := s.crowd.last(sha, "mooring/preview"); got.State != sources.StatusSuccess {
					t.Errorf("well again, and told %+v", got)
				}
				if faults := s.d.Status().Faults; len(faults) != 0 {
					t.Errorf("still told: %q", faults)
				}
			})
		})
	}
}

// A host that asks to be left alone, however often, is not broken, and what
// fails afterwards has its own patience.
func TestWhoAsksForPatienceIsNotBroken(t *testing.T) {
	onHost(t, hostedFiles(onGitHub, "preview", "production"), func(t *testing.T, s *stand) {
		s.crowd.breaks(func(context.Context, string) error {
			return fmt.Errorf("status: %w", &sources.LimitedError{Until: time.Now().Add(time.Minute)})
		})
		s.push("env/preview", firstContent().files())
		s.wait(20 * time.Minute)
		s.crowd.breaks(func(context.Context, string) error { return sources.ErrUnreachable })
		s.wait(4 * time.Minute)
		if n := s.events.count(hostFault, "firing"); n != 0 {
			t.Errorf("%d alerts about a host that was slow, and has failed for four minutes", n)
		}
		s.wait(20 * time.Minute)
		if n := s.events.count(hostFault, "firing"); n != 1 {
			t.Errorf("%d alerts about one that failed for 24 minutes", n)
		}
	})
}

// Foreign text formats nothing and calls nobody, and a large plan stays within
// what hosts take.
func TestCommentsAreBoundedAndQuoteWhatIsForeign(t *testing.T) {
	evil := "`@everyone` <img src=x onerror=alert(1)>\n# loud [x](javascript:1)"
	p := web.Plan{Environment: "production", Outcome: "held", Content: "sha256:1", Decision: web.Decision{Outcome: "hold"}}
	for i := range 500 {
		step := web.Step{Resource: fmt.Sprintf("Function/f%d", i), Operation: "update"}
		for j := range 50 {
			step.Fields = append(step.Fields, web.Field{Path: fmt.Sprintf("environment.V%d", j), Before: strings.Repeat("x", 5000), After: evil})
		}
		p.Steps = append(p.Steps, step)
		p.Decision.Findings = append(p.Decision.Findings, web.Finding{Code: evil, Msg: evil, Resource: evil})
	}
	text := commentText(planned{plan: p}, sources.PullRequest{Base: "env/production", Commit: strings.Repeat("a", 40)}, "")
	if !strings.Contains(text, "and 440 more") || !strings.Contains(text, "and 450 more") || !strings.Contains(text, "and 38 more fields") {
		t.Error("what is left out is not counted")
	}
	for line := range strings.Lines(text) {
		outside := ""
		for i, part := range strings.Split(line, "`") {
			if i%2 == 0 {
				outside += part
			}
		}
		if strings.ContainsAny(outside, "@<>[]") || strings.Count(line, "`")%2 != 0 {
			t.Fatalf("foreign text stands outside of code: %s", line)
		}
	}
}
