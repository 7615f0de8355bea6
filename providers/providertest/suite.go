// Package providertest is the contract every Provider is held to. It drives a
// platform through the Provider alone and, where the contract is about other
// people, through hands the platform lends. It refuses to know any platform:
// what one cannot do is listed as a difference, with its reason, and printed.
package providertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Platform is one platform under test, fresh for each test.
type Platform struct {
	// Provider is the environment under test, Other another environment on
	// the same account; Other may be nil.
	Provider, Other providers.Provider
	// Function, Queue, Trigger, Permission and Alias are resources the
	// platform can make, in dependency order of kinds. Function carries one
	// variable "environment.MODE" and the code of Codes[0].
	Resources []manifest.Resource
	// Changed is the Function of Resources with other code and MODE.
	Changed manifest.Resource
	// Edit changes MODE of the live function by another hand; AddExtra puts
	// a permission nobody declared on its alias, AddUntagged makes a queue of
	// the physical name of a resource without ownership tags. nil: the
	// platform lends no hands.
	Edit        func(ctx context.Context) error
	AddExtra    func(ctx context.Context) error
	AddUntagged func(ctx context.Context) error
	// Wait lets time pass on the platform until a change has taken hold.
	Wait func()
	// Close ends the platform; may be nil.
	Close func()
}

// Options say what the suite runs against.
type Options struct {
	New func(t *testing.T) *Platform
	// Differences are tests this platform is known not to pass, with the
	// reason. They are run all the same: a difference that is gone fails, so
	// that the list stays true.
	Differences map[string]string
	// Only limits the run to these tests; empty: all.
	Only []string
	// Patience bounds how often a change is waited for; default 60.
	Patience int
}

// Run holds a provider against the contract.
func Run(t *testing.T, o Options) {
	if o.Patience == 0 {
		o.Patience = 60
	}
	for _, name := range slices.Sorted(keys(o.Differences)) {
		if !slices.ContainsFunc(contract, func(c clause) bool { return c.name == name }) {
			t.Errorf("difference %s names no test", name)
		}
	}
	for _, c := range contract {
		if len(o.Only) > 0 && !slices.Contains(o.Only, c.name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			reason, differs := o.Differences[c.name]
			p := o.New(t)
			if p.Close != nil {
				t.Cleanup(p.Close)
			}
			s := &session{Platform: p, t: t, o: o, ctx: t.Context(), bindings: providers.Bindings{}}
			err := c.check(s)
			switch {
			case errors.Is(err, errNoHands):
				t.Logf("not run: the platform lends no hands for it")
			case differs && err == nil:
				t.Errorf("the listed difference is gone: %s", reason)
			case differs:
				t.Logf("known difference: %s (%v)", reason, err)
			case err != nil:
				t.Error(err)
			}
		})
	}
}

// errNoHands: the clause needs other people, and the platform lends none.
var errNoHands = errors.New("no hands")

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// clause is one promise.
type clause struct {
	name  string
	check func(*session) error
}

// session is one clause at work on one platform.
type session struct {
	*Platform
	t        *testing.T
	o        Options
	ctx      context.Context
	bindings providers.Bindings
}

func (s *session) resource(kind string) manifest.Resource {
	for _, r := range s.Resources {
		if r.Ref.Kind == kind {
			return r
		}
	}
	s.t.Fatalf("the platform under test offers no %s", kind)
	return manifest.Resource{}
}

// see observes one resource once it has settled.
func (s *session) see(res manifest.Resource) (providers.Live, error) {
	for range s.o.Patience {
		seen, err := s.Provider.Observe(s.ctx, res)
		if err != nil {
			return providers.Live{}, fmt.Errorf("observe %s: %w", res.Ref, err)
		}
		live, ok := seen[res.Ref]
		if !ok {
			return live, fmt.Errorf("observe %s: neither an answer nor an error", res.Ref)
		}
		if !live.Settling {
			s.bindings[res.Ref] = live.Attributes
			return live, nil
		}
		s.pause()
	}
	return providers.Live{}, fmt.Errorf("%s does not settle", res.Ref)
}

