package reconciler

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"mooring.dev/providers"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/promote"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/trace"
	"mooring.dev/sources"
)

// A commit's way into an environment is one trace, from the moment it was heard
// of to the last alert about it. Its id follows from the two names, so that
// passes find it again after a restart; what is about no commit on its way is an
// episode of its own, linked to the release in force.

// Names of what spans say.
const (
	spanEnvironment, spanCommit, spanOutcome = "mooring.environment", "mooring.commit", "mooring.outcome"
	spanKind, spanResource, spanOperation    = "mooring.kind", "mooring.resource", "mooring.operation"
)

// begin begins the record of a pass; without a tracer there is none.
func (p *pass) begin(ctx context.Context) context.Context {
	ctx, p.work = p.e.d.opts.Tracer.Begin(ctx, "pass")
	p.work.First().Text(spanEnvironment, p.e.name)
	p.bind()
	return ctx
}

// bind says which trace the pass is part of, by what is known of it so far.
func (p *pass) bind() {
	if p.work == nil {
		return
	}
	commit, moves := p.subject()
	if p.onItsWay && !moves {
		return // it has just arrived
	}
	p.onItsWay = moves
	if item, open := oldest(p.st.Drift); open && !moves {
		p.work.Under(trace.Episode(p.e.name, item.ID+"@"+item.Since.UTC().Format(time.RFC3339Nano)))
		return
	}
	if commit != "" {
		p.work.Under(trace.Of(p.e.name, commit))
	}
}

// subject is the commit that a pass is about, and whether it is on its way: the
// head where it is news, what moves, what waits to; else what is in force.
func (p *pass) subject() (commit string, moves bool) {
	ro, j := p.st.Rollout, p.st.Judged
	snap, there := p.w.branch(p.spec)
	switch {
	case there && (p.head.judge || j == nil || j.Release.Commit != snap.Commit.SHA):
		return snap.Commit.SHA, true
	case ro.Phase != rollout.Idle:
		return ro.Release.Commit, true
	case p.st.Admitted != nil && p.st.Admitted.Release.Digest != ro.Release.Digest:
		return p.st.Admitted.Release.Commit, true
	}
	return ro.Release.Commit, false
}

// oldest is the difference that has been there longest of those that anything is
// done about.
func oldest(items map[string]record.DriftItem) (record.DriftItem, bool) {
	open := slices.DeleteFunc(sorted(items), func(i record.DriftItem) bool { return i.Response == record.Ignore })
	if len(open) == 0 {
		return record.DriftItem{}, false
	}
	return slices.MinFunc(open, func(a, b record.DriftItem) int { return a.Since.Compare(b.Since) }), true
}

// end ends the record of a pass. Of one that did and learned nothing there is
// none.
func (p *pass) end(err error) {
	if p.work == nil {
		return
	}
	first := p.work.First()
	commit, _ := p.subject()
	first.Text(spanCommit, commit)
	first.Text(spanOutcome, p.outcome(err))
	if !p.onItsWay && commit != "" && p.work.TraceID() != trace.Of(p.e.name, commit).TraceID() {
		first.Link(trace.Of(p.e.name, commit))
	}
	first.Failed(kindOf(err))
	p.work.End(err != nil || p.changed || p.wrote > 0)
}

// traceRollout records that a rollout came to stand elsewhere.
func (p *pass) traceRollout(ctx context.Context, name string, ro rollout.State) {
	_, span := trace.Start(ctx, name)
	span.Text("mooring.phase", string(ro.Phase))
	span.Number("mooring.weight", int64(ro.Weight))
	span.Text("mooring.verdict", string(ro.Verdict))
	span.End()
}

// tracePromotion records that content moves on. Where the pass is about no
// commit on its way here, it is part of the way that the content took before.
func (p *pass) tracePromotion(ctx context.Context, m promote.Move) (context.Context, *trace.Span) {
	if p.work != nil && !p.onItsWay {
		p.work.Under(trace.Of(m.From, m.Commit))
	}
	ctx, span := trace.Start(ctx, "promote")
	span.Text("mooring.from", m.From)
	span.Text("mooring.to", m.To)
	return ctx, span
}

// kindOf is an error in one word. Its text stays out of traces: it may say
// anything.
func kindOf(err error) string {
	var own *defect
	switch {
	case err == nil:
		return ""
	case errors.As(err, &own):
		return "defect"
	}
	return providers.KindOf(err).String()
}

