package aws

import (
	"context"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// tableKind is a DynamoDB table: what functions rely on of it, and never its
// items.
type tableKind struct{ p *Provider }

func (k tableKind) rights() []rights.Row {
	on := []string{"arn:{partition}:dynamodb:{region}:{account}:table/{name}"}
	return []rights.Row{
		toObserve(on, "dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:ListTagsOfResource"),
		unbound(toManage(on, "dynamodb:CreateTable", "dynamodb:TagResource", "dynamodb:UntagResource", "dynamodb:UpdateContinuousBackups",
			"dynamodb:UpdateTable", "dynamodb:UpdateTimeToLive")),
		unbound(toDelete(on, "dynamodb:DeleteTable")),
	}
}

// shape is a canonical form before it is text.
type shape map[string]any

func (f shape) write(b *builder) {
	for path, value := range f {
		b.set(path, value)
	}
}

// The paths of a table's form that are asked for apart from each other.
const (
	pathStreamEnabled = "streamSpecification.streamEnabled"
	pathStreamView    = "streamSpecification.streamViewType"
	pathTTLEnabled    = "timeToLive.enabled"
	pathTTLAttribute  = "timeToLive.attributeName"
	pathPITR          = "pointInTimeRecovery.enabled"
	pathPITRDays      = "pointInTimeRecovery.recoveryPeriodInDays"
	pathProtection    = "deletionProtectionEnabled"
	pathBilling       = "billingMode"
	pathReads         = "provisionedThroughput.readCapacityUnits"
	pathWrites        = "provisionedThroughput.writeCapacityUnits"
	pathClass         = "tableClass"
	pathSSE           = "sseSpecification.enabled"
	pathKey           = "sseSpecification.kmsMasterKeyId"
	globalIndexes     = "globalSecondaryIndexes"
	localIndexes      = "localSecondaryIndexes"
	ofIndexThroughput = ".provisionedThroughput"
)

// declaredTable is the form a manifest asks for. Of a table that is not
// managed it holds what the manifest names.
func declaredTable(t *manifest.TableSpec) shape {
	f := shape{}
	if t.KeySchema != nil {
		f["keySchema.hash"], f["keySchema.range"] = t.KeySchema.Hash, t.KeySchema.Range
	}
	for name, kind := range t.AttributeDefinitions {
		f[keyPath("attributeDefinitions", name)] = kind
	}
	if t.BillingMode != "" {
		f[pathBilling] = t.BillingMode
	}
	if p := t.ProvisionedThroughput; p != nil {
		f[pathReads], f[pathWrites] = p.ReadCapacityUnits, p.WriteCapacityUnits
	}
	for name, i := range t.GlobalSecondaryIndexes {
		at := keyPath(globalIndexes, name)
		f[at] = indexForm(i.KeySchema, i.Projection)
		if p := i.ProvisionedThroughput; p != nil {
			f[at+ofIndexThroughput] = *p
		}
	}
	for name, i := range t.LocalSecondaryIndexes {
		f[keyPath(localIndexes, name)] = indexForm(i.KeySchema, i.Projection)
	}
	if s := t.StreamSpecification; s != nil {
		f[pathStreamEnabled], f[pathStreamView] = true, s.StreamViewType
	} else if t.Manage {
		f[pathStreamEnabled], f[pathStreamView] = false, ""
	}
	f.safety(t)
	if t.Manage {
		f[pathDeletion] = orElse(t.DeletionPolicy, retain)
	}
	return f
}

// safety is what keeps data, and what takes it away.
func (f shape) safety(t *manifest.TableSpec) {
	if l := t.TimeToLive; l != nil {
		f[pathTTLEnabled], f[pathTTLAttribute] = true, l.AttributeName
	} else if t.Manage {
		f[pathTTLEnabled], f[pathTTLAttribute] = false, ""
	}
	if r := t.PointInTimeRecovery; r != nil {
		f[pathPITR], f[pathPITRDays] = true, r.RecoveryPeriodInDays
	} else if t.Manage {
		f[pathPITR] = false
	}
	if t.DeletionProtectionEnabled != nil {
		f[pathProtection] = *t.DeletionProtectionEnabled
	}
	if t.TableClass != "" {
		f[pathClass] = t.TableClass
	}
	if e := t.SSESpecification; e != nil {
		f[pathSSE] = true
		if strings.HasPrefix(e.KmsMasterKeyID, "arn:") && strings.Contains(e.KmsMasterKeyID, ":key/") {
			f[pathKey] = e.KmsMasterKeyID // other names of a key AWS does not show
		}
	} else if t.Manage {
		f[pathSSE] = false
	}
}

// indexForm is an index without its throughput, which changes by itself.
func indexForm(key manifest.KeySchema, p manifest.Projection) map[string]any {
	return map[string]any{
		"keySchema":  map[string]any{"hash": key.Hash, "range": key.Range},
		"projection": map[string]any{"projectionType": orElse(p.ProjectionType, "ALL"), "nonKeyAttributes": set(p.NonKeyAttributes)},
	}
}

// tableLook is a table as one look shows it.
type tableLook struct {
	at    time.Time
	table *types.TableDescription
	ttl   *types.TimeToLiveDescription
	pitr  *types.PointInTimeRecoveryDescription
	tags  map[string]string
}

// lookTable asks for a table by name; nil when there is none.
func (p *Provider) lookTable(ctx context.Context, cl *clients, name string) (*tableLook, error) {
	l := &tableLook{at: p.o.Now()}
	out, err := cl.tables.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	l.table = out.Table
	l.tags, err = p.tags(cl, awssdk.ToString(l.table.TableArn), func() (map[string]string, error) {
		return askTableTags(ctx, cl, l.table.TableArn)
	})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	if l.table.TableStatus == types.TableStatusCreating || l.table.TableStatus == types.TableStatusDeleting {
		return l, nil // the rest is not to be had, or not any more
	}
	ttl, err := cl.tables.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err != nil {
		return nil, classify(err)
	}
	l.ttl = ttl.TimeToLiveDescription
	backups, err := cl.tables.DescribeContinuousBackups(ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: &name})
	if err != nil {
		return nil, classify(err)
	}
	if backups.ContinuousBackupsDescription != nil {
		l.pitr = backups.ContinuousBackupsDescription.PointInTimeRecoveryDescription
	}
	return l, nil
}

