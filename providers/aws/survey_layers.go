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

// functionLayers is what costs calls of Lambda's common lane per function: one
// look at all of it.
type functionLayers struct {
	at      time.Time
	touched int
	aliases []types.AliasConfiguration
	urls    []types.FunctionUrlConfig
	async   []types.FunctionEventInvokeConfig
	// failed are the parts that were not answered, by kind; the others were.
	failed map[string]error
}

// policiesLook is one look at a function's policies, in their own lane.
type policiesLook struct {
	at      time.Time
	touched int
	of      map[string]*policyLook // by qualifier, "" for the function itself
	failed  error
}

// lookLayers asks for what stands around a function. One part that is refused
// leaves the others known. written: what the bulk shows may be from before a
// write.
func (s *sweep) lookLayers(ctx context.Context, sub *subject, written bool) (*functionLayers, error) {
	l := &functionLayers{at: s.at, failed: map[string]error{}}
	var err error
	if l.aliases, err = s.p.listAliases(ctx, s.cl, sub.physical); err != nil {
		return nil, err // versions and policies are found by them
	}
	if l.urls, err = s.listURLs(ctx, sub); err != nil {
		l.failed[manifest.KindURL] = err
	}
	if l.async, err = s.listAsync(ctx, sub); err != nil {
		l.failed[manifest.KindAsync] = err
	}
	if _, known := recall(&s.p.memory, s.p.memory.signing, sub.physical); known && !written && !s.signedAt().IsZero() {
		return l, nil // all functions were asked about together
	}
	if err = s.p.lookSigning(ctx, s.cl, sub.physical); err != nil {
		l.failed[manifest.KindFunction] = err
	}
	return l, nil
}

// lookPolicies asks for the policies of a function and its aliases.
func (s *sweep) lookPolicies(ctx context.Context, sub *subject) *policiesLook {
	l := &policiesLook{at: s.at, of: map[string]*policyLook{}}
	qualifiers := []string{""}
	for i := range sub.layers.aliases {
		qualifiers = append(qualifiers, awssdk.ToString(sub.layers.aliases[i].Name))
	}
	for _, q := range qualifiers {
		if l.of[q], l.failed = s.p.lookPolicy(ctx, s.cl, sub.physical, q); l.failed != nil {
			return l
		}
	}
	return l
}

// pointsElsewhere asks, in the wide lane, which version each declared alias
// serves: true when one is not what the last listing of aliases showed.
func (s *sweep) pointsElsewhere(ctx context.Context, sub *subject, l *functionLayers) (bool, error) {
	for _, child := range sub.children {
		if _, ok := child.Spec.(*manifest.AliasSpec); !ok {
			continue
		}
		var known string
		for i := range l.aliases {
			if awssdk.ToString(l.aliases[i].Name) == child.Key {
				known = awssdk.ToString(l.aliases[i].FunctionVersion)
			}
		}
		out, err := s.cl.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &sub.physical, Qualifier: &child.Key})
		switch {
		case isAbsent(err):
			if known != "" {
				return true, nil
			}
		case err != nil:
			return false, classify(err)
		case out.Configuration != nil && awssdk.ToString(out.Configuration.Version) != known:
			return true, nil
		}
	}
	return false, nil
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
