package aws

import (
	"context"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// functionPut is one Put of a function: what was seen, and what is to be.
type functionPut struct {
	p        *Provider
	c        providers.Change
	spec     *manifest.FunctionConfig
	look     *functionLook
	declared functionConfig
}

func (k functionKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	spec, err := functionSpec(c.Resource)
	if err != nil {
		return providers.Receipt{}, err
	}
	b := k.p.builder(c.Bindings)
	b.own = c.Bindings[c.Resource.Ref]
	put := functionPut{p: k.p, c: c, spec: spec, declared: declaredConfig(spec, c.Resource.Physical, b)}
	if err := refuseUnbound(b.spec()); err != nil {
		return providers.Receipt{}, err
	}
	if put.look, err = k.p.look(ctx, k.p.front, c.Resource.Physical); err != nil {
		return providers.Receipt{}, err
	}
	defer k.p.memory.forgetFunction(c.Resource.Physical)
	if put.look.absent {
		if c.Guard != "" {
			return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
		}
		if err := put.creatable(); err != nil {
			return providers.Receipt{}, err
		}
		return put.create(ctx)
	}
	return put.update(ctx)
}

// update makes one call that changes something: code, else configuration,
// else code signing, else recursion, else tags. What is adopted is tagged first.
func (f *functionPut) update(ctx context.Context) (providers.Receipt, error) {
	if f.look.tagsUnseen != "" {
		return providers.Receipt{}, providers.Errorf(providers.Denied, "its owner cannot be told: tags are %s", f.look.tagsUnseen)
	}
	if err := f.p.mayWrite(f.look.owner(), f.c.Adopt || f.c.Resource.Adopt); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(f.c.Guard, f.guard()); err != nil {
		return providers.Receipt{}, err
	}
	if settling, _ := functionState(&f.look.config); settling {
		return providers.Receipt{}, providers.Errorf(providers.Conflict, "an update is in progress")
	}
	if !f.p.owns(f.look.owner()) {
		return f.tag(ctx)
	}
	desired := liveConfig(&f.look.config)
	if desired.packageType != f.declared.packageType {
		return providers.Receipt{}, providers.Errorf(providers.Invalid,
			"is of package type %s and cannot become %s: give it another name", desired.packageType, f.declared.packageType)
	}
	changed := merge(functionMembers, &desired, &f.declared, f.writable())
	changed = append(changed, f.mergeEnvironment(&desired)...)
	var config []string
	for _, path := range changed {
		if codeMembers[path] {
			return f.updateCode(ctx, &desired)
		}
		config = append(config, path)
	}
	switch {
	case f.sourceKeyChanged():
		return f.updateCode(ctx, &desired)
	case len(config) > 0:
		return f.updateConfig(ctx, &desired, config)
	case f.signingAllowed():
		return f.updateSigning(ctx)
	case f.recursionAllowed():
		return f.updateRecursion(ctx)
	}
	return f.tag(ctx)
}

// writable is what the change may write: never code that is unmanaged.
func (f *functionPut) writable() func(string) bool {
	allowed := allowedBy(f.c.Fields)
	if !f.spec.Artifact.Unmanaged {
		return allowed
	}
	return func(path string) bool { return allowed(path) && !codeMembers[path] }
}

// creatable refuses to make a function of which something is declared to be
// what lives: nothing does.
func (f *functionPut) creatable() error {
	if f.spec.Artifact.Unmanaged {
		return providers.Errorf(providers.Invalid, "its code is unmanaged, so there is none to make it of: give artifact a uri and a digest")
	}
	for _, name := range sortedKeys(f.spec.Environment) {
		if f.spec.Environment[name].Pending {
			return providers.Errorf(providers.Invalid, "environment.%s is pending, and there is no value to keep: put the reference in force", name)
		}
	}
	return nil
}

func (f *functionPut) guard() providers.Guard {
	return functionGuard(&f.look.config)
}

func (f *functionPut) sourceKeyChanged() bool {
	return !f.spec.Artifact.Unmanaged && allowedBy(f.c.Fields)("sourceKmsKeyArn") && f.spec.SourceKmsKeyArn != f.look.sourceKMS
}

// mergeEnvironment carries allowed variables over and takes removed ones away;
// all others keep the value they have.
func (f *functionPut) mergeEnvironment(desired *functionConfig) []string {
	var changed []string
	allowed := allowedBy(f.c.Fields)
	for name, value := range f.declared.env {
		path := keyPath("environment", name)
		if got, ok := desired.env[name]; allowed(path) && (!ok || got != value) {
			desired.env[name] = value
			changed = append(changed, path)
		}
	}
	for _, path := range f.c.Remove {
		name, ok := keyOf("environment", path)
		if _, there := desired.env[name]; ok && there {
			delete(desired.env, name)
			changed = append(changed, path)
		}
	}
	slices.Sort(changed)
	return changed
}

// secrets are the values of variables that are shown as tokens only.
func (f *functionPut) secrets(sent *functionConfig) []string {
	var out []string
	for name, value := range sent.env {
		if v, declared := f.spec.Environment[name]; !declared || v.Pending || manifest.SensitiveName(name) {
			out = append(out, value)
		}
	}
	return out
}

func (f *functionPut) updateConfig(ctx context.Context, desired *functionConfig, changed []string) (providers.Receipt, error) {
	in := &lambda.UpdateFunctionConfigurationInput{FunctionName: &f.c.Resource.Physical, RevisionId: f.look.config.RevisionId}
	for _, path := range changed {
		if strings.HasPrefix(path, "environment") && desired.envUnreadable != "" {
			return providers.Receipt{}, providers.Errorf(providers.Denied,
				"the environment cannot be read (%s), so no variable can be changed without losing the others", desired.envUnreadable)
		}
		desired.into(in, path)
	}
	out, err := f.p.front.lambda.UpdateFunctionConfiguration(ctx, in)
	if err != nil {
		return providers.Receipt{}, classifyHiding(err, f.secrets(desired))
	}
	r := receipt(out.ResultMetadata)
	r.Guard = providers.Guard(awssdk.ToString(out.RevisionId))
	return r, nil
}

func (f *functionPut) updateCode(ctx context.Context, desired *functionConfig) (providers.Receipt, error) {
	code, err := f.code(ctx)
	if err != nil {
		return providers.Receipt{}, err
	}
	in := &lambda.UpdateFunctionCodeInput{
		FunctionName: &f.c.Resource.Physical, RevisionId: f.look.config.RevisionId,
		ZipFile: code.ZipFile, S3Bucket: code.S3Bucket, S3Key: code.S3Key, S3ObjectVersion: code.S3ObjectVersion,
		ImageUri: code.ImageUri, SourceKMSKeyArn: code.SourceKMSKeyArn,
	}
	for _, a := range desired.architectures {
		in.Architectures = append(in.Architectures, types.Architecture(a))
	}
	out, err := f.p.front.lambda.UpdateFunctionCode(ctx, in)
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	r := receipt(out.ResultMetadata)
	r.Guard = providers.Guard(awssdk.ToString(out.RevisionId))
	return r, f.verify(out.CodeSha256)
}

// verify compares what AWS says it received with what was tested. The code
// of an image is named by its digest already.
func (f *functionPut) verify(sha *string) error {
	if f.declared.packageType == "Image" {
		return nil
	}
	if got := liveDigest(awssdk.ToString(sha)); got != f.declared.code {
		return providers.Errorf(providers.Invalid, "AWS received code with digest %s, not the declared %s", got, f.declared.code)
	}
	return nil
}

// code is where AWS takes the code from, its digest verified here first.
func (f *functionPut) code(ctx context.Context) (*types.FunctionCode, error) {
	a := f.spec.Artifact
	code := &types.FunctionCode{}
	if f.spec.SourceKmsKeyArn != "" {
		code.SourceKMSKeyArn = &f.spec.SourceKmsKeyArn
	}
	if f.declared.packageType == "Image" {
		code.ImageUri = awssdk.String(imageURI(a))
		return code, nil
	}
	blob, err := f.p.artifact(ctx, a)
	if err != nil {
		return nil, err
	}
	blob.SourceKMSKeyArn = code.SourceKMSKeyArn
	return blob, nil
}

func (f *functionPut) signingAllowed() bool {
	if !allowedBy(f.c.Fields)("codeSigningConfigArn") {
		return false
	}
	l, looked := recall(&f.p.memory, f.p.memory.signing, f.c.Resource.Physical)
	if !looked || l.unseen != "" {
		return f.spec.CodeSigningConfigArn != "" && l.unseen == ""
	}
	return l.arn != f.spec.CodeSigningConfigArn
}

func (f *functionPut) updateSigning(ctx context.Context) (providers.Receipt, error) {
	name := &f.c.Resource.Physical
	forget(&f.p.memory, f.p.memory.signing, *name)
	if f.spec.CodeSigningConfigArn == "" {
		out, err := f.p.front.lambda.DeleteFunctionCodeSigningConfig(ctx, &lambda.DeleteFunctionCodeSigningConfigInput{FunctionName: name})
		if err != nil {
			return providers.Receipt{}, classify(err)
		}
		return receipt(out.ResultMetadata), nil
	}
	out, err := f.p.front.lambda.PutFunctionCodeSigningConfig(ctx, &lambda.PutFunctionCodeSigningConfigInput{
		FunctionName: name, CodeSigningConfigArn: &f.spec.CodeSigningConfigArn,
	})
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

// tag writes the tags that are missing or differ; with tags to take away,
// that is the one call, and the next Put adds.
func (f *functionPut) tag(ctx context.Context) (providers.Receipt, error) {
	plan := f.p.planTags(f.c, f.spec.Tags, f.look.tags, !f.p.owns(f.look.owner()))
	if plan.empty() {
		return providers.Receipt{Guard: f.guard()}, nil
	}
	return f.p.tagFunction(ctx, f.look.config.FunctionArn, plan)
}

func (p *Provider) tagFunction(ctx context.Context, arn *string, plan tagPlan) (providers.Receipt, error) {
	if len(plan.add) > 0 {
		out, err := p.front.lambda.TagResource(ctx, &lambda.TagResourceInput{Resource: arn, Tags: plan.add})
		if err != nil {
			return providers.Receipt{}, classify(err)
		}
		return receipt(out.ResultMetadata), nil
	}
	out, err := p.front.lambda.UntagResource(ctx, &lambda.UntagResourceInput{Resource: arn, TagKeys: plan.remove})
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}
