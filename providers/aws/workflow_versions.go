package aws

import (
	"context"
	"errors"
	"sort"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// machineVersions are what is known of a state machine's versions, by number.
// They never change; one made anew under the same name has another time of
// creation.
type machineVersions struct {
	created time.Time // of the state machine
	known   map[string]providers.Version
}

// lookMachineVersions lists the versions, and asks once for each: a listing
// does not show what they keep.
func (p *Provider) lookMachineVersions(ctx context.Context, cl *clients, physical string, l *machineLook) (map[string]providers.Version, error) {
	numbers, err := p.listMachineVersions(ctx, cl, l.arn)
	if err != nil {
		return nil, err
	}
	created := awssdk.ToTime(l.out.CreationDate)
	before, _ := recall(&p.memory, p.memory.machines, physical)
	now := machineVersions{created: created, known: make(map[string]providers.Version, len(numbers))}
	for _, number := range numbers {
		v, known := before.known[number]
		if !known || !before.created.Equal(created) {
			if v, err = p.lookMachineVersion(ctx, cl, l.arn, number); err != nil {
				return nil, err
			}
		}
		if v.Number != "" {
			now.known[number] = v
		}
	}
	remember(&p.memory, p.memory.machines, physical, now)
	if len(now.known) == 0 {
		return nil, nil
	}
	return now.known, nil
}

// listMachineVersions are the numbers, newest first.
func (p *Provider) listMachineVersions(ctx context.Context, cl *clients, arn string) ([]string, error) {
	if p.o.Emulator == "moto" { // it has no versions
		return nil, nil
	}
	var numbers []string
	in := &sfn.ListStateMachineVersionsInput{StateMachineArn: &arn, MaxResults: 1000}
	for {
		out, err := cl.machines.ListStateMachineVersions(ctx, in)
		if err != nil {
			return nil, classify(err)
		}
		for _, v := range out.StateMachineVersions {
			numbers = append(numbers, nameOfARN(awssdk.ToString(v.StateMachineVersionArn)))
		}
		if in.NextToken = out.NextToken; awssdk.ToString(in.NextToken) == "" {
			sort.Slice(numbers, func(i, j int) bool { return versionLess(numbers[j], numbers[i]) })
			return numbers, nil
		}
	}
}

// lookMachineVersion asks for one version; the zero Version when it is gone.
func (p *Provider) lookMachineVersion(ctx context.Context, cl *clients, arn, number string) (providers.Version, error) {
	out, err := cl.machines.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: awssdk.String(arn + ":" + number)})
	if isAbsent(err) {
		return providers.Version{}, nil
	}
	if err != nil {
		return providers.Version{}, classify(err)
	}
	form, err := liveMachine(out)
	if err != nil { // nobody could have published it
		return providers.Version{Number: number, Failed: "its definition cannot be read"}, nil
	}
	b := p.builder(nil)
	form.write(b)
	return providers.Version{Number: number, Snapshot: b.snapshot, Ready: true}, nil
}

// publish makes a version of the revision that was just seen to be what is
// declared: Step Functions refuses when another came in between.
func (k workflowKind) publish(ctx context.Context, c providers.Change) (providers.Version, providers.Receipt, error) {
	var none providers.Version
	declared, err := k.p.Canonical(c.Resource, c.Bindings)
	if err != nil {
		return none, providers.Receipt{}, err
	}
	if err := refuseUnbound(declared); err != nil {
		return none, providers.Receipt{}, err
	}
	l, err := k.p.lookMachine(ctx, k.p.front, c.Resource.Physical)
	switch {
	case err != nil:
		return none, providers.Receipt{}, err
	case l == nil:
		return none, providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there")
	}
	if err := k.p.mayWrite(ownerOf(l.tags), c.Adopt || c.Resource.Adopt); err != nil {
		return none, providers.Receipt{}, err
	}
	if err := holds(c.Guard, l.guard); err != nil {
		return none, providers.Receipt{}, err
	}
	b := k.p.builder(nil)
	if l.form.write(b); l.bad != nil || b.snapshot != declared.Snapshot {
		return none, providers.Receipt{}, providers.Errorf(providers.Conflict, "the current revision is not what is declared")
	}
	out, err := k.p.front.machines.PublishStateMachineVersion(ctx, &sfn.PublishStateMachineVersionInput{
		StateMachineArn: &l.arn, RevisionId: awssdk.String(orElse(awssdk.ToString(l.out.RevisionId), "INITIAL")),
	})
	if err != nil {
		return none, providers.Receipt{}, classify(err)
	}
	r := receipt(out.ResultMetadata)
	v, err := k.p.lookMachineVersion(ctx, k.p.front, l.arn, nameOfARN(awssdk.ToString(out.StateMachineVersionArn)))
	if err != nil {
		return none, r, err
	}
	if v.Snapshot != declared.Snapshot {
		return none, r, providers.Errorf(providers.Conflict, "version %s is not what is declared: somebody wrote in between", v.Number)
	}
	if owner := ownerOf(l.tags); c.Release != "" && owner.Release != c.Release && k.p.owns(owner) {
		tagged, err := k.tag(ctx, l.arn, tagPlan{add: map[string]string{tagRelease: c.Release}})
		r.RequestIDs = append(r.RequestIDs, tagged.RequestIDs...)
		return v, r, err
	}
	return v, r, nil
}

