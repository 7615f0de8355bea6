package providertest

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// contract is every promise, in the order a newcomer would read them.
var contract = []clause{
	{"AbsentIsZero", absentIsZero},
	{"CanonicalIsPure", canonicalIsPure},
	{"UnboundUntilItLives", unboundUntilItLives},
	{"PutConverges", putConverges},
	{"PutTwice", putTwice},
	{"PutKeepsItsGuard", putKeepsItsGuard},
	{"PutLimitedToFields", putLimitedToFields},
	{"PutRefusesOthers", putRefusesOthers},
	{"PutRefusesUntagged", putRefusesUntagged},
	{"PublishTwice", publishTwice},
	{"PublishRefusesAnotherState", publishRefusesAnotherState},
	{"PublishKeepsVersions", publishKeepsVersions},
	{"RouteByWeight", routeByWeight},
	{"RouteTwice", routeTwice},
	{"RouteKeepsItsGuard", routeKeepsItsGuard},
	{"RouteRefusesUnpublished", routeRefusesUnpublished},
	{"DeleteTwice", deleteTwice},
	{"DeleteKeepsItsGuard", deleteKeepsItsGuard},
	{"DeleteRefusesOthers", deleteRefusesOthers},
	{"SurveySeesEverything", surveySeesEverything},
	{"SurveyFindsOrphans", surveyFindsOrphans},
	{"SurveyFindsExtras", surveyFindsExtras},
	{"DetachTwice", detachTwice},
	{"SecretsAreTokens", secretsAreTokens},
}

// What was never made is a zero Live, and no error.
func absentIsZero(s *session) error {
	seen, err := s.Provider.Observe(s.ctx, s.Resources...)
	if err != nil {
		return err
	}
	for _, res := range s.Resources {
		live, ok := seen[res.Ref]
		if !ok || live.Exists || live.Guard != "" || len(live.Published) > 0 || live.Owner != (providers.Owner{}) {
			return fmt.Errorf("%s: absent is %+v (answered: %v)", res.Ref, live, ok)
		}
	}
	return nil
}

// The canonical form is the same each time, has a digest, and only functions
// have a snapshot.
func canonicalIsPure(s *session) error {
	for _, res := range s.Resources {
		a, err := s.Provider.Canonical(res, nil)
		if err != nil {
			return err
		}
		b, err := s.Provider.Canonical(res, nil)
		if err != nil {
			return err
		}
		if a.Digest == "" || a.Digest != b.Digest || !maps.Equal(a.Fields, b.Fields) {
			return fmt.Errorf("%s: two canonical forms differ", res.Ref)
		}
		if (a.Snapshot != "") != manifest.Versioned(res.Ref.Kind) {
			return fmt.Errorf("%s: snapshot %q", res.Ref, a.Snapshot)
		}
	}
	return nil
}

// A reference to what does not live is named, not an error; once it lives the
// form is whole.
func unboundUntilItLives(s *session) error {
	trigger, queue := s.resource(manifest.KindTrigger), s.resource(manifest.KindQueue)
	spec, err := s.Provider.Canonical(trigger, nil)
	if err != nil {
		return err
	}
	if !slices.Contains(spec.Unbound, queue.Ref) {
		return fmt.Errorf("%s does not say that it needs %s: %v", trigger.Ref, queue.Ref, spec.Unbound)
	}
	if err := s.all(); err != nil {
		return err
	}
	spec, err = s.Provider.Canonical(trigger, s.bindings)
	if err != nil {
		return err
	}
	if len(spec.Unbound) > 0 {
		return fmt.Errorf("%s still lacks %v", trigger.Ref, spec.Unbound)
	}
	return nil
}

// What was put shows as declared, owned, with its attributes.
func putConverges(s *session) error {
	if err := s.all(); err != nil {
		return err
	}
	for _, res := range s.Resources {
		live, err := s.see(res)
		if err != nil {
			return err
		}
		spec, err := s.Provider.Canonical(res, s.bindings)
		if err != nil {
			return err
		}
		if !live.Exists || !asDeclared(live, spec) || live.Spec.Snapshot != spec.Snapshot {
			return fmt.Errorf("%s lives as %v, is declared as %v", res.Ref, live.Spec.Fields, spec.Fields)
		}
		if live.SeenAt.IsZero() {
			return fmt.Errorf("%s: nobody knows when it was seen", res.Ref)
		}
		if owned(res.Ref.Kind) && (live.Owner.Resource != res.Ref.String() || live.Owner.Release == "") {
			return fmt.Errorf("%s is owned by %+v", res.Ref, live.Owner)
		}
	}
	return nil
}

func owned(kind string) bool { return kind == manifest.KindFunction || kind == manifest.KindQueue }

