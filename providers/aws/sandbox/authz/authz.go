// Package authz tells what IAM asks for when an operation is called: actions,
// the resources they are on, and what conditions may look at. It knows AWS's
// side of it, by the service authorization reference, and nothing of who
// grants what; it refuses to guess: an operation it does not know is asked for
// by its own name on everything.
package authz

import (
	"net/http"
	"strings"

	"mooring.dev/providers/aws/sandbox/iam"
)

// Call is one call to be judged.
type Call struct {
	Service, Operation string // lambda, CreateFunction
	Region, Account    string
	Method, Path       string // of the request, escapes resolved
	Params             map[string]any
	// Role finds a role's ARN and boundary; Mapped the ARN of the function of an
	// event source mapping, "" when there is none.
	Role   func(name string) (arn, boundary string, ok bool)
	Mapped func(uuid string) string
}

// Asks are what a call needs, all of it; none for what anybody may call.
func Asks(c Call) []iam.Ask {
	of, ok := services[c.Service]
	if !ok {
		return c.on(c.Service+":"+c.Operation, everything)
	}
	return of(c)
}

const everything = "*"

// services are those with rules of their own.
var services = map[string]func(Call) []iam.Ask{
	"lambda": lambdaAsks, "sqs": queueAsks, "iam": roleAsks, "sts": sessionAsks, "s3": bucketAsks, "secretsmanager": secretAsks,
	"tagging": tagAsks, "monitoring": alarmAsks, "logs": groupAsks, "events": ruleAsks, "scheduler": scheduleAsks, "sns": topicAsks,
	"states": machineAsks, "apigateway": apiAsks, "dynamodb": tableAsks, "cloudtrail": trailAsks,
}

func (c Call) on(action string, resources ...string) []iam.Ask {
	var out []iam.Ask
	for _, r := range resources {
		out = append(out, iam.Ask{Action: action, Resource: r})
	}
	return out
}

// arn is one of the call's account and region.
func (c Call) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + c.Region + ":" + c.Account + ":" + resource
}

// text is the first of some parameters that is there.
func (c Call) text(names ...string) string {
	for _, name := range names {
		if s, ok := c.Params[name].(string); ok && s != "" {
			return s
		}
	}
	return ""
}

// texts are a parameter that is a list of texts.
func (c Call) texts(name string) []string {
	list, _ := c.Params[name].([]any)
	var out []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// has is true for a parameter that is there and not empty.
func (c Call) has(name string) bool {
	switch v := c.Params[name].(type) {
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	case nil:
		return false
	}
	return true
}

// passing is what handing a role to a service needs.
func (c Call) passing(service string, roles ...string) []iam.Ask {
	var out []iam.Ask
	for _, r := range roles {
		if r != "" {
			out = append(out, iam.Ask{Action: "iam:PassRole", Resource: r, Known: map[string]string{"iam:passedtoservice": service}})
		}
	}
	return out
}

// tagged is what creating with tags needs besides.
func (c Call) tagged(action, resource string, tags string) []iam.Ask {
	if !c.has(tags) {
		return nil
	}
	return c.on(action, resource)
}

func last(text, sep string) string { return text[strings.LastIndex(text, sep)+1:] }

func sessionAsks(c Call) []iam.Ask {
	if c.Operation == "GetCallerIdentity" {
		return nil
	}
	role := c.text("RoleArn")
	return append(c.on("sts:"+c.Operation, role), c.tagged("sts:TagSession", role, "Tags")...)
}

func roleAsks(c Call) []iam.Ask {
	if source := c.text("PolicySourceArn"); source != "" {
		return c.on("iam:"+c.Operation, source)
	}
	name := c.text("RoleName")
	if name == "" {
		return c.on("iam:"+c.Operation, everything)
	}
	arn, boundary, ok := c.Role(name)
	if !ok {
		arn = "arn:aws:iam::" + c.Account + ":role" + orElse(c.text("Path"), "/") + name
	}
	if given := c.text("PermissionsBoundary"); given != "" {
		boundary = given
	}
	ask := iam.Ask{Action: "iam:" + c.Operation, Resource: arn, Known: map[string]string{}}
	if boundary != "" {
		ask.Known["iam:permissionsboundary"] = boundary
	}
	if p := c.text("PolicyArn"); p != "" {
		ask.Known["iam:policyarn"] = p
	}
	out := []iam.Ask{ask}
	if c.Operation == "CreateRole" {
		out = append(out, c.tagged("iam:TagRole", arn, "Tags")...)
	}
	return out
}

// bucketActions are S3's operations whose action has another name.
var bucketActions = map[string]string{
	"HeadBucket": "ListBucket", "ListObjectsV2": "ListBucket", "HeadObject": "GetObject", "ListBuckets": "ListAllMyBuckets",
	"GetPublicAccessBlock": "GetBucketPublicAccessBlock", "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
	"GetBucketPublicAccessBlock": "GetBucketPublicAccessBlock", "GetBucketNotificationConfiguration": "GetBucketNotification",
	"PutBucketNotificationConfiguration": "PutBucketNotification",
}

func bucketAsks(c Call) []iam.Ask {
	action := "s3:" + orElse(bucketActions[c.Operation], c.Operation)
	address := strings.Trim(c.Path, "/")
	if address == "" {
		return c.on(action, everything)
	}
	return c.on(action, "arn:aws:s3:::"+address)
}

func secretAsks(c Call) []iam.Ask {
	id := c.text("SecretId", "Name")
	if id == "" {
		return c.on("secretsmanager:"+c.Operation, everything)
	}
	if !strings.HasPrefix(id, "arn:") {
		id = c.arn("secretsmanager", "secret:"+id+"-AbCdEf")
	}
	return c.on("secretsmanager:"+c.Operation, id)
}

func tagAsks(c Call) []iam.Ask { return c.on("tag:"+c.Operation, everything) }

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func apiAsks(c Call) []iam.Ask {
	resource := "arn:aws:apigateway:" + c.Region + "::" + strings.TrimPrefix(c.Path, "/v2")
	method := c.Method
	if method == "" {
		method = http.MethodGet
	}
	out := c.on("apigateway:"+method, resource)
	if c.Operation == "CreateApi" || c.Operation == "CreateStage" {
		out = append(out, c.tagged("apigateway:TagResource", resource, "tags")...)
	}
	return out
}
