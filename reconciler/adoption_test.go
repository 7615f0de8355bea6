package reconciler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

const adoptProduction = "mooring/adopt/production"

// adoptingFiles is a control branch on which every difference is offered to be
// declared.
func adoptingFiles() map[string]string {
	files := hostedFiles(onGitHub, "preview", "production")
	files["policies/mode"] = "propose"
	return files
}

// proposing has content in force in both environments.
func proposing(t *testing.T, files map[string]string, try func(t *testing.T, s *stand)) {
	t.Helper()
	onHost(t, files, func(t *testing.T, s *stand) {
		s.push("env/preview", firstContent().files())
		s.push("env/production", firstContent().files())
		s.wait(20 * time.Minute)
		if st := s.status("production"); st.State != "in_sync" || s.branch(adoptProduction) != "" {
			t.Fatalf("production is %s: %s, offered %q", st.State, st.Reason, s.branch(adoptProduction))
		}
		try(t, s)
	})
}

var liveCheckout = memory.Name{Kind: manifest.KindFunction, Physical: "production-checkout"}

func (s *stand) byHand(path, value string) {
	must(s.platform.Manual("alice").Set(liveCheckout, path, value))
}

// proposal is what the page and the API say of a difference of the function.
func (s *stand) proposal(t *testing.T, path string) web.Proposal {
	t.Helper()
	d, err := s.d.Drift(t.Context(), "production")
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range d.Items {
		if it.Path == path && it.Proposal != nil {
			return *it.Proposal
		}
	}
	return web.Proposal{}
}

