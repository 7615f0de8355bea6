package aws

import (
	"context"
	"math"
	"strconv"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// aliasKind is the name traffic goes through. Its fields are the manifest's;
// where it points is moved by Route alone.
type aliasKind struct{ p *Provider }

func (k aliasKind) rights() []rights.Row {
	return []rights.Row{
		toObserve(functionARN, "lambda:GetAlias", "lambda:GetFunction", "lambda:ListProvisionedConcurrencyConfigs"),
		toCheck(everything, "cloudwatch:GetMetricData"),
		toManage(functionARN, "lambda:CreateAlias", "lambda:UpdateAlias"),
		toDelete(functionARN, "lambda:DeleteAlias"),
	}
}

func (k aliasKind) canonical(res manifest.Resource, b *builder) error {
	spec, ok := res.Spec.(*manifest.AliasSpec)
	if !ok {
		return wrongSpec(res)
	}
	b.set("description", spec.Description)
	return nil
}

func (k aliasKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	parent, err := k.p.lookOrRecall(ctx, cl, res.Physical)
	if err != nil || parent.absent {
		return providers.Live{}, err
	}
	at := k.p.o.Now()
	out, err := cl.lambda.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &res.Physical, Name: &res.Key})
	if isAbsent(err) {
		return providers.Live{}, nil
	}
	if err != nil {
		return providers.Live{}, classify(err)
	}
	alias := types.AliasConfiguration{
		AliasArn: out.AliasArn, Description: out.Description, FunctionVersion: out.FunctionVersion,
		Name: out.Name, RevisionId: out.RevisionId, RoutingConfig: out.RoutingConfig,
	}
	live := k.live(res.Ref, &alias, parent.owner())
	live.SeenAt = at
	return live, k.p.ownMoves(ctx, cl, &live, &alias)
}

func (k aliasKind) live(ref manifest.Ref, a *types.AliasConfiguration, parent providers.Owner) providers.Live {
	b := k.p.builder(nil)
	b.set("description", awssdk.ToString(a.Description))
	live := b.live()
	live.Routing = routingOf(a)
	live.Guard = providers.Guard(awssdk.ToString(a.RevisionId))
	live.Owner = childOwner(parent, ref)
	live.Attributes = map[string]string{
		"arn": awssdk.ToString(a.AliasArn), "name": awssdk.ToString(a.Name), "id": awssdk.ToString(a.AliasArn),
	}
	remember(&k.p.memory, k.p.memory.known, ref, live.Attributes)
	if function, _ := functionOf(awssdk.ToString(a.AliasArn)); function != "" {
		remember(&k.p.memory, k.p.memory.fronts, function, awssdk.ToString(a.Name))
	}
	return live
}

// routingOf reads where an alias points; a weight of nothing is none.
func routingOf(a *types.AliasConfiguration) providers.Routing {
	r := providers.Routing{Version: awssdk.ToString(a.FunctionVersion)}
	if a.RoutingConfig == nil {
		return r
	}
	for _, version := range sortedKeys(a.RoutingConfig.AdditionalVersionWeights) {
		w := providers.Weight(math.Round(a.RoutingConfig.AdditionalVersionWeights[version] * 10000))
		if w > 0 { // AWS allows one
			r.Canary, r.Weight = version, w
		}
	}
	return r
}

func (p *Provider) listAliases(ctx context.Context, cl *clients, physical string) ([]types.AliasConfiguration, error) {
	var all []types.AliasConfiguration
	pages := lambda.NewListAliasesPaginator(cl.lambda, &lambda.ListAliasesInput{FunctionName: &physical})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, classify(err)
		}
		all = append(all, page.Aliases...)
	}
	return all, nil
}

// put updates the alias's own fields. A new alias has to point somewhere, so
// Route makes it.
func (k aliasKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	spec, ok := c.Resource.Spec.(*manifest.AliasSpec)
	if !ok {
		return providers.Receipt{}, wrongSpec(c.Resource)
	}
	if _, err := k.p.parentLook(ctx, c.Resource, c.Adopt || c.Resource.Adopt); err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.lambda.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &c.Resource.Physical, Name: &c.Resource.Key})
	if isAbsent(err) {
		return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there: an alias is made by routing it to a version")
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	if err := holds(c.Guard, providers.Guard(awssdk.ToString(out.RevisionId))); err != nil {
		return providers.Receipt{}, err
	}
	if awssdk.ToString(out.Description) == spec.Description || !allowedBy(c.Fields)("description") {
		return providers.Receipt{Guard: providers.Guard(awssdk.ToString(out.RevisionId))}, nil
	}
	updated, err := k.p.front.lambda.UpdateAlias(ctx, &lambda.UpdateAliasInput{
		FunctionName: &c.Resource.Physical, Name: &c.Resource.Key, Description: &spec.Description, RevisionId: out.RevisionId,
	})
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	r := receipt(updated.ResultMetadata)
	r.Guard = providers.Guard(awssdk.ToString(updated.RevisionId))
	return r, nil
}

