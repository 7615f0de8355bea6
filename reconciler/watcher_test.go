package reconciler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// rule names the invariants of docs/delivery as the watcher reports them.
var rule = map[int]string{
	1:  "what is applied was admitted",
	2:  "content enters only by an allowed promotion or an admitted commit",
	3:  "weights name published, verified versions",
	4:  "a canary rises only with a pass, and no stage is left before its hold",
	5:  "one mutation per resource, with the current fence and guard",
	6:  "intent before the call, facts only from observation, no decision without its record",
	7:  "no write about what a question failed about",
	8:  "deletion needs admitted removal, ownership, complete listings, the guard",
	9:  "a revert touches only owned, drifted fields",
	10: "a hold stops every forward step, and a policy error permits nothing",
	11: "a firing alert is delivered, or still in the outbox",
	12: "neither a clock jump nor a restart shortens a hold or a soak",
	13: "with faults gone, everything converges",
	14: "a content that failed is not tried again until a person says so",
	16: "a newer release is taken within a second",
	15: "what was in force in all environments before comes in, and what people brought",
}

// watcher holds every pass against the invariants. It sees what the platform
// truly did and said, what policy truly answered, and what became durable,
// below whatever the daemon was given.
type watcher struct {
	s      *simulation
	state  journal.State // folded from what is durable
	broken []string
	places map[string]*watched
	// answers are policy's, by decision id.
	answers   map[string]answered
	decisions map[string]bool // recorded
	chain     string
	alerts    map[string]sayings // by fingerprint
	writer    string             // the environment whose pass is under way
}

// sayings is to whom an alert went since it fires.
type sayings struct {
	to   []string
	over bool
}

type answered struct {
	point   policy.Point
	outcome policy.Outcome
	content string
}

// watched is what is known of one environment.
type watched struct {
	admitted map[string]*release             // by digest
	seen     map[manifest.Ref]providers.Live // the last true answer
	failed   map[manifest.Ref]bool           // the last question failed
	listed   map[manifest.Ref]bool           // orphans and extras in the last survey
	complete int                             // true complete surveys in a row
	written  map[manifest.Ref]bool           // in this pass
	holds    []record.Hold                   // at the beginning of the pass
	people   map[string]record.Hold          // asked for by people
	bad      map[record.Key]bool             // failed, not retried
	inForce  map[string]bool                 // contents that were
	calls    map[manifest.Ref]int64          // of the new version in this stage: users' by alias, the daemon's by function
	stageAt  time.Time                       // the stage's weight was first truly in place
	saved    mark                            // at the last rollout record
	soaked   mark                            // at the last soak record
}

// mark is a moment in true time.
type mark struct {
	at    time.Time
	down  time.Duration
	jumps int
}

func (w *watcher) mark() mark { return mark{w.s.real, w.s.down, w.s.jumps} }

// atMost is the time that may have been counted since a mark, each jump and
// restart adding at most one piece.
func (w *watcher) atMost(m mark, piece time.Duration) time.Duration {
	return w.s.real.Sub(m.at) - (w.s.down - m.down) + time.Duration(w.s.jumps-m.jumps)*piece
}

func newWatcher(s *simulation) *watcher {
	return &watcher{s: s, places: map[string]*watched{}, answers: map[string]answered{}, decisions: map[string]bool{}, alerts: map[string]sayings{}}
}

func (w *watcher) at(env string) *watched {
	p := w.places[env]
	if p == nil {
		p = &watched{
			admitted: map[string]*release{}, seen: map[manifest.Ref]providers.Live{}, failed: map[manifest.Ref]bool{}, listed: map[manifest.Ref]bool{},
			people: map[string]record.Hold{}, bad: map[record.Key]bool{}, inForce: map[string]bool{}, calls: map[manifest.Ref]int64{},
		}
		w.places[env] = p
	}
	return p
}

func (w *watcher) ok() bool { return len(w.broken) == 0 }

func (w *watcher) fail(n int, format string, args ...any) {
	w.broken = append(w.broken, fmt.Sprintf("invariant %d (%s): %s [%s, daemon %d]", n, rule[n], fmt.Sprintf(format, args...),
		w.s.real.Sub(birth), w.s.generation))
}

