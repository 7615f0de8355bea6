package aws

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// layerKind is a layer: a series of immutable versions. Layers take no tags,
// so whose a version is stands behind its description.
type layerKind struct{ p *Provider }

func (k layerKind) rights() []rights.Row {
	version := []string{layerARN[0] + ":*"}
	return []rights.Row{
		toObserve(everything, "lambda:ListLayers", "lambda:ListLayerVersions"),
		toObserve(version, "lambda:GetLayerVersion", "lambda:GetLayerVersionPolicy"),
		artifacts(),
		toManage(layerARN, "lambda:PublishLayerVersion"),
		because(toManage(version, "lambda:AddLayerVersionPermission", "lambda:DeleteLayerVersion", "lambda:RemoveLayerVersionPermission"),
			"a version of code that is not what was tested is taken back at once"),
		toDelete(version, "lambda:DeleteLayerVersion"),
		because(toDelete(everything, "lambda:ListFunctions"), "no function may still name the version"),
	}
}

// layerContent is what a version is made of.
type layerContent struct {
	code, description, license string // code: sha256 in hex
	runtimes, architectures    []string
}

func (c *layerContent) fields(b *builder) {
	b.set("code", c.code)
	b.set("compatibleArchitectures", set(c.architectures))
	b.set("compatibleRuntimes", set(c.runtimes))
	b.set("description", c.description)
	b.set("licenseInfo", c.license)
}

func (c *layerContent) snapshot() string {
	b := &builder{fields: map[string]string{}}
	c.fields(b)
	return digestOf(b.fields)
}

func layerSpec(res manifest.Resource) (*manifest.LayerSpec, error) {
	spec, ok := res.Spec.(*manifest.LayerSpec)
	if !ok {
		return nil, wrongSpec(res)
	}
	return spec, nil
}

func declaredLayer(spec *manifest.LayerSpec) *layerContent {
	return &layerContent{
		code: codeDigest(spec.Artifact), description: spec.Description, license: spec.LicenseInfo,
		runtimes: spec.CompatibleRuntimes, architectures: spec.CompatibleArchitectures,
	}
}

// layerUse is one statement of a version's policy as a field.
type layerUse struct {
	Action         string          `json:"action"`
	Principal      string          `json:"principal"`
	OrganizationID string          `json:"organizationId,omitempty"`
	Rest           json.RawMessage `json:"rest,omitempty"` // what AddLayerVersionPermission cannot make
}

const layerUsePrefix = "permissions"

func declaredUse(spec *manifest.LayerSpec) map[string]layerUse {
	out := map[string]layerUse{}
	for sid, p := range spec.Permissions {
		out[sid] = layerUse{Action: orElse(p.Action, getLayerVersion), Principal: principalName(p.Principal), OrganizationID: p.OrganizationID}
	}
	return out
}

const getLayerVersion = "lambda:GetLayerVersion"

func (k layerKind) canonical(res manifest.Resource, b *builder) error {
	spec, err := layerSpec(res)
	if err != nil {
		return err
	}
	content := declaredLayer(spec)
	content.fields(b)
	for sid, use := range declaredUse(spec) {
		b.set(keyPath(layerUsePrefix, sid), use)
	}
	b.snapshot = content.snapshot()
	return nil
}

// layerLook is one look at a layer: its versions, newest first.
type layerLook struct {
	at       time.Time
	arn      string // without a version
	versions []layerVersion
}

type layerVersion struct {
	number   string
	owner    providers.Owner
	content  layerContent
	known    bool // content holds the code's digest: asked for our own versions only
	revision string
	use      map[string]layerUse // nil: not asked for
}

func (l *layerLook) absent() bool { return len(l.versions) == 0 }

// mark is whose a version is, in words behind its description.
func (p *Provider) mark(ref manifest.Ref) string {
	return fmt.Sprintf("(mooring: %s %s %s)", p.o.Pipeline, p.o.Environment, ref)
}

