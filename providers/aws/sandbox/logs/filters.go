package logs

import (
	"context"
	"maps"
	"slices"
	"strings"

	"mooring.dev/providers/aws/sandbox/wire"
)

// subscription is a subscription filter of a group.
type subscription struct {
	FilterName   string `wire:"filterName"`
	LogGroupName string `wire:"logGroupName"`
	Pattern      string `wire:"filterPattern"`
	Destination  string `wire:"destinationArn"`
	Role         string `wire:"roleArn"`
	Distribution string `wire:"distribution"`
	Created      int64  `wire:"creationTime"`
	Transformed  bool   `wire:"applyOnTransformedLogs"`
}

// metricFilter is a metric filter of a group.
type metricFilter struct {
	FilterName      string           `wire:"filterName"`
	LogGroupName    string           `wire:"logGroupName"`
	Pattern         string           `wire:"filterPattern"`
	Transformations []transformation `wire:"metricTransformations"`
	Created         int64            `wire:"creationTime"`
	Transformed     bool             `wire:"applyOnTransformedLogs"`
}

type transformation struct {
	Name       string            `wire:"metricName"`
	Namespace  string            `wire:"metricNamespace"`
	Value      string            `wire:"metricValue"`
	Default    *float64          `wire:"defaultValue"`
	Dimensions map[string]string `wire:"dimensions"`
	Unit       string            `wire:"unit"`
}

func (s *Service) associate(_ context.Context, _ *wire.Call, in *groupInput) (wire.None, error) {
	if !strings.HasPrefix(in.KmsKeyID, "arn:") {
		return wire.None{}, fail("InvalidParameterException", "The specified KMS key must be given by its ARN.")
	}
	return s.change(in.id(), func(g *group) { g.key = in.KmsKeyID })
}

func (s *Service) disassociate(_ context.Context, _ *wire.Call, in *groupInput) (wire.None, error) {
	return s.change(in.id(), func(g *group) { g.key = "" })
}

func (s *Service) protect(_ context.Context, _ *wire.Call, in *groupInput) (wire.None, error) {
	return s.change(in.id(), func(g *group) { g.protected = in.Protected != nil && *in.Protected })
}

// mostSubscriptions is AWS's quota for a group.
const mostSubscriptions = 2

