package aws

import (
	"context"
	"fmt"
	"sort"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// triggerKind is an event source mapping of a queue or a stream onto a
// function's alias.
type triggerKind struct{ p *Provider }

func (k triggerKind) rights() []rights.Row {
	return []rights.Row{
		toObserve(functionARN, "lambda:GetFunction"),
		toObserve(everything, "lambda:ListEventSourceMappings"),
		toObserve(mappingARN, "lambda:ListTags"),
		because(toObserve(mappingARN, "lambda:GetEventSourceMapping"), "of one that is gone, AWS knows no function"),
		because(onMappings(toManage(everything, "lambda:CreateEventSourceMapping")), "AWS knows no resources for it: the condition holds it to the functions"),
		because(onMappings(toManage(mappingARN, "lambda:UpdateEventSourceMapping", "lambda:DeleteEventSourceMapping")),
			"a mapping whose source changed is replaced; the condition holds it to the functions"),
		toManage(mappingARN, "lambda:TagResource", "lambda:UntagResource"),
		onMappings(toDelete(mappingARN, "lambda:DeleteEventSourceMapping")),
	}
}

// mapping is a mapping's configuration.
type mapping struct {
	source, function string // ARNs
	enabled          bool
	batchSize        int
	window           int
	responses        []string
	filters          []string
	concurrency      int
	kmsKey           string
	metrics          []string
	reading          *reading // of streams; nil for queues
}

var mappingMembers = []member[mapping]{
	{"batchSize", func(m *mapping) any { return m.batchSize }, func(d, s *mapping) { d.batchSize = s.batchSize }},
	{"enabled", func(m *mapping) any { return m.enabled }, func(d, s *mapping) { d.enabled = s.enabled }},
	{"eventSourceArn", func(m *mapping) any { return m.source }, func(d, s *mapping) { d.source = s.source }},
	{"filterCriteria.filters", func(m *mapping) any { return patterns(m.filters) }, func(d, s *mapping) { d.filters = s.filters }},
	{"functionArn", func(m *mapping) any { return m.function }, func(d, s *mapping) { d.function = s.function }},
	{"functionResponseTypes", func(m *mapping) any { return set(m.responses) }, func(d, s *mapping) { d.responses = s.responses }},
	{"kmsKeyArn", func(m *mapping) any { return m.kmsKey }, func(d, s *mapping) { d.kmsKey = s.kmsKey }},
	{"maximumBatchingWindowInSeconds", func(m *mapping) any { return m.window }, func(d, s *mapping) { d.window = s.window }},
	{"metricsConfig.metrics", func(m *mapping) any { return set(m.metrics) }, func(d, s *mapping) { d.metrics = s.metrics }},
	{"scalingConfig.maximumConcurrency", func(m *mapping) any { return m.concurrency }, func(d, s *mapping) { d.concurrency = s.concurrency }},
}

// members are those a mapping of its source has.
func (m *mapping) members() []member[mapping] {
	if m.reading == nil {
		return mappingMembers
	}
	return streamMappingMembers
}

// patterns are compared as JSON documents, in no order: any of them lets a
// message in.
func patterns(filters []string) []any {
	texts := make([]string, 0, len(filters))
	for _, f := range filters {
		texts = append(texts, string(canonicalText(f)))
	}
	sort.Strings(texts)
	out := make([]any, 0, len(texts))
	for _, t := range texts {
		out = append(out, canonicalText(t))
	}
	return out
}

func (k triggerKind) declared(res manifest.Resource, b *builder) (mapping, error) {
	spec, ok := res.Spec.(*manifest.TriggerSpec)
	if !ok {
		return mapping{}, wrongSpec(res)
	}
	return mapping{
		reading: declaredReading(spec, b),
		source:  b.value(spec.Source()), function: k.p.aliasARN(res, spec.Alias, b), enabled: spec.Enabled,
		batchSize: orElse(spec.BatchSize, 10), window: spec.MaximumBatchingWindowInSeconds,
		responses: spec.FunctionResponseTypes, filters: spec.FilterPatterns, concurrency: spec.MaximumConcurrency,
		kmsKey: spec.KmsKeyArn, metrics: spec.MetricsConfig,
	}, nil
}

func (k triggerKind) canonical(res manifest.Resource, b *builder) error {
	m, err := k.declared(res, b)
	if err != nil {
		return err
	}
	each(b, m.members(), &m)
	return nil
}

func liveMapping(c *types.EventSourceMappingConfiguration) mapping {
	m := mapping{
		source: awssdk.ToString(c.EventSourceArn), function: awssdk.ToString(c.FunctionArn),
		batchSize: orElse(int(awssdk.ToInt32(c.BatchSize)), 10), window: int(awssdk.ToInt32(c.MaximumBatchingWindowInSeconds)),
		responses: list(c.FunctionResponseTypes), kmsKey: awssdk.ToString(c.KMSKeyArn), reading: liveReading(c),
	}
	if m.reading != nil {
		m.batchSize = orElse(int(awssdk.ToInt32(c.BatchSize)), 100)
	}
	switch awssdk.ToString(c.State) {
	case "Enabled", "Enabling":
		m.enabled = true
	}
	if c.FilterCriteria != nil {
		for _, f := range c.FilterCriteria.Filters {
			m.filters = append(m.filters, awssdk.ToString(f.Pattern))
		}
	}
	if c.ScalingConfig != nil {
		m.concurrency = int(awssdk.ToInt32(c.ScalingConfig.MaximumConcurrency))
	}
	if c.MetricsConfig != nil {
		m.metrics = list(c.MetricsConfig.Metrics)
	}
	return m
}

// live is a mapping as AWS shows it. parent owns it unless its tags say
// otherwise.
func (k triggerKind) live(ref manifest.Ref, c *types.EventSourceMappingConfiguration, owner providers.Owner) providers.Live {
	b := k.p.builder(nil)
	m := liveMapping(c)
	each(b, m.members(), &m)
	state := awssdk.ToString(c.State)
	if state == "Creating" || state == "Updating" {
		delete(b.fields, "enabled")
		b.unseen["enabled"] = "the mapping is " + strings.ToLower(state)
	}
	if c.FilterCriteria == nil && (c.FilterCriteriaError != nil || m.kmsKey != "") {
		// Encrypted filters are not shown in listings.
		delete(b.fields, "filterCriteria.filters")
		b.unseen["filterCriteria.filters"] = "encrypted"
	}
	live := b.live()
	live.Guard = k.guard(c)
	live.Settling = settlingMapping(state)
	live.Owner = owner
	live.Attributes = map[string]string{"id": awssdk.ToString(c.UUID), "arn": awssdk.ToString(c.EventSourceMappingArn), "name": awssdk.ToString(c.UUID)}
	if reason := awssdk.ToString(c.StateTransitionReason); !m.enabled && reason != "" && !strings.HasPrefix(strings.ToUpper(reason), "USER") {
		live.Note = scrub(reason)
	}
	return live
}

func settlingMapping(state string) bool {
	switch state {
	case "Creating", "Enabling", "Disabling", "Updating", "Deleting":
		return true
	}
	return false
}

// guard holds while the mapping looks the same; AWS gives it no revision.
func (k triggerKind) guard(c *types.EventSourceMappingConfiguration) providers.Guard {
	m := liveMapping(c)
	b := k.p.builder(nil)
	each(b, m.members(), &m)
	return seen([]any{awssdk.ToString(c.UUID), b.fields})
}

func (k triggerKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	parent, err := k.p.lookOrRecall(ctx, cl, res.Physical)
	if err != nil {
		return providers.Live{}, err
	}
	at := k.p.o.Now()
	c, err := k.find(ctx, cl, res)
	if err != nil || c == nil {
		return providers.Live{}, err
	}
	owner, err := k.p.mappingOwner(ctx, cl, c, res.Ref, parent.owner())
	if err != nil {
		return providers.Live{}, err
	}
	live := k.live(res.Ref, c, owner)
	live.SeenAt = at
	return live, nil
}

// find looks for the mapping that is this trigger: the one remembered, else
// the one of its queue and function, else the one tagged with its name.
func (k triggerKind) find(ctx context.Context, cl *clients, res manifest.Resource) (*types.EventSourceMappingConfiguration, error) {
	if res.Spec == nil { // an orphan goes by its own name
		return k.p.getMapping(ctx, cl, res.Physical)
	}
	if uuid, ok := recall(&k.p.memory, k.p.memory.mappings, res.Ref); ok {
		c, err := k.p.getMapping(ctx, cl, uuid)
		if err != nil {
			return nil, err
		}
		if c != nil {
			if name, _ := functionOf(awssdk.ToString(c.FunctionArn)); name == res.Physical {
				return c, nil
			}
		}
		forget(&k.p.memory, k.p.memory.mappings, res.Ref)
	}
	all, err := k.p.listMappings(ctx, cl, k.source(res))
	if err != nil {
		return nil, err
	}
	return k.match(ctx, cl, res, all)
}

// source is the ARN of the trigger's queue or stream, "" if it was never seen.
func (k triggerKind) source(res manifest.Resource) string {
	spec, ok := res.Spec.(*manifest.TriggerSpec)
	if !ok {
		return ""
	}
	source := spec.Source()
	ref, attribute, isRef := source.Target()
	if !isRef {
		return source.Literal
	}
	known, _ := recall(&k.p.memory, k.p.memory.known, ref)
	return known[attribute]
}

// match picks this trigger out of the region's mappings.
func (k triggerKind) match(ctx context.Context, cl *clients, res manifest.Resource, all []types.EventSourceMappingConfiguration) (
	*types.EventSourceMappingConfiguration, error) {
	spec, ok := res.Spec.(*manifest.TriggerSpec)
	if !ok {
		return nil, wrongSpec(res)
	}
	source := k.source(res)
	var onFunction []*types.EventSourceMappingConfiguration
	for i := range all {
		if name, _ := functionOf(awssdk.ToString(all[i].FunctionArn)); name != res.Physical {
			continue
		}
		c := all[i] // listed before its function's alias was seen
		k.p.adapt(&c)
		_, q := functionOf(awssdk.ToString(c.FunctionArn))
		if source != "" && awssdk.ToString(c.EventSourceArn) == source && q == qualifierOf(res, spec.Alias) {
			remember(&k.p.memory, k.p.memory.mappings, res.Ref, awssdk.ToString(c.UUID))
			return &c, nil
		}
		onFunction = append(onFunction, &c)
	}
	for _, c := range onFunction {
		tags, err := k.p.mappingTags(ctx, cl, c)
		if err != nil {
			return nil, err
		}
		if o := ownerOf(tags); k.p.owns(o) && o.Resource == res.Ref.String() {
			remember(&k.p.memory, k.p.memory.mappings, res.Ref, awssdk.ToString(c.UUID))
			return c, nil
		}
	}
	return nil, nil
}

func (p *Provider) getMapping(ctx context.Context, cl *clients, uuid string) (*types.EventSourceMappingConfiguration, error) {
	out, err := cl.lambda.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: &uuid})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	if awssdk.ToString(out.UUID) == "" { // an emulator's way of saying absent
		return nil, nil
	}
	c := mappingOf(*out)
	p.adapt(&c)
	return &c, nil
}

