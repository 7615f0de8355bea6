package manifest

// A topic and what is subscribed to it.
const (
	KindTopic        = "Topic"
	KindSubscription = "Subscription" // Subscription/orders.audit, of a topic; Subscription/checkout.orders, of a function
)

// TopicSpec is an SNS topic. Members are the attributes of SetTopicAttributes.
type TopicSpec struct {
	DisplayName               string                   `json:"displayName,omitempty"`
	FifoTopic                 bool                     `json:"fifoTopic,omitempty"`
	ContentBasedDeduplication bool                     `json:"contentBasedDeduplication,omitempty"`
	FifoThroughputScope       string                   `json:"fifoThroughputScope,omitempty"` // Topic | MessageGroup
	ArchivePolicy             map[string]any           `json:"archivePolicy,omitempty"`
	KmsMasterKeyID            string                   `json:"kmsMasterKeyId,omitempty"`
	SignatureVersion          int                      `json:"signatureVersion"` // default 1
	TracingConfig             string                   `json:"tracingConfig"`    // default PassThrough
	DeliveryPolicy            map[string]any           `json:"deliveryPolicy,omitempty"`
	DeliveryStatusLogging     map[string]StatusLogging `json:"deliveryStatusLogging,omitempty"` // by protocol
	Policy                    map[string]any           `json:"policy,omitempty"`
	Tags                      map[string]string        `json:"tags,omitempty"`
}

// StatusLogging is how the deliveries of one protocol are logged.
type StatusLogging struct {
	SuccessFeedbackRoleArn    string `json:"successFeedbackRoleArn,omitempty" is:"match=roleArn" doc:"The role that logs deliveries that arrived."`
	SuccessFeedbackSampleRate int    `json:"successFeedbackSampleRate,omitempty" is:"min=0,max=100" doc:"Percent of the deliveries that arrived which are logged."`
	FailureFeedbackRoleArn    string `json:"failureFeedbackRoleArn,omitempty" is:"match=roleArn" doc:"The role that logs deliveries that failed."`
}

// SubscriptionSpec is one subscription of a topic. Members are the attributes
// of SetSubscriptionAttributes.
type SubscriptionSpec struct {
	Topic               Value          `json:"topic"` // Topic/orders, or an ARN
	Protocol            string         `json:"protocol"`
	Endpoint            Value          `json:"endpoint"`
	FilterPolicy        map[string]any `json:"filterPolicy,omitempty"`
	FilterPolicyScope   string         `json:"filterPolicyScope,omitempty"` // with filterPolicy; default MessageAttributes
	RawMessageDelivery  bool           `json:"rawMessageDelivery,omitempty"`
	DeadLetter          Value          `json:"deadLetter,omitzero"` // of the redrive policy
	DeliveryPolicy      map[string]any `json:"deliveryPolicy,omitempty"`
	SubscriptionRoleArn string         `json:"subscriptionRoleArn,omitempty"`
}
