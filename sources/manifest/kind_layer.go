package manifest

import "maps"

// LayerSpec is a layer of Lambda. Its versions are immutable: what differs is
// published as a new one, and functions that name the layer take the version
// that carries what is declared. Members are PublishLayerVersion's.
type LayerSpec struct {
	Artifact                Artifact                   `json:"artifact" is:"required" doc:"The zip, named by its digest."`
	Description             string                     `json:"description,omitempty" is:"maxlen=120" doc:"What the layer is for. AWS shows the owner's mark behind it: layers take no tags."`
	CompatibleRuntimes      []string                   `json:"compatibleRuntimes,omitempty" is:"maxitems=15,match=runtime" doc:"Runtimes it is for."`
	CompatibleArchitectures []string                   `json:"compatibleArchitectures,omitempty" is:"maxitems=2,enum=x86_64|arm64" doc:"Instruction sets it is for."`
	LicenseInfo             string                     `json:"licenseInfo,omitempty" is:"maxlen=512" doc:"Its license: an SPDX identifier, a URL, or the text."`
	Permissions             map[string]LayerPermission `json:"permissions,omitempty" is:"keys=sid" doc:"Who else may use it, by statement id; each new version is given the same."`
}

// LayerPermission is one statement of a layer version's policy.
type LayerPermission struct {
	Action         string `json:"action" is:"default=lambda:GetLayerVersion,enum=lambda:GetLayerVersion" doc:"What is allowed."`
	Principal      string `json:"principal" is:"required,match=layerUser" doc:"An account, or *."`
	OrganizationID string `json:"organizationId,omitempty" is:"match=orgID" doc:"With *: the organization whose accounts may use it."`
}

func layerKind() *kind {
	return newKind[LayerSpec](kind{
		name:       KindLayer,
		summary:    "A Lambda layer, published from an artifact. A function that names it in layers is pinned to the version that carries what is declared.",
		nameRule:   rule{required: true, maxLen: 64, match: patterns["name"]},
		limit:      140,
		attributes: []string{"arn", "name"},
		expand:     expandLayer,
		example: `apiVersion: mooring.dev/v1
kind: Layer
metadata: {name: money}
spec:
  artifact:
    uri: s3://shop-artifacts/money.zip
    digest: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  compatibleRuntimes: [python3.13]
  compatibleArchitectures: [arm64]
  licenseInfo: MIT
  permissions:
    partner: {principal: "222222222222"}
`,
	})
}

func (l *LayerSpec) check(d *decoder, n *node) {
	if l.Artifact.Image != "" {
		d.fault(n.get("artifact").pos(), "a layer is a zip", "as uri: s3://bucket/layer.zip")
	}
	if l.Artifact.Unmanaged {
		d.fault(n.get("artifact").pos(), "a layer's code cannot be unmanaged", "name the version by its ARN instead of declaring the layer")
	}
	if entries := n.get("permissions"); entries != nil {
		for _, e := range entries.entries {
			if p := l.Permissions[e.key]; p.OrganizationID != "" && p.Principal != "*" {
				d.push("permissions")
				d.push(e.key)
				d.fault(e.pos(), "organizationId goes with principal: \"*\"", "")
				d.pop()
				d.pop()
			}
		}
	}
}

func expandLayer(x *expansion) {
	l := *x.written.(*LayerSpec)
	l.CompatibleRuntimes = sortedUnique(l.CompatibleRuntimes)
	l.CompatibleArchitectures = sortedUnique(l.CompatibleArchitectures)
	l.Permissions = maps.Clone(l.Permissions)
	x.top(&l, nil)
}
