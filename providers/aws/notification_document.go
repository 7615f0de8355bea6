package aws

import (
	"context"
	"slices"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// S3 knows only the whole document of a bucket's notifications, without a
// revision: it is read right before it is written, by one writer of this
// process at a time, only the entry with our Id is changed, and it is read
// again. What another program writes in between is lost, as with every writer
// of S3's notifications; the second look tells of it.

// notificationLook is a bucket's document as one look shows it; a nil document
// is that of a bucket that is not there.
type notificationLook struct {
	at       time.Time
	document *types.NotificationConfiguration
}

// notifications reads a bucket's document; nil when there is no bucket.
func (p *Provider) notifications(ctx context.Context, cl *clients, bucket string) (*types.NotificationConfiguration, error) {
	l := notificationLook{at: p.o.Now()}
	out, err := cl.buckets.GetBucketNotificationConfiguration(ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: &bucket})
	switch {
	case isAbsent(err):
	case err != nil:
		return nil, classify(err)
	default:
		l.document = &types.NotificationConfiguration{
			EventBridgeConfiguration: out.EventBridgeConfiguration, LambdaFunctionConfigurations: out.LambdaFunctionConfigurations,
			QueueConfigurations: out.QueueConfigurations, TopicConfigurations: out.TopicConfigurations,
		}
	}
	remember(&p.memory, p.memory.documents, bucket, l)
	return l.document, nil
}

// rewrite changes a bucket's document.
func (p *Provider) rewrite(ctx context.Context, bucket string, change func(*types.NotificationConfiguration) error) (providers.Receipt, error) {
	defer p.locks.lock("notifications " + bucket)()
	document, err := p.notifications(ctx, p.front, bucket)
	if err != nil {
		return providers.Receipt{}, err
	}
	if document == nil {
		return providers.Receipt{}, providers.Errorf(providers.Conflict, "there is no bucket %s", bucket)
	}
	next := *document
	next.LambdaFunctionConfigurations = slices.Clone(document.LambdaFunctionConfigurations)
	if err := change(&next); err != nil {
		return providers.Receipt{}, err
	}
	out, err := p.front.buckets.PutBucketNotificationConfiguration(ctx, &s3.PutBucketNotificationConfigurationInput{Bucket: &bucket, NotificationConfiguration: &next})
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	written := receipt(out.ResultMetadata)
	after, err := p.notifications(ctx, p.front, bucket)
	if err != nil {
		return written, err
	}
	if !slices.Equal(entryIDs(after), entryIDs(&next)) {
		return written, providers.Errorf(providers.Conflict, "somebody else wrote the notifications of %s at the same time", bucket)
	}
	return written, nil
}

// entryIDs are the Ids of all entries, sorted.
func entryIDs(d *types.NotificationConfiguration) []string {
	var out []string
	if d == nil {
		return nil
	}
	for i := range d.LambdaFunctionConfigurations {
		out = append(out, awssdk.ToString(d.LambdaFunctionConfigurations[i].Id))
	}
	for i := range d.QueueConfigurations {
		out = append(out, awssdk.ToString(d.QueueConfigurations[i].Id))
	}
	for i := range d.TopicConfigurations {
		out = append(out, awssdk.ToString(d.TopicConfigurations[i].Id))
	}
	slices.Sort(out)
	return out
}

// entryOf is the entry with an Id, nil when there is none.
func entryOf(d *types.NotificationConfiguration, id string) *types.LambdaFunctionConfiguration {
	if d == nil {
		return nil
	}
	for i := range d.LambdaFunctionConfigurations {
		if c := &d.LambdaFunctionConfigurations[i]; awssdk.ToString(c.Id) == id {
			return c
		}
	}
	return nil
}

// without takes the entry with an Id out.
func without(d *types.NotificationConfiguration, id string) {
	d.LambdaFunctionConfigurations = slices.DeleteFunc(d.LambdaFunctionConfigurations, func(c types.LambdaFunctionConfiguration) bool {
		return awssdk.ToString(c.Id) == id
	})
}

