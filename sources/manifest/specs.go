package manifest

import "time"

// Artifact is the code of a function, named by what was tested: its digest.
// Unmanaged code is somebody else's to write: with a digest it is held against
// what lives, without one nothing is said about it.
type Artifact struct {
	URI     string `json:"uri,omitempty" doc:"Where the zip is: s3://bucket/key, oci://registry/repository (the blob whose digest is the zip's), or file:path below the directory of artifacts."`
	Image   string `json:"image,omitempty" doc:"The repository of a container image, alone or with @sha256:…."`
	Digest  string `json:"digest,omitempty" is:"match=digest" doc:"What was tested: the digest of the zip or of the image, sha256:…."`
	Version string `json:"version,omitempty" is:"maxlen=1024" doc:"The version of the S3 object."`
	// Unmanaged code is observed and never written.
	Unmanaged bool `json:"unmanaged,omitempty" doc:"Whether something else brings the code: it is observed and never written. With a digest, other code is drift."`
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
	Role                 Value             `json:"role"`             // an ARN, or {ref: Role/f}
	Layers               []Value           `json:"layers,omitempty"` // ARNs of versions, or {ref: Layer/x}
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
	RecursiveLoop        string            `json:"recursiveLoop,omitempty"` // Allow; "" for Terminate, which is AWS's default
	Tags                 map[string]string `json:"tags,omitempty"`
}

type VpcConfig struct {
	SubnetIds               []string `json:"subnetIds" is:"required,minitems=1,maxitems=16,match=subnet" doc:"Subnets, at most 16."`
	SecurityGroupIds        []string `json:"securityGroupIds" is:"required,minitems=1,maxitems=5,match=group" doc:"Security groups, at most 5."`
	Ipv6AllowedForDualStack bool     `json:"ipv6AllowedForDualStack,omitempty" doc:"Whether IPv6 leaves through dual-stack subnets."`
}

// Target is a destination by ARN or reference; a scalar "Queue/dlq" in YAML
// is shorthand for {targetArn: {ref: Queue/dlq}}.
type Target struct {
	TargetArn Value `json:"targetArn"`
}

type TracingConfig struct {
	Mode string `json:"mode" is:"required,enum=PassThrough|Active" doc:"Active samples calls itself."`
}

type FileSystem struct {
	Arn            string `json:"arn" is:"required,match=arn,maxlen=256" doc:"The access point of the file system."`
	LocalMountPath string `json:"localMountPath" is:"required,match=mount,maxlen=160" doc:"Where the function sees it, below /mnt/."`
}

type ImageConfig struct {
	EntryPoint       []string `json:"entryPoint,omitempty" is:"maxitems=1500" doc:"Instead of the ENTRYPOINT of the image."`
	Command          []string `json:"command,omitempty" is:"maxitems=1500" doc:"Instead of the CMD of the image."`
	WorkingDirectory string   `json:"workingDirectory,omitempty" is:"maxlen=1000" doc:"Instead of the WORKDIR of the image."`
}

type EphemeralStorage struct {
	Size int `json:"size" is:"required,min=512,max=10240" doc:"Megabytes of /tmp."`
}

type SnapStart struct {
	ApplyOn string `json:"applyOn" is:"required,enum=None|PublishedVersions" doc:"Whether published versions start from a snapshot."`
}

type LoggingConfig struct {
	LogFormat           string `json:"logFormat,omitempty" is:"default=Text,enum=Text|JSON" doc:"How log lines are written."`
	ApplicationLogLevel string `json:"applicationLogLevel,omitempty" is:"enum=TRACE|DEBUG|INFO|WARN|ERROR|FATAL" doc:"The least severe line of the code that is kept; with JSON only."`
	SystemLogLevel      string `json:"systemLogLevel,omitempty" is:"enum=DEBUG|INFO|WARN" doc:"The least severe line of the platform that is kept; with JSON only."`
	LogGroup            string `json:"logGroup,omitempty" is:"maxlen=512" doc:"The log group, when not /aws/lambda/NAME."`
}

// AliasSpec is the name traffic goes through. Where it points is the
// rollout's business, not the manifest's.
type AliasSpec struct {
	Description string `json:"description,omitempty"`
}

