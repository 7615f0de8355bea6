package aws

import (
	"context"
	"sort"
	"strconv"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

const latest = "$LATEST"

// lookVersions lists a function's versions, unless nothing was published
// since the last listing and that is not old, and asks for the state of those
// that matter and have not been seen ready: listings do not show it. For a
// survey a listing is old when settings are: all that moves no revision is the
// deletion of a version that no alias names.
func (p *Provider) lookVersions(ctx context.Context, cl *clients, physical string, l *functionLook, anew bool) error {
	revision := awssdk.ToString(l.config.RevisionId)
	config := liveConfig(&l.config)
	wanted := config.snapshot(p.o.Tokens)
	last, known := recall(&p.memory, p.memory.versions, physical)
	if !known || revision == "" || last.revision != revision || anew && p.versionsOld(cl, last) {
		if err := p.listVersions(ctx, cl, physical, revision); err != nil {
			return err
		}
	}
	for _, number := range p.unsettled(physical, wanted) {
		if err := p.lookVersion(ctx, cl, physical, number); err != nil {
			return err
		}
	}
	return nil
}

func (p *Provider) versionsOld(cl *clients, last *versionsLook) bool {
	age := p.o.LayerAge
	if p.sweeping(cl) {
		age *= settingsAge
	}
	return p.o.Now().Sub(last.at) >= age
}

func (p *Provider) listVersions(ctx context.Context, cl *clients, physical, revision string) error {
	look := &versionsLook{at: p.o.Now(), revision: revision}
	found := map[string]*types.FunctionConfiguration{}
	pages := lambda.NewListVersionsByFunctionPaginator(cl.lambda, &lambda.ListVersionsByFunctionInput{FunctionName: &physical})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return classify(err)
		}
		for i := range page.Versions {
			if number := awssdk.ToString(page.Versions[i].Version); number != latest {
				found[number] = &page.Versions[i]
				look.numbers = append(look.numbers, number)
			}
		}
	}
	sort.Slice(look.numbers, func(i, j int) bool { return versionLess(look.numbers[i], look.numbers[j]) })
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	old := p.memory.published[physical]
	published := make(map[string]versionLook, len(found))
	for number, config := range found {
		if before, ok := old[number]; ok && before.identity == identityOf(config) {
			published[number] = before
		} else {
			published[number] = p.versionLook(number, config)
		}
	}
	p.memory.published[physical], p.memory.versions[physical] = published, look
	return nil
}

// identityOf tells a version from another one that got the same number after
// it: numbers are not reused by AWS, but a function may be made anew.
func identityOf(c *types.FunctionConfiguration) string {
	return awssdk.ToString(c.CodeSha256) + " " + awssdk.ToString(c.RevisionId) + " " + awssdk.ToString(c.LastModified)
}

func (p *Provider) versionLook(number string, c *types.FunctionConfiguration) versionLook {
	config := liveConfig(c)
	v := versionLook{
		identity: identityOf(c),
		version:  providers.Version{Number: number, Snapshot: config.snapshot(p.o.Tokens), Ready: true},
	}
	switch c.State {
	case "": // a listing: not shown
	case types.StatePending:
		v.version.Ready = false
	case types.StateFailed:
		v.version.Ready, v.settled = false, true
		v.version.Failed = stateReason(string(c.StateReasonCode), awssdk.ToString(c.StateReason))
	default:
		v.settled = true
	}
	return v
}

// unsettled are the versions whose state is asked for: the newest, those equal
// to $LATEST, and those last seen pending.
func (p *Provider) unsettled(physical, wanted string) []string {
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	look := p.memory.versions[physical]
	if look == nil {
		return nil
	}
	var ask []string
	for i, number := range look.numbers {
		v := p.memory.published[physical][number]
		newest := i == len(look.numbers)-1
		if !v.settled && (newest || !v.version.Ready || wanted != "" && v.version.Snapshot == wanted) {
			ask = append(ask, number)
		}
	}
	return ask
}

func (p *Provider) lookVersion(ctx context.Context, cl *clients, physical, number string) error {
	out, err := cl.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &physical, Qualifier: &number})
	if isAbsent(err) {
		forget(&p.memory, p.memory.versions, physical) // list again next time
		return nil
	}
	if err != nil {
		return classify(err)
	}
	if out.Configuration == nil {
		return providers.Errorf(providers.Transient, "version %s came without configuration", number)
	}
	v := p.versionLook(number, out.Configuration)
	v.settled = v.settled || out.Configuration.State == "" // an emulator that shows no state
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	if published := p.memory.published[physical]; published != nil {
		v.identity = published[number].identity
		published[number] = v
	}
	return nil
}

func (p *Provider) recallVersions(physical string) map[string]providers.Version {
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	published := p.memory.published[physical]
	if len(published) == 0 {
		return nil
	}
	versions := make(map[string]providers.Version, len(published))
	for number, v := range published {
		versions[number] = v.version
	}
	return versions
}

func versionLess(a, b string) bool {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	if errX != nil || errY != nil {
		return a < b
	}
	return x < y
}

func (p *Provider) clean(ctx context.Context, fn manifest.Resource, keep []string, last int) (providers.Receipt, error) {
	l, err := p.look(ctx, p.front, fn.Physical)
	if err != nil || l.absent {
		return providers.Receipt{}, err
	}
	if err := p.mayDelete(l.owner()); err != nil {
		return providers.Receipt{}, err
	}
	// What is listed now decides, not what is remembered.
	if err := p.listVersions(ctx, p.front, fn.Physical, awssdk.ToString(l.config.RevisionId)); err != nil {
		return providers.Receipt{}, err
	}
	kept, err := p.referenced(ctx, fn.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	for _, number := range keep {
		kept[number] = true
	}
	look, _ := recall(&p.memory, p.memory.versions, fn.Physical)
	var total providers.Receipt
	for _, number := range look.numbers[:max(0, len(look.numbers)-last)] {
		if kept[number] {
			continue
		}
		out, err := p.front.lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &fn.Physical, Qualifier: &number})
		if isAbsent(err) {
			continue
		}
		if err != nil {
			return total, classify(err)
		}
		total.RequestIDs = append(total.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	}
	forget(&p.memory, p.memory.versions, fn.Physical)
	return total, nil
}

// referenced are the versions any alias or mapping names.
func (p *Provider) referenced(ctx context.Context, physical string) (map[string]bool, error) {
	aliases, err := p.listAliases(ctx, p.front, physical)
	if err != nil {
		return nil, err
	}
	kept := map[string]bool{}
	for _, a := range aliases {
		kept[awssdk.ToString(a.FunctionVersion)] = true
		if a.RoutingConfig != nil {
			for number := range a.RoutingConfig.AdditionalVersionWeights {
				kept[number] = true
			}
		}
	}
	mappings, err := p.listMappings(ctx, p.front, "")
	if err != nil {
		return nil, err
	}
	for _, m := range mappings {
		if name, qualifier := functionOf(awssdk.ToString(m.FunctionArn)); name == physical && qualifier != "" {
			kept[qualifier] = true
		}
	}
	return kept, nil
}
