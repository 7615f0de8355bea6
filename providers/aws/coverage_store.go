package aws

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
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