func (s *stand) file(branch, name string) string {
	s.repo.mu.Lock()
	defer s.repo.mu.Unlock()
	data, err := fs.ReadFile(s.repo.r.commits[s.repo.r.branches[branch]].Tree, name)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// forget is what a restart forgets about the offer.
func (s *stand) forget(t *testing.T) {
	t.Helper()
	must(s.d.do(t.Context(), "production", func(_ context.Context, e *environment) error {
		e.adopting = adopting{}
		e.adopted.Store(nil)
		return nil
	}))
}

// told is the newest text of a firing drift alert.
func (b *box) told(kind string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := ""
	for _, e := range b.seen {
		if e.Kind == kind {
			text = e.Status + ": " + e.Text
		}
	}
	return text
}

// actions are those of the newest event of a kind.
func (b *box) actions(kind string) []notify.Action {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range slices.Backward(b.seen) {
		if e.Kind == kind {
			return e.Actions
		}
	}
	return nil
}

// What was changed by hand is offered to be declared, in the environment's
// overlay, by one pull request that is kept up to date; time alone changes
// nothing, and nothing is put back.
func TestWhatWasChangedByHandIsOfferedToBeDeclared(t *testing.T) {
	proposing(t, adoptingFiles(), func(t *testing.T, s *stand) {
		s.byHand("memorySize", "1024")
		s.wait(10 * time.Minute)
		all := s.crowd.requests()
		if len(all) != 1 || all[0].Head != adoptProduction || all[0].Base != "env/production" {
			t.Fatalf("pull requests: %+v", all)
		}
		for _, want := range []string{"`memorySize` | `256` → `1024`", "`environments/production.yaml` alone", "git cherry-pick -x " + s.branch(adoptProduction), "`env/preview`", "close it"} {
			if !strings.Contains(all[0].Body, want) {
				t.Errorf("the body lacks %q:\n%s", want, all[0].Body)
			}
		}
		if text := s.file(adoptProduction, "environments/production.yaml"); !strings.Contains(text, "memorySize: 1024") || s.file(adoptProduction, "checkout.yaml") != s.file("env/production", "checkout.yaml") {
			t.Errorf("offered:\n%s", text)
		}
		if got := s.proposal(t, "memorySize"); got.State != "offered" || got.Number != 1 {
			t.Errorf("proposal: %+v", got)
		}
		if text := s.events.told("drift"); !strings.Contains(text, "proposal: offered by pull request 1") {
			t.Errorf("told: %s", text)
		}
		if acts := s.events.actions("drift"); len(acts) == 0 || acts[0].Name != "pull request" || acts[0].Link != "https://host.example/1" {
			t.Errorf("what people can do: %+v", acts)
		}
		offered, told := s.branch(adoptProduction), s.events.count("drift", "firing")
		s.wait(2 * time.Hour)
		s.forget(t)
		s.wait(2 * time.Hour)
		if s.branch(adoptProduction) != offered || len(s.crowd.requests()) != 1 || s.events.count("drift", "firing") != told {
			t.Errorf("time, or a restart, changes something: %d requests, %d alerts", len(s.crowd.requests()), s.events.count("drift", "firing")-told)
		}
		s.byHand("timeout", "30")
		s.wait(15 * time.Minute)
		if all := s.crowd.requests(); len(all) != 1 || !strings.Contains(all[0].Body, "`timeout` | `10` → `30`") || !strings.Contains(all[0].Body, "`memorySize`") {
			t.Errorf("pull requests: %+v", all)
		}
		if f, _ := s.platform.Fields(liveCheckout); f["memorySize"] != "1024" || f["timeout"] != "30" {
			t.Errorf("live: %v", f)
		}
		s.byHand("memorySize", "2048")
		s.byHand("timeout", "10")
		s.wait(3 * time.Minute)
		if text := s.file(adoptProduction, "environments/production.yaml"); !strings.Contains(text, "memorySize: 2048") || strings.Contains(text, "timeout") {
			t.Errorf("another value is offered as:\n%s", text)
		}
	})
}

// Merged, it is a commit like any other: it is let in, the difference ends, and
// the offer with it.
func TestAnAdoptionThatIsMergedEndsTheDifference(t *testing.T) {
	proposing(t, adoptingFiles(), func(t *testing.T, s *stand) {
		s.byHand("memorySize", "1024")
		s.wait(10 * time.Minute)
		files := firstContent().files()
		files["environments/production.yaml"] = s.file(adoptProduction, "environments/production.yaml")
		s.push("env/production", files)
		s.crowd.end(1, sources.RequestMerged)
		s.wait(30 * time.Minute)
		if st := s.status("production"); len(st.Drift) != 0 || st.Commit != s.branch("env/production") || st.PromotionCode != "returned" {
			t.Errorf("production: %+v", st)
		}
		if f, _ := s.platform.Fields(liveCheckout); f["memorySize"] != "1024" {
			t.Errorf("live: %v", f)
		}
		if s.events.count("drift", "resolved") != 1 || len(s.crowd.requests()) != 1 {
			t.Errorf("%d ended, %d requests", s.events.count("drift", "resolved"), len(s.crowd.requests()))
		}
		if p := s.status("preview"); p.State != "in_sync" {
			t.Errorf("preview is %s", p.State)
		}
	})
}

// Closed and not merged, it is refused: it is not offered again while the same
// lives, also after a restart; another value is another offer. Opened again by
// people, it stands.
func TestAnAdoptionThatPeopleCloseIsRefused(t *testing.T) {
	proposing(t, adoptingFiles(), func(t *testing.T, s *stand) {
		s.byHand("memorySize", "1024")
		s.wait(10 * time.Minute)
		offered := s.branch(adoptProduction)
		s.crowd.end(1, sources.RequestClosed)
		s.wait(10 * time.Minute)
		if got := s.proposal(t, "memorySize"); got.State != "refused" || !strings.Contains(got.Why, "refused in #1") {
			t.Errorf("proposal: %+v", got)
		}
		if text := s.events.told("drift"); !strings.HasPrefix(text, "firing") || !strings.Contains(text, "refused in #1") {
			t.Errorf("told: %s", text)
		}
		s.forget(t)
		s.wait(3 * time.Hour)
		if len(s.crowd.requests()) != 1 || s.branch(adoptProduction) != offered || s.proposal(t, "memorySize").State != "refused" {
			t.Errorf("offered again: %+v", s.crowd.requests())
		}
		s.crowd.end(1, sources.RequestOpen)
		s.wait(10 * time.Minute)
		if got := s.proposal(t, "memorySize"); got.State != "offered" || got.Number != 1 {
			t.Errorf("opened again: %+v", got)
		}
		s.crowd.end(1, sources.RequestClosed)
		s.wait(10 * time.Minute)
		s.byHand("memorySize", "2048")
		s.wait(15 * time.Minute)
		if all := s.crowd.requests(); len(all) != 2 || !strings.Contains(all[1].Body, "`2048`") {
			t.Errorf("another value: %+v", all)
		}
	})
}

// That people closed it is heard late, and its branch moved on meanwhile: it is
// refused all the same.
func TestAnAdoptionThatWasClosedUnheardIsRefused(t *testing.T) {
	proposing(t, adoptingFiles(), func(t *testing.T, s *stand) {
		s.byHand("memorySize", "1024")
		s.wait(10 * time.Minute)
		s.crowd.breaks(func(context.Context, string) error { return errors.New("the host is away") })
		s.crowd.end(1, sources.RequestClosed)
		files := firstContent().files()
		files["README.md"] = "The shop, moved.\n"
		s.push("env/production", files)
		s.wait(15 * time.Minute)
		if s.file(adoptProduction, "README.md") != files["README.md"] {
			t.Fatal("it does not follow its branch")
		}
		s.crowd.breaks(nil)
		s.wait(time.Hour)
		if got := s.proposal(t, "memorySize"); len(s.crowd.requests()) != 1 || got.State != "refused" {
			t.Errorf("%d requests, proposal %+v", len(s.crowd.requests()), got)
		}
	})
}

// Put back by hand, nothing is left to adopt: the request says so, and merging it
// would do nothing.
func TestAnAdoptionThatIsPointlessIsTakenBack(t *testing.T) {
	proposing(t, adoptingFiles(), func(t *testing.T, s *stand) {
		s.byHand("memorySize", "1024")
		s.wait(10 * time.Minute)
		s.byHand("memorySize", "256")
		s.wait(15 * time.Minute)
		if all := s.crowd.requests(); len(all) != 1 || !strings.HasPrefix(all[0].Title, "Nothing is left") {
			t.Errorf("pull requests: %+v", all)
		}
		if s.branch(adoptProduction) != s.branch("env/production") {
			t.Error("merging the request would still change something")
		}
		s.crowd.end(1, sources.RequestClosed) // as hosts do by themselves
		s.byHand("memorySize", "1024")
		s.wait(15 * time.Minute)
		if all := s.crowd.requests(); len(all) != 2 {
			t.Errorf("closing what was empty was taken for a refusal: %+v", all)
		}
	})
}

// What cannot be offered is told: the host or the repository away, a value that
// is known as a token only.
func TestAnAdoptionThatCannotBeMadeIsTold(t *testing.T) {
	proposing(t, adoptingFiles(), func(t *testing.T, s *stand) {
		s.crowd.breaks(func(context.Context, string) error { return errors.New("the host is away") })
		s.repo.mu.Lock()
		s.repo.r.fault = func(op string) error {
			if op == "propose:before" {
				return fmt.Errorf("%w: protected", sources.ErrRefused)
			}
			return nil
		}
		s.repo.mu.Unlock()
		s.byHand("memorySize", "1024")
		s.byHand("environment.STRIPE_KEY", `"token:0000"`)
		s.wait(10 * time.Minute)
		if got := s.proposal(t, "memorySize"); got.State != "failed" || s.events.count(adoptionFault, "firing") != 1 {
			t.Errorf("proposal %+v, %d alerts", got, s.events.count(adoptionFault, "firing"))
		}
		if got := s.proposal(t, "environment.STRIPE_KEY"); got.State != "left" || !strings.Contains(got.Why, "no secret is written") {
			t.Errorf("proposal: %+v", got)
		}
		s.repo.mu.Lock()
		s.repo.r.fault = func(string) error { return nil }
		s.repo.mu.Unlock()
		s.wait(time.Hour)
		if got := s.proposal(t, "memorySize"); got.State != "offered" || got.Number != 0 || s.events.count(adoptionFault, "resolved") != 1 {
			t.Errorf("proposal %+v, %d ended", got, s.events.count(adoptionFault, "resolved"))
		}
		s.crowd.breaks(nil)
		s.wait(time.Hour)
		all := s.crowd.requests()
		if len(all) != 1 || !strings.Contains(all[0].Body, "Not adopted") || strings.Contains(s.file(adoptProduction, "environments/production.yaml"), "STRIPE") {
			t.Errorf("pull requests: %+v", all)
		}
	})
}

// The branch it is for moves on, and somebody writes on the offered one: the
// offer is made anew on top, never more often than its time. A value that comes
// and goes is no reason to push.
func TestAnAdoptionFollowsItsBranchAtItsPace(t *testing.T) {
	proposing(t, adoptingFiles(), func(t *testing.T, s *stand) {
		var pushed atomic.Int64
		pushes := func() int { return int(pushed.Load()) }
		s.repo.mu.Lock()
		s.repo.r.moved = func(e sources.Edit, _ string) {
			if e.Branch == adoptProduction {
				pushed.Add(1)
			}
		}
		s.repo.mu.Unlock()
		s.byHand("memorySize", "1024")
		s.wait(10 * time.Minute)
		files := firstContent().files()
		files["README.md"] = "The shop, moved.\n"
		s.push("env/production", files)
		s.wait(15 * time.Minute)
		if s.file(adoptProduction, "README.md") != files["README.md"] || !strings.Contains(s.file(adoptProduction, "environments/production.yaml"), "1024") || pushes() != 2 {
			t.Errorf("%d pushes, offered:\n%s", pushes(), s.file(adoptProduction, "README.md"))
		}
		files["README.md"] = "Somebody's own.\n"
		s.push(adoptProduction, files)
		s.wait(15 * time.Minute)
		if s.file(adoptProduction, "README.md") == files["README.md"] || pushes() != 3 {
			t.Errorf("%d pushes; what somebody wrote there stands", pushes())
		}
		for i := range 120 {
			s.byHand("memorySize", fmt.Sprint(1024+i%2*64))
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if n := pushes(); n > 3+24 {
			t.Errorf("%d pushes in two hours for a value that comes and goes", n-3)
		}
		s.wait(30 * time.Minute)
		before := pushes()
		s.repo.mu.Lock()
		s.repo.r.rewrite("env/production", firstContent().files())
		s.repo.mu.Unlock()
		s.wait(5 * time.Minute)
		s.byHand("timeout", "30")
		s.wait(30 * time.Minute)
		if st := s.status("production"); st.State != "held" || pushes() != before {
			t.Errorf("%d pushes onto a commit that was not let in; production is %s", pushes()-before, st.State)
		}
	})
}

// Without a host the branch is the offer, and deleting it refuses.
func TestAnAdoptionWithoutAHostIsABranch(t *testing.T) {
	files := adoptingFiles()
	files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "  host: "+onGitHub+"\n", "", 1)
	proposing(t, files, func(t *testing.T, s *stand) {
		s.byHand("memorySize", "1024")
		s.wait(10 * time.Minute)
		if got := s.proposal(t, "memorySize"); got.State != "offered" || !strings.Contains(s.events.told("drift"), "branch "+adoptProduction) {
			t.Errorf("proposal %+v, told %s", got, s.events.told("drift"))
		}
		s.repo.mu.Lock()
		delete(s.repo.r.branches, adoptProduction)
		s.repo.mu.Unlock()
		s.wait(time.Hour)
		if got := s.proposal(t, "memorySize"); got.State != "refused" || s.branch(adoptProduction) != "" {
			t.Errorf("deleted: %+v, offered at %q", got, s.branch(adoptProduction))
		}
	})
}
