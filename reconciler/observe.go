package reconciler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mooring.dev/providers"
	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/trace"
	"mooring.dev/sources/manifest"
)

// look is what an environment last saw of its platform.
type look struct {
	inventory providers.Inventory
	at        time.Time // of the last survey
	want      string    // digest of what that survey asked for
	surveys   int       // complete ones in a row for the same want
	// fresh are resources to be looked at again directly, from a time on:
	// just written, settling, or seen to differ once.
	fresh map[manifest.Ref]time.Time
	// suspects are resources that were heard to have changed, or that may carry
	// something undeclared: looked at with all that is on them, from a time on.
	suspects map[manifest.Ref]time.Time
	// resurvey asks for a survey from a time on (extras seen once).
	resurvey time.Time
}

// forget takes what was just removed out of the last look, until the next
// survey says what became of it: it must not be removed twice meanwhile.
func (l *look) forget(ref manifest.Ref) {
	l.inventory.Extras = slices.DeleteFunc(slices.Clone(l.inventory.Extras), func(x providers.Extra) bool { return x.Ref == ref })
	l.inventory.Orphans = maps.Clone(l.inventory.Orphans)
	delete(l.inventory.Orphans, ref)
	l.inventory.Live = maps.Clone(l.inventory.Live)
	delete(l.inventory.Live, ref)
	// That it is gone is for the survey to see, not for us to conclude.
	l.inventory.Errors = maps.Clone(l.inventory.Errors)
	if l.inventory.Errors == nil {
		l.inventory.Errors = map[manifest.Ref]error{}
	}
	l.inventory.Errors[ref] = errRemoved
}

// errRemoved stands for the look that has not been had since a removal.
var errRemoved = errors.New("it was removed a moment ago and not looked for since")

// cachedSpec is a canonical form with what it was made from.
type cachedSpec struct {
	from string
	spec providers.Spec
}

// again asks for a look at everything.
func (l *look) again() {
	l.at, l.resurvey = time.Time{}, time.Time{}
	for ref := range l.fresh {
		l.fresh[ref] = time.Time{}
	}
	for ref := range l.suspects {
		l.suspects[ref] = time.Time{}
	}
}

// suspect asks for a look at a resource and all that is on it, from a time on.
func (l *look) suspect(ref manifest.Ref, from time.Time) {
	if l.suspects == nil {
		l.suspects = map[manifest.Ref]time.Time{}
	}
	if old, ok := l.suspects[ref]; !ok || from.Before(old) {
		l.suspects[ref] = from
	}
}

// touch asks for a direct look at a resource from a time on.
func (l *look) touch(ref manifest.Ref, from time.Time) {
	if l.fresh == nil {
		l.fresh = map[manifest.Ref]time.Time{}
	}
	if old, ok := l.fresh[ref]; !ok || from.Before(old) {
		l.fresh[ref] = from
	}
}

// observe brings the inventory up to date: a survey when one is due or the
// declared set changed, else a direct look at what is fresh. A survey that is
// breakable is broken off for who is in a hurry.
func (e *environment) observe(ctx context.Context, want []manifest.Resource, interval time.Duration, breakable bool) error {
	ctx, span := trace.Start(ctx, "observe")
	defer span.End()
	now := e.d.opts.Now()
	digest := wantDigest(want)
	l := &e.look
	due := l.at.IsZero() || l.want != digest || !now.Before(l.at.Add(interval)) ||
		(!l.resurvey.IsZero() && !now.Before(l.resurvey))
	if due {
		return e.survey(ctx, want, digest, breakable)
	}
	return e.glance(ctx, want, now)
}

func (e *environment) survey(ctx context.Context, want []manifest.Resource, digest string, breakable bool) error {
	breakable = breakable && !e.brokeOff // not twice in a row: everything is looked at all the same
	inv, err := attending(ctx, e, breakable, func(ctx context.Context) (providers.Inventory, error) { return e.provider.Survey(ctx, want) })
	if e.brokeOff = errors.Is(err, errBrokenOff); e.brokeOff {
		return err
	}
	if err != nil {
		return fmt.Errorf("survey %s: %w", e.name, err)
	}
	l := &e.look
	switch {
	case !inv.Complete:
		l.surveys = 0
	case l.want == digest:
		l.surveys++
	default:
		l.surveys = 1
	}
	l.inventory, l.at, l.want, l.resurvey = inv, e.d.opts.Now(), digest, time.Time{}
	if inv.Complete {
		l.suspects = nil // all was seen; what was heard made it due in the survey
	}
	return e.glance(ctx, want, e.d.opts.Now())
}

