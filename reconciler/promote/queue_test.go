package promote

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
	"pgregory.net/rapid"
)

// line is two environments, the second of which takes one after another, and
// what a shell would remember between looks.
type line struct {
	up, to        Place
	queue         []record.Queued
	last          record.Key
	requested     bool
	joined, moved []string
	n             int
}

func newLine() *line {
	l := &line{
		up: Place{Known: true, Environment: manifest.Environment{Name: "staging", Soak: manifest.Duration(30 * time.Minute), Checks: []manifest.Check{{Name: "smoke"}}}, Seen: map[string]bool{"": true}},
		to: Place{Environment: manifest.Environment{Name: "production", After: []string{"staging"}, Promotion: "auto", Take: TakeQueue, Checks: []manifest.Check{{Name: "load"}}},
			Quarantined: map[record.Key]bool{}},
	}
	l.to.Healthy = true
	return l
}

func (l *line) input() Input {
	in := Input{Now: now, Places: []Place{l.up, l.to}, Requested: map[string]bool{"production": l.requested},
		Queues: map[string][]record.Queued{"production": l.queue}, Last: map[string]record.Key{"production": l.last}}
	in.Rendered = map[string]map[string]record.Key{"staging": {}}
	if l.up.InForce.Content != "" {
		in.Rendered["staging"]["production"] = record.Key{Content: l.up.InForce.Content, Overlay: "o-production"}
	}
	return in
}

// brings another content into force upstream, not ready yet.
func (l *line) brings(content string) {
	l.n++
	l.up.InForce = record.Release{Commit: fmt.Sprint("c", l.n), Content: content, Overlay: "o-staging", Digest: fmt.Sprint("r", l.n)}
	l.up.Seen[content], l.up.Healthy, l.up.Soak = true, true, 0
	l.up.Checks = []record.CheckResult{{Key: l.up.InForce.Key(), Name: "smoke", Passed: true}}
}

// look does what a shell does: content joins, and the first moves.
func (l *line) look() (code string) {
	for _, q := range Joins(l.input()).Join {
		l.queue, l.last, l.joined = append(l.queue, q), q.Key, append(l.joined, q.Release.Commit)
	}
	for _, m := range Next(l.input()) {
		if m.Code != "" {
			return m.Code
		}
		l.moved = append(l.moved, m.Commit)
		l.to.Head, l.to.HeadKey = "head-"+m.Commit, m.Key
		l.queue = l.queue[1:]
	}
	return ""
}

// settles: what came in is in force in the target and checked.
func (l *line) settles() {
	l.to.InForce = record.Release{Content: l.to.HeadKey.Content, Overlay: l.to.HeadKey.Overlay, Digest: l.to.Head}
	l.to.Checks = []record.CheckResult{{Key: l.to.HeadKey, Name: "load", Passed: true}}
}

// Whatever happens meanwhile: what joined comes in in that order, each once,
// but for what people rejected; nothing joins that was not ready, and nothing
// moves before the one before it has settled.
func TestAQueueKeepsOrderAndLosesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLine()
		contents, next := []string{}, 0
		rejected := map[string]bool{}
		ready := map[string]bool{}
		for range rapid.IntRange(1, 60).Draw(rt, "events") {
			switch rapid.IntRange(0, 5).Draw(rt, "event") {
			case 0: // new content, or an earlier one again
				content := fmt.Sprint("content-", next)
				if len(contents) > 0 && rapid.IntRange(0, 4).Draw(rt, "again") == 0 {
					content = rapid.SampledFrom(contents).Draw(rt, "which")
				} else {
					next++
					contents = append(contents, content)
				}
				if content != l.up.InForce.Content {
					l.brings(content)
				}
			case 1:
				l.up.Soak = time.Hour
				ready[l.up.InForce.Commit] = true
			case 2:
				if l.to.Head != "" {
					l.settles()
				}
			case 3:
				if len(l.queue) > 0 {
					i := rapid.IntRange(0, len(l.queue)-1).Draw(rt, "rejected")
					rejected[l.queue[i].Release.Commit] = true
					l.queue = slices.Delete(slices.Clone(l.queue), i, i+1)
				}
			case 4:
				l.to.Holds = nil
				if rapid.Bool().Draw(rt, "held") {
					l.to.Holds = []record.Hold{{Owner: "ann", Reason: "freeze"}}
				}
			}
			before := len(l.moved)
			settled := l.to.Head == "" || l.to.InForce.Digest == l.to.Head
			l.look()
			if len(l.moved) > before && (!settled || len(l.to.Holds) > 0) {
				rt.Fatalf("%s moves while %s is not settled, or held", l.moved[before], l.to.Head)
			}
			if len(l.queue) > MaxQueue {
				rt.Fatalf("%d wait", len(l.queue))
			}
		}
		l.to.Holds = nil
		for range 2 * (MaxQueue + 1) {
			if l.to.Head != "" {
				l.settles()
			}
			l.look()
		}
		want := slices.DeleteFunc(slices.Clone(l.joined), func(c string) bool { return rejected[c] })
		if !slices.Equal(l.moved, want) {
			rt.Fatalf("joined %v, of them rejected %v; moved %v", l.joined, rejected, l.moved)
		}
		for _, c := range l.joined {
			if !ready[c] {
				rt.Fatalf("%s joined before it was ready", c)
			}
		}
	})
}

