package manifest

import (
	"maps"
	"slices"
)

// ownSid begins the Sids of the statements a managed role gets by itself.
const ownSid = "Mooring"

// managedRole is a function's own role: what it declares, and the statements
// without which AWS would refuse the function or lose its work. They are
// Mooring's own, are listed by `mooring render`, and are:
//
//	MooringLogs          writing its log
//	MooringTriggers      taking messages from the queues that trigger it
//	MooringTables        reading the streams of tables that trigger it
//	MooringStreams       reading the Kinesis streams that trigger it
//	MooringDestinations  sending to queues that are its dead letter or destinations
//	MooringTopics        publishing to topics that are
//	MooringInvoke        invoking functions that are its destinations
//	MooringEvents        putting events on event buses that are
//	MooringObjects       writing to buckets that are
//	MooringNetwork       attaching to the network of vpcConfig
//	MooringTracing       sending traces, where tracing is Active
func managedRole(f *functionSpec) *RoleSpec {
	out := f.Role.Managed.normal()
	out.Statements = append(ownStatements(f), out.Statements...)
	return out
}

func ownStatements(f *functionSpec) []map[string]any {
	everything := []any{"*"}
	out := []map[string]any{allow("Logs", everything, "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")}
	out = append(out, triggerStatements(f)...)
	out = append(out, destinationStatements(destinations(f))...)
	if f.VpcConfig != nil {
		out = append(out, allow("Network", everything, "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
			"ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"))
	}
	if f.TracingConfig != nil && f.TracingConfig.Mode == "Active" {
		out = append(out, allow("Tracing", everything, "xray:PutTraceSegments", "xray:PutTelemetryRecords"))
	}
	return out
}

// triggerStatements are what the triggers need of the role, one statement for
// each sid, in the order of their first trigger.
func triggerStatements(f *functionSpec) []map[string]any {
	var grants []grant
	resources := map[string][]any{}
	for _, key := range slices.Sorted(maps.Keys(f.Triggers)) {
		source := f.Triggers[key].Source
		if source == nil {
			continue
		}
		g := source.grant()
		if g.sid == "" {
			continue
		}
		if resources[g.sid] == nil {
			grants = append(grants, g)
		}
		resources[g.sid] = append(resources[g.sid], g.resources...)
	}
	out := make([]map[string]any, 0, len(grants))
	for _, g := range grants {
		out = append(out, allow(g.sid, resources[g.sid], g.actions...))
	}
	return out
}

// destinations lists where the function's failed and finished events go, each
// once.
func destinations(f *functionSpec) []Value {
	var all []*Value
	if f.DeadLetterConfig != nil {
		all = append(all, &f.DeadLetterConfig.TargetArn)
	}
	if f.AsyncInvoke != nil {
		all = append(all, f.AsyncInvoke.OnSuccess, f.AsyncInvoke.OnFailure)
	}
	for _, key := range slices.Sorted(maps.Keys(f.Triggers)) {
		switch t := f.Triggers[key].Source.(type) {
		case *tableTrigger:
			all = append(all, t.OnFailure)
		case *streamTrigger:
			all = append(all, t.OnFailure)
		}
	}
	var out []Value
	for _, v := range all {
		if v != nil && !slices.Contains(out, *v) {
			out = append(out, *v)
		}
	}
	return out
}

// sendings are the rights to send to each service that takes what a function
// has done or failed to do.
var sendings = []struct {
	service, kind string // of an ARN, and of a reference
	sid           string
	actions       []string
}{
	{"sqs", KindQueue, "Destinations", []string{"sqs:SendMessage"}},
	{"sns", KindTopic, "Topics", []string{"sns:Publish"}},
	{"lambda", KindFunction, "Invoke", []string{"lambda:InvokeFunction"}},
	{"events", "", "Events", []string{"events:PutEvents"}},
	{"s3", KindBucket, "Objects", []string{"s3:PutObject", "s3:ListBucket"}},
}

func destinationStatements(to []Value) []map[string]any {
	var out []map[string]any
	for _, s := range sendings {
		var resources []any
		for _, v := range to {
			if v.Ref == (Ref{}) && arnService(v.Literal) == s.service || v.Ref != (Ref{}) && v.Ref.Kind == s.kind {
				resources = append(resources, v.plain())
				if s.service == "s3" {
					resources = append(resources, objectsOf(v).plain())
				}
			}
		}
		if resources != nil {
			out = append(out, allow(s.sid, resources, s.actions...))
		}
	}
	return out
}

// objectsOf are the objects of a bucket, which is named by reference or ARN.
func objectsOf(bucket Value) Value {
	if bucket.Ref != (Ref{}) {
		return Value{Ref: bucket.Ref, Attribute: AttributeObjects}
	}
	return Value{Literal: bucket.Literal + "/*"}
}

func allow(sid string, resources []any, actions ...string) map[string]any {
	list := make([]any, len(actions))
	for i, action := range actions {
		list[i] = action
	}
	return map[string]any{"Sid": ownSid + sid, "Effect": "Allow", "Action": list, "Resource": resources}
}
