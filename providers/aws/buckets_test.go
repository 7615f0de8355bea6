package aws

import (
	"slices"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

// bucketsInPlace is a sandbox where the stores are in place, and another hand.
func bucketsInPlace(t *testing.T) (*boxed, []manifest.Resource, *s3.Client) {
	t.Helper()
	b := newBoxed(t, sandbox.Options{})
	all := b.stores("preview")
	b.converge(all)
	return b, all, s3.NewFromConfig(b.as("AKIABOB"), func(o *s3.Options) { o.UsePathStyle = true })
}

// ids are the entries of a bucket's notifications.
func ids(t *testing.T, c *s3.Client, bucket string) []string {
	t.Helper()
	out, err := c.GetBucketNotificationConfiguration(t.Context(), &s3.GetBucketNotificationConfigurationInput{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	return entryIDs(&s3types.NotificationConfiguration{
		LambdaFunctionConfigurations: out.LambdaFunctionConfigurations, QueueConfigurations: out.QueueConfigurations, TopicConfigurations: out.TopicConfigurations,
	})
}

func TestDriftOfABucketIsSeenAndPutBack(t *testing.T) {
	b, all, bob := bucketsInPlace(t)
	bucket := find(t, all, "Bucket/uploads")
	name := &bucket.Physical
	for what, c := range map[string]struct {
		hand func() error
		want []string
	}{
		"open to the public": {func() error {
			_, err := bob.DeletePublicAccessBlock(b.ctx, &s3.DeletePublicAccessBlockInput{Bucket: name})
			return err
		}, []string{"publicAccessBlock.blockPublicAcls", "publicAccessBlock.blockPublicPolicy", "publicAccessBlock.ignorePublicAcls", "publicAccessBlock.restrictPublicBuckets"}},
		"versions suspended": {func() error {
			_, err := bob.PutBucketVersioning(b.ctx, &s3.PutBucketVersioningInput{
				Bucket: name, VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusSuspended},
			})
			return err
		}, []string{"versioning"}},
	} {
		t.Run(what, func(t *testing.T) {
			if err := c.hand(); err != nil {
				t.Fatal(err)
			}
			b.advance(b.o.LayerAge)
			if got := b.drifted(all, bucket); !slices.Equal(got, c.want) {
				t.Errorf("seen: %v, want %v", got, c.want)
			}
			live, bindings := b.look(all)
			if _, err := b.Put(b.ctx, providers.Change{Resource: bucket, Bindings: bindings, Guard: live[bucket.Ref].Guard, Release: testRelease}); err != nil {
				t.Fatal(err)
			}
			if got := b.drifted(all, bucket); len(got) > 0 {
				t.Errorf("after it was put back: %v", got)
			}
		})
	}
}

// TestOthersNotificationsStay: another tool puts the whole document, and ours is
// merged into it again.
func TestOthersNotificationsStay(t *testing.T) {
	b, all, bob := bucketsInPlace(t)
	bucket, notification, fn := find(t, all, "Bucket/uploads"), find(t, all, "Notification/checkout.uploads"), find(t, all, "Function/checkout")
	ours := "preview-checkout-uploads"
	if got := ids(t, bob, bucket.Physical); !slices.Equal(got, []string{ours}) {
		t.Fatalf("entries: %v", got)
	}
	arn := "arn:aws:lambda:" + testRegion + ":" + testAccount + ":function:" + fn.Physical + ":live"
	if _, err := bob.PutBucketNotificationConfiguration(b.ctx, &s3.PutBucketNotificationConfigurationInput{
		Bucket: &bucket.Physical, NotificationConfiguration: &s3types.NotificationConfiguration{
			LambdaFunctionConfigurations: []s3types.LambdaFunctionConfiguration{{
				Id: awssdk.String("theirs"), LambdaFunctionArn: &arn, Events: []s3types.Event{"s3:ObjectRemoved:*"},
			}},
		},
	}); err != nil {
		t.Fatal(err)
	}
	b.advance(b.o.LayerAge)
	inventory := b.survey(all)
	if inventory.Live[notification.Ref].Exists {
		t.Error("an entry that somebody overwrote is still there")
	}
	if len(inventory.Extras) != 1 || inventory.Extras[0].Ref.String() != "Notification/checkout.theirs" || inventory.Extras[0].Parent != fn.Ref {
		t.Fatalf("extras: %+v", inventory.Extras)
	}
	_, bindings := b.look(all)
	if _, err := b.Put(b.ctx, providers.Change{Resource: notification, Bindings: bindings, Release: testRelease}); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, bob, bucket.Physical); !slices.Equal(got, []string{ours, "theirs"}) {
		t.Errorf("after ours was put back: %v", got)
	}
	extra := inventory.Extras[0]
	stale := extra
	stale.Guard = "seen:other"
	_, err := b.Detach(b.ctx, fn, stale)
	kindOf(t, err, providers.Conflict)
	if _, err := b.Detach(b.ctx, fn, extra); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, bob, bucket.Physical); !slices.Equal(got, []string{ours}) {
		t.Errorf("after theirs was detached: %v", got)
	}
	who, err := b.Actors(b.ctx, bucket, b.clock.Now().Add(-time.Hour))
	if err != nil || len(who) == 0 {
		t.Errorf("who did it: %v, %v", who, err)
	}
}

// TestARemovedNotificationIsFoundByItsKey: what was declared once is an extra
// of the name it was declared by.
func TestARemovedNotificationIsFoundByItsKey(t *testing.T) {
	b, all, bob := bucketsInPlace(t)
	bucket, notification, fn := find(t, all, "Bucket/uploads"), find(t, all, "Notification/checkout.uploads"), find(t, all, "Function/checkout")
	rest := slices.DeleteFunc(slices.Clone(all), func(res manifest.Resource) bool { return res.Ref == notification.Ref })
	extras := b.survey(rest).Extras
	if len(extras) != 1 || extras[0].Ref != notification.Ref {
		t.Fatalf("extras: %+v", extras)
	}
	if _, err := b.Detach(b.ctx, fn, extras[0]); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, bob, bucket.Physical); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
}

func TestABucketIsKeptUnlessItsManifestSaysOtherwise(t *testing.T) {
	b, all, bob := bucketsInPlace(t)
	bucket, notification := find(t, all, "Bucket/uploads"), find(t, all, "Notification/checkout.uploads")
	_, err := b.Delete(b.ctx, bucket, "")
	kindOf(t, err, providers.Denied)
	spec := *bucket.Spec.(*manifest.BucketSpec)
	spec.DeletionPolicy = manifest.Delete
	going := bucket
	going.Spec = &spec
	if _, err := b.Delete(b.ctx, notification, b.one(notification).Guard); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(b.ctx, providers.Change{Resource: going, Release: testRelease, Guard: b.one(bucket).Guard}); err != nil {
		t.Fatal(err)
	}
	orphan := manifest.Resource{Ref: bucket.Ref, Physical: bucket.Physical}
	put, err := bob.PutObject(b.ctx, &s3.PutObjectInput{Bucket: &bucket.Physical, Key: awssdk.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Delete(b.ctx, orphan, b.one(bucket).Guard)
	kindOf(t, err, providers.Invalid) // it is not empty
	if _, err := bob.DeleteObject(b.ctx, &s3.DeleteObjectInput{Bucket: &bucket.Physical, Key: awssdk.String("k"), VersionId: put.VersionId}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Delete(b.ctx, orphan, b.one(bucket).Guard); err != nil {
		t.Fatal(err)
	}
	if b.one(bucket).Exists {
		t.Error("it is still there")
	}
}
