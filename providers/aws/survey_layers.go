package aws

import (
	"context"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/sources/manifest"
)

// functionLayers is what costs calls per function: one look at all of it.
type functionLayers struct {
	at       time.Time
	touched  int
	aliases  []types.AliasConfiguration
	policies map[string]*policyLook // by qualifier, "" for the function itself
	urls     []types.FunctionUrlConfig
	async    []types.FunctionEventInvokeConfig
}

// lookLayers asks for everything that stands around a function.
func (s *sweep) lookLayers(ctx context.Context, sub *subject) (*functionLayers, error) {
	l := &functionLayers{at: s.at, policies: map[string]*policyLook{}}
	var err error
	if l.aliases, err = s.p.listAliases(ctx, s.cl, sub.physical); err != nil {
		return nil, err
	}
	qualifiers := []string{""}
	for _, a := range l.aliases {
		qualifiers = append(qualifiers, awssdk.ToString(a.Name))
	}
	for _, q := range qualifiers {
		if l.policies[q], err = s.p.lookPolicy(ctx, s.cl, sub.physical, q); err != nil {
			return nil, err
		}
	}
	if l.urls, err = s.listURLs(ctx, sub); err != nil {
		return nil, err
	}
	if l.async, err = s.listAsync(ctx, sub); err != nil {
		return nil, err
	}
	return l, s.p.lookSigning(ctx, s.cl, sub.physical)
}

// listURLs lists a function's URLs. A platform that cannot list them is asked
// for what is declared.
func (s *sweep) listURLs(ctx context.Context, sub *subject) ([]types.FunctionUrlConfig, error) {
	var all []types.FunctionUrlConfig
	pages := lambda.NewListFunctionUrlConfigsPaginator(s.cl.lambda, &lambda.ListFunctionUrlConfigsInput{FunctionName: &sub.physical})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if isAbsent(err) {
			return nil, nil
		}
		if isUnknownOperation(err) {
			return s.askURLs(ctx, sub)
		}
		if err != nil {
			return nil, classify(err)
		}
		all = append(all, page.FunctionUrlConfigs...)
	}
	return all, nil
}

func (s *sweep) askURLs(ctx context.Context, sub *subject) ([]types.FunctionUrlConfig, error) {
	for _, child := range sub.children {
		spec, ok := child.Spec.(*manifest.URLSpec)
		if !ok {
			continue
		}
		q := qualifierOf(child, spec.Alias)
		u, err := s.p.getURL(ctx, s.cl, sub.physical, optional(q))
		if err != nil || u == nil {
			return nil, err
		}
		return []types.FunctionUrlConfig{*u}, nil
	}
	return nil, nil
}

func (s *sweep) listAsync(ctx context.Context, sub *subject) ([]types.FunctionEventInvokeConfig, error) {
	var all []types.FunctionEventInvokeConfig
	pages := lambda.NewListFunctionEventInvokeConfigsPaginator(s.cl.lambda, &lambda.ListFunctionEventInvokeConfigsInput{FunctionName: &sub.physical})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if isAbsent(err) {
			return nil, nil
		}
		if isUnknownOperation(err) {
			return s.askAsync(ctx, sub)
		}
		if err != nil {
			return nil, classify(err)
		}
		all = append(all, page.FunctionEventInvokeConfigs...)
	}
	return all, nil
}

func (s *sweep) askAsync(ctx context.Context, sub *subject) ([]types.FunctionEventInvokeConfig, error) {
	for _, child := range sub.children {
		spec, ok := child.Spec.(*manifest.AsyncSpec)
		if !ok {
			continue
		}
		q := qualifierOf(child, spec.Alias)
		c, err := s.p.getAsync(ctx, s.cl, sub.physical, optional(q))
		if err != nil || c == nil {
			return nil, err
		}
		return []types.FunctionEventInvokeConfig{*c}, nil
	}
	return nil, nil
}

// qualified is a function's ARN with the qualifier that was asked for: a
// platform that lists nothing may not tell qualifiers apart either.
func qualified(arn *string, qualifier string) *string {
	parts := strings.Split(awssdk.ToString(arn), ":")
	if len(parts) < 7 || qualifier == "" {
		return arn
	}
	return awssdk.String(strings.Join(append(parts[:7:7], qualifier), ":"))
}