func (w *watcher) environment(env string) *journal.Environment {
	if e := w.state.Environments[env]; e != nil {
		return e
	}
	return &journal.Environment{Name: env}
}

// begin and end of a pass.
func (w *watcher) begin(env string) {
	p := w.at(env)
	w.writer, p.written, p.holds = env, map[manifest.Ref]bool{}, nil
	for _, h := range w.environment(env).Holds {
		if h.Active(w.s.now()) {
			p.holds = append(p.holds, h)
		}
	}
	for id, h := range p.people {
		if h.Active(w.s.now()) {
			p.holds = append(p.holds, h)
		} else {
			delete(p.people, id) // its end is a time of day: once over, it is over
		}
	}
}

func (w *watcher) end(env string) {
	w.writer = ""
	p, ro := w.at(env), w.environment(env).Rollout
	if ro.Phase == rollout.Shift && p.stageAt.IsZero() && w.inPlace(env, ro) {
		p.stageAt = w.s.real
	}
	if ro.Phase == rollout.Idle {
		p.inForce[ro.Release.Content] = true
	}
	w.upstream(env, ro.Release.Content)
	w.outbox()
}

// upstream: what comes into force here was in force in each environment before,
// or was put onto this one's branch by hand.
func (w *watcher) upstream(env, content string) {
	up := w.s.before(env)
	i := slices.IndexFunc(up, func(name string) bool { return !w.at(name).inForce[content] })
	if content == "" || i < 0 {
		return
	}
	byHand := slices.ContainsFunc(w.s.repo.brought[branchOf(env)], func(sha string) bool {
		rel := w.s.release(env, sha)
		return rel != nil && rel.Content == content
	})
	if !byHand {
		w.fail(15, "%s has %.20s, which never was in force in %s", env, content, up[i])
	}
}

// inPlace: traffic truly is where the rollout wants it.
func (w *watcher) inPlace(env string, ro rollout.State) bool {
	for _, f := range ro.Functions {
		routing := w.s.platform.Routing
		if f.Alias.Kind == manifest.KindWorkflowAlias {
			routing = w.s.platform.WorkflowRouting
		}
		wanted := ro.Wanted(f)
		if w.stableGone(env, f) && wanted.Version == f.Stable {
			wanted = providers.Routing{Version: f.New} // nothing else is left
		}
		if routing(env+"-"+f.Ref.Name, aliasKey(f.Alias)) != wanted {
			return false
		}
	}
	return true
}

// stableGone: somebody deleted the function, and the stable version with it.
func (w *watcher) stableGone(env string, f rollout.Function) bool {
	versions := w.s.platform.Versions(env + "-" + f.Ref.Name)
	_, kept := versions[f.Stable]
	return f.Ref.Kind == manifest.KindFunction && !kept && versions[f.New] != ""
}

func aliasKey(alias manifest.Ref) string {
	for i := len(alias.Name) - 1; i >= 0; i-- {
		if alias.Name[i] == '.' {
			return alias.Name[i+1:]
		}
	}
	return alias.Name
}

func (w *watcher) restarted() {
	for _, p := range w.places {
		p.complete = 0
		clear(p.seen)
		clear(p.failed)
		clear(p.listed)
	}
}

// surveyed and observed are the true answers to questions.
func (w *watcher) surveyed(env string, want []manifest.Resource, inv providers.Inventory, err error) {
	p := w.at(env)
	if err != nil {
		return
	}
	p.complete++
	if !inv.Complete {
		p.complete = 0
	}
	clear(p.seen)
	clear(p.failed)
	clear(p.listed)
	for _, res := range want {
		live, ok := inv.Live[res.Ref]
		if ok {
			p.seen[res.Ref] = live
		} else {
			p.failed[res.Ref] = true
		}
	}
	for ref := range inv.Orphans {
		p.listed[ref] = true
	}
	for _, x := range inv.Extras {
		p.listed[x.Ref] = true
	}
}

func (w *watcher) observed(env string, want []manifest.Resource, seen map[manifest.Ref]providers.Live) {
	p := w.at(env)
	for _, res := range want {
		live, ok := seen[res.Ref]
		p.failed[res.Ref] = !ok
		if ok {
			p.seen[res.Ref] = live
		}
	}
}

