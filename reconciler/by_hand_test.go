package reconciler

import (
	"context"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/promote"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
)

// byHand is a shop of which one content came through preview to staging, and
// a second is in force in preview, about to soak.
func byHand(t *testing.T) (s *simulation, first, second content) {
	t.Helper()
	s = newSimulation(1, memory.Options{}, mutant{}, "preview", "staging")
	first = firstContent()
	s.repo.commit("env/preview", first.files())
	s.restart()
	if !s.until(time.Hour, func() bool { return s.carries("staging", first) }) {
		t.Fatal("the first content did not come to staging")
	}
	settled(t, s)
	second = first
	second.memory = 512
	s.repo.commit("env/preview", second.files())
	return s, first, second
}

// carries: this content is in force there.
func (s *simulation) carries(env string, c content) bool {
	ro := s.watch.environment(env).Rollout.Release
	_, id := tree(c.files())
	return ro.Commit != "" && s.repo.commits[ro.Commit].TreeID == id && len(s.differences(env)) == 0
}

// moves is how often Mooring itself moved content there.
func (s *simulation) moves(env string) int {
	n := 0
	for _, p := range s.watch.environment(env).Promotions {
		if p.Outcome == "moved" {
			n++
		}
	}
	return n
}

// TestContentIsKnownWhateverBroughtIt: people bring content of the environment
// before by a fast-forward, a merge, a squash or by picking its commits one by
// one; none is content from elsewhere, and Mooring moves nothing over it.
func TestContentIsKnownWhateverBroughtIt(t *testing.T) {
	ways := map[string]func(s *simulation, second content){
		"fast-forward": func(s *simulation, _ content) { s.repo.branches["env/staging"] = s.repo.branches["env/preview"] },
		"merge": func(s *simulation, second content) {
			files, id := tree(second.files())
			s.repo.add("env/staging", sources.Snapshot{Tree: files, TreeID: id, Commit: sources.Commit{
				Parents: []string{s.repo.branches["env/staging"], s.repo.branches["env/preview"]}, Message: "Merge branch 'env/preview'"}})
		},
		"squash": func(s *simulation, second content) { s.repo.commit("env/staging", second.files()) },
		"cherry-pick, a commit that changes no content first": func(s *simulation, second content) {
			files := second.files()
			files["README.md"] = "The shop, picked.\n"
			files["checkout.yaml"] = s.file("env/staging", "checkout.yaml")
			s.repo.commit("env/staging", files)
			s.repo.commit("env/staging", second.files())
		},
	}
	for name, bring := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _, second := byHand(t)
			if !s.until(time.Hour, func() bool { return s.carries("preview", second) }) {
				t.Fatal("preview does not take it")
			}
			before := s.moves("staging")
			bring(s, second)
			if !s.until(time.Hour, func() bool { return s.carries("staging", second) }) {
				t.Fatalf("staging does not take it: %+v", s.watch.environment("staging").Judged)
			}
			head := s.repo.branches["env/staging"]
			s.run(10 * time.Minute)
			if s.moves("staging") != before || s.repo.branches["env/staging"] != head {
				t.Errorf("moved over it: %d moves before, %d after", before, s.moves("staging"))
			}
			sound(t, s)
		})
	}
}

