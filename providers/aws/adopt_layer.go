package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"mooring.dev/sources/manifest"
)

// namedIn: a layer is found by the ARN of any of its versions.
func (k layerKind) namedIn(arn string) (string, bool) {
	rest, ok := lastIn(arn, "lambda", "layer:")
	return firstPart(rest, ':'), ok
}

func (k layerKind) every(ctx context.Context, a *adoption) ([]string, error) {
	var names []string
	pages := lambda.NewListLayersPaginator(a.cl.lambda, &lambda.ListLayersInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return names, err
		}
		for _, l := range page.Layers {
			names = append(names, awssdk.ToString(l.LayerName))
		}
	}
	return names, nil
}

// draft is the newest version. Functions that use another name it by its ARN.
func (k layerKind) draft(ctx context.Context, a *adoption, name string) (*manifest.Draft, error) {
	l, err := k.p.lookLayer(ctx, a.cl, manifest.Resource{Physical: name})
	if err != nil || l.absent() {
		return nil, err
	}
	v := &l.versions[0]
	if v.owner.Pipeline != "" {
		a.leave(manifest.KindLayer, name, "declared already by pipeline %s, environment %s, as %s", v.owner.Pipeline, v.owner.Environment, v.owner.Resource)
		return nil, nil
	}
	if err := k.p.lookLayerPolicy(ctx, a.cl, name, v); err != nil {
		return nil, err
	}
	d := started(name, l.arn+":"+v.number, nil)
	d.Version = v.number
	spec := &manifest.LayerSpec{
		Artifact: manifest.Artifact{Unmanaged: true, Digest: "sha256:" + v.content.code}, Description: v.content.description,
		CompatibleRuntimes: v.content.runtimes, CompatibleArchitectures: v.content.architectures, LicenseInfo: v.content.license,
	}
	for _, sid := range sortedKeys(v.use) {
		use := v.use[sid]
		if use.Rest != nil {
			a.leave(manifest.KindLayer, name, "its permission %s says what a manifest cannot", sid)
			return nil, nil
		}
		if spec.Permissions == nil {
			spec.Permissions = map[string]manifest.LayerPermission{}
		}
		spec.Permissions[sid] = manifest.LayerPermission{Action: use.Action, Principal: accountOf(use.Principal), OrganizationID: use.OrganizationID}
	}
	d.Spec, err = manifest.SpecOf(spec)
	return d, err
}
