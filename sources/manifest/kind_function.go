package manifest

// functionSpec is a Function as written. It expands into a FunctionConfig and
// its children.
type functionSpec struct {
	Artifact             Artifact                 `json:"artifact" is:"required" doc:"The code, named by its digest: what was tested is what is deployed."`
	Runtime              string                   `json:"runtime" is:"match=runtime,maxlen=64" doc:"The runtime of a zip function, as provided.al2023."`
	Handler              string                   `json:"handler" is:"match=handler,maxlen=128" doc:"What the runtime calls."`
	Description          string                   `json:"description" is:"maxlen=256" doc:"What the function is for."`
	Architectures        []string                 `json:"architectures" is:"minitems=1,maxitems=1,enum=x86_64|arm64" doc:"The instruction set. Default [x86_64]."`
	MemorySize           int                      `json:"memorySize" is:"default=128,min=128,max=10240" doc:"Megabytes."`
	Timeout              int                      `json:"timeout" is:"default=3,min=1,max=900" doc:"Seconds one invocation may take."`
	Environment          map[string]Value         `json:"environment" is:"keys=variable" doc:"Environment variables: text, or a reference."`
	Role                 executionRole            `json:"role" is:"required" doc:"The execution role: {statements: …} for a role of its own, {ref: Role/x}, or {arn: …}."`
	Layers               []Value                  `json:"layers" is:"maxitems=5,target,kinds=Layer" doc:"Layers, in order: Layer/x, or the ARN of a version."`
	VpcConfig            *VpcConfig               `json:"vpcConfig" doc:"The network it runs in."`
	DeadLetterConfig     *Target                  `json:"deadLetterConfig" is:"kinds=Queue|Topic" doc:"Where events go that failed asynchronously: a queue or a topic, or an ARN."`
	KmsKeyArn            string                   `json:"kmsKeyArn" is:"match=arn" doc:"The key its environment is encrypted with."`
	TracingConfig        *TracingConfig           `json:"tracingConfig" doc:"X-Ray."`
	FileSystemConfigs    []FileSystem             `json:"fileSystemConfigs" is:"maxitems=1" doc:"File systems mounted."`
	ImageConfig          *ImageConfig             `json:"imageConfig" doc:"Overrides of a container image."`
	EphemeralStorage     *EphemeralStorage        `json:"ephemeralStorage" doc:"The size of /tmp. Default 512 MB."`
	SnapStart            *SnapStart               `json:"snapStart" doc:"Starting from a snapshot."`
	LoggingConfig        *LoggingConfig           `json:"loggingConfig" doc:"How and where it logs."`
	LogGroup             *LogGroupSpec            `json:"logGroup" doc:"Its log group, made before it and kept by Mooring. What Lambda made already is taken over."`
	CodeSigningConfigArn string                   `json:"codeSigningConfigArn" is:"match=arn,maxlen=200" doc:"The code signing configuration."`
	SourceKmsKeyArn      string                   `json:"sourceKmsKeyArn" is:"match=arn" doc:"The key its zip is encrypted with."`
	Tags                 map[string]string        `json:"tags" is:"maxitems=46" doc:"Tags of the function."`
	Alias                string                   `json:"alias" is:"default=live,match=alias,maxlen=128" doc:"The alias its traffic goes through; none for a function as it is."`
	AliasDescription     string                   `json:"aliasDescription,omitempty" is:"maxlen=256" doc:"What the alias is for."`
	Triggers             map[string]trigger       `json:"triggers" is:"keys=name" doc:"What invokes it, by a name of your choice."`
	Permissions          map[string]permissionDoc `json:"permissions" is:"keys=sid" doc:"Further statements of its resource policy, by statement id."`
	Concurrency          *int                     `json:"reservedConcurrentExecutions" is:"min=0,max=1000000" doc:"Reserved concurrency; 0 stops the function."`
	Provisioned          *int                     `json:"provisionedConcurrentExecutions" is:"min=1,max=1000000" doc:"Concurrency kept ready, on the version that carries the release: it is ready before traffic moves, and leaves the old version after."`
	RuntimeManagement    *runtimeManagementDoc    `json:"runtimeManagementConfig" doc:"How AWS's builds of the runtime are taken. Default Auto: AWS's own updates are no drift."`
	RecursiveLoop        string                   `json:"recursiveLoop" is:"default=Terminate,enum=Terminate|Allow" doc:"What Lambda does when the function feeds its own trigger."`
	AsyncInvoke          *asyncDoc                `json:"asyncInvoke" doc:"Asynchronous invocation."`
	Expects              Expects                  `json:"expects" doc:"What the code expects to find: its contract."`
	Rollout              *rolloutDoc              `json:"rollout" doc:"How traffic moves to a new version."`
}

// executionRole is one of three: a role of the function's own, a declared
// one, or one by ARN.
type executionRole struct {
	Value   Value
	Managed *RoleSpec
}

type roleByArn struct {
	Arn string `json:"arn" is:"required,match=roleArn,maxlen=2048" doc:"The role's ARN."`
}

