package reconciler

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"mooring.dev/providers"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// broken is one expectation of a function's code that the live environment
// does not fulfil.
type broken struct {
	function manifest.Ref
	expects  string // "secret shop/stripe"
	why      string
}

func (b broken) text() string {
	return fmt.Sprintf("%s expects %s: %s", b.function, b.expects, b.why)
}

// contract holds what the code of a release expects against what lives now.
// What is not in the last look is asked for; what cannot be seen is broken:
// no answer is not yes.
func (p *pass) contract(ctx context.Context, rel *manifest.Release) []broken {
	if rel == nil {
		return nil
	}
	return p.unfulfilled(rel, p.seen(ctx, rel))
}

// contractNow is contract at the moment traffic is about to move: what the
// code names is looked at anew, for the last look may be from before somebody
// changed it. What does not answer stays as it was last seen.
func (p *pass) contractNow(ctx context.Context, rel *manifest.Release) []broken {
	if rel == nil {
		return nil
	}
	live := p.seen(ctx, rel)
	fresh, err := p.e.provider.Observe(ctx, expected(rel)...)
	if err != nil {
		p.e.log.Debug("contract could not be looked at anew", zap.Error(err))
	}
	maps.Copy(live, fresh)
	return p.unfulfilled(rel, live)
}

// expected is what of a release its functions' code names, and the mappings
// that feed those functions from queues.
func expected(rel *manifest.Release) []manifest.Resource {
	named, functions := map[manifest.Ref]bool{}, map[manifest.Ref]bool{}
	for fn, d := range rel.Functions {
		for _, want := range d.Expects.Resources(fn) {
			named[want.Ref] = true
			functions[fn] = functions[fn] || want.Ref.Kind == manifest.KindQueue
		}
	}
	var out []manifest.Resource
	for _, res := range rel.Resources {
		if named[res.Ref] || res.Ref.Kind == manifest.KindTrigger && functions[res.Parent] {
			out = append(out, res)
		}
	}
	return out
}

// unfulfilled holds what a release's code expects against what lives.
func (p *pass) unfulfilled(rel *manifest.Release, live map[manifest.Ref]providers.Live) []broken {
	var out []broken
	for _, res := range rel.Resources {
		d, ok := rel.Functions[res.Ref]
		if !ok {
			continue
		}
		for _, want := range d.Expects.Resources(res.Ref) {
			switch want.Ref.Kind {
			case manifest.KindSecret, manifest.KindParameter:
				out = append(out, expectExisting(res.Ref, want.What+" "+want.Name, want.Ref, live)...)
			case manifest.KindQueue:
				out = append(out, p.expectQueue(res.Ref, want.Name, rel, live)...)
			default:
				out = append(out, p.expectDeclared(res.Ref, want, rel, live)...)
			}
		}
	}
	return out
}

// seen is the last look, completed for what rel expects and was never asked.
func (p *pass) seen(ctx context.Context, rel *manifest.Release) map[manifest.Ref]providers.Live {
	live := maps.Clone(p.e.look.inventory.Live)
	if live == nil {
		live = map[manifest.Ref]providers.Live{}
	}
	var ask []manifest.Resource
	for _, res := range rel.Resources {
		switch res.Ref.Kind {
		case manifest.KindSecret, manifest.KindParameter:
			if _, ok := live[res.Ref]; !ok {
				ask = append(ask, res)
			}
		}
	}
	if len(ask) == 0 {
		return live
	}
	seen, err := p.e.provider.Observe(ctx, ask...)
	if err != nil {
		p.e.log.Debug("contract could not be looked at whole", zap.Error(err))
	}
	maps.Copy(live, seen)
	return live
}

func expectExisting(fn manifest.Ref, what string, ref manifest.Ref, live map[manifest.Ref]providers.Live) []broken {
	l, looked := live[ref]
	switch {
	case !looked:
		return []broken{{fn, what, "it could not be looked at"}}
	case !l.Exists:
		return []broken{{fn, what, "it does not exist"}}
	case l.Spec.Fields["scheduledForDeletion"] == "true":
		return []broken{{fn, what, "it is scheduled for deletion"}}
	}
	return nil
}

// expectDeclared: what the release declares was not deleted since it was seen
// in place. What the release is about to make is not missing.
func (p *pass) expectDeclared(fn manifest.Ref, want manifest.Expected, rel *manifest.Release, live map[manifest.Ref]providers.Live) []broken {
	what := want.What + " " + want.Name
	if _, declared := rel.Resource(want.Ref); !declared {
		return []broken{{fn, what, "the release does not declare it"}}
	}
	if p.gone(want.Ref, live) {
		return []broken{{fn, what, "it was deleted"}}
	}
	return nil
}

// expectQueue: the queue is there, and a mapping the release declares from it
// onto the function is enabled. A mapping the release is about to make is not
// missing, nor one disabled that it is about to enable.
func (p *pass) expectQueue(fn manifest.Ref, name string, rel *manifest.Release, live map[manifest.Ref]providers.Live) []broken {
	queue := manifest.Ref{Kind: manifest.KindQueue, Name: name}
	what := "queue " + name
	if _, declared := rel.Resource(queue); !declared {
		return []broken{{fn, what, "the release does not declare it"}}
	}
	if p.gone(queue, live) {
		return []broken{{fn, what, "it was deleted"}}
	}
	for _, res := range rel.Resources {
		t, ok := res.Spec.(*manifest.TriggerSpec)
		if !ok || res.Parent != fn || t.Queue.Ref != queue {
			continue
		}
		l := live[res.Ref]
		switch {
		case p.gone(res.Ref, live):
			return []broken{{fn, what, "its mapping was deleted"}}
		case l.Exists && t.Enabled && l.Spec.Fields["enabled"] == "false" && p.wasEnabled(res.Ref):
			return []broken{{fn, what, "its mapping is disabled"}}
		}
	}
	return nil
}