// survey looks at the document of every bucket that something wanted is on, or
// was on, in rotation: for what is declared, and for what nobody declared.
func (k notificationKind) survey(ctx context.Context, s *sweep) {
	wanted := k.buckets(s)
	names := sortedKeys(wanted)
	due := s.due(rotation{names: k.rotated(s, names), service: "S3", operation: "GetBucketNotificationConfiguration", cost: 1, lookedAt: func(bucket string) time.Time {
		l, _ := recall(&k.p.memory, k.p.memory.documents, bucket)
		return l.at
	}})
	functions := map[string]manifest.Resource{}
	for _, fn := range s.ofKind(manifest.KindFunction) {
		functions[fn.Physical] = fn
	}
	parallel(s.p.o.Parallel, names, func(bucket string) {
		if due[bucket] {
			if _, err := k.p.notifications(ctx, s.cl, bucket); err != nil {
				for _, res := range wanted[bucket] {
					s.fail(res.Ref, about("observe", res.Ref, err))
				}
				if len(wanted[bucket]) == 0 {
					s.fail(manifest.Ref{}, about("list the notifications of", manifest.Ref{Kind: manifest.KindBucket, Name: bucket}, err))
				}
				return
			}
		}
		l, _ := recall(&k.p.memory, k.p.memory.documents, bucket)
		s.layer(layerNotifications, l.at)
		declared := map[string]bool{} // by Id
		for _, res := range wanted[bucket] {
			declared[entryID(res)] = true
			fn, known := recall(&k.p.memory, k.p.memory.functions, res.Physical)
			owner := providers.Owner{}
			if known {
				owner = fn.owner()
			}
			live := k.live(res.Ref, bucket, entryOf(l.document, entryID(res)), owner)
			live.SeenAt = l.at
			s.see(res.Ref, live)
		}
		k.strays(s, bucket, l, strayEntries{functions, declared})
	})
}

// rotated are the buckets whose documents are looked at for their entries
// alone: that of a declared bucket is read with the bucket.
func (k notificationKind) rotated(s *sweep, names []string) []string {
	declared := map[string]bool{}
	for _, res := range s.ofKind(manifest.KindBucket) {
		declared[res.Physical] = true
	}
	var out []string
	for _, name := range names {
		if l, _ := recall(&k.p.memory, k.p.memory.documents, name); !declared[name] || l.at.IsZero() {
			out = append(out, name)
		}
	}
	return out
}

// buckets are those to look at, with the entries wanted on them.
func (k notificationKind) buckets(s *sweep) map[string][]manifest.Resource {
	wanted := map[string][]manifest.Resource{}
	k.p.memory.mu.Lock()
	for bucket := range k.p.memory.documents { // an entry outlives the manifest that named its bucket
		wanted[bucket] = nil
	}
	k.p.memory.mu.Unlock()
	for _, res := range s.ofKind(manifest.KindNotification) {
		bucket, err := k.bucketOf(res)
		if err != nil {
			s.fail(res.Ref, about("observe", res.Ref, err))
			continue
		}
		wanted[bucket] = append(wanted[bucket], res)
	}
	return wanted
}

// strayEntries says which entries of a bucket are strays: those that call one
// of the functions, by physical name, and have none of the Ids declared there.
type strayEntries struct {
	functions map[string]manifest.Resource
	declared  map[string]bool
}

// strays reports the entries of a bucket that call a function of ours and that
// nobody declared.
func (k notificationKind) strays(s *sweep, bucket string, l notificationLook, of strayEntries) {
	if l.document == nil {
		return
	}
	for i := range l.document.LambdaFunctionConfigurations {
		c := &l.document.LambdaFunctionConfigurations[i]
		name, _ := functionOf(awssdk.ToString(c.LambdaFunctionArn))
		fn, ours := of.functions[name]
		if !ours || of.declared[awssdk.ToString(c.Id)] {
			continue
		}
		ref := manifest.Ref{Kind: manifest.KindNotification, Name: fn.Ref.Name + "." + entryName(fn, awssdk.ToString(c.Id))}
		if res, declared := s.byRef[ref]; declared {
			if _, err := k.bucketOf(res); err != nil {
				continue
			}
			ref.Name += "@" + bucket // it was declared here before, or goes by another Id
		}
		live := k.live(ref, bucket, c, providers.Owner{})
		s.extra(providers.Extra{Ref: ref, Parent: fn.Ref, Spec: live.Spec, Guard: live.Guard, SeenAt: l.at})
	}
}
