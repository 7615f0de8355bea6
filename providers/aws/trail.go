package aws

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

const (
	// pagesOfWrites and pagesOfName bound a reading: the trail answers twice a
	// second, 50 events at a time, for the whole account.
	pagesOfWrites, pagesOfName = 40, 8
	// trailFresh is how long a reading tells what is newest; crowdedFor how
	// long one that found more writes than it may read is not begun anew.
	trailFresh, crowdedFor = 2 * time.Second, 5 * time.Minute
	// readingsKept bounds the readings that are remembered.
	readingsKept = 64
)

// trail is one region's audit trail, as far as it was read. It may be asked
// by one attribute at a time. Asked by a resource's name, it answers with
// reads above all: our own sweeps, and everybody's dashboards. So all writes
// are read, once for all resources, and a resource by its name only where an
// account writes more than can be read.
type trail struct {
	client *cloudtrail.Client
	now    func() time.Time

	mu       sync.Mutex
	readings map[trailQuestion]*trailReading
}

type trailQuestion struct {
	key   types.LookupAttributeKey
	value string
}

var allWrites = trailQuestion{types.LookupAttributeKeyReadOnly, "false"}

// trailReading is one question read newest first, page by page, over as many
// looks as the rate makes of it.
type trailReading struct {
	question trailQuestion
	began    time.Time // it knows nothing newer
	from     time.Time // it is to reach back to
	most     int       // pages
	pages    int       // read so far
	next     *string   // where it goes on
	writes   []trailWrite
	told     map[string]int // pages that a subject was told of
}

// trailWrite is an event that changed something.
type trailWrite struct {
	doc            trailEvent
	name, username string
	at             time.Time
	names          []string // of what it may be about
}

// trailSubject is a resource as the trail knows it.
type trailSubject struct {
	kind  string
	names []string
}

func newTrail(client *cloudtrail.Client, now func() time.Time) *trail {
	return &trail{client: client, now: now, readings: map[trailQuestion]*trailReading{}}
}

// actors lists who changed a resource since a time, newest first, as far as
// was read before ctx ends. Asked again, it reads on.
func (t *trail) actors(ctx context.Context, s trailSubject, since time.Time) ([]providers.Actor, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	writes := t.reading(allWrites, pagesOfWrites, since)
	found, err := t.read(ctx, writes, s, since)
	if err != nil || len(found) > 0 || !writes.cut() {
		return found, err
	}
	for _, name := range s.names {
		more, err := t.read(ctx, t.reading(trailQuestion{types.LookupAttributeKeyResourceName, name}, pagesOfName, since), s, since)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	slices.SortStableFunc(found, func(a, b providers.Actor) int { return b.At.Compare(a.At) })
	return found, nil
}

// reading is the one of a question, a new one where that is too old.
func (t *trail) reading(q trailQuestion, most int, since time.Time) *trailReading {
	now := t.now()
	r := t.readings[q]
	if r != nil && !r.from.After(since) && (!r.ended() || now.Sub(r.began) < r.lasts()) {
		return r
	}
	if len(t.readings) >= readingsKept {
		maps.DeleteFunc(t.readings, func(_ trailQuestion, r *trailReading) bool { return r.question != allWrites })
	}
	r = &trailReading{question: q, began: now, from: since, most: most, told: map[string]int{}}
	t.readings[q] = r
	return r
}

// cut: there is more than may be read.
func (r *trailReading) cut() bool { return r.pages >= r.most && r.next != nil }

func (r *trailReading) ended() bool { return r.pages > 0 && r.next == nil || r.pages >= r.most }

func (r *trailReading) lasts() time.Duration {
	if r.cut() {
		return crowdedFor
	}
	return trailFresh
}

// read tells what a reading has of a subject, and reads on when that was told
// before, or is nothing. Time that runs out ends it without an error, unless
// nothing was read at all.
func (t *trail) read(ctx context.Context, r *trailReading, s trailSubject, since time.Time) ([]providers.Actor, error) {
	id := s.kind + " " + s.names[0]
	found, first := r.of(s, since), r.pages
	if len(found) > 0 && r.told[id] < r.pages {
		r.told[id] = r.pages
		return found, nil
	}
	for had := len(found); !r.ended() && len(found) == had; found = r.of(s, since) {
		if err := r.page(ctx, t.client); err != nil {
			if errors.Is(err, context.DeadlineExceeded) && r.pages > first {
				break
			}
			return nil, classify(err)
		}
	}
	r.told[id] = r.pages
	return found, nil
}

func (r *trailReading) page(ctx context.Context, client *cloudtrail.Client) error {
	out, err := client.LookupEvents(ctx, &cloudtrail.LookupEventsInput{
		StartTime: &r.from, NextToken: r.next,
		LookupAttributes: []types.LookupAttribute{{AttributeKey: r.question.key, AttributeValue: &r.question.value}},
	})
	if err != nil {
		return err
	}
	for _, e := range out.Events {
		if w, ok := writeOf(e); ok {
			if r.question.key == types.LookupAttributeKeyResourceName {
				w.names = append(w.names, r.question.value) // the trail says so
			}
			r.writes = append(r.writes, w)
		}
	}
	r.pages, r.next = r.pages+1, out.NextToken
	return nil
}

// of are the changes of a subject, newest first.
func (r *trailReading) of(s trailSubject, since time.Time) []providers.Actor {
	var out []providers.Actor
	for _, w := range r.writes {
		if !w.at.Before(since) && s.changedBy(w) {
			out = append(out, w.doc.actor(w.name, w.username, w.at))
		}
	}
	return out
}

func (s trailSubject) changedBy(w trailWrite) bool {
	if told, known := sourceOf[s.kind]; known && w.doc.Source != "" && w.doc.Source != told+".amazonaws.com" {
		return false
	}
	return changes(s.kind, w.name) && slices.ContainsFunc(s.names, func(name string) bool { return slices.Contains(w.names, name) })
}

// writeOf reads one event; ok is false for what changed nothing.
func writeOf(e types.Event) (w trailWrite, ok bool) {
	var doc trailEvent
	if text := awssdk.ToString(e.CloudTrailEvent); text != "" {
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			return w, false
		}
	}
	if doc.ErrorCode != "" || doc.ReadOnly || awssdk.ToString(e.ReadOnly) == "true" {
		return w, false
	}
	w = trailWrite{name: awssdk.ToString(e.EventName), username: awssdk.ToString(e.Username), at: awssdk.ToTime(e.EventTime), names: doc.names()}
	for _, about := range e.Resources {
		w.names = append(w.names, namesIn(awssdk.ToString(about.ResourceName))...)
	}
	if doc.Source == "" {
		doc.Source = awssdk.ToString(e.EventSource)
	}
	doc.Request, doc.Response = nil, nil // nothing of them is kept
	w.doc = doc
	return w, true
}

// trailOf is the trail that tells of a kind: IAM's events are in one region.
func (p *Provider) trailOf(kind string) *trail {
	if kind == manifest.KindRole || kind == KindPolicy {
		return p.iamTrail
	}
	return p.trail
}
