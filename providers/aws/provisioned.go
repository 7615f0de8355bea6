package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// provisionedKind is the concurrency kept ready for a function's versions. Its
// fields are named after them: versions.7. What stands on an alias
// (aliases.live) is nobody's of ours: AWS refuses weights on such an alias.
type provisionedKind struct{ p *Provider }

func (k provisionedKind) rights() []rights.Row {
	return []rights.Row{
		toObserve(functionARN, "lambda:GetFunction", "lambda:ListProvisionedConcurrencyConfigs"),
		toManage(functionARN, "lambda:DeleteProvisionedConcurrencyConfig", "lambda:PutProvisionedConcurrencyConfig"),
	}
}

func provisionedSpec(res manifest.Resource) (*manifest.ProvisionedConcurrencySpec, error) {
	spec, ok := res.Spec.(*manifest.ProvisionedConcurrencySpec)
	if !ok {
		return nil, wrongSpec(res)
	}
	return spec, nil
}

func (k provisionedKind) canonical(res manifest.Resource, b *builder) error {
	spec, err := provisionedSpec(res)
	if err != nil {
		return err
	}
	b.set("versions."+b.value(spec.Version), spec.ProvisionedConcurrentExecutions)
	return nil
}

// live reads what is kept ready. While AWS is still about it, it settles.
func (k provisionedKind) live(ref manifest.Ref, l *settingsLook, parent *functionLook) providers.Live {
	if len(l.provisioned) == 0 {
		return providers.Live{}
	}
	b := k.p.builder(nil)
	for qualifier, c := range l.provisioned {
		b.set(versionPath(qualifier), c.requested)
	}
	live := b.live()
	for _, qualifier := range sortedKeys(l.provisioned) {
		c := l.provisioned[qualifier]
		switch c.status {
		case types.ProvisionedConcurrencyStatusEnumInProgress:
			live.Settling = true
		case types.ProvisionedConcurrencyStatusEnumFailed:
			live.Failed = "concurrency of version " + qualifier + ": " + orElse(scrub(c.reason), "failed")
			if live.Faults == nil {
				live.Faults = map[string]string{}
			}
			live.Faults[versionPath(qualifier)] = live.Failed
		}
	}
	live.Guard = seen(live.Spec.Fields)
	live.Owner = childOwner(parent.owner(), ref)
	live.Attributes = functionAttributes(&parent.config)
	live.SeenAt = l.at
	return live
}

func (k provisionedKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	parent, err := k.p.lookOrRecall(ctx, cl, res.Physical)
	if err != nil || parent.absent {
		return providers.Live{}, err
	}
	l, err := k.look(ctx, cl, res.Physical)
	if err != nil {
		return providers.Live{}, err
	}
	return k.live(res.Ref, l, parent), nil
}

// look asks for what is kept ready, and for nothing else.
func (k provisionedKind) look(ctx context.Context, cl *clients, physical string) (*settingsLook, error) {
	l := &settingsLook{at: k.p.o.Now()}
	var err error
	if l.provisioned, err = k.p.listProvisioned(ctx, cl, physical); err != nil {
		return nil, classify(err)
	}
	return l, nil
}

// put keeps the declared number ready on the version that carries the release,
// and lets others go; never the one traffic goes to.
func (k provisionedKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	spec, err := provisionedSpec(c.Resource)
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
	l, err := k.look(ctx, k.p.front, c.Resource.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	live := k.live(c.Resource.Ref, l, parent)
	if err := holds(c.Guard, live.Guard); err != nil {
		return providers.Receipt{}, err
	}
	var total providers.Receipt
	for path := range b.fields {
		qualifier, _ := qualifierIn(path)
		if !allowedBy(c.Fields)(path) || l.provisioned[qualifier].requested == spec.ProvisionedConcurrentExecutions {
			continue
		}
		if err := refuseUnbound(b.spec()); err != nil {
			return providers.Receipt{}, err
		}
		out, err := k.p.front.lambda.PutProvisionedConcurrencyConfig(ctx, &lambda.PutProvisionedConcurrencyConfigInput{
			FunctionName: &c.Resource.Physical, Qualifier: &qualifier,
			ProvisionedConcurrentExecutions: awssdk.Int32(int32(spec.ProvisionedConcurrentExecutions)),
		})
		if err != nil {
			return total, classify(err)
		}
		total.RequestIDs = append(total.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	}
	r, err := k.letGo(ctx, c, l)
	total.RequestIDs = append(total.RequestIDs, r.RequestIDs...)
	return total, err
}

// letGo takes concurrency off the versions and aliases a change names.
func (k provisionedKind) letGo(ctx context.Context, c providers.Change, l *settingsLook) (providers.Receipt, error) {
	var drop []string
	for _, path := range c.Remove {
		if q, ok := qualifierIn(path); ok && l.provisioned[q].requested > 0 {
			drop = append(drop, q)
		}
	}
	if len(drop) == 0 {
		return providers.Receipt{}, nil
	}
	aliases, err := k.p.listAliases(ctx, k.p.front, c.Resource.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	for i := range aliases {
		r := routingOf(&aliases[i])
		for _, q := range drop {
			if q == r.Version || q == r.Canary {
				return providers.Receipt{}, providers.Errorf(providers.Conflict, "version %s still takes traffic through %s", q, awssdk.ToString(aliases[i].Name))
			}
		}
	}
	return k.drop(ctx, c.Resource.Physical, drop)
}

func (k provisionedKind) drop(ctx context.Context, physical string, qualifiers []string) (providers.Receipt, error) {
	var total providers.Receipt
	for _, q := range qualifiers {
		out, err := k.p.front.lambda.DeleteProvisionedConcurrencyConfig(ctx, &lambda.DeleteProvisionedConcurrencyConfigInput{FunctionName: &physical, Qualifier: &q})
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

func (k provisionedKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	parent, err := k.p.look(ctx, k.p.front, res.Physical)
	if err != nil || parent.absent {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(parent.owner()); err != nil {
		return providers.Receipt{}, err
	}
	l, err := k.look(ctx, k.p.front, res.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, k.live(res.Ref, l, parent).Guard); err != nil {
		return providers.Receipt{}, err
	}
	return k.drop(ctx, res.Physical, sortedKeys(l.provisioned))
}
