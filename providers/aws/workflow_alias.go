package aws

import (
	"context"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// workflowAliasKind is the name executions are started through. Step Functions
// gives it no revision: what it looks like right before is the guard.
type workflowAliasKind struct{ p *Provider }

func (k workflowAliasKind) rights() []rights.Row {
	return []rights.Row{
		toObserve(machineARN, "sfn:DescribeStateMachine", "sfn:DescribeStateMachineAlias", "sfn:ListTagsForResource", "sts:GetCallerIdentity"),
		toCheck(everything, "cloudwatch:GetMetricData"),
		toManage(machineARN, "sfn:CreateStateMachineAlias", "sfn:UpdateStateMachineAlias"),
		toDetach(machineARN, "sfn:DeleteStateMachineAlias"),
		toDelete(machineARN, "sfn:DeleteStateMachineAlias"),
	}
}

func (k workflowAliasKind) canonical(res manifest.Resource, b *builder) error {
	spec, ok := res.Spec.(*manifest.AliasSpec)
	if !ok {
		return wrongSpec(res)
	}
	b.set("description", spec.Description)
	return nil
}

// lookMachineAlias asks for an alias; nil when there is none.
func (p *Provider) lookMachineAlias(ctx context.Context, cl *clients, physical, name string) (*sfn.DescribeStateMachineAliasOutput, error) {
	arn, err := p.machineARN(ctx, cl, physical)
	if err != nil {
		return nil, err
	}
	out, err := cl.machines.DescribeStateMachineAlias(ctx, &sfn.DescribeStateMachineAliasInput{StateMachineAliasArn: awssdk.String(arn + ":" + name)})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	return out, nil
}

func (k workflowAliasKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	at := k.p.o.Now()
	out, err := k.p.lookMachineAlias(ctx, cl, res.Physical, res.Key)
	if err != nil || out == nil {
		return providers.Live{}, err
	}
	owner, err := k.parentOwner(ctx, cl, res)
	if err != nil {
		return providers.Live{}, err
	}
	live := k.live(out)
	live.SeenAt, live.Owner = at, childOwner(owner, res.Ref)
	remember(&k.p.memory, k.p.memory.known, res.Ref, live.Attributes)
	return live, nil
}

// parentOwner is who owns the machine, as last looked at, or asked now.
func (k workflowAliasKind) parentOwner(ctx context.Context, cl *clients, res manifest.Resource) (providers.Owner, error) {
	if l, ok := recall(&k.p.memory, k.p.memory.plain, plainKey{manifest.KindWorkflow, res.Physical}); ok && l.live.Exists {
		return l.live.Owner, nil
	}
	l, err := k.p.lookMachine(ctx, cl, res.Physical)
	if err != nil || l == nil {
		return providers.Owner{}, err
	}
	return ownerOf(l.tags), nil
}

func (k workflowAliasKind) live(a *sfn.DescribeStateMachineAliasOutput) providers.Live {
	b := k.p.builder(nil)
	b.set("description", awssdk.ToString(a.Description))
	live := b.live()
	live.Routing = sharesOf(a.RoutingConfiguration)
	live.Guard = machineAliasGuard(a)
	live.Attributes = map[string]string{
		"arn": awssdk.ToString(a.StateMachineAliasArn), "name": awssdk.ToString(a.Name), "id": awssdk.ToString(a.StateMachineAliasArn),
	}
	return live
}

func machineAliasGuard(a *sfn.DescribeStateMachineAliasOutput) providers.Guard {
	return seen([]any{awssdk.ToTime(a.UpdateDate).UTC(), awssdk.ToTime(a.CreationDate).UTC(), sharesOf(a.RoutingConfiguration), awssdk.ToString(a.Description)})
}

// sharesOf reads where an alias points. Of two versions the one with the
// greater share is the main one; a share of nothing is none.
func sharesOf(list []sfntypes.RoutingConfigurationListItem) providers.Routing {
	var r providers.Routing
	for _, item := range list {
		number := nameOfARN(awssdk.ToString(item.StateMachineVersionArn))
		switch {
		case item.Weight <= 0:
		case r.Version == "":
			r.Version, r.Weight = number, providers.Percent(int(item.Weight))
		default:
			r.Canary, r.Weight = number, providers.Percent(int(item.Weight))
		}
	}
	if r.Canary == "" {
		r.Weight = 0
	}
	return r
}

// shares is sharesOf's inverse: whole percents only.
func shares(arn string, to providers.Routing) ([]sfntypes.RoutingConfigurationListItem, error) {
	if err := validRouting(to); err != nil {
		return nil, err
	}
	if to.Weight%100 != 0 {
		return nil, providers.Errorf(providers.Invalid, "a state machine's alias takes whole percents, not %g", float64(to.Weight)/100)
	}
	list := []sfntypes.RoutingConfigurationListItem{{StateMachineVersionArn: awssdk.String(arn + ":" + to.Version), Weight: 100 - int32(to.Weight/100)}}
	if to.Canary != "" {
		list = append(list, sfntypes.RoutingConfigurationListItem{StateMachineVersionArn: awssdk.String(arn + ":" + to.Canary), Weight: int32(to.Weight / 100)})
	}
	return list, nil
}

// put updates the alias's own fields. A new alias has to point somewhere, so
// Route makes it.
func (k workflowAliasKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	spec, ok := c.Resource.Spec.(*manifest.AliasSpec)
	if !ok {
		return providers.Receipt{}, wrongSpec(c.Resource)
	}
	now, err := k.mine(ctx, c)
	if err != nil {
		return providers.Receipt{}, err
	}
	if now == nil {
		return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there: an alias is made by routing it to a version")
	}
	if awssdk.ToString(now.Description) == spec.Description || !allowedBy(c.Fields)("description") {
		return providers.Receipt{Guard: machineAliasGuard(now)}, nil
	}
	out, err := k.p.front.machines.UpdateStateMachineAlias(ctx, &sfn.UpdateStateMachineAliasInput{
		StateMachineAliasArn: now.StateMachineAliasArn, Description: &spec.Description,
	})
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

// mine looks at an alias right before a write: ours, and as it was planned
// against. nil when there is none, and none was expected.
func (k workflowAliasKind) mine(ctx context.Context, c providers.Change) (*sfn.DescribeStateMachineAliasOutput, error) {
	owner, err := k.parentOwner(ctx, k.p.front, c.Resource)
	if err != nil {
		return nil, err
	}
	if err := k.p.mayWrite(owner, c.Adopt || c.Resource.Adopt); err != nil {
		return nil, err
	}
	now, err := k.p.lookMachineAlias(ctx, k.p.front, c.Resource.Physical, c.Resource.Key)
	switch {
	case err != nil:
		return nil, err
	case now == nil && c.Guard != "":
		return nil, providers.Errorf(providers.Conflict, "is not there any more")
	case now == nil:
		return nil, nil
	}
	return now, holds(c.Guard, machineAliasGuard(now))
}

// route points the alias by one call, after the look that stands for a guard.
func (k workflowAliasKind) route(ctx context.Context, c providers.Change, to providers.Routing) (providers.Receipt, error) {
	spec, ok := c.Resource.Spec.(*manifest.AliasSpec)
	if !ok {
		return providers.Receipt{}, wrongSpec(c.Resource)
	}
	arn, err := k.p.machineARN(ctx, k.p.front, c.Resource.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	list, err := shares(arn, to)
	if err != nil {
		return providers.Receipt{}, err
	}
	now, err := k.mine(ctx, c)
	if err != nil {
		return providers.Receipt{}, err
	}
	if now == nil {
		in := &sfn.CreateStateMachineAliasInput{Name: &c.Resource.Key, RoutingConfiguration: list}
		if spec.Description != "" {
			in.Description = &spec.Description
		}
		out, err := k.p.front.machines.CreateStateMachineAlias(ctx, in)
		if err != nil {
			return providers.Receipt{}, classify(err)
		}
		return receipt(out.ResultMetadata), nil
	}
	out, err := k.p.front.machines.UpdateStateMachineAlias(ctx, &sfn.UpdateStateMachineAliasInput{
		StateMachineAliasArn: now.StateMachineAliasArn, RoutingConfiguration: list,
	})
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

// metrics are those of executions that ended, by the version they ran. How the
// dimension spells a version is not documented by example: both ways are asked
// for, and what has no answer counts for nothing. An aborted execution is
// somebody's doing and no verdict.
func (k workflowAliasKind) metrics(ctx context.Context, alias manifest.Resource, version string) ([]metric, error) {
	arn, err := k.p.machineARN(ctx, k.p.front, alias.Physical)
	if err != nil {
		return nil, err
	}
	var out []metric
	for _, spelled := range []string{version, arn + ":" + version} {
		of := []types.Dimension{dimension("StateMachineArn", arn), dimension("Version", spelled)}
		out = append(out,
			metric{counts: countsCalls, namespace: "AWS/States", name: "ExecutionsSucceeded", dimensions: of},
			metric{counts: countsBoth, namespace: "AWS/States", name: "ExecutionsFailed", dimensions: of},
			metric{counts: countsBoth, namespace: "AWS/States", name: "ExecutionsTimedOut", dimensions: of},
			metric{counts: countsThrottles, namespace: "AWS/States", name: "ExecutionThrottled", dimensions: of})
	}
	return out, nil
}

func (k workflowAliasKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	owner, err := k.parentOwner(ctx, k.p.front, res)
	if err != nil || owner == (providers.Owner{}) {
		return providers.Receipt{}, err
	}
	return k.drop(ctx, owner, res.Physical, res.Key, guard)
}

// detach takes an alias nobody declared off a state machine.
func (k workflowAliasKind) detach(ctx context.Context, parent manifest.Resource, extra providers.Extra) (providers.Receipt, error) {
	l, err := k.p.lookMachine(ctx, k.p.front, parent.Physical)
	if err != nil || l == nil {
		return providers.Receipt{}, err
	}
	return k.drop(ctx, ownerOf(l.tags), parent.Physical, strings.TrimPrefix(extra.Ref.Name, parent.Ref.Name+"."), extra.Guard)
}

func (k workflowAliasKind) drop(ctx context.Context, owner providers.Owner, physical, name string, guard providers.Guard) (providers.Receipt, error) {
	if err := k.p.mayDelete(owner); err != nil {
		return providers.Receipt{}, err
	}
	now, err := k.p.lookMachineAlias(ctx, k.p.front, physical, name)
	if err != nil || now == nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, machineAliasGuard(now)); err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.machines.DeleteStateMachineAlias(ctx, &sfn.DeleteStateMachineAliasInput{StateMachineAliasArn: now.StateMachineAliasArn})
	if err != nil && !isAbsent(err) {
		return providers.Receipt{}, classify(err)
	}
	if out == nil {
		return providers.Receipt{}, nil
	}
	return receipt(out.ResultMetadata), nil
}

func (k workflowAliasKind) survey(ctx context.Context, s *sweep) {
	s.plain(ctx, plainly{kind: manifest.KindWorkflowAlias, layer: layerWorkflows, service: "SFN", operation: "DescribeStateMachineAlias", cost: 1})
}

// listMachineAliases are the aliases of a state machine, each looked at.
func (p *Provider) listMachineAliases(ctx context.Context, cl *clients, arn string) ([]*sfn.DescribeStateMachineAliasOutput, error) {
	var all []*sfn.DescribeStateMachineAliasOutput
	in := &sfn.ListStateMachineAliasesInput{StateMachineArn: &arn}
	for {
		page, err := cl.machines.ListStateMachineAliases(ctx, in)
		if err != nil {
			return nil, classify(err)
		}
		for _, item := range page.StateMachineAliases {
			a, err := cl.machines.DescribeStateMachineAlias(ctx, &sfn.DescribeStateMachineAliasInput{StateMachineAliasArn: item.StateMachineAliasArn})
			if isAbsent(err) {
				continue
			}
			if err != nil {
				return nil, classify(err)
			}
			all = append(all, a)
		}
		if in.NextToken = page.NextToken; awssdk.ToString(in.NextToken) == "" {
			return all, nil
		}
	}
}

// extras are the aliases of an owned state machine: the survey leaves out what
// is declared.
func (k workflowKind) extras(ctx context.Context, cl *clients, res manifest.Resource, live providers.Live) ([]providers.Extra, error) {
	aliases, err := k.p.listMachineAliases(ctx, cl, live.Attributes["arn"])
	if err != nil {
		return nil, err
	}
	var out []providers.Extra
	for _, a := range aliases {
		shown := workflowAliasKind(k).live(a)
		b := k.p.builder(nil)
		b.set("description", awssdk.ToString(a.Description))
		b.set("routingConfiguration", shown.Routing)
		out = append(out, providers.Extra{
			Ref:    manifest.Ref{Kind: manifest.KindWorkflowAlias, Name: res.Ref.Name + "." + awssdk.ToString(a.Name)},
			Parent: res.Ref, Spec: b.spec(), Guard: shown.Guard,
		})
	}
	return out, nil
}

// sameHost keeps a call on the endpoint that was given: AWS has express
// executions answered by another host, emulators do not.
func (p *Provider) sameHost(o *sfn.Options) {
	if o.BaseEndpoint == nil {
		return
	}
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("MooringSameHost", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
			middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(smithyhttp.DisableEndpointHostPrefix(ctx, true), in)
		}), middleware.After)
	})
}
