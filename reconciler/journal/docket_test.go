package journal_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
)

// shortened is a store that keeps nothing before a record, and counts what is
// read of it.
type shortened struct {
	*journal.Memory
	first journal.Seq
	read  int
}

func (s *shortened) Records(ctx context.Context, after journal.Seq) iter.Seq2[journal.Record, error] {
	return func(yield func(journal.Record, error) bool) {
		for rec, err := range s.Memory.Records(ctx, max(after, max(s.first, 1)-1)) {
			if s.read++; !yield(rec, err) {
				return
			}
		}
	}
}

// docketed is a journal in which one record of three is a decision.
type docketed struct {
	t     *testing.T
	store *shortened
	fence journal.Fence
	now   time.Time
	n     int
}

func newDocketed(t *testing.T) *docketed {
	t.Helper()
	d := &docketed{t: t, store: &shortened{Memory: journal.NewMemory()}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	var err error
	if d.fence, err = d.store.Acquire(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *docketed) add(n int, step func() time.Duration) {
	d.t.Helper()
	for range n {
		d.n++
		d.now = d.now.Add(step())
		rec := journal.Record{At: d.now, Environment: []string{"preview", "production"}[d.n/3%2], Hold: &record.Hold{ID: "h"}}
		if d.n%3 == 0 {
			rec.Hold, rec.Decision = nil, &journal.Decision{ID: fmt.Sprint("d", d.n), Point: []string{"admission", "drift"}[d.n/9%2], Line: fmt.Appendf(nil, `{"decision_id":"d%d","input":{"of":%d},"result":{"n":%d}}`, d.n, d.n, d.n)}
		}
		if d.n%5 == 1 && rec.Decision == nil {
			rec.Hold, rec.Rollout = nil, &rollout.State{Looks: d.n}
		}
		if err := d.store.Append(d.t.Context(), d.fence, rec); err != nil {
			d.t.Fatal(err)
		}
	}
}

// lines are what is given, each after its number.
func lines(t *testing.T, all iter.Seq2[journal.Record, error]) (out []string) {
	t.Helper()
	for rec, err := range all {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(rec.Seq, rec.Environment, string(rec.Decision.Line)))
	}
	return out
}

func looks(t *testing.T, all iter.Seq2[journal.Look, error]) (out []int) {
	t.Helper()
	for look, err := range all {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, look.State.Looks)
	}
	return out
}

// walked are the looks at one rollout, by reading everything from its first record
// on.
func walked(ctx context.Context, store journal.Store, environment string, r journal.Rollout) iter.Seq2[journal.Look, error] {
	return func(yield func(journal.Look, error) bool) {
		for rec, err := range store.Records(ctx, r.First-1) {
			switch {
			case err != nil:
				yield(journal.Look{}, err)
				return
			case rec.Seq > r.Last:
				return
			case rec.Environment != environment || rec.Rollout == nil:
				continue
			}
			if !yield(journal.Look{Seq: rec.Seq, At: rec.At, State: *rec.Rollout}, nil) {
				return
			}
		}
	}
}

// newestFirst are decisions, of which there are all, as q asks for them.
func newestFirst(all iter.Seq2[journal.Record, error], q journal.DecisionQuery) iter.Seq2[journal.Record, error] {
	return func(yield func(journal.Record, error) bool) {
		var found []journal.Record
		for rec, err := range all {
			if err != nil {
				yield(rec, err)
				return
			}
			if q.Before == 0 || rec.Seq < q.Before {
				found = append(found, rec)
			}
		}
		slices.Reverse(found)
		for n, rec := range found {
			if q.Limit > 0 && n == q.Limit || !yield(rec, nil) {
				return
			}
		}
	}
}

