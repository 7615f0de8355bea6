package manifest

// KindRule is an EventBridge rule; Rule/checkout.orders is one of a function.
const KindRule = "Rule"

// RuleSpec is an EventBridge rule with its targets. Members are PutRule's and
// PutTargets'.
type RuleSpec struct {
	Description        string                `json:"description,omitempty"`
	EventBusName       string                `json:"eventBusName"` // default "default"
	EventPattern       map[string]any        `json:"eventPattern,omitempty"`
	ScheduleExpression string                `json:"scheduleExpression,omitempty"`
	State              string                `json:"state"` // default ENABLED
	RoleArn            Value                 `json:"roleArn,omitzero"`
	Targets            map[string]RuleTarget `json:"targets,omitempty"` // by target id
	Tags               map[string]string     `json:"tags,omitempty"`
}

// RuleTarget is where a rule sends its events. Of input, inputPath and
// inputTransformer at most one is set.
type RuleTarget struct {
	Arn              Value             `json:"arn"`
	RoleArn          Value             `json:"roleArn,omitzero"`
	Input            any               `json:"input,omitempty"` // JSON
	InputPath        string            `json:"inputPath,omitempty"`
	InputTransformer *InputTransformer `json:"inputTransformer,omitempty"`
	DeadLetter       Value             `json:"deadLetter,omitzero"`
	RetryPolicy      *RetryPolicy      `json:"retryPolicy,omitempty"`
	MessageGroupID   string            `json:"messageGroupId,omitempty"` // of a FIFO queue
}

// InputTransformer makes a target's input out of the event.
type InputTransformer struct {
	InputPathsMap map[string]string `json:"inputPathsMap,omitempty" is:"maxitems=100" doc:"Parts of the event by name, as {order: $.detail.id}."`
	InputTemplate string            `json:"inputTemplate" is:"required,maxlen=8192" doc:"What the target gets; <order> stands for a part of the event."`
}

// RetryPolicy is how long and how often a delivery is tried again. What is
// nil is AWS's default: 86400 seconds, 185 attempts.
type RetryPolicy struct {
	MaximumEventAgeInSeconds *int `json:"maximumEventAgeInSeconds,omitempty" is:"min=60,max=86400" doc:"Seconds an event may wait. Default 86400."`
	MaximumRetryAttempts     *int `json:"maximumRetryAttempts,omitempty" is:"min=0,max=185" doc:"Further attempts after a failure. Default 185."`
}
