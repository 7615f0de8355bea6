package reconciler

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/notify"
	"mooring.dev/sources"
	"mooring.dev/sources/git"
	"mooring.dev/sources/manifest"
	"mooring.dev/sources/sourcetest"
)

// followed is a daemon that follows a real Git server, which can be broken.
type followed struct {
	d      *Daemon
	server *sourcetest.Server
	git    *sourcetest.Git
	events *box
	n      int // versions pushed
}

const followPoll = 50 * time.Millisecond

func follows(t *testing.T) *followed {
	t.Helper()
	f := &followed{git: sourcetest.NewGit(t, true), events: &box{}}
	f.server = sourcetest.Serve(t, f.git, false)
	f.git.Commit(sourcetest.Change{Branch: "main", Files: controlFiles("allow", "preview")})
	repo, err := git.Open(git.Options{URL: f.server.Repository, Dir: t.TempDir(), Poll: followPoll, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = repo.Close() })
	o := newSimulation(1, memory.Options{}, mutant{}, "preview").options()
	o.Source, o.Proposer, o.Store, o.Now, o.NewID = repo, repo, journal.NewMemory(), time.Now, nil
	o.Pace = Pace{Retry: followPoll, RetryMax: followPoll, Settle: time.Millisecond, SecondLook: time.Millisecond}
	unheard := func(policy.Point, string, policy.Input, policy.Decision) {}
	o.Policies, o.Closed = loadRules(unheard), closedRules(unheard)
	platform := memory.New(memory.Options{Now: time.Now})
	o.Provider = func(_ context.Context, _ *manifest.Pipeline, e manifest.Environment) (providers.Provider, error) {
		return platform.Environment("shop", e.Name), nil
	}
	o.Notifier = func(string, manifest.Receiver) (notify.Notifier, error) { return f.events, nil }
	ctx, cancel := context.WithCancel(t.Context())
	if f.d, err = New(ctx, o); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- f.d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return f
}

// push puts a new content on the environment's branch.
func (f *followed) push() string {
	f.n++
	return f.git.Commit(sourcetest.Change{Branch: "env/preview", Files: map[string]string{"q.yaml": queueYAML("orders", fmt.Sprintf("{visibilityTimeout: %d}", f.n))}})
}

// until waits, for the daemon goes by the machine's clock and the network.
func (f *followed) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s; %+v", what, f.d.Status())
		}
	}
}

func (f *followed) inForce(sha string) func() bool {
	return func() bool {
		s := f.d.Status()
		return len(s.Environments) == 1 && s.Environments[0].Commit == sha && s.Environments[0].State == "in_sync"
	}
}

// lists is how often the server was asked what it has.
func (f *followed) lists() (n int) {
	for _, r := range f.server.Requests() {
		if strings.HasPrefix(r, http.MethodGet) {
			n++
		}
	}
	return n
}

// TestLesson04ServerFaultsAtTheDaemon: whatever a Git server does, its kind and
// since when nothing is known stand in the status, people are told once, what is
// in force stays, and one poll after it is well all is as it should be.
func TestLesson04ServerFaultsAtTheDaemon(t *testing.T) {
	f := follows(t)
	sha := f.push()
	f.until(t, "the first", f.inForce(sha))
	before := runtime.NumGoroutine()
	refuse := func(status int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			return true
		}
	}
	for i, c := range []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request) bool
		want  error
	}{
		{"401", refuse(401), sources.ErrUnauthorized},
		{"403", refuse(403), sources.ErrUnauthorized},
		{"404", refuse(404), sources.ErrUnauthorized},
		{"500", refuse(500), sources.ErrUnreachable},
		{"half a pack", f.halfAPack, sources.ErrUnreachable},
		{"crawls", crawl, sources.ErrUnreachable},
	} {
		was := sha
		f.server.Break(c.fault)
		sha = f.push()
		shown := func() bool {
			return slices.ContainsFunc(f.d.Status().Faults, func(fault string) bool {
				return strings.HasPrefix(fault, faultSource+": ") && strings.Contains(fault, c.want.Error()) && strings.Contains(fault, "last read at 20")
			})
		}
		f.until(t, c.name+" is shown", shown)
		f.until(t, c.name+" is told", func() bool { return f.events.count(faultSource, "firing") == i+1 })
		for asked := f.lists(); f.lists() < asked+3; {
			time.Sleep(followPoll)
		}
		if n := f.events.count(faultSource, "firing"); n != i+1 || !f.inForce(was)() {
			t.Errorf("%s: told %d times, and there is %+v", c.name, n-i, f.d.Status().Environments)
		}
		f.server.Break(nil)
		healed := f.lists()
		f.until(t, c.name+" is over", func() bool { return len(f.d.Status().Faults) == 0 })
		// One was on its way; a poll lists, and lists again to fetch.
		if n := f.lists() - healed; n > 4 {
			t.Errorf("%s: the server was asked %d times until it was believed to be well", c.name, n)
		}
		f.until(t, "what was pushed meanwhile", f.inForce(sha))
		f.until(t, c.name+" is resolved", func() bool { return f.events.count(faultSource, "resolved") == i+1 })
	}
	f.until(t, "nothing is left running", func() bool { return runtime.NumGoroutine() <= before+2 })
}

