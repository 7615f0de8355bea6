package reconciler

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
)

// returnTarget is the release to go back to: the one named, of all that were
// let in, else the one that was in force before. at is when that was asked for.
func (p *pass) returnTarget(name string, at time.Time) (record.Release, error) {
	if name == "" {
		return p.before(at)
	}
	var found []record.Release
	for _, known := range slices.Backward(p.st.Known) {
		rel := known.Release
		if rel.Digest == p.st.Rollout.Release.Digest || !begins(rel, name) {
			continue
		}
		if !slices.ContainsFunc(found, func(f record.Release) bool { return f.Digest == rel.Digest || f.Commit == rel.Commit }) {
			found = append(found, rel)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return record.Release{}, fmt.Errorf("%q is the beginning of several releases of %s: %s; name one with more of it", name, p.e.name, releaseNames(found))
	case begins(p.st.Rollout.Release, name):
		return record.Release{}, fmt.Errorf("%s has %q in force already; `mooring hold --environment %s` keeps it there", p.e.name, name, p.e.name)
	}
	return record.Release{}, fmt.Errorf("%s never released %q; `mooring history --environment %s` lists what it did", p.e.name, name, p.e.name)
}

// before is the release that was in force before the one that is, and did not
// fail. Who asks once more while a rollback stands may not have heard what came
// of it, or may want to go further: that is for them to say by a name.
func (p *pass) before(at time.Time) (record.Release, error) {
	now := p.st.Rollout
	var to record.Release
	for _, rel := range slices.Backward(wereInForce(p.st.Rollouts)) {
		if _, bad := quarantined(p.st, rel.Key()); !bad && rel.Digest != now.Release.Digest {
			to = rel
			break
		}
	}
	for _, h := range p.holds() {
		if h.Kind == "rollback" && h.Since.Before(at) && now.Phase == rollout.Idle && now.Returned == rollout.ByRollback {
			further := "nothing was in force before that"
			if to.Digest != "" {
				further = "to go further back, say so with --to " + short(to.Digest)
			}
			return record.Release{}, fmt.Errorf("%s was rolled back to %s by %s already; %s", p.e.name, short(now.Release.Digest), h.Owner, further)
		}
	}
	if to.Digest == "" {
		return to, fmt.Errorf("%s has no earlier release to return to", p.e.name)
	}
	return to, nil
}

// wereInForce are the releases that were in force, each before the one that took
// its place; the newest is the one in force. What was gone back over is not among
// them, nor what only took a share of the traffic.
func wereInForce(rollouts []journal.Rollout) (out []record.Release) {
	place := func(rel record.Release) {
		if n := len(out); n > 0 && out[n-1].Digest == rel.Digest {
			out = out[:n-1] // the same once more: its newest commit counts
		}
		if rel.Digest != "" {
			out = append(out, rel)
		}
	}
	for _, r := range rollouts {
		switch r.Outcome {
		case journal.InForce:
			place(r.Stable)
			place(r.Release)
		case journal.Returned:
			for i, rel := range slices.Backward(out) {
				if rel.Digest == r.Stable.Digest {
					out = out[:i]
					break
				}
			}
			place(r.Stable)
		}
	}
	return out
}

// releaseNames are releases as people name them.
func releaseNames(rels []record.Release) string {
	var out []string
	for _, rel := range rels {
		out = append(out, short(rel.Digest)+" (commit "+short(rel.Commit)+")")
	}
	return strings.Join(out, ", ")
}
