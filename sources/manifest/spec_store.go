package manifest

// What a Table or a Bucket holds cannot be made again. It is therefore never
// deleted unless its own manifest says so beforehand, and one that belongs to
// somebody else may be declared only to be checked.
const (
	Retain = "Retain"
	Delete = "Delete"
)

// TableSpec is a DynamoDB table. Members and units are CreateTable's, indexes
// by name. With Manage false nil members were not named, and are not looked
// at; else defaults are applied and nil is "off".
type TableSpec struct {
	Manage                    bool                   `json:"manage" is:"default=true" doc:"Whether Mooring makes and changes the table. false: it must be there, and only what is named here is checked."`
	DeletionPolicy            string                 `json:"deletionPolicy" is:"default=Retain,enum=Retain|Delete" doc:"What becomes of the table when its manifest is removed: it stays, or it is deleted once that is approved."`
	AttributeDefinitions      map[string]string      `json:"attributeDefinitions,omitempty" is:"maxitems=100,enum=S|N|B" doc:"The types of the attributes that keys name."`
	KeySchema                 *KeySchema             `json:"keySchema,omitempty" doc:"The key of an item. It cannot be changed later."`
	BillingMode               string                 `json:"billingMode,omitempty" is:"enum=PROVISIONED|PAY_PER_REQUEST" doc:"How reads and writes are paid for. Default PROVISIONED, as AWS has it."`
	ProvisionedThroughput     *Throughput            `json:"provisionedThroughput,omitempty" doc:"Of billing mode PROVISIONED."`
	GlobalSecondaryIndexes    map[string]GlobalIndex `json:"globalSecondaryIndexes,omitempty" is:"maxitems=20,keys=tableName" doc:"Indexes with keys of their own, by name."`
	LocalSecondaryIndexes     map[string]LocalIndex  `json:"localSecondaryIndexes,omitempty" is:"maxitems=5,keys=tableName" doc:"Indexes below the hash key, by name. They cannot be changed later."`
	StreamSpecification       *StreamSpecification   `json:"streamSpecification,omitempty" doc:"What the table's stream tells. Default: it has none."`
	TimeToLive                *TimeToLive            `json:"timeToLive,omitempty" doc:"Which items expire. Default: none."`
	PointInTimeRecovery       *PointInTimeRecovery   `json:"pointInTimeRecovery,omitempty" doc:"Continuous backups. Default: none."`
	DeletionProtectionEnabled *bool                  `json:"deletionProtectionEnabled,omitempty" doc:"Whether AWS refuses to delete the table. Default false."`
	SSESpecification          *SSESpecification      `json:"sseSpecification,omitempty" doc:"Encryption with a key of KMS. Default: a key of DynamoDB."`
	TableClass                string                 `json:"tableClass,omitempty" is:"enum=STANDARD|STANDARD_INFREQUENT_ACCESS" doc:"How storage is paid for. Default STANDARD."`
	Tags                      map[string]string      `json:"tags,omitempty" is:"maxitems=46" doc:"Tags of the table."`
}

// KeySchema is the key of a table or an index, by attribute.
type KeySchema struct {
	Hash  string `json:"hash" is:"required,maxlen=255" doc:"The attribute items are distributed by."`
	Range string `json:"range,omitempty" is:"maxlen=255" doc:"The attribute items are sorted by."`
}

// Throughput is in units a second.
type Throughput struct {
	ReadCapacityUnits  int `json:"readCapacityUnits" is:"required,min=1" doc:"Reads a second."`
	WriteCapacityUnits int `json:"writeCapacityUnits" is:"required,min=1" doc:"Writes a second."`
}

type GlobalIndex struct {
	KeySchema             KeySchema   `json:"keySchema" is:"required" doc:"The key of the index."`
	Projection            Projection  `json:"projection" doc:"What the index holds."`
	ProvisionedThroughput *Throughput `json:"provisionedThroughput,omitempty" doc:"Of billing mode PROVISIONED."`
}