// TriggerSpec is an event source mapping of a queue or a stream onto the
// function's alias; one of Queue, Table and Stream is set. Members and units
// are CreateEventSourceMapping's.
type TriggerSpec struct {
	Alias                          Ref      `json:"alias"`           // zero with alias: none
	Queue                          Value    `json:"queue,omitzero"`  // Queue/orders, or an ARN
	Table                          Value    `json:"table,omitzero"`  // the streamArn of Table/orders, or a stream's ARN
	Stream                         Value    `json:"stream,omitzero"` // the ARN of a Kinesis stream or consumer
	Enabled                        bool     `json:"enabled"`
	BatchSize                      int      `json:"batchSize"` // default 10, of streams 100
	MaximumBatchingWindowInSeconds int      `json:"maximumBatchingWindowInSeconds,omitempty"`
	FunctionResponseTypes          []string `json:"functionResponseTypes,omitempty"`
	FilterPatterns                 []string `json:"filterPatterns,omitempty"` // JSON event patterns, carried whole
	MaximumConcurrency             int      `json:"maximumConcurrency,omitempty"`
	KmsKeyArn                      string   `json:"kmsKeyArn,omitempty"`
	MetricsConfig                  []string `json:"metricsConfig,omitempty"`

	// Of streams only. StartingPosition is set for every stream.
	StartingPosition           string `json:"startingPosition,omitempty"`
	StartingPositionTimestamp  string `json:"startingPositionTimestamp,omitempty"` // RFC 3339
	ParallelizationFactor      int    `json:"parallelizationFactor,omitempty"`
	BisectBatchOnFunctionError bool   `json:"bisectBatchOnFunctionError,omitempty"`
	MaximumRetryAttempts       *int   `json:"maximumRetryAttempts,omitempty"`      // -1: for as long as records are kept
	MaximumRecordAgeInSeconds  int    `json:"maximumRecordAgeInSeconds,omitempty"` // -1: as long as they are kept
	TumblingWindowInSeconds    int    `json:"tumblingWindowInSeconds,omitempty"`
	OnFailure                  *Value `json:"onFailure,omitempty"`
}

// Source is the queue or the stream the trigger reads.
func (t *TriggerSpec) Source() Value {
	switch {
	case t.Table != Value{}:
		return t.Table
	case t.Stream != Value{}:
		return t.Stream
	}
	return t.Queue
}

// OfStream is true for a trigger that reads a stream.
func (t *TriggerSpec) OfStream() bool { return t.StartingPosition != "" }

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
	AllowCredentials bool     `json:"allowCredentials,omitempty" doc:"Whether cookies may come along."`
	AllowHeaders     []string `json:"allowHeaders,omitempty" is:"maxitems=100" doc:"Request headers allowed."`
	AllowMethods     []string `json:"allowMethods,omitempty" is:"maxitems=6,enum=GET|PUT|HEAD|POST|PATCH|DELETE|*" doc:"HTTP methods allowed."`
	AllowOrigins     []string `json:"allowOrigins,omitempty" is:"maxitems=100" doc:"Origins allowed."`
	ExposeHeaders    []string `json:"exposeHeaders,omitempty" is:"maxitems=100" doc:"Response headers shown to the caller."`
	MaxAge           int      `json:"maxAge,omitempty" is:"min=0,max=86400" doc:"Seconds a browser may keep the answer."`
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
	VisibilityTimeout             int               `json:"visibilityTimeout" is:"default=30,min=0,max=43200" doc:"Seconds a received message stays hidden."`
	MessageRetentionPeriod        int               `json:"messageRetentionPeriod" is:"default=345600,min=60,max=1209600" doc:"Seconds a message is kept."`
	DelaySeconds                  int               `json:"delaySeconds" is:"default=0,min=0,max=900" doc:"Seconds before a message can be received."`
	MaximumMessageSize            int               `json:"maximumMessageSize" is:"default=262144,min=1024,max=1048576" doc:"Bytes of the largest message."`
	ReceiveMessageWaitTimeSeconds int               `json:"receiveMessageWaitTimeSeconds" is:"default=0,min=0,max=20" doc:"Seconds a receive waits for messages."`
	FifoQueue                     bool              `json:"fifoQueue,omitempty" doc:"Whether order is kept. It cannot be changed later."`
	ContentBasedDeduplication     bool              `json:"contentBasedDeduplication,omitempty" doc:"Deduplicate by the digest of the body; FIFO only."`
	DeduplicationScope            string            `json:"deduplicationScope,omitempty" is:"enum=messageGroup|queue" doc:"Where duplicates are looked for; FIFO only."`
	FifoThroughputLimit           string            `json:"fifoThroughputLimit,omitempty" is:"enum=perQueue|perMessageGroupId" doc:"What the throughput quota is for; FIFO only."`
	KmsMasterKeyID                string            `json:"kmsMasterKeyId,omitempty" is:"maxlen=2048" doc:"The KMS key messages are encrypted with."`
	KmsDataKeyReusePeriodSeconds  int               `json:"kmsDataKeyReusePeriodSeconds,omitempty" is:"min=60,max=86400" doc:"Seconds a data key is used again."`
	SqsManagedSseEnabled          *bool             `json:"sqsManagedSseEnabled,omitempty" doc:"Encryption with a key of SQS. Default true, unless a KMS key is named."`
	Redrive                       *Redrive          `json:"redrive,omitempty" doc:"Where messages go that cannot be processed."`
	Policy                        map[string]any    `json:"policy,omitempty" is:"opaque" doc:"The queue policy, in the spelling of IAM."`
	Tags                          map[string]string `json:"tags,omitempty" is:"maxitems=46" doc:"Tags of the queue."`
}

type Redrive struct {
	DeadLetter      Value `json:"deadLetter" is:"required,target,kinds=Queue" doc:"The queue, as Queue/orders-dlq, or an ARN."`
	MaxReceiveCount int   `json:"maxReceiveCount" is:"required,min=1,max=1000" doc:"How often a message is received before it goes there."`
}

