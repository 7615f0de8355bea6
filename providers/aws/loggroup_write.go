package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go/middleware"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

func (k logGroupKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	b := k.p.builder(c.Bindings)
	want, spec, err := declaredLogGroup(c.Resource)
	if err != nil {
		return providers.Receipt{}, err
	}
	filters := declaredFilters(spec, b)
	if err := refuseUnbound(b.spec()); err != nil {
		return providers.Receipt{}, err
	}
	now, err := k.p.lookLogGroup(ctx, k.p.front, c.Resource.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	w := &logGroupWrite{k: k, c: c, spec: spec, name: &c.Resource.Physical}
	if now == nil {
		if c.Guard != "" {
			return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
		}
		if now, err = w.create(ctx, want); err != nil {
			return w.receipt, err
		}
	} else {
		if err := k.p.mayWrite(ownerOf(now.tags), c.Adopt || c.Resource.Adopt); err != nil {
			return providers.Receipt{}, err
		}
		if err := holds(c.Guard, now.guard()); err != nil {
			return providers.Receipt{}, err
		}
	}
	err = w.update(ctx, now, want, filters)
	return w.receipt, err
}

// logGroupWrite is one write of a log group: as many calls as it has parts
// that differ.
type logGroupWrite struct {
	k       logGroupKind
	c       providers.Change
	spec    *manifest.LogGroupSpec
	name    *string
	receipt providers.Receipt
}

// did notes a call; the receipt has those that came before a refusal too.
func (w *logGroupWrite) did(meta middleware.Metadata) error {
	w.receipt.RequestIDs = append(w.receipt.RequestIDs, receipt(meta).RequestIDs...)
	return nil
}

// create makes the group and returns what a look would show of it.
func (w *logGroupWrite) create(ctx context.Context, want *logGroup) (*logGroupLook, error) {
	tags := withDeletion(w.k.p.allTags(w.spec.Tags, w.c.Resource.Ref, w.c.Release), want.deletion)
	in := &cloudwatchlogs.CreateLogGroupInput{LogGroupName: w.name, LogGroupClass: types.LogGroupClass(want.class), Tags: tags}
	if want.kmsKey != "" {
		in.KmsKeyId = &want.kmsKey
	}
	if want.protected {
		in.DeletionProtectionEnabled = awssdk.Bool(true)
	}
	out, err := w.k.p.front.logs.CreateLogGroup(ctx, in)
	if err != nil {
		return nil, classify(err)
	}
	made := *want
	made.retention = 0
	return &logGroupLook{group: made, filters: map[string]any{}, tags: tags}, w.did(out.ResultMetadata)
}

func (w *logGroupWrite) update(ctx context.Context, now *logGroupLook, want *logGroup, filters map[string]any) error {
	allowed := allowedBy(w.c.Fields)
	desired := now.group
	changed := merge(logGroupMembers, &desired, want, allowed)
	for _, path := range changed {
		if path == "logGroupClass" {
			return providers.Errorf(providers.Invalid, "a log group cannot change its class: give it another name")
		}
	}
	if plan := w.tags(now, want); !plan.empty() {
		if err := w.tag(ctx, now, plan); err != nil {
			return err
		}
	}
	for _, path := range changed {
		if err := w.set(ctx, path, &desired); err != nil {
			return err
		}
	}
	for _, path := range sortedKeys(filters) {
		if allowed(path) && canonicalJSON(now.filters[path]) != canonicalJSON(filters[path]) {
			if err := w.putFilter(ctx, path, filters[path]); err != nil {
				return err
			}
		}
	}
	for _, path := range w.c.Remove {
		if _, there := now.filters[path]; there {
			if err := w.dropFilter(ctx, path); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *logGroupWrite) tags(now *logGroupLook, want *logGroup) tagPlan {
	plan := w.k.p.planTags(w.c, w.spec.Tags, now.tags, true)
	plan.planDeletion(w.c, want.deletion, now.tags)
	return plan
}

func (w *logGroupWrite) tag(ctx context.Context, now *logGroupLook, plan tagPlan) error {
	if len(plan.add) > 0 {
		out, err := w.k.p.front.logs.TagResource(ctx, &cloudwatchlogs.TagResourceInput{ResourceArn: &now.arn, Tags: plan.add})
		if err != nil {
			return classify(err)
		}
		if err := w.did(out.ResultMetadata); err != nil {
			return err
		}
	}
	if len(plan.remove) == 0 {
		return nil
	}
	out, err := w.k.p.front.logs.UntagResource(ctx, &cloudwatchlogs.UntagResourceInput{ResourceArn: &now.arn, TagKeys: plan.remove})
	if err != nil {
		return classify(err)
	}
	return w.did(out.ResultMetadata)
}

// set writes one member.
func (w *logGroupWrite) set(ctx context.Context, path string, to *logGroup) error {
	logs := w.k.p.front.logs
	switch path {
	case "retentionInDays":
		if to.retention == 0 {
			out, err := logs.DeleteRetentionPolicy(ctx, &cloudwatchlogs.DeleteRetentionPolicyInput{LogGroupName: w.name})
			if err != nil {
				return classify(err)
			}
			return w.did(out.ResultMetadata)
		}
		out, err := logs.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{
			LogGroupName: w.name, RetentionInDays: awssdk.Int32(int32(to.retention)),
		})
		if err != nil {
			return classify(err)
		}
		return w.did(out.ResultMetadata)
	case "kmsKeyId":
		if to.kmsKey == "" {
			out, err := logs.DisassociateKmsKey(ctx, &cloudwatchlogs.DisassociateKmsKeyInput{LogGroupName: w.name})
			if err != nil {
				return classify(err)
			}
			return w.did(out.ResultMetadata)
		}
		out, err := logs.AssociateKmsKey(ctx, &cloudwatchlogs.AssociateKmsKeyInput{LogGroupName: w.name, KmsKeyId: &to.kmsKey})
		if err != nil {
			return classify(err)
		}
		return w.did(out.ResultMetadata)
	case "deletionProtectionEnabled":
		out, err := logs.PutLogGroupDeletionProtection(ctx, &cloudwatchlogs.PutLogGroupDeletionProtectionInput{
			LogGroupIdentifier: w.name, DeletionProtectionEnabled: awssdk.Bool(to.protected),
		})
		if err != nil {
			return classify(err)
		}
		return w.did(out.ResultMetadata)
	}
	return nil // the deletion policy is a tag
}

func (w *logGroupWrite) putFilter(ctx context.Context, path string, filter any) error {
	switch f := filter.(type) {
	case subscription:
		name, _ := keyOf(pathSubscriptions, path)
		in := &cloudwatchlogs.PutSubscriptionFilterInput{
			LogGroupName: w.name, FilterName: &name, FilterPattern: &f.Pattern, DestinationArn: &f.Destination, RoleArn: optional(f.Role),
		}
		if f.Role != "" { // only streams have shards to spread over, and only they need a role
			in.Distribution = types.Distribution(f.Distribution)
		}
		out, err := w.k.p.front.logs.PutSubscriptionFilter(ctx, in)
		if err != nil {
			return classify(err)
		}
		return w.did(out.ResultMetadata)
	case metricFilter:
		name, _ := keyOf(pathMetricFilters, path)
		out, err := w.k.p.front.logs.PutMetricFilter(ctx, &cloudwatchlogs.PutMetricFilterInput{
			LogGroupName: w.name, FilterName: &name, FilterPattern: &f.Pattern,
			MetricTransformations: []types.MetricTransformation{{
				MetricNamespace: &f.Namespace, MetricName: &f.Name, MetricValue: &f.Value, DefaultValue: f.Default,
				Dimensions: f.Dimensions, Unit: types.StandardUnit(f.Unit),
			}},
		})
		if err != nil {
			return classify(err)
		}
		return w.did(out.ResultMetadata)
	}
	return nil
}

func (w *logGroupWrite) dropFilter(ctx context.Context, path string) error {
	if name, ok := keyOf(pathSubscriptions, path); ok {
		out, err := w.k.p.front.logs.DeleteSubscriptionFilter(ctx, &cloudwatchlogs.DeleteSubscriptionFilterInput{LogGroupName: w.name, FilterName: &name})
		if err != nil {
			return classify(err)
		}
		return w.did(out.ResultMetadata)
	}
	name, _ := keyOf(pathMetricFilters, path)
	out, err := w.k.p.front.logs.DeleteMetricFilter(ctx, &cloudwatchlogs.DeleteMetricFilterInput{LogGroupName: w.name, FilterName: &name})
	if err != nil {
		return classify(err)
	}
	return w.did(out.ResultMetadata)
}

// remove deletes a group with all its events, if it ever said that it may be.
func (k logGroupKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	now, err := k.p.lookLogGroup(ctx, k.p.front, res.Physical)
	if err != nil || now == nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDeleteKept(now.tags); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: &res.Physical})
	if isAbsent(err) {
		return providers.Receipt{}, nil
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}
