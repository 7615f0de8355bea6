package template

import (
	"fmt"
	"regexp"
	"strings"

	"mooring.dev/sources/manifest"
)

var dynamicReference = regexp.MustCompile(`\{\{resolve:(ssm|ssm-secure|secretsmanager):([^:}]+(?::[^}]*)?)\}\}`)

// dynamic finds references that a deployment resolves into a value.
func dynamic(text string) any {
	m := dynamicReference.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	name, _, _ := strings.Cut(m[2], ":")
	if m[1] == "ssm" {
		return unknown{why: "is parameter " + name + ", whose value a deployment writes in"}
	}
	if strings.HasPrefix(m[2], "arn:") {
		name = m[2]
		if parts := strings.Split(m[2], ":"); len(parts) > 6 {
			name = parts[6]
		}
	}
	return unknown{why: "is secret " + name + ", whose value a deployment writes in", secret: strings.TrimPrefix(name, "/")}
}

func (r *resolver) ref(x any) any {
	name, _ := x.(string)
	switch name {
	case "AWS::NoValue":
		return absent{}
	case "AWS::Region":
		return known(r.o.Region, "the region")
	case "AWS::AccountId":
		return known(r.o.Account, "the account")
	case "AWS::StackName":
		return known(r.o.Stack, "the name of the stack")
	case "AWS::Partition":
		return "aws"
	case "AWS::URLSuffix":
		return "amazonaws.com"
	}
	kind, ofTemplate := kinds[r.types[name]]
	switch {
	case r.hidden[name]:
		return unknown{why: "is parameter " + name + ", which is a secret", secret: strings.ToLower(name)}
	case r.declared[name]:
		if value, ok := r.parameters[name]; ok {
			return value
		}
		return unknown{why: "is parameter " + name + ", which has no default"}
	case ofTemplate:
		return addressOf(kind, name, orName(refAttributes[kind]))
	case r.types[name] == "AWS::Lambda::Alias", r.types[name] == "AWS::StepFunctions::StateMachineAlias": // its ARN
		return aliasAddress + name
	case inner[r.types[name]]:
		return innerAddress + name
	case r.types[name] != "":
		return unknown{why: "names " + name + " (" + r.types[name] + "), of which no manifest is made"}
	case name == implicitAPI:
		return addressOf(manifest.KindAPI, name, "name")
	}
	return unknown{why: fmt.Sprintf("refers to %q, which the template does not have", name)}
}

// refAttributes are what Ref of a resource stands for, where it is not its
// name.
var refAttributes = map[string]string{
	manifest.KindQueue: "url", manifest.KindTopic: "arn", manifest.KindWorkflow: "arn", manifest.KindLayer: "arn",
}

func orName(attribute string) string {
	if attribute == "" {
		return "name"
	}
	return attribute
}

// inner are types that other resources of the template name, and that have no
// manifest of their own.
var inner = map[string]bool{
	"AWS::ApiGatewayV2::Integration": true, "AWS::ApiGatewayV2::Authorizer": true, "AWS::Lambda::Version": true, "AWS::StepFunctions::StateMachineVersion": true,
}

// innerAddress stands for what inner types are called.
const innerAddress = adoptPlaceholder + "part:::"

// attributesOf are the attributes of GetAtt that drafts have addresses for.
var attributesOf = map[string]string{
	"Arn": "arn", "TopicArn": "arn", "QueueName": "name", "TopicName": "name", "QueueUrl": "url", "StreamArn": "streamArn", "Name": "name",
	"LayerVersionArn": "arn", "ApiEndpoint": "url",
}

func known(value, what string) any {
	if value == "" {
		return unknown{why: what + " is not known from the template"}
	}
	return value
}

func (r *resolver) getAtt(x any, depth int) any {
	var id, attribute string
	switch x := x.(type) {
	case string:
		id, attribute, _ = strings.Cut(x, ".")
	case []any:
		if len(x) == 2 {
			id, _ = x[0].(string)
			attribute, _ = r.eval(x[1], depth).(string)
		}
	}
	kind, ofTemplate := kinds[r.types[id]]
	switch {
	case ofTemplate && attributesOf[attribute] != "" && (attribute != "Arn" || kind != manifest.KindLayer):
		return addressOf(kind, id, attributesOf[attribute])
	case r.types[id] == "AWS::Lambda::Alias" && attribute == "AliasArn":
		return aliasAddress + id
	case inner[r.types[id]]:
		return innerAddress + id
	case r.types[id] != "":
		return unknown{why: "names " + attribute + " of " + id + " (" + r.types[id] + "), which is not known before a deployment"}
	}
	return unknown{why: fmt.Sprintf("refers to %q, which the template does not have", id)}
}