func (s *simulation) file(branch, name string) string {
	data, err := s.repo.commits[s.repo.branches[branch]].Tree.(interface{ ReadFile(string) ([]byte, error) }).ReadFile(name)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// waits is the code of what staging waits for; "" for nothing.
func (s *simulation) waits(env string) string {
	ps := s.watch.environment(env).Promotions
	if len(ps) == 0 || ps[len(ps)-1].Outcome != "held" || len(ps[len(ps)-1].Findings) == 0 {
		return ""
	}
	return ps[len(ps)-1].Findings[0].Code
}

// why is what is told of what staging waits for.
func (s *simulation) why(env string) string {
	ps := s.watch.environment(env).Promotions
	return ps[len(ps)-1].Reason
}

// TestARevertStays: who reverts on staging's branch what came from preview is
// not overruled by what preview said before; the next change goes on.
func TestARevertStays(t *testing.T) {
	t.Parallel()
	s, first, second := byHand(t)
	if !s.until(time.Hour, func() bool { return s.carries("staging", second) }) {
		t.Fatal("the second content did not come to staging")
	}
	settled(t, s)
	moves := s.moves("staging")
	revert := s.repo.commit("env/staging", first.files())
	if !s.until(time.Hour, func() bool { return s.carries("staging", first) }) {
		t.Fatal("the revert is not taken")
	}
	s.run(time.Hour)
	if why := s.why("staging"); !strings.Contains(why, "commit "+revert[:12]+" of Dev ") {
		t.Errorf("the reason does not name whose commit it is: %s", why)
	}
	s.restart()
	s.run(time.Hour)
	if !s.carries("staging", first) || s.moves("staging") != moves || s.waits("staging") != "returned" {
		t.Fatalf("the revert does not stay: %d moves before, %d after, waits %q", moves, s.moves("staging"), s.waits("staging"))
	}
	// A commit that changes nothing that is released is no new word either.
	readme := second.files()
	readme["README.md"] = "The same shop.\n"
	s.repo.commit("env/preview", readme)
	s.run(time.Hour)
	if !s.carries("staging", first) {
		t.Fatal("a commit without content brought it back")
	}
	third := second
	third.level = "warn"
	s.repo.commit("env/preview", third.files())
	if !s.until(time.Hour, func() bool { return s.carries("staging", third) }) {
		t.Fatalf("the next change does not come: waits %q", s.waits("staging"))
	}
	sound(t, s)
}

// TestARevertUpstreamMovesOn: content that staging had before comes again when
// preview goes back to it.
func TestARevertUpstreamMovesOn(t *testing.T) {
	t.Parallel()
	s, first, second := byHand(t)
	if !s.until(time.Hour, func() bool { return s.carries("staging", second) }) {
		t.Fatal("the second content did not come to staging")
	}
	settled(t, s)
	s.repo.commit("env/preview", first.files())
	if !s.until(time.Hour, func() bool { return s.carries("staging", first) }) {
		t.Fatalf("the revert does not move on: waits %q", s.waits("staging"))
	}
	sound(t, s)
}

// TestAHotfixIsNotMovedOver: content that staging alone has waits for a person
// to say which wins, and goes when preview has it too.
func TestAHotfixIsNotMovedOver(t *testing.T) {
	t.Parallel()
	s, _, second := byHand(t)
	hotfix := second
	hotfix.limit = 7
	s.repo.commit("env/staging", hotfix.files())
	if !s.until(time.Hour, func() bool { return s.waits("staging") == "diverged" }) {
		t.Fatalf("waits %q", s.waits("staging"))
	}
	head := s.repo.branches["env/staging"]
	s.run(time.Hour)
	if s.repo.branches["env/staging"] != head {
		t.Fatal("moved over the hotfix")
	}
	s.repo.commit("env/preview", hotfix.files())
	next := hotfix
	next.level = "warn"
	if !s.until(time.Hour, func() bool { return s.carries("preview", hotfix) }) {
		t.Fatal("preview does not take the hotfix")
	}
	s.repo.commit("env/preview", next.files())
	if !s.until(time.Hour, func() bool { return s.carries("staging", next) }) {
		t.Fatalf("what follows the hotfix does not come: waits %q", s.waits("staging"))
	}
	sound(t, s)
}

// What Mooring's own promotion took the place of is nobody's revert: when preview
// goes back by command, content that staging had waits, and the reason names the
// promotion.
func TestAPromotionIsNobodysRevert(t *testing.T) {
	t.Parallel()
	s, _, second := byHand(t)
	if !s.until(time.Hour, func() bool { return s.carries("staging", second) }) {
		t.Fatal("the second content did not come to staging")
	}
	settled(t, s)
	by, to := access.Stated("bob"), s.watch.environment("preview").Known[0].Release.Commit
	must(s.ask("preview", func(ctx context.Context, d *Daemon) error {
		return d.Rollback(ctx, web.RollbackRequest{Environment: "preview", By: by, Reason: "errors", To: to})
	}))
	if !s.until(time.Hour, func() bool { return s.waits("staging") == "returned" }) {
		t.Fatalf("waits %q", s.waits("staging"))
	}
	moved := s.repo.branches["env/staging"]
	if why := s.why("staging"); !strings.Contains(why, "Mooring itself brought what preview had") || !strings.Contains(why, moved[:12]) {
		t.Errorf("the reason does not name the promotion: %s", why)
	}
	sound(t, s)
}

// Whose a commit is that took the place of content.
func TestWhoseAChangeIs(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "preview", "staging")
	by := func(message string) string {
		files, id := tree(map[string]string{"a": message})
		return s.repo.add("env/staging", sources.Snapshot{Tree: files, TreeID: id, Commit: sources.Commit{Message: message, Trailers: sources.ParseTrailers(message)}})
	}
	hand, own := by("by hand"), by("Promote\n\nMooring-Decision: d1\n")
	s.repo.fetched[hand], s.repo.fetched[own] = true, true
	before := birth.Add(time.Hour)
	move := func(outcome string, change func(*record.Promotion)) record.Promotion {
		pr := record.Promotion{From: "preview", To: "staging", Outcome: outcome, Decision: "d1", Source: "upstream", At: before}
		change(&pr)
		return pr
	}
	none := func(*record.Promotion) {}
	at := func(sha string) func(*record.Promotion) {
		return func(pr *record.Promotion) { pr.Commit, pr.Source = sha, sha }
	}
	for name, c := range map[string]struct {
		commit string
		moves  []record.Promotion
		from   string
	}{
		"a commit by hand":              {hand, []record.Promotion{move("moved", at("another"))}, ""},
		"a move of Mooring's":           {hand, []record.Promotion{move("moving", none), move("moved", at(hand))}, "preview"},
		"trailers that nobody decided":  {own, nil, ""},
		"a move whose end was lost":     {own, []record.Promotion{move("moving", none)}, "preview"},
		"a fast-forward, its end lost":  {hand, []record.Promotion{move("moving", at(hand))}, "preview"},
		"a person was first":            {hand, []record.Promotion{move("moving", at(hand)), move("held", at(hand))}, ""},
		"set back to what moved before": {hand, []record.Promotion{move("moved", func(pr *record.Promotion) { at(hand)(pr); pr.At = birth })}, ""},
	} {
		p := &pass{e: &environment{d: &Daemon{opts: Options{Source: s.repo}}}, st: &journal.Environment{Promotions: c.moves}}
		got := p.changeBy(context.Background(), promote.Change{Commit: c.commit, Before: before})
		if got.From != c.from || got.Author != "Dev" {
			t.Errorf("%s: %+v", name, got)
		}
		key := record.Key{Content: "content"}
		in := promote.Input{Places: []promote.Place{{Head: c.commit, Newest: key, At: before}}, Rendered: map[string]map[string]record.Key{"preview": {"": key}}}
		if p.nameChanges(context.Background(), &in); in.Places[0].HeadBy != got {
			t.Errorf("%s, and not let in: %+v", name, in.Places[0].HeadBy)
		}
	}
}

