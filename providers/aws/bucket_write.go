package aws

import (
	"context"
	"maps"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// put makes a bucket, or changes what is not as declared. Making one and
// tagging it are two calls: one that was made and not tagged has to be adopted.
func (k bucketKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	spec, ok := c.Resource.Spec.(*manifest.BucketSpec)
	if !ok {
		return providers.Receipt{}, wrongSpec(c.Resource)
	}
	if !spec.Manage {
		return providers.Receipt{}, refuseBound(providers.Invalid)
	}
	now, err := k.p.lookBucket(ctx, k.p.front, c.Resource.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	w := bucketChange{p: k.p, c: c, spec: spec, now: now}
	if now == nil {
		if c.Guard != "" {
			return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
		}
		err = w.create(ctx)
	} else if err = k.p.mayWrite(ownerOf(now.tags), c.Adopt || c.Resource.Adopt); err == nil {
		err = holds(c.Guard, now.guard(c.Resource.Physical))
	}
	if err == nil {
		err = w.apply(ctx)
	}
	return w.total, err
}

func (k bucketKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	if res.Bound() {
		return providers.Receipt{}, refuseBound(providers.Denied)
	}
	now, err := k.p.lookBucket(ctx, k.p.front, res.Physical)
	if err != nil || now == nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDeleteKept(now.tags); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, now.guard(res.Physical)); err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.buckets.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &res.Physical}) // S3 refuses unless it is empty
	if isAbsent(err) {
		return providers.Receipt{}, nil
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

// bucketChange brings one bucket to what is declared.
type bucketChange struct {
	p     *Provider
	c     providers.Change
	spec  *manifest.BucketSpec
	now   *bucketLook
	total providers.Receipt
}

func (w *bucketChange) note(r providers.Receipt) {
	w.total.RequestIDs = append(w.total.RequestIDs, r.RequestIDs...)
}

func (w *bucketChange) create(ctx context.Context) error {
	in := &s3.CreateBucketInput{Bucket: &w.c.Resource.Physical}
	if region := w.p.o.Config.Region; region != "us-east-1" { // which S3 calls nothing
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	out, err := w.p.front.buckets.CreateBucket(ctx, in)
	if err != nil {
		return classify(err)
	}
	w.note(receipt(out.ResultMetadata))
	w.now = &bucketLook{shape: shape{pathEventBridge: false}, tags: map[string]string{}}
	return nil
}

func (w *bucketChange) apply(ctx context.Context) error {
	if err := w.tag(ctx); err != nil {
		return err
	}
	name := &w.c.Resource.Physical
	allowed := allowedBy(w.c.Fields)
	changed := map[string]bool{}
	for path, value := range declaredBucket(w.spec) {
		if allowed(path) && canonicalJSON(value) != canonicalJSON(w.now.shape[path]) {
			changed[path] = true
			if _, of := keyOf(pathPublicAccess, path); of {
				changed[pathPublicAccess] = true
			}
		}
	}
	if changed[pathPublicAccess] {
		if err := w.block(ctx, changed); err != nil {
			return err
		}
	}
	if changed[pathVersioning] {
		out, err := w.p.front.buckets.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
			Bucket: name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatus(w.spec.Versioning)},
		})
		if err != nil {
			return classify(err)
		}
		w.note(receipt(out.ResultMetadata))
	}
	if !changed[pathEventBridge] {
		return nil
	}
	r, err := w.p.rewrite(ctx, *name, func(d *types.NotificationConfiguration) error {
		d.EventBridgeConfiguration = nil
		if *w.spec.EventBridgeNotificationEnabled {
			d.EventBridgeConfiguration = &types.EventBridgeConfiguration{}
		}
		return nil
	})
	w.note(r)
	return err
}

// block writes all four switches: those that may not change stay as they are.
func (w *bucketChange) block(ctx context.Context, changed map[string]bool) error {
	want := declaredBucket(w.spec)
	value := func(name string) *bool {
		path := pathPublicAccess + "." + name
		from := w.now.shape
		if changed[path] {
			from = want
		}
		on, _ := from[path].(bool)
		return &on
	}
	out, err := w.p.front.buckets.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{
		Bucket: &w.c.Resource.Physical, PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
			BlockPublicAcls: value("blockPublicAcls"), IgnorePublicAcls: value("ignorePublicAcls"),
			BlockPublicPolicy: value("blockPublicPolicy"), RestrictPublicBuckets: value("restrictPublicBuckets"),
		},
	})
	if err != nil {
		return classify(err)
	}
	w.note(receipt(out.ResultMetadata))
	return nil
}

// tag writes the whole set of tags, for S3 takes no other: the others' in it
// stay.
func (w *bucketChange) tag(ctx context.Context) error {
	plan := w.p.planTags(w.c, w.spec.Tags, w.now.tags, true)
	plan.planDeletion(w.c, w.spec.DeletionPolicy, w.now.tags)
	if plan.empty() {
		return nil
	}
	all := maps.Clone(w.now.tags)
	maps.Copy(all, plan.add)
	for _, key := range plan.remove {
		delete(all, key)
	}
	in := &s3.PutBucketTaggingInput{Bucket: &w.c.Resource.Physical, Tagging: &types.Tagging{}}
	for _, key := range sortedKeys(all) {
		in.Tagging.TagSet = append(in.Tagging.TagSet, types.Tag{Key: &key, Value: awssdk.String(all[key])})
	}
	out, err := w.p.front.buckets.PutBucketTagging(ctx, in)
	if err != nil {
		return classify(err)
	}
	w.note(receipt(out.ResultMetadata))
	return nil
}
