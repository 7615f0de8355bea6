package manifest

import (
	"maps"
	"slices"
)

// workflowSpec is a Workflow as written. It expands into a WorkflowSpec, its
// alias and, where it has one of its own, its role.
type workflowSpec struct {
	Definition              map[string]any      `json:"definition" is:"required,opaque" doc:"The state machine in the Amazon States Language: written out, or {file: flow.asl.json}, a file beside the manifest or below it. Nothing is substituted inside but {ref: Function/x} (the ARN of its alias), {ref: Queue/x, attribute: url} and {value: name}."`
	Type                    string              `json:"type" is:"default=STANDARD,enum=STANDARD|EXPRESS" doc:"It cannot be changed later."`
	Role                    executionRole       `json:"role" is:"required" doc:"The role it runs as: {statements: …} for a role of its own, {ref: Role/x}, or {arn: …}."`
	LoggingConfiguration    *WorkflowLogging    `json:"loggingConfiguration" doc:"What it logs."`
	TracingConfiguration    *WorkflowTracing    `json:"tracingConfiguration" doc:"X-Ray."`
	EncryptionConfiguration *WorkflowEncryption `json:"encryptionConfiguration" doc:"The key it is encrypted with. Default: one of AWS's own."`
	Tags                    map[string]string   `json:"tags" is:"maxitems=46" doc:"Tags of the state machine."`
	Alias                   string              `json:"alias" is:"default=live,match=alias,maxlen=80" doc:"The alias executions are started through; none for a state machine as it is."`
	AliasDescription        string              `json:"aliasDescription,omitempty" is:"maxlen=256" doc:"The description of the alias."`
	Rollout                 *rolloutDoc         `json:"rollout" doc:"How executions move to a new version, in lockstep with the release's functions."`
}

func workflowKind() *kind {
	return newKind[workflowSpec](kind{
		name:       KindWorkflow,
		summary:    "A Step Functions state machine with its alias and role, rolled out like a function.",
		nameRule:   rule{required: true, maxLen: 80, match: patterns["name"]},
		limit:      80,
		attributes: []string{"arn", "name", AttributeAlias},
		include:    "definition",
		expand:     expandWorkflow,
		example: `apiVersion: mooring.dev/v1
kind: Workflow
metadata: {name: fulfil}
spec:
  definition:
    StartAt: Wait
    States:
      Wait: {Type: Wait, Seconds: 5, Next: Notify}
      Notify:
        Type: Task
        Resource: arn:aws:states:::sqs:sendMessage
        Parameters: {QueueUrl: {ref: Queue/parcels, attribute: url}, MessageBody.$: $}
        End: true
  type: STANDARD
  role: {statements: []}
  tracingConfiguration: {enabled: true}
  rollout: {strategy: canary, stages: [{weight: 10, hold: 5m}]}
---
apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: parcels}
`,
	})
}

func (s *workflowSpec) check(d *decoder, n *node) {
	checkDefinition(d, n.get("definition"), s.Definition)
	if l := s.LoggingConfiguration; l != nil && l.Level != "OFF" && len(l.Destinations) == 0 {
		d.fault(n.get("loggingConfiguration").pos(), "level "+l.Level+" needs destinations", "as destinations: [{cloudWatchLogsLogGroup: {logGroupArn: …}}]")
	}
	if e := s.EncryptionConfiguration; e != nil {
		at := n.get("encryptionConfiguration").pos()
		switch own := e.Type == "AWS_OWNED_KEY"; {
		case own && (e.KmsKeyID != "" || e.KmsDataKeyReusePeriodSeconds != 0):
			d.fault(at, "AWS_OWNED_KEY has no key of yours", "leave kmsKeyId and kmsDataKeyReusePeriodSeconds out")
		case !own && e.KmsKeyID == "":
			d.fault(at, "CUSTOMER_MANAGED_KMS_KEY needs kmsKeyId", "")
		}
	}
	if s.Rollout != nil {
		s.checkRollout(d, n.get("rollout"))
	}
	checkTags(d, n.get("tags"), s.Tags)
}

func (s *workflowSpec) checkRollout(d *decoder, n *node) {
	if s.Alias == "none" && len(s.Rollout.Stages) > 1 {
		d.fault(n.pos(), "alias: none leaves no executions to move", "leave out rollout, or give the workflow an alias")
	}
	if s.Rollout.Force {
		d.fault(n.get("force").pos(), "force is for environments", "a workflow's own rollout holds unless its environment forces another")
	}
	refuseDeadman(d, n, s.Rollout)
}

