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
//	MooringDestinations  sending to its dead-letter queue and destinations
//	MooringInvoke        invoking functions that are its destinations
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
	queues, functions := destinations(f)
	if len(queues) > 0 {
		out = append(out, allow("Destinations", queues, "sqs:SendMessage"))
	}
	if len(functions) > 0 {
		out = append(out, allow("Invoke", functions, "lambda:InvokeFunction"))
	}
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
		resources[g.sid] = append(resources[g.sid], g.resource)
	}
	out := make([]map[string]any, 0, len(grants))
	for _, g := range grants {
		out = append(out, allow(g.sid, resources[g.sid], g.actions...))
	}
	return out
}

// destinations lists where the function's failed and finished events go.
func destinations(f *functionSpec) (queues, functions []any) {
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
	seen := map[Value]bool{}
	for _, v := range all {
		if v == nil || seen[*v] {
			continue
		}
		seen[*v] = true
		switch {
		case v.Ref.Kind == KindQueue, v.Ref == Ref{} && arnService(v.Literal) == "sqs":
			queues = append(queues, v.plain())
		case v.Ref.Kind == KindFunction, v.Ref == Ref{} && arnService(v.Literal) == "lambda":
			functions = append(functions, v.plain())
		}
	}
	return queues, functions
}

func allow(sid string, resources []any, actions ...string) map[string]any {
	list := make([]any, len(actions))
	for i, action := range actions {
		list[i] = action
	}
	return map[string]any{"Sid": ownSid + sid, "Effect": "Allow", "Action": list, "Resource": resources}
}
