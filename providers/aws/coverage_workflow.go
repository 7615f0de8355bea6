package aws

import (
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// workflowCoverage is a state machine with its alias.
func workflowCoverage() []covered {
	const none, part = "Mooring has no use for it", "part of the guard"
	return []covered{
		{sfn.CreateStateMachineInput{}, map[string]string{
			"Definition": managed, "EncryptionConfiguration": managed, "LoggingConfiguration": managed, "Name": managed, "RoleArn": managed,
			"Tags": managed, "TracingConfiguration": managed, "Type": managed,
			"Publish": onlyLooked, "VersionDescription": none,
		}},
		{sfn.UpdateStateMachineInput{}, map[string]string{
			"Definition": managed, "EncryptionConfiguration": managed, "LoggingConfiguration": managed, "RoleArn": managed,
			"StateMachineArn": identity, "TracingConfiguration": managed,
			"Publish": onlyLooked, "VersionDescription": none,
		}},
		{sfn.DescribeStateMachineOutput{}, map[string]string{
			"Definition": managed, "EncryptionConfiguration": managed, "LoggingConfiguration": managed, "RoleArn": managed, "TracingConfiguration": managed, "Type": managed,
			"CreationDate": part, "RevisionId": part, "Status": state, "Name": identity, "StateMachineArn": identity,
			"Description": "of a version", "Label": "of a distributed map", "VariableReferences": readOnly, "ResultMetadata": readOnly,
		}},
		{sfn.DescribeStateMachineAliasOutput{}, map[string]string{
			"Description": managed, "RoutingConfiguration": managed, "Name": identity, "StateMachineAliasArn": identity,
			"CreationDate": part, "UpdateDate": part, "ResultMetadata": readOnly,
		}},
		{types.LoggingConfiguration{}, map[string]string{"Destinations": managed, "IncludeExecutionData": managed, "Level": managed}},
		{types.TracingConfiguration{}, map[string]string{"Enabled": managed}},
		{types.EncryptionConfiguration{}, map[string]string{"Type": managed, "KmsKeyId": managed, "KmsDataKeyReusePeriodSeconds": managed}},
	}
}
