package aws

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// shown members can be set by a hand only: they are compared, never declared.
const shown = "not declared, compared where a hand set it"

func TestNoMemberOfALogGroupIsOverlooked(t *testing.T) {
	overlooked(t, []covered{
		{cloudwatchlogs.CreateLogGroupInput{}, map[string]string{
			"LogGroupName": managed, "DeletionProtectionEnabled": managed, "KmsKeyId": managed, "LogGroupClass": managed, "Tags": managed,
		}},
		{logstypes.LogGroup{}, map[string]string{
			"RetentionInDays": managed, "KmsKeyId": managed, "LogGroupClass": managed, "DeletionProtectionEnabled": managed, "Arn": managed,
			"LogGroupArn": identity, "LogGroupName": identity, "CreationTime": "the guard", "MetricFilterCount": readOnly, "StoredBytes": readOnly,
			"DataProtectionStatus": "the account's or a person's policy of masking, which is another resource",
			"InheritedProperties":  readOnly, "RetentionPolicyName": "of an organization's policy, which no account can change",
			"BearerTokenAuthenticationEnabled": "for writers other than functions",
		}},
		{logstypes.SubscriptionFilter{}, map[string]string{
			"FilterName": managed, "FilterPattern": managed, "DestinationArn": managed, "RoleArn": managed, "Distribution": managed,
			"LogGroupName": identity, "CreationTime": readOnly,
			"ApplyOnTransformedLogs": shown, "EmitSystemFields": shown, "FieldSelectionCriteria": shown,
		}},
		{logstypes.MetricFilter{}, map[string]string{
			"FilterName": managed, "FilterPattern": managed, "MetricTransformations": managed, "LogGroupName": identity, "CreationTime": readOnly,
			"ApplyOnTransformedLogs": shown, "EmitSystemFieldDimensions": shown, "FieldSelectionCriteria": shown,
		}},
		{logstypes.MetricTransformation{}, map[string]string{
			"MetricName": managed, "MetricNamespace": managed, "MetricValue": managed, "DefaultValue": managed, "Dimensions": managed, "Unit": managed,
		}},
	})
}
