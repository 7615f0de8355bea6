package aws

import (
	"context"
	"reflect"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
)

// publish makes a version of a function whose $LATEST is what is declared.
func (p *Provider) publish(ctx context.Context, c providers.Change) (providers.Version, providers.Receipt, error) {
	var none providers.Version
	declared, err := p.Canonical(c.Resource, c.Bindings)
	if err != nil {
		return none, providers.Receipt{}, err
	}
	if declared.Snapshot == "" {
		return none, providers.Receipt{}, providers.Errorf(providers.Invalid, "is not versioned")
	}
	if err := refuseUnbound(declared); err != nil {
		return none, providers.Receipt{}, err
	}
	l, err := p.readyToPublish(ctx, c, declared)
	if err != nil {
		return none, providers.Receipt{}, err
	}
	// Without a description the version takes the function's own, so that
	// equal configurations stay equal.
	out, err := p.front.lambda.PublishVersion(ctx, &lambda.PublishVersionInput{
		FunctionName: &c.Resource.Physical, CodeSha256: l.config.CodeSha256, RevisionId: l.config.RevisionId,
	})
	p.memory.forgetFunction(c.Resource.Physical)
	if err != nil {
		return none, providers.Receipt{}, classify(err)
	}
	config := configOf(*out)
	version := p.versionLook(awssdk.ToString(config.Version), &config).version
	r := receipt(out.ResultMetadata)
	if version.Snapshot != declared.Snapshot {
		return none, r, providers.Errorf(providers.Conflict, "version %s is not what is declared: somebody wrote in between", version.Number)
	}
	version.Ready = version.Failed == "" && config.State != types.StatePending
	return p.markRelease(ctx, c, l, version, r)
}

// readyToPublish looks at $LATEST and refuses what is not exactly declared.
func (p *Provider) readyToPublish(ctx context.Context, c providers.Change, declared providers.Spec) (*functionLook, error) {
	l, err := p.look(ctx, p.front, c.Resource.Physical)
	if err != nil {
		return nil, err
	}
	if l.absent {
		return nil, providers.Errorf(providers.Conflict, "is not there")
	}
	if err := p.mayWrite(l.owner(), c.Adopt || c.Resource.Adopt); err != nil {
		return nil, err
	}
	if err := holds(c.Guard, functionGuard(&l.config)); err != nil {
		return nil, err
	}
	if settling, _ := functionState(&l.config); settling {
		return nil, providers.Errorf(providers.Conflict, "an update is in progress")
	}
	live := liveConfig(&l.config)
	if live.snapshot(p.o.Tokens) != declared.Snapshot {
		return nil, providers.Errorf(providers.Conflict, "$LATEST is not what is declared")
	}
	return l, nil
}

// markRelease notes on the function which release published last. It comes
// after the version is made: tagging moves the revision that guards it.
func (p *Provider) markRelease(ctx context.Context, c providers.Change, l *functionLook, v providers.Version, r providers.Receipt) (
	providers.Version, providers.Receipt, error) {
	if c.Release == "" || l.owner().Release == c.Release || !p.owns(l.owner()) {
		return v, r, nil
	}
	tagged, err := p.tagFunction(ctx, l.config.FunctionArn, tagPlan{add: map[string]string{tagRelease: c.Release}})
	r.RequestIDs = append(r.RequestIDs, tagged.RequestIDs...)
	return v, r, err
}

// configOf reads the configuration out of an answer that holds its members
// side by side with others.
func configOf(answer any) types.FunctionConfiguration {
	var config types.FunctionConfiguration
	copyMembers(reflect.ValueOf(&config).Elem(), reflect.ValueOf(answer))
	return config
}

// copyMembers copies the exported fields that both structures have.
func copyMembers(to, from reflect.Value) {
	for i := range to.NumField() {
		name := to.Type().Field(i)
		if !name.IsExported() {
			continue
		}
		if v := from.FieldByName(name.Name); v.IsValid() && v.Type() == to.Field(i).Type() {
			to.Field(i).Set(v)
		}
	}
}
