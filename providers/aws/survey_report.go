package aws

import (
	"context"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// report turns looks into answers about the function, its children, and what
// nobody declared.
func (s *sweep) report(ctx context.Context, sub *subject) {
	if sub.look.absent {
		if !sub.orphan && sub.function.Ref != (manifest.Ref{}) {
			s.see(sub.function.Ref, providers.Live{})
		}
		for _, child := range sub.children {
			if child.Ref.Kind != manifest.KindTrigger { // a mapping outlives its function
				s.see(child.Ref, providers.Live{})
			}
		}
		s.reportMappings(ctx, sub)
		return
	}
	if sub.function.Ref != (manifest.Ref{}) {
		live, err := s.p.functionLive(sub.function, sub.look)
		if err == nil && sub.layers != nil {
			err = sub.layers.failed[manifest.KindFunction]
		}
		switch {
		case err != nil:
			s.fail(sub.function.Ref, err)
		case sub.orphan && s.p.owns(live.Owner):
			s.orphan(sub.function.Ref, live)
		case !sub.orphan:
			// Code and configuration are as fresh as the bulk; what is older is
			// told by the layer.
			s.see(sub.function.Ref, live)
		}
	}
	s.reportChildren(ctx, sub) // before mappings: they are found by the alias
	s.reportMappings(ctx, sub)
}

// reportChildren answers for aliases, permissions, URLs, asynchronous
// invocation and concurrency.
func (s *sweep) reportChildren(ctx context.Context, sub *subject) {
	owner := sub.look.owner()
	for _, child := range sub.children {
		live, err := s.child(ctx, sub, child, owner)
		switch {
		case err != nil:
			s.fail(child.Ref, err)
		case child.Ref.Kind != manifest.KindTrigger:
			if live.SeenAt.IsZero() {
				live.SeenAt = sub.seenAt(child.Ref.Kind)
			}
			s.see(child.Ref, live)
		}
	}
	if !sub.orphan && s.p.watches(owner) && sub.function.Ref != (manifest.Ref{}) {
		s.extrasOf(sub)
	}
}

// seenAt is when a kind of child was looked at.
func (sub *subject) seenAt(kind string) time.Time {
	switch kind {
	case manifest.KindPermission:
		return sub.policies.at
	case manifest.KindConcurrency:
		return sub.look.at
	}
	return sub.layers.at
}

// failed is why a kind of child is not known.
func (sub *subject) failed(kind string) error {
	if kind == manifest.KindPermission {
		return sub.policies.failed
	}
	return sub.layers.failed[kind]
}

func (s *sweep) child(ctx context.Context, sub *subject, child manifest.Resource, owner providers.Owner) (providers.Live, error) {
	l := sub.layers
	if err := sub.failed(child.Ref.Kind); err != nil {
		return providers.Live{}, about("observe", child.Ref, err)
	}
	switch spec := child.Spec.(type) {
	case *manifest.AliasSpec:
		for i := range l.aliases {
			if awssdk.ToString(l.aliases[i].Name) == child.Key {
				live := aliasKind{s.p}.live(child.Ref, &l.aliases[i], owner)
				return live, s.p.ownMoves(ctx, s.cl, &live, &l.aliases[i])
			}
		}
	case *manifest.PermissionSpec:
		q := qualifierOf(child, spec.Alias)
		if policy := sub.policies.of[q]; policy != nil {
			if statement := policy.statement(child.Key, q); statement != nil {
				return permissionKind{s.p}.live(child.Ref, statement, owner), nil
			}
		}
	case *manifest.URLSpec:
		for i := range l.urls {
			if _, q := functionOf(awssdk.ToString(l.urls[i].FunctionArn)); q == qualifierOf(child, spec.Alias) {
				return urlKind{s.p}.live(child.Ref, &l.urls[i], owner), nil
			}
		}
	case *manifest.AsyncSpec:
		for i := range l.async {
			if asyncQualifier(&l.async[i]) == qualifierOf(child, spec.Alias) {
				return asyncKind{s.p}.live(child.Ref, &l.async[i], owner), nil
			}
		}
	case *manifest.ConcurrencySpec:
		return concurrencyKind{s.p}.live(child.Ref, sub.look), nil
	case *manifest.ProvisionedConcurrencySpec:
		return provisionedKind{s.p}.live(child.Ref, sub.settings, sub.look), sub.settings.known(partProvisioned)
	case *manifest.RuntimeManagementSpec:
		return runtimeKind{s.p}.live(child.Ref, sub.settings, sub.look), sub.settings.known(partRuntimes)
	case *manifest.TriggerSpec:
	default:
		return providers.Live{}, wrongSpec(child)
	}
	return providers.Live{}, nil
}

// asyncQualifier: AWS names the function itself $LATEST here.
func asyncQualifier(c *types.FunctionEventInvokeConfig) string {
	_, q := functionOf(awssdk.ToString(c.FunctionArn))
	if q == latest {
		return ""
	}
	return q
}