// Whatever is asked, in whatever order, while records are appended, old ones are
// dropped and the clock is set back: what the docket finds is what the journal
// has.
func TestDocketFindsWhatThereIs(t *testing.T) {
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 0))
		d := newDocketed(t)
		clock := func() time.Duration {
			if rng.IntN(200) == 0 { // it is set back
				return -time.Duration(rng.Int64N(int64(12 * time.Hour)))
			}
			return time.Duration(rng.Int64N(int64(6 * time.Minute)))
		}
		d.add(1100+rng.IntN(600), clock)
		docket := journal.NewDocket(d.store, func() journal.Seq { return journal.Seq(d.n - rng.IntN(2)) })
		for range 30 {
			q := journal.DecisionQuery{Limit: rng.IntN(40), Brief: rng.IntN(2) == 0}
			if rng.IntN(2) == 0 {
				q.Environment = []string{"preview", "production", "none"}[rng.IntN(3)]
			}
			if rng.IntN(3) == 0 {
				q.Point = []string{"admission", "drift"}[rng.IntN(2)]
			}
			switch rng.IntN(4) {
			case 0:
				q.ID, q.Limit = fmt.Sprint("d", rng.IntN(d.n)), 0
			case 1:
				q.After = journal.Seq(rng.IntN(d.n))
			case 2:
				q.Since = d.now.Add(-time.Duration(rng.Int64N(int64(72 * time.Hour))))
			case 3:
				q.Since, q.After = d.now.Add(-time.Duration(rng.Int64N(int64(72*time.Hour)))), journal.Seq(rng.IntN(d.n))
			}
			if rng.IntN(5) == 0 {
				first := journal.Seq(rng.IntN(d.n) + 1)
				r := journal.Rollout{First: first, Last: first + journal.Seq(rng.IntN(300))}
				for _, name := range []string{"preview", "none"} {
					if got, want := looks(t, docket.Looks(t.Context(), name, r)), looks(t, walked(t.Context(), d.store, name, r)); !slices.Equal(got, want) {
						t.Fatalf("seed %d: of %+v there are the looks %v, and not %v", seed, r, want, got)
					}
				}
			}
			got, want := lines(t, docket.Decisions(t.Context(), q)), lines(t, journal.Decisions(t.Context(), d.store, q))
			if q.ID == "" && rng.IntN(3) == 0 {
				q.Newest, q.Before = true, journal.Seq(rng.IntN(2)*rng.IntN(d.n))
				got, want = lines(t, docket.Decisions(t.Context(), q)), lines(t, newestFirst(journal.Decisions(t.Context(), d.store, journal.DecisionQuery{
					Environment: q.Environment, Point: q.Point, Since: q.Since, After: q.After, Brief: q.Brief,
				}), q))
			}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d: %+v finds %v, and there are %v", seed, q, got, want)
			}
			d.add(rng.IntN(30), clock)
			if rng.IntN(5) == 0 {
				d.store.first += journal.Seq(rng.IntN(200))
			}
		}
	}
}

// A page of the newest decisions reads those of its time once, and from then on
// its own; the length of the journal before that does not count.
func TestADecisionsPageReadsItsOwn(t *testing.T) {
	read := map[int]int{} // records, by the length of the journal
	for _, before := range []int{2_100, 6_000} {
		d := newDocketed(t)
		d.add(before, func() time.Duration { return time.Minute })
		d.now = d.now.AddDate(0, 0, 10)
		d.add(300, func() time.Duration { return time.Minute })
		docket := journal.NewDocket(d.store, func() journal.Seq { return journal.Seq(d.n + 1) })
		page := journal.DecisionQuery{Since: d.now.Add(-time.Hour), Limit: 10}
		lines(t, docket.Decisions(t.Context(), page))
		read[before] = d.store.read
		for name, q := range map[string]journal.DecisionQuery{
			"the newest": {Since: page.Since, Newest: true, Limit: 10}, "earlier ones": {Since: page.Since, Newest: true, Before: journal.Seq(d.n - 20), Limit: 10}, "the oldest of the time": page, "later ones": {After: journal.Seq(d.n - 60), Limit: 10}, "those of one environment": {Since: page.Since, Environment: "preview", Limit: 10}, "one": {ID: fmt.Sprint("d", d.n)},
		} {
			d.store.read = 0
			if n := len(lines(t, docket.Decisions(t.Context(), q))); n == 0 || d.store.read > n+2 {
				t.Errorf("%s: %d records were read for %d decisions", name, d.store.read, n)
			}
		}
		moved := journal.Rollout{First: journal.Seq(d.n - 90), Last: journal.Seq(d.n)}
		d.store.read = 0
		if n := len(looks(t, docket.Looks(t.Context(), "preview", moved))); n == 0 || d.store.read > n+2 {
			t.Errorf("%d records were read for %d looks", d.store.read, n)
		}
		page.Brief = true
		first := lines(t, docket.Decisions(t.Context(), page))
		d.store.read = 0
		if again := lines(t, docket.Decisions(t.Context(), page)); d.store.read > 1 || !slices.Equal(again, first) || strings.Contains(again[0], "input") {
			t.Errorf("in brief, and again: %d records were read for %q and %q", d.store.read, first, again)
		}
		lines(t, docket.Decisions(t.Context(), journal.DecisionQuery{ID: "none"}))
		d.store.read = 0
		if lines(t, docket.Decisions(t.Context(), journal.DecisionQuery{ID: "another"})); d.store.read > 2 {
			t.Errorf("%d records were read for what is known not to be there", d.store.read)
		}
	}
	if read[2_100] != read[6_000] {
		t.Errorf("the first page reads %v records, by the length of the journal", read)
	}
}
