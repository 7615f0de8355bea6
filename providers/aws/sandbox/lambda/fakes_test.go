package lambda_test

import (
	"strings"

	"mooring.dev/providers/aws/sandbox/lambda"
	"mooring.dev/providers/aws/sandbox/wire"
)

// roles lists what a role may do.
type roles map[string][]string

func (r roles) Exists(arn string) bool { _, found := r[arn]; return found }
func (r roles) AssumableBy(arn, service string) bool {
	return service == "lambda.amazonaws.com" && r.Exists(arn)
}
func (r roles) Allows(arn, action string) bool {
	return strings.Contains(strings.Join(r[arn], " "), action)
}
func withRoles(r roles) func(o *lambda.Options)     { return func(o *lambda.Options) { o.Roles = r } }
func withObjects(x objects) func(o *lambda.Options) { return func(o *lambda.Options) { o.Objects = x } }

type objects map[string][]byte

func (o objects) Get(bucket, key, version string) ([]byte, error) {
	if content, found := o[bucket+"/"+key+"@"+version]; found {
		return content, nil
	}
	return nil, &wire.Error{Status: 404, Code: "NoSuchKey", Message: "The specified key does not exist."}
}
