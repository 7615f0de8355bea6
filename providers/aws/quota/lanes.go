package quota

// laneOf is the table of lanes: calls per second and account.
func laneOf(service, operation string) (name string, perSecond float64) {
	switch service {
	case "Lambda":
		switch operation {
		case "GetFunction":
			return "lambda:GetFunction", 100
		case "GetPolicy":
			return "lambda:GetPolicy", 15
		case "Invoke", "InvokeAsync", "InvokeWithResponseStream":
			return "", 0
		}
		return "lambda", 15
	case "CloudTrail":
		if operation != "LookupEvents" {
			return "cloudtrail:trails", 10
		}
		return "cloudtrail", 2
	case "CloudWatch":
		switch operation {
		case "DescribeAlarms":
			return "cloudwatch:DescribeAlarms", 9
		case "PutMetricAlarm":
			return "cloudwatch:PutMetricAlarm", 3
		}
		return "cloudwatch", 50
	case "CloudWatch Logs":
		return "logs", 10
	case "SNS":
		return "sns", 30
	case "EventBridge":
		return "events", 50
	case "Scheduler":
		return "scheduler", 50
	case "ApiGatewayV2":
		return "apigateway", 10
	case "IAM":
		return "iam", 15
	case "SQS":
		return "sqs", 50
	case "Secrets Manager":
		return "secretsmanager", 40
	case "DynamoDB":
		return "dynamodb", 10
	case "S3":
		return "s3", 100
	case "SSM":
		return "ssm", 20
	case "Resource Groups Tagging API":
		return "tagging", 15
	case "SFN":
		switch operation {
		case "StartExecution", "StartSyncExecution", "DescribeExecution":
			return "", 0
		}
		return "states", 10
	case "STS":
		return "sts", 50
	}
	return "", 0
}
