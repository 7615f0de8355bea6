package aws

import (
	"context"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// bucketKind is an S3 bucket: what functions rely on of it, and never its
// objects.
type bucketKind struct{ p *Provider }

func (k bucketKind) rights() []rights.Row {
	return []rights.Row{
		toObserve(bucketARN, "s3:GetBucketNotificationConfiguration", "s3:GetBucketTagging", "s3:GetBucketVersioning", "s3:GetPublicAccessBlock", "s3:HeadBucket"),
		unbound(toManage(bucketARN, "s3:CreateBucket", "s3:PutBucketNotificationConfiguration", "s3:PutBucketTagging", "s3:PutBucketVersioning", "s3:PutPublicAccessBlock")),
		unbound(toDelete(bucketARN, "s3:DeleteBucket")),
	}
}

const (
	pathVersioning   = "versioning"
	pathPublicAccess = "publicAccessBlock"
	pathEventBridge  = "eventBridgeNotificationEnabled"
)

// declaredBucket is the form a manifest asks for: what it names.
func declaredBucket(s *manifest.BucketSpec) shape {
	f := shape{}
	if s.Versioning != "" {
		f[pathVersioning] = s.Versioning
	}
	if p := s.PublicAccessBlock; p != nil {
		f.public(p.BlockPublicAcls, p.IgnorePublicAcls, p.BlockPublicPolicy, p.RestrictPublicBuckets)
	}
	if s.EventBridgeNotificationEnabled != nil {
		f[pathEventBridge] = *s.EventBridgeNotificationEnabled
	}
	if s.Manage {
		f[pathDeletion] = orElse(s.DeletionPolicy, retain)
	}
	return f
}

func (f shape) public(blockAcls, ignoreAcls, blockPolicy, restrict bool) {
	f[pathPublicAccess+".blockPublicAcls"], f[pathPublicAccess+".ignorePublicAcls"] = blockAcls, ignoreAcls
	f[pathPublicAccess+".blockPublicPolicy"], f[pathPublicAccess+".restrictPublicBuckets"] = blockPolicy, restrict
}

// bucketLook is a bucket as one look shows it.
type bucketLook struct {
	at    time.Time
	shape shape
	tags  map[string]string
}

// lookBucket asks for a bucket by name; nil when there is none.
func (p *Provider) lookBucket(ctx context.Context, cl *clients, name string) (*bucketLook, error) {
	l := &bucketLook{at: p.o.Now(), shape: shape{}}
	_, err := cl.buckets.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	versioning, err := cl.buckets.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &name})
	if err != nil {
		return nil, classify(err)
	}
	l.shape[pathVersioning] = string(versioning.Status)
	block, err := cl.buckets.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &name})
	if err != nil && !isAbsent(err) {
		return nil, classify(err)
	}
	l.shape.public(false, false, false, false)
	if err == nil && block.PublicAccessBlockConfiguration != nil {
		c := block.PublicAccessBlockConfiguration
		l.shape.public(awssdk.ToBool(c.BlockPublicAcls), awssdk.ToBool(c.IgnorePublicAcls), awssdk.ToBool(c.BlockPublicPolicy), awssdk.ToBool(c.RestrictPublicBuckets))
	}
	document, err := p.notifications(ctx, cl, name)
	if err != nil || document == nil {
		return nil, err
	}
	l.shape[pathEventBridge] = document.EventBridgeConfiguration != nil
	l.tags, err = p.tags(cl, p.bucketAttributes(name)["arn"], func() (map[string]string, error) {
		out, err := cl.buckets.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &name})
		if isAbsent(err) { // S3's word for none
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return pairs(out.TagSet, func(t types.Tag) (key, value *string) { return t.Key, t.Value }), nil
	})
	if err != nil {
		return nil, classify(err)
	}
	l.shape[pathDeletion] = deletionOf(l.tags)
	return l, nil
}

func (k bucketKind) canonical(res manifest.Resource, b *builder) error {
	spec, ok := res.Spec.(*manifest.BucketSpec)
	if !ok {
		return wrongSpec(res)
	}
	declaredBucket(spec).write(b)
	setTags(b, spec.Tags, spec.Tags)
	return nil
}

func (k bucketKind) live(res manifest.Resource, l *bucketLook) providers.Live {
	b := k.p.builder(nil)
	if spec, ok := res.Spec.(*manifest.BucketSpec); ok {
		shown := shape{}
		for path := range declaredBucket(spec) { // the rest is nobody's business here
			shown[path] = l.shape[path]
		}
		shown.write(b)
		setTags(b, spec.Tags, l.tags)
	}
	live := b.live()
	live.Guard, live.Owner, live.SeenAt = l.guard(res.Physical), ownerOf(l.tags), l.at
	live.Attributes = k.p.bucketAttributes(res.Physical)
	return live
}

func (l *bucketLook) guard(name string) providers.Guard { return seen([]any{name, l.shape, l.tags}) }

func (p *Provider) bucketAttributes(name string) map[string]string {
	arn := "arn:" + manifest.Partition(p.o.Config.Region) + ":s3:::" + name
	return map[string]string{"arn": arn, "name": name, "id": name, manifest.AttributeObjects: arn + "/*"}
}

func (k bucketKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	l, err := k.p.lookBucket(ctx, cl, res.Physical)
	if err != nil {
		return providers.Live{}, err
	}
	// Entries are found by the name of their bucket, whether it lives or not.
	remember(&k.p.memory, k.p.memory.known, res.Ref, k.p.bucketAttributes(res.Physical))
	if l == nil {
		return providers.Live{}, nil
	}
	return k.live(res, l), nil
}
