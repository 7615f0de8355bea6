package aws

import (
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// shown members can be set by a hand only: they are compared, never declared.
const shown = "not declared, compared where a hand set it"

// logGroupCoverage is a log group with its filters.
func logGroupCoverage() []covered {
	return []covered{
		{cloudwatchlogs.CreateLogGroupInput{}, map[string]string{
			"LogGroupName": managed, "DeletionProtectionEnabled": managed, "KmsKeyId": managed, "LogGroupClass": managed, "Tags": managed,
		}},
		{logstypes.LogGroup{}, map[string]string{
			"RetentionInDays": managed, "KmsKeyId": managed, "LogGroupClass": managed, "DeletionProtectionEnabled": managed, "Arn": managed,
			"LogGroupArn": identity, "LogGroupName": identity, "CreationTime": guards, "MetricFilterCount": readOnly, "StoredBytes": readOnly,
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
	}
}

// alarmCoverage is an alarm.
func alarmCoverage() []covered {
	const promQL, kept = "of alarms by PromQL, which are not managed", "not declared, and kept by every write"
	members := map[string]string{
		"AlarmName": managed, "ActionsEnabled": managed, "AlarmActions": managed, "AlarmDescription": managed, "ComparisonOperator": managed,
		"DatapointsToAlarm": managed, "Dimensions": managed, "EvaluateLowSampleCountPercentile": managed, "EvaluationPeriods": managed,
		"ExtendedStatistic": managed, "InsufficientDataActions": managed, "MetricName": managed, "Metrics": managed, "Namespace": managed,
		"OKActions": managed, "Period": managed, "Statistic": managed, "Threshold": managed, "ThresholdMetricId": managed,
		"TreatMissingData": managed, "Unit": managed, "WarmUpConfiguration": managed,
		"EvaluationCriteria": promQL, "EvaluationInterval": promQL, "EvaluationWindow": kept, "ActionConfiguration": kept,
	}
	with := func(more map[string]string) map[string]string {
		for name, why := range members {
			more[name] = why
		}
		return more
	}
	const moves = "moves by itself"
	return []covered{
		{cloudwatch.PutMetricAlarmInput{}, with(map[string]string{"Tags": managed})},
		{types.MetricAlarm{}, with(map[string]string{
			"AlarmArn": identity, "AlarmConfigurationUpdatedTimestamp": readOnly, "EvaluationState": moves, "StateReason": moves, "StateReasonData": moves,
			"StateTransitionedTimestamp": moves, "StateUpdatedTimestamp": moves, "StateValue": moves,
		})},
		{types.MetricDataQuery{}, map[string]string{
			"Id": managed, "AccountId": managed, "Expression": managed, "Label": managed, "MetricStat": managed, "Period": managed, "ReturnData": managed,
		}},
		{types.MetricStat{}, map[string]string{"Metric": managed, "Period": managed, "Stat": managed, "Unit": managed}},
	}
}
