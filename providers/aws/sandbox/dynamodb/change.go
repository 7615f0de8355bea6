package dynamodb

import (
	"context"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// updateTable applies one change of a table at rest. Everything is tried on a
// copy first, so that what is refused changes nothing.
func (s *Service) updateTable(_ context.Context, _ *wire.Call, in *tableInput) (tableAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.resting(in.TableName)
	if err != nil {
		return tableAnswer{}, err
	}
	now := s.options.Now()
	t.sweep(now)
	next := *t
	next.attributes, next.global = clone(t.attributes), clone(t.global)
	for _, a := range in.AttributeDefinitions {
		next.attributes[a.AttributeName] = a.AttributeType
	}
	if err := next.change(in, t, now, now.Add(s.options.Updating)); err != nil {
		return tableAnswer{}, err
	}
	if err := s.changeStream(&next, in.StreamSpecification); err != nil {
		return tableAnswer{}, err
	}
	next.passing, next.settledAt = updating, now.Add(s.options.Updating)
	*t = next
	return tableAnswer{TableDescription: s.show(t)}, nil
}

func clone[V any](in map[string]V) map[string]V {
	out := make(map[string]V, len(in))
	for k, v := range in {
		out[k] = v
	}
	return out
}

func (t *table) change(in *tableInput, before *table, now, until time.Time) error {
	for _, u := range in.GlobalSecondaryIndexUpdates { // the new mode's indexes come with their throughput
		if u.Update != nil && u.Update.ProvisionedThroughput != nil {
			i := t.global[u.Update.IndexName]
			if i == nil {
				return fail("ResourceNotFoundException", "Requested resource not found: Index: %s not found", u.Update.IndexName)
			}
			changed := *i
			changed.throughput = *u.Update.ProvisionedThroughput
			t.global[i.name] = &changed
		}
	}
	if in.BillingMode != "" || in.ProvisionedThroughput != nil {
		if err := t.pay(in.BillingMode, in.ProvisionedThroughput, now); err != nil {
			return err
		}
		if in.ProvisionedThroughput != nil && before.billing == t.billing && before.throughput == t.throughput && len(in.GlobalSecondaryIndexUpdates) == 0 {
			return invalid("The provisioned throughput for the table will not change. The requested value equals the current value.")
		}
		if t.billing == payPerRequest {
			for name, i := range t.global {
				free := *i
				free.throughput = throughput{}
				t.global[name] = &free
			}
		}
	}
	if err := t.changeIndexes(in.GlobalSecondaryIndexUpdates, now, until); err != nil {
		return err
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

// changeIndexes makes or deletes one index: AWS does no two at a time.
func (t *table) changeIndexes(updates []indexUpdate, now, until time.Time) error {
	busy := 0
	for _, i := range t.global {
		if i.status(now) != active {
			busy++
		}
	}
	for _, u := range updates {
		if u.Update != nil {
			continue
		}
		if busy++; busy > 1 {
			return fail("LimitExceededException", "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table")
		}
		switch {
		case u.Create != nil:
			if t.global[u.Create.IndexName] != nil {
				return invalid("Attempting to create an index which already exists")
			}
			i, err := t.makeIndex(*u.Create)
			if err != nil {
				return err
			}
			for _, e := range i.key {
				if t.attributes[e.AttributeName] == "" {
					return invalid("Global Secondary Index update failed: the attribute %s is not defined in AttributeDefinitions", e.AttributeName)
				}
			}
			i.passing, i.settledAt = creating, until
			t.global[i.name] = i
		case u.Delete != nil:
			i := t.global[u.Delete.IndexName]
			if i == nil {
				return fail("ResourceNotFoundException", "Requested resource not found: Index: %s not found", u.Delete.IndexName)
			}
			leaving := *i
			leaving.passing, leaving.settledAt = deleting, until
			t.global[i.name] = &leaving
			if !now.Before(until) {
				delete(t.global, i.name)
			}
		}
	}
	return nil
}

func (s *Service) changeStream(t *table, in *streamSpecification) error {
	switch {
	case in == nil:
		return nil
	case in.StreamEnabled && t.stream != nil:
		return invalid("Table already has an enabled stream: TableName: %s", t.name)
	case in.StreamEnabled:
		return s.openStream(t, in.StreamViewType)
	case t.stream == nil:
		return invalid("Table is already has a disabled stream: TableName: %s", t.name)
	}
	t.stream.log.End()
	t.stream = nil
	return nil
}

type ttlSpecification struct {
	AttributeName string
	Enabled       *bool
}

type ttlInput struct {
	TableName               string
	TimeToLiveSpecification *ttlSpecification
}

type ttlDescription struct{ TimeToLiveStatus, AttributeName string }

type ttlOutput struct {
	TimeToLiveDescription   *ttlDescription
	TimeToLiveSpecification *ttlSpecification
}

func (s *Service) describeTTL(_ context.Context, _ *wire.Call, in *ttlInput) (ttlOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.TableName)
	if err != nil {
		return ttlOutput{}, err
	}
	passing := s.options.Now().Before(t.ttl.changed.Add(s.options.Updating))
	out := &ttlDescription{TimeToLiveStatus: "DISABLED"}
	switch {
	case t.ttl.enabled && passing:
		out.TimeToLiveStatus = "ENABLING"
	case t.ttl.enabled:
		out.TimeToLiveStatus = "ENABLED"
	case passing && !t.ttl.changed.IsZero():
		out.TimeToLiveStatus = "DISABLING"
	}
	if t.ttl.enabled || out.TimeToLiveStatus == "DISABLING" {
		out.AttributeName = t.ttl.attribute
	}
	return ttlOutput{TimeToLiveDescription: out}, nil
}

func (s *Service) updateTTL(_ context.Context, _ *wire.Call, in *ttlInput) (ttlOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.resting(in.TableName)
	if err != nil {
		return ttlOutput{}, err
	}
	want := in.TimeToLiveSpecification
	if want == nil || want.Enabled == nil || want.AttributeName == "" {
		return ttlOutput{}, invalid("1 validation error detected: Value null at 'timeToLiveSpecification' failed to satisfy constraint: Member must not be null")
	}
	now := s.options.Now()
	switch {
	case *want.Enabled && t.ttl.enabled && t.ttl.attribute == want.AttributeName:
		return ttlOutput{}, invalid("TimeToLive is already enabled")
	case *want.Enabled && t.ttl.enabled:
		return ttlOutput{}, invalid("TimeToLive is active on a different AttributeName: current AttributeName is %s", t.ttl.attribute)
	case !*want.Enabled && !t.ttl.enabled:
		return ttlOutput{}, invalid("TimeToLive is already disabled")
	case s.options.Updating > 0 && !t.ttl.changed.IsZero() && now.Before(t.ttl.changed.Add(time.Hour)):
		return ttlOutput{}, invalid("Time to live has been modified multiple times within a fixed interval")
	}
	t.ttl = ttl{attribute: want.AttributeName, enabled: *want.Enabled, changed: now}
	return ttlOutput{TimeToLiveSpecification: want}, nil
}

type backupsSpecification struct {
	PointInTimeRecoveryEnabled *bool
	RecoveryPeriodInDays       *int
}

type backupsInput struct {
	TableName                        string
	PointInTimeRecoverySpecification *backupsSpecification
}

type recovery struct {
	PointInTimeRecoveryStatus                            string
	RecoveryPeriodInDays                                 *int
	EarliestRestorableDateTime, LatestRestorableDateTime time.Time
}

type backupsDescription struct {
	ContinuousBackupsStatus        string
	PointInTimeRecoveryDescription recovery
}

type backupsOutput struct{ ContinuousBackupsDescription backupsDescription }

func (s *Service) showBackups(t *table) backupsOutput {
	out := backupsDescription{ContinuousBackupsStatus: "ENABLED", PointInTimeRecoveryDescription: recovery{PointInTimeRecoveryStatus: "DISABLED"}}
	if t.backups {
		days := t.days
		out.PointInTimeRecoveryDescription = recovery{"ENABLED", &days, t.backupsAt, s.options.Now()}
	}
	return backupsOutput{out}
}

func (s *Service) describeBackups(_ context.Context, _ *wire.Call, in *backupsInput) (backupsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.TableName)
	if err != nil {
		return backupsOutput{}, fail("TableNotFoundException", "Table not found: %s", in.TableName)
	}
	return s.showBackups(t), nil
}

func (s *Service) updateBackups(_ context.Context, _ *wire.Call, in *backupsInput) (backupsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.TableName)
	if err != nil {
		return backupsOutput{}, fail("TableNotFoundException", "Table not found: %s", in.TableName)
	}
	want := in.PointInTimeRecoverySpecification
	if want == nil || want.PointInTimeRecoveryEnabled == nil {
		return backupsOutput{}, invalid("1 validation error detected: Value null at 'pointInTimeRecoverySpecification' failed to satisfy constraint: Member must not be null")
	}
	if t.status(s.options.Now()) == creating {
		return backupsOutput{}, fail("ContinuousBackupsUnavailableException", "Backups are being enabled for the table: %s. Please retry later", t.name)
	}
	if *want.PointInTimeRecoveryEnabled && !t.backups {
		t.backupsAt = s.options.Now()
	}
	t.backups = *want.PointInTimeRecoveryEnabled
	if want.RecoveryPeriodInDays != nil {
		t.days = *want.RecoveryPeriodInDays
	}
	return s.showBackups(t), nil
}

type tagsInput struct {
	ResourceArn string
	Tags        []tagInput
	TagKeys     []string
}

type tagsOutput struct{ Tags []tagInput }

func (s *Service) tag(_ context.Context, _ *wire.Call, in *tagsInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.ResourceArn)
	if err != nil {
		return wire.None{}, err
	}
	for _, tag := range in.Tags {
		t.tags[tag.Key] = tag.Value
	}
	return wire.None{}, nil
}

func (s *Service) untag(_ context.Context, _ *wire.Call, in *tagsInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.ResourceArn)
	if err != nil {
		return wire.None{}, err
	}
	for _, key := range in.TagKeys {
		delete(t.tags, key)
	}
	return wire.None{}, nil
}

func (s *Service) listTags(_ context.Context, _ *wire.Call, in *tagsInput) (tagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.ResourceArn)
	if err != nil {
		return tagsOutput{}, err
	}
	out := tagsOutput{Tags: []tagInput{}}
	for _, key := range sortedKeys(t.tags) {
		out.Tags = append(out.Tags, tagInput{key, t.tags[key]})
	}
	return out, nil
}
