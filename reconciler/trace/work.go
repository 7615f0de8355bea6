package trace

import (
	"context"
	"sync"
	"time"
)

// Sink takes what is finished. It never makes its caller wait.
type Sink interface {
	Take(f Finished)
}

// Finished is one piece of work, its first span first and every other after
// the one it is part of.
type Finished struct {
	// Parent is what the first span is part of, in its trace: zero where the
	// first span is the trace's root.
	Parent Place
	Spans  []Done
}

// Done is one span that ended.
type Done struct {
	Place      Place
	Parent     [8]byte // of the same trace; zero for none
	Name       string
	Begin, End time.Time
	Attributes []Attribute
	Links      []Place
	// Failed is the kind of error that the span ended with; "" for none.
	Failed string
}

// Attribute says one thing of a span. Text counts where it is not "".
type Attribute struct {
	Name   string
	Text   string
	Number int64
}

// maxSpans is how many spans one work keeps: what is more is counted.
const maxSpans = 2000

// Tracer begins works. A nil Tracer keeps nothing, and costs nothing.
type Tracer struct {
	sink Sink
	now  func() time.Time
}

// New makes a tracer of what takes its works.
func New(sink Sink, now func() time.Time) *Tracer { return &Tracer{sink: sink, now: now} }

// Work is one piece of work: a pass, say. A nil Work keeps nothing.
type Work struct {
	t     *Tracer
	mu    sync.Mutex
	under Place // what the first span is part of
	fixed bool  // somebody was told
	spans []*Span
	lost  int64
	over  bool
}

// Span is one part of a work. A nil Span keeps nothing. It is of one goroutine
// until it has ended.
type Span struct {
	w      *Work
	id     [8]byte
	parent [8]byte
	done   Done
}

type key struct{}

// Begin begins a work with its first span. What is started with the context
// returned is part of it.
func (t *Tracer) Begin(ctx context.Context, name string) (context.Context, *Work) {
	if t == nil {
		return ctx, nil
	}
	w := &Work{t: t}
	s := &Span{w: w, id: fresh(), done: Done{Name: name, Begin: t.now()}}
	w.spans = append(w.spans, s)
	return context.WithValue(ctx, key{}, s), w
}

// Start begins a span as a part of what ctx is in; nil where that is nothing.
func Start(ctx context.Context, name string) (context.Context, *Span) {
	in, _ := ctx.Value(key{}).(*Span)
	if in == nil {
		return ctx, nil
	}
	s := &Span{w: in.w, id: fresh(), parent: in.id, done: Done{Name: name, Begin: in.w.t.now()}}
	if !in.w.keep(s) {
		return ctx, nil
	}
	return context.WithValue(ctx, key{}, s), s
}

func (w *Work) keep(s *Span) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return false
	}
	if len(w.spans) >= maxSpans {
		w.lost++
		return false
	}
	w.spans = append(w.spans, s)
	return true
}

// First is a work's own span.
func (w *Work) First() *Span {
	if w == nil {
		return nil
	}
	return w.spans[0]
}

// Under says which span, of which trace, the work is part of. It is false once
// somebody was told another, and for a nil Work.
func (w *Work) Under(p Place) bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fixed {
		return w.under == p
	}
	w.under = p
	return true
}

// Root makes the work's first span the root of a trace, by its place.
func (w *Work) Root(p Place) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.spans[1:] {
		if s.parent == w.spans[0].id {
			s.parent = p.Span
		}
	}
	w.spans[0].id, w.under, w.fixed = p.Span, Place{Trace: p.Trace}, true
}

// TraceID is the trace the work is part of by now; "" for none.
func (w *Work) TraceID() string {
	if w == nil {
		return ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.under.Trace == [16]byte{} {
		return ""
	}
	return w.under.TraceID()
}

// At is where ctx is. From then on its work stays in its trace.
func At(ctx context.Context) Place {
	s, _ := ctx.Value(key{}).(*Span)
	if s == nil {
		return Place{}
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if s.w.under.IsZero() {
		return Place{}
	}
	s.w.fixed = true
	return Place{s.w.under.Trace, s.id}
}

// End ends the work. One that is not worth keeping is dropped, unless somebody
// was told where it is, and so is one of which nobody said what it is part of.
func (w *Work) End(worth bool) {
	if w == nil {
		return
	}
	if f, ok := w.finish(w.t.now(), worth); ok {
		w.t.sink.Take(f)
	}
}

func (w *Work) finish(now time.Time, worth bool) (Finished, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over || w.under.IsZero() || !worth && !w.fixed {
		w.over = true
		return Finished{}, false
	}
	w.over = true
	first := w.spans[0]
	first.done.End = now
	if w.lost > 0 {
		first.done.Attributes = append(first.done.Attributes, Attribute{Name: "mooring.spans_lost", Number: w.lost})
	}
	f := Finished{Parent: w.under, Spans: make([]Done, 0, len(w.spans))}
	if w.under.Span == [8]byte{} {
		f.Parent = Place{}
	}
	first.parent = w.under.Span
	for _, s := range w.spans {
		d := s.done
		d.Place, d.Parent = Place{w.under.Trace, s.id}, s.parent
		if d.End.IsZero() { // whoever began it went on without us
			d.End = now
		}
		f.Spans = append(f.Spans, d)
	}
	return f, true
}

// Text says something of the span in a word.
func (s *Span) Text(name, value string) {
	if s != nil && value != "" {
		s.w.mu.Lock()
		defer s.w.mu.Unlock()
		s.done.Attributes = append(s.done.Attributes, Attribute{Name: name, Text: value})
	}
}

// Number says how much of something there is.
func (s *Span) Number(name string, n int64) {
	if s != nil {
		s.w.mu.Lock()
		defer s.w.mu.Unlock()
		s.done.Attributes = append(s.done.Attributes, Attribute{Name: name, Number: n})
	}
}

// Link names another place that the span has to do with; none is no link.
func (s *Span) Link(p Place) {
	if s != nil && !p.IsZero() {
		s.w.mu.Lock()
		defer s.w.mu.Unlock()
		s.done.Links = append(s.done.Links, p)
	}
}

// Began says that the span began earlier than it was started.
func (s *Span) Began(at time.Time) {
	if s != nil {
		s.w.mu.Lock()
		defer s.w.mu.Unlock()
		s.done.Begin = at
	}
}

// Failed says by its kind what error the span ends with; "" for none.
func (s *Span) Failed(kind string) {
	if s != nil {
		s.w.mu.Lock()
		defer s.w.mu.Unlock()
		s.done.Failed = kind
	}
}

// End ends the span. What is said later is not kept.
func (s *Span) End() {
	if s != nil {
		s.w.mu.Lock()
		defer s.w.mu.Unlock()
		if !s.w.over {
			s.done.End = s.w.t.now()
		}
	}
}