// adapt undoes what an emulator is known to do to mappings.
func (p *Provider) adapt(c *types.EventSourceMappingConfiguration) {
	if p.o.Emulator != "moto" {
		return
	}
	name, version := functionOf(awssdk.ToString(c.FunctionArn))
	if alias, ok := recall(&p.memory, p.memory.fronts, name); ok && published(version) {
		c.FunctionArn = qualified(c.FunctionArn, alias)
	}
}

// listMappings lists the region's mappings, or those of one source.
func (p *Provider) listMappings(ctx context.Context, cl *clients, source string) ([]types.EventSourceMappingConfiguration, error) {
	in := &lambda.ListEventSourceMappingsInput{}
	if source != "" {
		in.EventSourceArn = &source
	}
	return p.pageMappings(ctx, cl, in)
}

// listMappingsOf lists the mappings of one function, on any qualifier.
func (p *Provider) listMappingsOf(ctx context.Context, cl *clients, physical string) ([]types.EventSourceMappingConfiguration, error) {
	all, err := p.pageMappings(ctx, cl, &lambda.ListEventSourceMappingsInput{FunctionName: &physical})
	if isAbsent(err) {
		return nil, nil
	}
	return all, err
}

func (p *Provider) pageMappings(ctx context.Context, cl *clients, in *lambda.ListEventSourceMappingsInput) ([]types.EventSourceMappingConfiguration, error) {
	var all []types.EventSourceMappingConfiguration
	pages := lambda.NewListEventSourceMappingsPaginator(cl.lambda, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, classify(err)
		}
		all = append(all, page.EventSourceMappings...)
	}
	for i := range all {
		p.adapt(&all[i])
	}
	return all, nil
}

