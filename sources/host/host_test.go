package host_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring.dev/sources"
	"mooring.dev/sources/host"
	"mooring.dev/sources/host/hosttest"
)

const (
	branch = "mooring/promote/production"
	base   = "env/production"
)

// world is a host, what it serves, and where its branches are.
type world struct {
	*host.Host
	kind host.Kind
	repo *hosttest.Repository

	mu    sync.Mutex
	heads map[string]string
	now   time.Time
	token string
}

func sha(letter string) string { return strings.Repeat(letter, 40) }

func (w *world) head(branch string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heads[branch]
}

func (w *world) push(branch, commit string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heads[branch] = commit
}

var kinds = map[host.Kind]string{
	host.GitHub: "github", host.GitLab: "gitlab", host.Gitea: "gitea", host.BitbucketCloud: "bitbucket", host.BitbucketServer: "datacenter",
}

// each runs a scenario on every host.
func each(t *testing.T, scenario func(t *testing.T, w *world)) {
	for kind, name := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			w := &world{kind: kind, heads: map[string]string{base: sha("0"), branch: sha("a")}, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), token: hosttest.Token}
			w.repo = hosttest.New(w.head)
			server := hosttest.Kinds()[name].Serve(w.repo)
			t.Cleanup(server.Close)
			var err error
			w.Host, err = host.New(host.Options{
				Kind: kind, Repository: hosttest.Owner + "/" + hosttest.Name, Endpoint: server.URL, Client: server.Client(),
				Token: func() (string, error) { return w.token, nil }, Now: func() time.Time { return w.now },
			})
			if err != nil {
				t.Fatal(err)
			}
			scenario(t, w)
		})
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

var draft = sources.Draft{Head: branch, Base: base, Title: "Promote to production", Body: "plan\nfindings"}

func TestAPullRequestIsFoundAndNeverDoubled(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		if _, ok, err := w.Find(ctx, branch, base); ok || err != nil {
			t.Fatalf("found one where there is none: %v", err)
		}
		// A stranger's from a branch of the same name, and one into another branch.
		w.repo.Open(hosttest.Pull{Head: branch, Base: base, Author: "mallory", Title: "mine", Foreign: true})
		w.push("other", sha("f"))
		w.repo.Open(hosttest.Pull{Head: branch, Base: "other", Author: "bob", Title: "elsewhere"})
		first := must[sources.PullRequest](t)(w.Upsert(ctx, draft))
		if first.State != sources.RequestOpen || first.Commit != sha("a") || first.Head != branch || first.Base != base || first.Foreign || first.URL == "" {
			t.Fatalf("opened %+v", first)
		}
		before := w.repo.Asked()
		again := must[sources.PullRequest](t)(w.Upsert(ctx, draft))
		if again.Number != first.Number || w.repo.Asked()-before > 2 {
			t.Errorf("the same again: %+v after %d requests", again, w.repo.Asked()-before)
		}
		changed := draft
		changed.Title, changed.Body = "Promote another", "new plan"
		w.push(branch, sha("b"))
		got := must[sources.PullRequest](t)(w.Upsert(ctx, changed))
		if got.Number != first.Number || got.Title != changed.Title || got.Body != changed.Body || got.Commit != sha("b") {
			t.Errorf("updated to %+v", got)
		}
		open := must[[]sources.PullRequest](t)(w.Requests(ctx, base))
		if len(open) != 2 || !open[0].Foreign || open[1].Foreign {
			t.Errorf("open into %s: %+v", base, open)
		}
		// What a fork brings is told by its whole name, or not at all.
		if theirs := open[0].Commit; theirs != sha("b") && (theirs != "" || w.kind != host.BitbucketCloud) {
			t.Errorf("the fork's request brings %q", theirs)
		}
		for _, state := range []string{"closed", "merged"} {
			w.repo.Close(got.Number, state)
			ended, ok, err := w.Find(ctx, branch, base)
			want := map[string]sources.RequestState{"closed": sources.RequestClosed, "merged": sources.RequestMerged}[state]
			if err != nil || !ok || ended.Number != got.Number || ended.State != want || ended.Commit != sha("b") {
				t.Errorf("%s: found %+v, %v", state, ended, err)
			}
			fresh := must[sources.PullRequest](t)(w.Upsert(ctx, draft))
			if fresh.Number == got.Number {
				t.Fatalf("%s: a request that has ended was taken up again", state)
			}
			got = fresh
		}
	})
}

