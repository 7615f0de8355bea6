package aws

import (
	"context"
	"fmt"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	taggingtypes "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// lookInBulk lists all functions and all mappings of the region: every
// setting of every function, and mappings nobody declared, at fifty and a
// hundred a call.
func (s *sweep) lookInBulk(ctx context.Context) {
	s.bulk = map[string]*types.FunctionConfiguration{}
	pages := lambda.NewListFunctionsPaginator(s.cl.lambda, &lambda.ListFunctionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			s.bulkErr = fmt.Errorf("list functions: %w", classify(err))
			s.fail(manifest.Ref{}, s.bulkErr)
			break
		}
		for i := range page.Functions {
			s.bulk[awssdk.ToString(page.Functions[i].FunctionName)] = &page.Functions[i]
		}
	}
	if s.bulkErr == nil {
		s.layer(layerConfiguration, s.at)
	}
	s.mappings, s.mappingsErr = s.p.listMappings(ctx, s.cl, "")
	if s.mappingsErr != nil {
		s.mappingsErr = fmt.Errorf("list event source mappings: %w", s.mappingsErr)
		s.fail(manifest.Ref{}, s.mappingsErr)
		return
	}
	s.layer(layerMappings, s.at)
}

// ownedLook is the last listing of what carries this environment's tags.
type ownedLook struct {
	at    time.Time
	byARN map[string]map[string]string
	// wanted is the digest of what was wanted then: when something is not any
	// more, the listing is made anew.
	wanted string
}

// lookForOrphans lists what is tagged as this environment's, in rotation and
// when what is wanted changed, and keeps what nobody wants.
func (s *sweep) lookForOrphans(ctx context.Context) {
	look := s.p.ownedListed()
	wanted := map[string]bool{}
	for _, res := range s.want {
		wanted[res.Ref.Kind+" "+res.Physical] = true
	}
	changed := digestOf(wanted) != look.wanted
	if look.at.IsZero() || changed || s.at.Sub(look.at) >= s.p.o.LayerAge {
		fresh, err := s.listOwned(ctx)
		if err != nil {
			s.fail(manifest.Ref{}, fmt.Errorf("list what is owned: %w", err))
		} else {
			s.retag(look.byARN, fresh)
			look = ownedLook{at: s.at, byARN: fresh, wanted: digestOf(wanted)}
			s.p.memory.mu.Lock()
			s.p.memory.owned = look
			s.p.memory.mu.Unlock()
		}
	}
	if !look.at.IsZero() {
		s.layer(layerOwnership, look.at)
	}
	// The index of tags lags behind: what was seen to be ours counts as well.
	owned := s.p.ownedSeen()
	for arn, tags := range look.byARN {
		owned[arn] = tags
	}
	s.orphanARNs = map[string]map[string]string{}
	for arn, tags := range owned {
		if kind, name, ok := s.p.kindIn(arn); ok && !wanted[kind+" "+name] {
			s.orphanARNs[arn] = tags
		}
	}
}

func (p *Provider) ownedListed() ownedLook {
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	return p.memory.owned
}

// ownedSeen is what is remembered as ours, by ARN.
func (p *Provider) ownedSeen() map[string]map[string]string {
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	owned := map[string]map[string]string{}
	for _, l := range p.memory.functions {
		if !l.absent && p.owns(l.owner()) {
			owned[awssdk.ToString(l.config.FunctionArn)] = l.tags
		}
	}
	for _, l := range p.memory.queues {
		if l != nil && p.owns(ownerOf(l.tags)) {
			owned[l.attributes["QueueArn"]] = l.tags
		}
	}
	for _, l := range p.memory.plain {
		if arn := l.live.Attributes["arn"]; arn != "" && p.owns(l.live.Owner) {
			owned[arn] = map[string]string{tagResource: l.live.Owner.Resource}
		}
	}
	return owned
}

func (s *sweep) listOwned(ctx context.Context) (map[string]map[string]string, error) {
	filter := func(key, value string) taggingtypes.TagFilter {
		return taggingtypes.TagFilter{Key: awssdk.String(key), Values: []string{value}}
	}
	pages := resourcegroupstaggingapi.NewGetResourcesPaginator(s.cl.tagging, &resourcegroupstaggingapi.GetResourcesInput{
		TagFilters:          []taggingtypes.TagFilter{filter(tagPipeline, s.p.o.Pipeline), filter(tagEnvironment, s.p.o.Environment)},
		ResourceTypeFilters: s.p.resourceTypes(),
	})
	owned := map[string]map[string]string{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, classify(err)
		}
		for _, m := range page.ResourceTagMappingList {
			tags := map[string]string{}
			for _, t := range m.Tags {
				tags[awssdk.ToString(t.Key)] = awssdk.ToString(t.Value)
			}
			owned[awssdk.ToString(m.ResourceARN)] = tags
		}
	}
	return owned, nil
}

// orphansOf are the owned, unwanted things of a kind, by physical name.
func (s *sweep) orphansOf(kind string) map[string]manifest.Resource {
	out := map[string]manifest.Resource{}
	for arn, tags := range s.orphanARNs {
		ref, err := manifest.ParseRef(tags[tagResource])
		of, name, ok := s.p.kindIn(arn)
		if err != nil || !ok || of != kind {
			continue
		}
		out[name] = manifest.Resource{Ref: ref, Physical: name}
	}
	return out
}

type paramsLook struct {
	at    time.Time
	found map[string]providers.Live // by name
}

// parameters asks for fifty a call, so all are asked for together.
func (s *sweep) parameters(ctx context.Context) {
	resources := s.ofKind(manifest.KindParameter)
	if len(resources) == 0 || s.narrow { // narrowly, each is asked for by itself
		return
	}
	s.p.memory.mu.Lock()
	look := s.p.memory.params
	s.p.memory.mu.Unlock()
	due := look.at.IsZero() || s.at.Sub(look.at) >= s.p.o.LayerAge
	var names []string
	for _, res := range resources {
		_, asked := look.found[res.Physical]
		due = due || !asked
		names = append(names, res.Physical)
	}
	if due {
		found, err := s.p.describeParameters(ctx, s.cl, names)
		if err != nil {
			for _, res := range resources {
				s.fail(res.Ref, about("observe", res.Ref, err))
			}
			return
		}
		look = paramsLook{at: s.at, found: map[string]providers.Live{}}
		for _, res := range resources {
			var live providers.Live
			if m, ok := found[res.Physical]; ok {
				live = parameterKind{s.p}.live(res, m)
			}
			live.SeenAt = s.at
			look.found[res.Physical] = live
		}
		s.p.memory.mu.Lock()
		s.p.memory.params = look
		s.p.memory.mu.Unlock()
	}
	s.layer(layerParameters, look.at)
	for _, res := range resources {
		s.see(res.Ref, look.found[res.Physical])
	}
}
