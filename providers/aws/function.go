package aws

import (
	"context"
	"fmt"
	"slices"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// functionKind is a function's $LATEST: code, configuration and tags. What
// serves is a version; see publish.go and alias.go.
type functionKind struct{ p *Provider }

func (k functionKind) rights() []rights.Row {
	return slices.Concat(functionLooks(), []rights.Row{
		artifacts(),
		toCheck(functionARN, "lambda:Invoke"),
		toManage(functionARN, "lambda:CreateFunction", "lambda:DeleteFunctionCodeSigningConfig", "lambda:PublishVersion", "lambda:PutFunctionRecursionConfig",
			"lambda:TagResource", "lambda:UntagResource", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration"),
		because(toManage(slices.Concat(functionARN, signingARN), "lambda:PutFunctionCodeSigningConfig"),
			"asked for of the function and of the configuration"),
	}, functionUses(), []rights.Row{
		toDetach(functionARN, "lambda:DeleteAlias", "lambda:DeleteFunctionConcurrency", "lambda:DeleteFunctionEventInvokeConfig", "lambda:DeleteFunctionUrlConfig",
			"lambda:DeleteProvisionedConcurrencyConfig", "lambda:PutRuntimeManagementConfig", "lambda:RemovePermission"),
		onMappings(toDetach(mappingARN, "lambda:DeleteEventSourceMapping")),
		because(toDelete(functionARN, "lambda:DeleteFunction"), "functions and old versions"),
	})
}

// functionLooks is what a survey asks of functions, their children included.
func functionLooks() []rights.Row {
	tags := toObserve(functionARN, "lambda:GetFunction", "lambda:GetFunctionCodeSigningConfig", "lambda:GetFunctionEventInvokeConfig",
		"lambda:GetFunctionRecursionConfig", "lambda:GetFunctionUrlConfig", "lambda:GetPolicy", "lambda:GetRuntimeManagementConfig", "lambda:ListAliases",
		"lambda:ListFunctionEventInvokeConfigs", "lambda:ListFunctionUrlConfigs", "lambda:ListProvisionedConcurrencyConfigs", "lambda:ListVersionsByFunction")
	tags.Also, tags.Why = []string{"lambda:ListTags"}, "GetFunction hands out the code as well, and tags only to who may list them"
	return []rights.Row{
		tags, toObserve(mappingARN, "lambda:ListTags"),
		toObserve(everything, "lambda:ListCodeSigningConfigs"), toObserve(signingARN, "lambda:ListFunctionsByCodeSigningConfig"),
	}
}

// functionUses is what Lambda asks of who writes a function, for what the
// function uses.
func functionUses() []rights.Row {
	config := func(res manifest.Resource) *manifest.FunctionConfig {
		if spec, ok := res.Spec.(*manifest.FunctionConfig); ok {
			return spec
		}
		return &manifest.FunctionConfig{}
	}
	return []rights.Row{
		passRole("lambda.amazonaws.com", func(res manifest.Resource) []manifest.Value { return []manifest.Value{config(res).Role} }),
		{
			For: rights.Manage, Also: []string{"lambda:GetLayerVersion"}, On: []string{layerARN[0] + ":*"}, Why: "for the layers functions name",
			When: func(res manifest.Resource) bool { return len(config(res).Layers) > 0 },
			Of:   func(res manifest.Resource) []manifest.Value { return anyVersion(config(res).Layers) },
		},
		{
			For: rights.Manage, Also: []string{"kms:CreateGrant", "kms:Encrypt"}, On: []string{"arn:{partition}:kms:{region}:{account}:key/{name}"},
			When: func(res manifest.Resource) bool { return config(res).KmsKeyArn != "" },
			Of: func(res manifest.Resource) []manifest.Value {
				return []manifest.Value{{Literal: config(res).KmsKeyArn}}
			},
			Why: "for the keys environments are encrypted with",
		},
		{
			For: rights.Manage, Also: []string{"ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"}, On: everything,
			When: func(res manifest.Resource) bool { return config(res).VpcConfig != nil }, Why: "for functions in a VPC; AWS knows no resources for it",
		},
		{
			For: rights.Manage, Also: []string{"elasticfilesystem:DescribeMountTargets"}, On: everything,
			When: func(res manifest.Resource) bool { return len(config(res).FileSystemConfigs) > 0 }, Why: "for functions with file systems",
		},
	}
}

func functionSpec(res manifest.Resource) (*manifest.FunctionConfig, error) {
	spec, ok := res.Spec.(*manifest.FunctionConfig)
	if !ok {
		return nil, wrongSpec(res)
	}
	return spec, nil
}

func wrongSpec(res manifest.Resource) error {
	return providers.Errorf(providers.Invalid, "%s carries a %T", res.Ref, res.Spec)
}

func (k functionKind) canonical(res manifest.Resource, b *builder) error {
	spec, err := functionSpec(res)
	if err != nil {
		return err
	}
	b.own = b.bindings[res.Ref]
	f := declaredConfig(spec, res.Physical, b)
	functionFields(b, &f, spec)
	if spec.Artifact.Unmanaged {
		b.observed = map[string]bool{"code": true, "architectures": true, "sourceKmsKeyArn": true}
	}
	b.set("codeSigningConfigArn", spec.CodeSigningConfigArn)
	b.set("sourceKmsKeyArn", spec.SourceKmsKeyArn)
	b.set(recursionField, declaredLoop(spec))
	setTags(b, spec.Tags, spec.Tags)
	b.snapshot = f.snapshot(b.key)
	return nil
}

// functionFields writes what a version keeps. A variable is shown when the
// manifest declares it and its name is harmless, else as a token.
func functionFields(b *builder, f *functionConfig, declared *manifest.FunctionConfig) {
	each(b, functionMembers, f)
	if f.envUnreadable != "" {
		b.unseen["environment"] = f.envUnreadable
		for name := range declared.Environment {
			b.unseen[keyPath("environment", name)] = f.envUnreadable
		}
		return
	}
	for name, token := range f.kept {
		path := keyPath("environment", name)
		b.set(path, token)
		b.sensitive[path] = true
	}
	for name, value := range f.env {
		path := keyPath("environment", name)
		if v, isDeclared := declared.Environment[name]; isDeclared && !v.Pending && !manifest.SensitiveName(name) {
			b.set(path, value)
		} else {
			b.token(path, value)
		}
	}
}

// look asks for a function as a whole, in the lane that carries most.
func (p *Provider) look(ctx context.Context, cl *clients, physical string) (*functionLook, error) {
	at := p.o.Now()
	out, err := cl.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &physical})
	if isAbsent(err) {
		l := &functionLook{at: at, absent: true}
		remember(&p.memory, p.memory.functions, physical, l)
		return l, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	l := functionLookOf(out, at)
	remember(&p.memory, p.memory.functions, physical, l)
	return l, nil
}

// functionLookOf reads an answer of GetFunction.
func functionLookOf(out *lambda.GetFunctionOutput, at time.Time) *functionLook {
	l := &functionLook{at: at, tags: out.Tags, config: types.FunctionConfiguration{}}
	if out.Configuration != nil {
		l.config = *out.Configuration
	}
	if out.TagsError != nil {
		l.tagsUnseen = orElse(awssdk.ToString(out.TagsError.ErrorCode), "unreadable")
	}
	if out.Code != nil {
		l.sourceKMS = awssdk.ToString(out.Code.SourceKMSKeyArn)
	}
	if out.Concurrency != nil {
		l.concurrency = out.Concurrency.ReservedConcurrentExecutions
	}
	return l
}

// lookOrRecall answers from memory if it can: for what rarely changes. That a
// function is not there is remembered for a second only, for its children.
func (p *Provider) lookOrRecall(ctx context.Context, cl *clients, physical string) (*functionLook, error) {
	if l, ok := recall(&p.memory, p.memory.functions, physical); ok && (!l.absent || p.o.Now().Sub(l.at) < time.Second) {
		return l, nil
	}
	return p.look(ctx, cl, physical)
}

func (k functionKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	l, err := k.p.look(ctx, cl, res.Physical)
	if err != nil || l.absent {
		return providers.Live{}, err
	}
	spec, err := functionSpec(res)
	if err != nil {
		return providers.Live{}, err
	}
	if err := k.p.lookVersions(ctx, cl, res.Physical, l, true); err != nil {
		return providers.Live{}, err
	}
	if _, looked := recall(&k.p.memory, k.p.memory.signing, res.Physical); !looked || spec.CodeSigningConfigArn != "" {
		if err := k.p.lookSigning(ctx, cl, res.Physical); err != nil {
			return providers.Live{}, err
		}
	}
	if _, looked := recall(&k.p.memory, k.p.memory.recursion, res.Physical); !looked || spec.RecursiveLoop != "" {
		if err := k.p.lookRecursion(ctx, cl, res.Physical); err != nil {
			return providers.Live{}, err
		}
	}
	return k.p.functionLive(res, l)
}

// functionLive puts together what is remembered of a function.
func (p *Provider) functionLive(res manifest.Resource, l *functionLook) (providers.Live, error) {
	spec, ok := res.Spec.(*manifest.FunctionConfig)
	if !ok { // an orphan: nothing is declared
		spec = &manifest.FunctionConfig{}
	}
	b := p.builder(nil)
	f := liveConfig(&l.config)
	functionFields(b, &f, spec)
	b.set("sourceKmsKeyArn", l.sourceKMS)
	signing, looked := recall(&p.memory, p.memory.signing, res.Physical)
	switch {
	case !looked:
		b.unseen["codeSigningConfigArn"] = "not looked at yet"
	case signing.unseen != "":
		b.unseen["codeSigningConfigArn"] = signing.unseen
	default:
		b.set("codeSigningConfigArn", signing.arn)
	}
	p.recursionLive(b, res.Physical)
	if l.tagsUnseen != "" {
		b.unseen["tags"] = l.tagsUnseen
		for key := range spec.Tags {
			b.unseen[keyPath("tags", key)] = l.tagsUnseen
		}
	}
	setTags(b, spec.Tags, l.tags)
	b.snapshot = f.snapshot(b.key)

	live := b.live()
	live.Guard = functionGuard(&l.config)
	live.Settling, live.Failed = functionState(&l.config)
	live.Owner = l.owner()
	live.SeenAt = l.at
	live.Published = p.recallVersions(res.Physical)
	live.Attributes = functionAttributes(&l.config)
	if res.SelfBound {
		live.Attributes[keptCode] = f.code
		for name, v := range spec.Environment {
			if value, there := f.env[name]; there && v.Pending {
				live.Attributes[keptVariable+name] = tokenOf(b.key, value)
			}
		}
	}
	remember(&p.memory, p.memory.known, res.Ref, live.Attributes)
	return live, nil
}

// functionGuard is the function's revision. A platform that gives none is
// guarded by what was seen.
func functionGuard(c *types.FunctionConfiguration) providers.Guard {
	if c.RevisionId != nil {
		return providers.Guard(*c.RevisionId)
	}
	return seen(c)
}

func functionAttributes(c *types.FunctionConfiguration) map[string]string {
	return map[string]string{"arn": awssdk.ToString(c.FunctionArn), "name": awssdk.ToString(c.FunctionName), "id": awssdk.ToString(c.FunctionName)}
}

// functionState reads the two state machines of a function: its own and that
// of its last update. A null update status with a state is one in progress.
func functionState(c *types.FunctionConfiguration) (settling bool, failed string) {
	switch c.State {
	case types.StatePending, types.StateDeactivating, types.State("Deleting"):
		settling = true
	case types.StateFailed:
		failed = stateReason(string(c.StateReasonCode), awssdk.ToString(c.StateReason))
	}
	switch c.LastUpdateStatus {
	case types.LastUpdateStatusInProgress:
		settling = true
	case types.LastUpdateStatusFailed:
		failed = stateReason(string(c.LastUpdateStatusReasonCode), awssdk.ToString(c.LastUpdateStatusReason))
	case "":
		settling = settling || c.State == types.StateActive
	}
	return settling, failed
}

func stateReason(code, reason string) string {
	switch {
	case code == "":
		return orElse(scrub(reason), "failed")
	case reason == "":
		return code
	}
	return code + ": " + scrub(reason)
}

// lookSigning asks which code signing configuration is attached.
func (p *Provider) lookSigning(ctx context.Context, cl *clients, physical string) error {
	l := signingLook{at: p.o.Now()}
	out, err := cl.lambda.GetFunctionCodeSigningConfig(ctx, &lambda.GetFunctionCodeSigningConfigInput{FunctionName: &physical})
	switch {
	case err == nil:
		l.arn = awssdk.ToString(out.CodeSigningConfigArn)
	case isAbsent(err):
	case isUnknownOperation(err):
		l.unseen = "the platform does not answer GetFunctionCodeSigningConfig"
	default:
		return classify(err)
	}
	remember(&p.memory, p.memory.signing, physical, l)
	return nil
}

func (k functionKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	l, err := k.p.look(ctx, k.p.front, res.Physical)
	if err != nil || l.absent {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(l.owner()); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, functionGuard(&l.config)); err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &res.Physical})
	k.p.memory.forgetFunction(res.Physical)
	if isAbsent(err) {
		return providers.Receipt{}, nil
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

// parentLook is a child's function, freshly looked at: it must be there, and
// ours.
func (p *Provider) parentLook(ctx context.Context, res manifest.Resource, adopt bool) (*functionLook, error) {
	l, err := p.look(ctx, p.front, res.Physical)
	if err != nil {
		return nil, fmt.Errorf("its function: %w", err)
	}
	if l.absent {
		return nil, providers.Errorf(providers.Conflict, "its function %s is not there", res.Physical)
	}
	if err := p.mayWrite(l.owner(), adopt); err != nil {
		return nil, fmt.Errorf("its function: %w", err)
	}
	return l, nil
}
