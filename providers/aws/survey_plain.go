package aws

import (
	"context"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// plainKey names one thing of a kind that is looked at by itself.
type plainKey struct{ kind, physical string }

// plainName tells apart what goes by its parent's physical name.
func plainName(res manifest.Resource) string {
	if res.Key == "" {
		return res.Physical
	}
	return res.Physical + "#" + res.Key
}

// plainLook is the last look at it.
type plainLook struct {
	live    providers.Live
	extras  []providers.Extra
	digest  string // of what was declared: a look compares only what is
	touched int
}

// plainly is how a kind is looked at one by one.
type plainly struct {
	kind, layer string
	// service and operation name the lane, and cost how many calls one look
	// takes of it.
	service, operation string
	cost               int
	// extras lists what nobody declared on a resource; nil where there are none.
	extras func(manifest.Resource, providers.Live) ([]providers.Extra, error)
}

// plain looks at the resources of a kind one by one, in rotation within
// Options.LayerAge, and at once when one was written, touched or declared
// otherwise; what is owned and not wanted is looked at too.
func (s *sweep) plain(ctx context.Context, k plainly) {
	resources, orphans := s.everyOf(k.kind)
	names := make([]string, 0, len(resources))
	for _, res := range resources {
		names = append(names, plainName(res))
	}
	due := s.due(rotation{names: names, service: k.service, operation: k.operation, cost: max(1, k.cost), lookedAt: func(name string) time.Time {
		l, _ := recall(&s.p.memory, s.p.memory.plain, plainKey{k.kind, name})
		return l.live.SeenAt
	}})
	parallel(s.p.o.Parallel, resources, func(res manifest.Resource) {
		l, err := s.lookPlain(ctx, k, res, due[plainName(res)])
		if err != nil {
			s.fail(res.Ref, about("observe", res.Ref, err))
			return
		}
		s.layer(k.layer, l.live.SeenAt)
		s.answer(res, l.live, orphans)
		if _, isOrphan := orphans[res.Physical]; isOrphan {
			return
		}
		for _, e := range l.extras {
			if _, wanted := s.byRef[e.Ref]; !wanted {
				s.extra(e)
			}
		}
	})
}

// everyOf are the wanted resources of a kind, and the owned ones nobody wants.
func (s *sweep) everyOf(kind string) (all []manifest.Resource, orphans map[string]manifest.Resource) {
	all, orphans = s.ofKind(kind), s.orphansOf(kind)
	for _, name := range sortedKeys(orphans) {
		all = append(all, orphans[name])
	}
	return all, orphans
}

// answer tells of one of them.
func (s *sweep) answer(res manifest.Resource, live providers.Live, orphans map[string]manifest.Resource) {
	if _, isOrphan := orphans[res.Physical]; !isOrphan {
		s.see(res.Ref, live)
	} else if live.Exists && s.p.owns(live.Owner) {
		s.orphan(res.Ref, live)
	}
}

// lookPlain is the last look, or a new one.
func (s *sweep) lookPlain(ctx context.Context, k plainly, res manifest.Resource, due bool) (plainLook, error) {
	key := plainKey{k.kind, plainName(res)}
	l, known := recall(&s.p.memory, s.p.memory.plain, key)
	touches, cl := s.p.memory.touches(lockName(res)), s.cl
	if known && l.touched == touches && l.digest == res.Digest {
		if !due && !s.retagged[l.live.Attributes["arn"]] {
			return l, nil
		}
		cl = s.lazy
	}
	live, err := s.p.kinds[k.kind].observe(ctx, cl, res)
	if err != nil {
		return plainLook{}, err
	}
	live.SeenAt = s.at
	l = plainLook{live: live, digest: res.Digest, touched: touches}
	if k.extras != nil && live.Exists && s.p.watches(live.Owner) {
		if l.extras, err = k.extras(res, live); err != nil {
			return plainLook{}, err
		}
		for i := range l.extras {
			l.extras[i].SeenAt = s.at
		}
	}
	remember(&s.p.memory, s.p.memory.plain, key, l)
	return l, nil
}
