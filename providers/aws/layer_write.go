package aws

import (
	"context"
	"strconv"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go/middleware"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// layerPut is one Put of a layer: a version, if none carries what is declared,
// and who may use it.
type layerPut struct {
	p       *Provider
	c       providers.Change
	spec    *manifest.LayerSpec
	receipt providers.Receipt
}

func (l *layerPut) did(meta middleware.Metadata) {
	l.receipt.RequestIDs = append(l.receipt.RequestIDs, receipt(meta).RequestIDs...)
}

func (k layerKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	spec, err := layerSpec(c.Resource)
	if err != nil {
		return providers.Receipt{}, err
	}
	now, err := k.p.lookLayer(ctx, k.p.front, c.Resource)
	if err != nil {
		return providers.Receipt{}, err
	}
	put := &layerPut{p: k.p, c: c, spec: spec}
	if now.absent() {
		if c.Guard != "" {
			return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
		}
		return put.publish(ctx)
	}
	if err := k.p.mayWrite(k.live(c.Resource, now).Owner, c.Adopt || c.Resource.Adopt); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(c.Guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	carrier := now.carrier(k.p, declaredLayer(spec).snapshot())
	if carrier == nil {
		return put.publish(ctx)
	}
	return put.permit(ctx, carrier, allowedBy(c.Fields))
}

// carrier is the newest version of ours that is made of what is declared.
func (l *layerLook) carrier(p *Provider, snapshot string) *layerVersion {
	for i := range l.versions {
		if v := &l.versions[i]; v.known && p.owns(v.owner) && v.content.snapshot() == snapshot {
			return v
		}
	}
	return nil
}

// publish makes a version and says who may use it.
func (l *layerPut) publish(ctx context.Context) (providers.Receipt, error) {
	content, err := l.content(ctx)
	if err != nil {
		return providers.Receipt{}, err
	}
	description := strings.TrimSpace(l.spec.Description + " " + l.p.mark(l.c.Resource.Ref))
	if len(description) > 256 {
		return providers.Receipt{}, providers.Errorf(providers.Invalid, "the description and the owner's mark behind it are %d characters, and AWS takes 256: shorten it", len(description))
	}
	in := &lambda.PublishLayerVersionInput{LayerName: &l.c.Resource.Physical, Content: content, Description: &description}
	if l.spec.LicenseInfo != "" {
		in.LicenseInfo = &l.spec.LicenseInfo
	}
	for _, r := range l.spec.CompatibleRuntimes {
		in.CompatibleRuntimes = append(in.CompatibleRuntimes, types.Runtime(r))
	}
	for _, a := range l.spec.CompatibleArchitectures {
		in.CompatibleArchitectures = append(in.CompatibleArchitectures, types.Architecture(a))
	}
	out, err := l.p.front.lambda.PublishLayerVersion(ctx, in)
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	l.did(out.ResultMetadata)
	want := codeDigest(l.spec.Artifact)
	if out.Content == nil || liveDigest(awssdk.ToString(out.Content.CodeSha256)) != want {
		return l.receipt, l.takeBack(ctx, out)
	}
	return l.permit(ctx, &layerVersion{number: strconv.FormatInt(out.Version, 10), use: map[string]layerUse{}}, allowedBy(nil))
}

// takeBack removes a version whose code is not what was tested, before
// anything names it.
func (l *layerPut) takeBack(ctx context.Context, out *lambda.PublishLayerVersionOutput) error {
	got := ""
	if out.Content != nil {
		got = liveDigest(awssdk.ToString(out.Content.CodeSha256))
	}
	_, err := l.p.front.lambda.DeleteLayerVersion(ctx, &lambda.DeleteLayerVersionInput{LayerName: &l.c.Resource.Physical, VersionNumber: &out.Version})
	if err != nil {
		return classify(err)
	}
	return providers.Errorf(providers.Invalid, "AWS received code with digest %s, not the declared %s", got, codeDigest(l.spec.Artifact))
}

// content is where AWS takes the zip from, its digest verified here first.
func (l *layerPut) content(ctx context.Context) (*types.LayerVersionContentInput, error) {
	code, err := l.p.artifact(ctx, l.spec.Artifact)
	if err != nil {
		return nil, err
	}
	return &types.LayerVersionContentInput{ZipFile: code.ZipFile, S3Bucket: code.S3Bucket, S3Key: code.S3Key, S3ObjectVersion: code.S3ObjectVersion}, nil
}

// permit makes who may use a version what is declared, as far as the change
// goes. A policy that was seen guards each of its changes.
func (l *layerPut) permit(ctx context.Context, v *layerVersion, allowed func(string) bool) (providers.Receipt, error) {
	number, err := strconv.ParseInt(v.number, 10, 64)
	if err != nil {
		return l.receipt, providers.Errorf(providers.Invalid, "version %q is no number", v.number)
	}
	want := declaredUse(l.spec)
	var drop []string
	for _, sid := range sortedKeys(want) {
		if live, there := v.use[sid]; there && canonicalJSON(live) != canonicalJSON(want[sid]) && allowed(keyPath(layerUsePrefix, sid)) {
			drop = append(drop, sid)
		}
	}
	for _, path := range l.c.Remove {
		if sid, ok := keyOf(layerUsePrefix, path); ok && v.use != nil {
			if _, there := v.use[sid]; there {
				drop = append(drop, sid)
			}
		}
	}
	revision := optional(v.revision)
	for _, sid := range drop {
		out, err := l.p.front.lambda.RemoveLayerVersionPermission(ctx, &lambda.RemoveLayerVersionPermissionInput{
			LayerName: &l.c.Resource.Physical, VersionNumber: &number, StatementId: &sid, RevisionId: revision,
		})
		if err != nil && !isAbsent(err) {
			return l.receipt, classify(err)
		}
		if out != nil {
			l.did(out.ResultMetadata)
		}
		revision = nil // it moved with our own change
		delete(v.use, sid)
	}
	for _, sid := range sortedKeys(want) {
		if _, there := v.use[sid]; there || !allowed(keyPath(layerUsePrefix, sid)) {
			continue
		}
		use := want[sid]
		out, err := l.p.front.lambda.AddLayerVersionPermission(ctx, &lambda.AddLayerVersionPermissionInput{
			LayerName: &l.c.Resource.Physical, VersionNumber: &number, StatementId: &sid, RevisionId: revision,
			Action: &use.Action, Principal: awssdk.String(l.spec.Permissions[sid].Principal), OrganizationId: optional(use.OrganizationID),
		})
		if err != nil {
			return l.receipt, classify(err)
		}
		l.did(out.ResultMetadata)
		revision = nil
	}
	return l.receipt, nil
}

// remove deletes our versions. Functions that use one keep it.
func (k layerKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	now, err := k.p.lookLayer(ctx, k.p.front, res)
	if err != nil || now.absent() {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(k.live(res, now).Owner); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	return k.p.dropLayerVersions(ctx, res.Physical, now, func(*layerVersion) bool { return true })
}

// dropLayerVersions deletes those of our versions that which names.
func (p *Provider) dropLayerVersions(ctx context.Context, physical string, l *layerLook, which func(*layerVersion) bool) (providers.Receipt, error) {
	var total providers.Receipt
	for i := range l.versions {
		v := &l.versions[i]
		if !p.owns(v.owner) || !which(v) {
			continue
		}
		number, err := strconv.ParseInt(v.number, 10, 64)
		if err != nil {
			continue // AWS numbers versions
		}
		out, err := p.front.lambda.DeleteLayerVersion(ctx, &lambda.DeleteLayerVersionInput{LayerName: &physical, VersionNumber: &number})
		if isAbsent(err) {
			continue
		}
		if err != nil {
			return total, classify(err)
		}
		total.RequestIDs = append(total.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	}
	return total, nil
}

// clean deletes old versions of ours: those beyond the newest last that
// nobody asked to keep, that do not carry what is declared, and that no
// function of the region names in its configuration. Published versions of
// functions keep a layer that is deleted.
func (k layerKind) clean(ctx context.Context, res manifest.Resource, keep []string, last int) (providers.Receipt, error) {
	spec, err := layerSpec(res)
	if err != nil {
		return providers.Receipt{}, err
	}
	now, err := k.p.lookLayer(ctx, k.p.front, res)
	if err != nil || now.absent() {
		return providers.Receipt{}, err
	}
	used := map[string]bool{}
	for _, number := range keep {
		used[number] = true
	}
	pages := lambda.NewListFunctionsPaginator(k.p.front.lambda, &lambda.ListFunctionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return providers.Receipt{}, classify(err)
		}
		for i := range page.Functions {
			for _, l := range page.Functions[i].Layers {
				if number, ok := strings.CutPrefix(awssdk.ToString(l.Arn), now.arn+":"); ok {
					used[number] = true
				}
			}
		}
	}
	wanted, ours := declaredLayer(spec).snapshot(), 0
	return k.p.dropLayerVersions(ctx, res.Physical, now, func(v *layerVersion) bool {
		ours++
		return ours > last && !used[v.number] && !(v.known && v.content.snapshot() == wanted)
	})
}
