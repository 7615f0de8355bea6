package manifest

// ruleTrigger is an EventBridge rule of the function's own, whose one target is
// the function's alias, and the permission for the rule to invoke it.
type ruleTrigger struct {
	Rule ruleTriggerDoc `json:"rule" is:"required" doc:"A rule of the function's own."`
}

type ruleTriggerDoc struct {
	Description        string            `json:"description" is:"maxlen=512" doc:"What the rule is for."`
	EventBusName       string            `json:"eventBusName" is:"default=default,match=busName,maxlen=256" doc:"The bus, by name."`
	EventPattern       map[string]any    `json:"eventPattern" is:"opaque" doc:"Which events fit, in the spelling of EventBridge."`
	ScheduleExpression string            `json:"scheduleExpression" is:"match=ruleTime,maxlen=256" doc:"When it fires, as rate(1 hour), in UTC. A trigger by schedule can do more."`
	State              string            `json:"state" is:"default=ENABLED,enum=ENABLED|DISABLED|ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" doc:"Whether it is switched on."`
	Input              any               `json:"input" is:"opaque" doc:"What the function gets instead of the event: JSON, or the same in YAML."`
	InputPath          string            `json:"inputPath" is:"match=jsonPath,maxlen=256" doc:"The part of the event the function gets."`
	InputTransformer   *InputTransformer `json:"inputTransformer" doc:"What the function gets, made out of the event."`
	DeadLetter         *Value            `json:"deadLetter" is:"target,kinds=Queue" doc:"The queue for what cannot be delivered, as Queue/orders-dlq, or an ARN. Its policy must let EventBridge send."`
	RetryPolicy        *RetryPolicy      `json:"retryPolicy" doc:"How long and how often a delivery is tried again."`
	Permission         bool              `json:"permission" is:"default=true" doc:"Whether the statement that lets the rule invoke comes along; false leaves that to permissions."`
}

func (t *ruleTrigger) expand(c *children, key string) {
	r := &t.Rule
	target := (&ruleTargetDoc{
		Arn: Value{Ref: c.front}, Input: r.Input, InputPath: r.InputPath, InputTransformer: r.InputTransformer, DeadLetter: r.DeadLetter, RetryPolicy: r.RetryPolicy,
	}).normal()
	spec := &RuleSpec{
		Description: r.Description, EventBusName: r.EventBusName, EventPattern: r.EventPattern,
		ScheduleExpression: r.ScheduleExpression, State: r.State, Targets: map[string]RuleTarget{key: target},
	}
	ref := Ref{KindRule, c.x.meta.Name + "." + key}
	c.x.named(ref, key, 64, spec, spec.refs())
	if r.Permission {
		c.permit(key, "events.amazonaws.com", Value{Ref: ref})
	}
}

func (t *ruleTrigger) clash() clash { return clash{} }

// grant is none: EventBridge calls the function itself.
func (t *ruleTrigger) grant() grant { return grant{} }

func (r *ruleTriggerDoc) check(d *decoder, n *node) {
	checkRule(d, n, r.EventPattern, r.ScheduleExpression, r.EventBusName)
	r.Input = jsonInput(d, n, r.Input)
	checkInputs(d, n)
}
