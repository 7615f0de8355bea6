package host_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/sources"
	"mooring.dev/sources/host"
	"mooring.dev/sources/host/hosttest"
)

// Which of two things in the same second came first is not known: where an
// approval names no commit it is of none, and never of what nobody may have seen.
func TestAnApprovalInTheSecondOfAPushIsOfNeither(t *testing.T) {
	for _, first := range []string{"the approval", "the push"} {
		each(t, func(t *testing.T, w *world) {
			ctx := t.Context()
			r := must[sources.PullRequest](t)(w.Upsert(ctx, draft))
			_ = must[[]sources.PullRequest](t)(w.Requests(ctx, base))
			w.repo.Say(r.Number, "ann", "it was opened a while ago")
			w.repo.Still = true
			steps := []func(){
				func() { w.repo.Review(r.Number, "ann", "approved") },
				func() { w.push(branch, sha("b")); _ = must[[]sources.PullRequest](t)(w.Requests(ctx, base)) },
			}
			if first == "the push" {
				slices.Reverse(steps)
			}
			for _, step := range steps {
				step()
			}
			want := map[string]string{"the approval": sha("a"), "the push": sha("b")}[first]
			if w.kind == host.GitLab || w.kind == host.BitbucketCloud {
				want = ""
			}
			got := must[[]sources.Review](t)(w.Reviews(ctx, r.Number))
			if len(got) != 1 || got[0].Commit != want {
				t.Errorf("%s first: %+v, want one of %q", first, got, want)
			}
		})
	}
}

// A pull request that is made to say something else keeps who was asked to
// review it, and what they said.
func TestReviewersStayWhenARequestChanges(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		r := must[sources.PullRequest](t)(w.Upsert(ctx, draft))
		w.repo.Ask(r.Number, "ann")
		w.repo.Ask(r.Number, "bob")
		w.repo.Review(r.Number, "ann", "approved")
		changed := draft
		changed.Body = "another plan"
		_ = must[sources.PullRequest](t)(w.Upsert(ctx, changed))
		if p := w.repo.Pulls()[0]; p.Body != changed.Body || !slices.Equal(slices.Sorted(slices.Values(p.Reviewers)), []string{"ann", "bob"}) {
			t.Errorf("of ann and bob there are %v, and it says %q", p.Reviewers, p.Body)
		}
		if got := must[[]sources.Review](t)(w.Reviews(ctx, r.Number)); len(got) != 1 || got[0].Login != "ann" {
			t.Errorf("reviews %+v", got)
		}
		// One who left the workspace keeps nobody from seeing the plan.
		w.repo.Left = "bob"
		changed.Body = "a third plan"
		if got := must[sources.PullRequest](t)(w.Upsert(ctx, changed)); got.Body != changed.Body {
			t.Errorf("it says %q", got.Body)
		}
	})
}

// A request that people made a draft, by a word in its title, stays one.
func TestADraftStaysADraft(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := must[sources.PullRequest](t)(w.Upsert(t.Context(), draft))
		for title, want := range map[string]string{
			"Draft: " + draft.Title: "Draft: " + draft.Title, "[wip] mine": "[wip] " + draft.Title, "Drafty": draft.Title, "": draft.Title,
		} {
			w.repo.Rename(r.Number, title)
			changed := draft
			changed.Body = "after " + title
			if got := must[sources.PullRequest](t)(w.Upsert(t.Context(), changed)); got.Title != want || got.Body != changed.Body {
				t.Errorf("%q became %+v", title, got)
			}
		}
	})
}

// What ended long ago costs nothing: to find the newest takes as many requests
// after a hundred promotions as after three, where the host can be asked for a
// branch's.
func TestAHistoryOfRequestsCostsNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for range 120 {
			r := w.repo.Open(hosttest.Pull{Head: branch, Base: base, Title: "earlier", Author: "mooring"})
			w.repo.Close(r.Number, "merged")
		}
		before := w.repo.Asked()
		r, ok, err := w.Find(t.Context(), branch, base)
		if err != nil || !ok || r.Number != 120 || r.State != sources.RequestMerged {
			t.Errorf("found %+v, %v", r, err)
		}
		if n := w.repo.Asked() - before; n > 3 {
			t.Errorf("that took %d requests", n)
		}
		// One that was opened again is the one, though others are newer.
		w.repo.Reopen(7)
		if r, ok, err := w.Find(t.Context(), branch, base); err != nil || !ok || r.Number != 7 {
			t.Errorf("found %+v, %v", r, err)
		}
		w.repo.Close(7, "closed")
		// Strangers' from branches of the same name hide nothing.
		for range 60 {
			w.repo.Open(hosttest.Pull{Head: branch, Base: base, Title: "mine", Author: "mallory", Foreign: true})
		}
		if r, ok, err := w.Find(t.Context(), branch, base); err != nil || !ok || r.Number != 120 {
			t.Errorf("among strangers' found %+v, %v", r, err)
		}
	})
}

