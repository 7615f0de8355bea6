package manifest

// WorkflowSpec is a Step Functions state machine. The definition is a document
// of the Amazon States Language with references in it: {"ref": "Function/x"}
// stands for the ARN of the function's alias. A published version keeps all of
// it but the tags.
type WorkflowSpec struct {
	Definition              map[string]any      `json:"definition"`
	Type                    string              `json:"type"` // STANDARD | EXPRESS; never changes
	Role                    Value               `json:"role"` // an ARN, or {ref: Role/w}
	LoggingConfiguration    *WorkflowLogging    `json:"loggingConfiguration,omitempty"`
	TracingConfiguration    *WorkflowTracing    `json:"tracingConfiguration,omitempty"`
	EncryptionConfiguration *WorkflowEncryption `json:"encryptionConfiguration,omitempty"`
	Tags                    map[string]string   `json:"tags,omitempty"`
}

// WorkflowLogging is what a state machine writes to CloudWatch Logs.
type WorkflowLogging struct {
	Level                string                `json:"level" is:"default=OFF,enum=ALL|ERROR|FATAL|OFF" doc:"Which events are logged."`
	IncludeExecutionData bool                  `json:"includeExecutionData,omitempty" doc:"Whether input, output and what states pass on is logged too."`
	Destinations         []WorkflowDestination `json:"destinations,omitempty" is:"maxitems=1" doc:"Where the log goes; needed unless level is OFF."`
}

// WorkflowDestination is where a state machine's log goes.
type WorkflowDestination struct {
	CloudWatchLogsLogGroup WorkflowLogGroup `json:"cloudWatchLogsLogGroup" is:"required" doc:"A log group."`
}

// WorkflowLogGroup names a log group.
type WorkflowLogGroup struct {
	LogGroupArn Value `json:"logGroupArn" is:"required,target" doc:"Its ARN (with :* behind it or without), or a reference."`
}

// WorkflowTracing is X-Ray.
type WorkflowTracing struct {
	Enabled bool `json:"enabled" is:"required" doc:"Whether executions are traced."`
}

// WorkflowEncryption is the key that definition and history are encrypted with.
type WorkflowEncryption struct {
	Type                         string `json:"type" is:"required,enum=AWS_OWNED_KEY|CUSTOMER_MANAGED_KMS_KEY" doc:"Whose key it is."`
	KmsKeyID                     string `json:"kmsKeyId,omitempty" is:"maxlen=2048" doc:"The key, with CUSTOMER_MANAGED_KMS_KEY."`
	KmsDataKeyReusePeriodSeconds int    `json:"kmsDataKeyReusePeriodSeconds,omitempty" is:"min=60,max=900" doc:"Seconds a data key is used again. Default 300."`
}