// examine looks at what is suspected now, with what is on it. A platform that
// cannot look at one thing alone is surveyed.
func (e *environment) examine(ctx context.Context, want []manifest.Resource, now time.Time) error {
	l := &e.look
	subjects := map[manifest.Ref]bool{}
	for _, res := range want {
		from, suspected := l.suspects[res.Ref]
		if !suspected || now.Before(from) {
			continue
		}
		if res.Parent != (manifest.Ref{}) {
			subjects[res.Parent] = true
		} else {
			subjects[res.Ref] = true
		}
	}
	maps.DeleteFunc(l.suspects, func(_ manifest.Ref, from time.Time) bool { return !now.Before(from) })
	if len(subjects) == 0 {
		return nil
	}
	examiner, ok := e.provider.(providers.Examiner)
	if !ok {
		return e.survey(ctx, want, wantDigest(want), false)
	}
	refs := slices.SortedFunc(maps.Keys(subjects), manifest.Ref.Compare)
	inv, err := attending(ctx, e, false, func(ctx context.Context) (providers.Inventory, error) { return examiner.Examine(ctx, want, refs...) })
	if err != nil {
		return fmt.Errorf("examine %d resources of %s: %w", len(refs), e.name, err)
	}
	l.examined(want, subjects, inv)
	for _, ref := range refs {
		if inv.Errors[ref] != nil {
			l.suspect(ref, now.Add(e.d.opts.Pace.Retry)) // asked again, not at once
		}
	}
	return nil
}

// examined puts an examination into the inventory: what is known of the
// subjects is replaced, where it was answered.
func (l *look) examined(want []manifest.Resource, subjects map[manifest.Ref]bool, inv providers.Inventory) {
	l.inventory.Live, l.inventory.Errors = cloned(l.inventory.Live), cloned(l.inventory.Errors)
	failed := map[manifest.Ref]bool{}
	for _, res := range want {
		if !subjects[res.Ref] && !subjects[res.Parent] {
			continue
		}
		live, seen := inv.Live[res.Ref]
		switch {
		case inv.Errors[res.Ref] != nil:
			l.inventory.Errors[res.Ref] = inv.Errors[res.Ref]
			failed[res.Ref] = true
		case seen:
			delete(l.inventory.Errors, res.Ref)
			l.inventory.Live[res.Ref] = live
			delete(l.fresh, res.Ref)
		}
	}
	known := func(parent manifest.Ref) bool { return subjects[parent] && !failed[parent] && inv.Complete }
	kept := slices.DeleteFunc(slices.Clone(l.inventory.Extras), func(x providers.Extra) bool { return known(x.Parent) })
	for _, x := range inv.Extras {
		if known(x.Parent) {
			kept = append(kept, x)
		}
	}
	l.inventory.Extras = kept
}

// cloned is a copy that can be written to.
func cloned[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return maps.Clone(m)
}

// glance looks directly at what is due to be looked at.
func (e *environment) glance(ctx context.Context, want []manifest.Resource, now time.Time) error {
	if err := e.examine(ctx, want, now); err != nil {
		return err
	}
	var ask []manifest.Resource
	wanted := make(map[manifest.Ref]bool, len(e.look.fresh))
	for _, res := range want {
		from, ok := e.look.fresh[res.Ref]
		wanted[res.Ref] = ok
		if ok && !now.Before(from) {
			ask = append(ask, res)
		}
	}
	// What is no longer declared anywhere is the survey's to see.
	maps.DeleteFunc(e.look.fresh, func(ref manifest.Ref, _ time.Time) bool { return !wanted[ref] })
	if len(ask) == 0 {
		return nil
	}
	seen, err := attending(ctx, e, false, func(ctx context.Context) (map[manifest.Ref]providers.Live, error) {
		return e.provider.Observe(ctx, ask...)
	})
	var partial *providers.ObserveError
	if err != nil && !errors.As(err, &partial) {
		return fmt.Errorf("observe %d resources of %s: %w", len(ask), e.name, err)
	}
	e.merge(ask, seen, partial)
	return nil
}