// saw tells of commits that were not there at the last read: the beginning of
// each one's trace.
func (d *Daemon) saw(before, after *world, begun time.Time) {
	if d.opts.Tracer == nil || after.pipeline == nil {
		return
	}
	for _, name := range d.names() {
		spec, _ := after.pipeline.Environment(name)
		snap, there := after.branch(spec)
		if !there || before != nil && before.snapshots[spec.Branch].Commit.SHA == snap.Commit.SHA {
			continue
		}
		st := d.ledger.environment(name)
		if j := st.Judged; j != nil && j.Release.Commit == snap.Commit.SHA {
			continue // its trace began before the daemon did
		}
		d.sawCommit(name, spec.Branch, snap, seeing{after.trigger, begun, sourceOf(st, snap.Commit.SHA)})
	}
}

// seeing is how a commit was seen.
type seeing struct {
	trigger string
	begun   time.Time   // of the read
	source  trace.Place // the commit that it was made of, where that was promoted
}

func (d *Daemon) sawCommit(environment, branch string, snap sources.Snapshot, s seeing) {
	ctx, work := d.opts.Tracer.Begin(context.Background(), "commit")
	first, heard := work.First(), d.chase.heard(branch)
	_, fetch := trace.Start(ctx, "fetch")
	fetch.Began(s.begun)
	fetch.End()
	first.Began(s.begun)
	if !heard.at.IsZero() {
		first.Began(heard.at)
		first.Link(heard.from)
	}
	first.Link(s.source)
	first.Text(spanEnvironment, environment)
	first.Text(spanCommit, snap.Commit.SHA)
	first.Text("mooring.branch", branch)
	first.Text("mooring.trigger", s.trigger)
	work.Root(trace.Of(environment, snap.Commit.SHA))
	work.End(true)
}

// sourceOf is the trace of the commit that a promotion took a commit's content
// from.
func sourceOf(st *journal.Environment, commit string) trace.Place {
	for _, pr := range slices.Backward(st.Promotions) {
		if pr.Commit == commit && pr.Source != "" {
			return trace.Of(pr.From, pr.Source)
		}
	}
	return trace.Place{}
}

// traced records deliveries where the alert was raised in a trace.
func (d *Daemon) traced(receiver string, n notify.Notifier) notify.Notifier {
	if d.opts.Tracer == nil {
		return n
	}
	one := tracedNotifier{n, d.opts.Tracer, receiver}
	if g, ok := n.(notify.Grouper); ok {
		return tracedGrouper{one, g}
	}
	return one
}

type tracedNotifier struct {
	notify.Notifier
	tracer   *trace.Tracer
	receiver string
}

// Notify implements notify.Notifier.
func (n tracedNotifier) Notify(ctx context.Context, e notify.Event) error {
	return n.record(ctx, []notify.Event{e}, func(ctx context.Context) error { return n.Notifier.Notify(ctx, e) })
}

func (n tracedNotifier) record(ctx context.Context, events []notify.Event, deliver func(ctx context.Context) error) error {
	ctx, work := n.tracer.Begin(ctx, "deliver")
	first := work.First()
	first.Text("mooring.receiver", n.receiver)
	first.Text(spanKind, events[0].Kind)
	first.Text(spanEnvironment, events[0].Environment)
	first.Number("mooring.events", int64(len(events)))
	for _, e := range events {
		if at, ok := trace.Parse(e.Trace); ok && work.TraceID() == "" {
			work.Under(at)
		} else if ok {
			first.Link(at)
		}
	}
	err := deliver(ctx)
	switch {
	case notify.IsPermanent(err):
		first.Failed("refused")
	case err != nil:
		first.Failed("retry")
	}
	work.End(true)
	return err
}

type tracedGrouper struct {
	tracedNotifier
	group notify.Grouper
}

// NotifyAll implements notify.Grouper.
func (n tracedGrouper) NotifyAll(ctx context.Context, events []notify.Event) error {
	if len(events) == 0 {
		return n.group.NotifyAll(ctx, events)
	}
	return n.record(ctx, events, func(ctx context.Context) error { return n.group.NotifyAll(ctx, events) })
}

// state tells the host how a commit stands.
func (h *herald) state(ctx context.Context, s sources.CommitStatus) error {
	ctx, work := h.d.opts.Tracer.Begin(ctx, "status")
	first := work.First()
	environment := strings.TrimPrefix(s.Context, statusContext(""))
	first.Text(spanEnvironment, environment)
	first.Text(spanCommit, s.Commit)
	first.Text("mooring.status", string(s.State))
	work.Under(trace.Of(environment, s.Commit))
	err := h.saidAll(s, h.host.Status(ctx, s))
	first.Failed(kindOf(err))
	work.End(true)
	return err
}
