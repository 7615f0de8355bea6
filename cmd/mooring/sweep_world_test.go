package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/zap"

	"mooring.dev/policy"
	"mooring.dev/providers/aws/quota"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/providers/aws/sandbox/wire"
	"mooring.dev/reconciler"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
)

const (
	sweepEnvironment = "production"
	sweepBranch      = "env/production"
	sweepKey         = "AKIAMOORING"
	sweepActor       = "user/mooring"
)

var sweepLog = flag.Bool("sweeplog", false, "show what the daemons of the sweep log")

// shelf is a repository in memory: linear branches, nothing ever lost.
type shelf struct {
	mu       sync.Mutex
	branches map[string][]string // oldest first
	commits  map[string]sources.Snapshot
	wakes    map[int]func()
	next     int
}

func newShelf() *shelf {
	return &shelf{branches: map[string][]string{}, commits: map[string]sources.Snapshot{}, wakes: map[int]func(){}}
}

// commit puts a whole tree on a branch and returns its name.
func (s *shelf) commit(branch string, files map[string]string) string {
	tree, sum := fstest.MapFS{}, sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		tree[name] = &fstest.MapFile{Data: []byte(files[name]), Mode: 0o644}
		fmt.Fprintf(sum, "%s\x00%s\x00", name, files[name])
	}
	id := hex.EncodeToString(sum.Sum(nil))
	s.mu.Lock()
	defer s.mu.Unlock()
	line := s.branches[branch]
	name := sha256.Sum256(fmt.Appendf(nil, "%s %s %v", branch, id, line))
	sha := hex.EncodeToString(name[:20])
	who := sources.Identity{Name: "Dev Eloper", Email: "dev@shop.example"}
	s.commits[sha] = sources.Snapshot{TreeID: id, Tree: tree, Commit: sources.Commit{
		SHA: sha, Author: who, Committer: who, Message: fmt.Sprintf("change %d", len(line)+1), Time: time.Unix(1_700_000_000+int64(len(line)), 0)}}
	s.branches[branch] = append(slices.Clone(line), sha)
	for _, wake := range s.wakes {
		wake()
	}
	return sha
}

func (s *shelf) Fetch(context.Context) (map[string]sources.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]sources.Snapshot{}
	for branch, line := range s.branches {
		out[branch] = s.commits[line[len(line)-1]]
	}
	return out, nil
}

func (s *shelf) Watch(ctx context.Context, wake func()) error {
	s.mu.Lock()
	s.next++
	id := s.next
	s.wakes[id] = wake
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.wakes, id)
	return ctx.Err()
}

func (s *shelf) Classify(_ context.Context, from, to string) (sources.Update, error) {
	switch {
	case from == to:
		return sources.UpdateNone, nil
	case from == "":
		return sources.UpdateCreated, nil
	case to == "":
		return sources.UpdateDeleted, nil
	}
	return sources.UpdateFastForward, nil
}

func (s *shelf) Open(_ context.Context, sha string) (sources.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap, ok := s.commits[sha]
	if !ok {
		return snap, sources.ErrUnknownCommit
	}
	return snap, nil
}

func (s *shelf) Keep(context.Context, string, string) error { return nil }

// evaluators loads each set of policies once for all cases of a test.
type evaluators struct {
	mu   sync.Mutex
	made map[string]policy.Evaluator
}

func (e *evaluators) load(tree fs.FS, revision string) (policy.Evaluator, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if made := e.made[revision]; made != nil {
		return made, nil
	}
	made, err := policies(tree, revision)
	if err == nil {
		e.made[revision] = made
	}
	return made, err
}

// cloud is a sandbox, and the only way a daemon has to it. Everybody else
// calls the sandbox itself.
type cloud struct {
	*sandbox.Sandbox
	door *httptest.Server
	// dead: the daemon was killed, so nothing of it gets through any more.
	dead atomic.Bool
	// onFault is called once, when an injected fault has met a call and before
	// the call is answered.
	onFault atomic.Pointer[func()]
	// replies are kept where somebody wants to read them.
	replies *replies
}