// The same Put again changes nothing.
func putTwice(s *session) error {
	if err := s.all(); err != nil {
		return err
	}
	for _, res := range s.Resources {
		if res.Ref.Kind == manifest.KindAlias {
			continue // made by Route
		}
		before, err := s.see(res)
		if err != nil {
			return err
		}
		if _, err := s.Provider.Put(s.ctx, s.change(res, before)); err != nil {
			return retried(err, "put "+res.Ref.String())
		}
		after, err := s.see(res)
		if err != nil {
			return err
		}
		if after.Spec.Digest != before.Spec.Digest || len(after.Published) != len(before.Published) {
			return fmt.Errorf("%s: a repeated put changed it", res.Ref)
		}
	}
	return nil
}

// A write planned against an older revision is refused, and nothing happens.
func putKeepsItsGuard(s *session) error {
	if err := s.all(); err != nil {
		return err
	}
	old, err := s.see(s.resource(manifest.KindFunction))
	if err != nil {
		return err
	}
	if s.Edit == nil {
		return errNoHands
	}
	if err := s.Edit(s.ctx); err != nil {
		return err
	}
	edited, err := s.see(s.Changed)
	if err != nil {
		return err
	}
	_, err = s.Provider.Put(s.ctx, s.change(s.Changed, old))
	if err := wants(providers.Conflict, err, "a put with an old guard"); err != nil {
		return err
	}
	after, err := s.see(s.Changed)
	if err != nil {
		return err
	}
	if after.Spec.Digest != edited.Spec.Digest {
		return errors.New("a refused put changed the function")
	}
	return nil
}

// A Put limited to fields leaves the others as they live, edits included.
func putLimitedToFields(s *session) error {
	if err := s.all(); err != nil {
		return err
	}
	if s.Edit == nil {
		return errNoHands
	}
	if err := s.Edit(s.ctx); err != nil {
		return err
	}
	fn := s.resource(manifest.KindFunction)
	edited, err := s.see(fn)
	if err != nil {
		return err
	}
	const mode, other = "environment.MODE", "timeout"
	spec, err := s.Provider.Canonical(s.Changed, s.bindings)
	if err != nil {
		return err
	}
	c := s.change(s.Changed, edited)
	c.Fields = []string{other}
	if _, err := s.Provider.Put(s.ctx, c); err != nil {
		return err
	}
	after, err := s.see(fn)
	if err != nil {
		return err
	}
	if after.Spec.Fields[other] != spec.Fields[other] {
		return fmt.Errorf("%s is %s, want %s", other, after.Spec.Fields[other], spec.Fields[other])
	}
	for path, v := range edited.Spec.Fields {
		if path != other && after.Spec.Fields[path] != v {
			return fmt.Errorf("%s was touched though only %s was asked for", path, other)
		}
	}
	if edited.Spec.Fields[mode] == spec.Fields[mode] {
		return errors.New("the edit by hand was not seen")
	}
	return nil
}

// Another environment's resource is never written.
func putRefusesOthers(s *session) error {
	if s.Other == nil {
		return errNoHands
	}
	if err := s.all(); err != nil {
		return err
	}
	queue := s.resource(manifest.KindQueue)
	live, err := s.see(queue)
	if err != nil {
		return err
	}
	c := s.change(queue, live)
	c.Adopt = true // not even with leave to adopt
	_, err = s.Other.Put(s.ctx, c)
	return wants(providers.Denied, err, "a put on another environment's queue")
}

// What nobody owns is taken over only with leave.
func putRefusesUntagged(s *session) error {
	if s.AddUntagged == nil {
		return errNoHands
	}
	if err := s.AddUntagged(s.ctx); err != nil {
		return err
	}
	queue := s.resource(manifest.KindQueue)
	live, err := s.see(queue)
	if err != nil {
		return err
	}
	if !live.Exists || live.Owner != (providers.Owner{}) {
		return fmt.Errorf("%s: want it to live without an owner: %+v", queue.Ref, live.Owner)
	}
	c := s.change(queue, live)
	_, err = s.Provider.Put(s.ctx, c)
	if err := wants(providers.Denied, err, "a put on what nobody owns"); err != nil {
		return err
	}
	c.Adopt = true
	if _, err := s.Provider.Put(s.ctx, c); err != nil {
		return fmt.Errorf("adopt %s: %w", queue.Ref, err)
	}
	live, err = s.see(queue)
	if err == nil && live.Owner.Resource != queue.Ref.String() {
		return fmt.Errorf("adopted, it is owned by %+v", live.Owner)
	}
	return err
}

// Nothing sensitive stands in a field in clear.
func secretsAreTokens(s *session) error {
	spec, err := s.Provider.Canonical(s.Changed, nil)
	if err != nil {
		return err
	}
	const path = "environment.API_TOKEN"
	if !slices.Contains(spec.Sensitive, path) {
		return fmt.Errorf("%s is not sensitive: %v", path, spec.Sensitive)
	}
	if spec.Fields[path] == `"`+SecretValue+`"` {
		return fmt.Errorf("%s shows its value", path)
	}
	return nil
}

// SecretValue is what Changed carries as environment.API_TOKEN.
const SecretValue = "not-to-be-seen"
