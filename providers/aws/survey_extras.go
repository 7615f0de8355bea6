package aws

import (
	"context"
	"fmt"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

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

// roles looks at roles: in bulk for what everybody's roles show, and in
// rotation for what the bulk leaves out.
func (s *sweep) roles(ctx context.Context) {
	resources := s.ofKind(manifest.KindRole)
	bulkDue := !s.narrow && s.rolesDue()
	if bulkDue && !s.rolesInBulk(ctx) {
		bulkDue = false // nothing in bulk: asked for one by one below
	}
	inBulk := !s.narrow && s.rolesListed()
	due := s.dueResources(resources, func(name string) time.Time {
		if l, ok := recall(&s.p.memory, s.p.memory.roles, name); ok && l != nil {
			return l.details
		}
		return time.Time{}
	})
	k := roleKind{s.p}
	wanted := map[string]bool{}
	for _, res := range resources {
		wanted[res.Physical] = true
	}
	parallel(s.p.o.Parallel, resources, func(res manifest.Resource) {
		l, known := recall(&s.p.memory, s.p.memory.roles, res.Physical)
		touches := s.p.memory.touches(lockName(res))
		absentInBulk := bulkDue && (!known || l == nil)
		if !absentInBulk && (due[res.Physical] || !known || l == nil || l.partial || l.touched != touches) {
			var err error
			if inBulk && known && l != nil && l.touched == touches && s.at.Sub(l.at) < s.p.o.LayerAge {
				l, err = s.p.lookRoleDetails(ctx, s.cl, res.Physical, l)
			} else {
				l, err = s.p.lookRole(ctx, s.cl, res.Physical)
			}
			if err != nil {
				s.fail(res.Ref, about("observe", res.Ref, err))
				return
			}
			if l != nil {
				l.touched = touches
			}
			remember(&s.p.memory, s.p.memory.roles, res.Physical, l)
		}
		if l == nil {
			s.see(res.Ref, providers.Live{})
			return
		}
		live := k.live(res, l)
		s.layer(layerRoles, l.at)
		s.see(res.Ref, live)
		if s.p.watches(live.Owner) {
			for _, e := range k.extras(res, l) {
				e.SeenAt = l.at
				s.extra(e)
			}
		}
	})
	if !s.narrow {
		s.orphanRoles(k, wanted)
	}
}

// rolesListed is true where the account lists its roles in bulk.
func (s *sweep) rolesListed() bool {
	s.p.memory.mu.Lock()
	defer s.p.memory.mu.Unlock()
	return !s.p.memory.roled.IsZero()
}

func (s *sweep) rolesDue() bool {
	s.p.memory.mu.Lock()
	defer s.p.memory.mu.Unlock()
	return s.p.memory.roled.IsZero() || s.at.Sub(s.p.memory.roled) >= s.p.o.LayerAge
}

// rolesInBulk lists every role of the account with all its documents; false
// when that is not to be had.
func (s *sweep) rolesInBulk(ctx context.Context) bool {
	found := map[string]*roleLook{}
	pages := iam.NewGetAccountAuthorizationDetailsPaginator(s.cl.iam, &iam.GetAccountAuthorizationDetailsInput{
		Filter: []iamtypes.EntityType{iamtypes.EntityTypeRole}, MaxItems: awssdk.Int32(1000),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if isUnknownOperation(err) {
			return false
		}
		if err != nil {
			s.fail(manifest.Ref{}, fmt.Errorf("list roles: %w", classify(err)))
			return false
		}
		for i := range page.RoleDetailList {
			d := &page.RoleDetailList[i]
			found[awssdk.ToString(d.RoleName)] = roleInBulk(d, s.at)
		}
	}
	s.p.memory.mu.Lock()
	defer s.p.memory.mu.Unlock()
	for name, l := range found {
		// What the bulk leaves out stays as it was last seen.
		if old := s.p.memory.roles[name]; old != nil && !old.partial {
			l.role.Description, l.role.MaxSessionDuration = old.role.Description, old.role.MaxSessionDuration
			l.details, l.partial, l.touched = old.details, false, old.touched
		}
	}
	s.p.memory.roles, s.p.memory.roled = found, s.at
	return true
}

func roleInBulk(d *iamtypes.RoleDetail, at time.Time) *roleLook {
	l := &roleLook{
		role: iamtypes.Role{
			Arn: d.Arn, AssumeRolePolicyDocument: d.AssumeRolePolicyDocument, Path: d.Path, RoleId: d.RoleId,
			RoleName: d.RoleName, Tags: d.Tags, PermissionsBoundary: d.PermissionsBoundary,
		},
		inline: map[string]string{}, partial: true, at: at,
	}
	for _, p := range d.RolePolicyList {
		l.inline[awssdk.ToString(p.PolicyName)] = awssdk.ToString(p.PolicyDocument)
	}
	for _, p := range d.AttachedManagedPolicies {
		l.arns = append(l.arns, awssdk.ToString(p.PolicyArn))
	}
	return l
}

// orphanRoles are roles with our tags that nobody wants.
func (s *sweep) orphanRoles(k roleKind, wanted map[string]bool) {
	s.p.memory.mu.Lock()
	all := make(map[string]*roleLook, len(s.p.memory.roles))
	for name, l := range s.p.memory.roles {
		all[name] = l
	}
	s.p.memory.mu.Unlock()
	for _, name := range sortedKeys(all) {
		l := all[name]
		if wanted[name] || l == nil || !s.p.owns(ownerOf(l.tags())) {
			continue
		}
		if ref, err := manifest.ParseRef(l.tags()[tagResource]); err == nil {
			s.orphan(ref, k.live(manifest.Resource{Ref: ref, Physical: name}, l))
		}
	}
}
