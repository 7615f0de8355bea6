package aws

import (
	"context"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

func (k workflowKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	b := k.p.builder(c.Bindings)
	want, err := declaredMachine(c.Resource, b)
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := refuseUnbound(b.spec()); err != nil {
		return providers.Receipt{}, err
	}
	now, err := k.p.lookMachine(ctx, k.p.front, c.Resource.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	if now == nil {
		if c.Guard != "" {
			return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
		}
		return k.create(ctx, c, want)
	}
	if err := k.p.mayWrite(ownerOf(now.tags), c.Adopt || c.Resource.Adopt); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(c.Guard, now.guard); err != nil {
		return providers.Receipt{}, err
	}
	return k.update(ctx, c, now, want)
}

func (k workflowKind) create(ctx context.Context, c providers.Change, want machine) (providers.Receipt, error) {
	spec := c.Resource.Spec.(*manifest.WorkflowSpec)
	out, err := k.p.front.machines.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{
		Name: &c.Resource.Physical, Type: types.StateMachineType(want.kind), RoleArn: &want.role,
		Definition: awssdk.String(canonicalJSON(want.definition())), LoggingConfiguration: want.logging(),
		TracingConfiguration: &types.TracingConfiguration{Enabled: want.tracing}, EncryptionConfiguration: want.encryption(),
		Tags: machineTags(k.p.allTags(spec.Tags, c.Resource.Ref, c.Release)),
	})
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	k.wrote(c.Resource.Ref, nil, &want)
	return receipt(out.ResultMetadata), nil
}

// update changes what is allowed; all else is written as it lives. Step
// Functions takes no revision here, so that the look right before is the
// guard, and the version made afterwards names the revision it is of.
func (k workflowKind) update(ctx context.Context, c providers.Change, now *machineLook, want machine) (providers.Receipt, error) {
	desired := now.form
	changed := merge(machineMembers, &desired, &want, allowedBy(c.Fields))
	for _, path := range changed {
		if path == "type" {
			return providers.Receipt{}, providers.Errorf(providers.Invalid, "a state machine cannot become %s: give it another name", want.kind)
		}
	}
	parts, moved := mergeParts(now.form.parts, want.parts, c)
	desired.parts = parts
	spec := c.Resource.Spec.(*manifest.WorkflowSpec)
	var total providers.Receipt
	if plan := k.p.planTags(c, spec.Tags, now.tags, true); !plan.empty() {
		tagged, err := k.tag(ctx, now.arn, plan)
		total.RequestIDs = append(total.RequestIDs, tagged.RequestIDs...)
		if err != nil {
			return total, err
		}
	}
	if len(changed) == 0 && !moved {
		return total, nil
	}
	in := &sfn.UpdateStateMachineInput{
		StateMachineArn: &now.arn, RoleArn: &desired.role, Definition: awssdk.String(canonicalJSON(desired.definition())),
	}
	for _, path := range changed {
		switch top, _, _ := strings.Cut(path, "."); top {
		case "loggingConfiguration":
			in.LoggingConfiguration = desired.logging()
		case "tracingConfiguration":
			in.TracingConfiguration = &types.TracingConfiguration{Enabled: desired.tracing}
		case "encryptionConfiguration":
			in.EncryptionConfiguration = desired.encryption()
		}
	}
	out, err := k.p.front.machines.UpdateStateMachine(ctx, in)
	if err != nil {
		return total, classify(err)
	}
	k.wrote(c.Resource.Ref, &now.form, &desired)
	total.RequestIDs = append(total.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	return total, nil
}

// mergeParts carries the allowed parts of a definition over, and takes away
// what the change names.
func mergeParts(live, want map[string]any, c providers.Change) (parts map[string]any, changed bool) {
	parts = make(map[string]any, len(want))
	for path, value := range live {
		parts[path] = value
	}
	allowed := allowedBy(c.Fields)
	for path, value := range want {
		if have, there := live[path]; allowed(path) && (!there || canonicalJSON(have) != canonicalJSON(value)) {
			parts[path], changed = value, true
		}
	}
	for _, path := range c.Remove {
		if _, there := parts[path]; there {
			delete(parts, path)
			changed = true
		}
	}
	return parts, changed
}

// wrote remembers what was written: Step Functions shows it within seconds.
func (k workflowKind) wrote(ref manifest.Ref, before, after *machine) {
	w := written{at: k.p.o.Now(), digest: k.snapshotOf(after)}
	if before != nil {
		w.before = k.snapshotOf(before)
	}
	remember(&k.p.memory, k.p.memory.wrote, ref, w)
}

func (k workflowKind) snapshotOf(m *machine) string {
	b := k.p.builder(nil)
	m.write(b)
	return b.snapshot
}

func (m *machine) logging() *types.LoggingConfiguration {
	out := &types.LoggingConfiguration{Level: types.LogLevel(m.level), IncludeExecutionData: m.data}
	if m.destination != "" {
		out.Destinations = []types.LogDestination{{CloudWatchLogsLogGroup: &types.CloudWatchLogsLogGroup{LogGroupArn: &m.destination}}}
	}
	return out
}

func (m *machine) encryption() *types.EncryptionConfiguration {
	if m.keyType != string(types.EncryptionTypeCustomerManagedKmsKey) {
		return &types.EncryptionConfiguration{Type: types.EncryptionTypeAwsOwnedKey}
	}
	return &types.EncryptionConfiguration{
		Type: types.EncryptionTypeCustomerManagedKmsKey, KmsKeyId: &m.key, KmsDataKeyReusePeriodSeconds: awssdk.Int32(int32(m.keyReuse)),
	}
}

func machineTags(tags map[string]string) []types.Tag {
	var out []types.Tag
	for _, key := range sortedKeys(tags) {
		out = append(out, types.Tag{Key: awssdk.String(key), Value: awssdk.String(tags[key])})
	}
	return out
}

func (k workflowKind) tag(ctx context.Context, arn string, plan tagPlan) (providers.Receipt, error) {
	var total providers.Receipt
	if len(plan.add) > 0 {
		out, err := k.p.front.machines.TagResource(ctx, &sfn.TagResourceInput{ResourceArn: &arn, Tags: machineTags(plan.add)})
		if err != nil {
			return total, classify(err)
		}
		total = receipt(out.ResultMetadata)
	}
	if len(plan.remove) > 0 {
		out, err := k.p.front.machines.UntagResource(ctx, &sfn.UntagResourceInput{ResourceArn: &arn, TagKeys: plan.remove})
		if err != nil {
			return total, classify(err)
		}
		total.RequestIDs = append(total.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	}
	return total, nil
}

// remove deletes the machine with its versions and aliases.
func (k workflowKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	now, err := k.p.lookMachine(ctx, k.p.front, res.Physical)
	if err != nil || now == nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(ownerOf(now.tags)); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, now.guard); err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.machines.DeleteStateMachine(ctx, &sfn.DeleteStateMachineInput{StateMachineArn: &now.arn})
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	remember(&k.p.memory, k.p.memory.wrote, res.Ref, written{at: k.p.o.Now(), gone: true})
	return receipt(out.ResultMetadata), nil
}
