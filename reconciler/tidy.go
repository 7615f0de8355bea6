package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// tidy makes alerts and holds agree with what is remembered, whatever became
// of the pass that ought to have made or ended them: a crash between a record
// and its alert loses neither. It says nothing that was said already.
func (p *pass) tidy(ctx context.Context) error {
	if err := p.keepAdmitted(ctx); err != nil {
		return err
	}
	var failed []error
	for _, ev := range p.standing() {
		failed = append(failed, p.fire(ctx, ev))
	}
	for _, item := range p.decided() {
		failed = append(failed, p.alertDrift(ctx, item), p.holdMitigation(ctx, item))
	}
	return errors.Join(append(failed, p.liftPointless(ctx), p.liftPauses(ctx), p.resolveGone(ctx), p.remind(ctx))...)
}

// remind comes back when something has fired for long enough to be told.
func (p *pass) remind(ctx context.Context) error {
	next, err := p.e.remind(ctx, p.w)
	if !next.IsZero() {
		p.timers = append(p.timers, next)
	}
	return err
}

// keepAdmitted pins what must outlive anything that happens upstream: the
// release last admitted, the one that moves or is in force, the one that
// traffic would return to, and every one that a person may return to.
func (p *pass) keepAdmitted(ctx context.Context) error {
	want := map[string]string{
		p.e.name: "", p.e.name + ".moving": p.st.Rollout.Release.Commit, p.e.name + ".stable": p.st.Rollout.Stable.Commit,
	}
	if p.st.Admitted != nil {
		want[p.e.name] = p.st.Admitted.Release.Commit
	}
	p.queuePins(want)
	for _, known := range p.st.Known {
		want[p.pinOf(known.Release.Commit)] = known.Release.Commit
	}
	for name := range p.e.kept {
		if _, wanted := want[name]; !wanted {
			want[name] = "" // nobody can return to it any more
		}
	}
	// What traffic returns to is pinned before anything takes the place of
	// its former pin, and no pin is let go before the others hold.
	names := slices.Sorted(maps.Keys(want))
	slices.Reverse(names)
	slices.SortStableFunc(names, func(a, b string) int {
		return strings.Compare(want[b], "") - strings.Compare(want[a], "")
	})
	for _, name := range names {
		if err := p.pin(ctx, name, want[name]); errors.Is(err, sources.ErrUnknownCommit) {
			p.e.kept[name] = want[name] // what is not there any more cannot be kept: opening it says so
		} else if err != nil {
			return err
		}
	}
	return nil
}

// pin keeps a commit under a name, "": lets it go, once.
func (p *pass) pin(ctx context.Context, name, commit string) error {
	if kept, known := p.e.kept[name]; known && kept == commit {
		return nil
	}
	if err := p.e.d.opts.Source.Keep(ctx, name, commit); err != nil {
		return fmt.Errorf("keep commit %.12s: %w", commit, err)
	}
	p.e.kept[name] = commit
	return nil
}

func (p *pass) pinOf(commit string) string { return p.e.name + ".release." + commit }

// standing is everything that is wrong by what is remembered, beside drift.
func (p *pass) standing() []event {
	var out []event
	for _, id := range slices.Sorted(maps.Keys(p.st.Holds)) {
		if h := p.st.Holds[id]; h.Active(p.now) && h.Owner == ownerMooring {
			out = append(out, p.holdEvent(h))
		}
	}
	for _, ref := range slices.SortedFunc(maps.Keys(p.st.Parked), manifest.Ref.Compare) {
		out = append(out, p.parkedEvent(p.st.Parked[ref]))
	}
	for _, ref := range slices.SortedFunc(maps.Keys(p.st.Switches), manifest.Ref.Compare) {
		if p.leftOver(ref) {
			out = append(out, p.leftSwitch(p.st.Switches[ref]))
		}
	}
	if j := p.st.Judged; j != nil && j.Outcome != "allow" && !p.heldFor(j.Release.Commit) {
		out = append(out, p.admissionEvent(*j))
	}
	return append(out, p.rolloutEvents()...)
}

// heldFor: a hold about this commit is there, and has its own alert.
func (p *pass) heldFor(commit string) bool {
	return slices.ContainsFunc(p.holds(), func(h record.Hold) bool { return h.About == commit })
}

func (p *pass) holdEvent(h record.Hold) event {
	ev := event{
		kind: "hold", key: h.ID, severity: "medium", title: fmt.Sprintf("%s is held: %s", p.e.name, h.Kind), text: h.Reason,
	}
	if h.Scope.Ref != (manifest.Ref{}) {
		ev.resource = h.Scope.Ref.String()
	}
	return ev
}

