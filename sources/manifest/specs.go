package manifest

import "time"

// Artifact is the code of a function, named by what was tested: its digest.
type Artifact struct {
	URI     string `json:"uri,omitempty"`     // s3://bucket/key, file:path
	Image   string `json:"image,omitempty"`   // container functions: repository@sha256:… or repository with Digest
	Digest  string `json:"digest,omitempty"`  // sha256:… of the zip, or of the image manifest
	Version string `json:"version,omitempty"` // S3 object version
}

// FunctionConfig is the part of a function that a published version keeps
// (code and configuration), and its tags. Members and units are those of
// Lambda's CreateFunction; environment is the map itself.
type FunctionConfig struct {
	Artifact             Artifact          `json:"artifact"`
	PackageType          string            `json:"packageType"` // Zip | Image, from the artifact
	Runtime              string            `json:"runtime,omitempty"`
	Handler              string            `json:"handler,omitempty"`
	Description          string            `json:"description,omitempty"`
	Architectures        []string          `json:"architectures,omitempty"` // default [x86_64]
	MemorySize           int               `json:"memorySize"`              // MB, default 128
	Timeout              int               `json:"timeout"`                 // seconds, default 3
	Environment          map[string]Value  `json:"environment,omitempty"`
	Role                 Value             `json:"role"` // an ARN, or {ref: Role/f}
	Layers               []string          `json:"layers,omitempty"`
	VpcConfig            *VpcConfig        `json:"vpcConfig,omitempty"`
	DeadLetterConfig     *Target           `json:"deadLetterConfig,omitempty"`
	KmsKeyArn            string            `json:"kmsKeyArn,omitempty"`
	TracingConfig        *TracingConfig    `json:"tracingConfig,omitempty"`
	FileSystemConfigs    []FileSystem      `json:"fileSystemConfigs,omitempty"`
	ImageConfig          *ImageConfig      `json:"imageConfig,omitempty"`
	EphemeralStorage     *EphemeralStorage `json:"ephemeralStorage,omitempty"`
	SnapStart            *SnapStart        `json:"snapStart,omitempty"`
	LoggingConfig        *LoggingConfig    `json:"loggingConfig,omitempty"`
	CodeSigningConfigArn string            `json:"codeSigningConfigArn,omitempty"`
	SourceKmsKeyArn      string            `json:"sourceKmsKeyArn,omitempty"`
	Tags                 map[string]string `json:"tags,omitempty"`
}

type VpcConfig struct {
	SubnetIds               []string `json:"subnetIds"`
	SecurityGroupIds        []string `json:"securityGroupIds"`
	Ipv6AllowedForDualStack bool     `json:"ipv6AllowedForDualStack,omitempty"`
}

// Target is a destination by ARN or reference; a scalar "Queue/dlq" in YAML
// is shorthand for {targetArn: {ref: Queue/dlq}}.
type Target struct {
	TargetArn Value `json:"targetArn"`
}

type TracingConfig struct {
	Mode string `json:"mode"` // PassThrough | Active
}

type FileSystem struct {
	Arn            string `json:"arn"`
	LocalMountPath string `json:"localMountPath"`
}

type ImageConfig struct {
	EntryPoint       []string `json:"entryPoint,omitempty"`
	Command          []string `json:"command,omitempty"`
	WorkingDirectory string   `json:"workingDirectory,omitempty"`
}

type EphemeralStorage struct {
	Size int `json:"size"` // MB, default 512
}

type SnapStart struct {
	ApplyOn string `json:"applyOn"` // None | PublishedVersions
}

type LoggingConfig struct {
	LogFormat           string `json:"logFormat,omitempty"` // Text | JSON
	ApplicationLogLevel string `json:"applicationLogLevel,omitempty"`
	SystemLogLevel      string `json:"systemLogLevel,omitempty"`
	LogGroup            string `json:"logGroup,omitempty"`
}

// AliasSpec is the name traffic goes through. Where it points is the
// rollout's business, not the manifest's.
type AliasSpec struct {
	Description string `json:"description,omitempty"`
}

