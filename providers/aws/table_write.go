package aws

import (
	"context"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/middleware"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// put makes a table, or moves it one step: DynamoDB takes one change of a
// table at a time, and the next Put takes the next.
func (k tableKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	spec, ok := c.Resource.Spec.(*manifest.TableSpec)
	if !ok {
		return providers.Receipt{}, wrongSpec(c.Resource)
	}
	if !spec.Manage {
		return providers.Receipt{}, refuseBound(providers.Invalid)
	}
	now, err := k.p.lookTable(ctx, k.p.front, c.Resource.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	if now == nil {
		if c.Guard != "" {
			return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
		}
		return k.create(ctx, c, spec)
	}
	if err := k.p.mayWrite(ownerOf(now.tags), c.Adopt || c.Resource.Adopt); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(c.Guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	if now.settling() {
		return providers.Receipt{}, providers.Errorf(providers.Conflict, "the table is %s", strings.ToLower(string(now.table.TableStatus)))
	}
	t := tableChange{p: k.p, c: c, now: now, spec: spec, live: now.shape(), want: declaredTable(spec)}
	return t.step(ctx)
}

func (k tableKind) create(ctx context.Context, c providers.Change, spec *manifest.TableSpec) (providers.Receipt, error) {
	in := &dynamodb.CreateTableInput{
		TableName: &c.Resource.Physical, AttributeDefinitions: definitions(spec), KeySchema: elements(*spec.KeySchema),
		BillingMode: types.BillingMode(spec.BillingMode), ProvisionedThroughput: units(spec.ProvisionedThroughput),
		DeletionProtectionEnabled: spec.DeletionProtectionEnabled, TableClass: types.TableClass(spec.TableClass),
	}
	for _, name := range sortedKeys(spec.GlobalSecondaryIndexes) {
		i := spec.GlobalSecondaryIndexes[name]
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: &name, KeySchema: elements(i.KeySchema), Projection: projected(i.Projection), ProvisionedThroughput: units(i.ProvisionedThroughput),
		})
	}
	for _, name := range sortedKeys(spec.LocalSecondaryIndexes) {
		i := spec.LocalSecondaryIndexes[name]
		in.LocalSecondaryIndexes = append(in.LocalSecondaryIndexes, types.LocalSecondaryIndex{
			IndexName: &name, KeySchema: elements(i.KeySchema), Projection: projected(i.Projection),
		})
	}
	if s := spec.StreamSpecification; s != nil {
		in.StreamSpecification = &types.StreamSpecification{StreamEnabled: awssdk.Bool(true), StreamViewType: types.StreamViewType(s.StreamViewType)}
	}
	if e := spec.SSESpecification; e != nil {
		in.SSESpecification = encryption(e)
	}
	tags := withDeletion(k.p.allTags(spec.Tags, c.Resource.Ref, c.Release), spec.DeletionPolicy)
	for _, key := range sortedKeys(tags) {
		in.Tags = append(in.Tags, types.Tag{Key: &key, Value: awssdk.String(tags[key])})
	}
	out, err := k.p.front.tables.CreateTable(ctx, in)
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

func (k tableKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	if res.Bound() {
		return providers.Receipt{}, refuseBound(providers.Denied)
	}
	now, err := k.p.lookTable(ctx, k.p.front, res.Physical)
	if err != nil || now == nil || now.table.TableStatus == types.TableStatusDeleting {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDeleteKept(now.tags); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.tables.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &res.Physical})
	if isAbsent(err) {
		return providers.Receipt{}, nil
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

// tableChange is one step towards what is declared.
type tableChange struct {
	p          *Provider
	c          providers.Change
	now        *tableLook
	spec       *manifest.TableSpec
	live, want shape
	total      providers.Receipt
}

func (t *tableChange) noted(m middleware.Metadata, err error) error {
	if err != nil {
		return classify(err)
	}
	t.total.RequestIDs = append(t.total.RequestIDs, receipt(m).RequestIDs...)
	return nil
}

func (t *tableChange) step(ctx context.Context) (providers.Receipt, error) {
	changed := t.changed()
	for _, path := range sortedKeys(changed) {
		if strings.HasPrefix(path, "keySchema") || strings.HasPrefix(path, localIndexes) {
			return t.total, providers.Errorf(providers.Invalid, "%s of a table cannot be changed: give it another name", path)
		}
	}
	if err := t.tags(ctx); err != nil {
		return t.total, err
	}
	if changed[pathTTLEnabled] || changed[pathTTLAttribute] {
		if err := t.expiry(ctx); err != nil {
			return t.total, err
		}
	}
	if changed[pathPITR] || changed[pathPITRDays] {
		if err := t.recovery(ctx); err != nil {
			return t.total, err
		}
	}
	in := t.update(changed)
	if in == nil {
		return t.total, nil
	}
	in.TableName = &t.c.Resource.Physical
	out, err := t.p.front.tables.UpdateTable(ctx, in)
	if err != nil {
		return t.total, classify(err)
	}
	return t.total, t.noted(out.ResultMetadata, nil)
}

// changed are the paths to write: those allowed that differ, and those to take
// away.
func (t *tableChange) changed() map[string]bool {
	out := map[string]bool{}
	allowed := allowedBy(t.c.Fields)
	for path, value := range t.want {
		if allowed(path) && canonicalJSON(value) != canonicalJSON(t.live[path]) {
			out[path] = true
		}
	}
	for _, path := range t.c.Remove {
		if _, there := t.live[path]; there {
			out[path] = true
		}
	}
	return out
}

func (t *tableChange) tags(ctx context.Context) error {
	plan := t.p.planTags(t.c, t.spec.Tags, t.now.tags, true)
	plan.planDeletion(t.c, t.spec.DeletionPolicy, t.now.tags)
	if len(plan.add) > 0 {
		in := &dynamodb.TagResourceInput{ResourceArn: t.now.table.TableArn}
		for _, key := range sortedKeys(plan.add) {
			in.Tags = append(in.Tags, types.Tag{Key: &key, Value: awssdk.String(plan.add[key])})
		}
		out, err := t.p.front.tables.TagResource(ctx, in)
		if err != nil {
			return classify(err)
		}
		if err := t.noted(out.ResultMetadata, nil); err != nil {
			return err
		}
	}
	if len(plan.remove) == 0 {
		return nil
	}
	out, err := t.p.front.tables.UntagResource(ctx, &dynamodb.UntagResourceInput{ResourceArn: t.now.table.TableArn, TagKeys: plan.remove})
	if err != nil {
		return classify(err)
	}
	return t.noted(out.ResultMetadata, nil)
}

// expiry switches expiry on or off. Another attribute needs it off first: the
// next Put switches it on.
func (t *tableChange) expiry(ctx context.Context) error {
	want := &types.TimeToLiveSpecification{Enabled: awssdk.Bool(t.live[pathTTLEnabled] != true)}
	if *want.Enabled {
		if t.spec.TimeToLive == nil {
			return nil // it is off, as declared
		}
		want.AttributeName = &t.spec.TimeToLive.AttributeName
	} else {
		attribute, _ := t.live[pathTTLAttribute].(string)
		want.AttributeName = &attribute
	}
	out, err := t.p.front.tables.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{TableName: &t.c.Resource.Physical, TimeToLiveSpecification: want})
	if err != nil {
		return classify(err)
	}
	return t.noted(out.ResultMetadata, nil)
}

func (t *tableChange) recovery(ctx context.Context) error {
	want := &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: awssdk.Bool(t.spec.PointInTimeRecovery != nil)}
	if r := t.spec.PointInTimeRecovery; r != nil {
		want.RecoveryPeriodInDays = awssdk.Int32(int32(r.RecoveryPeriodInDays))
	}
	out, err := t.p.front.tables.UpdateContinuousBackups(ctx, &dynamodb.UpdateContinuousBackupsInput{
		TableName: &t.c.Resource.Physical, PointInTimeRecoverySpecification: want,
	})
	if err != nil {
		return classify(err)
	}
	return t.noted(out.ResultMetadata, nil)
}

// update is the one change of the table that comes next; nil for none. What
// protects data comes first, what is slow last.
func (t *tableChange) update(changed map[string]bool) *dynamodb.UpdateTableInput {
	switch {
	case changed[pathProtection]:
		return &dynamodb.UpdateTableInput{DeletionProtectionEnabled: t.spec.DeletionProtectionEnabled}
	case changed[pathBilling] || changed[pathReads] || changed[pathWrites]:
		return t.payment()
	case changed[pathStreamEnabled] || changed[pathStreamView]:
		return t.stream()
	case changed[pathSSE] || changed[pathKey]:
		if t.spec.SSESpecification == nil {
			return &dynamodb.UpdateTableInput{SSESpecification: &types.SSESpecification{Enabled: awssdk.Bool(false)}}
		}
		return &dynamodb.UpdateTableInput{SSESpecification: encryption(t.spec.SSESpecification)}
	case changed[pathClass]:
		return &dynamodb.UpdateTableInput{TableClass: types.TableClass(t.spec.TableClass)}
	}
	for _, path := range sortedKeys(changed) {
		if in := t.index(path); in != nil {
			return in
		}
	}
	return nil
}

func (t *tableChange) payment() *dynamodb.UpdateTableInput {
	in := &dynamodb.UpdateTableInput{BillingMode: types.BillingMode(t.spec.BillingMode), ProvisionedThroughput: units(t.spec.ProvisionedThroughput)}
	if t.spec.BillingMode != string(types.BillingModeProvisioned) || t.live[pathBilling] == t.spec.BillingMode {
		return in
	}
	for _, name := range sortedKeys(t.spec.GlobalSecondaryIndexes) { // which come along
		if _, there := t.live[keyPath(globalIndexes, name)]; there {
			in.GlobalSecondaryIndexUpdates = append(in.GlobalSecondaryIndexUpdates, types.GlobalSecondaryIndexUpdate{
				Update: &types.UpdateGlobalSecondaryIndexAction{IndexName: &name, ProvisionedThroughput: units(t.spec.GlobalSecondaryIndexes[name].ProvisionedThroughput)},
			})
		}
	}
	return in
}

// stream switches a stream on or off. Another view needs it off first.
func (t *tableChange) stream() *dynamodb.UpdateTableInput {
	on := t.live[pathStreamEnabled] != true
	want := &types.StreamSpecification{StreamEnabled: &on}
	if on {
		want.StreamViewType = types.StreamViewType(t.spec.StreamSpecification.StreamViewType)
	}
	return &dynamodb.UpdateTableInput{StreamSpecification: want}
}

// index makes, deletes or pays for the index a path is of; nil for other paths.
// One with another key is deleted first.
func (t *tableChange) index(path string) *dynamodb.UpdateTableInput {
	of, paid := strings.CutSuffix(path, ofIndexThroughput)
	name, ok := keyOf(globalIndexes, of)
	if !ok {
		return nil
	}
	i, declared := t.spec.GlobalSecondaryIndexes[name]
	_, lives := t.live[of]
	var update types.GlobalSecondaryIndexUpdate
	switch {
	case paid && declared && lives:
		update.Update = &types.UpdateGlobalSecondaryIndexAction{IndexName: &name, ProvisionedThroughput: units(i.ProvisionedThroughput)}
	case paid:
		return nil // it comes and goes with its index
	case lives:
		update.Delete = &types.DeleteGlobalSecondaryIndexAction{IndexName: &name}
	default:
		update.Create = &types.CreateGlobalSecondaryIndexAction{
			IndexName: &name, KeySchema: elements(i.KeySchema), Projection: projected(i.Projection), ProvisionedThroughput: units(i.ProvisionedThroughput),
		}
	}
	in := &dynamodb.UpdateTableInput{GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{update}}
	if update.Create != nil {
		in.AttributeDefinitions = definitions(t.spec)
	}
	return in
}

func definitions(spec *manifest.TableSpec) []types.AttributeDefinition {
	out := make([]types.AttributeDefinition, 0, len(spec.AttributeDefinitions))
	for _, name := range sortedKeys(spec.AttributeDefinitions) {
		out = append(out, types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeType(spec.AttributeDefinitions[name])})
	}
	return out
}

func elements(key manifest.KeySchema) []types.KeySchemaElement {
	out := []types.KeySchemaElement{{AttributeName: &key.Hash, KeyType: types.KeyTypeHash}}
	if key.Range != "" {
		out = append(out, types.KeySchemaElement{AttributeName: &key.Range, KeyType: types.KeyTypeRange})
	}
	return out
}

func units(t *manifest.Throughput) *types.ProvisionedThroughput {
	if t == nil {
		return nil
	}
	return &types.ProvisionedThroughput{ReadCapacityUnits: awssdk.Int64(int64(t.ReadCapacityUnits)), WriteCapacityUnits: awssdk.Int64(int64(t.WriteCapacityUnits))}
}

func projected(p manifest.Projection) *types.Projection {
	return &types.Projection{ProjectionType: types.ProjectionType(orElse(p.ProjectionType, "ALL")), NonKeyAttributes: p.NonKeyAttributes}
}

func encryption(e *manifest.SSESpecification) *types.SSESpecification {
	return &types.SSESpecification{Enabled: awssdk.Bool(true), SSEType: types.SSETypeKms, KMSMasterKeyId: optional(e.KmsMasterKeyID)}
}
