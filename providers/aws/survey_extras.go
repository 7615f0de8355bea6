package aws

import (
	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// extrasOf finds what stands on our function and nobody declared: aliases,
// permissions on any qualifier, URLs, asynchronous invocation, concurrency.
func (s *sweep) extrasOf(sub *subject) {
	declared := map[string]bool{} // kind, key and qualifier
	primary := ""
	for _, child := range sub.children {
		switch spec := child.Spec.(type) {
		case *manifest.AliasSpec:
			primary = child.Key
			declared["alias "+child.Key] = true
		case *manifest.PermissionSpec:
			declared["permission "+child.Key+" "+qualifierOf(child, spec.Alias)] = true
		case *manifest.URLSpec:
			declared["url "+qualifierOf(child, spec.Alias)] = true
		case *manifest.AsyncSpec:
			declared["async "+qualifierOf(child, spec.Alias)] = true
		case *manifest.ConcurrencySpec:
			declared["concurrency"] = true
		case *manifest.ProvisionedConcurrencySpec:
			declared["provisioned"] = true
		case *manifest.RuntimeManagementSpec:
			declared["runtimes"] = true
		}
	}
	e := extras{s: s, sub: sub, declared: declared, primary: primary}
	for _, kind := range []string{manifest.KindPermission, manifest.KindURL, manifest.KindAsync} {
		if err := sub.failed(kind); err != nil { // what nobody declared is unknown too
			s.fail(manifest.Ref{Kind: kind, Name: sub.function.Ref.Name}, about("look for what nobody declared on", sub.function.Ref, err))
		}
	}
	e.aliases()
	e.permissions()
	e.urls()
	e.async()
	e.concurrency()
	e.settings()
}

type extras struct {
	s        *sweep
	sub      *subject
	declared map[string]bool
	primary  string // the qualifier that goes without saying in a name
}

func (e *extras) add(kind, name, qualifier string, live providers.Live, open bool) {
	ref := manifest.Ref{Kind: kind, Name: e.sub.function.Ref.Name}
	if name != "" {
		ref.Name += "." + name
	}
	if qualifier != e.primary {
		ref.Name = withQualifier(ref.Name, qualifier)
	}
	e.s.extra(providers.Extra{
		Ref: ref, Parent: e.sub.function.Ref, Spec: live.Spec, Guard: live.Guard, Open: open, SeenAt: e.sub.seenAt(kind),
	})
}

func (e *extras) aliases() {
	for i := range e.sub.layers.aliases {
		a := &e.sub.layers.aliases[i]
		name := awssdk.ToString(a.Name)
		if e.declared["alias "+name] {
			continue
		}
		b := e.s.p.builder(nil)
		b.set("description", awssdk.ToString(a.Description))
		routing := routingOf(a)
		b.set("functionVersion", routing.Version)
		if routing.Canary != "" {
			b.set("routingConfig.additionalVersionWeights", map[string]float64{routing.Canary: float64(routing.Weight) / 10000})
		}
		live := b.live()
		live.Guard = providers.Guard(awssdk.ToString(a.RevisionId))
		e.add(manifest.KindAlias, name, e.primary, live, false)
	}
}

func (e *extras) permissions() {
	k := permissionKind{e.s.p}
	for _, q := range sortedKeys(e.sub.policies.of) {
		for _, statement := range e.sub.policies.of[q].list() {
			sid, _ := statement["Sid"].(string)
			if !e.declared["permission "+sid+" "+q] {
				e.add(manifest.KindPermission, sid, q, k.live(manifest.Ref{}, statement, providers.Owner{}), livePermission(statement).open())
			}
		}
	}
}

func (e *extras) urls() {
	for i := range e.sub.layers.urls {
		c := &e.sub.layers.urls[i]
		_, q := functionOf(awssdk.ToString(c.FunctionArn))
		if e.declared["url "+q] {
			continue
		}
		b := e.s.p.builder(nil)
		each(b, urlMembers, liveURL(c))
		live := b.live()
		live.Guard = urlGuard(c)
		e.add(manifest.KindURL, "", q, live, liveURL(c).authType == "NONE")
	}
}

func (e *extras) async() {
	for i := range e.sub.layers.async {
		c := &e.sub.layers.async[i]
		if q := asyncQualifier(c); !e.declared["async "+q] {
			b := e.s.p.builder(nil)
			each(b, asyncMembers, liveAsync(c))
			live := b.live()
			live.Guard = asyncGuard(c)
			e.add(manifest.KindAsync, "", q, live, false)
		}
	}
}

func (e *extras) concurrency() {
	if live := (concurrencyKind{e.s.p}).live(manifest.Ref{}, e.sub.look); live.Exists && !e.declared["concurrency"] {
		e.add(manifest.KindConcurrency, "", e.primary, live, false)
	}
}

// settings are seen in their own, slower rotation.
func (e *extras) settings() {
	l := e.sub.settings
	if l == nil {
		return
	}
	if live := (provisionedKind{e.s.p}).live(manifest.Ref{}, l, e.sub.look); live.Exists && !e.declared["provisioned"] {
		e.addAt(manifest.KindProvisioned, live)
	}
	if live := (runtimeKind{e.s.p}).live(manifest.Ref{}, l, e.sub.look); live.Exists && !e.declared["runtimes"] {
		e.addAt(manifest.KindRuntimeManagement, live)
	}
}

// addAt adds an extra a function has one of, seen when it was looked at.
func (e *extras) addAt(kind string, live providers.Live) {
	e.s.extra(providers.Extra{
		Ref: manifest.Ref{Kind: kind, Name: e.sub.function.Ref.Name}, Parent: e.sub.function.Ref,
		Spec: live.Spec, Guard: live.Guard, SeenAt: live.SeenAt,
	})
}
