package reconciler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// catchUp holds every newly durable record against the invariants, then folds
// it.
func (w *watcher) catchUp() {
	for rec, err := range w.s.store.Records(context.Background(), w.state.Seq) {
		if err != nil {
			w.fail(6, "the journal cannot be read back: %v", err)
			return
		}
		w.record(rec)
		state, err := journal.Fold(w.state, sequence([]journal.Record{rec}))
		if err != nil {
			w.fail(6, "the journal does not fold: %v", err)
			return
		}
		w.state = state
	}
}

func (w *watcher) record(r journal.Record) {
	switch {
	case r.Decision != nil:
		w.decisions[r.Decision.ID] = true
		last, err := journal.VerifyChain(w.chain, slices.Values([]journal.Decision{*r.Decision}))
		if err != nil {
			w.fail(6, "the chain of decisions is broken: %v", err)
		}
		w.chain = last
	case r.Admission != nil:
		w.admission(r.Environment, *r.Admission)
	case r.Fact != nil:
		w.fact(r.Environment, *r.Fact)
	case r.Rollout != nil:
		w.rollout(r.Environment, *r.Rollout)
	case r.Soak != nil:
		w.soak(r.Environment, *r.Soak)
	case r.Drift != nil:
		if d := r.Drift; d.Response == record.Revert && d.Default != record.Revert && !d.Policy && d.Decision != decidedByPerson {
			w.fail(9, "%s: %s %s is to be put back, and neither policy nor a person said so", r.Environment, d.Ref, d.Path)
		}
	case r.Quarantine != nil:
		w.at(r.Environment).bad[r.Quarantine.Key] = true
	case r.Retry != nil:
		delete(w.at(r.Environment).bad, r.Retry.Key)
	case r.Alert != nil:
		w.alert(*r.Alert)
	}
}

// alert checks that what fires goes to somebody, and its end to everybody it
// went to.
func (w *watcher) alert(a journal.Alert) {
	said := w.alerts[a.Fingerprint]
	if a.Status == "firing" {
		if said.over {
			said = sayings{}
		}
		if len(a.Receivers) == 0 && len(said.to) == 0 && !w.muted() { // other words go to nobody anew
			w.fail(11, "alert %s goes to nobody", a.Fingerprint)
		}
		said.to = slices.Concat(said.to, a.Receivers)
	} else {
		slices.Sort(said.to)
		said.to = slices.Compact(said.to) // an end may be said twice
		if said.over = true; !slices.Equal(said.to, a.Receivers) {
			w.fail(11, "alert %s was told to %v, and that it is over to %v", a.Fingerprint, said.to, a.Receivers)
		}
	}
	w.alerts[a.Fingerprint] = said
}

// muted: the newest answer at the notify point muted.
func (w *watcher) muted() bool { return w.s.mode() == "deny" || w.s.quiet }

func (w *watcher) admission(env string, a record.Admission) {
	if a.Outcome != "allow" {
		return
	}
	ans, asked := w.answers[a.Decision]
	if !asked || ans.outcome != policy.Allow {
		w.fail(10, "%s admits %.12s by decision %q, which was %q", env, a.Release.Commit, a.Decision, ans.outcome)
	}
	if !w.decisions[a.Decision] {
		w.fail(6, "%s admits %.12s and its decision is not recorded", env, a.Release.Commit)
	}
	rel := w.s.release(env, a.Release.Commit)
	if rel == nil || rel.Digest != a.Release.Digest {
		w.fail(1, "%s admits %.12s as %.18s, which it is not", env, a.Release.Commit, a.Release.Digest)
		return
	}
	w.at(env).admitted[rel.Digest] = rel
}

