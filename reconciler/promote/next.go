package promote

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// Next names the moves that are due, in the pipeline's order: for each
// environment that comes after others, the content that all of them have in
// force and that it does not carry yet. A move that must wait says why. It is
// a function of its input alone.
func Next(in Input) []Move {
	places := make(map[string]*Place, len(in.Places))
	for i := range in.Places {
		places[in.Places[i].Environment.Name] = &in.Places[i]
	}
	var moves []Move
	for i := range in.Places {
		to := &in.Places[i]
		if len(to.Environment.After) == 0 {
			continue
		}
		if m, due := next(in, places, to); due {
			moves = append(moves, m)
		}
	}
	return moves
}

// next is the move into one environment; due is false when there is nothing
// to move.
func next(in Input, places map[string]*Place, to *Place) (Move, bool) {
	ups, ok := upstream(places, to)
	if !ok {
		return Move{}, false
	}
	if code, why := lookedAt(ups); code != "" {
		return Move{From: ups[0].Environment.Name, To: to.Environment.Name, Expect: to.Head, Code: code, Held: why}, true
	}
	if queue := in.Queues[to.Environment.Name]; len(queue) > 0 && to.Environment.Take == TakeQueue {
		return first(in, ups, to, queue[0]), true
	}
	from := ups[0]
	if from.InForce.Content == "" {
		return Move{}, false // nothing is in force there to be moved
	}
	key, rendered := in.Rendered[from.Environment.Name][to.Environment.Name]
	if isThere(in, from, to) {
		return behind(in, ups, to)
	}
	m := Move{From: from.Environment.Name, To: to.Environment.Name, Commit: from.InForce.Commit, Expect: to.Head, Key: key}
	m.Offer = to.Environment.Promotion == "pullRequest" && !in.Requested[m.To]
	m.Code, m.Held, m.RecheckAt = judge(in, ups, to, key, rendered)
	if m.Code == "" && to.Environment.Take == TakeQueue {
		return Move{}, false // it went through the queue before
	}
	return m, true
}

// isThere: the target's head is what an environment before it has in force.
func isThere(in Input, up, to *Place) bool {
	key, rendered := in.Rendered[up.Environment.Name][to.Environment.Name]
	return rendered && key == to.HeadKey && !to.HeadInvalid || up.InForceTree == to.Tree && to.Tree != ""
}

// behind: the first of those before has in force what the target has, and
// another of them has something else, which waits for the first; due is false
// where they agree. Where another is the one behind, judge says so.
func behind(in Input, ups []*Place, to *Place) (m Move, due bool) {
	first := ups[0]
	for _, up := range ups[1:] {
		if up.InForce.Content == "" || up.InForce.Content == first.InForce.Content || isThere(in, up, to) {
			continue
		}
		name := up.Environment.Name
		return Move{
			From: name, To: to.Environment.Name, Commit: up.InForce.Commit, Expect: to.Head, Key: in.Rendered[name][to.Environment.Name],
			Code: CodeWaiting, Held: fmt.Sprintf("%s has other content in force than %s: %s takes what both have", name, first.Environment.Name, to.Environment.Name),
		}, true
	}
	return Move{}, false
}

// first is the move of what is first in a queue.
func first(in Input, ups []*Place, to *Place, q record.Queued) Move {
	m := Move{From: q.From, To: to.Environment.Name, Commit: q.Release.Commit, Expect: to.Head, Key: q.Key}
	m.Offer = to.Environment.Promotion == "pullRequest" && !in.Requested[m.To]
	m.Code, m.Held, m.RecheckAt = inTurn(in, ups, to, q)
	return m
}

// upstream finds every environment a target comes after, in the order the
// target names them; ok is false when one is unknown.
func upstream(places map[string]*Place, to *Place) ([]*Place, bool) {
	var ups []*Place
	for _, name := range to.Environment.After {
		p, ok := places[name]
		if !ok {
			return nil, false
		}
		ups = append(ups, p)
	}
	return ups, true
}