// mappingTags are a mapping's own tags, asked again when old. A sweep asks in
// its own rotation: there, what was forgotten is what is due.
func (p *Provider) mappingTags(ctx context.Context, cl *clients, c *types.EventSourceMappingConfiguration) (map[string]string, error) {
	uuid := awssdk.ToString(c.UUID)
	if l, ok := recall(&p.memory, p.memory.owners, uuid); ok && (p.sweeping(cl) || p.o.Now().Sub(l.at) < p.o.LayerAge) {
		return l.tags, nil
	}
	if c.EventSourceMappingArn == nil {
		return nil, nil
	}
	at := p.o.Now()
	tags, err := p.tags(cl, awssdk.ToString(c.EventSourceMappingArn), func() (map[string]string, error) {
		out, err := cl.lambda.ListTags(ctx, &lambda.ListTagsInput{Resource: c.EventSourceMappingArn})
		if isAbsent(err) || isUnknownOperation(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return out.Tags, nil
	})
	if err != nil {
		return nil, fmt.Errorf("tags of mapping %s: %w", uuid, classify(err))
	}
	l := ownerLook{at: at, tags: tags}
	remember(&p.memory, p.memory.owners, uuid, l)
	return l.tags, nil
}

// mappingOwner is who the tags name; a mapping without ownership tags is
// nobody's, unless the platform gives mappings no tags at all.
func (p *Provider) mappingOwner(ctx context.Context, cl *clients, c *types.EventSourceMappingConfiguration, ref manifest.Ref, parent providers.Owner) (providers.Owner, error) {
	if c.EventSourceMappingArn == nil {
		return childOwner(parent, ref), nil
	}
	tags, err := p.mappingTags(ctx, cl, c)
	return ownerOf(tags), err
}