// fact: seen as it says, and of an admitted release.
func (w *watcher) fact(env string, f record.Fact) {
	p := w.at(env)
	if p.admitted[f.Release] == nil {
		w.fail(1, "%s: %s is a fact of release %.18s, which was never admitted", env, f.Ref, f.Release)
	}
	live, looked := p.seen[f.Ref]
	if f.Gone {
		switch f.Ref.Kind {
		case manifest.KindSecret: // never ours: it is only declared no more
			return
		case manifest.KindTable, manifest.KindBucket, manifest.KindLogGroup: // let go of, with what they hold
			return
		}
		if p.complete == 0 || live.Exists || p.listed[f.Ref] || p.failed[f.Ref] {
			w.fail(6, "%s: %s is said to be gone, and was not seen so", env, f.Ref)
		}
		return
	}
	if !looked || !live.Exists || p.failed[f.Ref] {
		w.fail(6, "%s: %s is a fact and was not seen", env, f.Ref)
		return
	}
	if f.Ref.Kind == manifest.KindLayer { // what lives of it is the version the fact names
		if v, ok := live.Published[f.Version]; !ok || v.Snapshot != f.Snapshot {
			w.fail(6, "%s: %s is a fact at version %s, seen were %+v", env, f.Ref, f.Version, live.Published)
		}
		return
	}
	for path, value := range f.Fields {
		if live.Spec.Fields[path] != value {
			w.fail(6, "%s: %s %s is a fact as %s, seen was %s", env, f.Ref, path, value, live.Spec.Fields[path])
		}
	}
	if f.Ref.Kind == manifest.KindAlias && live.Routing != (providers.Routing{Version: f.Version}) {
		w.fail(6, "%s: %s is a fact at version %s, seen was %+v", env, f.Ref, f.Version, live.Routing)
	}
}

// rollout: a new state against the one before.
func (w *watcher) rollout(env string, ro rollout.State) {
	p, before := w.at(env), w.environment(env).Rollout
	if ro.Release.Digest != before.Release.Digest && ro.Phase != rollout.Idle {
		if p.admitted[ro.Release.Digest] == nil {
			w.fail(1, "%s rolls out %.18s, which was never admitted", env, ro.Release.Digest)
		}
		if p.bad[ro.Release.Key()] && !ro.Failed {
			w.fail(14, "%s rolls out content %.20s again", env, ro.Release.Content)
		}
	}
	if ro.Failed && !before.Failed && ro.Phase != rollout.Idle { // else it came and went in one pass
		p.bad[ro.Release.Key()] = true
		if _, ok := w.environment(env).Quarantine[ro.Release.Key()]; !ok {
			w.fail(14, "%s: content %.20s failed and is not quarantined", env, ro.Release.Content)
		}
	}
	same := ro.Release == before.Release && ro.Phase == rollout.Shift && before.Phase == rollout.Shift && ro.Stage == before.Stage && ro.Weight == before.Weight
	switch {
	case same && ro.Elapsed-before.Elapsed > w.atMost(p.saved, rollout.MaxTick):
		w.fail(12, "%s counts %v of a stage in %v", env, ro.Elapsed-before.Elapsed, w.atMost(p.saved, 0))
	case before.Phase == rollout.Shift && left(before, ro):
		w.stageLeft(env, before)
	}
	if !same {
		p.stageAt = time.Time{}
		clear(p.calls)
	}
	p.saved = w.mark()
}

// left: the stage was left forward.
func left(before, now rollout.State) bool {
	if now.Release != before.Release {
		return false
	}
	return now.Phase == rollout.Shift && now.Stage > before.Stage || now.Phase == rollout.Connect || now.Phase == rollout.Contract ||
		now.Phase == rollout.Idle
}

func (w *watcher) stageLeft(env string, before rollout.State) {
	p := w.at(env)
	stage := before.Stages[before.Stage]
	hold := time.Duration(stage.Hold)
	switch {
	case p.stageAt.IsZero() && !w.inPlace(env, before):
		w.fail(4, "%s left the stage of %d%% whose weight was never in place", env, stage.Weight)
	case !p.stageAt.IsZero() && w.s.real.Sub(p.stageAt)+time.Duration(w.s.jumps)*hold/4 < hold:
		w.fail(4, "%s left the stage of %d%% after %v of %v", env, stage.Weight, w.s.real.Sub(p.stageAt), hold)
	}
	if stage.Weight >= 100 || before.Stable.Digest == "" {
		return
	}
	for _, f := range before.Functions {
		if f.New == f.Stable || f.Stable == "" {
			continue
		}
		if calls := p.calls[f.Alias] + p.calls[f.Ref]; calls < int64(before.Analysis.MinSamples) {
			w.fail(4, "%s left the stage of %d%% of %s after %d calls", env, stage.Weight, f.Ref, calls)
		}
		versions := w.s.platform.Versions(env + "-" + f.Ref.Name)
		if isBad(versions[f.New]) && !isBad(versions[f.Stable]) {
			w.fail(4, "%s passed bad code of %s at %d%%", env, f.Ref, stage.Weight)
		}
	}
}