// lookedAt: every upstream was. After a restart nothing is known of one that
// was not: neither that there is nothing to move, nor that it is not held.
func lookedAt(ups []*Place) (string, string) {
	for _, up := range ups {
		if !up.Known {
			return CodeWaiting, up.Environment.Name + " was not looked at yet"
		}
	}
	return "", ""
}

// judge says why a move is not to be made now; the empty code when it may be.
// What only people can change is told before what time will.
func judge(in Input, ups []*Place, to *Place, key record.Key, rendered bool) (code, why string, recheck time.Time) {
	if !rendered {
		return "invalid", "the content does not render for " + to.Environment.Name, time.Time{}
	}
	for _, rule := range []func() (string, string){
		func() (string, string) { return together(ups) },
		func() (string, string) { return fit(in, ups, to, key) },
		func() (string, string) { return held(in.Now, ups, to) },
		func() (string, string) { return evidence(ups) },
		func() (string, string) { return wanted(in, to) },
	} {
		if code, why := rule(); code != "" {
			return code, why, time.Time{}
		}
	}
	if code, why, recheck := soaked(in.Now, ups); code != "" {
		return code, why, recheck
	}
	return windowed(in, to, key)
}

// windowed: content comes in while the target's windows are open, or by a
// person's word.
func windowed(in Input, to *Place, key record.Key) (code, why string, recheck time.Time) {
	name, set := to.Environment.Name, to.Environment.Windows.Set()
	if set.Open(in.Now) || in.Outside[name][key] {
		return "", "", time.Time{}
	}
	next := set.NextChange(in.Now)
	if next.IsZero() {
		return "window", "no window of " + name + " opens in sight: approve this content if it is to come in outside of them", next
	}
	return "window", fmt.Sprintf("the window of %s opens at %s", name, next.UTC().Format(time.RFC3339)), next
}

// together: all of several upstreams have released the very same content.
func together(ups []*Place) (string, string) {
	for _, up := range ups {
		switch {
		case up.InForce.Content == "":
			return CodeWaiting, up.Environment.Name + " has nothing in force"
		case up.InForce.Content != ups[0].InForce.Content:
			return CodeWaiting, fmt.Sprintf("%s and %s have different contents in force", ups[0].Environment.Name, up.Environment.Name)
		case up.Moving:
			return CodeWaiting, up.Environment.Name + " is moving to another release"
		}
	}
	return "", ""
}

// fit: the target can take it.
func fit(in Input, ups []*Place, to *Place, key record.Key) (string, string) {
	name := to.Environment.Name
	switch {
	case to.Quarantined[key]:
		return "quarantined", "this content failed in " + name + " before: it is not tried again until it changes or a person retries it"
	case diverged(ups, to) && !in.Approved[name][key]:
		return "diverged", name + " carries content that was never seen upstream: approve this one if it is to win"
	case returned(ups, to, key) && !in.Approved[name][key] && !in.Requested[name]:
		return "returned", replaced(to, key) + ": it comes in again when a person asks for it (`mooring promote`), or with the next change"
	case len(to.BrokenContract) > 0:
		return "contract", name + " lacks what the code expects: " + strings.Join(to.BrokenContract, "; ")
	}
	return "", ""
}

// diverged: the target's head holds what no upstream ever admitted. A branch
// that does not exist yet, or holds what the target itself never took, cannot
// have gone another way.
func diverged(ups []*Place, to *Place) bool {
	if to.Head == "" {
		return false
	}
	if to.HeadInvalid {
		return true // nobody knows what it holds
	}
	return !slices.ContainsFunc(ups, func(up *Place) bool { return up.Seen[to.HeadKey.Content] })
}