// marked takes a description apart.
func marked(description string) (plain string, owner providers.Owner) {
	i := strings.LastIndex(description, "(mooring: ")
	if i < 0 || !strings.HasSuffix(description, ")") {
		return description, providers.Owner{}
	}
	words := strings.Fields(strings.TrimSuffix(description[i+len("(mooring: "):], ")"))
	if len(words) != 3 {
		return description, providers.Owner{}
	}
	return strings.TrimSuffix(description[:i], " "), providers.Owner{Pipeline: words[0], Environment: words[1], Resource: words[2]}
}

// layersLooked bounds the versions whose content is asked for: the newest of
// ours. Clean keeps fewer.
const layersLooked = 12

// lookLayer lists a layer's versions, and asks for the content of ours, which
// never changes, once; who may use it is asked for the newest and for the one
// that carries spec.
func (p *Provider) lookLayer(ctx context.Context, cl *clients, res manifest.Resource) (*layerLook, error) {
	l := &layerLook{at: p.o.Now()}
	var items []types.LayerVersionsListItem
	pages := lambda.NewListLayerVersionsPaginator(cl.lambda, &lambda.ListLayerVersionsInput{LayerName: &res.Physical})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if isAbsent(err) {
			return l, nil
		}
		if err != nil {
			return nil, classify(err)
		}
		items = append(items, page.LayerVersions...)
	}
	slices.SortFunc(items, func(a, b types.LayerVersionsListItem) int { return cmp.Compare(b.Version, a.Version) })
	for i := range items {
		if err := p.layerVersion(ctx, cl, res.Physical, &items[i], l); err != nil {
			return nil, err
		}
	}
	l.adopt(p, res)
	return l, p.lookUse(ctx, cl, res, l)
}

// adopt makes the newest version ours when it is nobody's, made of what is
// declared, and to be taken over: layers take no tags that could say so.
func (l *layerLook) adopt(p *Provider, res manifest.Resource) {
	spec, ok := res.Spec.(*manifest.LayerSpec)
	if !ok || !res.Adopt || l.absent() {
		return
	}
	v := &l.versions[0]
	if v.owner == (providers.Owner{}) && v.known && v.content.snapshot() == declaredLayer(spec).snapshot() {
		v.owner = ownerOf(p.ownership(res.Ref, ""))
	}
}

func (p *Provider) layerVersion(ctx context.Context, cl *clients, physical string, item *types.LayerVersionsListItem, l *layerLook) error {
	arn := awssdk.ToString(item.LayerVersionArn)
	number := strconv.FormatInt(item.Version, 10)
	l.arn = strings.TrimSuffix(arn, ":"+number)
	v := layerVersion{number: number}
	v.content = layerContent{
		license: awssdk.ToString(item.LicenseInfo), runtimes: list(item.CompatibleRuntimes), architectures: list(item.CompatibleArchitectures),
	}
	v.content.description, v.owner = marked(awssdk.ToString(item.Description))
	if len(l.versions) < layersLooked && (p.owns(v.owner) || len(l.versions) == 0) {
		key := arn + " " + awssdk.ToString(item.CreatedDate)
		code, known := recall(&p.memory, p.memory.code, key)
		if !known {
			out, err := cl.lambda.GetLayerVersion(ctx, &lambda.GetLayerVersionInput{LayerName: &physical, VersionNumber: awssdk.Int64(item.Version)})
			if isAbsent(err) {
				return nil
			}
			if err != nil {
				return classify(err)
			}
			if out.Content != nil {
				code = liveDigest(awssdk.ToString(out.Content.CodeSha256))
			}
			remember(&p.memory, p.memory.code, key, code)
		}
		v.content.code, v.known = code, true
	}
	l.versions = append(l.versions, v)
	return nil
}

// lookUse asks who may use the newest of our versions, and the one that
// carries what is declared.
func (p *Provider) lookUse(ctx context.Context, cl *clients, res manifest.Resource, l *layerLook) error {
	wanted := ""
	if spec, ok := res.Spec.(*manifest.LayerSpec); ok {
		wanted = declaredLayer(spec).snapshot()
	}
	newest := true
	for i := range l.versions {
		v := &l.versions[i]
		if !v.known || !p.owns(v.owner) {
			continue
		}
		if newest || v.content.snapshot() == wanted {
			if err := p.lookLayerPolicy(ctx, cl, res.Physical, v); err != nil {
				return err
			}
		}
		newest = false
	}
	return nil
}