// clean deletes versions no alias names. What runs of one goes on.
func (k workflowKind) clean(ctx context.Context, res manifest.Resource, keep []string, last int) (providers.Receipt, error) {
	l, err := k.p.lookMachine(ctx, k.p.front, res.Physical)
	if err != nil || l == nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(ownerOf(l.tags)); err != nil {
		return providers.Receipt{}, err
	}
	numbers, err := k.p.listMachineVersions(ctx, k.p.front, l.arn)
	if err != nil {
		return providers.Receipt{}, err
	}
	aliases, err := k.p.listMachineAliases(ctx, k.p.front, l.arn)
	if err != nil {
		return providers.Receipt{}, err
	}
	kept := map[string]bool{}
	for _, number := range keep {
		kept[number] = true
	}
	for _, a := range aliases {
		for _, r := range a.RoutingConfiguration {
			kept[nameOfARN(awssdk.ToString(r.StateMachineVersionArn))] = true
		}
	}
	var total providers.Receipt
	for _, number := range numbers[min(len(numbers), orElse(max(last, 0), k.p.o.KeepVersions)):] {
		if kept[number] {
			continue
		}
		out, err := k.p.front.machines.DeleteStateMachineVersion(ctx, &sfn.DeleteStateMachineVersionInput{StateMachineVersionArn: awssdk.String(l.arn + ":" + number)})
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

// longestProbe bounds how long an execution of a check is waited for.
const longestProbe = time.Minute

// invoke starts an execution and waits for its end: an express one is asked
// for its answer, any other is looked at until it is over.
func (k workflowKind) invoke(ctx context.Context, res manifest.Resource, qualifier string, payload []byte) (response []byte, failed bool, err error) {
	arn, err := k.p.machineARN(ctx, k.p.front, res.Physical)
	if err != nil {
		return nil, false, err
	}
	if qualifier != "" {
		arn += ":" + qualifier
	}
	if len(payload) == 0 || string(payload) == "null" {
		payload = []byte("{}")
	}
	if spec, ok := res.Spec.(*manifest.WorkflowSpec); ok && spec.Type == string(types.StateMachineTypeExpress) {
		out, err := k.p.front.machines.StartSyncExecution(ctx, &sfn.StartSyncExecutionInput{StateMachineArn: &arn, Input: awssdk.String(string(payload))},
			once, k.p.sameHost)
		if err != nil {
			return nil, false, classify(err)
		}
		return outcome(out.Output, out.Error, out.Cause), out.Status != types.SyncExecutionStatusSucceeded, nil
	}
	started, err := k.p.front.machines.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &arn, Input: awssdk.String(string(payload))}, once)
	if err != nil {
		return nil, false, classify(err)
	}
	return k.await(ctx, awssdk.ToString(started.ExecutionArn))
}

// once: an execution that may have begun is not begun twice.
func once(o *sfn.Options) { o.RetryMaxAttempts = 1 }

// await looks at an execution until it is over.
func (k workflowKind) await(ctx context.Context, arn string) (response []byte, failed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, longestProbe)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		out, err := k.p.front.machines.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return nil, false, providers.Errorf(providers.Transient, "the execution %s is not over after %s", arn, longestProbe)
		case err != nil && !isAbsent(err): // it may take a moment to show
			return nil, false, classify(err)
		case err == nil && out.Status != types.ExecutionStatusRunning && out.Status != types.ExecutionStatusPendingRedrive:
			return outcome(out.Output, out.Error, out.Cause), out.Status != types.ExecutionStatusSucceeded, nil
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// outcome is what an execution answered, or how it failed.
func outcome(output, failure, cause *string) []byte {
	if output != nil {
		return []byte(*output)
	}
	return []byte(canonicalJSON(map[string]any{"error": awssdk.ToString(failure), "cause": awssdk.ToString(cause)}))
}
