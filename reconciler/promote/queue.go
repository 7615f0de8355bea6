package promote

import (
	"time"

	"mooring.dev/reconciler/record"
)

// TakeQueue is how an environment takes every content that is ready for it, in
// the order they became so. Others take the latest and skip what lies between.
const TakeQueue = "queue"

// MaxQueue is how many contents wait in one queue at most.
const MaxQueue = 20

// Joining is what joins queues now.
type Joining struct {
	Join []record.Queued
	// Full are environments whose queue has no room for content that is ready.
	Full []string
	// RecheckAt is when time alone may make content ready; zero: not foreseen.
	RecheckAt time.Time
}

// Joins names the contents that join the queues of environments that take one
// after another: what all upstreams have in force, healthy, checked and soaked,
// with no hold on them. What joined last does not join again until other
// content did, or a person asks: what was dropped stays dropped.
func Joins(in Input) Joining {
	places := make(map[string]*Place, len(in.Places))
	for i := range in.Places {
		places[in.Places[i].Environment.Name] = &in.Places[i]
	}
	var out Joining
	for i := range in.Places {
		to := &in.Places[i]
		if to.Environment.Take != TakeQueue || len(to.Environment.After) == 0 {
			continue
		}
		ups, ok := upstream(places, to)
		if !ok || ups[0].InForce.Content == "" {
			continue
		}
		key, rendered := in.Rendered[ups[0].Environment.Name][to.Environment.Name]
		if !rendered || !joinable(in, to, key) {
			continue
		}
		ready, recheck := proven(in, ups)
		switch {
		case !ready && !recheck.IsZero() && (out.RecheckAt.IsZero() || recheck.Before(out.RecheckAt)):
			out.RecheckAt = recheck
		case !ready:
		case len(in.Queues[to.Environment.Name]) >= MaxQueue:
			out.Full = append(out.Full, to.Environment.Name)
		default:
			out.Join = append(out.Join, queued(in, ups, to, key))
		}
	}
	return out
}

// joinable: it is not here, does not wait already, and was not here before
// with nothing else between.
func joinable(in Input, to *Place, key record.Key) bool {
	name := to.Environment.Name
	if to.Quarantined[key] || key == to.HeadKey && !to.HeadInvalid && len(in.Queues[name]) == 0 {
		return false
	}
	if q := in.Queues[name]; len(q) > 0 && q[len(q)-1].Key == key {
		return false
	}
	return in.Last[name] != key || in.Requested[name] && len(in.Queues[name]) == 0
}

// proven: all that is asked of the environments before.
func proven(in Input, ups []*Place) (bool, time.Time) {
	for _, rule := range []func() (string, string){
		func() (string, string) { return together(ups) },
		func() (string, string) { return held(in.Now, ups, nil) },
		func() (string, string) { return evidence(ups) },
	} {
		if code, _ := rule(); code != "" {
			return false, time.Time{}
		}
	}
	code, _, recheck := soaked(in.Now, ups)
	return code == "", recheck
}

// queued is content that joins, with what was known of it upstream then.
func queued(in Input, ups []*Place, to *Place, key record.Key) record.Queued {
	q := record.Queued{From: ups[0].Environment.Name, To: to.Environment.Name, Key: key, Release: ups[0].InForce, Slot: freeSlot(in.Queues[to.Environment.Name]), At: in.Now}
	for _, up := range ups {
		at := record.QueuedUpstream{Environment: up.Environment.Name, Soaked: max(up.Soak, up.Soaked)}
		for _, c := range up.Checks {
			if c.Key == up.InForce.Key() {
				at.Checks = append(at.Checks, c)
			}
		}
		q.Upstream = append(q.Upstream, at)
	}
	return q
}

// freeSlot is the first place of a queue that nothing holds. Places are kept
// until what holds them leaves: its commit is pinned by them.
func freeSlot(queue []record.Queued) int {
	taken := map[int]bool{}
	for _, q := range queue {
		taken[q.Slot] = true
	}
	slot := 0
	for taken[slot] {
		slot++
	}
	return slot
}

// inTurn judges the first of a queue. What is asked of the environments before
// was true when it joined; while it is still in force there, it has to be true.
// It waits for the one before it to be in force, healthy, checked and soaked in
// the target, unless a person asks.
func inTurn(in Input, ups []*Place, to *Place, first record.Queued) (code, why string, recheck time.Time) {
	if first.Key == (record.Key{}) {
		return "invalid", "the content does not render for " + to.Environment.Name, time.Time{}
	}
	for _, rule := range []func() (string, string){
		func() (string, string) { return fit(in, ups, to, first.Key) },
		func() (string, string) { return held(in.Now, ups, to) },
		func() (string, string) {
			if ups[0].InForce != first.Release {
				return "", ""
			}
			return evidence(ups)
		},
		func() (string, string) { return wanted(in, to) },
	} {
		if code, why := rule(); code != "" {
			return code, why, time.Time{}
		}
	}
	if code, why, recheck := settled(in, to); code != "" {
		return code, why, recheck
	}
	return windowed(in, to, first.Key)
}

// settled: what came in before has been through all that is asked of it here. A
// content that failed is through, and so is an environment that has none.
func settled(in Input, to *Place) (code, why string, recheck time.Time) {
	name := to.Environment.Name
	switch {
	case to.Moving:
		return CodeWaiting, name + " is moving to the release before", time.Time{}
	case to.Head == "" || in.Requested[name] || to.Quarantined[to.HeadKey]:
		return "", "", time.Time{}
	case to.InForce.Key() != to.HeadKey:
		return CodeWaiting, name + " has not released the content before", time.Time{}
	}
	if code, why := evidence([]*Place{to}); code != "" {
		return code, why, time.Time{}
	}
	return soaked(in.Now, []*Place{to})
}
