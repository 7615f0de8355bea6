package manifest

// LogGroupSpec is a log group of CloudWatch Logs. Members are
// CreateLogGroup's, PutRetentionPolicy's, PutSubscriptionFilter's and
// PutMetricFilter's.
type LogGroupSpec struct {
	RetentionInDays           int                           `json:"retentionInDays" is:"min=0,max=3653" doc:"Days events are kept, one of the numbers AWS takes. 0, the default, keeps them for ever."`
	LogGroupClass             string                        `json:"logGroupClass" is:"default=STANDARD,enum=STANDARD|INFREQUENT_ACCESS|DELIVERY" doc:"The class of storage. It cannot be changed later."`
	KmsKeyID                  string                        `json:"kmsKeyId,omitempty" is:"match=arn,maxlen=256" doc:"The KMS key events are encrypted with, by ARN."`
	DeletionProtectionEnabled bool                          `json:"deletionProtectionEnabled,omitempty" doc:"Whether AWS refuses to delete it."`
	SubscriptionFilters       map[string]SubscriptionFilter `json:"subscriptionFilters,omitempty" is:"keys=filterName,maxitems=2" doc:"Where events are sent as they come, by filter name."`
	MetricFilters             map[string]MetricFilter       `json:"metricFilters,omitempty" is:"keys=filterName,maxitems=100" doc:"Metrics made of events, by filter name."`
	DeletionPolicy            string                        `json:"deletionPolicy" is:"default=Retain,enum=Retain|Delete" doc:"What becomes of the group and its events when the manifest goes: it stays, or it is deleted."`
	Tags                      map[string]string             `json:"tags,omitempty" is:"maxitems=45" doc:"Tags of the log group."`
}

// SubscriptionFilter sends the events that match to one destination.
type SubscriptionFilter struct {
	FilterPattern  string `json:"filterPattern" is:"maxlen=1024" doc:"Which events, in the language of CloudWatch Logs; empty for all."`
	DestinationArn Value  `json:"destinationArn" is:"required,target,kinds=Alias" doc:"Where they go: Alias/f.live of a function that lets logs.amazonaws.com invoke it, or the ARN of a stream or destination."`
	RoleArn        *Value `json:"roleArn,omitempty" is:"target,kinds=Role" doc:"The role that may write to a stream."`
	Distribution   string `json:"distribution" is:"default=ByLogStream,enum=ByLogStream|Random" doc:"How events are spread over a stream's shards."`
}

// MetricFilter counts, or reads numbers out of, the events that match.
type MetricFilter struct {
	FilterPattern   string            `json:"filterPattern" is:"maxlen=1024" doc:"Which events, in the language of CloudWatch Logs; empty for all."`
	MetricNamespace string            `json:"metricNamespace" is:"required,maxlen=255" doc:"The metric's namespace."`
	MetricName      string            `json:"metricName" is:"required,maxlen=255" doc:"The metric's name."`
	MetricValue     string            `json:"metricValue" is:"default=1,maxlen=100" doc:"The value of each event: a number, or a field of the pattern, as $.latency."`
	DefaultValue    *float64          `json:"defaultValue,omitempty" doc:"The value of periods with events, none of which match."`
	Dimensions      map[string]string `json:"dimensions,omitempty" is:"maxitems=3" doc:"Dimensions, with the fields of the pattern that fill them."`
	Unit            string            `json:"unit" is:"default=None,enum=Seconds|Microseconds|Milliseconds|Bytes|Kilobytes|Megabytes|Gigabytes|Terabytes|Bits|Kilobits|Megabits|Gigabits|Terabits|Percent|Count|Bytes/Second|Kilobytes/Second|Megabytes/Second|Gigabytes/Second|Terabytes/Second|Bits/Second|Kilobits/Second|Megabits/Second|Gigabits/Second|Terabits/Second|Count/Second|None" doc:"The metric's unit."`
}