// TriggerSpec is an event source mapping of a queue onto the function's
// alias. Members and units are CreateEventSourceMapping's.
type TriggerSpec struct {
	Alias                          Ref      `json:"alias"` // zero with alias: none
	Queue                          Value    `json:"queue"` // Queue/orders, or an ARN
	Enabled                        bool     `json:"enabled"`
	BatchSize                      int      `json:"batchSize"` // default 10
	MaximumBatchingWindowInSeconds int      `json:"maximumBatchingWindowInSeconds,omitempty"`
	FunctionResponseTypes          []string `json:"functionResponseTypes,omitempty"`
	FilterPatterns                 []string `json:"filterPatterns,omitempty"` // JSON event patterns, carried whole
	MaximumConcurrency             int      `json:"maximumConcurrency,omitempty"`
	KmsKeyArn                      string   `json:"kmsKeyArn,omitempty"`
	MetricsConfig                  []string `json:"metricsConfig,omitempty"`
}

// PermissionSpec is one statement of the alias's resource policy.
type PermissionSpec struct {
	Alias                 Ref    `json:"alias"`
	Action                string `json:"action"` // default lambda:InvokeFunction
	Principal             string `json:"principal"`
	SourceArn             Value  `json:"sourceArn,omitzero"`
	SourceAccount         string `json:"sourceAccount,omitempty"`
	PrincipalOrgID        string `json:"principalOrgID,omitempty"`
	FunctionURLAuthType   string `json:"functionUrlAuthType,omitempty"`
	EventSourceToken      string `json:"eventSourceToken,omitempty"`
	InvokedViaFunctionURL bool   `json:"invokedViaFunctionUrl,omitempty"`
}

// URLSpec is a function URL on the alias.
type URLSpec struct {
	Alias      Ref    `json:"alias"`
	AuthType   string `json:"authType"`   // AWS_IAM | NONE
	InvokeMode string `json:"invokeMode"` // BUFFERED | RESPONSE_STREAM
	Cors       *Cors  `json:"cors,omitempty"`
}

type Cors struct {
	AllowCredentials bool     `json:"allowCredentials,omitempty"`
	AllowHeaders     []string `json:"allowHeaders,omitempty"`
	AllowMethods     []string `json:"allowMethods,omitempty"`
	AllowOrigins     []string `json:"allowOrigins,omitempty"`
	ExposeHeaders    []string `json:"exposeHeaders,omitempty"`
	MaxAge           int      `json:"maxAge,omitempty"` // seconds
}

// AsyncSpec is the alias's asynchronous invocation.
type AsyncSpec struct {
	Alias                    Ref    `json:"alias"`
	MaximumRetryAttempts     *int   `json:"maximumRetryAttempts,omitempty"`
	MaximumEventAgeInSeconds *int   `json:"maximumEventAgeInSeconds,omitempty"`
	OnSuccess                *Value `json:"onSuccess,omitempty"`
	OnFailure                *Value `json:"onFailure,omitempty"`
}

// ConcurrencySpec is the function's reserved concurrency.
type ConcurrencySpec struct {
	ReservedConcurrentExecutions int `json:"reservedConcurrentExecutions"`
}

// QueueSpec is an SQS queue. Times are seconds, sizes bytes, as in
// SetQueueAttributes.
type QueueSpec struct {
	VisibilityTimeout             int               `json:"visibilityTimeout"`             // default 30
	MessageRetentionPeriod        int               `json:"messageRetentionPeriod"`        // default 345600
	DelaySeconds                  int               `json:"delaySeconds"`                  // default 0
	MaximumMessageSize            int               `json:"maximumMessageSize"`            // default 262144
	ReceiveMessageWaitTimeSeconds int               `json:"receiveMessageWaitTimeSeconds"` // default 0
	FifoQueue                     bool              `json:"fifoQueue,omitempty"`
	ContentBasedDeduplication     bool              `json:"contentBasedDeduplication,omitempty"`
	DeduplicationScope            string            `json:"deduplicationScope,omitempty"`
	FifoThroughputLimit           string            `json:"fifoThroughputLimit,omitempty"`
	KmsMasterKeyID                string            `json:"kmsMasterKeyId,omitempty"`
	KmsDataKeyReusePeriodSeconds  int               `json:"kmsDataKeyReusePeriodSeconds,omitempty"`
	SqsManagedSseEnabled          *bool             `json:"sqsManagedSseEnabled,omitempty"` // default true unless a KMS key is named
	Redrive                       *Redrive          `json:"redrive,omitempty"`
	Policy                        map[string]any    `json:"policy,omitempty"` // IAM's own spelling, carried whole
	Tags                          map[string]string `json:"tags,omitempty"`
}

