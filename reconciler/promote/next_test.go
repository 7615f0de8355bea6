package promote

import (
	"testing"
	"time"

	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
	"pgregory.net/rapid"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// ready is a pipeline of three in which preview's content may move on.
func ready() Input {
	a, b := record.Release{Commit: "c2", Content: "new", Overlay: "o-preview", Digest: "r2"}, record.Release{Commit: "c1", Content: "old", Overlay: "o", Digest: "r1"}
	place := func(name string, after ...string) Place {
		return Place{
			Environment: manifest.Environment{Name: name, After: after, Promotion: "auto"}, Known: true,
			Head: "head-" + name, Tree: "t1", HeadKey: record.Key{Content: "old", Overlay: "o-" + name},
			InForce: b, InForceTree: "t1", Healthy: true, Soak: time.Hour, Seen: map[string]bool{"old": true},
		}
	}
	preview := place("preview")
	preview.InForce, preview.InForceTree, preview.Tree = a, "t2", "t2"
	preview.HeadKey = a.Key()
	preview.Seen["new"] = true
	preview.Environment.Soak = manifest.Duration(30 * time.Minute)
	preview.Environment.Checks = []manifest.Check{{Name: "smoke"}}
	preview.Checks = []record.CheckResult{{Key: a.Key(), Name: "smoke", Passed: true}}
	staging, production := place("staging", "preview"), place("production", "staging")
	return Input{
		Now: now, Places: []Place{preview, staging, production},
		Rendered: map[string]map[string]record.Key{
			"preview": {"staging": {Content: "new", Overlay: "o-staging"}, "production": {Content: "new", Overlay: "o-production"}},
			"staging": {"production": {Content: "old", Overlay: "o-production"}},
		},
	}
}

func TestContentMovesOneEnvironmentOn(t *testing.T) {
	moves := Next(ready())
	if len(moves) != 1 {
		t.Fatalf("want one move, got %+v", moves)
	}
	m := moves[0]
	want := Move{From: "preview", To: "staging", Commit: "c2", Expect: "head-staging", Key: record.Key{Content: "new", Overlay: "o-staging"}}
	if m != want {
		t.Errorf("got %+v, want %+v", m, want)
	}
}

// Each reason for which a move waits, and the name it is told by.
func TestAMoveWaitsFor(t *testing.T) {
	cases := []struct {
		code string
		why  func(*Input)
	}{
		{"checks", func(in *Input) { in.Places[0].Checks = nil }},
		{"checks", func(in *Input) { in.Places[0].Checks[0].Passed = false }},
		{"checks", func(in *Input) { in.Places[0].Checks[0].Key.Content = "old" }},
		{"checks", func(in *Input) { in.Places[0].Checks[0].Key.Overlay = "another" }},
		{"soak", func(in *Input) { in.Places[0].Soak = 29 * time.Minute }},
		{"unhealthy", func(in *Input) { in.Places[0].Healthy = false }},
		{"hold", func(in *Input) { in.Places[1].Holds = []record.Hold{{Owner: "ann", Reason: "freeze"}} }},
		{"hold", func(in *Input) { in.Places[0].Holds = []record.Hold{{Owner: "ann", Reason: "freeze"}} }},
		{"diverged", func(in *Input) { in.Places[1].HeadKey.Content = "hotfix" }},
		{"diverged", func(in *Input) { in.Places[1].HeadInvalid = true }},
		{"returned", func(in *Input) { in.Places[1].Newest = record.Key{Content: "new", Overlay: "o-staging"} }},
		{"returned", func(in *Input) {
			in.Places[0].Since, in.Places[0].At = in.Now.Add(-3*time.Hour), in.Now.Add(-time.Minute)
			in.Places[1].Left = map[record.Key]Change{{Content: "new", Overlay: "o-staging"}: {At: in.Now.Add(-2 * time.Hour)}}
		}},
		{"contract", func(in *Input) { in.Places[1].BrokenContract = []string{"secret shop/stripe is gone"} }},
		{"quarantined", func(in *Input) {
			in.Places[1].Quarantined = map[record.Key]bool{{Content: "new", Overlay: "o-staging"}: true}
		}},
		{"manual", func(in *Input) { in.Places[1].Environment.Promotion = "manual" }},
		{"manual", func(in *Input) { in.Places[1].Environment.Promotion = "" }},
		{"invalid", func(in *Input) { delete(in.Rendered["preview"], "staging") }},
		{"window", func(in *Input) {
			in.Places[1].Environment.Windows.Deny = []manifest.Window{{From: "11:00", To: "13:00"}}
		}},
		{"waiting", func(in *Input) { in.Places[0].Moving = true }},
		{"waiting", func(in *Input) { in.Places[0] = Place{Environment: in.Places[0].Environment, Moving: true} }},
	}
	for _, c := range cases {
		in := ready()
		c.why(&in)
		moves := Next(in)
		if len(moves) != 1 || moves[0].Code != c.code || moves[0].Held == "" {
			t.Errorf("want one move held for %s, got %+v", c.code, moves)
		}
	}
}

// What somebody took the target back from comes in when upstream says it anew,
// in content or beside it, when the branch is gone, or when a person asks.
func TestWhatWasTakenBackComesAgain(t *testing.T) {
	key := record.Key{Content: "new", Overlay: "o-staging"}
	back := func() Input {
		in := ready()
		in.Places[0].Since, in.Places[0].At = in.Now.Add(-3*time.Hour), in.Now.Add(-3*time.Hour)
		in.Places[1].Left = map[record.Key]Change{key: {At: in.Now.Add(-2 * time.Hour)}}
		return in
	}
	for name, c := range map[string]struct {
		change func(in *Input)
		code   string
	}{
		"as it was":        {func(*Input) {}, "returned"},
		"content anew":     {func(in *Input) { in.Places[0].Since = in.Now.Add(-time.Hour) }, ""},
		"a commit without": {func(in *Input) { in.Places[0].At = in.Now.Add(-time.Hour) }, "returned"},
		"an overlay by hand": {func(in *Input) {
			in.Places[1].HeadKey = record.Key{Content: "new", Overlay: "hand"}
			in.Places[1].Seen["new"] = true
			in.Places[0].Since = in.Now.Add(-time.Hour)
		}, "returned"},
		"an overlay from before": {func(in *Input) {
			in.Places[1].HeadKey = record.Key{Content: "new", Overlay: "hand"}
			in.Places[1].Seen["new"] = true
			in.Places[0].At = in.Now.Add(-time.Hour)
		}, ""},
		"a person asks":      {func(in *Input) { in.Requested = map[string]bool{"staging": true} }, ""},
		"a person approves":  {func(in *Input) { in.Approved = map[string]map[record.Key]bool{"staging": {key: true}} }, ""},
		"the branch is gone": {func(in *Input) { in.Places[1].Head, in.Places[1].Newest = "", key }, ""},
	} {
		in := back()
		c.change(&in)
		if m := Next(in); len(m) == 0 || m[0].Code != c.code {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func TestNothingIsDue(t *testing.T) {
	cases := map[string]func(*Input){
		"the target's head carries it already":     func(in *Input) { in.Places[1].HeadKey = record.Key{Content: "new", Overlay: "o-staging"} },
		"the trees are the same":                   func(in *Input) { in.Places[1].Tree = "t2" },
		"nothing is in force upstream":             func(in *Input) { in.Places[0].InForce = record.Release{} },
		"the upstream is no environment":           func(in *Input) { in.Places[1].Environment.After = []string{"nowhere"} },
		"the target comes after nobody":            func(in *Input) { in.Places[1].Environment.After = nil },
		"one of two upstreams has nothing to give": func(in *Input) { in.Places[1].Environment.After = []string{"nowhere", "preview"} },
	}
	for name, change := range cases {
		in := ready()
		change(&in)
		if moves := Next(in); len(moves) != 0 {
			t.Errorf("%s: got %+v", name, moves)
		}
	}
}

func TestASoakOnceCompletedStays(t *testing.T) {
	in := ready()
	in.Places[0].Soak, in.Places[0].Soaked = 0, 30*time.Minute
	if m := Next(in)[0]; m.Code != "" {
		t.Errorf("soaked before, yet held: %+v", m)
	}
	in.Places[0].Soaked--
	if m := Next(in)[0]; m.Code != "soak" || !m.RecheckAt.Equal(now.Add(30*time.Minute)) {
		t.Errorf("a soak that was broken off counts: %+v", m)
	}
}

func TestSoakSaysWhenToLookAgain(t *testing.T) {
	in := ready()
	in.Places[0].Soak = 10 * time.Minute
	if got := Next(in)[0].RecheckAt; !got.Equal(now.Add(20 * time.Minute)) {
		t.Errorf("recheck at %v", got)
	}
}

func TestAClosedWindowSaysWhenItOpens(t *testing.T) {
	in := ready()
	in.Places[1].Environment.Windows.Allow = []manifest.Window{{Days: []string{"Monday"}, From: "09:00", To: "17:00", Zone: "Europe/Amsterdam"}}
	m := Next(in)[0] // 2026-03-01 is a Sunday
	if want := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC); m.Code != "window" || !m.RecheckAt.Equal(want) {
		t.Fatalf("got %+v, want it to open at %v", m, want)
	}
	in.Outside = map[string]map[record.Key]bool{"staging": {m.Key: true}}
	if m := Next(in)[0]; m.Code != "" {
		t.Errorf("let in, yet held: %+v", m)
	}
	in.Outside, in.Now = nil, m.RecheckAt
	if m := Next(in)[0]; m.Code != "" {
		t.Errorf("open, yet held: %+v", m)
	}
}

func TestAPersonMayAskAndSayWhichWins(t *testing.T) {
	in := ready()
	in.Places[1].Environment.Promotion = "manual"
	in.Requested = map[string]bool{"staging": true}
	if m := Next(in)[0]; m.Code != "" {
		t.Errorf("asked for, yet held: %+v", m)
	}
	in.Places[1].HeadKey.Content = "hotfix"
	if m := Next(in)[0]; m.Code != "diverged" {
		t.Errorf("asking is not saying which wins: %+v", m)
	}
	in.Approved = map[string]map[record.Key]bool{"staging": {{Content: "new", Overlay: "o-staging"}: true}}
	if m := Next(in)[0]; m.Code != "" {
		t.Errorf("approved, yet held: %+v", m)
	}
}

// By pull request content is offered when it could move, unless a person asks
// for the move itself.
func TestContentIsOfferedByPullRequest(t *testing.T) {
	in := ready()
	in.Places[1].Environment.Promotion = "pullRequest"
	if m := Next(in)[0]; m.Code != "" || !m.Offer {
		t.Errorf("want it offered, got %+v", m)
	}
	in.Places[0].Soak = 0
	if m := Next(in)[0]; m.Code != "soak" {
		t.Errorf("offered before its soak: %+v", m)
	}
	in.Places[0].Soak, in.Requested = time.Hour, map[string]bool{"staging": true}
	if m := Next(in)[0]; m.Code != "" || m.Offer {
		t.Errorf("asked for, and only offered: %+v", m)
	}
}

func TestAllUpstreamsMustHaveIt(t *testing.T) {
	in := ready()
	in.Places[2].Environment.After = []string{"preview", "staging"}
	in.Places[1].Tree, in.Places[1].HeadKey = "t2", record.Key{Content: "new", Overlay: "o-staging"}
	moves := Next(in)
	if len(moves) != 1 || moves[0].To != "production" || moves[0].Code != "waiting" {
		t.Fatalf("staging has old content in force: %+v", moves)
	}
	in.Places[1].InForce.Content = "new"
	if m := Next(in); len(m) != 1 || m[0].Code != "" {
		t.Errorf("both have it: %+v", m)
	}
}

// An expired hold, a hold on one resource and one on a drift item stop no
// promotion.
func TestHoldsThatDoNotStopAPromotion(t *testing.T) {
	in := ready()
	in.Places[1].Holds = []record.Hold{
		{Until: now}, {Scope: record.HoldScope{Item: "abc"}}, {Scope: record.HoldScope{Ref: manifest.Ref{Kind: "Queue", Name: "q"}}},
	}
	if m := Next(in)[0]; m.Code != "" {
		t.Errorf("held: %+v", m)
	}
}

// Taking evidence away never frees a move that was held; adding a hold, a
// quarantine or a broken contract neither.
func TestLessEvidenceNeverMovesMore(t *testing.T) {
	worsen := []func(*Place){
		func(p *Place) { p.Checks = nil },
		func(p *Place) { p.Healthy = false },
		func(p *Place) { p.Soak, p.Soaked = 0, 0 },
		func(p *Place) { p.Holds = append(p.Holds, record.Hold{Owner: "x", Reason: "y"}) },
		func(p *Place) { p.BrokenContract = []string{"gone"} },
		func(p *Place) { p.Seen = nil },
		func(p *Place) { p.InForce = record.Release{} },
		func(p *Place) { p.Environment.Promotion = "manual" },
		func(p *Place) {
			p.Environment.Windows.Deny = append(p.Environment.Windows.Deny, manifest.Window{From: "11:00", To: "13:00"})
		},
	}
	rapid.Check(t, func(rt *rapid.T) {
		in := ready()
		for range rapid.IntRange(0, 3).Draw(rt, "before") {
			worsen[rapid.IntRange(0, len(worsen)-1).Draw(rt, "how")](&in.Places[rapid.IntRange(0, 2).Draw(rt, "where")])
		}
		free := freed(in)
		worsen[rapid.IntRange(0, len(worsen)-1).Draw(rt, "last")](&in.Places[rapid.IntRange(0, 2).Draw(rt, "at")])
		for to := range freed(in) {
			if !free[to] {
				rt.Fatalf("less evidence freed the move into %s", to)
			}
		}
	})
}

func freed(in Input) map[string]bool {
	free := map[string]bool{}
	for _, m := range Next(in) {
		if m.Code == "" {
			free[m.To] = true
		}
	}
	return free
}

// Whatever the pipeline looks like: what moves is what every upstream has in
// force, into an environment that comes after them, from the head it was
// judged at; a move that is held says by which name and why.
func TestOnlyWhatIsInForceUpstreamMoves(t *testing.T) {
	contents := []string{"", "old", "new", "newer"}
	rapid.Check(t, func(rt *rapid.T) {
		in := ready()
		for i := range in.Places {
			p := &in.Places[i]
			p.InForce.Content = rapid.SampledFrom(contents).Draw(rt, "in force")
			p.HeadKey.Content = rapid.SampledFrom(contents[1:]).Draw(rt, "head")
			p.InForceTree, p.Tree = p.InForce.Content, p.HeadKey.Content
			p.Moving = rapid.IntRange(0, 3).Draw(rt, "moving") == 0
			p.Healthy = rapid.IntRange(0, 3).Draw(rt, "healthy") > 0
			p.Soak = time.Duration(rapid.IntRange(0, 60).Draw(rt, "soak")) * time.Minute
			p.Seen = map[string]bool{"old": true, "new": true, "newer": true}
			p.Checks = []record.CheckResult{{Key: p.InForce.Key(), Name: "smoke", Passed: rapid.Bool().Draw(rt, "passed")}}
			if rapid.IntRange(0, 4).Draw(rt, "held") == 0 {
				p.Holds = []record.Hold{{Owner: "ann", Reason: "r"}}
			}
		}
		in.Places[2].Environment.After = rapid.SampledFrom([][]string{{"staging"}, {"preview"}, {"preview", "staging"}}).Draw(rt, "after")
		in.Rendered = map[string]map[string]record.Key{}
		for _, from := range in.Places {
			in.Rendered[from.Environment.Name] = map[string]record.Key{}
			for _, to := range in.Places {
				in.Rendered[from.Environment.Name][to.Environment.Name] = record.Key{Content: from.InForce.Content, Overlay: to.HeadKey.Overlay}
			}
		}
		for _, m := range Next(in) {
			checkMove(rt, in, m)
		}
	})
}

func checkMove(rt *rapid.T, in Input, m Move) {
	at := map[string]*Place{}
	for i := range in.Places {
		at[in.Places[i].Environment.Name] = &in.Places[i]
	}
	to := at[m.To]
	if (m.Code == "") != (m.Held == "") {
		rt.Fatalf("held %q for %q", m.Held, m.Code)
	}
	if m.Code != "" {
		return
	}
	if len(to.Holds) > 0 || m.Expect != to.Head || m.Key.Content == to.HeadKey.Content && m.Key == to.HeadKey {
		rt.Fatalf("%+v into %+v", m, to)
	}
	for _, name := range to.Environment.After {
		up := at[name]
		if up.InForce.Content != m.Key.Content || up.Moving || !up.Healthy || len(up.Holds) > 0 || up.Soak < time.Duration(up.Environment.Soak) ||
			len(up.Environment.Checks) > 0 && !up.Checks[0].Passed {
			rt.Fatalf("%+v moves, and upstream is %+v", m, up)
		}
	}
}
