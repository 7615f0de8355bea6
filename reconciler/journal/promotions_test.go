package journal_test

import (
	"fmt"
	"slices"
	"testing"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
)

// Of promotions those that came in are remembered before those that waited,
// however often the reason changed; the newest always is.
func TestWhatCameInIsRememberedBeforeWhatWaited(t *testing.T) {
	const keep = 50
	var recs []journal.Record
	for i := range 3 * keep {
		outcome := "held"
		if i%keep == 0 {
			outcome = "moved"
		}
		recs = append(recs, journal.Record{Environment: "production", Promotion: &record.Promotion{To: "production", Outcome: outcome, Reason: fmt.Sprint(i)}})
	}
	_, e := fold(t, recs...)
	var moved []string
	for _, p := range e.Promotions {
		if p.Outcome == "moved" {
			moved = append(moved, p.Reason)
		}
	}
	if n := len(e.Promotions); n != keep || e.Promotions[n-1].Reason != "149" || !slices.Equal(moved, []string{"0", "50", "100"}) {
		t.Errorf("there are %d, the last %+v; of those that came in %v are left", n, e.Promotions[n-1], moved)
	}
	for i := range 2 * keep {
		recs = append(recs, journal.Record{Environment: "production", Promotion: &record.Promotion{To: "production", Outcome: "moved", Reason: fmt.Sprint("m", i)}})
	}
	if _, e = fold(t, recs...); len(e.Promotions) != keep || e.Promotions[0].Reason != "m50" || e.Promotions[keep-1].Reason != "m99" {
		t.Errorf("%d that came in, from %q to %q", len(e.Promotions), e.Promotions[0].Reason, e.Promotions[len(e.Promotions)-1].Reason)
	}
}