type LocalIndex struct {
	KeySchema  KeySchema  `json:"keySchema" is:"required" doc:"The key of the index."`
	Projection Projection `json:"projection" doc:"What the index holds."`
}

type Projection struct {
	ProjectionType   string   `json:"projectionType" is:"default=ALL,enum=ALL|KEYS_ONLY|INCLUDE" doc:"All attributes, the keys, or some."`
	NonKeyAttributes []string `json:"nonKeyAttributes,omitempty" is:"maxitems=100" doc:"What INCLUDE includes."`
}

type StreamSpecification struct {
	StreamViewType string `json:"streamViewType" is:"required,enum=NEW_AND_OLD_IMAGES|NEW_IMAGE|OLD_IMAGE|KEYS_ONLY" doc:"What is told of an item that changed."`
}

type TimeToLive struct {
	AttributeName string `json:"attributeName" is:"required,maxlen=255" doc:"The attribute that holds when an item expires."`
}

type PointInTimeRecovery struct {
	RecoveryPeriodInDays int `json:"recoveryPeriodInDays" is:"default=35,min=1,max=35" doc:"How many days back a table can be restored to."`
}

type SSESpecification struct {
	KmsMasterKeyID string `json:"kmsMasterKeyId,omitempty" is:"maxlen=2048" doc:"The key. Default: the account's own key of DynamoDB, alias/aws/dynamodb."`
}

// BucketSpec is an S3 bucket. With Manage false nil members were not named,
// and are not looked at.
type BucketSpec struct {
	Manage                         bool               `json:"manage" is:"default=true" doc:"Whether Mooring makes and changes the bucket. false: it must be there, and only what is named here is checked."`
	DeletionPolicy                 string             `json:"deletionPolicy" is:"default=Retain,enum=Retain|Delete" doc:"What becomes of the bucket when its manifest is removed: it stays, or it is deleted once that is approved and it is empty."`
	Versioning                     string             `json:"versioning,omitempty" is:"enum=Enabled|Suspended" doc:"Whether versions of objects are kept. Default: that is nobody's business here."`
	PublicAccessBlock              *PublicAccessBlock `json:"publicAccessBlock,omitempty" doc:"What of public access is refused. Default: all of it, as S3 has it for new buckets."`
	EventBridgeNotificationEnabled *bool              `json:"eventBridgeNotificationEnabled,omitempty" doc:"Whether everything that happens is also told to EventBridge. Default false."`
	Tags                           map[string]string  `json:"tags,omitempty" is:"maxitems=46" doc:"Tags of the bucket."`
}

type PublicAccessBlock struct {
	BlockPublicAcls       bool `json:"blockPublicAcls" is:"default=true" doc:"Refuse public ACLs."`
	IgnorePublicAcls      bool `json:"ignorePublicAcls" is:"default=true" doc:"Pass over public ACLs there are."`
	BlockPublicPolicy     bool `json:"blockPublicPolicy" is:"default=true" doc:"Refuse public bucket policies."`
	RestrictPublicBuckets bool `json:"restrictPublicBuckets" is:"default=true" doc:"Pass over a public policy there is."`
}

// NotificationSpec is one entry of a bucket's notifications: it calls the
// function's alias. The entry's Id is the function's physical name and the
// trigger's key, unless ID says another; the others' entries in the same
// document are nobody's business here.
type NotificationSpec struct {
	ID       string   `json:"id,omitempty"`
	Bucket   Value    `json:"bucket"`   // its name
	Function Value    `json:"function"` // the alias, or the function with alias: none
	Events   []string `json:"events"`   // sorted
	Prefix   string   `json:"prefix,omitempty"`
	Suffix   string   `json:"suffix,omitempty"`
}

// Bound is true for what exists beside Mooring by its own word: it is checked,
// never made, changed or deleted.
func (r *Resource) Bound() bool {
	switch spec := r.Spec.(type) {
	case *TableSpec:
		return !spec.Manage
	case *BucketSpec:
		return !spec.Manage
	}
	return false
}
