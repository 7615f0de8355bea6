package aws

import (
	"context"
	"fmt"
	"maps"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// round is how the things of a kind whose last looks (L) are remembered are
// looked at again: in rotation, and at once when one was written, touched,
// tagged, or shown by a bulk reading to be another.
type round[L any] struct {
	kind string
	// service and operation name the lane that bounds the rotation.
	service, operation string
	looks              map[string]*L // in the provider's memory, by physical name
	at                 func(l *L) time.Time
	touched            func(l *L) *int
	arn                func(l *L) string
	// look is a whole one; nil where there is nothing.
	look func(ctx context.Context, cl *clients, name string) (*L, error)
	// again renews a look that is merely due; nil: by a whole one.
	again func(ctx context.Context, name string, l *L) (*L, error)
	// tell is what a look shows, its layers noted in the sweep.
	tell func(res manifest.Resource, l *L) providers.Live
}

// survey answers for every wanted resource of the kind, and for the owned ones
// nobody wants. changed names those that a bulk reading showed to be others.
func (r round[L]) survey(ctx context.Context, s *sweep, changed map[string]bool) {
	resources, orphans := s.everyOf(r.kind)
	due := s.due(rotation{names: physicalNames(resources), service: r.service, operation: r.operation, cost: 1, lookedAt: func(name string) time.Time {
		if l, _ := recall(&s.p.memory, r.looks, name); l != nil {
			return r.at(l)
		}
		return time.Time{}
	}})
	parallel(s.p.o.Parallel, resources, func(res manifest.Resource) {
		l, err := r.recent(ctx, s, res, due[res.Physical], changed[res.Physical])
		if err != nil {
			s.fail(res.Ref, about("observe", res.Ref, err))
			return
		}
		live := providers.Live{}
		if l != nil {
			live = r.tell(res, l)
		}
		s.answer(res, live, orphans)
	})
}

// recent is the last look at a resource, or a new one; nil when there is
// nothing.
func (r round[L]) recent(ctx context.Context, s *sweep, res manifest.Resource, due, changed bool) (*L, error) {
	l, _ := recall(&s.p.memory, r.looks, res.Physical)
	touches := s.p.memory.touches(lockName(res))
	var err error
	switch {
	case l == nil || *r.touched(l) != touches || changed:
		l, err = r.look(ctx, s.cl, res.Physical)
	case !due && !s.retagged[r.arn(l)]:
		return l, nil
	case r.again != nil:
		l, err = r.again(ctx, res.Physical, l)
	default:
		l, err = r.look(ctx, s.lazy, res.Physical)
	}
	if err != nil {
		return nil, err
	}
	if l != nil {
		*r.touched(l) = touches
	}
	remember(&s.p.memory, r.looks, res.Physical, l)
	return l, nil
}

// overview is a bulk reading of a kind that is looked at in rounds.
type overview[L any] struct {
	size      int // names a call takes
	operation string
	last      *time.Time // of the last one, in the provider's memory
	// same tells which of some things are as their last looks show.
	same func(ctx context.Context, names []string, known map[string]*L) (map[string]bool, error)
}

// overview reads those in bulk that were looked at before, and tells which are
// not as they were.
func (r round[L]) overview(ctx context.Context, s *sweep, o overview[L]) map[string]bool {
	s.p.memory.mu.Lock()
	known, last := maps.Clone(r.looks), *o.last
	s.p.memory.mu.Unlock()
	resources, _ := s.everyOf(r.kind)
	var names []string
	for _, res := range resources {
		if known[res.Physical] != nil {
			names = append(names, res.Physical)
		}
	}
	changed, asked, err := s.glance(ctx, glance{
		names: names, last: last, size: o.size, service: r.service, operation: o.operation,
		ask: func(ctx context.Context, names []string) (map[string]bool, error) { return o.same(ctx, names, known) },
	})
	if err != nil {
		s.fail(manifest.Ref{}, fmt.Errorf("%s: %w", o.operation, err))
	} else if asked {
		s.p.memory.mu.Lock()
		*o.last = s.at
		s.p.memory.mu.Unlock()
	}
	return changed
}