// soak: no more than was lived through.
func (w *watcher) soak(env string, s journal.Soak) {
	p, before := w.at(env), w.environment(env).Soak
	if s.Release == before.Release && !s.Reset && s.Elapsed-before.Elapsed > w.atMost(p.soaked, accrueLimit) {
		w.fail(12, "%s counts a soak of %v in %v", env, s.Elapsed-before.Elapsed, w.atMost(p.soaked, 0))
	}
	if s.Release != before.Release && s.Elapsed > 0 {
		w.fail(12, "%s gives a new release a soak of %v", env, s.Elapsed)
	}
	p.soaked = w.mark()
}

// write is one call that would change something.
type write struct {
	t       *tapped
	op      string
	res     manifest.Resource
	ref     manifest.Ref
	guard   providers.Guard
	release string
	fields  []string
	whole   bool
	to      providers.Routing
}

// write holds a call against the invariants before it is made; the function
// returned holds what became of it.
func (w *watcher) write(c write) func() {
	env, p := c.t.env, w.at(c.t.env)
	st := w.environment(env)
	intent, intended := st.Intents[c.ref]
	switch {
	case c.t.generation != w.s.generation:
		w.fail(5, "daemon %d writes %s after another took over", c.t.generation, c.ref)
	case w.writer != env:
		w.fail(5, "%s is written outside a pass of %s", c.ref, env)
	case p.written[c.ref]:
		w.fail(5, "%s: %s is written twice in a pass", env, c.ref)
	case !intended || intent.Guard != c.guard || intent.Release != c.release && c.release != "":
		w.fail(6, "%s %s of %s has no intent", env, c.op, c.ref)
	case p.failed[c.ref]:
		w.fail(7, "%s: %s is written, and the question about it failed", env, c.ref)
	case c.release != "" && p.admitted[c.release] == nil:
		w.fail(1, "%s writes %s for release %.18s, which was never admitted", env, c.ref, c.release)
	}
	p.written[c.ref] = true
	if intended && intent.Cause != "rollback" {
		for _, h := range p.holds {
			_, lasts := st.Holds[h.ID] // a newer commit may have lifted it in this pass
			_, people := p.people[h.ID]
			if h.Covers(c.ref) && (lasts || people) {
				w.fail(10, "%s %s of %s (%s) while held by %s: %s", env, c.op, c.ref, intent.Cause, h.Owner, h.Kind)
			}
		}
	}
	if intended && intent.Cause == "drift" {
		w.revert(env, st, c)
	}
	foreign := w.ownership(env, st, c)
	switch c.op {
	case "delete":
		w.deletion(env, st, c)
	case "route":
		w.route(env, st, c)
	}
	truth := w.s.platform.Guard(name(c.res))
	return func() {
		if after := w.s.platform.Guard(name(c.res)); after != truth && foreign != "" {
			w.fail(8, "%s", foreign)
		}
		if after := w.s.platform.Guard(name(c.res)); after != truth && c.guard != truth {
			w.fail(5, "%s %s of %s took hold over revision %q, it was planned against %q", env, c.op, c.ref, truth, c.guard)
		}
	}
}

// revert: only what is open, confirmed and to be reverted.
func (w *watcher) revert(env string, st *journal.Environment, c write) {
	open := func(path string) bool {
		for _, item := range st.Drift {
			if item.Ref == c.ref && (item.Path == path || path == "*") && item.Confirmed() && item.Response == record.Revert {
				return true
			}
		}
		return false
	}
	switch {
	case c.op == "publish":
		return // a version serves nobody by itself
	case c.op != "put" || c.whole:
		if !open("*") {
			w.fail(9, "%s %s of %s reverts nothing that is open", env, c.op, c.ref)
		}
		return
	}
	for _, path := range c.fields {
		if !open(path) && !w.ours(env, c, path) {
			w.fail(9, "%s puts back %s %s, which is not an open difference to revert", env, c.ref, path)
		}
	}
}