func (p *pass) parkedEvent(o record.Outcome) event {
	key := o.Ref.String()
	return event{
		kind: "step", key: key, severity: "critical", resource: key,
		title: fmt.Sprintf("%s: %s %s is refused for good", p.e.name, o.Operation, key), text: o.Error,
	}
}

func (p *pass) admissionEvent(j record.Admission) event {
	return event{
		kind: "admission", key: short(j.Release.Commit), severity: "medium",
		title: fmt.Sprintf("commit %s on %s: %s", short(j.Release.Commit), p.spec.Branch, j.Outcome),
		text:  j.Reason + "\nThe release admitted before stays in force.",
	}
}

// rolloutEvents tell about a rollout that failed or is stuck. One that failed
// is spoken of until another comes to rest.
func (p *pass) rolloutEvents() []event {
	ro := p.st.Rollout
	about := short(ro.Release.Commit)
	var out []event
	if ro.Phase == rollout.Back {
		out = append(out, event{
			kind: "rollout", key: about, severity: "critical", text: ro.Reason,
			title: fmt.Sprintf("release %s of %s returns to stable", about, p.e.name),
		})
	}
	if ro.Paused != "" {
		out = append(out, event{
			kind: "rollout_paused", key: about, severity: "medium", text: ro.Paused,
			title: fmt.Sprintf("release %s of %s waits at %d%%", about, p.e.name, ro.Weight),
		})
	}
	return out
}

// decided differences, sorted by id.
func (p *pass) decided() []record.DriftItem {
	var out []record.DriftItem
	for _, id := range slices.Sorted(maps.Keys(p.st.Drift)) {
		if item := p.st.Drift[id]; item.Confirmed() && item.Decision != "" {
			out = append(out, item)
		}
	}
	return out
}

// liftPointless lifts holds on differences that are gone.
func (p *pass) liftPointless(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(p.st.Holds)) {
		h := p.st.Holds[id]
		if item, open := p.st.Drift[h.About]; h.Kind != "mitigation" || open && item.Response == record.HoldIt {
			continue
		}
		if err := p.lift(ctx, id, ownerMooring, "the difference is gone"); err != nil {
			return err
		}
	}
	return nil
}

// resolveGone ends alerts about what is no more.
func (p *pass) resolveGone(ctx context.Context) error {
	for _, a := range p.e.d.ledger.firing(p.e.name + "/") {
		_, rest, _ := strings.Cut(a.Fingerprint, "/")
		kind, key, _ := strings.Cut(rest, "/")
		if !p.over(kind, key) {
			continue
		}
		if err := p.resolve(ctx, kind, key); err != nil {
			return err
		}
	}
	return nil
}

// over: what an alert of this kind was about is no more.
func (p *pass) over(kind, key string) bool {
	ro, j := p.st.Rollout, p.st.Judged
	switch kind {
	case "hold":
		h, ok := p.st.Holds[key]
		return !ok || !h.Active(p.now)
	case "drift":
		item, open := p.st.Drift[key]
		return !open || item.Response == record.Ignore
	case "step":
		ref, err := manifest.ParseRef(key)
		_, parked := p.st.Parked[ref]
		return err != nil || !parked
	case "deadman":
		ref, err := manifest.ParseRef(key)
		return err != nil || !p.leftOver(ref)
	case "admission":
		return j != nil && (key != short(j.Release.Commit) || j.Outcome == "allow" || p.heldFor(j.Release.Commit))
	case "rollout_paused":
		return ro.Paused == "" || key != short(ro.Release.Commit)
	case "promotion":
		return key != "" && key != queueFull && key != pushRefused || len(p.spec.After) == 0 // the others end where content is moved
	case "rollout":
		return ro.Phase == rollout.Idle && ro.Returned == "" || ro.Phase == rollout.Back && key != short(ro.Release.Commit)
	case adoptionFault:
		return p.e.adopting.failed == ""
	case expiredHold:
		return p.toldExpired(key)
	case orphanedFault:
		return true // this is a pass of it
	}
	return false
}

// firing lists the alerts that fire now, by the beginning of their
// fingerprint, sorted.
func (l *ledger) firing(prefix string) []journal.Alert {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []journal.Alert
	for fp, a := range l.state.Alerts {
		if a.Alert.Status == "firing" && strings.HasPrefix(fp, prefix) {
			out = append(out, a.Alert)
		}
	}
	slices.SortFunc(out, func(a, b journal.Alert) int { return strings.Compare(a.Fingerprint, b.Fingerprint) })
	return out
}
