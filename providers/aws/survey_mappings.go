package aws

import (
	"context"
	"errors"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// reportMappings answers for triggers, and for mappings nobody declared.
func (s *sweep) reportMappings(ctx context.Context, sub *subject) {
	if s.mappingsErr != nil {
		for _, child := range sub.children {
			if child.Ref.Kind == manifest.KindTrigger {
				s.fail(child.Ref, about("observe", child.Ref, s.mappingsErr))
			}
		}
		return
	}
	k := triggerKind{s.p}
	s.forgetTags(sub)
	taken := map[string]bool{}
	var failed error
	for _, child := range sub.children {
		if child.Ref.Kind != manifest.KindTrigger {
			continue
		}
		live, uuid, err := s.trigger(ctx, k, sub, child)
		if err != nil {
			failed = errors.Join(failed, err)
			s.fail(child.Ref, about("observe", child.Ref, err))
			continue
		}
		taken[uuid] = uuid != ""
		s.see(child.Ref, live)
	}
	if failed == nil {
		s.strayMappings(ctx, k, sub, taken)
	}
}

// forgetTags makes the tags of a function's mappings due along with its other
// layers, and where the listing of what is owned shows them changed.
func (s *sweep) forgetTags(sub *subject) {
	deep := sub.layers != nil && sub.layers.at.Equal(s.at)
	for i := range s.mappings {
		m := &s.mappings[i]
		if name, _ := functionOf(awssdk.ToString(m.FunctionArn)); name != sub.physical || !deep && !s.retagged[awssdk.ToString(m.EventSourceMappingArn)] {
			continue
		}
		uuid := awssdk.ToString(m.UUID)
		if l, ok := recall(&s.p.memory, s.p.memory.owners, uuid); ok && l.at.Before(s.at) {
			forget(&s.p.memory, s.p.memory.owners, uuid)
		}
	}
}

func (s *sweep) trigger(ctx context.Context, k triggerKind, sub *subject, child manifest.Resource) (providers.Live, string, error) {
	if uuid, ok := recall(&s.p.memory, s.p.memory.mappings, child.Ref); ok {
		if c := s.mappingByID(uuid, sub.physical); c != nil {
			live, err := s.triggerLive(ctx, k, sub, child, c)
			return live, uuid, err
		}
	}
	c, err := k.match(ctx, s.cl, child, s.mappings)
	if err != nil || c == nil {
		return providers.Live{}, "", err
	}
	live, err := s.triggerLive(ctx, k, sub, child, c)
	return live, awssdk.ToString(c.UUID), err
}

func (s *sweep) mappingByID(uuid, physical string) *types.EventSourceMappingConfiguration {
	for i := range s.mappings {
		if name, _ := functionOf(awssdk.ToString(s.mappings[i].FunctionArn)); awssdk.ToString(s.mappings[i].UUID) == uuid && name == physical {
			return &s.mappings[i]
		}
	}
	return nil
}

func (s *sweep) triggerLive(ctx context.Context, k triggerKind, sub *subject, child manifest.Resource, c *types.EventSourceMappingConfiguration) (providers.Live, error) {
	owner, err := s.p.mappingOwner(ctx, sub.cl, c, child.Ref, sub.look.owner())
	if err != nil {
		return providers.Live{}, err
	}
	return k.live(child.Ref, c, owner), nil
}

// strayMappings are mappings on our function that nobody wants: our own ones
// are orphans, all others extras.
func (s *sweep) strayMappings(ctx context.Context, k triggerKind, sub *subject, taken map[string]bool) {
	for i := range s.mappings {
		c := &s.mappings[i]
		uuid := awssdk.ToString(c.UUID)
		if name, _ := functionOf(awssdk.ToString(c.FunctionArn)); name != sub.physical || taken[uuid] {
			continue
		}
		tags, err := s.p.mappingTags(ctx, sub.cl, c)
		if err != nil {
			s.fail(manifest.Ref{}, err)
			continue
		}
		live := k.live(manifest.Ref{}, c, ownerOf(tags))
		ref, err := manifest.ParseRef(tags[tagResource])
		switch {
		case s.p.owns(live.Owner) && err == nil:
			s.orphan(ref, live)
		case sub.look.absent || sub.orphan || !s.p.watches(sub.look.owner()):
		default:
			s.extra(providers.Extra{
				Ref:    manifest.Ref{Kind: manifest.KindTrigger, Name: sub.function.Ref.Name + "." + uuid},
				Parent: sub.function.Ref, Spec: live.Spec, Guard: live.Guard,
			})
		}
	}
}
