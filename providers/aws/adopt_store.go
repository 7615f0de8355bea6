package aws

import (
	"context"
	"fmt"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"mooring.dev/sources/manifest"
)

// namedIn: the ARN of a stream is its table's, and more.
func (k tableKind) namedIn(arn string) (string, bool) {
	rest, ok := lastIn(arn, "dynamodb", "table/")
	return firstPart(rest, '/'), ok
}

func firstPart(text string, end byte) string {
	for i := range len(text) {
		if text[i] == end {
			return text[:i]
		}
	}
	return text
}

func (k tableKind) every(ctx context.Context, a *adoption) ([]string, error) {
	var names []string
	pages := dynamodb.NewListTablesPaginator(a.cl.tables, &dynamodb.ListTablesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return names, err
		}
		names = append(names, page.TableNames...)
	}
	return names, nil
}

func (k tableKind) draft(ctx context.Context, a *adoption, name string) (*manifest.Draft, error) {
	l, err := k.p.lookTable(ctx, a.cl, name)
	if err != nil || l == nil || !a.passes(manifest.KindTable, name, l.tags) {
		return nil, err
	}
	if l.settling() {
		a.leave(manifest.KindTable, name, "it is on its way (%s): import it when it is settled", l.table.TableStatus)
		return nil, nil
	}
	d := started(name, awssdk.ToString(l.table.TableArn), l.tags)
	shown := l.shape()
	key := liveKey(l.table.KeySchema)
	spec := &manifest.TableSpec{
		Manage: true, DeletionPolicy: retain, AttributeDefinitions: map[string]string{}, KeySchema: &key,
		BillingMode: shown[pathBilling].(string), TableClass: shown[pathClass].(string), Tags: ownTags(d, l.tags),
		DeletionProtectionEnabled: awssdk.Bool(shown[pathProtection].(bool)),
	}
	used := l.keyed()
	for _, attribute := range l.table.AttributeDefinitions {
		if name := awssdk.ToString(attribute.AttributeName); used[name] {
			spec.AttributeDefinitions[name] = string(attribute.AttributeType)
		}
	}
	if provisioned := spec.BillingMode == string(types.BillingModeProvisioned); provisioned {
		spec.ProvisionedThroughput = liveThroughput(l.table.ProvisionedThroughput)
	}
	l.indexes(spec)
	if view := shown[pathStreamView].(string); view != "" {
		spec.StreamSpecification = &manifest.StreamSpecification{StreamViewType: view}
		d.Addresses["streamArn"] = awssdk.ToString(l.table.LatestStreamArn)
	}
	if attribute := shown[pathTTLAttribute].(string); attribute != "" {
		spec.TimeToLive = &manifest.TimeToLive{AttributeName: attribute}
	}
	if days, ok := shown[pathPITRDays].(int); ok {
		spec.PointInTimeRecovery = &manifest.PointInTimeRecovery{RecoveryPeriodInDays: days}
	}
	if shown[pathSSE] == true {
		spec.SSESpecification = &manifest.SSESpecification{KmsMasterKeyID: shown[pathKey].(string)}
	}
	l.unsaid(d)
	d.Spec, err = manifest.SpecOf(spec)
	return d, err
}

func liveThroughput(p *types.ProvisionedThroughputDescription) *manifest.Throughput {
	if p == nil {
		return nil
	}
	return &manifest.Throughput{ReadCapacityUnits: int(awssdk.ToInt64(p.ReadCapacityUnits)), WriteCapacityUnits: int(awssdk.ToInt64(p.WriteCapacityUnits))}
}

func (l *tableLook) indexes(spec *manifest.TableSpec) {
	for _, i := range l.table.GlobalSecondaryIndexes {
		if spec.GlobalSecondaryIndexes == nil {
			spec.GlobalSecondaryIndexes = map[string]manifest.GlobalIndex{}
		}
		index := manifest.GlobalIndex{KeySchema: liveKey(i.KeySchema), Projection: liveProjection(i.Projection)}
		if spec.ProvisionedThroughput != nil {
			index.ProvisionedThroughput = liveThroughput(i.ProvisionedThroughput)
		}
		spec.GlobalSecondaryIndexes[awssdk.ToString(i.IndexName)] = index
	}
	for _, i := range l.table.LocalSecondaryIndexes {
		if spec.LocalSecondaryIndexes == nil {
			spec.LocalSecondaryIndexes = map[string]manifest.LocalIndex{}
		}
		spec.LocalSecondaryIndexes[awssdk.ToString(i.IndexName)] = manifest.LocalIndex{KeySchema: liveKey(i.KeySchema), Projection: liveProjection(i.Projection)}
	}
}

// unsaid notes what of a table no manifest declares.
func (l *tableLook) unsaid(d *manifest.Draft) {
	t := l.table
	for what, set := range map[string]bool{
		"its replicas in other regions": len(t.Replicas) > 0, "its limits on demand": t.OnDemandThroughput != nil,
	} {
		if set {
			d.Leave("%s: not managed; they stay as they are", what)
		}
	}
}

