package rollout

import (
	"slices"
	"time"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// Do is what has to be done about one dead man's switch.
type Do string

const (
	DoWrite  Do = "write"   // it is not there, or not as it must be
	DoPutOff Do = "put off" // it acts too soon
	DoAsk    Do = "ask"     // whether it is still there: traffic is back, and nobody here sent it
	DoAwait  Do = "await"   // its time has come: it may be about to act
	DoRemove Do = "remove"  // nothing moves any more that it would take back
	DoGoBack Do = "go back" // it took traffic back
	DoLook   Do = "look"    // at the alias: the switch went away after the last look
)

// Duty is one of them, about one alias.
type Duty struct {
	Alias   manifest.Ref
	Version string // that traffic has to go back to
	Do      Do
}

// Guarded is what is known about the switches of a rollout.
type Guarded struct {
	After time.Duration // how long nobody looks until they act
	Group string        // that they are kept in
	// Entering: no traffic has moved yet, so that traffic at stable is no sign of
	// anything.
	Entering bool
	Switches map[manifest.Ref]record.Switch
	Live     map[manifest.Ref]providers.Live // of the aliases, as far as they were seen
}

// grace is how late a platform may be: EventBridge Scheduler begins within the
// minute, and the call takes its time.
const grace = 2 * time.Minute

// Duties are what has to be done about the dead man's switches now, sorted by
// alias. Traffic may move while nothing is to be written, put off, awaited or
// looked at.
//
//	moving, no switch                       write
//	moving, a third of the time is used     put off
//	moving, its time has come               await it, then write it anew
//	moving, but traffic is back at stable   ask for it: gone means it acted
//	gone, and traffic is back at stable     acted
//	gone, and traffic is not                write
//	somebody else moved the alias           remove: it would undo what a person did
//	it is kept in another group             remove, and then write
//	before traffic moves, and on the way back to the same version: nothing
//	anything else                           remove
func (s State) Duties(g Guarded, now time.Time) []Duty {
	var out []Duty
	spoken := map[manifest.Ref]bool{}
	for _, f := range s.Functions {
		if !f.shifts() || f.Stable == "" {
			continue
		}
		switch {
		case s.exposed(f):
			spoken[f.Alias] = true
			if do := s.duty(f, g, now); do != "" {
				out = append(out, Duty{f.Alias, f.Stable, do})
			}
		case s.Phase == Expand, s.Phase == Check, s.Phase == Back:
			spoken[f.Alias] = g.Switches[f.Alias].Version == f.Stable // it would change nothing
		}
	}
	for alias, sw := range g.Switches {
		if !spoken[alias] {
			out = append(out, Duty{alias, sw.Version, DoRemove})
		}
	}
	slices.SortFunc(out, func(a, b Duty) int { return a.Alias.Compare(b.Alias) })
	return out
}

// exposed: calls go, or are about to, to a version that is not proved yet.
func (s State) exposed(f Function) bool {
	return s.Phase == Shift && s.Weight > 0 && f.New != ""
}

func (s State) duty(f Function, g Guarded, now time.Time) Do {
	sw, there := g.Switches[f.Alias]
	live, seen := g.Live[f.Alias]
	seen = seen && live.Exists
	back := seen && live.Routing == (providers.Routing{Version: f.Stable})
	switch {
	case seen && !back && !s.asked(f, live.Routing):
		if there {
			return DoRemove
		}
		return ""
	case there && sw.Group != g.Group:
		return DoRemove
	case g.Entering && there && !now.Before(sw.Acts):
		return DoWrite // it acted, or may have, and changed nothing
	case !there, sw.Version != f.Stable, sw.State == record.SwitchAsked:
		return DoWrite
	case g.Entering && sw.State == record.SwitchLost:
		return DoWrite
	case sw.State == record.SwitchLost:
		if !seen || !live.SeenAt.After(sw.Since) {
			return DoLook
		}
		if back {
			return DoGoBack
		}
		return DoWrite
	case back && !g.Entering:
		return DoAsk
	case !now.Before(sw.Acts.Add(grace)):
		return DoWrite
	case !now.Before(sw.Acts):
		return DoAwait
	case sw.Acts.Sub(now) < g.After-g.After/3:
		return DoPutOff
	}
	return ""
}

// asked: this rollout can have asked for such a routing so far.
func (s State) asked(f Function, r providers.Routing) bool {
	if r == (providers.Routing{Version: f.New}) {
		return s.Highest() >= providers.Percent(100)
	}
	return r.Version == f.Stable && r.Canary == f.New && r.Weight <= s.Highest()
}

// Highest is the highest weight that the stages so far asked for.
func (s State) Highest() providers.Weight {
	high := s.Weight
	for i, stage := range s.Stages {
		if i <= s.Stage {
			high = max(high, stage.Weight)
		}
	}
	return providers.Percent(high)
}