func (w *watcher) measured(env string, alias manifest.Ref, version string, sample providers.Sample) {
	for _, f := range w.environment(env).Rollout.Functions {
		if f.Alias == alias && f.New == version {
			w.at(env).calls[alias] += sample.Calls
		}
	}
}

// invoked is a call of the daemon's own to one version, of which two run at once.
func (w *watcher) invoked(env string, fn manifest.Ref, version string) {
	for _, f := range w.environment(env).Rollout.Functions {
		if f.Ref == fn && f.New == version {
			w.at(env).calls[fn]++
		}
	}
}

// heard is what policy truly answered.
func (w *watcher) heard(point policy.Point, mode string, in policy.Input, d policy.Decision) {
	w.answers[d.ID] = answered{point, d.Outcome, in.Release.Content}
	if mode == "failing" && d.Outcome == policy.Allow {
		w.fail(10, "a failing policy allowed")
	}
}

// moved: content was put onto an environment's branch by the daemon.
func (w *watcher) moved(e sources.Edit, sha string) {
	env := e.Branch[len("env/"):]
	rel := w.s.release(env, sha)
	for _, up := range w.s.before(env) {
		if len(w.s.after) == 0 {
			break
		}
		if w.s.says[env] == inTurn { // what waited comes in when upstream has gone on
			if rel != nil && !w.at(up).inForce[rel.Content] {
				w.fail(15, "%s was moved to %.20s, which never was in force in %s", env, rel.Content, up)
			}
			continue
		}
		if ro := w.environment(up).Rollout; rel != nil && (ro.Phase != rollout.Idle || ro.Release.Content != rel.Content) {
			w.fail(15, "%s was moved to %.20s while %s is %q with %.20s", env, rel.Content, up, ro.Phase, ro.Release.Content)
		}
	}
	st := w.environment(env)
	n := len(st.Promotions)
	if n == 0 || rel == nil {
		w.fail(2, "%s was moved to %.12s without a record", env, sha)
		return
	}
	pr := st.Promotions[n-1]
	a := w.answers[pr.Decision]
	switch {
	case pr.Outcome != "moving" || pr.Key.Content != rel.Content:
		w.fail(2, "%s was moved to content %.20s, the journal says %s %.20s", env, rel.Content, pr.Outcome, pr.Key.Content)
	case a.point != policy.Promotion || a.outcome != policy.Allow || a.content != rel.Content:
		w.fail(2, "%s was moved by decision %s, which was %q", env, pr.Decision, a.outcome)
	case !w.decisions[pr.Decision]:
		w.fail(6, "the decision %s that moved content is not recorded", pr.Decision)
	}
}

// outbox: what fires is delivered or waits.
func (w *watcher) outbox() {
	for fp, a := range w.state.Alerts {
		for _, r := range a.Alert.Receivers {
			waits := slices.ContainsFunc(w.state.Outbox, func(p journal.Pending) bool { return p.Alert.ID == a.Alert.ID && p.Receiver == r })
			if !waits && !w.s.told(r, a.Alert.ID) {
				w.fail(11, "alert %s was lost on its way to %s", fp, r)
			}
		}
	}
}

// release is a commit as an environment renders it, by the harness itself.
type release struct {
	*manifest.Release
	codes map[string]bool // as the platform quotes them
}

type renderings struct {
	mu sync.Mutex
	by map[string]*release
}

var rendered = renderings{by: map[string]*release{}}

// release renders a commit; nil when it does not render.
func (s *simulation) release(env, sha string) *release {
	snap, ok := s.repo.commits[sha]
	if !ok {
		return nil
	}
	key := fmt.Sprint(env, s.names, s.analysis, s.pace, snap.TreeID)
	rendered.mu.Lock()
	defer rendered.mu.Unlock()
	r, ok := rendered.by[key]
	if !ok {
		control, _ := tree(s.controlFiles())
		pipeline, err := manifest.LoadPipeline(control)
		must(err)
		if docs, err := new(manifest.Loader).Load(snap.Tree, manifest.LoadOptions{}); err == nil {
			if rel, err := manifest.Render(docs, pipeline, env, sha); err == nil {
				r = &release{Release: rel, codes: map[string]bool{}}
				for _, res := range rel.Resources {
					if spec, ok := res.Spec.(*manifest.FunctionConfig); ok {
						r.codes[`"`+spec.Artifact.Digest+`"`] = true
					}
				}
			}
		}
		rendered.by[key] = r
	}
	return r
}