// halfAPack sends the beginning of each pack and hangs up.
func (f *followed) halfAPack(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodPost {
		return false
	}
	answer := httptest.NewRecorder()
	f.server.Git.ServeHTTP(answer, r)
	body := answer.Body.Bytes()
	_, _ = w.Write(body[:len(body)/2])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// crawl sends a byte now and then.
func crawl(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
	for r.Context().Err() == nil {
		_, _ = io.WriteString(w, "0")
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	return true
}

// TestLesson12OneInvalidFileAmongHundred: a release is whole or is none. One
// broken manifest of a hundred keeps its commit out, named by file and line
// where people look; what was in force stays and is looked after, other
// environments go on, and mended all hundred come in.
func TestLesson12OneInvalidFileAmongHundred(t *testing.T) {
	hundred := func(timeout int) map[string]string {
		files := map[string]string{}
		for i := range 100 {
			files[fmt.Sprintf("q%02d.yaml", i)] = queueYAML(fmt.Sprintf("q%02d", i), fmt.Sprintf("{visibilityTimeout: %d}", timeout))
		}
		return files
	}
	files := hostedFiles(onGitHub, "preview", "production")
	files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "promotion: auto", "promotion: manual", 1)
	onHost(t, files, func(t *testing.T, s *stand) {
		good := s.push("env/preview", hundred(30))
		s.wait(5 * time.Minute)
		broken := hundred(31)
		broken["q42.yaml"] = strings.Replace(broken["q42.yaml"], "visibilityTimeout", "visibilityTimeot", 1)
		bad := s.push("env/preview", broken)
		other := s.push("env/production", hundred(31))
		must(s.platform.Manual("hand").Set(memory.Name{Kind: manifest.KindQueue, Physical: "preview-q07"}, "visibilityTimeout", "99"))
		s.wait(30 * time.Minute)
		if got := s.crowd.last(bad, "mooring/preview"); got.State != sources.StatusFailure || !strings.Contains(got.Text, "q42.yaml:") || !strings.Contains(got.Text, "visibilityTimeot") {
			t.Errorf("its status is %+v", got)
		}
		if n := s.events.count("admission", "firing"); n != 1 {
			t.Errorf("people are told %d times", n)
		}
		at := func(environment, name string) string { return s.live(t, environment, name) }
		if at("preview", "q07") != "30" || at("preview", "q41") != "30" || at("preview", "q43") != "30" {
			t.Errorf("in force are %s, %s and %s, want what %s has", at("preview", "q07"), at("preview", "q41"), at("preview", "q43"), short(good))
		}
		if got := s.status("production"); got.Commit != other || at("production", "q42") != "31" {
			t.Errorf("production is %s at %s, want %s", got.State, short(got.Commit), short(other))
		}
		mended := s.push("env/preview", hundred(31))
		s.wait(5 * time.Minute)
		if got := s.status("preview"); got.State != "in_sync" || got.Commit != mended || at("preview", "q42") != "31" || at("preview", "q07") != "31" {
			t.Errorf("mended, and preview is %s at %s: %s", got.State, short(got.Commit), got.Reason)
		}
	})
}

// live is the visibility timeout of a queue as the platform has it.
func (s *stand) live(t *testing.T, environment, name string) string {
	t.Helper()
	live := s.d.environment(environment).look.inventory.Live[manifest.Ref{Kind: manifest.KindQueue, Name: name}]
	if live.Exists {
		return live.Spec.Fields["visibilityTimeout"]
	}
	return "(none)"
}
