package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// parameterKind is an SSM parameter that must exist. Its value is never read,
// and nothing about it is ever written.
type parameterKind struct{ p *Provider }

func (k parameterKind) rights() []rights.Row {
	return []rights.Row{toObserve(everything, "ssm:DescribeParameters")}
}

func (k parameterKind) canonical(manifest.Resource, *builder) error { return nil }

// parametersPerCall is how many names one DescribeParameters may ask for.
const parametersPerCall = 50

// describeParameters asks which of the names exist.
func (p *Provider) describeParameters(ctx context.Context, cl *clients, names []string) (map[string]types.ParameterMetadata, error) {
	found := map[string]types.ParameterMetadata{}
	for len(names) > 0 {
		batch := names[:min(len(names), parametersPerCall)]
		names = names[len(batch):]
		pages := ssm.NewDescribeParametersPaginator(cl.ssm, &ssm.DescribeParametersInput{
			ParameterFilters: []types.ParameterStringFilter{{Key: awssdk.String("Name"), Option: awssdk.String("Equals"), Values: batch}},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, classify(err)
			}
			for _, m := range page.Parameters {
				found[awssdk.ToString(m.Name)] = m
			}
		}
	}
	return found, nil
}

func (k parameterKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	at := k.p.o.Now()
	found, err := k.p.describeParameters(ctx, cl, []string{res.Physical})
	if err != nil {
		return providers.Live{}, err
	}
	m, ok := found[res.Physical]
	if !ok {
		return providers.Live{}, nil
	}
	live := k.live(res, m)
	live.SeenAt = at
	return live, nil
}

func (k parameterKind) live(res manifest.Resource, m types.ParameterMetadata) providers.Live {
	live := k.p.builder(nil).live()
	live.Attributes = map[string]string{"name": res.Physical, "arn": awssdk.ToString(m.ARN), "id": res.Physical}
	remember(&k.p.memory, k.p.memory.known, res.Ref, live.Attributes)
	return live
}

func (k parameterKind) put(context.Context, providers.Change) (providers.Receipt, error) {
	return providers.Receipt{}, providers.Errorf(providers.Invalid, "a parameter is only looked for, never made or changed")
}

func (k parameterKind) remove(context.Context, manifest.Resource, providers.Guard) (providers.Receipt, error) {
	return providers.Receipt{}, providers.Errorf(providers.Denied, "a parameter is only looked for, never deleted")
}