// told: a receiver took this alert.
func (s *simulation) told(receiver, id string) bool {
	for _, e := range s.received[receiver] {
		if e.ID == id {
			return true
		}
	}
	return false
}

// unfinished is what the journal says is still under way in an environment.
func (s *simulation) unfinished(env string) []string {
	st := s.watch.environment(env)
	if st.Admitted == nil {
		return []string{env + ": nothing was admitted"}
	}
	rel := s.release(env, st.Admitted.Release.Commit)
	var out []string
	say := func(format string, args ...any) { out = append(out, env+": "+fmt.Sprintf(format, args...)) }
	if head := s.repo.branches[branchOf(env)]; st.Branch != head || st.Judged.Outcome != "allow" {
		say("the head %.12s is not admitted: %s", head, st.Judged.Outcome)
	}
	if st.Rollout.Phase != rollout.Idle || st.Rollout.Release.Digest != rel.Digest {
		say("release %.18s is admitted, %.18s is %q (%s)", rel.Digest, st.Rollout.Release.Digest, st.Rollout.Phase, st.Rollout.Paused)
	}
	for _, item := range st.Drift {
		if item.Response == record.Revert || !item.Confirmed() {
			say("%s %s is to be put back", item.Ref, item.Path)
		}
	}
	return out
}

// differences lists what is unfinished, or else where live is not what the
// environment's admitted release declares and no open difference of the journal
// says so.
func (s *simulation) differences(env string) []string {
	out := s.unfinished(env)
	if out != nil {
		return out
	}
	st := s.watch.environment(env)
	rel := s.release(env, st.Admitted.Release.Commit)
	say := func(format string, args ...any) { out = append(out, env+": "+fmt.Sprintf(format, args...)) }
	explained := func(ref manifest.Ref) bool {
		for _, item := range st.Drift {
			if (item.Ref == ref || item.Parent == ref) && item.Confirmed() && item.Response != record.Revert && item.Response != "" {
				return true
			}
		}
		return false
	}
	provider := s.platform.Environment("shop", env)
	inv, err := provider.Survey(context.Background(), rel.Resources)
	must(err)
	b := providers.Bindings{}
	for ref, live := range inv.Live {
		b[ref] = live.Attributes
	}
	for _, res := range rel.Resources {
		spec, err := provider.Canonical(res, b)
		must(err)
		live := inv.Live[res.Ref]
		switch {
		case explained(res.Ref):
		case !live.Exists:
			say("%s is missing", res.Ref)
		case res.Ref.Kind == manifest.KindLayer:
			if _, ok := plan.Carrier(live, spec); !ok {
				say("%s has no version as declared", res.Ref)
			}
		case live.Spec.Digest != spec.Digest:
			say("%s has %v, declared is %v", res.Ref, live.Spec.Fields, spec.Fields)
		case res.Ref.Kind == manifest.KindAlias:
			fn, _ := rel.Resource(res.Parent)
			want, err := provider.Canonical(fn, b)
			must(err)
			if r := live.Routing; r.Canary != "" || inv.Live[res.Parent].Published[r.Version].Snapshot != want.Snapshot {
				say("%s points at %+v", res.Ref, r)
			}
		}
	}
	for ref := range inv.Orphans {
		switch ref.Kind {
		case manifest.KindTable, manifest.KindBucket, manifest.KindLogGroup: // they are kept
		default:
			say("%s is left over", ref)
		}
	}
	for _, x := range inv.Extras {
		if !explained(x.Ref) {
			say("%s is an extra", x.Ref)
		}
	}
	slices.Sort(out)
	return out
}

// name is a resource as the platform knows it.
func name(res manifest.Resource) memory.Name { return memory.NameOf(res) }

// key is a map's sorted keys, for messages.
func key[K ~string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