// TestTwoDaemonsOpenOne: whoever comes second takes the first's.
// A server may give fewer entries at once than it is asked for: nothing is missed
// for it, not the newest word either.
func TestShortPagesAreNotTheEnd(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		r := must[sources.PullRequest](t)(w.Upsert(ctx, draft))
		w.repo.PageCap = 2
		for i := range 5 {
			w.push(fmt.Sprint("other-", i), sha("f"))
			w.repo.Open(hosttest.Pull{Head: fmt.Sprint("other-", i), Base: base, Author: "bob"})
		}
		if again := must[sources.PullRequest](t)(w.Upsert(ctx, draft)); again.Number != r.Number {
			t.Errorf("number %d was not found and is %d now", r.Number, again.Number)
		}
		if open := must[[]sources.PullRequest](t)(w.Requests(ctx, base)); len(open) != 6 {
			t.Errorf("%d of 6 are open", len(open))
		}
		for _, who := range []string{"ann", "bob", "cat", "dan"} {
			w.repo.Review(r.Number, who, "approved")
		}
		w.repo.Review(r.Number, "ann", "changes")
		for _, v := range must[[]sources.Review](t)(w.Reviews(ctx, r.Number)) {
			if v.Login == "ann" && v.Verdict == sources.Approves {
				t.Errorf("ann took it back: %+v", v)
			}
		}
	})
}

// A status that waits may say why in other words, and is over in the end.
func TestAStatusThatWaitsSaysSoAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := sources.CommitStatus{Commit: sha("a"), Context: "mooring/production", URL: "https://mooring.test/"}
		for _, s.Text = range []string{"not judged yet", "moving, at 10%", "moving, at 25%"} {
			if err := w.Status(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		s.State, s.Text = sources.StatusSuccess, "in force"
		if err := w.Status(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		got := w.repo.Statuses()
		if len(got) < 2 || got[0].State != "pending" || got[len(got)-1].State != "success" {
			t.Errorf("the host was told %+v", got)
		}
	})
}

func TestTwoDaemonsOpenOne(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		numbers := make([]int, 4)
		for i := range numbers {
			wg.Go(func() {
				r, err := w.Upsert(context.Background(), draft)
				if err != nil {
					t.Error(err)
				}
				numbers[i] = r.Number
			})
		}
		wg.Wait()
		if n := len(w.repo.Pulls()); n != 1 || numbers[0] != 1 || numbers[3] != 1 {
			t.Errorf("%d requests, told as %v", n, numbers)
		}
	})
}

func TestTheNewestWordOfEachPersonOnItsCommit(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		r := must[sources.PullRequest](t)(w.Upsert(ctx, draft))
		w.repo.Review(r.Number, "ann", "approved")
		w.repo.Review(r.Number, "bob", "approved")
		w.repo.Review(r.Number, "bob", "changes")
		w.repo.Review(r.Number, "cat", "changes")
		w.repo.Review(r.Number, "cat", "approved")
		w.repo.Review(r.Number, "cat", "comment") // takes nothing back
		w.repo.Review(r.Number, "dan", "approved")
		w.repo.Dismiss(r.Number, "dan")
		w.repo.Review(r.Number, "eve", "comment")
		w.repo.Review(r.Number, "gus", "approved") // who is Gus too
		w.repo.Review(r.Number, "Gus", "changes")
		w.repo.Review(r.Number, "hal", "approved")
		w.repo.Review(r.Number, "hal", "changes")
		w.repo.DismissLast(r.Number, "hal") // what was said before comes not to life by it
		w.push(branch, sha("b"))
		_ = must[[]sources.PullRequest](t)(w.Requests(ctx, base)) // the host sees the push
		w.repo.Review(r.Number, "fay", "approved")
		got := map[string]sources.Review{}
		ids := map[string]bool{}
		for _, v := range must[[]sources.Review](t)(w.Reviews(ctx, r.Number)) {
			got[v.Login] = v
			if v.ID == "" || ids[v.ID+v.Login] || v.At.IsZero() {
				t.Errorf("review %+v", v)
			}
			ids[v.ID+v.Login] = true
		}
		want := map[string]struct{ verdict, commit string }{"ann": {"approves", sha("a")}, "cat": {"approves", sha("a")}, "fay": {"approves", sha("b")}}
		for who, w := range want {
			if string(got[who].Verdict) != w.verdict || got[who].Commit != w.commit {
				t.Errorf("%s: %+v, want %v", who, got[who], w)
			}
			delete(got, who)
		}
		if v := got["bob"]; v.Verdict != sources.RequestsChanges || w.kind == host.GitLab && v.Commit != sha("b") {
			t.Errorf("bob wants changes: %+v", v)
		}
		if v, ok := got["gus"]; ok && v.Verdict == sources.Approves {
			t.Errorf("gus took it back: %+v", v)
		}
		if v, ok := got["hal"]; ok && v.Verdict == sources.Approves && (w.kind == host.GitHub || w.kind == host.Gitea) {
			t.Errorf("hal took it back: %+v", v)
		}
		for _, who := range []string{"bob", "gus", "Gus", "hal"} {
			delete(got, who)
		}
		if len(got) > 0 {
			t.Errorf("more than there should be: %+v", got)
		}
	})
}

func TestAStatusIsSaidOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		s := sources.CommitStatus{Commit: sha("a"), Context: "mooring/production", Text: strings.Repeat("é", 200)}
		for range 3 {
			if err := w.Status(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
		s.State, s.Text, s.URL = sources.StatusFailure, "denied", "https://mooring.test/"
		if err := w.Status(ctx, s); err != nil {
			t.Fatal(err)
		}
		// A refused one is not taken for said.
		w.repo.Refuse(http.StatusBadGateway, nil)
		s.State = sources.StatusSuccess
		if err := w.Status(ctx, s); !errors.Is(err, sources.ErrUnreachable) {
			t.Errorf("a refusal was told as %v", err)
		}
		if err := w.Status(ctx, s); err != nil {
			t.Fatal(err)
		}
		got := w.repo.Statuses()
		if len(got) != 3 || got[0].State != "pending" || got[1].State != "failure" || got[2].State != "success" || got[2].Context != "mooring/production" || got[2].Commit != sha("a") {
			t.Errorf("the host was told %+v", got)
		}
		if len(got[0].Text) > 140 || !strings.HasSuffix(got[0].Text, "é…") {
			t.Errorf("cut to %q", got[0].Text)
		}
		// Environments share a commit, and each has its own.
		for range 2 {
			for _, context := range []string{"mooring/preview", "mooring/production"} {
				s.Context = context
				if err := w.Status(ctx, s); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := w.repo.Statuses(); len(got) != 4 || got[3].Context != "mooring/preview" {
			t.Errorf("of two environments the host was told %+v", got[3:])
		}
	})
}

func TestOneCommentByItsMarker(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		r := must[sources.PullRequest](t)(w.Upsert(ctx, draft))
		quoted := "what does this mean?\n\n[//]: # (mooring plan production)\n"
		w.repo.Say(r.Number, "ann", quoted)
		w.repo.Say(r.Number, "eve", "[//]: # (mooring plan production)\n\nall is well")
		for range 60 {
			w.repo.Say(r.Number, "ann", "more talk than fits a page")
		}
		c := sources.Comment{Number: r.Number, Marker: "mooring plan production", Text: "3 changes"}
		first := must[time.Time](t)(w.Comment(ctx, c))
		if again := must[time.Time](t)(w.Comment(ctx, c)); !again.Equal(first) {
			t.Errorf("the same text changed the comment at %s, first at %s", again, first)
		}
		c.Text = strings.Repeat("4 changes\r\n", 20_000)
		if later := must[time.Time](t)(w.Comment(ctx, c)); !later.After(first) {
			t.Errorf("changed at %s, first at %s", later, first)
		}
		var ours []string
		for _, p := range w.repo.Pulls() {
			for _, said := range p.Comments {
				if said.By == "mooring" {
					ours = append(ours, said.Text)
				} else if said.Edits > 0 {
					t.Errorf("what %s said was written over: %q", said.By, said.Text)
				}
			}
		}
		if len(ours) != 1 || !strings.Contains(ours[0], "4 changes") || len(ours[0]) > 60_000 {
			t.Fatalf("%d comments of ours", len(ours))
		}
	})
}

