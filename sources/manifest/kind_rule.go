package manifest

import (
	"encoding/json"
	"maps"
	"slices"
)

// ruleSpec is a Rule as written.
type ruleSpec struct {
	Description        string                   `json:"description" is:"maxlen=512" doc:"What the rule is for."`
	EventBusName       string                   `json:"eventBusName" is:"default=default,match=busName,maxlen=256" doc:"The bus, by name."`
	EventPattern       map[string]any           `json:"eventPattern" is:"opaque" doc:"Which events fit, in the spelling of EventBridge."`
	ScheduleExpression string                   `json:"scheduleExpression" is:"match=ruleTime,maxlen=256" doc:"When it fires, as rate(1 hour) or cron(0 12 * * ? *), in UTC. A Schedule can do more."`
	State              string                   `json:"state" is:"default=ENABLED,enum=ENABLED|DISABLED|ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" doc:"Whether it is switched on."`
	RoleArn            *Value                   `json:"roleArn" is:"target,kinds=Role" doc:"The role it sends to other buses with, as Role/x, or an ARN."`
	Targets            map[string]ruleTargetDoc `json:"targets" is:"keys=targetId,maxitems=5" doc:"Where events go, by target id; at most 5."`
	Tags               map[string]string        `json:"tags" is:"maxitems=46" doc:"Tags of the rule."`
}

type ruleTargetDoc struct {
	Arn              Value             `json:"arn" is:"required,target" doc:"The target, as Queue/orders, Topic/orders or Alias/checkout.live, or an ARN. A function is better triggered by a rule of its own."`
	RoleArn          *Value            `json:"roleArn" is:"target,kinds=Role" doc:"The role it is reached with, as Role/x, or an ARN."`
	Input            any               `json:"input" is:"opaque" doc:"What the target gets instead of the event: JSON, or the same in YAML."`
	InputPath        string            `json:"inputPath" is:"match=jsonPath,maxlen=256" doc:"The part of the event the target gets."`
	InputTransformer *InputTransformer `json:"inputTransformer" doc:"What the target gets, made out of the event."`
	DeadLetter       *Value            `json:"deadLetter" is:"target,kinds=Queue" doc:"The queue for what cannot be delivered, as Queue/orders-dlq, or an ARN. Its policy must let EventBridge send."`
	RetryPolicy      *RetryPolicy      `json:"retryPolicy" doc:"How long and how often a delivery is tried again."`
	MessageGroupID   string            `json:"messageGroupId" is:"maxlen=100" doc:"The message group, of a FIFO queue."`
}

func ruleKind() *kind {
	return newKind[ruleSpec](kind{
		name:       KindRule,
		summary:    "An EventBridge rule: a pattern of events or a schedule, and its targets.",
		nameRule:   rule{required: true, maxLen: 64, match: patterns["ruleName"]},
		limit:      64,
		attributes: []string{"arn", "name"},
		expand:     expandRule,
		example: `apiVersion: mooring.dev/v1
kind: Rule
metadata: {name: paid-orders}
spec:
  eventPattern: {source: [shop], detail-type: [paid]}
  targets:
    audit:
      arn: Queue/audit
      inputTransformer:
        inputPathsMap: {order: $.detail.id}
        inputTemplate: '{"paid": <order>}'
      retryPolicy: {maximumRetryAttempts: 10}
---
apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: audit}
`,
	})
}

func (r *ruleSpec) check(d *decoder, n *node) {
	checkRule(d, n, r.EventPattern, r.ScheduleExpression, r.EventBusName)
	checkTags(d, n.get("tags"), r.Tags)
}

// checkRule wants a pattern or a schedule.
func checkRule(d *decoder, n *node, pattern map[string]any, schedule, bus string) {
	if len(pattern) == 0 && schedule == "" {
		d.need(n.pos(), "needs eventPattern or scheduleExpression", "")
	}
	if schedule != "" && bus != "default" {
		d.fault(n.get("scheduleExpression").pos(), "scheduleExpression is for the default bus only", "use a Schedule")
	}
	if doc := n.get("eventPattern"); doc != nil {
		checkPattern(d, doc)
	}
}

// checkPattern refuses leaves that are no lists, which is how patterns are got
// wrong.
func checkPattern(d *decoder, n *node) {
	for _, e := range n.entries {
		switch {
		case e.value.kind == mapNode && e.value.get("value") == nil && e.value.get("ref") == nil:
			checkPattern(d, e.value)
		case e.value.kind >= boolNode && e.value.kind <= stringNode:
			d.fault(e.value.pos(), "eventPattern: "+quote(e.key)+" is no list of values", "write ["+shorten(e.value.text)+"]")
		}
	}
}

func (t *ruleTargetDoc) check(d *decoder, n *node) {
	t.Input = jsonInput(d, n, t.Input)
	checkInputs(d, n)
}

func checkInputs(d *decoder, n *node) {
	ways := 0
	for _, name := range []string{"input", "inputPath", "inputTransformer"} {
		if n.get(name) != nil {
			ways++
		}
	}
	if ways > 1 {
		d.fault(n.pos(), "has more than one of input, inputPath and inputTransformer", "choose one")
	}
}

// jsonInput is an input in normal form: text is read as the JSON it is.
func jsonInput(d *decoder, n *node, input any) any {
	text, isText := input.(string)
	if !isText {
		return input
	}
	var out any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		d.fault(n.get("input").pos(), "input is no JSON", "write JSON, or the same in YAML")
	}
	return out
}

func expandRule(x *expansion) {
	r := x.written.(*ruleSpec)
	spec := &RuleSpec{
		Description: r.Description, EventBusName: r.EventBusName, EventPattern: r.EventPattern,
		ScheduleExpression: r.ScheduleExpression, State: r.State, Tags: r.Tags,
	}
	if r.RoleArn != nil {
		spec.RoleArn = *r.RoleArn
	}
	for _, id := range slices.Sorted(maps.Keys(r.Targets)) {
		t := r.Targets[id]
		if spec.Targets == nil {
			spec.Targets = map[string]RuleTarget{}
		}
		spec.Targets[id] = t.normal()
	}
	x.top(spec, spec.refs())
}

func (t *ruleTargetDoc) normal() RuleTarget {
	out := RuleTarget{
		Arn: t.Arn, Input: t.Input, InputPath: t.InputPath, InputTransformer: t.InputTransformer,
		RetryPolicy: t.RetryPolicy, MessageGroupID: t.MessageGroupID,
	}
	if t.RoleArn != nil {
		out.RoleArn = *t.RoleArn
	}
	if t.DeadLetter != nil {
		out.DeadLetter = *t.DeadLetter
	}
	return out
}

func (r *RuleSpec) refs() []Ref {
	refs := documentRefs(targets(Ref{}, &r.RoleArn), r.EventPattern)
	for _, t := range r.Targets {
		refs = append(refs, documentRefs(targets(Ref{}, &t.Arn, &t.RoleArn, &t.DeadLetter), t.Input)...)
	}
	return refs
}
