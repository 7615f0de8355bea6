package manifest

// Pipeline is mooring.yaml on the control branch: which environments exist,
// where they live and in which order content moves through them.
type Pipeline struct {
	Name         string
	Environments []Environment // in the file's order
	Naming       string        // physical names; default "${environment}-${name}"
	Receivers    map[string]Receiver
	Alerts       Alerts
	Policies     PolicySource // zero: policies/ of the control branch
	Decisions    DecisionLog
	Evidence     Evidence
	Signatures   Signatures
	Identity     Identity
	Host         *Host // nil: nobody is told on a host
	Origin       Position

	probed    []probed
	templates map[string]Position // of receivers' templates, by receiver
}

// PolicySource says where policies are, when they are not in the folder
// policies of the control branch.
type PolicySource struct {
	Path      string `json:"path,omitempty" is:"match=folder,maxlen=255" doc:"The folder, of the control branch or of repo. Default policies."`
	Repo      string `json:"repo,omitempty" is:"match=repository,maxlen=2048" doc:"Another repository that holds them, with ref or commit."`
	Ref       string `json:"ref,omitempty" is:"match=branch,maxlen=255" doc:"The branch of repo that is followed."`
	Commit    string `json:"commit,omitempty" is:"match=commit" doc:"The commit of repo they are pinned to."`
	Bundle    string `json:"bundle,omitempty" is:"match=bundle,maxlen=1024" doc:"An OPA bundle: a file or folder of the control branch, or file:PATH below the directory of artifacts. Needs digest."`
	Digest    string `json:"digest,omitempty" is:"match=digest" doc:"What the bundle is: sha256:… of the file, or of a folder's list of files as sha256sum prints it."`
	PublicKey string `json:"publicKey,omitempty" is:"maxlen=16384" doc:"The key that signed the bundle, PEM. With it an unsigned bundle is refused."`
}

// DecisionLog says what of the inputs decision records do not keep.
type DecisionLog struct {
	Erase []string `json:"erase,omitempty" is:"match=inputPath,maxitems=100" doc:"What is taken out of the input in decision records: JSON pointers as /input/commit/author; * is every item."`
	Mask  []string `json:"mask,omitempty" is:"match=inputPath,maxitems=100" doc:"What is replaced by the text masked there: JSON pointers as /input/changes/*/fields/*/after."`
}

// Environment is a named target: a branch bound to a provider account.
type Environment struct {
	Name      string            `json:"name" is:"required,match=environment,maxlen=32" doc:"The name of the environment."`
	Branch    string            `json:"branch" is:"match=branch,maxlen=255" doc:"The branch that declares it. Default env/NAME."`
	Path      string            `json:"path,omitempty" is:"match=folder,maxlen=255" doc:"The folder of the branch, where environments share one."`
	After     []string          `json:"after,omitempty" doc:"The environments that must have released a content before it comes here."`
	Promotion string            `json:"promotion" is:"default=manual,enum=auto|pullRequest|manual" doc:"How content moves here."`
	Take      string            `json:"take,omitempty" is:"default=latest,enum=latest|queue" doc:"Whether the latest content comes here and what lies between is skipped, or every one in turn."`
	Verify    string            `json:"verify,omitempty" is:"default=none,enum=none|head|range" doc:"Whose commits must be signed by one of signatures, whatever policy says: nobody's, the head's, or that of every commit since the last one let in."`
	Protected bool              `json:"protected,omitempty" doc:"Whether policy must positively allow."`
	Sync      string            `json:"sync" is:"default=auto,enum=auto|manual" doc:"Whether admitted releases are applied by themselves."`
	Labels    map[string]string `json:"labels,omitempty" is:"keys=label" doc:"Labels for policies."`
	Provider  ProviderTarget    `json:"provider" is:"required" doc:"Where it runs."`
	Rollout   Rollout           `json:"rollout,omitzero" doc:"How traffic moves, where a function does not say."`
	Drift     DriftPolicy       `json:"drift" doc:"The answer to drift, where policy says nothing."`
	Hints     Hints             `json:"hints,omitzero" doc:"Word of changes as they happen. Without it they are found by looking alone."`
	Checks    []Check           `json:"checks,omitempty" doc:"Questions put to the environment; their answers are evidence."`
	Soak      Duration          `json:"soak,omitempty" doc:"How long content must be healthy here before it moves on."`
	Windows   Windows           `json:"windows,omitzero" doc:"When content comes in, and releases start to move. What moves already goes on."`
	// Deletions is the share of resources one release may remove without
	// approval, 0..1; default 1/3.
	Deletions float64 `json:"deletions,omitempty" is:"default=0.3333333333333333,min=0,max=1" doc:"The share of resources one release may remove without approval."`
}

// ProviderTarget says where an environment runs. Exactly one is set.
type ProviderTarget struct {
	AWS    *AWSTarget    `json:"aws,omitempty" doc:"An AWS account and region."`
	Memory *MemoryTarget `json:"memory,omitempty" doc:"A platform in memory, for trying policies."`
}

type AWSTarget struct {
	Region     string `json:"region" is:"required,match=region" doc:"The region."`
	Account    string `json:"account,omitempty" is:"match=account" doc:"The account, verified before anything is written."`
	RoleArn    string `json:"roleArn,omitempty" is:"match=roleArn,maxlen=2048" doc:"The role taken in the account."`
	ExternalID string `json:"externalId,omitempty" is:"maxlen=1224" doc:"The external id given when the role is taken."`
	// SessionTags stand on every call made with the role, for conditions of
	// policies and for the audit trail.
	SessionTags map[string]string `json:"sessionTags,omitempty" is:"keys=label,maxitems=50" doc:"Tags of the session when the role is taken."`
	Endpoint    string            `json:"endpoint,omitempty" is:"match=url" doc:"Another endpoint, as of the sandbox."`
}

// MemoryTarget is the whole-platform-in-a-map provider, for trying policies.
type MemoryTarget struct{}

// DriftPolicy is the answer to drift where policy says nothing.
type DriftPolicy struct {
	Response  string   `json:"response" is:"default=revert,enum=off|alert|revert" doc:"What is done."`
	Interval  Duration `json:"interval" is:"default=1m,min=1" doc:"How often the bulk layer is looked at."`
	ActorWait Duration `json:"actorWait,omitempty" doc:"How long a revert waits for the name of who did it."`
	// Rounds is how many reverts against another writer before escalating; default 3.
	Rounds int `json:"rounds,omitempty" is:"default=3,min=1,max=100" doc:"Reverts against another writer before escalating."`
}

// Hints says where the platform tells of changes.
type Hints struct {
	Queue string `json:"queue" is:"required,match=hintQueue,maxlen=256" doc:"The SQS queue that an EventBridge rule sends CloudTrail's events to: its name, or its ARN in another account."`
}

// Secret is a value that stays out of the repository where the schema says so.
type Secret struct {
	Inline   string `json:"inline,omitempty"` // a plain string: allowed for URLs, refused for keys
	FromEnv  string `json:"fromEnv,omitempty"`
	FromFile string `json:"fromFile,omitempty"`
}

// Environment finds an environment by name.
func (p *Pipeline) Environment(name string) (Environment, bool) {
	for _, e := range p.Environments {
		if e.Name == name {
			return e, true
		}
	}
	return Environment{}, false
}