func newCloud(t testing.TB, o sandbox.Options) *cloud {
	t.Helper()
	o.DataDir = t.TempDir()
	s, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	c := &cloud{Sandbox: s}
	c.RegisterActor(sweepKey, wire.Actor{Type: "IAMUser", Name: sweepActor})
	c.door = httptest.NewServer(c)
	t.Cleanup(func() {
		c.door.CloseClientConnections()
		c.door.Close()
		if err := s.Close(); err != nil {
			t.Errorf("close the sandbox: %v", err)
		}
		cancel()
	})
	return c
}

// ServeHTTP lets a daemon's call through to the sandbox.
func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.dead.Load() {
		panic(http.ErrAbortHandler)
	}
	defer func() {
		if act := c.onFault.Load(); act != nil && c.Counts().Faulted > 0 && c.onFault.CompareAndSwap(act, nil) {
			(*act)()
		}
	}()
	if c.replies != nil {
		c.replies.keep(w, func(w http.ResponseWriter) { c.Sandbox.ServeHTTP(w, r) })
		return
	}
	c.Sandbox.ServeHTTP(w, r)
}

// changes are the calls that Mooring made to change something, oldest first.
func (c *cloud) changes() []wire.Call {
	return slices.DeleteFunc(c.Calls(time.Time{}), func(call wire.Call) bool {
		return call.ReadOnly || call.Actor.Name != sweepActor
	})
}

// rig is a cloud, a repository, a journal, and one daemon at a time.
type rig struct {
	t     testing.TB
	cloud *cloud
	repo  sources.Source
	push  func(branch string, files map[string]string) string
	store *journal.Memory
	dir   string
	files *sweepFiles
	pace  reconciler.Pace
	log   *zap.Logger
	// patience is how long each part of a scenario may take.
	patience time.Duration
	policy   *evaluators

	daemon  *reconciler.Daemon
	stop    context.CancelFunc
	ended   chan error
	started int
}

// sweepPace is a daemon in a hurry: nothing here has to be polite.
func sweepPace() reconciler.Pace {
	return reconciler.Pace{
		SecondLook: 20 * time.Millisecond, Settle: 10 * time.Millisecond, Look: 30 * time.Millisecond, Retry: 30 * time.Millisecond,
		RetryMax: 500 * time.Millisecond, Check: 50 * time.Millisecond, Parallel: 1,
	}
}

func newRig(t testing.TB, files *sweepFiles, policies *evaluators) *rig {
	t.Helper()
	repo := newShelf()
	r := &rig{
		t: t, cloud: newCloud(t, sandbox.Options{Updating: 20 * time.Millisecond, Seed: 1, Records: 200_000}), repo: repo, push: repo.commit, store: journal.NewMemory(),
		dir: t.TempDir(), files: files, pace: sweepPace(), log: zap.NewNop(), patience: sweepPatience, policy: policies,
	}
	if *sweepLog {
		r.log = zap.Must(zap.NewDevelopment(zap.WithCaller(false), zap.AddStacktrace(zap.FatalLevel)))
	}
	t.Cleanup(r.halt)
	return r
}

// options is a fresh daemon over what outlives daemons.
func (r *rig) options() reconciler.Options {
	r.started++
	place := &place{state: r.dir, artifacts: r.files.dir}
	p := &platforms{
		place: place, instance: "sweep", tokens: []byte("0123456789abcdef0123456789abcdef"),
		quota: quota.New(quota.Options{Share: 1, Background: 1, Scale: 1000}), onCall: func(string, string, string) {},
	}
	return reconciler.Options{
		Source: r.repo, Store: r.store, Control: "main", Provider: p.open, Contracts: p.contract, Policies: r.policy.load, Closed: closedPolicies,
		Notifier: p.openNotifier, Log: r.log, Instance: fmt.Sprintf("sweep-%d", r.started), Now: time.Now, Pace: r.pace,
	}
}

