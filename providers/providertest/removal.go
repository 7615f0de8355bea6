package providertest

import (
	"errors"
	"fmt"
	"slices"

	"mooring.dev/providers"
	"mooring.dev/providers/crew"
	"mooring.dev/sources/manifest"
)

// Deleting what is gone succeeds.
func deleteTwice(s *session) error {
	queue := s.resource(manifest.KindQueue)
	live, err := s.settle(queue)
	if err != nil {
		return err
	}
	if _, err := s.Provider.Delete(s.ctx, queue, live.Guard); err != nil {
		return err
	}
	live, err = s.see(queue)
	if err != nil {
		return err
	}
	if live.Exists {
		return errors.New("deleted, it lives")
	}
	if _, err := s.Provider.Delete(s.ctx, queue, live.Guard); err != nil {
		return fmt.Errorf("delete again: %w", err)
	}
	return nil
}

// A deletion planned against an older revision is refused.
func deleteKeepsItsGuard(s *session) error {
	fn := s.resource(manifest.KindFunction)
	if s.Edit == nil {
		return errNoHands
	}
	if err := s.all(); err != nil {
		return err
	}
	old, err := s.see(fn)
	if err != nil {
		return err
	}
	if err := s.Edit(s.ctx); err != nil {
		return err
	}
	_, err = s.Provider.Delete(s.ctx, fn, old.Guard)
	if err := wants(providers.Conflict, err, "a deletion with an old guard"); err != nil {
		return err
	}
	live, err := s.see(fn)
	if err == nil && !live.Exists {
		return errors.New("a refused deletion deleted it")
	}
	return err
}

// Another environment's resource is never deleted.
func deleteRefusesOthers(s *session) error {
	if s.Other == nil {
		return errNoHands
	}
	queue := s.resource(manifest.KindQueue)
	live, err := s.settle(queue)
	if err != nil {
		return err
	}
	_, err = s.Other.Delete(s.ctx, queue, live.Guard)
	if err := wants(providers.Denied, err, "deleting another environment's queue"); err != nil {
		return err
	}
	live, err = s.see(queue)
	if err == nil && !live.Exists {
		return errors.New("a refused deletion deleted it")
	}
	return err
}

// A survey answers for everything asked, agrees with Observe, and says that it
// is complete.
func surveySeesEverything(s *session) error {
	if err := s.all(); err != nil {
		return err
	}
	inv, err := s.Provider.Survey(s.ctx, s.Resources)
	if err != nil {
		return err
	}
	if !inv.Complete || len(inv.Errors) > 0 || inv.At.IsZero() {
		return fmt.Errorf("the survey is not complete: %v %v", inv.Complete, inv.Errors)
	}
	for _, res := range s.Resources {
		live, err := s.see(res)
		if err != nil {
			return err
		}
		got := inv.Live[res.Ref]
		if !got.Exists || got.Spec.Digest != live.Spec.Digest || got.Routing != live.Routing || got.Guard != live.Guard {
			return fmt.Errorf("%s: surveyed %+v, observed %+v", res.Ref, got, live)
		}
	}
	if len(inv.Orphans) > 0 || len(inv.Extras) > 0 {
		return fmt.Errorf("what was asked for is listed as something else: %v %v", inv.Orphans, inv.Extras)
	}
	return s.stays(inv)
}

// stays: an answer is read while the next questions are asked, and none of them
// writes into it. The race detector sees the write that a comparison would miss.
func (s *session) stays(inv providers.Inventory) error {
	before, done := fmt.Sprint(inv), make(chan struct{})
	var reader crew.Crew
	reader.Go(func() error {
		for {
			if now := fmt.Sprint(inv); now != before {
				return fmt.Errorf("an answer became another: %s, and was %s", now, before)
			}
			select {
			case <-done:
				return nil
			default:
			}
		}
	})
	_, err := s.Provider.Survey(s.ctx, s.Resources)
	_, seeing := s.Provider.Observe(s.ctx, s.Resources...)
	close(done)
	return errors.Join(err, seeing, reader.Wait())
}

// What this environment owns and was not asked for is an orphan; what another
// one owns is nothing.
func surveyFindsOrphans(s *session) error {
	if err := s.all(); err != nil {
		return err
	}
	queue := s.resource(manifest.KindQueue)
	rest := slices.DeleteFunc(slices.Clone(s.Resources), func(r manifest.Resource) bool { return r.Ref == queue.Ref })
	inv, err := s.Provider.Survey(s.ctx, rest)
	if err != nil {
		return err
	}
	orphan, ok := inv.Orphans[queue.Ref]
	if !ok || !orphan.Exists || orphan.Owner.Resource != queue.Ref.String() {
		return fmt.Errorf("%s is no orphan: %+v", queue.Ref, inv.Orphans)
	}
	if s.Other == nil {
		return nil
	}
	other, err := s.Other.Survey(s.ctx, nil)
	if err == nil && len(other.Orphans) > 0 {
		return fmt.Errorf("another environment claims %v", other.Orphans)
	}
	return err
}

// extra finds the permission that AddExtra made.
func (s *session) extra() (providers.Extra, error) {
	if s.AddExtra == nil {
		return providers.Extra{}, errNoHands
	}
	if err := s.all(); err != nil {
		return providers.Extra{}, err
	}
	if err := s.AddExtra(s.ctx); err != nil {
		return providers.Extra{}, err
	}
	inv, err := s.Provider.Survey(s.ctx, s.Resources)
	if err != nil {
		return providers.Extra{}, err
	}
	for _, e := range inv.Extras {
		if e.Ref.Kind == manifest.KindPermission {
			return e, nil
		}
	}
	return providers.Extra{}, fmt.Errorf("the extra permission is not seen: %+v", inv.Extras)
}

// A thing nobody declared on an owned parent is an extra, named like a child,
// and its being open to the public is told.
func surveyFindsExtras(s *session) error {
	e, err := s.extra()
	if err != nil {
		return err
	}
	fn := s.resource(manifest.KindFunction)
	if e.Parent != fn.Ref || !e.Open || e.SeenAt.IsZero() {
		return fmt.Errorf("the extra is %+v", e)
	}
	return nil
}

// Detaching takes the extra off and leaves what is declared; twice is once.
func detachTwice(s *session) error {
	e, err := s.extra()
	if err != nil {
		return err
	}
	fn := s.resource(manifest.KindFunction)
	if _, err := s.Provider.Detach(s.ctx, fn, e); err != nil {
		return err
	}
	if _, err := s.Provider.Detach(s.ctx, fn, e); retried(err, "detach") != nil {
		return retried(err, "detach")
	}
	inv, err := s.Provider.Survey(s.ctx, s.Resources)
	if err != nil {
		return err
	}
	if len(inv.Extras) > 0 {
		return fmt.Errorf("detached, it is still there: %+v", inv.Extras)
	}
	for _, res := range s.Resources {
		if !inv.Live[res.Ref].Exists {
			return fmt.Errorf("%s went with the extra", res.Ref)
		}
	}
	return nil
}
