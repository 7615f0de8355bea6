package aws

import (
	"context"
	"reflect"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

func (k triggerKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	b := k.p.builder(c.Bindings)
	declared, err := k.declared(c.Resource, b)
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := refuseUnbound(b.spec()); err != nil {
		return providers.Receipt{}, err
	}
	k.learn(c)
	parent, err := k.p.parentLook(ctx, c.Resource, c.Adopt || c.Resource.Adopt)
	if err != nil {
		return providers.Receipt{}, err
	}
	now, err := k.find(ctx, k.p.front, c.Resource)
	if err != nil {
		return providers.Receipt{}, err
	}
	if now == nil {
		if c.Guard != "" {
			return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
		}
		return k.create(ctx, c, declared)
	}
	owner, err := k.p.mappingOwner(ctx, k.p.front, now, c.Resource.Ref, parent.owner())
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayWrite(owner, c.Adopt || c.Resource.Adopt); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(c.Guard, k.guard(now)); err != nil {
		return providers.Receipt{}, err
	}
	if settlingMapping(awssdk.ToString(now.State)) {
		return providers.Receipt{}, providers.Errorf(providers.Conflict, "the mapping is %s", strings.ToLower(awssdk.ToString(now.State)))
	}
	return k.update(ctx, c, now, declared, owner)
}

// learn notes what the bindings say of the source, so that the mapping is
// found by it.
func (k triggerKind) learn(c providers.Change) {
	if spec, ok := c.Resource.Spec.(*manifest.TriggerSpec); ok {
		if ref, _, isRef := spec.Source().Target(); isRef && c.Bindings[ref] != nil {
			remember(&k.p.memory, k.p.memory.known, ref, c.Bindings[ref])
		}
	}
}

func (k triggerKind) create(ctx context.Context, c providers.Change, m mapping) (providers.Receipt, error) {
	in := &lambda.CreateEventSourceMappingInput{
		EventSourceArn: &m.source, FunctionName: &m.function, Enabled: &m.enabled,
		BatchSize: awssdk.Int32(int32(m.batchSize)), Tags: k.p.allTags(nil, c.Resource.Ref, c.Release),
		FunctionResponseTypes: m.responseTypes(),
	}
	if m.window > 0 {
		in.MaximumBatchingWindowInSeconds = awssdk.Int32(int32(m.window))
	}
	if len(m.filters) > 0 {
		in.FilterCriteria = m.filterCriteria()
	}
	if m.concurrency > 0 {
		in.ScalingConfig = m.scaling()
	}
	if m.kmsKey != "" {
		in.KMSKeyArn = &m.kmsKey
	}
	if len(m.metrics) > 0 {
		in.MetricsConfig = m.metricsConfig()
	}
	if m.reading != nil {
		if err := m.reading.create(in); err != nil {
			return providers.Receipt{}, err
		}
	}
	out, err := k.p.front.lambda.CreateEventSourceMapping(ctx, in)
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	remember(&k.p.memory, k.p.memory.mappings, c.Resource.Ref, awssdk.ToString(out.UUID))
	return receipt(out.ResultMetadata), nil
}

// update changes what may change in place. A queue's mapping onto another
// queue is another mapping: the old one goes first, and the next Put makes the
// new one. Messages wait in the queue meanwhile. A stream's is never made
// anew: that would lose records, or replay them.
func (k triggerKind) update(ctx context.Context, c providers.Change, now *types.EventSourceMappingConfiguration, declared mapping, owner providers.Owner) (
	providers.Receipt, error) {
	desired := liveMapping(now)
	if (desired.reading == nil) != (declared.reading == nil) {
		return providers.Receipt{}, providers.Errorf(providers.Invalid, "a queue's mapping cannot become a stream's, or the other way round: give the trigger another name")
	}
	changed := merge(declared.members(), &desired, &declared, allowedBy(c.Fields))
	if len(changed) == 0 || !k.p.owns(owner) {
		return k.tag(ctx, c, now)
	}
	in := &lambda.UpdateEventSourceMappingInput{UUID: now.UUID}
	for _, path := range changed {
		if desired.reading != nil {
			if err := desired.reading.update(in, path); err != nil {
				return providers.Receipt{}, err
			}
		}
		switch path {
		case "eventSourceArn":
			return k.drop(ctx, awssdk.ToString(now.UUID))
		case "batchSize":
			in.BatchSize = awssdk.Int32(int32(desired.batchSize))
		case "enabled":
			in.Enabled = &desired.enabled
		case "filterCriteria.filters":
			in.FilterCriteria = desired.filterCriteria()
		case "functionArn":
			in.FunctionName = &desired.function
		case "functionResponseTypes":
			in.FunctionResponseTypes = desired.responseTypes()
		case "kmsKeyArn":
			in.KMSKeyArn = &desired.kmsKey
		case "maximumBatchingWindowInSeconds":
			in.MaximumBatchingWindowInSeconds = awssdk.Int32(int32(desired.window))
		case "metricsConfig.metrics":
			in.MetricsConfig = desired.metricsConfig()
		case "scalingConfig.maximumConcurrency":
			in.ScalingConfig = desired.scaling()
		}
	}
	if in.BatchSize == nil && in.MaximumBatchingWindowInSeconds != nil {
		in.BatchSize = awssdk.Int32(int32(desired.batchSize)) // AWS checks the two together
	}
	out, err := k.p.front.lambda.UpdateEventSourceMapping(ctx, in)
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

func (k triggerKind) tag(ctx context.Context, c providers.Change, now *types.EventSourceMappingConfiguration) (providers.Receipt, error) {
	if now.EventSourceMappingArn == nil {
		return providers.Receipt{}, nil
	}
	tags, err := k.p.mappingTags(ctx, k.p.front, now)
	if err != nil {
		return providers.Receipt{}, err
	}
	plan := k.p.planTags(c, nil, tags, true)
	if plan.empty() {
		return providers.Receipt{}, nil
	}
	forget(&k.p.memory, k.p.memory.owners, awssdk.ToString(now.UUID))
	return k.p.tagFunction(ctx, now.EventSourceMappingArn, plan)
}

func (k triggerKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	now, err := k.find(ctx, k.p.front, res)
	if err != nil || now == nil {
		return providers.Receipt{}, err
	}
	parent, err := k.p.lookOrRecall(ctx, k.p.front, res.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	owner, err := k.p.mappingOwner(ctx, k.p.front, now, res.Ref, parent.owner())
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(owner); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, k.guard(now)); err != nil {
		return providers.Receipt{}, err
	}
	forget(&k.p.memory, k.p.memory.mappings, res.Ref)
	return k.drop(ctx, awssdk.ToString(now.UUID))
}

func (k triggerKind) drop(ctx context.Context, uuid string) (providers.Receipt, error) {
	out, err := k.p.front.lambda.DeleteEventSourceMapping(ctx, &lambda.DeleteEventSourceMappingInput{UUID: &uuid})
	if isAbsent(err) {
		return providers.Receipt{}, nil
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

func (m *mapping) responseTypes() []types.FunctionResponseType {
	out := make([]types.FunctionResponseType, 0, len(m.responses))
	for _, r := range m.responses {
		out = append(out, types.FunctionResponseType(r))
	}
	return out
}

// The structures below are sent empty to clear what is there: nothing sent
// would keep it.

func (m *mapping) filterCriteria() *types.FilterCriteria {
	out := &types.FilterCriteria{}
	for _, f := range m.filters {
		out.Filters = append(out.Filters, types.Filter{Pattern: &f})
	}
	return out
}

func (m *mapping) scaling() *types.ScalingConfig {
	if m.concurrency == 0 {
		return &types.ScalingConfig{}
	}
	return &types.ScalingConfig{MaximumConcurrency: awssdk.Int32(int32(m.concurrency))}
}

func (m *mapping) metricsConfig() *types.EventSourceMappingMetricsConfig {
	out := &types.EventSourceMappingMetricsConfig{Metrics: []types.EventSourceMappingMetric{}}
	for _, name := range m.metrics {
		out.Metrics = append(out.Metrics, types.EventSourceMappingMetric(name))
	}
	return out
}

// mappingOf reads a mapping out of an answer that holds its members side by
// side with others.
func mappingOf(answer any) types.EventSourceMappingConfiguration {
	var c types.EventSourceMappingConfiguration
	copyMembers(reflect.ValueOf(&c).Elem(), reflect.ValueOf(answer))
	return c
}
