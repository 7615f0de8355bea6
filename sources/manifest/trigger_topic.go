package manifest

// topicTrigger is a subscription of the function's alias to an SNS topic, and
// the permission for the topic to invoke it.
type topicTrigger struct {
	Topic             Value          `json:"topic" is:"required,target,kinds=Topic" doc:"The topic, as Topic/orders, or an ARN."`
	FilterPolicy      map[string]any `json:"filterPolicy" is:"opaque" doc:"Which messages are delivered, in the spelling of SNS."`
	FilterPolicyScope string         `json:"filterPolicyScope" is:"enum=MessageAttributes|MessageBody" doc:"What the filter looks at. Default MessageAttributes."`
	DeadLetter        *Value         `json:"deadLetter" is:"target,kinds=Queue" doc:"The queue for what cannot be delivered, as Queue/orders-dlq, or an ARN."`
	Permission        bool           `json:"permission" is:"default=true" doc:"Whether the statement that lets the topic invoke comes along; false leaves that to permissions."`
}

func (t *topicTrigger) expand(c *children, key string) {
	spec := &SubscriptionSpec{
		Topic: t.Topic, Protocol: "lambda", Endpoint: Value{Ref: c.front}, FilterPolicy: t.FilterPolicy,
		FilterPolicyScope: filtering{t.FilterPolicy, t.FilterPolicyScope}.effective(),
	}
	if t.DeadLetter != nil {
		spec.DeadLetter = *t.DeadLetter
	}
	c.x.child(Ref{KindSubscription, c.x.meta.Name + "." + key}, key, spec,
		documentRefs(targets(c.front, &spec.Topic, &spec.DeadLetter), t.FilterPolicy))
	if t.Permission {
		c.permit(key, "sns.amazonaws.com", t.Topic)
	}
}

// permit adds the permission a source needs to invoke the alias.
func (c *children) permit(key, service string, source Value) {
	spec := &PermissionSpec{Alias: c.alias, Action: "lambda:InvokeFunction", Principal: service, SourceArn: source}
	c.x.child(Ref{KindPermission, c.x.meta.Name + "." + key}, key, spec, targets(c.front, &spec.SourceArn))
}

func (t *topicTrigger) clash() clash {
	return clash{
		identity: "topic " + t.Topic.Literal + t.Topic.Ref.String(),
		message:  "names the same topic as", hint: "SNS knows one subscription of an endpoint to a topic",
	}
}

func (t *topicTrigger) check(d *decoder, n *node) {
	filtering{t.FilterPolicy, t.FilterPolicyScope}.check(d, n)
}

// grant is none: SNS calls the function itself.
func (t *topicTrigger) grant() grant { return grant{} }
