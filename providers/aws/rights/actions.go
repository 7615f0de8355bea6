package rights

import (
	"slices"
	"strings"
)

// services are those whose actions begin otherwise than the SDK's package is
// named.
var services = map[string]string{
	"resourcegroupstaggingapi": "tag", "eventbridge": "events", "sfn": "states", "cloudwatchlogs": "logs", "apigatewayv2": "apigateway",
}

// named are operations whose action has another name; "" is one that anybody
// may call.
var named = map[string]string{
	"lambda:Invoke":          "lambda:InvokeFunction",
	"sqs:DeleteMessageBatch": "sqs:DeleteMessage",
	"sts:GetCallerIdentity":  "",

	"s3:HeadBucket": "s3:ListBucket", "s3:HeadObject": "s3:GetObject", "s3:ListBuckets": "s3:ListAllMyBuckets",
	"s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock", "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
	"s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification", "s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",

	// API Gateway is asked for the method of the request, not for what it does.
	"apigatewayv2:TagResource": "apigateway:POST", "apigatewayv2:UntagResource": "apigateway:DELETE",
}

// methods are those of API Gateway's operations, by their first word.
var methods = map[string]string{"Get": "GET", "Create": "POST", "Update": "PATCH", "Delete": "DELETE"}

// Action is what IAM asks for where an operation is called, as the SDK names
// it (eventbridge:PutRule); "" for what anybody may call.
func Action(call string) string {
	if action, ok := named[call]; ok {
		return action
	}
	service, operation, _ := strings.Cut(call, ":")
	if service == "apigatewayv2" {
		for word, method := range methods {
			if strings.HasPrefix(operation, word) {
				return "apigateway:" + method
			}
		}
	}
	if name, ok := services[service]; ok {
		service = name
	}
	return service + ":" + operation
}

// Actions are what IAM asks for where a row is in use, sorted.
func (r Row) Actions() []string {
	var out []string
	for _, call := range r.Calls {
		if action := Action(call); action != "" {
			out = append(out, action)
		}
	}
	out = append(out, r.Also...)
	slices.Sort(out)
	return slices.Compact(out)
}
