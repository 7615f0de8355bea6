package dynamodb

import (
	"context"
	"maps"
	"slices"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

func (s *Service) createTable(_ context.Context, _ *wire.Call, in *tableInput) (tableAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(in.TableName) < 3 || len(in.TableName) > 255 {
		return tableAnswer{}, invalid("TableName must be at least 3 characters long and at most 255 characters long")
	}
	if t, err := s.find(in.TableName); err == nil {
		return tableAnswer{}, fail("ResourceInUseException", "Table already exists: %s", t.name)
	}
	now := s.options.Now()
	t := &table{
		name: in.TableName, id: wire.NewID(), created: now, passing: creating, settledAt: now.Add(s.options.Updating),
		attributes: map[string]string{}, key: in.KeySchema, billing: provisioned, global: map[string]*index{}, local: map[string]*index{},
		class: standard, tags: map[string]string{}, items: map[string]item{}, days: 35,
	}
	for _, a := range in.AttributeDefinitions {
		t.attributes[a.AttributeName] = a.AttributeType
	}
	for _, tag := range in.Tags {
		t.tags[tag.Key] = tag.Value
	}
	if err := s.furnish(t, in, now); err != nil {
		return tableAnswer{}, err
	}
	if err := t.check(); err != nil {
		return tableAnswer{}, err
	}
	if v := in.StreamSpecification; v != nil && v.StreamEnabled {
		if err := s.openStream(t, v.StreamViewType); err != nil {
			return tableAnswer{}, err
		}
	}
	s.tables[t.name] = t
	return tableAnswer{TableDescription: s.show(t)}, nil
}

// furnish applies what a new table is given beside its key.
func (s *Service) furnish(t *table, in *tableInput, now time.Time) error {
	if err := t.pay(in.BillingMode, in.ProvisionedThroughput, now); err != nil {
		return err
	}
	for _, i := range in.LocalSecondaryIndexes {
		t.local[i.IndexName] = &index{name: i.IndexName, key: i.KeySchema, projection: i.Projection}
	}
	for _, i := range in.GlobalSecondaryIndexes {
		made, err := t.makeIndex(i)
		if err != nil {
			return err
		}
		t.global[i.IndexName] = made
	}
	if in.DeletionProtectionEnabled != nil {
		t.protected = *in.DeletionProtectionEnabled
	}
	if in.TableClass != "" {
		t.class, t.classAt = in.TableClass, now
	}
	t.encrypt(in.SSESpecification)
	return nil
}

func (t *table) encrypt(in *sseInput) {
	switch {
	case in == nil:
	case in.Enabled != nil && *in.Enabled:
		t.sse = in
	default:
		t.sse = nil
	}
}

// pay sets how the table is paid for.
func (t *table) pay(mode string, given *throughput, now time.Time) error {
	if mode == "" {
		mode = t.billing
	}
	switch {
	case mode != provisioned && mode != payPerRequest:
		return invalid("1 validation error detected: Value '%s' at 'billingMode' failed to satisfy constraint: Member must satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]", mode)
	case mode == payPerRequest && given != nil:
		return invalid("One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	case mode == payPerRequest:
		if t.billing != payPerRequest {
			t.switched = now
		}
		t.billing, t.throughput = mode, throughput{}
		return nil
	case given == nil && t.throughput == (throughput{}):
		return invalid("One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	}
	t.billing = mode
	if given != nil {
		t.throughput = *given
	}
	return nil
}

func (t *table) makeIndex(in indexInput) (*index, error) {
	i := &index{name: in.IndexName, key: in.KeySchema, projection: in.Projection}
	switch {
	case t.billing == payPerRequest && in.ProvisionedThroughput != nil:
		return nil, invalid("One or more parameter values were invalid: ProvisionedThroughput should not be specified for index: %s when BillingMode is PAY_PER_REQUEST", in.IndexName)
	case t.billing == provisioned && in.ProvisionedThroughput == nil:
		return nil, invalid("One or more parameter values were invalid: ProvisionedThroughput must be specified for index: %s", in.IndexName)
	case in.ProvisionedThroughput != nil:
		i.throughput = *in.ProvisionedThroughput
	}
	return i, nil
}

// check holds keys against definitions.
func (t *table) check() error {
	if t.key.attribute("HASH") == "" {
		return invalid("No Hash Key specified in schema. All Dynamo DB tables must have exactly one hash key")
	}
	used := map[string]bool{}
	keys := []keySchema{t.key}
	for _, i := range t.local {
		if i.key.attribute("HASH") != t.key.attribute("HASH") {
			return invalid("One or more parameter values were invalid: Index KeySchema does not have the same leading hash key as table KeySchema for index: %s", i.name)
		}
		keys = append(keys, i.key)
	}
	for _, i := range t.global {
		keys = append(keys, i.key)
	}
	for _, key := range keys {
		for _, e := range key {
			used[e.AttributeName] = true
			if t.attributes[e.AttributeName] == "" {
				return invalid("One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [%s]", e.AttributeName)
			}
		}
	}
	if len(used) != len(t.attributes) {
		return invalid("One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	return nil
}

func (s *Service) describeTable(_ context.Context, _ *wire.Call, in *tableInput) (tableAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.TableName)
	if err != nil {
		return tableAnswer{}, err
	}
	return tableAnswer{Table: s.show(t)}, nil
}

func (s *Service) deleteTable(_ context.Context, _ *wire.Call, in *tableInput) (tableAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.resting(in.TableName)
	if err != nil {
		return tableAnswer{}, err
	}
	if t.protected {
		return tableAnswer{}, invalid("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	}
	t.passing, t.settledAt = deleting, s.options.Now().Add(s.options.Updating)
	if t.stream != nil {
		t.stream.log.End()
		t.stream = nil
	}
	out := s.show(t)
	out.TableStatus = deleting
	return tableAnswer{TableDescription: out}, nil
}

type listInput struct {
	ExclusiveStartTableName string
	Limit                   *int
}

type listOutput struct {
	TableNames             []string
	LastEvaluatedTableName string
}

func (s *Service) listTables(_ context.Context, _ *wire.Call, in *listInput) (listOutput, error) {
	limit := 100
	if in.Limit != nil {
		limit = *in.Limit
	}
	if limit < 1 || limit > 100 {
		return listOutput{}, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 100", limit)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := listOutput{TableNames: []string{}}
	for _, name := range slices.Sorted(maps.Keys(s.tables)) {
		if name <= in.ExclusiveStartTableName || s.tables[name].gone(s.options.Now()) {
			continue
		}
		if len(out.TableNames) == limit {
			out.LastEvaluatedTableName = out.TableNames[limit-1]
			break
		}
		out.TableNames = append(out.TableNames, name)
	}
	return out, nil
}

// show renders a table. What AWS leaves out for plain tables is left out.
func (s *Service) show(t *table) *tableDescription {
	now := s.options.Now()
	t.sweep(now)
	out := &tableDescription{
		TableName: t.name, TableArn: s.arn(t.name), TableId: t.id, TableStatus: t.status(now), CreationDateTime: t.created,
		KeySchema: t.key, ProvisionedThroughput: *describeThroughput(t.throughput), DeletionProtectionEnabled: t.protected, ItemCount: len(t.items),
	}
	for _, name := range slices.Sorted(maps.Keys(t.attributes)) {
		out.AttributeDefinitions = append(out.AttributeDefinitions, attributeDefinition{name, t.attributes[name]})
	}
	if !t.switched.IsZero() {
		out.BillingModeSummary = &billingSummary{t.billing, t.switched}
	}
	for _, name := range slices.Sorted(maps.Keys(t.global)) {
		i := t.global[name]
		d := s.showIndex(t, i)
		d.IndexStatus, d.ProvisionedThroughput = i.status(now), describeThroughput(i.throughput)
		out.GlobalSecondaryIndexes = append(out.GlobalSecondaryIndexes, d)
	}
	for _, name := range slices.Sorted(maps.Keys(t.local)) {
		out.LocalSecondaryIndexes = append(out.LocalSecondaryIndexes, s.showIndex(t, t.local[name]))
	}
	if t.stream != nil {
		out.StreamSpecification = &streamSpecification{true, t.stream.view}
	}
	if t.lastStream != nil {
		out.LatestStreamArn, out.LatestStreamLabel = t.lastStream.arn, t.lastStream.label
	}
	if t.sse != nil {
		out.SSEDescription = &sseDescription{"ENABLED", "KMS", s.keyARN(t.sse.KMSMasterKeyId)}
	}
	if !t.classAt.IsZero() {
		out.TableClassSummary = &classSummary{t.class, t.classAt}
	}
	return out
}

func describeThroughput(t throughput) *throughputDescription {
	return &throughputDescription{ReadCapacityUnits: t.ReadCapacityUnits, WriteCapacityUnits: t.WriteCapacityUnits}
}

func (s *Service) showIndex(t *table, i *index) indexDescription {
	return indexDescription{IndexName: i.name, IndexArn: s.arn(t.name) + "/index/" + i.name, KeySchema: i.key, Projection: i.projection}
}

// keyARN is how a KMS key shows that was named in one of several ways.
func (s *Service) keyARN(id string) string {
	switch {
	case id == "":
		id = "alias/aws/dynamodb"
	case len(id) > 4 && id[:4] == "arn:":
		return id
	}
	if len(id) < 6 || id[:6] != "alias/" {
		id = "key/" + id
	}
	return "arn:aws:kms:" + s.options.Region + ":" + s.options.Account + ":" + id
}