func TestLimitsAreHeeded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		fixed := func(after string) func(time.Time) http.Header {
			return func(time.Time) http.Header { return http.Header{"Retry-After": {after}} }
		}
		for name, c := range map[string]struct {
			status int
			header func(now time.Time) http.Header
			wait   time.Duration
		}{
			"seconds": {429, fixed("40"), 40 * time.Second},
			"a date": {503, func(now time.Time) http.Header {
				return http.Header{"Retry-After": {now.Add(90 * time.Second).Format(http.TimeFormat)}}
			}, 90 * time.Second},
			"github's reset": {403, func(now time.Time) http.Header {
				return http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {strconv.FormatInt(now.Add(5*time.Minute).Unix(), 10)}}
			}, 5 * time.Minute},
			"gitlab's reset": {429, func(now time.Time) http.Header {
				return http.Header{"Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {strconv.FormatInt(now.Add(7*time.Minute).Unix(), 10)}}
			}, 7 * time.Minute},
			"a reset in seconds": {429, func(time.Time) http.Header { return http.Header{"Ratelimit-Reset": {"50"}} }, 50 * time.Second},
			"a reset of before": {429, func(now time.Time) http.Header {
				return http.Header{"X-Ratelimit-Reset": {strconv.FormatInt(now.Add(-time.Minute).Unix(), 10)}}
			}, time.Second},
			"no word of it":      {429, func(time.Time) http.Header { return nil }, time.Minute},
			"a date that is off": {429, fixed("99999999"), time.Hour},
		} {
			w.repo.Refuse(c.status, c.header(w.now))
			start := w.now
			_, err := w.Requests(ctx, base)
			var limited *sources.LimitedError
			if !errors.As(err, &limited) || !limited.Until.Equal(start.Add(c.wait)) {
				t.Fatalf("%s: %v, want %s", name, err, c.wait)
			}
			asked := w.repo.Asked()
			w.now = limited.Until.Add(-time.Second)
			if _, err := w.Requests(ctx, base); !errors.As(err, &limited) || w.repo.Asked() != asked {
				t.Errorf("%s: the host was asked while it wanted to be left alone: %v", name, err)
			}
			w.now = limited.Until
			if _, err := w.Requests(ctx, base); err != nil {
				t.Errorf("%s: afterwards: %v", name, err)
			}
		}
	})
}

func TestNoErrorHoldsTheToken(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.token = "a-wrong-token-that-the-host-repeats"
		_, err := w.Requests(ctx, base)
		if !errors.Is(err, sources.ErrUnauthorized) || strings.Contains(err.Error(), w.token) {
			t.Errorf("a wrong token was told as %v", err)
		}
		asked := w.repo.Asked()
		w.token = hosttest.Token
		if _, err := w.Requests(ctx, base); err != nil || w.repo.Asked() == asked {
			t.Errorf("a new token was not read: %v", err)
		}
	})
}

// TestARedirectNeverSeesTheToken: what the host answers is not followed.
func TestARedirectNeverSeesTheToken(t *testing.T) {
	seen := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen = true }))
	t.Cleanup(elsewhere.Close)
	each(t, func(t *testing.T, w *world) {
		w.repo.Refuse(http.StatusTemporaryRedirect, http.Header{"Location": {elsewhere.URL}})
		if _, err := w.Requests(t.Context(), base); err == nil || seen {
			t.Errorf("followed: %v, seen %v", err, seen)
		}
	})
}

func TestFacts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.repo.Protect(base)
		f := must[sources.HostFacts](t)(w.Facts(t.Context(), base))
		if f.Repository != "acme/shop" || !f.ProtectedKnown || !f.Protected || f.WriteKnown && !f.Write {
			t.Errorf("facts %+v", f)
		}
		w.repo.ReadOnly = true
		if f := must[sources.HostFacts](t)(w.Facts(t.Context(), branch)); f.Protected || f.WriteKnown && f.Write {
			t.Errorf("a token that may only read: %+v", f)
		}
		if err := w.Status(t.Context(), sources.CommitStatus{Commit: sha("a"), Context: "x"}); !errors.Is(err, sources.ErrUnauthorized) {
			t.Errorf("writing with it: %v", err)
		}
	})
}

func TestWhatCannotBeAHost(t *testing.T) {
	good := host.Options{Kind: host.GitHub, Repository: "acme/shop", Token: func() (string, error) { return "", nil }, Now: time.Now}
	for name, change := range map[string]func(*host.Options){
		"no owner":                              func(o *host.Options) { o.Repository = "shop" },
		"an unknown kind":                       func(o *host.Options) { o.Kind = "sourceforge" },
		"gitea without address":                 func(o *host.Options) { o.Kind = host.Gitea },
		"bitbucket data center without address": func(o *host.Options) { o.Kind = host.BitbucketServer },
		"no token":                              func(o *host.Options) { o.Token = nil },
	} {
		o := good
		change(&o)
		if _, err := host.New(o); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := host.New(good); err != nil {
		t.Error(err)
	}
}