func askTableTags(ctx context.Context, cl *clients, arn *string) (map[string]string, error) {
	tags := map[string]string{}
	for in := (&dynamodb.ListTagsOfResourceInput{ResourceArn: arn}); ; {
		page, err := cl.tables.ListTagsOfResource(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, t := range page.Tags {
			tags[awssdk.ToString(t.Key)] = awssdk.ToString(t.Value)
		}
		if in.NextToken = page.NextToken; awssdk.ToString(in.NextToken) == "" {
			return tags, nil
		}
	}
}

// shape is the whole form of what lives.
func (l *tableLook) shape() shape {
	t := l.table
	f := shape{
		pathBilling: string(types.BillingModeProvisioned), pathStreamEnabled: false, pathStreamView: "",
		pathTTLEnabled: false, pathTTLAttribute: "", pathPITR: false, pathSSE: false,
		pathProtection: awssdk.ToBool(t.DeletionProtectionEnabled), pathClass: string(types.TableClassStandard), pathDeletion: deletionOf(l.tags),
	}
	key := liveKey(t.KeySchema)
	f["keySchema.hash"], f["keySchema.range"] = key.Hash, key.Range
	used := l.keyed()
	for _, a := range t.AttributeDefinitions {
		if name := awssdk.ToString(a.AttributeName); used[name] { // others are left over from indexes
			f[keyPath("attributeDefinitions", name)] = string(a.AttributeType)
		}
	}
	if b := t.BillingModeSummary; b != nil && b.BillingMode != "" {
		f[pathBilling] = string(b.BillingMode)
	}
	provisioned := f[pathBilling] == string(types.BillingModeProvisioned)
	if p := t.ProvisionedThroughput; p != nil && provisioned {
		f[pathReads], f[pathWrites] = int(awssdk.ToInt64(p.ReadCapacityUnits)), int(awssdk.ToInt64(p.WriteCapacityUnits))
	}
	for _, i := range t.GlobalSecondaryIndexes {
		at := keyPath(globalIndexes, awssdk.ToString(i.IndexName))
		f[at] = indexForm(liveKey(i.KeySchema), liveProjection(i.Projection))
		if p := i.ProvisionedThroughput; p != nil && provisioned {
			f[at+ofIndexThroughput] = manifest.Throughput{
				ReadCapacityUnits: int(awssdk.ToInt64(p.ReadCapacityUnits)), WriteCapacityUnits: int(awssdk.ToInt64(p.WriteCapacityUnits)),
			}
		}
	}
	for _, i := range t.LocalSecondaryIndexes {
		f[keyPath(localIndexes, awssdk.ToString(i.IndexName))] = indexForm(liveKey(i.KeySchema), liveProjection(i.Projection))
	}
	if s := t.StreamSpecification; s != nil && awssdk.ToBool(s.StreamEnabled) {
		f[pathStreamEnabled], f[pathStreamView] = true, string(s.StreamViewType)
	}
	if c := t.TableClassSummary; c != nil && c.TableClass != "" {
		f[pathClass] = string(c.TableClass)
	}
	l.safety(f)
	return f
}

func (l *tableLook) safety(f shape) {
	if e := l.table.SSEDescription; e != nil && e.Status != types.SSEStatusDisabled && e.Status != "" {
		f[pathSSE], f[pathKey] = true, awssdk.ToString(e.KMSMasterKeyArn)
	}
	if t := l.ttl; t != nil && (t.TimeToLiveStatus == types.TimeToLiveStatusEnabled || t.TimeToLiveStatus == types.TimeToLiveStatusEnabling) {
		f[pathTTLEnabled], f[pathTTLAttribute] = true, awssdk.ToString(t.AttributeName)
	}
	if r := l.pitr; r != nil && r.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled {
		f[pathPITR], f[pathPITRDays] = true, 35
		if r.RecoveryPeriodInDays != nil {
			f[pathPITRDays] = int(*r.RecoveryPeriodInDays)
		}
	}
}

// keyed are the attributes that some key names.
func (l *tableLook) keyed() map[string]bool {
	all := l.table.KeySchema
	for _, i := range l.table.GlobalSecondaryIndexes {
		all = append(all[:len(all):len(all)], i.KeySchema...)
	}
	for _, i := range l.table.LocalSecondaryIndexes {
		all = append(all[:len(all):len(all)], i.KeySchema...)
	}
	out := map[string]bool{}
	for _, e := range all {
		out[awssdk.ToString(e.AttributeName)] = true
	}
	return out
}

func liveKey(elements []types.KeySchemaElement) (key manifest.KeySchema) {
	for _, e := range elements {
		if e.KeyType == types.KeyTypeHash {
			key.Hash = awssdk.ToString(e.AttributeName)
		} else {
			key.Range = awssdk.ToString(e.AttributeName)
		}
	}
	return key
}

func liveProjection(p *types.Projection) manifest.Projection {
	if p == nil {
		return manifest.Projection{}
	}
	return manifest.Projection{ProjectionType: string(p.ProjectionType), NonKeyAttributes: p.NonKeyAttributes}
}

func (k tableKind) canonical(res manifest.Resource, b *builder) error {
	spec, ok := res.Spec.(*manifest.TableSpec)
	if !ok {
		return wrongSpec(res)
	}
	declaredTable(spec).write(b)
	setTags(b, spec.Tags, spec.Tags)
	return nil
}

func (k tableKind) live(res manifest.Resource, l *tableLook) providers.Live {
	b := k.p.builder(nil)
	shown := l.shape()
	if spec, ok := res.Spec.(*manifest.TableSpec); ok {
		declared := declaredTable(spec)
		for path := range shown {
			_, named := declared[path]
			if !named && (!spec.Manage || path == pathKey) {
				delete(shown, path) // nobody's business here
			}
		}
		setTags(b, spec.Tags, l.tags)
	}
	shown.write(b)
	live := b.live()
	live.Guard, live.Owner, live.SeenAt = l.guard(), ownerOf(l.tags), l.at
	live.Settling = l.settling()
	if s := l.table.TableStatus; s == types.TableStatusInaccessibleEncryptionCredentials || s == types.TableStatusArchived {
		live.Failed = "the table is " + string(s)
	}
	arn := awssdk.ToString(l.table.TableArn)
	live.Attributes = map[string]string{"arn": arn, "name": awssdk.ToString(l.table.TableName), "id": awssdk.ToString(l.table.TableId)}
	if l.shape()[pathStreamEnabled] == true {
		live.Attributes["streamArn"] = awssdk.ToString(l.table.LatestStreamArn)
	}
	remember(&k.p.memory, k.p.memory.known, res.Ref, live.Attributes)
	return live
}

// settling: the table, an index of it or its expiry is on its way.
func (l *tableLook) settling() bool {
	switch l.table.TableStatus {
	case types.TableStatusCreating, types.TableStatusUpdating, types.TableStatusDeleting:
		return true
	}
	for _, i := range l.table.GlobalSecondaryIndexes {
		if i.IndexStatus != types.IndexStatusActive && i.IndexStatus != "" {
			return true
		}
	}
	return l.ttl != nil && (l.ttl.TimeToLiveStatus == types.TimeToLiveStatusEnabling || l.ttl.TimeToLiveStatus == types.TimeToLiveStatusDisabling)
}

// guard holds while everything that people set is the same; AWS gives a table
// no revision.
func (l *tableLook) guard() providers.Guard {
	return seen([]any{awssdk.ToString(l.table.TableId), l.shape(), l.tags})
}

func (k tableKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	l, err := k.p.lookTable(ctx, cl, res.Physical)
	if err != nil || l == nil {
		return providers.Live{}, err
	}
	return k.live(res, l), nil
}