func (s *session) pause() {
	if s.Wait != nil {
		s.Wait()
	}
}

// change is a write of all declared fields against what lives now.
func (s *session) change(res manifest.Resource, live providers.Live) providers.Change {
	return providers.Change{Resource: res, Bindings: s.bindings, Guard: live.Guard, Release: "sha256:release"}
}

// asDeclared compares what could be seen.
func asDeclared(live providers.Live, spec providers.Spec) bool {
	if live.Spec.Digest == spec.Digest {
		return true
	}
	for path, value := range spec.Fields {
		if _, unseen := live.Unseen[path]; !unseen && live.Spec.Fields[path] != value {
			return false
		}
	}
	for path := range live.Spec.Fields {
		if _, declared := spec.Fields[path]; !declared {
			return false
		}
	}
	return true
}

// settle puts a resource until it is as declared.
func (s *session) settle(res manifest.Resource) (providers.Live, error) {
	for range 10 {
		live, err := s.see(res)
		if err != nil {
			return live, err
		}
		spec, err := s.Provider.Canonical(res, s.bindings)
		if err != nil {
			return live, fmt.Errorf("canonical %s: %w", res.Ref, err)
		}
		if live.Exists && asDeclared(live, spec) {
			return live, nil
		}
		if res.Ref.Kind == manifest.KindAlias {
			return s.alias(res, live)
		}
		if _, err := s.Provider.Put(s.ctx, s.change(res, live)); err != nil && providers.KindOf(err) != providers.Transient {
			return live, fmt.Errorf("put %s: %w", res.Ref, err)
		}
	}
	live, err := s.see(res)
	if err != nil {
		return live, err
	}
	return live, fmt.Errorf("%s never becomes as declared: %v", res.Ref, live.Spec.Fields)
}

// alias makes the alias on the function's first version.
func (s *session) alias(res manifest.Resource, live providers.Live) (providers.Live, error) {
	v, err := s.publish(s.resource(manifest.KindFunction))
	if err != nil {
		return live, err
	}
	if _, err := s.Provider.Route(s.ctx, s.change(res, live), providers.Routing{Version: v.Number}); err != nil {
		return live, fmt.Errorf("route %s: %w", res.Ref, err)
	}
	return s.see(res)
}

// publish publishes what is declared and waits until it is ready.
func (s *session) publish(fn manifest.Resource) (providers.Version, error) {
	live, err := s.settle(fn)
	if err != nil {
		return providers.Version{}, err
	}
	v, _, err := s.Provider.Publish(s.ctx, s.change(fn, live))
	if err != nil {
		return v, fmt.Errorf("publish %s: %w", fn.Ref, err)
	}
	for range s.o.Patience {
		if live, err = s.see(fn); err != nil {
			return v, err
		}
		if live.Published[v.Number].Ready {
			return live.Published[v.Number], nil
		}
		s.pause()
	}
	return v, fmt.Errorf("version %s is never ready: %+v", v.Number, live.Published)
}

// all brings everything the platform can make to life.
func (s *session) all() error {
	for _, res := range s.Resources {
		if _, err := s.settle(res); err != nil {
			return err
		}
	}
	return nil
}

// wants is a failure of an error's kind.
func wants(kind providers.Kind, err error, doing string) error {
	switch {
	case err == nil:
		return fmt.Errorf("%s succeeds", doing)
	case providers.KindOf(err) != kind:
		return fmt.Errorf("%s fails as %v, want %v: %w", doing, providers.KindOf(err), kind, err)
	}
	return nil
}

// retried: a repeated write may succeed again or say that the world moved;
// it may not fail otherwise.
func retried(err error, doing string) error {
	if err != nil && providers.KindOf(err) != providers.Conflict {
		return fmt.Errorf("%s again: %w", doing, err)
	}
	return nil
}
