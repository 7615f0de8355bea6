package aws

import (
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// managed stands for a member that the canonical form or a call of ours holds.
const managed = ""

const (
	outOfScope = "a kind of function this release does not manage"
	streams    = "for streams, Kafka and databases; only queues are managed"
	readOnly   = "set by AWS"
	identity   = "says which one it is"
	state      = "read into Settling, Failed or Note"
)

// TestNoMemberIsOverlooked fails when the SDK learns a member that is neither
// managed nor listed here with the reason why not: that is how "every field"
// stays true.
func TestNoMemberIsOverlooked(t *testing.T) {
	overlooked(t, []covered{
		{types.FunctionConfiguration{}, map[string]string{
			"Architectures": managed, "CodeSha256": managed, "DeadLetterConfig": managed, "Description": managed, "Environment": managed,
			"EphemeralStorage": managed, "FileSystemConfigs": managed, "Handler": managed, "ImageConfigResponse": managed, "KMSKeyArn": managed,
			"Layers": managed, "LoggingConfig": managed, "MemorySize": managed, "PackageType": managed, "Role": managed, "Runtime": managed,
			"SnapStart": managed, "Timeout": managed, "TracingConfig": managed, "VpcConfig": managed,
			"FunctionArn": identity, "FunctionName": identity, "Version": identity, "RevisionId": "the guard",
			"State": state, "StateReason": state, "StateReasonCode": state, "LastUpdateStatus": state, "LastUpdateStatusReason": state, "LastUpdateStatusReasonCode": state,
			"CodeSize": readOnly, "ConfigSha256": readOnly, "LastModified": readOnly, "SigningJobArn": readOnly, "SigningProfileVersionArn": readOnly,
			"RuntimeVersionConfig": "AWS moves it under a function by itself", "MasterArn": "of Lambda@Edge replicas",
			"CapacityProviderConfig": outOfScope, "DurableConfig": outOfScope, "TenancyConfig": outOfScope,
		}},
		{lambda.CreateFunctionInput{}, map[string]string{
			"Architectures": managed, "Code": managed, "CodeSigningConfigArn": managed, "DeadLetterConfig": managed, "Description": managed,
			"Environment": managed, "EphemeralStorage": managed, "FileSystemConfigs": managed, "FunctionName": managed, "Handler": managed,
			"ImageConfig": managed, "KMSKeyArn": managed, "Layers": managed, "LoggingConfig": managed, "MemorySize": managed, "PackageType": managed,
			"Role": managed, "Runtime": managed, "SnapStart": managed, "Tags": managed, "Timeout": managed, "TracingConfig": managed, "VpcConfig": managed,
			"Publish": "a version is made only of what was looked at", "PublishTo": outOfScope,
			"CapacityProviderConfig": outOfScope, "DurableConfig": outOfScope, "TenancyConfig": outOfScope,
		}},
		{lambda.UpdateFunctionConfigurationInput{}, map[string]string{
			"DeadLetterConfig": managed, "Description": managed, "Environment": managed, "EphemeralStorage": managed, "FileSystemConfigs": managed,
			"FunctionName": managed, "Handler": managed, "ImageConfig": managed, "KMSKeyArn": managed, "Layers": managed, "LoggingConfig": managed,
			"MemorySize": managed, "RevisionId": managed, "Role": managed, "Runtime": managed, "SnapStart": managed, "Timeout": managed,
			"TracingConfig": managed, "VpcConfig": managed,
			"CapacityProviderConfig": outOfScope, "DurableConfig": outOfScope,
		}},
		{lambda.UpdateFunctionCodeInput{}, map[string]string{
			"Architectures": managed, "FunctionName": managed, "ImageUri": managed, "RevisionId": managed, "S3Bucket": managed, "S3Key": managed,
			"S3ObjectVersion": managed, "SourceKMSKeyArn": managed, "ZipFile": managed,
			"DryRun": "nothing is tried", "Publish": "a version is made only of what was looked at", "PublishTo": outOfScope,
			"S3ObjectStorageMode": "functions run from AWS's copy of their code",
		}},
		{types.FileSystemConfig{}, map[string]string{"Arn": managed, "LocalMountPath": managed, "S3FilesConfig": outOfScope}},
		{types.EventSourceMappingConfiguration{}, map[string]string{
			"BatchSize": managed, "EventSourceArn": managed, "FilterCriteria": managed, "FunctionArn": managed, "FunctionResponseTypes": managed,
			"KMSKeyArn": managed, "MaximumBatchingWindowInSeconds": managed, "MetricsConfig": managed, "ScalingConfig": managed, "State": managed,
			"FilterCriteriaError": state, "StateTransitionReason": state, "LastProcessingResult": readOnly, "LastModified": readOnly,
			"EventSourceMappingArn": identity, "UUID": identity,
			"AmazonManagedKafkaEventSourceConfig": streams, "BisectBatchOnFunctionError": streams, "DestinationConfig": streams, "DocumentDBEventSourceConfig": streams,
			"LoggingConfig": streams, "MaximumRecordAgeInSeconds": streams, "MaximumRetryAttempts": streams, "ParallelizationFactor": streams,
			"ProvisionedPollerConfig": streams, "Queues": streams, "SelfManagedEventSource": streams, "SelfManagedKafkaEventSourceConfig": streams,
			"SourceAccessConfigurations": streams, "StartingPosition": streams, "StartingPositionTimestamp": streams, "Topics": streams, "TumblingWindowInSeconds": streams,
		}},
		{lambda.AddPermissionInput{}, map[string]string{
			"Action": managed, "EventSourceToken": managed, "FunctionName": managed, "FunctionUrlAuthType": managed, "InvokedViaFunctionUrl": managed,
			"Principal": managed, "PrincipalOrgID": managed, "Qualifier": managed, "RevisionId": managed, "SourceAccount": managed, "SourceArn": managed, "StatementId": managed,
		}},
	})
}

// covered is a type of the SDK with what becomes of each of its members.
type covered struct {
	of      any
	members map[string]string
}

func overlooked(t *testing.T, table []covered) {
	t.Helper()
	for _, c := range table {
		typ := reflect.TypeOf(c.of)
		seen := map[string]bool{}
		for i := range typ.NumField() {
			field := typ.Field(i)
			if !field.IsExported() {
				continue
			}
			seen[field.Name] = true
			if _, known := c.members[field.Name]; !known {
				t.Errorf("%s has a new member %s: manage it, or list it with the reason why not", typ, field.Name)
			}
		}
		for name := range c.members {
			if !seen[name] {
				t.Errorf("%s has no member %s any more", typ, name)
			}
		}
	}
}
