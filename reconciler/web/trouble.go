package web

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Trouble is one thing about an environment that somebody who is woken has to
// know first: what it is, since when, who did it, what Mooring does about it,
// and where to go on.
type Trouble struct {
	Level string // bad, wait, move
	What  string
	Since time.Time // zero where it is not known
	Who   string
	Does  string
	Link  string // within the environment's view
	Press string // what can be done there, by who may
}

// codeWaiting is of content that comes in once other environments have it.
const codeWaiting = "waiting"

// troubles are what is not at rest in an environment, the worst first.
func troubles(e EnvironmentStatus, d *differences, now time.Time) []Trouble {
	var out []Trouble
	if e.LastError != "" {
		out = append(out, Trouble{Level: "bad", What: "cannot be worked on: " + e.LastError, Does: "tries again by itself", Link: "#moves", Press: "look again"})
	}
	if r := e.Rollout; r.Stages > 0 {
		out = append(out, movingTrouble(e, r, now))
	}
	for _, c := range e.Checks {
		switch {
		case c.Unknown:
			out = append(out, Trouble{Level: "wait", What: "check " + c.Name + " has not answered: " + c.Detail, Since: c.At, Link: "#moves"})
		case !c.Passed:
			out = append(out, Trouble{Level: "bad", What: "check " + c.Name + " failed: " + c.Detail, Since: c.At, Link: "#moves", Press: "roll back"})
		}
	}
	out = append(out, d.troubles...)
	out = append(out, holdTroubles(e.Holds)...)
	out = append(out, resourceTroubles(e, d.Drift)...)
	switch {
	case e.PromotionCode == codeWaiting:
		out = append(out, Trouble{Level: "move", What: "content waits to come in, " + e.Promotion, Link: "#moves"})
	case e.Promotion != "":
		out = append(out, Trouble{Level: "wait", What: "content waits to come in, " + e.Promotion, Link: "#approve", Press: "approve or reject"})
	}
	if told := func(t Trouble) bool { return strings.Contains(t.What, e.Reason) }; e.Reason != "" && e.State != "in_sync" && !slices.ContainsFunc(out, told) {
		level := map[string]string{"denied": "bad", "degraded": "bad", "progressing": "move", "unknown": "move"}[e.State]
		out = append(out, Trouble{Level: cmp.Or(level, "wait"), What: e.State + ": " + e.Reason, Link: "#moves"})
	}
	rank := map[string]int{"bad": 0, "wait": 1, "move": 2}
	slices.SortStableFunc(out, func(a, b Trouble) int { return rank[a.Level] - rank[b.Level] })
	return out
}

func movingTrouble(e EnvironmentStatus, r RolloutStatus, now time.Time) Trouble {
	t := Trouble{Level: "move", What: fmt.Sprintf("commit %.12s takes %d%% of calls", e.Commit, r.Weight), Link: "#moves", Press: "abort or pause"}
	if r.Stage > 0 {
		t.What += fmt.Sprintf(", stage %d of %d", r.Stage, r.Stages)
	}
	if r.ElapsedSeconds > 0 {
		t.Since = now.Add(-time.Duration(r.ElapsedSeconds) * time.Second)
	}
	switch {
	case r.Verdict == "fail":
		t.Level, t.What = "bad", t.What+", and fails: "+r.Reason
	case r.Paused != "":
		t.Level, t.What, t.Press = "wait", t.What+", and waits: "+r.Paused, "resume or abort"
	case r.Verdict != "":
		t.What += ", " + r.Verdict
	}
	return t
}

// answers are what Mooring does about a difference, by its response.
var answers = map[string]string{"revert": "puts back", "hold": "holds", "alert": "only tells", "propose": "proposes to declare", "ignore": "lets be"}

func driftTroubles(d Drift) []Trouble {
	if len(d.Items) == 0 {
		return nil
	}
	t := Trouble{Level: "wait", Link: "#drift", Press: "put back or accept", Since: d.Items[0].Since}
	where, who, does, severity := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	for _, it := range d.Items {
		where[it.Resource]++
		name := it.Actor.Name
		if !it.Actor.Known {
			name = "somebody unknown"
		}
		who[name]++
		does[cmp.Or(answers[it.Response], it.Response)]++
		severity[it.Severity]++
		if it.Since.Before(t.Since) {
			t.Since = it.Since
		}
	}
	if severity["high"]+severity["critical"] > 0 {
		t.Level = "bad"
	}
	t.What = fmt.Sprintf("%s on %s: %s", numbered(len(d.Items), "difference", "differences"), numbered(len(where), "resource", "resources"), graded(severity))
	if len(d.Items) == 1 {
		it := d.Items[0]
		t.What = fmt.Sprintf("%s %s %s, %s", it.Resource, it.Path, it.Kind, it.Severity)
	}
	t.Who, t.Does = counts(who, 2), counts(does, len(does))
	return []Trouble{t}
}

// graded are the numbers of differences, the worst first.
func graded(of map[string]int) string {
	var parts []string
	for _, s := range slices.Backward(severities[:]) {
		if of[s] > 0 {
			parts = append(parts, fmt.Sprint(of[s], " ", s))
		}
	}
	return strings.Join(parts, ", ")
}

// holdTroubles are those of the whole environment one by one, and those of
// single resources together.
func holdTroubles(holds []HoldStatus) []Trouble {
	var out []Trouble
	var single []HoldStatus
	for _, h := range holds {
		if h.Resource != "" {
			single = append(single, h)
			continue
		}
		out = append(out, Trouble{Level: "wait", What: "held (" + h.Kind + "): " + h.Reason, Since: h.Since, Who: h.Owner, Link: "#holds", Press: "resume"})
	}
	if n := len(single); n > 0 {
		first := slices.MinFunc(single, func(a, b HoldStatus) int { return a.Since.Compare(b.Since) })
		t := Trouble{Level: "wait", What: fmt.Sprintf("%s held, as %s: %s", numbered(n, "resource is", "resources are"), first.Resource, first.Reason), Since: first.Since, Who: first.Owner, Link: "#holds", Press: "resume"}
		out = append(out, t)
	}
	return out
}

func resourceTroubles(e EnvironmentStatus, d Drift) []Trouble {
	var out []Trouble
	for _, c := range []struct{ state, one, more string }{{"missing", "resource is missing", "resources are missing"}, {"unknown", "resource could not be looked at", "resources could not be looked at"}} {
		if n := e.Resources[c.state]; n > 0 && e.Rollout.Stages == 0 {
			out = append(out, Trouble{Level: "wait", What: numbered(n, c.one, c.more), Link: "?state=" + c.state + "#resources"})
		}
	}
	if n := len(d.Coverage.Unobservable); n > 0 {
		out = append(out, Trouble{Level: "wait", What: numbered(n, "thing cannot be seen", "things cannot be seen"), Link: "#unseen"})
	}
	return out
}

// numbered is a number with its noun.
func numbered(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", more)
}

// counts is the most frequent first, and how many others there are.
func counts(of map[string]int, most int) string {
	names := slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(of[b]-of[a], strings.Compare(a, b)) })
	var parts []string
	for _, name := range names[:min(most, len(names))] {
		if len(names) == 1 {
			return name
		}
		parts = append(parts, fmt.Sprint(name, " ", of[name]))
	}
	if rest := len(names) - most; rest > 0 {
		parts = append(parts, fmt.Sprint(rest, " others"))
	}
	return strings.Join(parts, ", ")
}

// age is how long ago something was, as a person says it.
func age(d time.Duration) string {
	switch d = max(0, d); {
	case d < 90*time.Second:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < 90*time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}
