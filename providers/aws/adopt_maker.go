package aws

import (
	"regexp"
	"strings"
)

// maker is who made a thing, as its tags and its name tell.
type maker struct {
	tool    string // cloudformation, sam, cdk, serverless, sst, terraform, pulumi, …
	stack   string
	service string // an AWS service, or a product, that keeps it for itself
	group   string // what it belongs together with
}

func (m maker) detail() string {
	if m.stack == "" {
		return ""
	}
	return " (stack " + m.stack + ")"
}

// Tags that tell a tool. CloudFormation's are put on by AWS and cannot be
// forged; the others are habits of people and tools.
const (
	tagStack     = "aws:cloudformation:stack-name"
	tagLogicalID = "aws:cloudformation:logical-id"
)

// serviceNames are names that services and products give to what they keep.
var serviceNames = []struct {
	name    *regexp.Regexp
	service string
}{
	{regexp.MustCompile(`^cwsyn-`), "CloudWatch Synthetics"},
	{regexp.MustCompile(`^aws-controltower-`), "Control Tower"},
	{regexp.MustCompile(`^StackSet-AWSControlTower`), "Control Tower"},
	{regexp.MustCompile(`^amplify-`), "Amplify"},
	{regexp.MustCompile(`-(LogRetention[0-9a-f]{8}|CustomS3AutoDelete|CustomCDKBucketDeployment|CustomVpcRestrictDefaultSG|CDKMetadata)`), "the CDK's own custom resources"},
	{regexp.MustCompile(`-(AWS679f53fac002430cb0da5b7982bd2287)`), "the CDK's own custom resources"},
	{regexp.MustCompile(`-framework-(onEvent|isComplete|onTimeout)`), "the CDK's own custom resources"},
	{regexp.MustCompile(`^(DatadogIntegration-)?[Dd]atadog-?[Ff]orwarder|^DatadogForwarder`), "Datadog's forwarder"},
	{regexp.MustCompile(`^CloudFormation-Custom-|-custom-resource-(apigw-cw-role|existing-s3)`), "a custom resource of a deployment"},
}

// makerOf reads tags and a name.
func makerOf(name string, tags map[string]string) maker {
	m := maker{stack: tags[tagStack]}
	m.group = m.stack
	for _, s := range serviceNames {
		if s.name.MatchString(name) {
			m.service = s.service
			return m
		}
	}
	if app := tags["serverlessrepo:applicationId"]; app != "" && strings.Contains(app, "SecretsManager") {
		m.service = "Secrets Manager's rotation"
		return m
	}
	m.tool = toolOf(m.stack != "", tags)
	if m.group == "" {
		m.group = firstTag(tags, "sst:app", "service", "Service", "app", "App", "application", "Application", "project", "Project", "stack", "Stack")
	}
	return m
}

func toolOf(inStack bool, tags map[string]string) string {
	switch {
	case tags["sst:app"] != "":
		return "sst"
	case inStack && tags["STAGE"] != "":
		return "serverless"
	case tags["lambda:createdBy"] == "SAM":
		return "sam"
	case inStack && hashedID.MatchString(tags[tagLogicalID]):
		return "cdk"
	case inStack:
		return "cloudformation"
	}
	for key, value := range tags {
		key, value = strings.ToLower(key), strings.ToLower(value)
		for _, tool := range []string{"terraform", "opentofu", "pulumi", "serverless", "sst"} {
			if strings.HasPrefix(key, tool) && value != "false" || managing[key] && strings.Contains(value, tool) {
				return tool
			}
		}
	}
	return ""
}

// hashedID is a logical id as the CDK makes them.
var hashedID = regexp.MustCompile(`^[A-Za-z0-9]+[0-9A-F]{8}$`)

// managing are keys of tags by which people say what manages a thing.
var managing = map[string]bool{
	"managedby": true, "managed-by": true, "managed_by": true, "createdby": true, "created-by": true, "created_by": true,
	"provisioner": true, "provisionedby": true, "provisioned-by": true, "tool": true, "iac": true, "deployedby": true, "deployed-by": true,
}

func firstTag(tags map[string]string, keys ...string) string {
	for _, k := range keys {
		if tags[k] != "" {
			return tags[k]
		}
	}
	return ""
}