// ours: what lives there is what an admitted release of ours declared: it was
// left behind by a release that was taken back, not written by hand.
func (w *watcher) ours(env string, c write, path string) bool {
	live := w.at(env).seen[c.ref].Spec.Fields[path]
	for _, rel := range w.at(env).admitted {
		if res, ok := rel.Resource(c.ref); ok {
			spec, err := c.t.Canonical(res, nil)
			must(err)
			if spec.Fields[path] == live {
				return true
			}
		}
	}
	return false
}

// ownership: what lives and is not ours is written only once somebody approved
// of taking it over.
func (w *watcher) ownership(env string, st *journal.Environment, c write) string {
	switch c.ref.Kind {
	case manifest.KindFunction, manifest.KindQueue, manifest.KindRole:
	default:
		return "" // carries no tags
	}
	owner := w.s.platform.Owner(name(c.res))
	approved := slices.ContainsFunc(st.Approvals, func(a record.Approval) bool {
		return a.Key == st.Rollout.Release.Key() || a.Key == st.Rollout.Stable.Key()
	})
	if w.s.platform.Guard(name(c.res)) != "" && owner.Environment != env && !approved {
		return fmt.Sprintf("%s %s of %s, which is owned by %q, without approval", env, c.op, c.ref, owner.Environment)
	}
	return ""
}

func (w *watcher) deletion(env string, st *journal.Environment, c write) {
	p, of := w.at(env), st.Rollout.Release
	if st.Intents[c.ref].Cause == "destroy" {
		w.destruction(env, st, c)
		return
	}
	if st.Rollout.Phase == rollout.Back {
		of = st.Rollout.Stable
	}
	rel := p.admitted[of.Digest]
	if rel == nil {
		w.fail(8, "%s deletes %s for no admitted release", env, c.ref)
		return
	}
	if _, declared := rel.Resource(c.ref); declared {
		w.fail(8, "%s deletes %s, which the release declares", env, c.ref)
	}
	if o := w.s.platform.Owner(name(c.res)); w.s.platform.Guard(name(c.res)) != "" && (o.Environment != env || o.Resource != c.ref.String()) {
		w.fail(8, "%s deletes %s, owned by %+v", env, c.ref, o)
	}
	if p.complete < 2 {
		w.fail(8, "%s deletes %s after %d complete listings", env, c.ref, p.complete)
	}
	approved := slices.ContainsFunc(st.Approvals, func(a record.Approval) bool { return a.Key == of.Key() })
	if c.ref.Kind == manifest.KindQueue && !approved {
		w.fail(8, "%s deletes %s, which holds state, without approval", env, c.ref)
	}
}

func (w *watcher) route(env string, st *journal.Environment, c write) {
	versions := w.s.platform.Versions(c.res.Physical)
	for _, number := range []string{c.to.Version, c.to.Canary} {
		if number == "" {
			continue
		}
		verified := false
		for _, rel := range w.at(env).admitted {
			verified = verified || rel.codes[versions[number]]
		}
		if _, published := versions[number]; published && !verified {
			w.fail(3, "%s routes %s to version %s with code %s, which no admitted release declares", env, c.ref, number, versions[number])
		}
	}
	ro := st.Rollout
	i := slices.IndexFunc(ro.Functions, func(f rollout.Function) bool { return f.Alias == c.ref })
	if i >= 0 && c.to.Canary != "" && (ro.Phase != rollout.Shift || c.to.Weight > providers.Percent(ro.Stages[ro.Stage].Weight)) {
		w.fail(4, "%s sends %v to the new version of %s in %s at stage %d", env, c.to.Weight, c.ref, ro.Phase, ro.Stage)
	}
}

// mode is what the active policies of the newest control branch would answer.
func (s *simulation) mode() string {
	if w := s.d.world.Load(); w != nil {
		if sha := w.policies; sha != "" {
			if data, ok := s.repo.commits[sha].Tree.(interface {
				ReadFile(string) ([]byte, error)
			}); ok {
				text, err := data.ReadFile("policies/mode")
				must(err)
				return strings.TrimSpace(string(text))
			}
		}
	}
	return ""
}

// isBad: code whose calls fail, by the convention of the simulation.
func isBad(quoted string) bool {
	return strings.HasPrefix(quoted, `"sha256:`) && strings.Contains(quoted, "bad")
}

// badCode is code that fails half of its calls.
func badCode(n int) string { return "sha256:" + strings.Replace(code(n)[7:], "000", "bad", 1) }
