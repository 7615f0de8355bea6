package reconciler

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// Verdict records somebody's word on a content as the result of a check that
// waits for it. It is bound to the content and the environment's overlay: it
// says nothing about any other.
func (d *Daemon) Verdict(ctx context.Context, r web.VerdictRequest) (record.CheckResult, error) {
	result := record.CheckResult{Name: r.Check, Passed: r.Passed, Detail: r.Reason, By: r.By.Name, Verified: r.By.Verified}
	if err := r.By.Check(access.Attest, r.Environment); err != nil {
		return result, err
	}
	return result, d.do(ctx, r.Environment, func(ctx context.Context, e *environment) error {
		world := d.world.Load()
		if world == nil || world.pipeline == nil {
			return fmt.Errorf("verdict in %s: mooring.yaml was not read yet", e.name)
		}
		if err := mayJudge(world.pipeline, r); err != nil {
			return err
		}
		key, err := contentNamed(e.state(), r.Content)
		if err != nil {
			return fmt.Errorf("verdict in %s: %w", e.name, err)
		}
		result.Key, result.At = key, d.opts.Now()
		return e.remember(ctx, journal.Record{Check: &result})
	})
}

// mayJudge: the check is there, waits for a verdict, and takes it from this
// person. Where something protected rests on it, the name must be proved.
func mayJudge(p *manifest.Pipeline, r web.VerdictRequest) error {
	spec, _ := p.Environment(r.Environment)
	var names []string
	for _, c := range spec.Checks {
		if c.Verdict == nil {
			continue
		}
		names = append(names, c.Name)
		if c.Name != r.Check {
			continue
		}
		if len(c.Verdict.By) > 0 && !listedIn(c.Verdict.By, r.By) {
			return &access.Refusal{Who: r.By.Name, Verb: access.Attest, Environment: r.Environment, Of: strings.Join(c.Verdict.By, ", ")}
		}
		if rests := protectedBy(p, r.Environment); rests != "" && (!r.By.Verified || r.By.Name == "") {
			return &access.Refusal{Who: r.By.Name, Verb: access.Attest, Environment: r.Environment, Of: "whoever has a token of their own: " + rests + " is protected"}
		}
		return nil
	}
	return fmt.Errorf("check %q of %s: %w; verdicts are awaited by: %s", r.Check, r.Environment, ErrUnknown, namesOf(names))
}

// listedIn: a list means this person, by name or by oidc:ISSUER|SUBJECT. A name that
// is only an issuer's counts where no person has such a one: theirs have no colons.
func listedIn(list []string, p access.Person) bool {
	if p.Identity != "" && slices.Contains(list, p.Identity) {
		return true
	}
	return (p.Identity == "" || strings.Contains(p.Name, ":")) && slices.Contains(list, p.Name)
}

// protectedBy names the environment itself, or one that takes content from
// it by any way, that is protected; "" when none is.
func protectedBy(p *manifest.Pipeline, name string) string {
	reached := map[string]bool{name: true}
	for range p.Environments { // as often as the longest way
		for _, e := range p.Environments {
			if slices.ContainsFunc(e.After, func(up string) bool { return reached[up] }) {
				reached[e.Name] = true
			}
		}
	}
	for _, e := range p.Environments {
		if reached[e.Name] && e.Protected {
			return e.Name
		}
	}
	return ""
}

// shortestContent is how much of a digest must be given: a verdict must not hit
// another content by chance.
const shortestContent = 8

// contentNamed finds a content that was admitted here by its digest or the
// beginning of it.
func contentNamed(st *journal.Environment, name string) (record.Key, error) {
	digest := strings.TrimPrefix(name, "sha256:")
	if len(digest) < shortestContent {
		return record.Key{}, fmt.Errorf("content %q: give at least %d digits of its digest (--content); `mooring status -o json` shows it", name, shortestContent)
	}
	var found []record.Key
	for _, a := range slices.Backward(st.Known) {
		key := a.Release.Key()
		if strings.HasPrefix(strings.TrimPrefix(key.Content, "sha256:"), digest) && !slices.ContainsFunc(found, func(k record.Key) bool { return k == key }) {
			found = append(found, key)
		}
	}
	switch {
	case len(found) == 0:
		return record.Key{}, fmt.Errorf("content %q: %w; no such content was admitted there", name, ErrUnknown)
	case found[0].Content != found[len(found)-1].Content:
		return record.Key{}, fmt.Errorf("content %q: several begin so: give more of it", name)
	}
	return found[0], nil // the newest overlay of it
}
