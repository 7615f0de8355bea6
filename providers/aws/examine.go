package aws

import (
	"context"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Examine looks now at single resources, what lives on them, and what nobody
// declared on them: a handful of calls, in the lanes of what is asked for.
func (p *Provider) Examine(ctx context.Context, want []manifest.Resource, subjects ...manifest.Ref) (providers.Inventory, error) {
	var about []manifest.Resource
	for _, res := range want {
		if slices.Contains(subjects, res.Ref) || slices.Contains(subjects, res.Parent) {
			about = append(about, res)
			p.memory.touch(res)
		}
	}
	p.sweeps.mu.Lock()
	defer p.sweeps.mu.Unlock()
	s := p.newSweep(p.front, about)
	s.narrow = true
	before := s.cl.gate.calls.Load()
	s.lookNarrowly(ctx)
	s.kinds(ctx)
	for _, res := range s.ofKind(manifest.KindParameter) {
		if live, err := p.observe(ctx, s.cl, res); err != nil {
			s.fail(res.Ref, err)
		} else {
			s.see(res.Ref, live)
		}
	}
	s.inv.Calls = int(s.cl.gate.calls.Load() - before)
	return s.inv, ctx.Err()
}

// lookNarrowly lists the mappings of the functions looked at, and no others.
// That a function is not in a listing sends the question to itself.
func (s *sweep) lookNarrowly(ctx context.Context) {
	for _, sub := range s.subjects() {
		for _, q := range s.qualifiers(sub) {
			mappings, err := s.p.listMappingsOf(ctx, s.cl, strings.TrimSuffix(sub.physical+":"+q, ":"))
			if err != nil {
				s.mappingsErr = about("list event source mappings of", sub.function.Ref, err)
				return
			}
			for _, c := range mappings {
				if !slices.ContainsFunc(s.mappings, func(m types.EventSourceMappingConfiguration) bool { return *m.UUID == *c.UUID }) {
					s.mappings = append(s.mappings, c)
				}
			}
		}
	}
}

// qualifiers are those of a function that may carry a mapping: AWS lists the
// mappings of one at a time. A new mapping on any other is for the next survey
// to find.
func (s *sweep) qualifiers(sub *subject) []string {
	all := map[string]bool{"": true}
	for _, child := range sub.children {
		switch spec := child.Spec.(type) {
		case *manifest.AliasSpec:
			all[child.Key] = true
		case *manifest.TriggerSpec:
			all[qualifierOf(child, spec.Alias)] = true
		}
	}
	if l, ok := recall(&s.p.memory, s.p.memory.layers, sub.physical); ok {
		for i := range l.aliases {
			all[awssdk.ToString(l.aliases[i].Name)] = true
		}
	}
	for i := range s.p.sweeps.mappings {
		if name, q := functionOf(awssdk.ToString(s.p.sweeps.mappings[i].FunctionArn)); name == sub.physical {
			all[q] = true
		}
	}
	return sortedKeys(all)
}