// A list of reviews that is not read to its end approves nothing: who took it
// back may stand there.
func TestNoWordCountsOfAListThatIsTooLong(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := must[sources.PullRequest](t)(w.Upsert(t.Context(), draft))
		w.repo.PageCap = 1
		w.repo.Review(r.Number, "ann", "approved")
		for range 19 {
			w.repo.Review(r.Number, "bob", "comment")
		}
		if got := must[[]sources.Review](t)(w.Reviews(t.Context(), r.Number)); len(got) != 1 {
			t.Errorf("of twenty: %+v", got)
		}
		w.repo.Review(r.Number, "ann", "changes")
		got, _ := w.Reviews(t.Context(), r.Number)
		for _, v := range got {
			if v.Verdict == sources.Approves {
				t.Errorf("taken back, and %+v", v)
			}
		}
	})
}

// A limit that is told in words alone is heeded for a minute; another 403 is a
// lack of rights, and the host is asked again.
func TestALimitInWordsIsHeeded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for words, limited := range map[string]bool{
			"You have exceeded a secondary rate limit. Please wait a few minutes before you try again.":        true,
			"You have triggered an abuse detection mechanism. Please wait a few minutes before you try again.": true,
			"Resource not accessible by personal access token":                                                 false,
		} {
			w.repo.Words = words
			w.repo.Refuse(http.StatusForbidden, nil)
			_, err := w.Requests(t.Context(), base)
			var left *sources.LimitedError
			if errors.As(err, &left) != limited || limited && !left.Until.Equal(w.now.Add(time.Minute)) || !limited && !errors.Is(err, sources.ErrUnauthorized) {
				t.Errorf("%s: %v", words, err)
			}
			w.now = w.now.Add(time.Hour)
		}
	})
}

// However long a context is, each has a status of its own. Bitbucket Cloud takes
// 40 characters of a key.
func TestLongContextsAreApart(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		long := "mooring/" + strings.Repeat("region-", 8)
		contexts := []string{long + "one", long + "two", "mooring/" + strings.Repeat("x", 32), "mooring/" + strings.Repeat("x", 33)}
		keys := map[string]bool{}
		for _, c := range contexts {
			for _, state := range []sources.StatusState{sources.StatusPending, sources.StatusSuccess} {
				if err := w.Status(t.Context(), sources.CommitStatus{Commit: sha("a"), Context: c, State: state}); err != nil {
					t.Fatalf("%s: %v", c, err)
				}
			}
		}
		for _, s := range w.repo.Statuses() {
			keys[s.Context+s.Key] = true
			if w.kind == host.BitbucketCloud && len(s.Context) <= 40 && s.Key != s.Context {
				t.Errorf("%s is called %s", s.Context, s.Key)
			}
		}
		shown := map[string]bool{}
		for _, s := range w.repo.Statuses() {
			if w.kind == host.BitbucketCloud || w.kind == host.BitbucketServer {
				shown[s.Key] = true
			} else {
				shown[s.Context] = true
			}
		}
		if len(shown) != len(contexts) || len(keys) != len(contexts) {
			t.Errorf("%d contexts are %d statuses, by %d names", len(contexts), len(shown), len(keys))
		}
	})
}

// What was said is remembered, but not without end: of what was forgotten the
// host is told again.
func TestStatusesAreNotRememberedForEver(t *testing.T) {
	told := 0
	client := &http.Client{Transport: answering(func(*http.Request) { told++ })}
	h, err := host.New(host.Options{Kind: host.GitHub, Repository: "acme/shop", Token: func() (string, error) { return hosttest.Token, nil }, Client: client, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	say := func(context string) int {
		before := told
		if err := h.Status(t.Context(), sources.CommitStatus{Commit: sha("a"), Context: context}); err != nil {
			t.Fatal(err)
		}
		return told - before
	}
	if first, again := say("first"), say("first"); first != 1 || again != 0 {
		t.Fatalf("told %d times, then %d", first, again)
	}
	for i := range 4096 {
		say(strings.Repeat("x", i+1))
	}
	if say("first") != 1 {
		t.Error("4,097 are remembered")
	}
}

// GitHub takes 1,000 statuses of a commit in a context. That is told as such, it is
// not asked again for more, and other contexts and commits have theirs.
func TestAHostTakesSoManyStatuses(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if w.kind != host.GitHub {
			return // no other tells of such a bound
		}
		say := func(commit, context string, n int) error {
			return w.Status(t.Context(), sources.CommitStatus{Commit: sha(commit), Context: context, Text: fmt.Sprint(n)})
		}
		for n := range 1000 {
			if err := say("a", "mooring/preview", n); err != nil {
				t.Fatal(err)
			}
		}
		for n := 1000; n < 1003; n++ {
			before := w.repo.Asked()
			err := say("a", "mooring/preview", n)
			if !errors.Is(err, sources.ErrFull) {
				t.Fatalf("status %d: %v", n, err)
			}
			if n > 1000 && w.repo.Asked() != before {
				t.Errorf("asked again for status %d", n)
			}
		}
		for _, err := range []error{say("b", "mooring/preview", 0), say("a", "mooring/production", 0)} {
			if err != nil {
				t.Error(err)
			}
		}
		w.repo.Refuse(http.StatusUnprocessableEntity, nil)
		if err := say("c", "mooring/preview", 0); err == nil || errors.Is(err, sources.ErrFull) {
			t.Errorf("another refusal is told as %v", err)
		}
	})
}

// answering takes every request, and answers {}.
type answering func(*http.Request)

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	a(r)
	return &http.Response{StatusCode: http.StatusCreated, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}
