package aws

import (
	"context"
	"encoding/json"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// notificationKind is one entry of a bucket's notifications: it calls a
// function's alias.
type notificationKind struct{ p *Provider }

func (k notificationKind) rights() []rights.Row {
	bucket := func(res manifest.Resource) []manifest.Value {
		spec, ok := res.Spec.(*manifest.NotificationSpec)
		if !ok {
			return nil
		}
		return []manifest.Value{spec.Bucket}
	}
	change := toManage(bucketARN, "s3:PutBucketNotificationConfiguration")
	look := toObserve(bucketARN, "s3:GetBucketNotificationConfiguration")
	off := toDetach(bucketARN, "s3:PutBucketNotificationConfiguration")
	look.Of, change.Of, off.Of = bucket, bucket, bucket
	return []rights.Row{look, toObserve(functionOfARN, "lambda:GetFunction"), change, off}
}

// entry is an entry, taken apart.
type entry struct {
	bucket, function, prefix, suffix string
	events                           []string
}

func (e entry) shape() shape {
	return shape{
		"bucket": e.bucket, "functionArn": e.function, "events": set(e.events), "filter.prefix": e.prefix, "filter.suffix": e.suffix,
	}
}

func declaredEntry(res manifest.Resource, b *builder) (entry, error) {
	spec, ok := res.Spec.(*manifest.NotificationSpec)
	if !ok {
		return entry{}, wrongSpec(res)
	}
	return entry{bucket: b.value(spec.Bucket), function: b.value(spec.Function), events: spec.Events, prefix: spec.Prefix, suffix: spec.Suffix}, nil
}

func liveEntry(bucket string, c *types.LambdaFunctionConfiguration) entry {
	e := entry{bucket: bucket, function: awssdk.ToString(c.LambdaFunctionArn)}
	for _, event := range c.Events {
		e.events = append(e.events, string(event))
	}
	if c.Filter == nil || c.Filter.Key == nil {
		return e
	}
	for _, rule := range c.Filter.Key.FilterRules {
		switch strings.ToLower(string(rule.Name)) { // S3 answers Prefix and takes prefix
		case "prefix":
			e.prefix = awssdk.ToString(rule.Value)
		case "suffix":
			e.suffix = awssdk.ToString(rule.Value)
		}
	}
	return e
}

func (e entry) configuration(id string) types.LambdaFunctionConfiguration {
	out := types.LambdaFunctionConfiguration{Id: &id, LambdaFunctionArn: &e.function}
	for _, event := range e.events {
		out.Events = append(out.Events, types.Event(event))
	}
	var rules []types.FilterRule
	if e.prefix != "" {
		rules = append(rules, types.FilterRule{Name: types.FilterRuleNamePrefix, Value: &e.prefix})
	}
	if e.suffix != "" {
		rules = append(rules, types.FilterRule{Name: types.FilterRuleNameSuffix, Value: &e.suffix})
	}
	if len(rules) > 0 {
		out.Filter = &types.NotificationConfigurationFilter{Key: &types.S3KeyFilter{FilterRules: rules}}
	}
	return out
}

// entryID is the Id of a notification's entry: the declared one, or ours.
func entryID(res manifest.Resource) string {
	if spec, ok := res.Spec.(*manifest.NotificationSpec); ok && spec.ID != "" {
		return spec.ID
	}
	return res.Physical + "-" + res.Key
}

// entryName is what an entry that calls a function is called: by its key when
// its Id is one of ours, else by its Id.
func entryName(fn manifest.Resource, id string) string {
	if key, ours := strings.CutPrefix(id, fn.Physical+"-"); ours {
		return key
	}
	return id
}

func (k notificationKind) canonical(res manifest.Resource, b *builder) error {
	e, err := declaredEntry(res, b)
	if err != nil {
		return err
	}
	e.shape().write(b)
	return nil
}

// bucketOf is the name of the bucket a notification is on.
func (k notificationKind) bucketOf(res manifest.Resource) (string, error) {
	spec, ok := res.Spec.(*manifest.NotificationSpec)
	if !ok {
		return "", wrongSpec(res)
	}
	ref, _, isRef := spec.Bucket.Target()
	if !isRef {
		return spec.Bucket.Literal, nil
	}
	known, _ := recall(&k.p.memory, k.p.memory.known, ref)
	if known["name"] == "" {
		return "", providers.Errorf(providers.Transient, "%s was not looked at yet", ref)
	}
	return known["name"], nil
}

func (k notificationKind) live(ref manifest.Ref, bucket string, c *types.LambdaFunctionConfiguration, parent providers.Owner) providers.Live {
	if c == nil {
		return providers.Live{}
	}
	b := k.p.builder(nil)
	liveEntry(bucket, c).shape().write(b)
	live := b.live()
	live.Guard, live.Owner = entryGuard(bucket, c), childOwner(parent, ref)
	live.Attributes = map[string]string{"id": awssdk.ToString(c.Id), "name": awssdk.ToString(c.Id)}
	remember(&k.p.memory, k.p.memory.entries, ref, bucket)
	return live
}

// trailNames: what changes an entry is told of its bucket.
func (k notificationKind) trailNames(res manifest.Resource) []string {
	if bucket, ok := recall(&k.p.memory, k.p.memory.entries, res.Ref); ok {
		return []string{bucket}
	}
	if bucket, err := k.bucketOf(res); err == nil {
		return []string{bucket}
	}
	return []string{res.Physical}
}

// entryGuard holds while the entry looks the same; S3 gives it no revision.
func entryGuard(bucket string, c *types.LambdaFunctionConfiguration) providers.Guard {
	return seen([]any{awssdk.ToString(c.Id), liveEntry(bucket, c).shape()})
}

func (k notificationKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	bucket, err := k.bucketOf(res)
	if err != nil {
		return providers.Live{}, err
	}
	parent, err := k.p.lookOrRecall(ctx, cl, res.Physical)
	if err != nil {
		return providers.Live{}, err
	}
	at := k.p.o.Now()
	document, err := k.p.notifications(ctx, cl, bucket)
	if err != nil {
		return providers.Live{}, err
	}
	live := k.live(res.Ref, bucket, entryOf(document, entryID(res)), parent.owner())
	live.SeenAt = at
	return live, nil
}

func (k notificationKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	b := k.p.builder(c.Bindings)
	want, err := declaredEntry(c.Resource, b)
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := refuseUnbound(b.spec()); err != nil {
		return providers.Receipt{}, err
	}
	if _, err := k.p.parentLook(ctx, c.Resource, c.Adopt || c.Resource.Adopt); err != nil {
		return providers.Receipt{}, err
	}
	id := entryID(c.Resource)
	return k.p.rewrite(ctx, want.bucket, func(d *types.NotificationConfiguration) error {
		now := entryOf(d, id)
		switch {
		case now == nil && c.Guard != "":
			return providers.Errorf(providers.Conflict, "is not there any more")
		case now == nil:
			d.LambdaFunctionConfigurations = append(d.LambdaFunctionConfigurations, want.configuration(id))
			return nil
		}
		if err := holds(c.Guard, entryGuard(want.bucket, now)); err != nil {
			return err
		}
		*now = want.configuration(id)
		return nil
	})
}

func (k notificationKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	bucket, err := k.bucketOf(res)
	if err != nil {
		return providers.Receipt{}, err
	}
	return k.drop(ctx, res, droppedEntry{bucket, entryID(res), guard})
}

// detach takes an undeclared entry off: its form names the bucket it is on, and
// what was declared once goes by its key.
func (k notificationKind) detach(ctx context.Context, parent manifest.Resource, extra providers.Extra) (providers.Receipt, error) {
	var bucket string
	if json.Unmarshal([]byte(extra.Spec.Fields["bucket"]), &bucket) != nil || bucket == "" {
		return providers.Receipt{}, providers.Errorf(providers.Invalid, "does not say which bucket it is on")
	}
	name := strings.TrimSuffix(strings.TrimPrefix(extra.Ref.Name, parent.Ref.Name+"."), "@"+bucket)
	document, err := k.p.notifications(ctx, k.p.front, bucket)
	if err != nil || document == nil {
		return providers.Receipt{}, err
	}
	for i := range document.LambdaFunctionConfigurations {
		if id := awssdk.ToString(document.LambdaFunctionConfigurations[i].Id); entryName(parent, id) == name {
			return k.drop(ctx, parent, droppedEntry{bucket, id, extra.Guard})
		}
	}
	return providers.Receipt{}, nil
}

type droppedEntry struct {
	bucket, id string
	guard      providers.Guard
}

// drop takes an entry out of a bucket's document, if it still calls our
// function.
func (k notificationKind) drop(ctx context.Context, fn manifest.Resource, e droppedEntry) (providers.Receipt, error) {
	l, err := k.p.look(ctx, k.p.front, fn.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(l.owner()); err != nil {
		return providers.Receipt{}, err
	}
	document, err := k.p.notifications(ctx, k.p.front, e.bucket)
	if err != nil || entryOf(document, e.id) == nil {
		return providers.Receipt{}, err
	}
	return k.p.rewrite(ctx, e.bucket, func(d *types.NotificationConfiguration) error {
		now := entryOf(d, e.id)
		if now == nil {
			return providers.Errorf(providers.Conflict, "is not there any more")
		}
		if name, _ := functionOf(awssdk.ToString(now.LambdaFunctionArn)); name != fn.Physical {
			return providers.Errorf(providers.Conflict, "the entry does not call %s any more", fn.Physical)
		}
		if err := holds(e.guard, entryGuard(e.bucket, now)); err != nil {
			return err
		}
		without(d, e.id)
		return nil
	})
}
