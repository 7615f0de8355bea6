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

// plain looks at the resources of a kind one by one, in rotation within
// Options.LayerAge, and at once when one was written, touched or declared
// otherwise; what is owned and not wanted is looked at too. extras, which may
// be nil, lists what nobody declared on a resource.
func (s *sweep) plain(ctx context.Context, kind, layer string, extras func(manifest.Resource, providers.Live) ([]providers.Extra, error)) {
	resources := s.ofKind(kind)
	orphans := s.orphansOf(kind)
	for _, name := range sortedKeys(orphans) {
		resources = append(resources, orphans[name])
	}
	names := make([]string, 0, len(resources))
	for _, res := range resources {
		names = append(names, plainName(res))
	}
	due := s.due(names, func(name string) time.Time {
		l, _ := recall(&s.p.memory, s.p.memory.plain, plainKey{kind, name})
		return l.live.SeenAt
	})
	parallel(s.p.o.Parallel, resources, func(res manifest.Resource) {
		l, err := s.lookPlain(ctx, res, plainKey{kind, plainName(res)}, due[plainName(res)], extras)
		if err != nil {
			s.fail(res.Ref, about("observe", res.Ref, err))
			return
		}
		s.layer(layer, l.live.SeenAt)
		if _, isOrphan := orphans[res.Physical]; isOrphan {
			if l.live.Exists && s.p.owns(l.live.Owner) {
				s.orphan(res.Ref, l.live)
			}
			return
		}
		s.see(res.Ref, l.live)
		for _, e := range l.extras {
			if _, wanted := s.byRef[e.Ref]; !wanted {
				s.extra(e)
			}
		}
	})
}

// lookPlain is the last look, or a new one.
func (s *sweep) lookPlain(ctx context.Context, res manifest.Resource, key plainKey, due bool,
	extras func(manifest.Resource, providers.Live) ([]providers.Extra, error)) (plainLook, error) {
	l, known := recall(&s.p.memory, s.p.memory.plain, key)
	touches := s.p.memory.touches(lockName(res))
	if known && !due && l.touched == touches && l.digest == res.Digest {
		return l, nil
	}
	live, err := s.p.kinds[key.kind].observe(ctx, s.cl, res)
	if err != nil {
		return plainLook{}, err
	}
	live.SeenAt = s.at
	l = plainLook{live: live, digest: res.Digest, touched: touches}
	if extras != nil && live.Exists && s.p.watches(live.Owner) {
		if l.extras, err = extras(res, live); err != nil {
			return plainLook{}, err
		}
		for i := range l.extras {
			l.extras[i].SeenAt = s.at
		}
	}
	remember(&s.p.memory, s.p.memory.plain, key, l)
	return l, nil
}