type Redrive struct {
	DeadLetter      Value `json:"deadLetter"` // Queue/orders-dlq, or an ARN
	MaxReceiveCount int   `json:"maxReceiveCount"`
}

// RoleSpec is an IAM role with inline statements. Documents keep IAM's
// spelling and are compared by meaning.
type RoleSpec struct {
	// Statements become the inline policy named "mooring". Resource strings
	// inside may be {ref: Queue/orders} objects, resolved to ARNs.
	Statements          []map[string]any  `json:"statements,omitempty"`
	ManagedPolicyArns   []string          `json:"managedPolicyArns,omitempty"`
	AssumeRolePolicy    map[string]any    `json:"assumeRolePolicy,omitempty"` // default: trusted by lambda.amazonaws.com
	Description         string            `json:"description,omitempty"`
	Path                string            `json:"path"`               // default "/"
	MaxSessionDuration  int               `json:"maxSessionDuration"` // seconds, default 3600
	PermissionsBoundary string            `json:"permissionsBoundary,omitempty"`
	Tags                map[string]string `json:"tags,omitempty"`
}

// SecretSpec is a secret that must exist; its value is never read.
type SecretSpec struct{}

// ParameterSpec is an SSM parameter that must exist; its value is never read.
type ParameterSpec struct{}

// Expects is the contract of a function's code.
type Expects struct {
	Environment []string `json:"environment,omitempty"`
	Queues      []string `json:"queues,omitempty"`
	Secrets     []string `json:"secrets,omitempty"`
	Parameters  []string `json:"parameters,omitempty"`
}

// Stage is one step of traffic: a share of calls, held for a time.
type Stage struct {
	Weight int      `json:"weight"` // percent of calls on the new version, 1..100
	Hold   Duration `json:"hold"`
}

// Duration is a time.Duration written as "5m".
type Duration time.Duration

// Rollout is how traffic moves to a new version.
type Rollout struct {
	Strategy string   `json:"strategy"` // allAtOnce | canary | linear | blueGreen, or CodeDeploy's names
	Force    bool     `json:"force,omitempty"`
	Stages   []Stage  `json:"stages,omitempty"` // always ends in 100 in normal form
	Analysis Analysis `json:"analysis,omitzero"`
}

// Analysis says how a stage is judged. Rates are shares of calls, 0..1.
type Analysis struct {
	FalseRollback float64  `json:"falseRollback"` // α of the sequential test, default 0.01
	Tolerance     float64  `json:"tolerance"`     // error rate over the baseline's that is no harm, default 0.02
	Confidence    float64  `json:"confidence"`    // for "no harm", default 0.95
	MinSamples    int      `json:"minSamples"`    // calls on the canary before a pass, default 50
	MaxHold       Duration `json:"maxHold"`       // how long undecided may last, default 30m
	OnUndecided   string   `json:"onUndecided"`   // hold (default) | proceed | rollback
	// PreTraffic invokes the new version before it gets traffic.
	PreTraffic *Check `json:"preTraffic,omitempty"`
}

// Check is a question put to an environment: invoke a function and assert on
// the response by JSON path.
type Check struct {
	Name   string  `json:"name,omitempty"`
	Invoke *Invoke `json:"invoke,omitempty"`
}

type Invoke struct {
	Function string         `json:"function,omitempty"`
	Payload  any            `json:"payload,omitempty"`
	Expect   map[string]any `json:"expect,omitempty"` // "$.ok": true
}
