package aws

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Reasons that members of tables have.
const (
	replicated = "of global tables, whose replicas belong to several regions"
	capacity   = "a ceiling or a head start of capacity, an account's business"
)

func tableCoverage() []covered {
	return []covered{
		{types.TableDescription{}, map[string]string{
			"AttributeDefinitions": managed, "BillingModeSummary": managed, "DeletionProtectionEnabled": managed, "GlobalSecondaryIndexes": managed,
			"KeySchema": managed, "LatestStreamArn": managed, "LocalSecondaryIndexes": managed, "ProvisionedThroughput": managed,
			"SSEDescription": managed, "StreamSpecification": managed, "TableClassSummary": managed, "TableStatus": state,
			"TableArn": identity, "TableId": identity, "TableName": identity, "LatestStreamLabel": identity,
			"ArchivalSummary": readOnly, "CreationDateTime": readOnly, "ItemCount": readOnly, "RestoreSummary": readOnly, "TableSizeBytes": readOnly,
			"DisassociationProtectionEnabled": replicated, "GlobalTableSettingsReplicationMode": replicated, "GlobalTableVersion": replicated,
			"GlobalTableWitnesses": replicated, "MultiRegionConsistency": replicated, "Replicas": replicated,
			"OnDemandThroughput": capacity, "WarmThroughput": capacity, "VectorIndexes": outOfScope,
		}},
		{dynamodb.CreateTableInput{}, map[string]string{
			"AttributeDefinitions": managed, "BillingMode": managed, "DeletionProtectionEnabled": managed, "GlobalSecondaryIndexes": managed,
			"KeySchema": managed, "LocalSecondaryIndexes": managed, "ProvisionedThroughput": managed, "SSESpecification": managed,
			"StreamSpecification": managed, "TableClass": managed, "TableName": managed, "Tags": managed,
			"GlobalTableSettingsReplicationMode": replicated, "GlobalTableSourceArn": replicated,
			"OnDemandThroughput": capacity, "WarmThroughput": capacity, "VectorIndexes": outOfScope,
			"ResourcePolicy": "who else may use the table is its owner's business",
		}},
		{types.PointInTimeRecoverySpecification{}, map[string]string{"PointInTimeRecoveryEnabled": managed, "RecoveryPeriodInDays": managed}},
		{types.TimeToLiveSpecification{}, map[string]string{"AttributeName": managed, "Enabled": managed}},
	}
}

func bucketCoverage() []covered {
	const others = "others' entries: they are kept as they are"
	return []covered{
		{s3types.NotificationConfiguration{}, map[string]string{
			"EventBridgeConfiguration": managed, "LambdaFunctionConfigurations": managed, "QueueConfigurations": others, "TopicConfigurations": others,
		}},
		{s3types.LambdaFunctionConfiguration{}, map[string]string{"Events": managed, "Filter": managed, "Id": managed, "LambdaFunctionArn": managed}},
		{s3types.PublicAccessBlockConfiguration{}, map[string]string{
			"BlockPublicAcls": managed, "BlockPublicPolicy": managed, "IgnorePublicAcls": managed, "RestrictPublicBuckets": managed,
		}},
		{s3types.VersioningConfiguration{}, map[string]string{"Status": managed, "MFADelete": "only the root of an account may switch it, with a device"}},
		{s3.CreateBucketInput{}, map[string]string{
			"Bucket": managed, "CreateBucketConfiguration": managed, "ACL": acls, "GrantFullControl": acls, "GrantRead": acls, "GrantReadACP": acls,
			"GrantWrite": acls, "GrantWriteACP": acls, "ObjectOwnership": acls,
			"BucketNamespace": "names are the account's in one namespace or the world's: the default stands", "ObjectLockEnabledForBucket": "it can never be taken back",
		}},
	}
}

const acls = "of access control lists, which new buckets have switched off"
