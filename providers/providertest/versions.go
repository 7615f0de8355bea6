package providertest

import (
	"errors"
	"fmt"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// A repeated publish gives the version already made.
func publishTwice(s *session) error {
	fn := s.resource(manifest.KindFunction)
	if err := s.all(); err != nil {
		return err
	}
	first, err := s.publish(fn)
	if err != nil {
		return err
	}
	live, err := s.see(fn)
	if err != nil {
		return err
	}
	again, _, err := s.Provider.Publish(s.ctx, s.change(fn, live))
	if err != nil {
		return fmt.Errorf("publish again: %w", err)
	}
	if again.Number != first.Number {
		return fmt.Errorf("published %s, then %s of the same", first.Number, again.Number)
	}
	stale, _, err := s.Provider.Publish(s.ctx, s.change(fn, providers.Live{Guard: "stale"}))
	if err != nil {
		return retried(err, "publish with the guard of before")
	}
	if stale.Number != first.Number {
		return fmt.Errorf("published %s, then %s of the same", first.Number, stale.Number)
	}
	return nil
}

// What is not as declared is not published.
func publishRefusesAnotherState(s *session) error {
	fn := s.resource(manifest.KindFunction)
	if err := s.all(); err != nil {
		return err
	}
	live, err := s.see(fn)
	if err != nil {
		return err
	}
	_, _, err = s.Provider.Publish(s.ctx, s.change(s.Changed, live))
	if err := wants(providers.Conflict, err, "publishing what is not there"); err != nil {
		return err
	}
	after, err := s.see(fn)
	if err == nil && len(after.Published) != len(live.Published) {
		return errors.New("a refused publish made a version")
	}
	return err
}

// A version stays what it was when the function moves on.
func publishKeepsVersions(s *session) error {
	fn := s.resource(manifest.KindFunction)
	if err := s.all(); err != nil {
		return err
	}
	one, err := s.publish(fn)
	if err != nil {
		return err
	}
	two, err := s.publish(s.Changed)
	if err != nil {
		return err
	}
	if one.Number == two.Number || one.Snapshot == two.Snapshot {
		return fmt.Errorf("two states, one version: %+v and %+v", one, two)
	}
	live, err := s.see(s.Changed)
	if err != nil {
		return err
	}
	if live.Published[one.Number].Snapshot != one.Snapshot || live.Published[two.Number].Snapshot != two.Snapshot {
		return fmt.Errorf("versions changed under their numbers: %+v", live.Published)
	}
	declared, err := s.Provider.Canonical(fn, s.bindings)
	if err == nil && declared.Snapshot != one.Snapshot {
		return errors.New("a version does not carry the snapshot it was published with")
	}
	return err
}

// two publishes two versions and gives the alias on the first.
func (s *session) two() (alias manifest.Resource, live providers.Live, one, two providers.Version, err error) {
	alias = s.resource(manifest.KindAlias)
	if err = s.all(); err != nil {
		return
	}
	if one, err = s.publish(s.resource(manifest.KindFunction)); err != nil {
		return
	}
	if two, err = s.publish(s.Changed); err != nil {
		return
	}
	live, err = s.see(alias)
	return
}

// Weights come back as they were set, and go when they are cleared.
func routeByWeight(s *session) error {
	alias, live, one, two, err := s.two()
	if err != nil {
		return err
	}
	for _, to := range []providers.Routing{
		{Version: one.Number, Canary: two.Number, Weight: providers.Percent(10)},
		{Version: one.Number, Canary: two.Number, Weight: 3333},
		{Version: two.Number},
		{Version: one.Number},
	} {
		if _, err := s.Provider.Route(s.ctx, s.change(alias, live), to); err != nil {
			return fmt.Errorf("route to %+v: %w", to, err)
		}
		if live, err = s.see(alias); err != nil {
			return err
		}
		if live.Routing != to {
			return fmt.Errorf("routed to %+v, shown %+v", to, live.Routing)
		}
	}
	return nil
}

// The same route again leaves traffic where it is.
func routeTwice(s *session) error {
	alias, live, one, two, err := s.two()
	if err != nil {
		return err
	}
	to := providers.Routing{Version: one.Number, Canary: two.Number, Weight: providers.Percent(20)}
	c := s.change(alias, live)
	if _, err := s.Provider.Route(s.ctx, c, to); err != nil {
		return err
	}
	if _, err := s.Provider.Route(s.ctx, c, to); retried(err, "route") != nil {
		return retried(err, "route")
	}
	live, err = s.see(alias)
	if err == nil && live.Routing != to {
		return fmt.Errorf("routed to %+v, shown %+v", to, live.Routing)
	}
	return err
}

// A route planned against an older revision is refused.
func routeKeepsItsGuard(s *session) error {
	alias, old, one, two, err := s.two()
	if err != nil {
		return err
	}
	c := s.change(alias, old)
	if _, err := s.Provider.Route(s.ctx, c, providers.Routing{Version: two.Number}); err != nil {
		return err
	}
	_, err = s.Provider.Route(s.ctx, c, providers.Routing{Version: one.Number})
	if err := wants(providers.Conflict, err, "a route with an old guard"); err != nil {
		return err
	}
	live, err := s.see(alias)
	if err == nil && live.Routing != (providers.Routing{Version: two.Number}) {
		return fmt.Errorf("a refused route moved traffic to %+v", live.Routing)
	}
	return err
}

// Traffic never goes to a version that does not exist.
func routeRefusesUnpublished(s *session) error {
	alias, live, one, _, err := s.two()
	if err != nil {
		return err
	}
	_, err = s.Provider.Route(s.ctx, s.change(alias, live), providers.Routing{Version: "99"})
	if err == nil || !providers.KindOf(err).Permanent() && providers.KindOf(err) != providers.Conflict {
		return fmt.Errorf("routing to what was never published: %w", err)
	}
	after, err := s.see(alias)
	if err == nil && after.Routing != (providers.Routing{Version: one.Number}) {
		return fmt.Errorf("traffic went to %+v", after.Routing)
	}
	return err
}