// wasEnabled: a mapping that is disabled now was in place enabled before.
func (p *pass) wasEnabled(ref manifest.Ref) bool {
	fact, applied := p.st.Applied[ref]
	return applied && fact.Fields["enabled"] != "false" || p.e.d.opts.ReadOnly
}

// gone: it was seen in place before, and is seen not to be there now. What is
// only about to be made is not gone.
func (p *pass) gone(ref manifest.Ref, live map[manifest.Ref]providers.Live) bool {
	_, applied := p.st.Applied[ref]
	l, looked := live[ref]
	return (applied || p.e.d.opts.ReadOnly) && looked && !l.Exists && p.e.look.inventory.Errors[ref] == nil
}

// atRest: the release in force is wholly applied and nothing moves.
func (p *pass) atRest() bool {
	return p.st.Rollout.Phase == rollout.Idle && p.st.Rollout.Release.Digest != "" && p.target != nil && len(p.plan.Steps) == 0
}

func (p *pass) alertContract(ctx context.Context) error {
	if len(p.broken) == 0 {
		return p.resolve(ctx, "contract", "")
	}
	lines := make([]string, len(p.broken))
	for i, b := range p.broken {
		lines[i] = b.text()
	}
	return p.fire(ctx, event{
		kind: "contract", severity: "critical", title: p.e.name + " breaks what its code expects",
		text: strings.Join(lines, "\n") + "\nNothing is promoted into this environment until it holds again.",
	})
}

// soak accrues the time the release in force was observed healthy.
func (p *pass) soak(ctx context.Context) error {
	s, saved := p.accrued(), p.st.Soak
	digest := p.st.Rollout.Release.Digest
	if !p.atRest() || !p.healthy() {
		p.e.soaking = journal.Soak{}
		if saved.Release == "" || saved.Tick.IsZero() {
			return nil
		}
		p.changed = true
		return p.remember(ctx, journal.Record{Soak: &journal.Soak{Release: digest, Reset: true}})
	}
	if s.Release != digest || s.Tick.IsZero() {
		s = journal.Soak{Release: digest, Tick: p.now}
	} else {
		// Time in which nobody answered counts for nothing, and against nothing.
		if d := p.now.Sub(s.Tick); d > 0 && d <= accrueLimit && !p.unsure() {
			s.Elapsed += d
		}
		s.Tick, s.Reset = p.now, false
	}
	p.e.soaking = s
	need := time.Duration(p.spec.Soak)
	done := saved.Elapsed < need && s.Elapsed >= need
	if s.Release == saved.Release && !saved.Tick.IsZero() && !done && s.Elapsed-saved.Elapsed < soakEvery(need, saved.Elapsed) {
		return nil
	}
	return p.remember(ctx, journal.Record{Soak: &s})
}

// soakEvery is how much of a soak is worth a record: what a crash may lose.
func soakEvery(need, had time.Duration) time.Duration {
	if had >= need {
		return soakLost
	}
	return min(soakLost, max(saveEvery, need/10))
}

// soakLost is the most of a soak that a crash loses.
const soakLost = 5 * time.Minute

// accrued is the soak as counted last: in memory, where that goes on from what
// the journal has.
func (p *pass) accrued() journal.Soak {
	if s, saved := p.e.soaking, p.st.Soak; s.Release == saved.Release && !saved.Tick.IsZero() && s.Elapsed >= saved.Elapsed && !s.Tick.IsZero() {
		return s
	}
	return p.st.Soak
}

// soaked is how long the release in force was observed healthy, up to now.
func (p *pass) soaked() time.Duration {
	s := p.accrued()
	if s.Release != p.st.Rollout.Release.Digest || s.Tick.IsZero() {
		return 0
	}
	if d := p.now.Sub(s.Tick); d > 0 && d <= accrueLimit && p.atRest() && p.healthy() && !p.unsure() {
		return s.Elapsed + d
	}
	return s.Elapsed
}

// healthy: no declared check of this content has failed, no broken contract,
// nothing that failed on the platform.
func (p *pass) healthy() bool {
	for _, c := range p.results() {
		if !c.Passed && !c.Unknown {
			return false
		}
	}
	if len(p.broken) > 0 {
		return false
	}
	for _, live := range p.e.look.inventory.Live {
		if live.Failed != "" {
			return false
		}
	}
	return true
}

// expect holds a JSON response against assertions by path ("$.ok": true) and
// says what does not hold, without quoting the response.
func expect(response []byte, want map[string]any) string {
	if len(want) == 0 {
		return ""
	}
	var got any
	if err := json.Unmarshal(response, &got); err != nil {
		return "the response is not JSON"
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		value, ok := at(got, path)
		if !ok {
			return path + " is missing in the response"
		}
		if !equal(value, want[path]) {
			return path + " is not what is expected"
		}
	}
	return ""
}

// at follows a path of member names and indexes: $.items[0].id
func at(value any, path string) (any, bool) {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok {
		return nil, false
	}
	for _, part := range strings.FieldsFunc(rest, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		switch v := value.(type) {
		case map[string]any:
			if value, ok = v[part]; !ok {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			value = v[i]
		default:
			return nil, false
		}
	}
	return value, true
}

// equal compares JSON values by meaning: 1 and 1.0 are the same.
func equal(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	if errX != nil || errY != nil {
		return false
	}
	var u, v any
	return json.Unmarshal(x, &u) == nil && json.Unmarshal(y, &v) == nil && reflect.DeepEqual(u, v)
}
