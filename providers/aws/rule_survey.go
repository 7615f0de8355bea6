package aws

import (
	"context"
	"fmt"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// survey lists the rules of each bus in bulk, which shows pattern, schedule and
// state of all; targets and tags are looked at in rotation, and at once where
// the rule changed.
func (k ruleKind) survey(ctx context.Context, s *sweep) {
	resources, orphans := s.everyOf(manifest.KindRule)
	if len(resources) == 0 {
		return
	}
	byBus := map[string][]manifest.Resource{}
	for _, res := range resources {
		byBus[k.busOf(res)] = append(byBus[k.busOf(res)], res)
	}
	for _, bus := range sortedKeys(byBus) {
		rules, err := k.rulesInBulk(ctx, s.cl, bus)
		if err != nil {
			for _, res := range byBus[bus] {
				s.fail(res.Ref, about("observe", res.Ref, fmt.Errorf("list the rules of bus %s: %w", bus, err)))
			}
			continue
		}
		s.layer(layerRules, s.at)
		k.around(ctx, s, byBus[bus], rules, orphans)
	}
}

// rulesInBulk lists a bus's rules by name; none when there is no such bus.
func (k ruleKind) rulesInBulk(ctx context.Context, cl *clients, bus string) (map[string]types.Rule, error) {
	out := map[string]types.Rule{}
	in := &eventbridge.ListRulesInput{EventBusName: &bus}
	for {
		page, err := cl.events.ListRules(ctx, in)
		if isAbsent(err) {
			return out, nil
		}
		if err != nil {
			return nil, classify(err)
		}
		for _, r := range page.Rules {
			out[awssdk.ToString(r.Name)] = r
		}
		if in.NextToken = page.NextToken; awssdk.ToString(in.NextToken) == "" {
			return out, nil
		}
	}
}

func (k ruleKind) around(ctx context.Context, s *sweep, resources []manifest.Resource, rules map[string]types.Rule, orphans map[string]manifest.Resource) {
	due := s.due(rotation{names: physicalNames(resources), service: "EventBridge", operation: "ListTargetsByRule", cost: 1, lookedAt: func(name string) time.Time {
		if l, _ := recall(&s.p.memory, s.p.memory.rules, name); l != nil {
			return l.at
		}
		return time.Time{}
	}})
	parallel(s.p.o.Parallel, resources, func(res manifest.Resource) {
		live := providers.Live{}
		if r, there := rules[res.Physical]; there {
			l, err := k.recent(ctx, s, res, r, due[res.Physical])
			if err != nil {
				s.fail(res.Ref, about("observe", res.Ref, err))
				return
			}
			if l != nil {
				live = k.live(res, l)
				s.layer(layerTargets, l.at)
			}
		}
		s.answer(res, live, orphans)
	})
}

// recent is the last look at a rule's targets and tags, or a new one.
func (k ruleKind) recent(ctx context.Context, s *sweep, res manifest.Resource, r types.Rule, due bool) (*ruleLook, error) {
	touches := s.p.memory.touches(lockName(res))
	l, _ := recall(&s.p.memory, s.p.memory.rules, res.Physical)
	cl := s.cl
	if l != nil && l.fingerprint == digestOf(r) && l.touched == touches {
		if !due && !s.retagged[awssdk.ToString(r.Arn)] {
			return l, nil
		}
		cl = s.lazy
	}
	l, err := s.p.lookAround(ctx, cl, r)
	if err != nil {
		return nil, err
	}
	if l != nil {
		l.touched = touches
	}
	remember(&s.p.memory, s.p.memory.rules, res.Physical, l)
	return l, nil
}
