package aws

import (
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

// carriedAlong members are shown as otherParameters: compared, carried along by our
// writes, never declared.
const carriedAlong = "for targets a manifest cannot write; shown, and carried along"

// messagingCoverage is topics, rules and schedules. The attributes of topics
// and subscriptions have no struct. Not managed of them, for a reason:
// ReplayPolicy (a replay is a deed, not a state), DataProtectionPolicy (a
// resource of its own), and what only counts (SubscriptionsConfirmed and its
// like).
func messagingCoverage() []covered {
	return []covered{
		{sns.CreateTopicInput{}, map[string]string{
			"Name": managed, "Attributes": managed, "Tags": managed, "DataProtectionPolicy": "a resource of its own, of whoever guards the data",
		}},
		{sns.SubscribeInput{}, map[string]string{
			"TopicArn": managed, "Protocol": managed, "Endpoint": managed, "Attributes": managed, "ReturnSubscriptionArn": managed,
		}},
		{eventbridge.PutRuleInput{}, map[string]string{
			"Name": managed, "Description": managed, "EventBusName": managed, "EventPattern": managed, "RoleArn": managed,
			"ScheduleExpression": managed, "State": managed, "Tags": managed,
		}},
		{ebtypes.Target{}, map[string]string{
			"Arn": managed, "Id": managed, "DeadLetterConfig": managed, "Input": managed, "InputPath": managed, "InputTransformer": managed,
			"RetryPolicy": managed, "RoleArn": managed, "SqsParameters": managed,
			"AppSyncParameters": carriedAlong, "BatchParameters": carriedAlong, "EcsParameters": carriedAlong, "HttpParameters": carriedAlong, "KinesisParameters": carriedAlong,
			"RedshiftDataParameters": carriedAlong, "RunCommandParameters": carriedAlong, "SageMakerPipelineParameters": carriedAlong,
		}},
		{scheduler.CreateScheduleInput{}, map[string]string{
			"Name": managed, "GroupName": managed, "Description": managed, "ScheduleExpression": managed, "ScheduleExpressionTimezone": managed,
			"FlexibleTimeWindow": managed, "StartDate": managed, "EndDate": managed, "State": managed, "KmsKeyArn": managed, "Target": managed,
			"ActionAfterCompletion": "always NONE: what is declared stays", "ClientToken": "the SDK's own",
		}},
		{schedulertypes.Target{}, map[string]string{
			"Arn": managed, "RoleArn": managed, "DeadLetterConfig": managed, "Input": managed, "RetryPolicy": managed, "SqsParameters": managed,
			"EcsParameters": carriedAlong, "EventBridgeParameters": carriedAlong, "KinesisParameters": carriedAlong, "SageMakerPipelineParameters": carriedAlong,
		}},
	}
}