func (p *Provider) lookLayerPolicy(ctx context.Context, cl *clients, physical string, v *layerVersion) error {
	number, err := strconv.ParseInt(v.number, 10, 64)
	if err != nil {
		return providers.Errorf(providers.Invalid, "version %q is no number", v.number)
	}
	out, err := cl.lambda.GetLayerVersionPolicy(ctx, &lambda.GetLayerVersionPolicyInput{LayerName: &physical, VersionNumber: &number})
	switch {
	case isAbsent(err):
		v.use = map[string]layerUse{}
		return nil
	case isUnknownOperation(err):
		return nil // stays not asked for
	case err != nil:
		return classify(err)
	}
	document, err := parsePolicy(awssdk.ToString(out.Policy))
	if err != nil {
		return err
	}
	v.use, v.revision = map[string]layerUse{}, awssdk.ToString(out.RevisionId)
	if p.o.Emulator == "moto" {
		v.revision = "" // it hands out one and checks another
	}
	for _, s := range statementsOf(document["Statement"]) {
		sid, _ := s["Sid"].(string)
		v.use[sid] = liveUse(s)
	}
	return nil
}

// liveUse takes a statement apart; what does not fit is kept whole.
func liveUse(s map[string]any) layerUse {
	p := livePermission(s)
	use := layerUse{Action: p.action, Principal: principalName(p.principal), OrganizationID: p.orgID}
	if p.rest != nil || p.viaURL || p.sourceArn+p.sourceAccount+p.urlAuth+p.token != "" {
		use.Rest = json.RawMessage(canonicalJSON(canonicalStatement(s)))
	}
	return use
}

// live reads a layer: as its newest own version shows it, with all of ours
// that are known as Published. Somebody else's layer shows its newest.
func (k layerKind) live(res manifest.Resource, l *layerLook) providers.Live {
	if l.absent() {
		return providers.Live{}
	}
	b := k.p.builder(nil)
	shown := &l.versions[0]
	var published map[string]providers.Version
	for i := len(l.versions) - 1; i >= 0; i-- {
		v := &l.versions[i]
		if !v.known || !k.p.owns(v.owner) {
			continue
		}
		if published == nil {
			published = map[string]providers.Version{}
		}
		published[v.number] = providers.Version{Number: v.number, Snapshot: v.content.snapshot(), Ready: true, Fields: v.useFields()}
		shown = v
	}
	shown.content.fields(b)
	for path, value := range shown.useFields() {
		b.fields[path] = value
	}
	if shown.use == nil {
		b.unseen[layerUsePrefix] = "not looked at"
	}
	b.snapshot = shown.content.snapshot()
	live := b.live()
	live.Published, live.Owner, live.SeenAt, live.Guard = published, shown.owner, l.at, l.guard()
	live.Attributes = map[string]string{"arn": l.arn, "name": res.Physical, "id": l.arn}
	remember(&k.p.memory, k.p.memory.known, res.Ref, live.Attributes)
	return live
}

// useFields are who may use a version; nil when that was not asked for.
func (v *layerVersion) useFields() map[string]string {
	if v.use == nil {
		return nil
	}
	out := map[string]string{}
	for sid, use := range v.use {
		out[keyPath(layerUsePrefix, sid)] = canonicalJSON(use)
	}
	return out
}

// guard holds while the layer has the same versions, and the same may use
// them: AWS gives a layer no revision.
func (l *layerLook) guard() providers.Guard {
	var shape []any
	for i := range l.versions {
		v := &l.versions[i]
		shape = append(shape, v.number, v.useFields())
	}
	return seen(shape)
}

func (k layerKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	l, err := k.p.lookLayer(ctx, cl, res)
	if err != nil {
		return providers.Live{}, err
	}
	return k.live(res, l), nil
}