type roleByRef struct {
	Ref Value `json:"ref" is:"required,target,kinds=Role" doc:"A declared role, as Role/reporting."`
}

func (r *executionRole) variants() []variant {
	return []variant{
		{key: "arn", make: func() any { return &roleByArn{} }},
		{key: "ref", make: func() any { return &roleByRef{} }},
		{key: "", make: func() any { return &RoleSpec{} }},
	}
}

func (r *executionRole) set(_ string, value any) {
	switch value := value.(type) {
	case *roleByArn:
		r.Value.Literal = value.Arn
	case *roleByRef:
		r.Value = value.Ref
	case *RoleSpec:
		r.Managed = value
	}
}

// decodeScalar reads "Role/x" or an ARN.
func (r *executionRole) decodeScalar(d *decoder, n *node) {
	r.Value.decodeNode(d, n, &rule{target: true, kinds: []string{KindRole}})
}

type permissionDoc struct {
	Action                string `json:"action" is:"default=lambda:InvokeFunction,match=action" doc:"What is allowed."`
	Principal             string `json:"principal" is:"required,maxlen=2048" doc:"Who is allowed: a service, an account, an ARN, or *."`
	SourceArn             Value  `json:"sourceArn" is:"target" doc:"On whose behalf: an ARN, or a reference."`
	SourceAccount         string `json:"sourceAccount" is:"match=account" doc:"The account the source must belong to."`
	PrincipalOrgID        string `json:"principalOrgID" is:"maxlen=34" doc:"The organization the caller must belong to."`
	FunctionURLAuthType   string `json:"functionUrlAuthType" is:"enum=AWS_IAM|NONE" doc:"The authType of the URL it is for."`
	EventSourceToken      string `json:"eventSourceToken" is:"maxlen=256" doc:"The token of an Alexa skill."`
	InvokedViaFunctionURL bool   `json:"invokedViaFunctionUrl" doc:"Whether it is for calls through the URL only."`
}

type asyncDoc struct {
	MaximumRetryAttempts     *int   `json:"maximumRetryAttempts" is:"min=0,max=2" doc:"Further attempts after a failure."`
	MaximumEventAgeInSeconds *int   `json:"maximumEventAgeInSeconds" is:"min=60,max=21600" doc:"Seconds an event may wait."`
	OnSuccess                *Value `json:"onSuccess" is:"target,kinds=Queue|Topic|Function" doc:"Where results go: a queue, a topic or a function, or an ARN (an event bus, too)."`
	OnFailure                *Value `json:"onFailure" is:"target,kinds=Queue|Topic|Function|Bucket" doc:"Where events go that failed: a queue, a topic, a function or a bucket, or an ARN (an event bus, too)."`
}

func (a *asyncDoc) check(d *decoder, n *node) {
	if a.MaximumRetryAttempts == nil && a.MaximumEventAgeInSeconds == nil && a.OnSuccess == nil && a.OnFailure == nil {
		d.need(n.pos(), "sets nothing", "leave it out, or set maximumRetryAttempts")
	}
}

func functionKind() *kind {
	return newKind[functionSpec](kind{
		name:       KindFunction,
		summary:    "A Lambda function with its alias, triggers, permissions, role and contract.",
		nameRule:   rule{required: true, maxLen: 64, match: patterns["name"]},
		limit:      64,
		attributes: []string{"arn", "name", AttributeAlias},
		expand:     expandFunction,
		example: `apiVersion: mooring.dev/v1
kind: Function
metadata: {name: checkout, labels: {team: payments}}
spec:
  artifact:
    uri: s3://shop-artifacts/checkout.zip
    digest: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  runtime: provided.al2023
  handler: bootstrap
  architectures: [arm64]
  memorySize: 512
  timeout: 10
  environment:
    LOG_LEVEL: info
    ORDERS_URL: {ref: Queue/orders, attribute: url}
    STRIPE_KEY: {secret: shop/stripe}
  role:
    statements:
      - Effect: Allow
        Action: [secretsmanager:GetSecretValue]
        Resource: {secret: shop/stripe}
  triggers:
    orders: {queue: Queue/orders, batchSize: 10, functionResponseTypes: [ReportBatchItemFailures]}
    web: {url: {authType: AWS_IAM}}
  reservedConcurrentExecutions: 50
  asyncInvoke: {maximumRetryAttempts: 1, onFailure: Queue/orders-dlq}
  expects:
    environment: [STRIPE_KEY, ORDERS_URL]
    queues: [orders]
    secrets: [shop/stripe]
  rollout: {strategy: canary, stages: [{weight: 10, hold: 5m}, {weight: 50, hold: 10m}]}
---
apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: orders}
spec: {visibilityTimeout: 60, redrive: {deadLetter: Queue/orders-dlq, maxReceiveCount: 5}}
---
apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: orders-dlq}
---
apiVersion: mooring.dev/v1
kind: Secret
metadata: {name: shop/stripe}
`,
	})
}