// RoleSpec is an IAM role with inline statements. Documents keep IAM's
// spelling and are compared by meaning.
type RoleSpec struct {
	// Statements become the inline policy named "mooring". Resource strings
	// inside may be {ref: Queue/orders} objects, resolved to ARNs.
	Statements []map[string]any `json:"statements,omitempty" is:"opaque" doc:"Statements of the inline policy, in the spelling of IAM. Resource may be {ref: Queue/orders}."`
	// InlinePolicies are further inline policies by name, whole documents.
	InlinePolicies      map[string]any    `json:"inlinePolicies,omitempty" is:"opaque" doc:"Further inline policies by name, whole documents in the spelling of IAM; statements is the one named mooring."`
	ManagedPolicyArns   []string          `json:"managedPolicyArns,omitempty" is:"maxitems=20,match=policyArn" doc:"Managed policies attached."`
	AssumeRolePolicy    map[string]any    `json:"assumeRolePolicy,omitempty" is:"opaque" doc:"Who may take the role, in the spelling of IAM. Default: lambda.amazonaws.com."`
	Description         string            `json:"description,omitempty" is:"maxlen=1000" doc:"What the role is for."`
	Path                string            `json:"path" is:"default=/,match=path,maxlen=512" doc:"The path of the role."`
	MaxSessionDuration  int               `json:"maxSessionDuration" is:"default=3600,min=3600,max=43200" doc:"Seconds a session lasts at most."`
	PermissionsBoundary string            `json:"permissionsBoundary,omitempty" is:"match=policyArn" doc:"The policy that bounds the role."`
	Tags                map[string]string `json:"tags,omitempty" is:"maxitems=46" doc:"Tags of the role."`
}

// SecretSpec is a secret that must exist; its value is never read.
type SecretSpec struct{}

// ParameterSpec is an SSM parameter that must exist; its value is never read.
type ParameterSpec struct{}

// Expects is the contract of a function's code.
type Expects struct {
	Environment []string `json:"environment,omitempty" is:"maxitems=1000" doc:"Environment variables the code reads."`
	Queues      []string `json:"queues,omitempty" is:"maxitems=1000" doc:"Queues the code uses, by name."`
	Secrets     []string `json:"secrets,omitempty" is:"maxitems=1000" doc:"Secrets the code reads, by name."`
	Parameters  []string `json:"parameters,omitempty" is:"maxitems=1000" doc:"Parameters the code reads, by name."`
	Topics      []string `json:"topics,omitempty" is:"maxitems=1000" doc:"Topics the code publishes to or is told by, by name."`
	Tables      []string `json:"tables,omitempty" is:"maxitems=1000" doc:"Tables the code uses, by name."`
	Buckets     []string `json:"buckets,omitempty" is:"maxitems=1000" doc:"Buckets the code uses, by name."`
	Workflows   []string `json:"workflows,omitempty" is:"maxitems=1000" doc:"Workflows the code starts, by name."`
	Permissions []string `json:"permissions,omitempty" is:"maxitems=1000" doc:"Statements that let others call the function, by statement id."`
}

// Stage is one step of traffic: a share of calls, held for a time.
type Stage struct {
	Weight int      `json:"weight" is:"required,min=1,max=100" doc:"Percent of calls on the new version."`
	Hold   Duration `json:"hold" doc:"How long this share is held and judged."`
}

// Duration is a time.Duration written as "5m".
type Duration time.Duration

// Rollout is how traffic moves to a new version.
type Rollout struct {
	Strategy string   `json:"strategy"` // allAtOnce | canary | linear | blueGreen, or CodeDeploy's names
	Force    bool     `json:"force,omitempty"`
	Stages   []Stage  `json:"stages,omitempty"` // always ends in 100 in normal form
	Analysis Analysis `json:"analysis,omitzero"`
	// Deadman is an environment's alone; nil: there is none.
	Deadman *Deadman `json:"deadman,omitempty"`
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
	// PostTraffic invokes it through the alias once the last stage has held;
	// failing, traffic goes back.
	PostTraffic *Check `json:"postTraffic,omitempty"`
	// Latency says how slow the new version may be; none: it is not judged.
	Latency LatencyRules `json:"latency,omitempty"`
	// Metrics and Alarms are what else is asked while traffic moves: each has to
	// pass in every stage, and takes the release back when it begins to fail.
	Metrics []Measure `json:"metrics,omitempty"`
	Alarms  []string  `json:"alarms,omitempty"`
	// Probe calls both versions with the same event; nil: only users' calls count.
	Probe *Probe `json:"probe,omitempty"`
}

// LatencyRule compares a percentile of the durations of two versions.
type LatencyRule struct {
	Percentile float64 `json:"percentile,omitempty" is:"min=50,max=99.9" doc:"Which percentile of the durations of calls. Default 90."`
	Tolerance  float64 `json:"tolerance,omitempty" is:"min=0.01,max=10" doc:"How much slower is no harm, as a share of the baseline. Default 0.25."`
}
