package reconciler

import (
	"time"

	"mooring.dev/policy"
	"mooring.dev/reconciler/promote"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
)

// upstream is an environment before this one, as policy is told of it.
func (p *pass) upstream(name, content string) policy.Upstream {
	place := p.e.d.place(name)
	u := policy.Upstream{
		Environment: name, ContentMatch: place.InForce.Content == content, Applied: !place.Moving && place.InForce.Digest != "",
		Healthy: place.Healthy, SoakSeconds: int64(place.Soaked / time.Second), Held: len(place.Holds) > 0,
	}
	spec, _ := p.w.pipeline.Environment(name)
	for _, c := range spec.Checks {
		check := policy.Check{Name: checkName(c)}
		for _, r := range place.Checks {
			if r.Name == check.Name {
				check.Known, check.Passed, check.TimeNS = !r.Unknown, r.Passed, r.At.UnixNano()
			}
		}
		u.Checks = append(u.Checks, check)
	}
	return u
}

// came reads from what was admitted, oldest first, what each key gave way to,
// and since when the newest is there.
func came(known []record.Admission) (left map[record.Key]promote.Change, newest record.Key, since, at time.Time) {
	left = map[record.Key]promote.Change{}
	for i, a := range known {
		if i > 0 && known[i-1].Release.Key() != a.Release.Key() {
			left[known[i-1].Release.Key()] = promote.Change{At: a.At, Before: known[i-1].At, Commit: a.Release.Commit}
		}
		if i == 0 || known[i-1].Release.Content != a.Release.Content {
			since = a.At
		}
		newest, at = a.Release.Key(), a.At
	}
	return left, newest, since, at
}

// place is this environment as promotion sees it. After a pass that failed it
// is not healthy: what could not be looked at is not known to be well.
func (p *pass) place(err error) promote.Place {
	ro := p.st.Rollout
	pl := promote.Place{
		Environment: p.spec, Known: true, Moving: ro.Phase != rollout.Idle, Healthy: err == nil && p.healthy(), Holds: p.stopping(),
		Seen: map[string]bool{}, Quarantined: map[record.Key]bool{},
	}
	if p.head.there {
		pl.Head, pl.Tree = p.head.snap.Commit.SHA, p.head.snap.TreeID
	}
	pl.HeadInvalid = p.head.err != nil
	if p.head.release != nil {
		pl.HeadKey = named(p.head.release).Key()
	}
	if ro.Phase == rollout.Idle && len(p.plan.Steps) == 0 {
		pl.InForce = ro.Release
	}
	pl.Soak = p.soaked()
	pl.Soaked = max(pl.Soak, p.st.Soaked[ro.Release.Digest].Elapsed)
	pl.Flags = p.raised(ro.Release.Key())
	for content := range p.st.Contents {
		pl.Seen[content] = true
	}
	pl.Left, pl.Newest, pl.Since, pl.At = came(p.st.Known)
	for key := range p.st.Quarantine {
		pl.Quarantined[key] = true
	}
	pl.Checks = p.results()
	for _, b := range p.broken {
		pl.BrokenContract = append(pl.BrokenContract, b.text())
	}
	return pl
}
