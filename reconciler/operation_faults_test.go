package reconciler

import (
	"context"
	"fmt"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
	"mooring.dev/sources/manifest"
)

// counted are metrics of the outbox.
type counted struct {
	noMetrics
	deliveries map[string]int // by receiver and outcome
	dropped    int
}

func (c *counted) Delivery(receiver, outcome string) { c.deliveries[receiver+" "+outcome]++ }
func (c *counted) OutboxDropped(n int)               { c.dropped += n }

// TestLesson71DeliveriesAreCounted by receiver and by what came of them.
func TestLesson71DeliveriesAreCounted(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	seen := &counted{deliveries: map[string]int{}}
	s.d.opts.Metrics = seen
	alert := func(id, status string) journal.Record {
		return journal.Record{Alert: &journal.Alert{ID: id, Fingerprint: "preview/drift/x", Status: status, Kind: "drift", Severity: "high", Receivers: []string{"default"}, At: s.now()}}
	}
	must(s.d.ledger.append(t.Context(), "preview", alert("one", "firing")))
	down := true
	s.unheard = func() bool { return down }
	must(s.d.drain(t.Context()))
	down = false
	must(s.d.drain(t.Context()))
	if len(seen.deliveries) != 2 || seen.deliveries["default retry"] < 1 || seen.deliveries["default delivered"] != 1 {
		t.Errorf("counted %v", seen.deliveries)
	}
}

// TestLesson75DropsAreCounted once each, and not again by the next daemon.
func TestLesson75DropsAreCounted(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	seen := &counted{}
	s.d.opts.Metrics = seen
	s.d.countOutbox()
	var recs []journal.Record
	for i := range 12000 {
		recs = append(recs, journal.Record{Alert: &journal.Alert{ID: fmt.Sprint("r", i), Fingerprint: fmt.Sprint("preview/drift/", i), Status: "resolved", Receivers: []string{"default"}, At: s.now()}})
	}
	must(s.d.ledger.append(t.Context(), "preview", recs...))
	s.d.countOutbox()
	s.d.countOutbox()
	if left := len(s.d.ledger.pending()); seen.dropped == 0 || seen.dropped+left != 12000 {
		t.Errorf("%d dropped, %d left of 12000", seen.dropped, left)
	}
	s.restart()
	again := &counted{}
	s.d.opts.Metrics = again
	s.d.countOutbox()
	if again.dropped != 0 {
		t.Errorf("the next daemon counts %d that were dropped before it", again.dropped)
	}
}

// unreachable is a platform whose credentials cannot be had for a while.
type unreachable struct {
	*tapped
	away func() bool
}

func (u unreachable) fault() error {
	return providers.Errorf(providers.Transient, "get credentials: STS does not answer")
}

func (u unreachable) Survey(ctx context.Context, want []manifest.Resource) (providers.Inventory, error) {
	if u.away() {
		return providers.Inventory{}, u.fault()
	}
	return u.tapped.Survey(ctx, want)
}

func (u unreachable) Observe(ctx context.Context, want ...manifest.Resource) (map[manifest.Ref]providers.Live, error) {
	if u.away() {
		return nil, u.fault()
	}
	return u.tapped.Observe(ctx, want...)
}

// TestLesson58CredentialsAwayForTenMinutes: the last state is shown, with why
// it is not renewed; there is one alert, and one that it is over; nothing is
// changed meanwhile.
func TestLesson58CredentialsAwayForTenMinutes(t *testing.T) {
	away := false
	s := begin(t, memory.Options{}, mutant{provider: func(t *tapped) providers.Provider {
		return unreachable{t, func() bool { return away }}
	}}, "preview")
	settled(t, s)
	s.run(time.Minute)
	before := s.d.environment("preview").published.Load().status
	calls := s.mutations()
	away = true
	s.run(10 * time.Minute)
	now := s.d.environment("preview").published.Load().status
	if now.Commit != before.Commit || now.Release != before.Release || now.LastError == "" {
		t.Errorf("while they are away: commit %q, was %q; %s, error %q", now.Commit, before.Commit, now.State, now.LastError)
	}
	if n := s.alerts("environment_error", "firing"); n != 1 {
		t.Errorf("%d alerts", n)
	}
	away = false
	s.run(5 * time.Minute)
	if n := s.alerts("environment_error", "resolved"); n != 1 || s.alerts("environment_error", "firing") != 1 {
		t.Errorf("%d times over, %d alerts", n, s.alerts("environment_error", "firing"))
	}
	if after := s.d.environment("preview").published.Load().status; after.State != "in_sync" || after.LastError != "" || s.mutations() != calls {
		t.Errorf("afterwards %s, error %q, %d calls", after.State, after.LastError, s.mutations()-calls)
	}
	sound(t, s)
}

// TestLesson53ThrottledWritesConverge: with three writes in ten refused for
// their rate everything still comes to be as declared, once; what is refused in
// a row waits longer each time, and nothing is parked or quarantined for it.
func TestLesson53ThrottledWritesConverge(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	tries, refused := 0, 0
	var times []time.Time // of the first write's tries
	s.inject = func(op string, ref manifest.Ref) error {
		if op != "put:before" {
			return nil
		}
		if ref == checkout && len(times) < 6 {
			times = append(times, s.real)
			if len(times) < 6 {
				return providers.Errorf(providers.Throttled, "Rate exceeded")
			}
			return nil
		}
		if tries++; tries%10 < 3 {
			refused++
			return providers.Errorf(providers.Throttled, "Rate exceeded")
		}
		return nil
	}
	for i := range 8 {
		k := firstContent()
		k.memory = 256 + 64*(i+1)
		s.repo.commit("env/preview", k.files())
		settled(t, s)
	}
	if len(times) < 6 || refused == 0 {
		t.Fatalf("%d tries of the first write, %d of %d refused later", len(times), refused, tries)
	}
	for i := 2; i < len(times); i++ {
		if gap, before := times[i].Sub(times[i-1]), times[i-1].Sub(times[i-2]); gap < before {
			t.Errorf("try %d came after %s, the one before after %s", i, gap, before)
		}
	}
	if first, last := times[1].Sub(times[0]), times[5].Sub(times[4]); last < 2*first {
		t.Errorf("the fifth refusal is waited for %s, the first %s", last, first)
	}
	st := s.watch.environment("preview")
	if len(st.Parked)+len(st.Quarantine) > 0 {
		t.Errorf("parked %v, quarantined %v", st.Parked, st.Quarantine)
	}
	sound(t, s)
}
