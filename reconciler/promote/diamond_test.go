package promote

import (
	"testing"
	"time"

	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// diamond is preview, two stagings after it, and production after both. All
// carry "old"; preview and both stagings have "new" in force, proved.
func diamond() Input {
	release := func(content, overlay string) record.Release {
		return record.Release{Commit: "c-" + content, Content: content, Overlay: overlay, Digest: "r-" + content + overlay}
	}
	place := func(name, content string, after ...string) Place {
		return Place{
			Environment: manifest.Environment{Name: name, After: after, Promotion: "auto", Soak: manifest.Duration(30 * time.Minute)}, Known: true,
			Head: "head-" + name, Tree: "t-" + content, HeadKey: record.Key{Content: content, Overlay: "o-" + name},
			InForce: release(content, "o-"+name), InForceTree: "t-" + content, Healthy: true, Soak: time.Hour,
			Seen: map[string]bool{"old": true, content: true},
		}
	}
	in := Input{Now: now, Rendered: map[string]map[string]record.Key{}}
	in.Places = []Place{place("preview", "new"), place("staging-a", "new", "preview"), place("staging-b", "new", "preview"), place("production", "old", "staging-a", "staging-b")}
	for _, from := range in.Places[:3] {
		in.Rendered[from.Environment.Name] = map[string]record.Key{}
		for _, to := range in.Places[1:] {
			in.Rendered[from.Environment.Name][to.Environment.Name] = record.Key{Content: from.InForce.Content, Overlay: "o-" + to.Environment.Name}
		}
	}
	return in
}

// brings another content into force in one of them.
func (in *Input) brings(i int, content string) {
	p := &in.Places[i]
	p.InForce.Content, p.InForce.Commit, p.InForce.Digest = content, "c-"+content, "r-"+content
	p.HeadKey.Content, p.Tree, p.InForceTree, p.Seen[content] = content, "t-"+content, "t-"+content, true
	for to, key := range in.Rendered[p.Environment.Name] {
		key.Content = content
		in.Rendered[p.Environment.Name][to] = key
	}
}

// What comes after two needs both: on the same content, at rest, proved, and
// neither held. Either one alone moves nothing, and holds nothing up beside.
func TestADiamondNeedsBothSides(t *testing.T) {
	const preview, a, b, production = 0, 1, 2, 3
	cases := map[string]struct {
		why  func(*Input)
		code string // of the move into production; "" for made
		none bool   // there is no such move
	}{
		"both are ready":            {func(*Input) {}, "", false},
		"one is behind":             {func(in *Input) { in.brings(b, "old") }, "waiting", false},
		"the other is behind":       {func(in *Input) { in.brings(a, "old") }, "waiting", false}, // its content is here
		"one is ahead":              {func(in *Input) { in.brings(a, "newer") }, "waiting", false},
		"the other is ahead":        {func(in *Input) { in.brings(b, "newer") }, "waiting", false},
		"both are ahead, apart":     {func(in *Input) { in.brings(a, "x"); in.brings(b, "y") }, "waiting", false},
		"both are ahead of preview": {func(in *Input) { in.brings(preview, "newest") }, "", false},
		"one moves":                 {func(in *Input) { in.Places[b].Moving = true }, "waiting", false},
		"one has nothing":           {func(in *Input) { in.Places[b].InForce = record.Release{} }, "waiting", false},
		"one was not looked at":     {func(in *Input) { in.Places[b] = Place{Environment: in.Places[b].Environment, Moving: true} }, "waiting", false},
		"one is held":               {func(in *Input) { in.Places[b].Holds = []record.Hold{{Owner: "ann", Reason: "freeze"}} }, "hold", false},
		"preview is held":           {func(in *Input) { in.Places[preview].Holds = []record.Hold{{Owner: "ann", Reason: "freeze"}} }, "", false},
		"one resource there is held": {func(in *Input) {
			in.Places[b].Holds = []record.Hold{{Owner: "ann", Scope: record.HoldScope{Ref: manifest.Ref{Kind: "Function", Name: "f"}}}}
		}, "", false},
		"a hold that ran out": {func(in *Input) { in.Places[b].Holds = []record.Hold{{Owner: "ann", Until: now}} }, "", false},
		"one is not healthy":  {func(in *Input) { in.Places[b].Healthy = false }, "unhealthy", false},
		"one has not soaked":  {func(in *Input) { in.Places[b].Soak = time.Minute }, "soak", false},
		"one soaked before":   {func(in *Input) { in.Places[b].Soak, in.Places[b].Soaked = time.Minute, time.Hour }, "", false},
		"one lacks a check": {func(in *Input) {
			in.Places[b].Environment.Checks = []manifest.Check{{Name: "smoke"}}
		}, "checks", false},
		"one's check is of other content": {func(in *Input) {
			in.Places[b].Environment.Checks = []manifest.Check{{Name: "smoke"}}
			in.Places[b].Checks = []record.CheckResult{{Name: "smoke", Passed: true, Key: in.Places[a].InForce.Key()}}
		}, "checks", false},
		"seen on one side only": {func(in *Input) { delete(in.Places[b].Seen, "old") }, "", false},
		"seen on neither side":  {func(in *Input) { delete(in.Places[a].Seen, "old"); delete(in.Places[b].Seen, "old") }, "diverged", false},
		"a window of here": {func(in *Input) {
			in.Places[production].Environment.Windows.Deny = []manifest.Window{{From: "11:00", To: "13:00"}}
		}, "window", false},
	}
	for name, c := range cases {
		in := diamond()
		c.why(&in)
		var into []Move
		for _, m := range Next(in) {
			if m.To == "production" {
				into = append(into, m)
			}
		}
		switch {
		case c.none != (len(into) == 0):
			t.Errorf("%s: moves %+v", name, into)
		case !c.none && (into[0].Code != c.code || (into[0].Held == "") != (c.code == "")):
			t.Errorf("%s: %q (%s), want %q", name, into[0].Code, into[0].Held, c.code)
		case !c.none && c.code == "" && into[0].Commit != in.Places[a].InForce.Commit:
			t.Errorf("%s: brings %s", name, into[0].Commit)
		}
	}
}

// Each side takes content for itself: one that is held keeps nothing from the
// other, and production goes on once both have caught up.
func TestOneSideOfADiamondGoesAhead(t *testing.T) {
	in := diamond()
	in.brings(0, "newer")
	in.Places[2].Holds = []record.Hold{{Owner: "ann", Reason: "load test"}}
	codes := map[string]string{}
	for _, m := range Next(in) {
		codes[m.To] = m.Code
	}
	if len(codes) != 3 || codes["staging-a"] != "" || codes["staging-b"] != "hold" || codes["production"] != "hold" {
		t.Errorf("%v", codes)
	}
	in.brings(1, "newer")
	in.Places[2].Holds = nil
	in.brings(2, "newer")
	if moves := Next(in); len(moves) != 1 || moves[0].To != "production" || moves[0].Code != "" || moves[0].Key.Content != "newer" {
		t.Errorf("%+v", moves)
	}
}
