package rights

import (
	"slices"
	"testing"
)

// TestActionsAreIAMs: the action of an operation goes by IAM's name for it.
func TestActionsAreIAMs(t *testing.T) {
	for call, want := range map[string]string{
		"lambda:UpdateAlias":                         "lambda:UpdateAlias",
		"lambda:Invoke":                              "lambda:InvokeFunction",
		"sqs:CreateQueue":                            "sqs:CreateQueue",
		"sqs:DeleteMessageBatch":                     "sqs:DeleteMessage",
		"s3:HeadBucket":                              "s3:ListBucket",
		"s3:HeadObject":                              "s3:GetObject",
		"s3:ListBuckets":                             "s3:ListAllMyBuckets",
		"s3:PutBucketNotificationConfiguration":      "s3:PutBucketNotification",
		"s3:GetPublicAccessBlock":                    "s3:GetBucketPublicAccessBlock",
		"s3:GetBucketTagging":                        "s3:GetBucketTagging",
		"eventbridge:PutRule":                        "events:PutRule",
		"sfn:StartSyncExecution":                     "states:StartSyncExecution",
		"cloudwatchlogs:PutRetentionPolicy":          "logs:PutRetentionPolicy",
		"cloudwatch:GetMetricData":                   "cloudwatch:GetMetricData",
		"resourcegroupstaggingapi:GetResources":      "tag:GetResources",
		"apigatewayv2:GetApis":                       "apigateway:GET",
		"apigatewayv2:CreateStage":                   "apigateway:POST",
		"apigatewayv2:UpdateApi":                     "apigateway:PATCH",
		"apigatewayv2:DeleteCorsConfiguration":       "apigateway:DELETE",
		"apigatewayv2:TagResource":                   "apigateway:POST",
		"apigatewayv2:UntagResource":                 "apigateway:DELETE",
		"sts:GetCallerIdentity":                      "",
		"secretsmanager:DescribeSecret":              "secretsmanager:DescribeSecret",
		"dynamodb:UpdateContinuousBackups":           "dynamodb:UpdateContinuousBackups",
		"scheduler:CreateSchedule":                   "scheduler:CreateSchedule",
		"iam:UpdateAssumeRolePolicy":                 "iam:UpdateAssumeRolePolicy",
		"cloudwatchlogs:DescribeSubscriptionFilters": "logs:DescribeSubscriptionFilters",
	} {
		if got := Action(call); got != want {
			t.Errorf("%s is %q, want %q", call, got, want)
		}
	}
}

func TestRowsAskForEachActionOnce(t *testing.T) {
	row := Row{Calls: []string{"s3:HeadObject", "sts:GetCallerIdentity", "lambda:Invoke"}, Also: []string{"s3:GetObject", "iam:PassRole"}}
	if got, want := row.Actions(), []string{"iam:PassRole", "lambda:InvokeFunction", "s3:GetObject"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
