package aws

import (
	"context"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/sources/manifest"
)

// settingsLook is one look at what AWS keeps beside a function's versions and
// shows in no listing of functions: two calls, and one for each version whose
// runtime management is asked for.
type settingsLook struct {
	at          time.Time
	provisioned map[string]provisionedState // by version or alias
	runtimes    map[string]runtimeMode      // by version; "" for $LATEST
	unseen      map[string]string           // why a part is unknown
}

// recursionLook is what Lambda does when a function feeds its own trigger.
type recursionLook struct {
	at     time.Time
	loop   string // Allow | Terminate
	unseen string
}

// provisionedState is the concurrency kept ready for one version or alias.
type provisionedState struct {
	requested int
	status    types.ProvisionedConcurrencyStatusEnum
	reason    string
}

// runtimeMode is how one version takes builds of its runtime.
type runtimeMode struct{ updateOn, arn string }

// Parts of a settingsLook.
const (
	partProvisioned = "provisioned"
	partRuntimes    = "runtimes"
)

// lookSettings asks for all of it. Runtime management is asked for $LATEST and
// the given versions; images have none.
func (p *Provider) lookSettings(ctx context.Context, cl *clients, physical string, versions []string, zip bool) (*settingsLook, error) {
	l := &settingsLook{at: p.o.Now(), runtimes: map[string]runtimeMode{}, unseen: map[string]string{}}
	if err := p.lookRecursion(ctx, cl, physical); err != nil {
		return nil, err
	}
	var err error
	if l.provisioned, err = p.listProvisioned(ctx, cl, physical); isUnknownOperation(err) {
		l.unseen[partProvisioned] = "the platform does not answer ListProvisionedConcurrencyConfigs"
	} else if err != nil {
		return nil, classify(err)
	}
	if zip {
		for _, version := range append([]string{""}, versions...) {
			if err := p.lookRuntime(ctx, cl, physical, version, l); err != nil {
				return nil, err
			}
		}
	}
	remember(&p.memory, p.memory.settings, physical, l)
	return l, nil
}

// lookRecursion asks what Lambda does when a function feeds its own trigger.
func (p *Provider) lookRecursion(ctx context.Context, cl *clients, physical string) error {
	l := recursionLook{at: p.o.Now()}
	out, err := cl.lambda.GetFunctionRecursionConfig(ctx, &lambda.GetFunctionRecursionConfigInput{FunctionName: &physical})
	switch {
	case err == nil:
		l.loop = string(out.RecursiveLoop)
	case isAbsent(err):
	case isUnknownOperation(err):
		l.unseen = "the platform does not answer GetFunctionRecursionConfig"
	default:
		return classify(err)
	}
	remember(&p.memory, p.memory.recursion, physical, l)
	return nil
}

// listProvisioned is not classified: an emulator may not know the operation.
func (p *Provider) listProvisioned(ctx context.Context, cl *clients, physical string) (map[string]provisionedState, error) {
	found := map[string]provisionedState{}
	pages := lambda.NewListProvisionedConcurrencyConfigsPaginator(cl.lambda, &lambda.ListProvisionedConcurrencyConfigsInput{FunctionName: &physical})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if isAbsent(err) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		for _, c := range page.ProvisionedConcurrencyConfigs {
			_, qualifier := functionOf(awssdk.ToString(c.FunctionArn))
			found[qualifier] = provisionedState{
				requested: int(awssdk.ToInt32(c.RequestedProvisionedConcurrentExecutions)), status: c.Status,
				reason: awssdk.ToString(c.StatusReason),
			}
		}
	}
	return found, nil
}

func (p *Provider) lookRuntime(ctx context.Context, cl *clients, physical, version string, l *settingsLook) error {
	out, err := cl.lambda.GetRuntimeManagementConfig(ctx, &lambda.GetRuntimeManagementConfigInput{FunctionName: &physical, Qualifier: optional(version)})
	switch {
	case err == nil:
		l.runtimes[version] = runtimeMode{string(out.UpdateRuntimeOn), awssdk.ToString(out.RuntimeVersionArn)}
	case isAbsent(err): // the version is gone
	case isUnknownOperation(err):
		l.unseen[partRuntimes] = "the platform does not answer GetRuntimeManagementConfig"
	default:
		return classify(err)
	}
	return nil
}

// settingsOf is a function's settings, looked at now. Which versions matter
// for runtime management is read from its aliases and its versions: those
// traffic reaches, and the newest.
func (p *Provider) settingsOf(ctx context.Context, cl *clients, l *functionLook) (*settingsLook, error) {
	physical := awssdk.ToString(l.config.FunctionName)
	aliases, err := p.listAliases(ctx, cl, physical)
	if err != nil {
		return nil, err
	}
	if _, ok := recall(&p.memory, p.memory.versions, physical); !ok {
		if err := p.listVersions(ctx, cl, physical, awssdk.ToString(l.config.RevisionId)); err != nil {
			return nil, err
		}
	}
	return p.lookSettings(ctx, cl, physical, p.servedVersions(physical, aliases), l.config.PackageType != types.PackageTypeImage)
}

// servedVersions are the versions aliases name, the newest one, and the one we
// made ready last: a release may go back to a version that is neither.
func (p *Provider) servedVersions(physical string, aliases []types.AliasConfiguration) []string {
	served := map[string]bool{}
	for i := range aliases {
		r := routingOf(&aliases[i])
		served[r.Version], served[r.Canary] = true, true
	}
	if look, ok := recall(&p.memory, p.memory.versions, physical); ok && len(look.numbers) > 0 {
		served[look.numbers[len(look.numbers)-1]] = true
	}
	wrote, _ := recall(&p.memory, p.memory.prepared, physical)
	served[wrote] = true
	delete(served, "")
	delete(served, latest)
	return sortedKeys(served)
}

// beside tells whether a resource of a function is one of its settings.
func beside(spec any) bool {
	switch s := spec.(type) {
	case *manifest.ProvisionedConcurrencySpec, *manifest.RuntimeManagementSpec:
		return true
	case *manifest.FunctionConfig:
		return s.RecursiveLoop != ""
	}
	return false
}

// versionPath names what stands on one version: versions.7, or aliases.live
// for what stands on an alias.
func versionPath(qualifier string) string {
	if published(qualifier) {
		return "versions." + qualifier
	}
	return keyPath("aliases", qualifier)
}

// qualifierIn is the inverse of versionPath.
func qualifierIn(path string) (qualifier string, ok bool) {
	if q, ok := keyOf("versions", path); ok {
		return q, true
	}
	return keyOf("aliases", path)
}