func (p *Provider) route(ctx context.Context, c providers.Change, to providers.Routing) (providers.Receipt, error) {
	res := c.Resource
	spec, ok := res.Spec.(*manifest.AliasSpec)
	if !ok {
		return providers.Receipt{}, wrongSpec(res)
	}
	if err := validRouting(to); err != nil {
		return providers.Receipt{}, err
	}
	parent, err := p.lookOrRecall(ctx, p.front, res.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	if parent.absent {
		return providers.Receipt{}, providers.Errorf(providers.Conflict, "its function is not there")
	}
	if err := p.mayWrite(parent.owner(), c.Adopt || res.Adopt); err != nil {
		return providers.Receipt{}, err
	}
	weights := &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{}}
	if to.Canary != "" {
		weights.AdditionalVersionWeights[to.Canary] = float64(to.Weight) / 10000
	}
	if c.Guard == "" {
		in := &lambda.CreateAliasInput{FunctionName: &res.Physical, Name: &res.Key, FunctionVersion: &to.Version, Description: &spec.Description}
		if to.Canary != "" {
			in.RoutingConfig = weights
		}
		out, err := p.front.lambda.CreateAlias(ctx, in)
		if err != nil {
			return providers.Receipt{}, classify(err)
		}
		r := receipt(out.ResultMetadata)
		r.Guard = providers.Guard(awssdk.ToString(out.RevisionId))
		return r, nil
	}
	out, err := p.front.lambda.UpdateAlias(ctx, &lambda.UpdateAliasInput{
		FunctionName: &res.Physical, Name: &res.Key, FunctionVersion: &to.Version, RoutingConfig: weights,
		RevisionId: awssdk.String(string(c.Guard)),
	})
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	r := receipt(out.ResultMetadata)
	r.Guard = providers.Guard(awssdk.ToString(out.RevisionId))
	return r, nil
}

// validRouting checks AWS's rules that need no question: published versions
// only, two different ones, weights within bounds.
func validRouting(r providers.Routing) error {
	switch {
	case !published(r.Version):
		return providers.Errorf(providers.Invalid, "an alias points at a published version, not at %q", r.Version)
	case r.Weight < 0 || r.Weight > 10000:
		return providers.Errorf(providers.Invalid, "weight %d is not within 0 and 10000", r.Weight)
	case (r.Canary == "") != (r.Weight == 0):
		return providers.Errorf(providers.Invalid, "a canary has a weight, and nothing else has (canary %q, weight %d)", r.Canary, r.Weight)
	case r.Canary != "" && !published(r.Canary):
		return providers.Errorf(providers.Invalid, "an alias sends its canary share to a published version, not to %q", r.Canary)
	case r.Canary == r.Version:
		return providers.Errorf(providers.Invalid, "version %s cannot be its own canary", r.Version)
	}
	return nil
}

func published(version string) bool {
	n, err := strconv.ParseUint(version, 10, 64)
	return err == nil && n > 0
}

func (k aliasKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	parent, err := k.p.look(ctx, k.p.front, res.Physical)
	if err != nil || parent.absent {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(parent.owner()); err != nil {
		return providers.Receipt{}, err
	}
	return k.drop(ctx, res.Physical, res.Key, guard)
}

// drop deletes an alias if it is still as it was looked at.
func (k aliasKind) drop(ctx context.Context, physical, name string, guard providers.Guard) (providers.Receipt, error) {
	now, err := k.p.front.lambda.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &physical, Name: &name})
	if isAbsent(err) {
		return providers.Receipt{}, nil
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	if err := holds(guard, providers.Guard(awssdk.ToString(now.RevisionId))); err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.lambda.DeleteAlias(ctx, &lambda.DeleteAliasInput{FunctionName: &physical, Name: &name})
	if err != nil && !isAbsent(err) {
		return providers.Receipt{}, classify(err)
	}
	if out == nil {
		return providers.Receipt{}, nil
	}
	return receipt(out.ResultMetadata), nil
}