// replaced tells which commit took the place of what the target had: one of
// Mooring's own is nobody's revert.
func replaced(to *Place, key record.Key) string {
	by, had := to.Left[key]
	if !had {
		by = to.HeadBy
	}
	name, commit := to.Environment.Name, fmt.Sprintf("commit %.12s", by.Commit)
	switch {
	case by.Commit == "":
		return "something else was brought to " + name + " in place of this content"
	case by.From != "":
		return fmt.Sprintf("Mooring itself brought what %s had to %s in place of this content, with %s", by.From, name, commit)
	case by.Author != "":
		commit += " of " + by.Author
	}
	return fmt.Sprintf("%s took %s back from this content", commit, name)
}

// returned: the target had it, and a commit of its branch brought something
// else since, as a revert does, while upstream released nothing new. A word
// said on one branch is not taken back by what another said before.
func returned(ups []*Place, to *Place, key record.Key) bool {
	if to.Head == "" {
		return false // a branch that is gone says nothing
	}
	if to.Newest == key {
		return true // the head is not admitted, and is another
	}
	left, had := to.Left[key]
	return had && !slices.ContainsFunc(ups, func(up *Place) bool {
		said := up.Since
		if to.HeadKey.Content == key.Content {
			said = up.At // only what is beside the content differs
		}
		return said.After(left.At)
	})
}

// held: an active hold on either side stops it.
func held(now time.Time, ups []*Place, to *Place) (string, string) {
	all := slices.Clone(ups)
	if to != nil {
		all = append(all, to)
	}
	for _, p := range all {
		for _, h := range p.Holds {
			if h.Active(now) && h.Scope.Item == "" && h.Scope.Ref == (manifest.Ref{}) {
				return "hold", fmt.Sprintf("%s is held by %s: %s", p.Environment.Name, h.Owner, h.Reason)
			}
		}
	}
	return "", ""
}

// evidence: every upstream is healthy, and its declared checks have passed on
// this content. A check that was not run has not passed.
func evidence(ups []*Place) (string, string) {
	for _, up := range ups {
		if !up.Healthy {
			return "unhealthy", up.Environment.Name + " is not healthy"
		}
		for _, check := range up.Environment.Checks {
			i := slices.IndexFunc(up.Checks, func(r record.CheckResult) bool {
				return r.Name == check.Name && r.Key == up.InForce.Key()
			})
			switch {
			case i < 0 && check.Verdict != nil:
				return "checks", fmt.Sprintf("check %s of %s waits for a verdict on this content", check.Name, up.Environment.Name)
			case i >= 0 && up.Checks[i].Unknown:
				return "checks", fmt.Sprintf("check %s of %s had no answer: %s", check.Name, up.Environment.Name, up.Checks[i].Detail)
			case i < 0:
				return "checks", fmt.Sprintf("check %s of %s has not run on this content", check.Name, up.Environment.Name)
			case !up.Checks[i].Passed:
				return "checks", fmt.Sprintf("check %s of %s failed: %s", check.Name, up.Environment.Name, up.Checks[i].Detail)
			}
		}
	}
	return "", ""
}

// wanted: the environment takes content by itself, it is offered to people who
// merge it, or a person asked.
func wanted(in Input, to *Place) (string, string) {
	if in.Requested[to.Environment.Name] || to.Environment.Promotion == "auto" || to.Environment.Promotion == "pullRequest" {
		return "", ""
	}
	return "manual", to.Environment.Name + " takes content when a person asks for it"
}

// soaked: every upstream was watched in force and healthy for its time.
func soaked(now time.Time, ups []*Place) (code, why string, recheck time.Time) {
	for _, up := range ups {
		need := time.Duration(up.Environment.Soak)
		if max(up.Soak, up.Soaked) >= need {
			continue
		}
		if at := now.Add(need - up.Soak); at.After(recheck) {
			recheck = at
		}
		code = "soak"
		why = fmt.Sprintf("%s has soaked %s of %s", up.Environment.Name, up.Soak.Round(time.Second), need)
	}
	return code, why, recheck
}
