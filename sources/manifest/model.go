package manifest

import (
	"cmp"
	"fmt"
	"strings"
)

// The kinds a repository may declare, and the kinds a Function expands into.
const (
	KindPipeline    = "Pipeline"
	KindEnvironment = "Environment"
	KindFunction    = "Function"
	KindQueue       = "Queue"
	KindRole        = "Role"
	KindSecret      = "Secret"
	KindParameter   = "Parameter"
	KindAlarm       = "Alarm"
	KindAPI         = "Api"
	KindLogGroup    = "LogGroup" // LogGroup/checkout of a function: its own
	KindWorkflow    = "Workflow"
	KindTable       = "Table"
	KindBucket      = "Bucket"

	// Children of a Function: resources of their own, named
	// "function.key" or, where a function has only one, "function".
	KindAlias       = "Alias"       // Alias/checkout.live
	KindTrigger     = "Trigger"     // Trigger/checkout.orders
	KindPermission  = "Permission"  // Permission/checkout.sid
	KindURL         = "Url"         // Url/checkout
	KindAsync       = "Async"       // Async/checkout
	KindConcurrency = "Concurrency" // Concurrency/checkout
	KindRoute       = "Route"       // Route/checkout.web

	KindLayer = "Layer"

	KindProvisioned       = "ProvisionedConcurrency" // ProvisionedConcurrency/checkout
	KindRuntimeManagement = "RuntimeManagement"      // RuntimeManagement/checkout

	// The child of a Workflow.
	KindWorkflowAlias = "WorkflowAlias" // WorkflowAlias/fulfil.live
	// Notification/checkout.uploads: an entry of a bucket's notifications.
	KindNotification = "Notification"
)

// Ref names one resource: "Kind/name".
type Ref struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// String is "Kind/name", or "" for the zero Ref.
func (r Ref) String() string {
	if r == (Ref{}) {
		return ""
	}
	return r.Kind + "/" + r.Name
}

// MarshalText makes a Ref a JSON string and a JSON map key.
func (r Ref) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (r *Ref) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*r = Ref{}
		return nil
	}
	ref, err := ParseRef(string(text))
	*r = ref
	return err
}

// Compare orders refs by kind, then name.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(strings.Compare(r.Kind, other.Kind), strings.Compare(r.Name, other.Name))
}

// ParseRef reads "Kind/name". The name may itself hold slashes
// (Secret/shop/stripe).
func ParseRef(text string) (Ref, error) {
	kind, name, found := strings.Cut(text, "/")
	if !found || kind == "" || name == "" {
		return Ref{}, fmt.Errorf("reference %q: want Kind/name, for example Queue/orders", text)
	}
	return Ref{Kind: kind, Name: name}, nil
}

// Position is a place in a file of the repository. Lines and columns count
// from 1; a zero line means the file as a whole.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// String is file:line:column, or the file alone.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Resource is one managed thing in normal form: defaults applied, values
// substituted, references unresolved.
type Resource struct {
	Ref    Ref
	Parent Ref // the function a child belongs to; zero for the others
	// Physical is the name in the provider: rendered with the pipeline's
	// naming, or metadata.physicalName, or literal for Secret and Parameter.
	// A child carries its parent's physical name, unless it has one of its own.
	Physical string
	// Key is a child's own part of its name: the alias name, the trigger's
	// key, the statement id. Empty for the others.
	Key         string
	RenamedFrom string // metadata.renamedFrom, as the text of a Ref
	Adopt       bool   // metadata.adopt: take over an existing resource without tags
	// SelfBound: a part of it is declared to be what lives (unmanaged code,
	// pending references), so its canonical form needs its own attributes.
	SelfBound bool
	Labels    map[string]string
	// Spec is a pointer to one of the spec types of this package, by kind:
	// *FunctionConfig, *QueueSpec, *RoleSpec, *SecretSpec, *ParameterSpec,
	// *AliasSpec, *TriggerSpec, *PermissionSpec, *URLSpec, *AsyncSpec,
	// *ConcurrencySpec, *ProvisionedConcurrencySpec, *RuntimeManagementSpec, *LayerSpec, *WorkflowSpec (a WorkflowAlias has an
	// *AliasSpec), *TableSpec, *BucketSpec, *NotificationSpec. It is shared and must not be written to.
	Spec any
	// Refs is what this resource needs, sorted. It is an edge of the
	// dependency graph: those first.
	Refs []Ref
	// Stateful resources hold what cannot be made again (a queue's messages).
	Stateful bool
	Digest   string // "sha256:…" of the normal form
	Origin   Position
}

// Release is everything an environment's branch declares at one commit,
// rendered for that environment.
type Release struct {
	Environment string
	Commit      string
	Content     string // digest before overlay and substitution: the same on every branch
	Overlay     string // digest of this environment's overlay
	Digest      string // digest of what is rendered
	// Resources in dependency order (what is needed stands before what needs
	// it), ties by Ref. Physical names are unique within a kind.
	Resources []Resource
	// Functions holds what the delivery of a function, or of a workflow, needs
	// beside its resources, by the Ref of what is versioned.
	Functions map[Ref]Delivery

	probed []probed
}

// Delivery is the part of a Function or Workflow manifest that is not
// configuration of the platform: how it is rolled out and what its code
// expects.
type Delivery struct {
	Alias   Ref     // the alias its traffic goes through; zero with `alias: none`
	Rollout Rollout // merged: function over environment default, unless forced
	Expects Expects
}

// Resource finds a resource by name.
func (r *Release) Resource(ref Ref) (Resource, bool) {
	for _, res := range r.Resources {
		if res.Ref == ref {
			return res, true
		}
	}
	return Resource{}, false
}

// Value is a string that is literal or points at something whose address is
// known only once it lives. Exactly one form is set.
type Value struct {
	Literal   string `json:"literal,omitempty"`
	Ref       Ref    `json:"ref,omitzero"`        // {ref: Queue/orders, attribute: url}
	Attribute string `json:"attribute,omitempty"` // of Ref: "arn" (default), "url", "name", "alias" (the ARN of its alias)
	Secret    string `json:"secret,omitempty"`    // {secret: name}: the secret's ARN
	Parameter string `json:"parameter,omitempty"` // {parameter: /path}: the parameter's name
	// Pending, of a Secret or Parameter in a function's environment: the
	// reference is not in force yet, and the variable keeps what it has live.
	Pending bool `json:"pending,omitempty"`
}

// Target is the resource a Value needs, and the attribute of it; ok is false
// for a literal, and for a reference not in force yet.
func (v Value) Target() (ref Ref, attribute string, ok bool) {
	switch {
	case v.Pending:
	case v.Ref != Ref{}:
		return v.Ref, cmp.Or(v.Attribute, "arn"), true
	case v.Secret != "":
		return Ref{KindSecret, v.Secret}, "arn", true
	case v.Parameter != "":
		return Ref{KindParameter, v.Parameter}, "name", true
	}
	return Ref{}, "", false
}