// start runs a fresh daemon on the same journal.
func (r *rig) start() {
	r.t.Helper()
	r.cloud.dead.Store(false)
	r.store.Break(nil)
	daemon, err := reconciler.New(context.Background(), r.options())
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.daemon, r.stop, r.ended = daemon, stop, make(chan error, 1)
	go func(ended chan<- error) { ended <- daemon.Run(ctx) }(r.ended)
}

// halt stops the daemon as SIGTERM does.
func (r *rig) halt() {
	if r.daemon == nil {
		return
	}
	r.stop()
	if err := <-r.ended; err != nil && !errors.Is(err, journal.ErrInjected) && !errors.Is(err, context.Canceled) {
		r.t.Errorf("the daemon ended: %v", err)
	}
	r.daemon = nil
}

// die is SIGKILL, from within a call: nothing of the daemon reaches the cloud
// or the journal from now on.
func (r *rig) die() {
	r.cloud.dead.Store(true)
	r.store.Break(func(int, []journal.Record) journal.Fault { return journal.FailBefore })
	r.stop()
}

// restartIfDead starts another daemon after a kill.
func (r *rig) restartIfDead() {
	if r.cloud.dead.Load() {
		r.halt()
		r.start()
	}
}

const sweepPatience = 45 * time.Second

// wait polls until done says nothing is missing any more, and starts another
// daemon whenever there is none.
func (r *rig) wait(what string, done func() (missing string)) {
	r.t.Helper()
	deadline, missing := time.Now().Add(r.patience), ""
	for time.Now().Before(deadline) {
		r.restartIfDead()
		if missing = done(); missing == "" && !r.cloud.dead.Load() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.t.Fatalf("%s: within %v: %s\n%s", what, r.patience, missing, r.story())
}

// status of the one environment.
func (r *rig) status() web.EnvironmentStatus {
	for _, e := range r.daemon.Status().Environments {
		if e.Name == sweepEnvironment {
			return e
		}
	}
	return web.EnvironmentStatus{State: "unknown"}
}

// atRest says what is missing until a release is in force and quiet.
func (r *rig) atRest(commit, state string) func() string {
	return func() string {
		s := r.status()
		if s.Commit == commit && s.State == state && s.Rollout.Phase == "" && len(s.Drift) == 0 && s.LastError == "" {
			return ""
		}
		return fmt.Sprintf("at %.7s %s (%s), rollout %q, drift %v, error %q; want %.7s %s", s.Commit, s.State, s.Reason, s.Rollout.Phase, s.Drift, s.LastError, commit, state)
	}
}

// ask has the daemon do something, with a new daemon if it is killed over it.
func (r *rig) ask(what string, act func(ctx context.Context, d *reconciler.Daemon) error) {
	r.t.Helper()
	var err error
	r.wait(what, func() string {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err = act(ctx, r.daemon); err != nil {
			return err.Error()
		}
		return ""
	})
}

// story is what happened lately, for whoever reads a failure.
func (r *rig) story() string {
	var b strings.Builder
	calls := r.cloud.changes()
	for _, c := range calls[max(0, len(calls)-25):] {
		fmt.Fprintf(&b, "%s %s:%s %v %d %s %s\n", c.At.Format("05.000"), c.Service, c.Operation, c.Params["functionName"], c.Status, c.ErrorCode, c.Fault)
	}
	if r.daemon != nil {
		fmt.Fprintf(&b, "%+v\n", r.status())
		for _, ev := range r.daemon.History(sweepEnvironment, 12) {
			fmt.Fprintf(&b, "%s %s %s %s\n", ev.At.Format("05.000"), ev.Kind, ev.Resource, ev.Text)
		}
	}
	return b.String()
}