func (s *Service) putSubscription(_ context.Context, _ *wire.Call, in *subscription) (wire.None, error) {
	if strings.Contains(in.Destination, ":lambda:") && s.options.MayInvoke != nil &&
		!s.options.MayInvoke(s.arn(in.LogGroupName)+":*", in.Destination) {
		return wire.None{}, fail("InvalidParameterException",
			"Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.find(in.LogGroupName)
	if err != nil {
		return wire.None{}, err
	}
	before, known := g.subscriptions[in.FilterName]
	switch {
	case in.FilterName == "" || !strings.HasPrefix(in.Destination, "arn:"):
		return wire.None{}, fail("InvalidParameterException", "A subscription filter has a name and the ARN of a destination.")
	case g.class == "DELIVERY":
		return wire.None{}, fail("InvalidOperationException", "The log group's class does not take subscription filters.")
	case !known && len(g.subscriptions) >= mostSubscriptions:
		return wire.None{}, fail("LimitExceededException", "Resource limit exceeded.")
	case strings.Contains(in.Destination, ":kinesis:") && in.Role == "":
		return wire.None{}, fail("InvalidParameterException", "destinationArn for vendor kinesis cannot be used without roleArn")
	case strings.Contains(in.Destination, ":lambda:") && in.Role != "":
		return wire.None{}, fail("InvalidParameterException", "destinationArn for vendor lambda cannot be used with roleArn")
	}
	f := *in
	f.Created = before.Created
	if !known {
		f.Created = s.options.Now().UnixMilli()
	}
	if f.Distribution == "" {
		f.Distribution = "ByLogStream"
	}
	g.subscriptions[f.FilterName] = f
	return wire.None{}, nil
}

type filtersInput struct {
	LogGroupName string `wire:"logGroupName"`
	FilterName   string `wire:"filterName"`
	Prefix       string `wire:"filterNamePrefix"`
	Limit        *int   `wire:"limit"`
	NextToken    string `wire:"nextToken"`
}

type subscriptionsOutput struct {
	Filters   []subscription `wire:"subscriptionFilters"`
	NextToken string         `wire:"nextToken"`
}

func (s *Service) describeSubscriptions(_ context.Context, _ *wire.Call, in *filtersInput) (subscriptionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.find(in.LogGroupName)
	if err != nil {
		return subscriptionsOutput{}, err
	}
	names, next := in.page(slices.Sorted(maps.Keys(g.subscriptions)))
	out := subscriptionsOutput{Filters: []subscription{}, NextToken: next}
	for _, name := range names {
		out.Filters = append(out.Filters, g.subscriptions[name])
	}
	return out, nil
}

// page cuts a listing, by default at AWS's fifty.
func (in *filtersInput) page(names []string) (page []string, next string) {
	limit := 50
	if in.Limit != nil {
		limit = *in.Limit
	}
	for _, name := range names {
		if name <= in.NextToken || !strings.HasPrefix(name, in.Prefix) {
			continue
		}
		if len(page) == limit {
			return page, page[limit-1]
		}
		page = append(page, name)
	}
	return page, ""
}

func (s *Service) deleteSubscription(_ context.Context, _ *wire.Call, in *filtersInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.find(in.LogGroupName)
	if err != nil {
		return wire.None{}, err
	}
	if _, known := g.subscriptions[in.FilterName]; !known {
		return wire.None{}, fail("ResourceNotFoundException", "The specified subscription filter does not exist.")
	}
	delete(g.subscriptions, in.FilterName)
	return wire.None{}, nil
}

func (s *Service) putMetricFilter(_ context.Context, _ *wire.Call, in *metricFilter) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.find(in.LogGroupName)
	switch {
	case err != nil:
		return wire.None{}, err
	case in.FilterName == "" || len(in.Transformations) != 1:
		return wire.None{}, fail("InvalidParameterException", "A metric filter has a name and one metric transformation.")
	case g.class != "STANDARD":
		return wire.None{}, fail("InvalidOperationException", "The log group's class does not take metric filters.")
	}
	if t := in.Transformations[0]; t.Default != nil && len(t.Dimensions) > 0 {
		return wire.None{}, fail("InvalidParameterException", "Invalid metric transformation: dimensions and default value are mutually exclusive properties.")
	}
	f := *in
	f.Created = s.options.Now().UnixMilli()
	if before, known := g.metrics[f.FilterName]; known {
		f.Created = before.Created
	}
	if f.Transformations[0].Unit == "" {
		f.Transformations[0].Unit = "None"
	}
	g.metrics[f.FilterName] = f
	return wire.None{}, nil
}

type metricFiltersOutput struct {
	Filters   []metricFilter `wire:"metricFilters"`
	NextToken string         `wire:"nextToken"`
}

func (s *Service) describeMetricFilters(_ context.Context, _ *wire.Call, in *filtersInput) (metricFiltersOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := metricFiltersOutput{Filters: []metricFilter{}}
	groups := s.groups // all of them, when none is named
	if in.LogGroupName != "" {
		g, err := s.find(in.LogGroupName)
		if err != nil {
			return out, err
		}
		groups = map[string]*group{in.LogGroupName: g}
	}
	found := map[string]metricFilter{} // by filter, then group
	for name, g := range groups {
		for filter, f := range g.metrics {
			f.LogGroupName = name
			found[filter+" "+name] = f
		}
	}
	var keys []string
	keys, out.NextToken = in.page(slices.Sorted(maps.Keys(found)))
	for _, key := range keys {
		out.Filters = append(out.Filters, found[key])
	}
	return out, nil
}

func (s *Service) deleteMetricFilter(_ context.Context, _ *wire.Call, in *filtersInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.find(in.LogGroupName)
	if err != nil {
		return wire.None{}, err
	}
	if _, known := g.metrics[in.FilterName]; !known {
		return wire.None{}, fail("ResourceNotFoundException", "The specified metric filter does not exist.")
	}
	delete(g.metrics, in.FilterName)
	return wire.None{}, nil
}
