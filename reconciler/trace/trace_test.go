package trace

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// kept is a sink that keeps what it takes.
type kept struct {
	mu    sync.Mutex
	works []Finished
}

func (k *kept) Take(f Finished) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.works = append(k.works, f)
}

func clock() func() time.Time {
	var mu sync.Mutex
	at := time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(time.Millisecond)
		return at
	}
}

// TestNothingIsKeptForNothing: without a tracer no call does anything, and none
// costs an allocation.
func TestNothingIsKeptForNothing(t *testing.T) {
	var none *Tracer
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() {
		in, w := none.Begin(ctx, "pass")
		in, s := Start(in, "plan")
		s.Text("a", "b")
		s.Number("n", 1)
		s.Link(Place{})
		s.Failed("denied")
		s.End()
		w.First().Text("a", "b")
		if w.Under(Place{}) || w.TraceID() != "" || !At(in).IsZero() {
			t.Error("something is kept")
		}
		w.End(true)
	}); n != 0 {
		t.Errorf("%v allocations without a tracer", n)
	}
}

// TestPartsStandUnderWhatTheyArePartOf: however works nest, each span names the
// one it was started in, all are of one trace, and a part begins no earlier and
// ends no later than its whole.
func TestPartsStandUnderWhatTheyArePartOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sink kept
		under := Of("production", rapid.StringMatching(`[0-9a-f]{40}`).Draw(t, "commit"))
		ctx, w := New(&sink, clock()).Begin(context.Background(), "pass")
		type open struct {
			ctx context.Context
			s   *Span
		}
		stack := []open{{ctx, w.First()}}
		whole := map[*Span]*Span{}
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			top := stack[len(stack)-1]
			if len(stack) > 1 && rapid.Bool().Draw(t, "end") {
				top.s.End()
				stack = stack[:len(stack)-1]
				continue
			}
			in, s := Start(top.ctx, "part")
			whole[s] = top.s
			stack = append(stack, open{in, s})
		}
		w.Under(under)
		w.End(true)
		if len(sink.works) != 1 || sink.works[0].Parent != under {
			t.Fatalf("took %+v", sink.works)
		}
		spans := sink.works[0].Spans
		if spans[0].Parent != under.Span || len(spans) != len(whole)+1 {
			t.Fatalf("%d spans, the first under %x", len(spans), spans[0].Parent)
		}
		at := map[[8]byte]Done{}
		for i, d := range spans {
			if d.Place.Trace != under.Trace || at[d.Place.Span].Name != "" {
				t.Fatalf("span %d at %s", i, d.Place)
			}
			if of, ok := at[d.Parent]; i > 0 && (!ok || d.Begin.Before(of.Begin) || d.End.After(of.End)) {
				t.Fatalf("span %d of %+v: %+v", i, of, d)
			}
			at[d.Place.Span] = d
		}
		for s, of := range whole {
			if at[s.id].Parent != of.id {
				t.Fatalf("%x is under %x, was started in %x", s.id, at[s.id].Parent, of.id)
			}
		}
	})
}

// TestWhatIsNotWorthItIsDropped, unless somebody was told where it is; and what
// nobody said the trace of is, too.
func TestWhatIsNotWorthItIsDropped(t *testing.T) {
	for name, c := range map[string]struct {
		bound, told, worth bool
		want               int
	}{
		"worth": {true, false, true, 1}, "quiet": {true, false, false, 0}, "told": {true, true, false, 1}, "of no trace": {false, true, true, 0},
	} {
		var sink kept
		ctx, w := New(&sink, clock()).Begin(context.Background(), "pass")
		if c.bound {
			w.Under(Of("production", "c1"))
		}
		if c.told {
			if At(ctx).IsZero() == c.bound {
				t.Errorf("%s: at %s", name, At(ctx))
			}
			if c.bound && w.Under(Of("production", "c2")) {
				t.Errorf("%s: moved to another trace after somebody was told", name)
			}
		}
		w.End(c.worth)
		if _, late := Start(ctx, "late"); late != nil {
			t.Errorf("%s: something began after the end", name)
		}
		if len(sink.works) != c.want {
			t.Errorf("%s: %d works were taken", name, len(sink.works))
		}
	}
}

// TestAWorkIsBounded: what is more than a work keeps is counted.
func TestAWorkIsBounded(t *testing.T) {
	var sink kept
	ctx, w := New(&sink, clock()).Begin(context.Background(), "pass")
	w.Under(Of("production", "c1"))
	for range maxSpans + 9 {
		_, s := Start(ctx, "call")
		s.End()
	}
	w.End(true)
	f := sink.works[0]
	if last := f.Spans[0].Attributes; len(f.Spans) != maxSpans || len(last) != 1 || last[0].Number != 10 {
		t.Errorf("%d spans, %+v", len(f.Spans), last)
	}
}

// TestARootIsWhereEverybodyLooksForIt: its parts move with it.
func TestARootIsWhereEverybodyLooksForIt(t *testing.T) {
	var sink kept
	ctx, w := New(&sink, clock()).Begin(context.Background(), "commit")
	_, s := Start(ctx, "fetch")
	s.End()
	w.Root(Of("production", "c1"))
	w.End(true)
	ctx, w = New(&sink, clock()).Begin(context.Background(), "pass")
	w.Under(Episode("production", "drift"))
	if at := At(ctx); at.Trace != Episode("production", "drift").Trace || at.Span == [8]byte{} {
		t.Errorf("at %s", at)
	}
	w.End(true)
	if f := sink.works[1]; f.Spans[0].Parent != [8]byte{} || f.Spans[0].Place.Trace != Episode("production", "drift").Trace || !f.Parent.IsZero() {
		t.Errorf("an episode has a root: %+v", f)
	}
	f := sink.works[0]
	if f.Spans[0].Place != Of("production", "c1") || f.Spans[0].Parent != [8]byte{} || f.Spans[1].Parent != f.Spans[0].Place.Span || !f.Parent.IsZero() {
		t.Errorf("%+v", f)
	}
}

// TestPlacesAreReadAsTheyAreWritten, and what is no place is none.
func TestPlacesAreReadAsTheyAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Of(rapid.String().Draw(t, "environment"), rapid.String().Draw(t, "commit"))
		if got, ok := Parse(p.String()); !ok || got != p {
			t.Fatalf("%s was read as %s, %v", p, got, ok)
		}
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-9a-f]{2}-[0-9a-fA-F]{31,33}-[0-9a-f]{15,17}-[0-9a-f]{2}(-x)?`)).Draw(t, "text")
		if got, ok := Parse(text); ok && !strings.HasPrefix(text[3:], got.TraceID()+"-"+got.SpanID()) {
			t.Fatalf("%q was read as %s", text, got)
		}
	})
	if Of("a", "bc") == Of("ab", "c") || Of("a", "b") == Episode("a", "b") {
		t.Error("two things have one place")
	}
	for _, none := range []string{"", "00-" + strings.Repeat("0", 32) + "-" + strings.Repeat("1", 16) + "-01", "ff-" + strings.Repeat("1", 32) + "-" + strings.Repeat("1", 16) + "-01"} {
		if p, ok := Parse(none); ok {
			t.Errorf("%q was read as %s", none, p)
		}
	}
}
