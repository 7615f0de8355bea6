package main

import (
	"encoding/json"
	"slices"
	"strings"
)

func roleRows() []driftRow {
	owned := function("role: {statements: [{Sid: Send, Effect: Allow, Action: ['sqs:SendMessage'], Resource: '*'}]}")
	attached := function("role: {managedPolicyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess']}")
	wide := `{"Version":"2012-10-17","Statement":[{"Sid":"Send","Effect":"Allow","Action":"*","Resource":"*"}]}`
	return []driftRow{
		{number: "24", name: "policy-wide", deed: "role's policy widened", declared: owned, hand: func(h *python, n string) {
			h.do("iam", "put_role_policy", with{"RoleName": n, "PolicyName": "mooring", "PolicyDocument": wide})
		}, want: []wanted{
			{"Role/NAME statements changed", `{"Statement":[{"Action":["logs:createloggroup","logs:createlogstream","logs:putlogevents"],"Effect":"Allow","Resource":["*"]},{"Action":["sqs:sendmessage"],"Effect":"Allow","Resource":["*"]}],"Version":"2012-10-17"}`, `{"Statement":[{"Action":["*"],"Effect":"Allow","Resource":["*"]}],"Version":"2012-10-17"}`, "high", reverts, "PutRolePolicy", false},
		}, writes: []string{"PutRolePolicy policyDocument"}},
		{number: "24", name: "policy-gone", deed: "role's policy deleted", declared: owned, hand: func(h *python, n string) {
			h.do("iam", "delete_role_policy", with{"RoleName": n, "PolicyName": "mooring"})
		}, want: []wanted{
			{"Role/NAME statements changed", `{"Statement":[{"Action":["logs:createloggroup","logs:createlogstream","logs:putlogevents"],"Effect":"Allow","Resource":["*"]},{"Action":["sqs:sendmessage"],"Effect":"Allow","Resource":["*"]}],"Version":"2012-10-17"}`, `""`, "high", reverts, "DeleteRolePolicy", false},
		}, writes: []string{"PutRolePolicy policyDocument"}},
		{number: "24", name: "policy-extra", deed: "another inline policy added", declared: owned, hand: func(h *python, n string) {
			h.do("iam", "put_role_policy", with{"RoleName": n, "PolicyName": "debug", "PolicyDocument": wide})
		}, want: []wanted{
			{"Policy/NAME.debug extra", "", `{"statements":{"Statement":[{"Action":["*"],"Effect":"Allow","Resource":["*"]}],"Version":"2012-10-17"}}`, "high", reverts, "PutRolePolicy", false},
		}, writes: []string{"DeleteRolePolicy"}},
		{number: "24", name: "policy-same", deed: "the same policy, written otherwise", declared: owned, hand: func(h *python, n string) {
			doc, _ := h.do("iam", "get_role_policy", with{"RoleName": n, "PolicyName": "mooring"})["PolicyDocument"].(map[string]any)
			statements, _ := doc["Statement"].([]any)
			slices.Reverse(statements)
			for _, s := range statements {
				s, _ := s.(map[string]any)
				if one, ok := s["Action"].([]any); ok && len(one) == 1 {
					s["Action"] = one[0]
				}
			}
			h.do("iam", "put_role_policy", with{"RoleName": n, "PolicyName": "mooring", "PolicyDocument": documentText(doc)})
		}},
		{number: "25", name: "managed-attached", deed: "managed policy attached", declared: attached, hand: func(h *python, n string) {
			h.do("iam", "attach_role_policy", with{"RoleName": n, "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"})
		}, want: []wanted{
			{"Role/NAME managedPolicyArns changed", `["arn:aws:iam::aws:policy/ReadOnlyAccess"]`, `["arn:aws:iam::aws:policy/AdministratorAccess","arn:aws:iam::aws:policy/ReadOnlyAccess"]`, "high", reverts, "AttachRolePolicy", false},
		}, writes: []string{"DetachRolePolicy policyArn"}},
		{number: "25", name: "managed-detached", deed: "managed policy detached", declared: attached, hand: func(h *python, n string) {
			h.do("iam", "detach_role_policy", with{"RoleName": n, "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"})
		}, want: []wanted{
			{"Role/NAME managedPolicyArns changed", `["arn:aws:iam::aws:policy/ReadOnlyAccess"]`, "[]", "high", reverts, "DetachRolePolicy", false},
		}, writes: []string{"AttachRolePolicy policyArn"}},
		{number: "27", name: "trust", deed: "trust policy", declared: owned, hand: func(h *python, n string) {
			h.do("iam", "update_assume_role_policy", with{"RoleName": n, "PolicyDocument": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}`})
		}, want: []wanted{
			{"Role/NAME assumeRolePolicyDocument changed", `{"Statement":[{"Action":["sts:assumerole"],"Effect":"Allow","Principal":{"Service":["lambda.amazonaws.com"]}}],"Version":"2012-10-17"}`, `{"Statement":[{"Action":["sts:assumerole"],"Effect":"Allow","Principal":{"AWS":["*"]}}],"Version":"2012-10-17"}`, "high", reverts, "UpdateAssumeRolePolicy", false},
		}, writes: []string{"UpdateAssumeRolePolicy policyDocument"}},
		{number: "27", name: "boundary", deed: "permissions boundary put", declared: owned, hand: func(h *python, n string) {
			h.do("iam", "put_role_permissions_boundary", with{"RoleName": n, "PermissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess"})
		}, want: []wanted{
			{"Role/NAME permissionsBoundary changed", `""`, `"arn:aws:iam::aws:policy/ReadOnlyAccess"`, "high", reverts, "PutRolePermissionsBoundary", false},
		}, writes: []string{"DeleteRolePermissionsBoundary"}},
		{number: "28", name: "role-gone", deed: "role deleted", declared: owned, hand: func(h *python, n string) {
			h.do("iam", "delete_role_policy", with{"RoleName": n, "PolicyName": "mooring"})
			h.do("iam", "delete_role", with{"RoleName": n})
		}, want: []wanted{
			{"Role/NAME missing", "", "", "critical", holds, "DeleteRole", false},
		}},
		{number: "28", name: "role-again", deed: "role deleted and made again, the same but for its id", declared: owned, hand: makeRoleAgain, want: []wanted{
			{"Role/NAME id changed", `"ROLE_BEFORE"`, `"ROLE_AFTER"`, "high", holds, "CreateRole", false},
		}},
	}
}

// makeRoleAgain leaves everything as it was that can be declared.
func makeRoleAgain(h *python, n string) {
	before, _ := h.do("iam", "get_role", with{"RoleName": n})["Role"].(map[string]any)
	doc := h.do("iam", "get_role_policy", with{"RoleName": n, "PolicyName": "mooring"})["PolicyDocument"]
	h.do("iam", "delete_role_policy", with{"RoleName": n, "PolicyName": "mooring"})
	h.do("iam", "delete_role", with{"RoleName": n})
	out := h.do("iam", "create_role", with{"RoleName": n, "AssumeRolePolicyDocument": documentText(before["AssumeRolePolicyDocument"]), "Tags": before["Tags"]})
	h.do("iam", "put_role_policy", with{"RoleName": n, "PolicyName": "mooring", "PolicyDocument": documentText(doc)})
	after, _ := out["Role"].(map[string]any)
	h.made["ROLE_BEFORE"], _ = before["RoleId"].(string)
	h.made["ROLE_AFTER"], _ = after["RoleId"].(string)
}

func documentText(v any) string {
	text, _ := json.Marshal(v) // what boto3 answered is JSON
	return string(text)
}

func queueRows() []driftRow {
	const plain, redrive = "visibilityTimeout: 60", "redrive: {deadLetter: Queue/NAME-x-dlq, maxReceiveCount: 5}"
	set := func(attributes with) func(*python, string) {
		return func(h *python, n string) {
			h.do("sqs", "set_queue_attributes", with{"QueueUrl": h.queue(n), "Attributes": attributes})
		}
	}
	policy := `{"Version":"2012-10-17","Statement":[{"Sid":"All","Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}]}`
	return []driftRow{
		{number: "58", name: "queue-visibility", deed: "visibility timeout and delay", declared: queue("NAME", plain), hand: set(with{"VisibilityTimeout": "10", "DelaySeconds": "5"}), want: []wanted{
			{"Queue/NAME delaySeconds changed", "0", "5", "medium", reverts, "SetQueueAttributes", false},
			{"Queue/NAME visibilityTimeout changed", "60", "10", "medium", reverts, "SetQueueAttributes", false},
		}, writes: []string{"SetQueueAttributes attributes"}},
		{number: "58", name: "queue-longer", deed: "retention raised", declared: queue("NAME", plain), hand: set(with{"MessageRetentionPeriod": "1209600"}), want: []wanted{
			{"Queue/NAME messageRetentionPeriod changed", "345600", "1209600", "medium", holds, "SetQueueAttributes", false},
		}},
		{number: "58", name: "queue-shorter", deed: "retention lowered", declared: queue("NAME", plain), hand: set(with{"MessageRetentionPeriod": "60"}), want: []wanted{
			{"Queue/NAME messageRetentionPeriod changed", "345600", "60", "medium", reverts, "SetQueueAttributes", false},
		}, writes: []string{"SetQueueAttributes attributes"}},
		{number: "58", name: "queue-receives", deed: "receives before the dead-letter queue", declared: queue("NAME", redrive) + queue("NAME-x-dlq"), hand: set(with{"RedrivePolicy": `{"maxReceiveCount":100,"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:111111111111:production-queue-receives-x-dlq"}`}), want: []wanted{
			{"Queue/NAME redrivePolicy.maxReceiveCount changed", "5", "100", "high", reverts, "SetQueueAttributes", false},
		}, writes: []string{"SetQueueAttributes attributes"}},
		{number: "59", name: "queue-redrive", deed: "redrive taken away", declared: queue("NAME", redrive) + queue("NAME-x-dlq"), hand: set(with{"RedrivePolicy": ""}), want: []wanted{
			{"Queue/NAME redrivePolicy.deadLetterTargetArn changed", `"arn:aws:sqs:eu-west-1:111111111111:production-NAME-x-dlq"`, `""`, "high", reverts, "SetQueueAttributes", false},
			{"Queue/NAME redrivePolicy.maxReceiveCount changed", "5", "0", "high", reverts, "SetQueueAttributes", false},
		}, writes: []string{"SetQueueAttributes attributes"}},
		{number: "59", name: "queue-dlq-gone", deed: "dead-letter queue deleted", declared: queue("NAME", redrive) + queue("NAME-x-dlq"), hand: func(h *python, n string) {
			h.do("sqs", "delete_queue", with{"QueueUrl": h.queue(n + "-x-dlq")})
		}, want: []wanted{
			{"Queue/NAME-x-dlq missing", "", "", "critical", holds, "DeleteQueue", false},
		}},
		{number: "60", name: "queue-policy", deed: "queue opened to everybody", declared: queue("NAME", plain), hand: set(with{"Policy": policy}), want: []wanted{
			{"Queue/NAME policy changed", `""`, `{"Statement":[{"Action":["sqs:*"],"Effect":"Allow","Principal":{"AWS":["*"]},"Resource":["*"]}],"Version":"2012-10-17"}`, "high", reverts, "SetQueueAttributes", false},
		}, writes: []string{"SetQueueAttributes attributes"}},
		{number: "60", name: "queue-policy-gone", deed: "queue policy taken away", declared: queue("NAME", "policy: {Version: '2012-10-17', Statement: [{Sid: S3, Effect: Allow, Principal: {Service: s3.amazonaws.com}, Action: 'sqs:SendMessage', Resource: '*'}]}"), hand: set(with{"Policy": ""}), want: []wanted{
			{"Queue/NAME policy changed", `{"Statement":[{"Action":["sqs:sendmessage"],"Effect":"Allow","Principal":{"Service":["s3.amazonaws.com"]},"Resource":["*"]}],"Version":"2012-10-17"}`, `""`, "high", reverts, "SetQueueAttributes", false},
		}, writes: []string{"SetQueueAttributes attributes"}},
		{number: "61", name: "queue-purged", deed: "queue purged", declared: queue("NAME", plain), hand: func(h *python, n string) {
			h.aws("sqs", "purge-queue", "--queue-url", h.queue(n))
		}},
		{number: "50", name: "queue-tag", deed: "declared tag of a queue taken away", declared: queue("NAME", "tags: {team: shop}"), hand: func(h *python, n string) {
			h.do("sqs", "untag_queue", with{"QueueUrl": h.queue(n), "TagKeys": []string{"team"}})
		}, want: []wanted{
			{"Queue/NAME tags.team missing", `"shop"`, "", "low", reverts, "UntagQueue", false},
		}, writes: []string{"TagQueue tags"}},
	}
}

// queue is a queue's URL.
func (p *python) queue(name string) string {
	p.t.Helper()
	url, _ := p.do("sqs", "get_queue_url", with{"QueueName": name})["QueueUrl"].(string)
	return url
}

// foreignRows are of what Mooring refers to and never writes. Their names are
// literal.
func foreignRows() []driftRow {
	bare := func(n string) string { return strings.TrimPrefix(n, sweepEnvironment+"-") }
	secret := func(h *python, n string) {
		h.do("secretsmanager", "create_secret", with{"Name": bare(n), "SecretString": driftSecret})
	}
	parameter := func(h *python, n string) {
		h.do("ssm", "put_parameter", with{"Name": bare(n), "Value": "one", "Type": "String"})
	}
	uses := func(kind, reference string) string {
		return function("environment: {IT: {"+reference+": NAME}}", "---\napiVersion: mooring.dev/v1\nkind: "+kind+"\nmetadata: {name: NAME}\n")
	}
	return []driftRow{
		{number: "68", name: "secret-deleted", deed: "secret scheduled for deletion", declared: uses("Secret", "secret"), before: secret, hand: func(h *python, n string) {
			h.do("secretsmanager", "delete_secret", with{"SecretId": bare(n), "RecoveryWindowInDays": 7})
		}, want: []wanted{
			{"Secret/NAME scheduledForDeletion changed", "false", "true", "critical", holds, "DeleteSecret", false},
		}},
		{number: "69", name: "secret-rotated", deed: "secret rotated", declared: uses("Secret", "secret"), before: secret, hand: func(h *python, n string) {
			h.do("secretsmanager", "put_secret_value", with{"SecretId": bare(n), "SecretString": driftSecret + "2"})
		}},
		{number: "70", name: "parameter-changed", deed: "parameter changed", declared: uses("Parameter", "parameter"), before: parameter, hand: func(h *python, n string) {
			h.do("ssm", "put_parameter", with{"Name": bare(n), "Value": "two", "Type": "String", "Overwrite": true})
		}},
		{number: "70", name: "parameter-gone", deed: "parameter deleted", declared: uses("Parameter", "parameter"), before: parameter, hand: func(h *python, n string) {
			h.do("ssm", "delete_parameter", with{"Name": bare(n)})
		}, want: []wanted{
			{"Parameter/NAME missing", "", "", "critical", holds, "DeleteParameter", false},
		}},
	}
}
