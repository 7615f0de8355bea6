package iam

// managed are the AWS managed policies that exist here, with the actions they
// allow.
var managed = map[string]string{
	"arn:aws:iam::aws:policy/AdministratorAccess":                          allow("*"),
	"arn:aws:iam::aws:policy/PowerUserAccess":                              `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"}]}`,
	"arn:aws:iam::aws:policy/ReadOnlyAccess":                               allow("*:Get*", "*:List*", "*:Describe*"),
	"arn:aws:iam::aws:policy/AmazonSQSFullAccess":                          allow("sqs:*"),
	"arn:aws:iam::aws:policy/AmazonSNSFullAccess":                          allow("sns:*"),
	"arn:aws:iam::aws:policy/AmazonS3FullAccess":                           allow("s3:*"),
	"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess":                       allow("s3:Get*", "s3:List*"),
	"arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess":                     allow("dynamodb:*"),
	"arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess":                      allow("ssm:Describe*", "ssm:Get*", "ssm:List*"),
	"arn:aws:iam::aws:policy/SecretsManagerReadWrite":                      allow("secretsmanager:*"),
	"arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess":                     allow("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:GetSamplingStatisticSummaries"),
	"arn:aws:iam::aws:policy/AWSLambda_FullAccess":                         allow("lambda:*"),
	"arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess":                     allow("lambda:Get*", "lambda:List*"),
	"arn:aws:iam::aws:policy/CloudWatchLambdaInsightsExecutionRolePolicy":  allow(logging...),
	"arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole":     allow(logging...),
	"arn:aws:iam::aws:policy/service-role/AWSLambdaRole":                   allow("lambda:InvokeFunction"),
	"arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole":  allow(append([]string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}, logging...)...),
	"arn:aws:iam::aws:policy/service-role/AWSLambdaDynamoDBExecutionRole":  allow(append([]string{"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"}, logging...)...),
	"arn:aws:iam::aws:policy/service-role/AWSLambdaKinesisExecutionRole":   allow(append([]string{"kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards", "kinesis:ListStreams", "kinesis:SubscribeToShard"}, logging...)...),
	"arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole": allow(append([]string{"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"}, logging...)...),
}

var logging = []string{"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}

func allow(actions ...string) string {
	out := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[`
	for i, action := range actions {
		if i > 0 {
			out += ","
		}
		out += `"` + action + `"`
	}
	return out + `],"Resource":"*"}]}`
}
