package template

import (
	"maps"
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

// nameOf is the property that names a kind's things in AWS.
var nameOf = map[string][]string{
	manifest.KindFunction: {"FunctionName"}, manifest.KindQueue: {"QueueName"}, manifest.KindTopic: {"TopicName"}, manifest.KindRole: {"RoleName"},
	manifest.KindTable: {"TableName"}, manifest.KindBucket: {"BucketName"}, manifest.KindLogGroup: {"LogGroupName"}, manifest.KindAlarm: {"AlarmName"},
	manifest.KindRule: {"Name"}, manifest.KindSchedule: {"Name"}, manifest.KindWorkflow: {"StateMachineName", "Name"}, manifest.KindAPI: {"Name"},
	manifest.KindLayer: {"LayerName"},
}

// arns are the ARNs of kinds: R and A stand for region and account, N for the
// name.
var arns = map[string]string{
	manifest.KindFunction: "arn:aws:lambda:R:A:function:N", manifest.KindQueue: "arn:aws:sqs:R:A:N", manifest.KindTopic: "arn:aws:sns:R:A:N",
	manifest.KindTable: "arn:aws:dynamodb:R:A:table/N", manifest.KindBucket: "arn:aws:s3:::N", manifest.KindRole: "arn:aws:iam::A:role/N",
	manifest.KindLogGroup: "arn:aws:logs:R:A:log-group:N:*", manifest.KindAlarm: "arn:aws:cloudwatch:R:A:alarm:N", manifest.KindRule: "arn:aws:events:R:A:rule/N",
	manifest.KindWorkflow: "arn:aws:states:R:A:stateMachine:N",
}

// name works out what the addresses of resources will be, where the template
// names them: only so can they be parts of longer texts.
func (r *reader) name() {
	for _, id := range slices.Sorted(maps.Keys(r.resources)) {
		kind := kinds[r.resources[id].kind]
		name := r.physical(id)
		if name == "" || kind == manifest.KindAPI { // which others know by its id
			continue
		}
		literals := map[string]string{"name": name}
		if r.o.Region != "" && r.o.Account != "" || kind == manifest.KindBucket {
			parts := strings.Split(arns[kind], ":")
			for i, part := range parts {
				switch part {
				case "R":
					parts[i] = r.o.Region
				case "A":
					parts[i] = r.o.Account
				}
				if tail, ok := strings.CutSuffix(parts[i], "N"); ok && i >= 5 {
					parts[i] = tail + name
				}
			}
			literals["arn"] = strings.Join(parts, ":")
			if kind == manifest.KindQueue {
				literals["url"] = "https://sqs." + r.o.Region + ".amazonaws.com/" + r.o.Account + "/" + name
			}
		}
		if kind == manifest.KindRole && r.resources[id].properties["Path"] != nil {
			delete(literals, "arn")
		}
		for attribute, literal := range literals {
			r.resolver.literals[addressOf(kind, id, attribute)] = literal
		}
	}
}

// physical is the name a resource is given; "" when CloudFormation makes one up.
func (r *reader) physical(id string) string {
	for _, key := range nameOf[kinds[r.resources[id].kind]] {
		if text, why := plain(r.resolver.eval(r.resources[id].properties[key], 0)); why == nil && r.resources[id].properties[key] != nil {
			return text
		}
	}
	return ""
}

// begin starts the draft of a resource by the name it is given.
func (r *reader) begin(id, kind string) *manifest.Draft { return r.start(id, kind, r.physical(id)) }

// byAddress finds the draft that an address of the template stands for.
func (r *reader) byAddress(address string, kinds ...string) *manifest.Draft {
	if address == "" {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(r.drafts)) {
		d := r.drafts[id]
		if !slices.Contains(kinds, d.Kind) {
			continue
		}
		for _, other := range d.Addresses {
			if other == address || r.resolver.literals[other] == address {
				return d
			}
		}
	}
	return nil
}

// mentioned finds the function that a property names in any way: by GetAtt,
// Ref or in a text.
func (r *reader) mentioned(x any) *manifest.Draft {
	switch x := x.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(x)) {
			if d := r.mentioned(x[key]); d != nil {
				return d
			}
		}
	case []any:
		for _, item := range x {
			if d := r.mentioned(item); d != nil {
				return d
			}
		}
	case string:
		for _, m := range placeholder.FindAllStringSubmatch(x, -1) {
			if d := r.functionCalled(m[2]); d != nil {
				return d
			}
		}
		return r.functionCalled(x)
	}
	return nil
}

// functionCalled is the function of a logical id, of one with an attribute, or
// of an alias.
func (r *reader) functionCalled(name string) *manifest.Draft {
	id, _, _ := strings.Cut(name, ".")
	if r.resources[id].kind == "AWS::Lambda::Alias" {
		id = r.aliasOf(id)
	}
	if d := r.drafts[id]; d != nil && d.Kind == manifest.KindFunction {
		return d
	}
	return nil
}