// Content that failed in an environment whose branch people took back since is
// tried again when a person says so, and comes in when a person asks for it.
func TestWhatFailedAndWasTakenBackIsRetried(t *testing.T) {
	s, first, second := byHand(t)
	second.checkout = badCode(8)
	s.platform.SetErrors(second.checkout, 0.5)
	s.platform.SetTraffic("staging-checkout", memory.Traffic{PerSecond: 100})
	s.repo.commit("env/preview", second.files())
	failed := func() bool { return len(s.watch.environment("staging").Quarantine) > 0 }
	if !s.until(time.Hour, failed) {
		t.Fatalf("it does not fail: %v", s.open())
	}
	s.repo.commit("env/staging", first.files())
	why := func(code string) func() bool {
		return func() bool {
			st := s.d.environment("staging").published.Load().status
			return s.carries("staging", first) && st.PromotionCode == code
		}
	}
	if !s.until(time.Hour, why("quarantined")) {
		t.Fatalf("it is not kept out: %+v", s.d.environment("staging").published.Load().status)
	}
	must(s.ask("staging", func(ctx context.Context, d *Daemon) error {
		return d.Rollout(ctx, web.RolloutRequest{Environment: "staging", Act: web.RolloutRetry, By: access.Stated("bob")})
	}))
	if !s.until(10*time.Minute, why("returned")) || failed() {
		t.Fatalf("retried, it waits for %q", s.d.environment("staging").published.Load().status.Promotion)
	}
	moves := s.moves("staging")
	must(s.ask("staging", func(ctx context.Context, d *Daemon) error { return d.Promote(ctx, "staging", access.Stated("bob")) }))
	if !s.until(10*time.Minute, func() bool { return s.moves("staging") > moves }) {
		t.Errorf("asked for, it does not come in: %q", s.d.environment("staging").published.Load().status.Promotion)
	}
	sound(t, s)
}