// The latest skips what lies between, in turn nothing is skipped.
func TestLatestSkipsWhatAQueueDoesNot(t *testing.T) {
	for take, want := range map[string][]string{"latest": {"c1", "c3"}, TakeQueue: {"c1", "c2", "c3"}} {
		l := newLine()
		l.to.Environment.Take = take
		var moved []string
		pass := func() {
			for _, q := range Joins(l.input()).Join {
				l.queue, l.last = append(l.queue, q), q.Key
			}
			for _, m := range Next(l.input()) {
				if m.Code == "" && !l.to.Moving {
					moved = append(moved, m.Commit)
					l.to.Head, l.to.HeadKey = "head-"+m.Commit, m.Key
					l.queue = l.queue[min(1, len(l.queue)):]
				}
			}
		}
		for i, content := range []string{"a", "b", "c"} {
			l.brings(content)
			l.up.Soak = time.Hour
			pass()
			l.to.Moving = i < 2 // the first is on its way
		}
		for range 3 {
			l.settles()
			pass()
		}
		if !slices.Equal(moved, want) {
			t.Errorf("take %s: %v came in, want %v", take, moved, want)
		}
	}
}

// Why the first of a queue waits.
func TestTheFirstOfAQueueWaitsFor(t *testing.T) {
	for name, c := range map[string]struct {
		code   string
		change func(*line)
	}{
		"the one before moves":            {"waiting", func(l *line) { l.to.Moving = true }},
		"the one before is not released":  {"waiting", func(l *line) { l.to.InForce = record.Release{} }},
		"the one before failed its check": {"checks", func(l *line) { l.to.Checks[0].Passed = false }},
		"the one before is not soaked":    {"soak", func(l *line) { l.to.Environment.Soak = manifest.Duration(time.Hour) }},
		"the target is not well":          {"unhealthy", func(l *line) { l.to.Healthy = false }},
		"the target is held":              {"hold", func(l *line) { l.to.Holds = []record.Hold{{Owner: "ann"}} }},
		"its check upstream fails by now": {"checks", func(l *line) { l.up.Checks[0].Passed = false }},
		"it does not render any more":     {"invalid", func(l *line) { l.queue[0].Key = record.Key{} }},
		"a person asks for each":          {"manual", func(l *line) { l.to.Environment.Promotion = "manual" }},
		"a person asked":                  {"", func(l *line) { l.to.Environment.Promotion, l.requested, l.to.Healthy = "manual", true, false }},
		"the one before failed for good":  {"", func(l *line) { l.to.InForce, l.to.Quarantined[l.to.HeadKey] = record.Release{}, true }},
		"upstream has gone on":            {"", func(l *line) { l.brings("later") }},
		"nothing":                         {"", func(*line) {}},
	} {
		l := newLine()
		l.brings("first")
		l.up.Soak = time.Hour
		l.look()
		l.settles()
		l.to.Moving = true
		l.brings("second")
		l.up.Soak = time.Hour
		l.look()
		l.to.Moving = false
		c.change(l)
		if got := l.look(); got != c.code || (c.code == "") != (len(l.moved) == 2) {
			t.Errorf("%s: held for %q, moved %v; want %q", name, got, l.moved, c.code)
		}
	}
}

// A queue has an end, and says so; what left leaves its place to the next.
func TestAQueueIsBounded(t *testing.T) {
	l := newLine()
	l.to.Holds = []record.Hold{{Owner: "ann"}}
	for i := range MaxQueue {
		l.brings(fmt.Sprint(i))
		l.up.Soak = time.Hour
		l.look()
	}
	l.brings("one more")
	l.up.Soak = time.Hour
	if j := Joins(l.input()); len(l.queue) != MaxQueue || len(j.Join) != 0 || !slices.Equal(j.Full, []string{"production"}) {
		t.Fatalf("%d wait, %+v", len(l.queue), j)
	}
	l.queue = slices.Delete(l.queue, 7, 8)
	if j := Joins(l.input()); len(j.Join) != 1 || j.Join[0].Slot != 7 {
		t.Errorf("with room: %+v", j)
	}
	l.up.Soak = 10 * time.Minute
	if j := Joins(l.input()); len(j.Join) != 0 || !j.RecheckAt.Equal(now.Add(20*time.Minute)) {
		t.Errorf("before its soak: %+v", j)
	}
}

// After a restart the queue is there before anything is known of the
// environments before: neither whether they are held, nor what they ever carried.
func TestAQueueWaitsForALookUpstream(t *testing.T) {
	l := newLine()
	l.brings("a")
	l.up.Soak = time.Hour
	if l.look(); len(l.moved) != 1 {
		t.Fatalf("moved %v", l.moved)
	}
	l.settles()
	l.to.Holds = []record.Hold{{Owner: "ann", Reason: "freeze"}}
	l.brings("b")
	l.up.Soak = time.Hour
	l.look()
	l.to.Holds = nil
	up := l.up
	l.up = Place{Environment: up.Environment, Moving: true}
	if code := l.look(); code != "waiting" || len(l.queue) != 1 {
		t.Errorf("%q, %d wait", code, len(l.queue))
	}
	l.up = up
	if code := l.look(); code != "" || len(l.moved) != 2 {
		t.Errorf("%q, moved %v", code, l.moved)
	}
}
