package dynamodb

import (
	"time"
)

// States of tables and indexes.
const (
	creating = "CREATING"
	updating = "UPDATING"
	deleting = "DELETING"
	active   = "ACTIVE"
)

const (
	provisioned   = "PROVISIONED"
	payPerRequest = "PAY_PER_REQUEST"
	standard      = "STANDARD"
)

// table is one table; the service's lock guards it.
type table struct {
	name, id   string
	created    time.Time
	passing    string // CREATING, UPDATING, DELETING
	settledAt  time.Time
	attributes map[string]string // types by name
	key        keySchema
	billing    string
	switched   time.Time // to PAY_PER_REQUEST, zero when it never was
	throughput throughput
	global     map[string]*index
	local      map[string]*index
	stream     *tableStream // nil: none
	lastStream *tableStream // shown after it is switched off, too
	protected  bool
	sse        *sseInput
	class      string
	classAt    time.Time
	tags       map[string]string
	ttl        ttl
	backups    bool
	days       int
	backupsAt  time.Time
	items      map[string]item
}

type index struct {
	name       string
	key        keySchema
	projection projection
	throughput throughput
	passing    string // CREATING, DELETING
	settledAt  time.Time
}

type ttl struct {
	attribute string
	enabled   bool
	changed   time.Time
}

func (t *table) status(now time.Time) string {
	if now.Before(t.settledAt) {
		return t.passing
	}
	return active
}

func (t *table) gone(now time.Time) bool {
	return t.passing == deleting && !now.Before(t.settledAt)
}

// sweep forgets indexes whose deletion is over.
func (t *table) sweep(now time.Time) {
	for name, i := range t.global {
		if i.passing == deleting && !now.Before(i.settledAt) {
			delete(t.global, name)
		}
	}
}

func (i *index) status(now time.Time) string {
	if now.Before(i.settledAt) {
		return i.passing
	}
	return active
}

// The members of requests and answers.

type keyElement struct{ AttributeName, KeyType string }

type keySchema []keyElement

// attribute is the attribute of a key's part, HASH or RANGE; "" when it has none.
func (k keySchema) attribute(part string) string {
	for _, e := range k {
		if e.KeyType == part {
			return e.AttributeName
		}
	}
	return ""
}

type attributeDefinition struct{ AttributeName, AttributeType string }

type throughput struct{ ReadCapacityUnits, WriteCapacityUnits int }

type projection struct {
	ProjectionType   string
	NonKeyAttributes []string
}

type indexInput struct {
	IndexName             string
	KeySchema             keySchema
	Projection            projection
	ProvisionedThroughput *throughput
}

type indexUpdate struct {
	Create, Update, Delete *indexInput
}

type streamSpecification struct {
	StreamEnabled  bool
	StreamViewType string
}

type sseInput struct {
	Enabled                 *bool
	SSEType, KMSMasterKeyId string
}

type tagInput struct{ Key, Value string }

type tableInput struct {
	TableName                 string
	AttributeDefinitions      []attributeDefinition
	KeySchema                 keySchema
	BillingMode               string
	ProvisionedThroughput     *throughput
	GlobalSecondaryIndexes    []indexInput
	LocalSecondaryIndexes     []indexInput
	StreamSpecification       *streamSpecification
	SSESpecification          *sseInput
	TableClass                string
	DeletionProtectionEnabled *bool
	Tags                      []tagInput

	GlobalSecondaryIndexUpdates []indexUpdate
}

type throughputDescription struct {
	ReadCapacityUnits, WriteCapacityUnits, NumberOfDecreasesToday int
}

type indexDescription struct {
	IndexName, IndexArn, IndexStatus string
	KeySchema                        keySchema
	Projection                       projection
	ProvisionedThroughput            *throughputDescription
	IndexSizeBytes, ItemCount        int
}

type billingSummary struct {
	BillingMode                       string
	LastUpdateToPayPerRequestDateTime time.Time
}

type sseDescription struct{ Status, SSEType, KMSMasterKeyArn string }

type classSummary struct {
	TableClass         string
	LastUpdateDateTime time.Time
}

type tableDescription struct {
	TableName, TableArn, TableId, TableStatus string
	CreationDateTime                          time.Time
	AttributeDefinitions                      []attributeDefinition
	KeySchema                                 keySchema
	ProvisionedThroughput                     throughputDescription
	BillingModeSummary                        *billingSummary
	GlobalSecondaryIndexes                    []indexDescription
	LocalSecondaryIndexes                     []indexDescription
	StreamSpecification                       *streamSpecification
	LatestStreamArn, LatestStreamLabel        string
	SSEDescription                            *sseDescription
	TableClassSummary                         *classSummary
	DeletionProtectionEnabled                 bool
	ItemCount, TableSizeBytes                 int
}

type tableAnswer struct {
	Table            *tableDescription
	TableDescription *tableDescription
}
