package aws

import (
	"context"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// rulePut is one Put of a rule: rule, targets and tags are calls of their own,
// each harmless to repeat.
type rulePut struct {
	p       *Provider
	c       providers.Change
	bus     string
	receipt providers.Receipt
}

func (k ruleKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	b := k.p.builder(c.Bindings)
	want, err := declaredRule(c.Resource, b)
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := refuseUnbound(b.spec()); err != nil {
		return providers.Receipt{}, err
	}
	put := &rulePut{p: k.p, c: c, bus: k.busOf(c.Resource)}
	now, err := k.p.lookRule(ctx, k.p.front, put.bus, c.Resource.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	if now == nil {
		if c.Guard != "" {
			return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
		}
		if err = put.create(ctx, want); err == nil {
			err = put.leave(ctx)
		}
		return put.receipt, err
	}
	if by := awssdk.ToString(now.rule.ManagedBy); by != "" {
		return providers.Receipt{}, providers.Errorf(providers.Denied, "it is managed by %s: never touched", by)
	}
	if err := k.p.mayWrite(ownerOf(now.tags), c.Adopt || c.Resource.Adopt); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(c.Guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	err = put.update(ctx, now, want)
	return put.receipt, err
}

// create makes the rule before its targets: until the next call it fires at
// nothing.
func (r *rulePut) create(ctx context.Context, want rule) error {
	spec := r.c.Resource.Spec.(*manifest.RuleSpec)
	if err := r.putRule(ctx, want, eventTags(r.p.allTags(spec.Tags, r.c.Resource.Ref, r.c.Release))); err != nil {
		return err
	}
	return r.putTargets(ctx, want.targets)
}

// leave takes away the rule this one was on another bus: a rule cannot move.
func (r *rulePut) leave(ctx context.Context) error {
	owned := r.p.ownedListed().byARN
	for _, arn := range sortedKeys(owned) {
		rest, ok := lastIn(arn, "events", "rule/")
		bus, name, custom := strings.Cut(rest, "/")
		if !custom {
			bus, name = "default", rest
		}
		if !ok || name != r.c.Resource.Physical || bus == r.bus || owned[arn][tagResource] != r.c.Resource.Ref.String() {
			continue
		}
		now, err := r.p.lookRule(ctx, r.p.front, bus, name)
		if err != nil {
			return err
		}
		if now == nil || r.p.mayDelete(ownerOf(now.tags)) != nil {
			continue
		}
		old := &rulePut{p: r.p, c: r.c, bus: bus}
		err = old.drop(ctx, now)
		r.receipt.RequestIDs = append(r.receipt.RequestIDs, old.receipt.RequestIDs...)
		if err != nil {
			return err
		}
	}
	return nil
}

func eventTags(tags map[string]string) []types.Tag {
	out := make([]types.Tag, 0, len(tags))
	for _, key := range sortedKeys(tags) {
		out = append(out, types.Tag{Key: awssdk.String(key), Value: awssdk.String(tags[key])})
	}
	return out
}

// putRule writes the whole rule: EventBridge takes away what is left out.
func (r *rulePut) putRule(ctx context.Context, want rule, tags []types.Tag) error {
	out, err := r.p.front.events.PutRule(ctx, &eventbridge.PutRuleInput{
		Name: &r.c.Resource.Physical, EventBusName: &r.bus, Description: optional(want.description), EventPattern: optional(textOf(want.pattern)),
		ScheduleExpression: optional(want.schedule), State: types.RuleState(want.state), RoleArn: optional(want.role), Tags: tags,
	})
	if err != nil {
		return classify(err)
	}
	r.receipt.RequestIDs = append(r.receipt.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	return nil
}

func (r *rulePut) putTargets(ctx context.Context, targets map[string]ruleTarget) error {
	if len(targets) == 0 {
		return nil
	}
	in := &eventbridge.PutTargetsInput{Rule: &r.c.Resource.Physical, EventBusName: &r.bus}
	for _, id := range sortedKeys(targets) {
		t := targets[id]
		in.Targets = append(in.Targets, t.target(id))
	}
	out, err := r.p.front.events.PutTargets(ctx, in)
	if err != nil {
		return classify(err)
	}
	r.receipt.RequestIDs = append(r.receipt.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	for _, f := range out.FailedEntries { // the call succeeds all the same
		return failedEntry("target "+awssdk.ToString(f.TargetId), awssdk.ToString(f.ErrorCode), awssdk.ToString(f.ErrorMessage))
	}
	return nil
}

func (r *rulePut) removeTargets(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	out, err := r.p.front.events.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: &r.c.Resource.Physical, EventBusName: &r.bus, Ids: ids})
	if err != nil {
		return classify(err)
	}
	r.receipt.RequestIDs = append(r.receipt.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	for _, f := range out.FailedEntries {
		if !absentCodes[awssdk.ToString(f.ErrorCode)] {
			return failedEntry("target "+awssdk.ToString(f.TargetId), awssdk.ToString(f.ErrorCode), awssdk.ToString(f.ErrorMessage))
		}
	}
	return nil
}

// update writes what is allowed and differs. A target whose ARN is to be taken
// away goes; nothing else of what nobody declared is touched.
func (r *rulePut) update(ctx context.Context, now *ruleLook, want rule) error {
	allowed := allowedBy(r.c.Fields)
	desired := now.form()
	ruleChanged := len(merge(ruleMembers, &desired, &want, allowed)) > 0
	changed, gone := r.mergeTargets(desired.targets, want.targets, allowed)
	spec := r.c.Resource.Spec.(*manifest.RuleSpec)
	if err := r.tag(ctx, awssdk.ToString(now.rule.Arn), r.p.planTags(r.c, spec.Tags, now.tags, true)); err != nil {
		return err
	}
	if err := r.removeTargets(ctx, gone); err != nil {
		return err
	}
	if err := r.putTargets(ctx, changed); err != nil {
		return err
	}
	if !ruleChanged {
		return nil
	}
	return r.putRule(ctx, desired, nil)
}

// mergeTargets finds the targets to be put, and those to be taken away.
func (r *rulePut) mergeTargets(live, want map[string]ruleTarget, allowed func(string) bool) (changed map[string]ruleTarget, gone []string) {
	changed = map[string]ruleTarget{}
	for id, t := range live {
		prefix := keyPath("targets", id) + "."
		if _, declared := want[id]; !declared && slices.Contains(r.c.Remove, prefix+"arn") {
			gone = append(gone, id)
			continue
		}
		source := newRuleTarget()
		removed := func(path string) bool { return slices.Contains(r.c.Remove, prefix+path) }
		if w, declared := want[id]; declared {
			source = w
			removed = func(path string) bool {
				return slices.Contains(r.c.Remove, prefix+path) || allowed(prefix+path) && path != "otherParameters"
			}
		}
		if len(merge(ruleTargetMembers, &t, &source, removed)) > 0 {
			changed[id] = t
		}
	}
	for id, t := range want {
		if _, there := live[id]; !there && allowed(keyPath("targets", id)+".arn") {
			changed[id] = t
		}
	}
	slices.Sort(gone)
	return changed, gone
}

func (r *rulePut) tag(ctx context.Context, arn string, plan tagPlan) error {
	if len(plan.add) > 0 {
		out, err := r.p.front.events.TagResource(ctx, &eventbridge.TagResourceInput{ResourceARN: &arn, Tags: eventTags(plan.add)})
		if err != nil {
			return classify(err)
		}
		r.receipt.RequestIDs = append(r.receipt.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	}
	if len(plan.remove) > 0 {
		out, err := r.p.front.events.UntagResource(ctx, &eventbridge.UntagResourceInput{ResourceARN: &arn, TagKeys: plan.remove})
		if err != nil {
			return classify(err)
		}
		r.receipt.RequestIDs = append(r.receipt.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	}
	return nil
}

// remove takes the targets off first: a rule that has some cannot go.
func (k ruleKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	put := &rulePut{p: k.p, c: providers.Change{Resource: res}, bus: k.busOf(res)}
	now, err := k.p.lookRule(ctx, k.p.front, put.bus, res.Physical)
	if err != nil || now == nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(ownerOf(now.tags)); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	err = put.drop(ctx, now)
	return put.receipt, err
}

func (r *rulePut) drop(ctx context.Context, now *ruleLook) error {
	if err := r.removeTargets(ctx, sortedKeys(now.form().targets)); err != nil {
		return err
	}
	out, err := r.p.front.events.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: &r.c.Resource.Physical, EventBusName: &r.bus})
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return classify(err)
	}
	r.receipt.RequestIDs = append(r.receipt.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	return nil
}