func (k bucketKind) namedIn(arn string) (string, bool) {
	name, ok := k.physicalIn(arn)
	return firstPart(name, '/'), ok
}

func (k bucketKind) every(ctx context.Context, a *adoption) ([]string, error) {
	var names []string
	pages := s3.NewListBucketsPaginator(a.cl.buckets, &s3.ListBucketsInput{MaxBuckets: awssdk.Int32(1000)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return names, err
		}
		for i := range page.Buckets {
			name := awssdk.ToString(page.Buckets[i].Name)
			region, err := bucketRegion(ctx, a.cl, &page.Buckets[i])
			switch {
			case err != nil:
				return names, err
			case region == a.p.o.Config.Region:
				names = append(names, name)
			case region != "":
				a.leave(manifest.KindBucket, name, "is in another region, %s", region)
			}
		}
	}
	return names, nil
}

// bucketRegion is where a bucket is; "" for one that went meanwhile.
func bucketRegion(ctx context.Context, cl *clients, b *s3types.Bucket) (string, error) {
	if region := awssdk.ToString(b.BucketRegion); region != "" {
		return region, nil
	}
	out, err := cl.buckets.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: b.Name})
	switch {
	case isAbsent(err):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("where bucket %s is: %w", awssdk.ToString(b.Name), err)
	case out.LocationConstraint == "":
		return "us-east-1", nil
	case out.LocationConstraint == s3types.BucketLocationConstraintEu:
		return "eu-west-1", nil
	}
	return string(out.LocationConstraint), nil
}

func (k bucketKind) draft(ctx context.Context, a *adoption, name string) (*manifest.Draft, error) {
	if why := belongings.to(manifest.KindBucket, name); why != "" {
		a.leave(manifest.KindBucket, name, "%s", why)
		return nil, nil
	}
	l, err := k.p.lookBucket(ctx, a.cl, name)
	if err != nil || l == nil || !a.passes(manifest.KindBucket, name, l.tags) {
		return nil, err
	}
	attributes := k.p.bucketAttributes(name)
	d := started(name, attributes["arn"], l.tags)
	is := func(path string) bool { return l.shape[path] == true }
	spec := &manifest.BucketSpec{
		Manage: true, DeletionPolicy: retain, Versioning: l.shape[pathVersioning].(string), Tags: ownTags(d, l.tags),
		EventBridgeNotificationEnabled: awssdk.Bool(is(pathEventBridge)),
		PublicAccessBlock: &manifest.PublicAccessBlock{
			BlockPublicAcls: is(pathPublicAccess + ".blockPublicAcls"), IgnorePublicAcls: is(pathPublicAccess + ".ignorePublicAcls"),
			BlockPublicPolicy: is(pathPublicAccess + ".blockPublicPolicy"), RestrictPublicBuckets: is(pathPublicAccess + ".restrictPublicBuckets"),
		},
	}
	if d.Spec, err = manifest.SpecOf(spec); err != nil {
		return nil, err
	}
	return d, k.entries(ctx, a, d)
}

// entries makes triggers of the notifications that call functions drafted.
func (k bucketKind) entries(ctx context.Context, a *adoption, d *manifest.Draft) error {
	document, err := k.p.notifications(ctx, a.cl, d.Name)
	if err != nil || document == nil {
		return err
	}
	for i := range document.LambdaFunctionConfigurations {
		c := &document.LambdaFunctionConfigurations[i]
		id, e := awssdk.ToString(c.Id), liveEntry(d.Name, c)
		fn := a.fronted(e.function)
		if fn == nil {
			d.Leave("notification %s calls %s, which is not declared here; it stays as it is", id, e.function)
			continue
		}
		out := map[string]any{"bucket": d.Addresses["arn"], "events": anyList(set(e.events)), "id": id}
		filter := map[string]any{}
		for key, text := range map[string]string{"prefix": e.prefix, "suffix": e.suffix} {
			if text != "" {
				filter[key] = text
			}
		}
		if len(filter) > 0 {
			out["filter"] = filter
		}
		a.stands(fn, standing{
			key: keyName(d.Name), spec: out, doc: out, principal: "s3.amazonaws.com", source: d.Addresses["arn"], fromAccount: true,
		})
	}
	for _, c := range document.QueueConfigurations {
		d.Leave("notification %s to queue %s: not managed; it stays as it is", awssdk.ToString(c.Id), awssdk.ToString(c.QueueArn))
	}
	for _, c := range document.TopicConfigurations {
		d.Leave("notification %s to topic %s: not managed; it stays as it is", awssdk.ToString(c.Id), awssdk.ToString(c.TopicArn))
	}
	return nil
}

func anyList(list []string) []any {
	out := make([]any, len(list))
	for i := range list {
		out[i] = list[i]
	}
	return out
}
