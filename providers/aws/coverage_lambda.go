package aws

import (
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// lambdaCoverage is a function, its mappings and its permissions.
func lambdaCoverage() []covered {
	return []covered{
		{types.FunctionConfiguration{}, map[string]string{
			"Architectures": managed, "CodeSha256": managed, "DeadLetterConfig": managed, "Description": managed, "Environment": managed,
			"EphemeralStorage": managed, "FileSystemConfigs": managed, "Handler": managed, "ImageConfigResponse": managed, "KMSKeyArn": managed,
			"Layers": managed, "LoggingConfig": managed, "MemorySize": managed, "PackageType": managed, "Role": managed, "Runtime": managed,
			"SnapStart": managed, "Timeout": managed, "TracingConfig": managed, "VpcConfig": managed,
			"FunctionArn": identity, "FunctionName": identity, "Version": identity, "RevisionId": guards,
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
			"Publish": onlyLooked, "PublishTo": outOfScope,
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
			"DryRun": "nothing is tried", "Publish": onlyLooked, "PublishTo": outOfScope,
			"S3ObjectStorageMode": "functions run from AWS's copy of their code",
		}},
		{types.FileSystemConfig{}, map[string]string{"Arn": managed, "LocalMountPath": managed, "S3FilesConfig": "mounts of S3 Files, which this release does not manage"}},
		{types.EventSourceMappingConfiguration{}, map[string]string{
			"BatchSize": managed, "EventSourceArn": managed, "FilterCriteria": managed, "FunctionArn": managed, "FunctionResponseTypes": managed,
			"KMSKeyArn": managed, "MaximumBatchingWindowInSeconds": managed, "MetricsConfig": managed, "ScalingConfig": managed, "State": managed,
			"FilterCriteriaError": state, "StateTransitionReason": state, "LastProcessingResult": readOnly, "LastModified": readOnly,
			"EventSourceMappingArn": identity, "UUID": identity,
			"BisectBatchOnFunctionError": managed, "DestinationConfig": managed, "MaximumRecordAgeInSeconds": managed, "MaximumRetryAttempts": managed,
			"ParallelizationFactor": managed, "StartingPosition": managed, "StartingPositionTimestamp": managed, "TumblingWindowInSeconds": managed,
			"AmazonManagedKafkaEventSourceConfig": kafka, "DocumentDBEventSourceConfig": kafka, "LoggingConfig": kafka, "Queues": kafka,
			"ProvisionedPollerConfig": "paid capacity of pollers, an account's business", "SelfManagedEventSource": kafka,
			"SelfManagedKafkaEventSourceConfig": kafka, "SourceAccessConfigurations": kafka, "Topics": kafka,
		}},
		{lambda.AddPermissionInput{}, map[string]string{
			"Action": managed, "EventSourceToken": managed, "FunctionName": managed, "FunctionUrlAuthType": managed, "InvokedViaFunctionUrl": managed,
			"Principal": managed, "PrincipalOrgID": managed, "Qualifier": managed, "RevisionId": managed, "SourceAccount": managed, "SourceArn": managed, "StatementId": managed,
		}},
	}
}

// besideCoverage is what stands beside a function's versions.
func besideCoverage() []covered {
	return []covered{
		{types.AliasConfiguration{}, map[string]string{
			"Name": managed, "Description": managed, "FunctionVersion": managed, "RoutingConfig": managed, "AliasArn": identity, "RevisionId": guards,
		}},
		{types.FunctionUrlConfig{}, map[string]string{
			"AuthType": managed, "Cors": managed, "InvokeMode": managed,
			"FunctionArn": identity, "FunctionUrl": readOnly, "CreationTime": readOnly, "LastModifiedTime": readOnly,
		}},
		{types.Cors{}, map[string]string{
			"AllowCredentials": managed, "AllowHeaders": managed, "AllowMethods": managed, "AllowOrigins": managed, "ExposeHeaders": managed, "MaxAge": managed,
		}},
		{types.FunctionEventInvokeConfig{}, map[string]string{
			"DestinationConfig": managed, "MaximumEventAgeInSeconds": managed, "MaximumRetryAttempts": managed, "FunctionArn": identity, "LastModified": readOnly,
		}},
		{lambda.PutFunctionConcurrencyInput{}, map[string]string{"FunctionName": managed, "ReservedConcurrentExecutions": managed}},
		{lambda.PutProvisionedConcurrencyConfigInput{}, map[string]string{
			"FunctionName": managed, "Qualifier": managed, "ProvisionedConcurrentExecutions": managed,
		}},
		{types.ProvisionedConcurrencyConfigListItem{}, map[string]string{
			"RequestedProvisionedConcurrentExecutions": managed, "FunctionArn": managed, "Status": state, "StatusReason": state,
			"AllocatedProvisionedConcurrentExecutions": readOnly, "AvailableProvisionedConcurrentExecutions": readOnly, "LastModified": readOnly,
		}},
		{lambda.PutRuntimeManagementConfigInput{}, map[string]string{
			"FunctionName": managed, "Qualifier": managed, "UpdateRuntimeOn": managed, "RuntimeVersionArn": managed,
		}},
		{lambda.PutFunctionRecursionConfigInput{}, map[string]string{"FunctionName": managed, "RecursiveLoop": managed}},
		{lambda.PutFunctionCodeSigningConfigInput{}, map[string]string{"FunctionName": managed, "CodeSigningConfigArn": managed}},
		{lambda.CreateCodeSigningConfigInput{}, map[string]string{
			"AllowedPublishers": codeSigning, "CodeSigningPolicies": codeSigning, "Description": codeSigning, "Tags": codeSigning,
		}},
		{lambda.PutFunctionScalingConfigInput{}, map[string]string{"FunctionName": outOfScope, "FunctionScalingConfig": outOfScope, "Qualifier": outOfScope}},
	}
}

const codeSigning = "who may sign is its owner's to say, who is seldom who releases: a function names the configuration by ARN"

// layerCoverage is a layer's version.
func layerCoverage() []covered {
	return []covered{
		{lambda.PublishLayerVersionInput{}, map[string]string{
			"LayerName": managed, "Content": managed, "Description": managed, "CompatibleRuntimes": managed, "CompatibleArchitectures": managed, "LicenseInfo": managed,
		}},
		{types.LayerVersionContentInput{}, map[string]string{
			"S3Bucket": managed, "S3Key": managed, "S3ObjectVersion": managed, "ZipFile": managed,
			"S3ObjectStorageMode": "layers are kept as AWS's copy",
		}},
		{types.LayerVersionsListItem{}, map[string]string{
			"CompatibleArchitectures": managed, "CompatibleRuntimes": managed, "Description": managed, "LicenseInfo": managed,
			"LayerVersionArn": managed, "Version": managed, "CreatedDate": readOnly,
		}},
		{lambda.AddLayerVersionPermissionInput{}, map[string]string{
			"LayerName": managed, "VersionNumber": managed, "StatementId": managed, "Action": managed, "Principal": managed, "OrganizationId": managed, "RevisionId": guards,
		}},
	}
}
