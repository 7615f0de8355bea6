package aws

import (
	"context"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"mooring.dev/sources/manifest"
)

func (k workflowKind) namedIn(arn string) (string, bool) {
	name, ok := k.physicalIn(arn)
	return firstPart(name, ':'), ok
}

func (k workflowKind) every(ctx context.Context, a *adoption) ([]string, error) {
	var names []string
	pages := sfn.NewListStateMachinesPaginator(a.cl.machines, &sfn.ListStateMachinesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return names, err
		}
		for _, m := range page.StateMachines {
			names = append(names, awssdk.ToString(m.Name))
		}
	}
	return names, nil
}

func (k workflowKind) draft(ctx context.Context, a *adoption, name string) (*manifest.Draft, error) {
	l, err := k.p.lookMachine(ctx, a.cl, name)
	if err != nil || l == nil || !a.passes(manifest.KindWorkflow, name, l.tags) {
		return nil, err
	}
	d := started(name, l.arn, l.tags)
	form, bad := &l.form, l.bad
	alias, err := k.chosen(ctx, a, d, name)
	if err != nil {
		return nil, err
	}
	if alias != nil {
		version := sharesOf(alias.RoutingConfiguration).Version
		out, err := a.cl.machines.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: awssdk.String(l.arn + ":" + version)})
		if err != nil {
			return nil, classify(err)
		}
		served, err := liveMachine(out)
		if snapshotOf(&served) != snapshotOf(form) {
			d.Leave("version %s serves and is what is declared; the state machine itself differs, and the first plan brings it back", version)
		}
		form, bad = &served, err
	}
	if bad != nil {
		a.leave(manifest.KindWorkflow, name, "its definition is no state machine in JSON")
		return nil, nil
	}
	spec, err := manifest.SpecOf(form.written(ownTags(d, l.tags)))
	if err != nil {
		return nil, err
	}
	spec["definition"] = form.definition() // which is not put into normal form
	spec["role"] = map[string]any{"arn": form.role}
	spec["alias"] = "none"
	if alias != nil {
		spec["alias"], spec["aliasDescription"] = awssdk.ToString(alias.Name), awssdk.ToString(alias.Description)
		d.Addresses["alias"] = awssdk.ToString(alias.StateMachineAliasArn)
	}
	a.need(form.role)
	a.need(strings.TrimSuffix(form.destination, ":*"))
	d.Spec, d.Beside = spec, "asl.json"
	return d, nil
}

func snapshotOf(m *machine) string {
	b := &builder{fields: map[string]string{}}
	m.write(b)
	return b.snapshot
}

func (m *machine) written(tags map[string]string) *manifest.WorkflowSpec {
	out := &manifest.WorkflowSpec{Type: m.kind, Tags: tags}
	if m.level != "OFF" || m.destination != "" || m.data {
		out.LoggingConfiguration = &manifest.WorkflowLogging{Level: m.level, IncludeExecutionData: m.data}
		if m.destination != "" {
			to := manifest.WorkflowLogGroup{LogGroupArn: manifest.Value{Literal: strings.TrimSuffix(m.destination, ":*")}}
			out.LoggingConfiguration.Destinations = []manifest.WorkflowDestination{{CloudWatchLogsLogGroup: to}}
		}
	}
	if m.tracing {
		out.TracingConfiguration = &manifest.WorkflowTracing{Enabled: true}
	}
	if m.key != "" {
		out.EncryptionConfiguration = &manifest.WorkflowEncryption{Type: m.keyType, KmsKeyID: m.key, KmsDataKeyReusePeriodSeconds: m.keyReuse}
	}
	return out
}

// chosen is the alias that is declared: "live" or else the first; nil for none.
func (k workflowKind) chosen(ctx context.Context, a *adoption, d *manifest.Draft, name string) (*sfn.DescribeStateMachineAliasOutput, error) {
	if k.p.o.Emulator == "moto" { // it has none
		return nil, nil
	}
	var names []string
	in := &sfn.ListStateMachineAliasesInput{StateMachineArn: awssdk.String(d.Addresses["arn"]), MaxResults: 1000}
	for {
		page, err := a.cl.machines.ListStateMachineAliases(ctx, in)
		if err != nil {
			return nil, classify(err)
		}
		for _, alias := range page.StateMachineAliases {
			names = append(names, nameOfARN(awssdk.ToString(alias.StateMachineAliasArn)))
		}
		if in.NextToken = page.NextToken; awssdk.ToString(in.NextToken) == "" {
			break
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	best := names[0]
	for _, n := range names {
		if n == "live" {
			best = n
		}
	}
	for _, n := range names {
		if n != best {
			d.Leave("alias %s: a workflow is declared with one alias; this one stays as it is, and drift tells of it", n)
		}
	}
	alias, err := k.p.lookMachineAlias(ctx, a.cl, name, best)
	if err != nil || alias == nil {
		return nil, err
	}
	if r := sharesOf(alias.RoutingConfiguration); r.Canary != "" {
		d.Leave("alias %s starts %.4g%% of its executions on version %s as well: finish that move, or the first plan does", best, float64(r.Weight)/100, r.Canary)
	}
	return alias, nil
}
