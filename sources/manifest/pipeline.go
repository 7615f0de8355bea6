package manifest

// Pipeline is mooring.yaml on the control branch: which environments exist,
// where they live and in which order content moves through them.
type Pipeline struct {
	Name         string
	Environments []Environment // in the file's order
	Naming       string        // physical names; default "${environment}-${name}"
	Receivers    map[string]Receiver
	Origin       Position
}

// Environment is a named target: a branch bound to a provider account.
type Environment struct {
	Name      string            `json:"name"`
	Branch    string            `json:"branch"` // default env/NAME
	Path      string            `json:"path,omitempty"`
	After     []string          `json:"after,omitempty"` // all of them must have released the content
	Promotion string            `json:"promotion"`       // auto | pullRequest | manual (default)
	Protected bool              `json:"protected,omitempty"`
	Sync      string            `json:"sync"` // auto (default) | manual
	Labels    map[string]string `json:"labels,omitempty"`
	Provider  ProviderTarget    `json:"provider"`
	Rollout   Rollout           `json:"rollout,omitzero"`
	Drift     DriftPolicy       `json:"drift"`
	Checks    []Check           `json:"checks,omitempty"`
	Soak      Duration          `json:"soak,omitempty"` // floor before content moves on
	// Deletions is the share of resources one release may remove without
	// approval, 0..1; default 1/3.
	Deletions float64 `json:"deletions,omitempty"`
}

// ProviderTarget says where an environment runs. Exactly one is set.
type ProviderTarget struct {
	AWS    *AWSTarget    `json:"aws,omitempty"`
	Memory *MemoryTarget `json:"memory,omitempty"`
}

type AWSTarget struct {
	Region     string `json:"region"`
	Account    string `json:"account,omitempty"` // verified before anything is written
	RoleArn    string `json:"roleArn,omitempty"`
	ExternalID string `json:"externalId,omitempty"`
	Endpoint   string `json:"endpoint,omitempty"`
}

// MemoryTarget is the whole-platform-in-a-map provider, for trying policies.
type MemoryTarget struct{}

// DriftPolicy is the answer to drift where policy says nothing.
type DriftPolicy struct {
	Response  string   `json:"response"`            // off | alert | revert (default)
	Interval  Duration `json:"interval"`            // of the bulk layer; default 1m
	ActorWait Duration `json:"actorWait,omitempty"` // how long a revert waits for the actor's name
	// Rounds is how many reverts against another writer before escalating; default 3.
	Rounds int `json:"rounds,omitempty"`
}

// Receiver is where alerts go. Exactly one is set.
type Receiver struct {
	Webhook      *Webhook      `json:"webhook,omitempty"`
	Alertmanager *Alertmanager `json:"alertmanager,omitempty"`
}

type Webhook struct {
	URL    Secret  `json:"url"`
	Secret *Secret `json:"secret,omitempty"` // HMAC-SHA256 key
}

type Alertmanager struct {
	URL Secret `json:"url"`
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
