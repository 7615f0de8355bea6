package aws

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// runtimeKind is how $LATEST and the versions that matter take AWS's builds of
// their runtime. Only what is not AWS's default shows: which build a version
// runs on in mode Auto is AWS's own affair.
type runtimeKind struct{ p *Provider }

func (k runtimeKind) rights() []rights.Row {
	return []rights.Row{
		toObserve(functionARN, "lambda:GetFunction", "lambda:GetFunctionRecursionConfig", "lambda:GetRuntimeManagementConfig", "lambda:ListAliases",
			"lambda:ListProvisionedConcurrencyConfigs", "lambda:ListVersionsByFunction"),
		toManage(functionARN, "lambda:PutRuntimeManagementConfig"),
	}
}

// latestPath is $LATEST's part.
const latestPath = "latest"

const defaultRuntimeMode = string(types.UpdateRuntimeOnAuto)

func runtimeSpec(res manifest.Resource) (*manifest.RuntimeManagementSpec, error) {
	spec, ok := res.Spec.(*manifest.RuntimeManagementSpec)
	if !ok {
		return nil, wrongSpec(res)
	}
	return spec, nil
}

func (k runtimeKind) canonical(res manifest.Resource, b *builder) error {
	spec, err := runtimeSpec(res)
	if err != nil {
		return err
	}
	mode := runtimeMode{spec.UpdateRuntimeOn, spec.RuntimeVersionArn}
	b.set(latestPath, mode.form())
	if _, _, bound := spec.Version.Target(); bound {
		b.set("versions."+b.value(spec.Version), mode.form())
	}
	return nil
}

// form is a mode as a field: the build is part of it where it is chosen.
func (m runtimeMode) form() map[string]string {
	form := map[string]string{"updateRuntimeOn": m.updateOn}
	if m.updateOn == string(types.UpdateRuntimeOnManual) {
		form["runtimeVersionArn"] = m.arn
	}
	return form
}

func (k runtimeKind) live(ref manifest.Ref, l *settingsLook, parent *functionLook) providers.Live {
	b := k.p.builder(nil)
	for version, mode := range l.runtimes {
		if mode.updateOn == defaultRuntimeMode || mode.updateOn == "" {
			continue
		}
		if version == "" {
			b.set(latestPath, mode.form())
		} else {
			b.set("versions."+version, mode.form())
		}
	}
	if len(b.fields) == 0 {
		return providers.Live{}
	}
	live := b.live()
	live.Guard = seen(live.Spec.Fields)
	live.Owner = childOwner(parent.owner(), ref)
	live.Attributes = functionAttributes(&parent.config)
	live.SeenAt = l.at
	return live
}

func (k runtimeKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	parent, err := k.p.lookOrRecall(ctx, cl, res.Physical)
	if err != nil || parent.absent {
		return providers.Live{}, err
	}
	l, err := k.look(ctx, cl, parent)
	if err != nil {
		return providers.Live{}, err
	}
	return k.live(res.Ref, l, parent), nil
}

// look refuses where the platform does not answer: nothing seen is not Auto.
func (k runtimeKind) look(ctx context.Context, cl *clients, parent *functionLook) (*settingsLook, error) {
	l, err := k.p.settingsOf(ctx, cl, parent)
	if err != nil {
		return nil, err
	}
	if why := l.unseen[partRuntimes]; why != "" {
		return nil, providers.Errorf(providers.Invalid, "%s", why)
	}
	return l, nil
}

func (k runtimeKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	spec, err := runtimeSpec(c.Resource)
	if err != nil {
		return providers.Receipt{}, err
	}
	b := k.p.builder(c.Bindings)
	if err := k.canonical(c.Resource, b); err != nil {
		return providers.Receipt{}, err
	}
	parent, err := k.p.parentLook(ctx, c.Resource, c.Adopt || c.Resource.Adopt)
	if err != nil {
		return providers.Receipt{}, err
	}
	l, err := k.look(ctx, k.p.front, parent)
	if err != nil {
		return providers.Receipt{}, err
	}
	live := k.live(c.Resource.Ref, l, parent)
	if err := holds(c.Guard, live.Guard); err != nil {
		return providers.Receipt{}, err
	}
	want := map[string]runtimeMode{}
	for path, form := range b.fields {
		if allowedBy(c.Fields)(path) && live.Spec.Fields[path] != form {
			want[path] = runtimeMode{spec.UpdateRuntimeOn, spec.RuntimeVersionArn}
		}
	}
	if len(want) > 0 {
		if err := refuseUnbound(b.spec()); err != nil {
			return providers.Receipt{}, err
		}
	}
	for _, path := range c.Remove {
		if _, there := live.Spec.Fields[path]; there {
			want[path] = runtimeMode{updateOn: defaultRuntimeMode}
		}
	}
	return k.set(ctx, c.Resource.Physical, want)
}

// set writes modes by the path of what they are for.
func (k runtimeKind) set(ctx context.Context, physical string, modes map[string]runtimeMode) (providers.Receipt, error) {
	var total providers.Receipt
	for _, path := range sortedKeys(modes) {
		in := &lambda.PutRuntimeManagementConfigInput{
			FunctionName: &physical, UpdateRuntimeOn: types.UpdateRuntimeOn(modes[path].updateOn), RuntimeVersionArn: optional(modes[path].arn),
		}
		if version, ok := qualifierIn(path); ok {
			in.Qualifier = &version
			remember(&k.p.memory, k.p.memory.prepared, physical, version)
		}
		out, err := k.p.front.lambda.PutRuntimeManagementConfig(ctx, in)
		if err != nil {
			return total, classify(err)
		}
		total.RequestIDs = append(total.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	}
	return total, nil
}

// remove goes back to AWS's default wherever something else stands.
func (k runtimeKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	parent, err := k.p.look(ctx, k.p.front, res.Physical)
	if err != nil || parent.absent {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(parent.owner()); err != nil {
		return providers.Receipt{}, err
	}
	l, err := k.look(ctx, k.p.front, parent)
	if err != nil {
		return providers.Receipt{}, err
	}
	live := k.live(res.Ref, l, parent)
	if err := holds(guard, live.Guard); err != nil {
		return providers.Receipt{}, err
	}
	defaults := map[string]runtimeMode{}
	for path := range live.Spec.Fields {
		defaults[path] = runtimeMode{updateOn: defaultRuntimeMode}
	}
	return k.set(ctx, res.Physical, defaults)
}