func expandWorkflow(x *expansion) {
	w := x.written.(*workflowSpec)
	self := Ref{KindWorkflow, x.meta.Name}
	spec := w.normal()
	delivery := deliveryOf(x.settings, w.Rollout, w.Alias != "none")
	if w.Role.Managed != nil {
		role := w.managedRole(spec)
		spec.Role = Value{Ref: Ref{KindRole, x.meta.Name}}
		x.child(spec.Role.Ref, "", role, role.refs())
	}
	x.top(spec, spec.refs())
	if w.Alias != "none" {
		delivery.Alias = Ref{KindWorkflowAlias, x.meta.Name + "." + w.Alias}
		x.child(delivery.Alias, w.Alias, &AliasSpec{Description: w.AliasDescription}, []Ref{self})
	}
	x.delivery, x.function = delivery, self
}

// normal is the part of a workflow that a version keeps, and its tags.
func (s *workflowSpec) normal() *WorkflowSpec {
	out := &WorkflowSpec{
		Definition: throughAliases(s.Definition).(map[string]any), Type: s.Type, Role: s.Role.Value,
		LoggingConfiguration: s.LoggingConfiguration, TracingConfiguration: s.TracingConfiguration,
		EncryptionConfiguration: s.EncryptionConfiguration, Tags: s.Tags,
	}
	if e := s.EncryptionConfiguration; e != nil && e.Type != "AWS_OWNED_KEY" && e.KmsDataKeyReusePeriodSeconds == 0 {
		with := *e
		with.KmsDataKeyReusePeriodSeconds = 300
		out.EncryptionConfiguration = &with
	}
	return out
}

// throughAliases makes every reference to the ARN of a versioned resource one
// to the ARN of its alias: an execution that runs for a year must not find
// other code on the way.
func throughAliases(x any) any {
	switch x := x.(type) {
	case map[string]any:
		if ref, ok := DocumentRef(x); ok {
			if _, asked := x["attribute"]; !asked && Versioned(ref.Kind) {
				return map[string]any{"ref": ref.String(), "attribute": AttributeAlias}
			}
			return x
		}
		out := make(map[string]any, len(x))
		for key, value := range x {
			out[key] = throughAliases(value)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, value := range x {
			out[i] = throughAliases(value)
		}
		return out
	}
	return x
}

func (s *WorkflowSpec) refs() []Ref {
	refs := documentRefs(targets(Ref{}, &s.Role), s.Definition)
	if l := s.LoggingConfiguration; l != nil {
		for _, d := range l.Destinations {
			refs = append(refs, targets(Ref{}, &d.CloudWatchLogsLogGroup.LogGroupArn)...)
		}
	}
	return refs
}

// managedRole is a workflow's own role: what it declares, and the statements
// without which the references of its definition would be refused:
//
//	MooringInvoke     invoking the functions it refers to, through their aliases
//	MooringSend       sending to the queues it refers to
//	MooringExecute    starting the workflows it refers to
//	MooringLogs       delivering its log, where it has a destination
//	MooringTracing    sending traces, where tracing is enabled
func (s *workflowSpec) managedRole(spec *WorkflowSpec) *RoleSpec {
	written := *s.Role.Managed
	if written.AssumeRolePolicy == nil {
		written.AssumeRolePolicy = serviceTrust("states.amazonaws.com")
	}
	out := written.normal()
	var own []map[string]any
	for _, g := range []struct{ kind, attribute, sid, action string }{
		{KindFunction, AttributeAlias, "Invoke", "lambda:InvokeFunction"},
		{KindQueue, "", "Send", "sqs:SendMessage"},
		{KindWorkflow, AttributeAlias, "Execute", "states:StartExecution"},
	} {
		if found := referred(spec.Definition, g.kind, g.attribute); len(found) > 0 {
			own = append(own, allow(g.sid, found, g.action))
		}
	}
	everything := []any{"*"}
	if l := s.LoggingConfiguration; l != nil && len(l.Destinations) > 0 {
		own = append(own, allow("Logs", everything, "logs:CreateLogDelivery", "logs:CreateLogStream", "logs:GetLogDelivery", "logs:UpdateLogDelivery",
			"logs:DeleteLogDelivery", "logs:ListLogDeliveries", "logs:PutLogEvents", "logs:PutResourcePolicy",
			"logs:DescribeResourcePolicies", "logs:DescribeLogGroups"))
	}
	if t := s.TracingConfiguration; t != nil && t.Enabled {
		own = append(own, allow("Tracing", everything, "xray:PutTraceSegments", "xray:PutTelemetryRecords",
			"xray:GetSamplingRules", "xray:GetSamplingTargets"))
	}
	out.Statements = append(own, out.Statements...)
	return out
}

// referred lists the resources of a kind that a document refers to, as
// references, sorted.
func referred(doc any, kind, attribute string) []any {
	found := map[string]bool{}
	for _, ref := range documentRefs(nil, doc) {
		if ref.Kind == kind {
			found[ref.String()] = true
		}
	}
	var out []any
	for _, name := range slices.Sorted(maps.Keys(found)) {
		ref := map[string]any{"ref": name}
		if attribute != "" {
			ref["attribute"] = attribute
		}
		out = append(out, ref)
	}
	return out
}
