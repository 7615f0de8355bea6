package reconciler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// expiredHold is the kind of alert about a hold of somebody's that ended because
// its time was up, and expiredTold how long it fires: what ended cannot be over.
const expiredHold, expiredTold = "hold_expired", time.Hour

// expireHolds lifts what has run out, and says so.
func (p *pass) expireHolds(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(p.st.Holds)) {
		h := p.st.Holds[id]
		if h.Active(p.now) {
			if !h.Until.IsZero() {
				p.later = append(p.later, h.Until)
			}
			continue
		}
		p.changed = true
		if h.Kind == "rollback" || h.Kind == "undecided" || h.Kind == "deadman" {
			// What people took back does not start again because a day passed.
			h.Until = p.now.Add(mitigationHold)
			if err := p.remember(ctx, journal.Record{Hold: &h}); err != nil {
				return err
			}
			continue
		}
		if err := p.tellExpired(ctx, h); err != nil {
			return err
		}
		if err := p.lift(ctx, id, ownerMooring, "expired"); err != nil {
			return err
		}
	}
	return nil
}

// tellExpired tells that what somebody held back goes on now, though nobody said
// so now. Mooring's own holds are alerts themselves, which end.
func (p *pass) tellExpired(ctx context.Context, h record.Hold) error {
	if h.Owner == ownerMooring || h.Kind == record.PauseHold {
		return nil
	}
	what := "hold"
	if h.Kind == "suspend" {
		what = "suspension"
	}
	resource := ""
	if h.Scope.Ref != (manifest.Ref{}) {
		resource = h.Scope.Ref.String()
	}
	return p.fire(ctx, event{
		kind: expiredHold, key: h.ID, severity: "medium", resource: resource,
		title: fmt.Sprintf("%s: the %s of %s has ended, and what it kept waiting goes on", p.e.name, what, h.Owner),
		text:  fmt.Sprintf("It was to last until %s, because: %s\nReleases and the putting back of drift that it kept waiting are done now.", h.Until.UTC().Format("2006-01-02 15:04:05Z"), h.Reason),
	})
}

// toldExpired: it was told for long enough.
func (p *pass) toldExpired(key string) bool {
	a, _ := p.e.d.ledger.alert(p.e.fingerprint(expiredHold, key))
	return p.now.Sub(a.Since) >= expiredTold
}