// merge puts direct looks into the inventory: what failed is unknown, what
// settles is looked at again.
func (e *environment) merge(asked []manifest.Resource, seen map[manifest.Ref]providers.Live, partial *providers.ObserveError) {
	l := &e.look
	l.inventory.Live = maps.Clone(l.inventory.Live)
	l.inventory.Errors = maps.Clone(l.inventory.Errors)
	if l.inventory.Live == nil {
		l.inventory.Live = map[manifest.Ref]providers.Live{}
	}
	if l.inventory.Errors == nil {
		l.inventory.Errors = map[manifest.Ref]error{}
	}
	for _, res := range asked {
		live, ok := seen[res.Ref]
		if !ok {
			l.fresh[res.Ref] = e.d.opts.Now().Add(e.d.opts.Pace.Retry) // asked again, not at once
			if partial != nil && partial.Refs[res.Ref] != nil {
				l.inventory.Errors[res.Ref] = partial.Refs[res.Ref]
			}
			continue
		}
		delete(l.inventory.Errors, res.Ref)
		l.inventory.Live[res.Ref] = live
		if live.Settling {
			l.fresh[res.Ref] = e.d.opts.Now().Add(e.d.opts.Pace.Settle)
		} else {
			delete(l.fresh, res.Ref)
		}
	}
}

// settling makes sure that what the survey saw settling is looked at soon.
func (e *environment) settling() {
	for ref, live := range e.look.inventory.Live {
		if live.Settling {
			e.look.touch(ref, e.d.opts.Now().Add(e.d.opts.Pace.Settle))
		}
	}
}

// nextLook is when something is due to be looked at.
func (e *environment) nextLook(interval time.Duration) time.Time {
	next := e.look.at.Add(interval)
	if now := e.d.opts.Now(); !next.After(now) { // nothing is looked at: a wake says when there is
		next = now.Add(interval)
	}
	if !e.look.resurvey.IsZero() && e.look.resurvey.Before(next) {
		next = e.look.resurvey
	}
	for _, from := range e.look.fresh {
		if from.Before(next) {
			next = from
		}
	}
	for _, from := range e.look.suspects {
		if from.Before(next) {
			next = from
		}
	}
	return next
}

// bindings are the attributes that references resolve to, as last seen.
func (e *environment) bindings() providers.Bindings {
	b := make(providers.Bindings, len(e.look.inventory.Live))
	for ref, live := range e.look.inventory.Live {
		if live.Exists && len(live.Attributes) > 0 {
			b[ref] = live.Attributes
		}
	}
	return b
}

// canonical is the provider's form of every resource of a release with
// today's bindings, which it completes. What did not change is not made again.
func (e *environment) canonical(rel *manifest.Release, b providers.Bindings) (map[manifest.Ref]providers.Spec, error) {
	specs := make(map[manifest.Ref]providers.Spec, len(rel.Resources))
	var faults []error
	for _, res := range rel.Resources {
		from := res.Digest + "|" + res.Physical + bindingKey(res, b)
		spec, err := e.canonicalOne(res, from, b)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %s: %w", res.Origin, res.Ref, err))
			continue
		}
		specs[res.Ref] = spec
		if live := e.look.inventory.Live[res.Ref]; live.Exists && plan.Speaks(res.Ref.Kind) {
			// What refers to its versions, or its alias, stands after it.
			b[res.Ref] = plan.Attributes(rel, res.Ref, live, spec)
		}
	}
	return specs, errors.Join(faults...)
}

func (e *environment) canonicalOne(res manifest.Resource, from string, b providers.Bindings) (providers.Spec, error) {
	if c, ok := e.specs[res.Ref]; ok && c.from == from {
		return c.spec, nil
	}
	spec, err := e.provider.Canonical(res, b)
	if err == nil {
		e.specs[res.Ref] = cachedSpec{from: from, spec: spec}
	}
	return spec, err
}

// bindingKey is everything res could take from b.
func bindingKey(res manifest.Resource, b providers.Bindings) string {
	refs := res.Refs
	if res.SelfBound {
		refs = append(slices.Clip(refs), res.Ref)
	}
	if len(refs) == 0 {
		return ""
	}
	var key strings.Builder
	for _, ref := range refs {
		attrs := b[ref]
		for _, name := range slices.Sorted(maps.Keys(attrs)) {
			key.WriteString("|" + ref.String() + "." + name + "=" + attrs[name])
		}
	}
	return key.String()
}

func wantDigest(want []manifest.Resource) string {
	h := sha256.New()
	for _, res := range want {
		h.Write([]byte(res.Ref.String() + "=" + res.Digest + res.Physical + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// union is every resource of some releases; a later one wins.
func union(releases ...*manifest.Release) []manifest.Resource {
	at := map[manifest.Ref]int{}
	var all []manifest.Resource
	for _, rel := range releases {
		if rel == nil {
			continue
		}
		for _, res := range rel.Resources {
			if i, ok := at[res.Ref]; ok {
				all[i] = res
				continue
			}
			at[res.Ref] = len(all)
			all = append(all, res)
		}
	}
	return all
}
