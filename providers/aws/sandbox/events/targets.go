package events

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mooring.dev/providers/aws/sandbox/wire"
)

type targetsInput struct {
	Rule, EventBusName string
	Targets            []target
	Ids                []string
}

type failedEntry struct{ TargetId, ErrorCode, ErrorMessage string }

type targetsOutput struct {
	FailedEntryCount int
	FailedEntries    []failedEntry
}

// Limits of a rule's targets.
const (
	mostTargets = 5
	mostEntries = 10
)

func (s *Service) putTargets(_ context.Context, _ *wire.Call, in *targetsInput) (targetsOutput, error) {
	out := targetsOutput{FailedEntries: []failedEntry{}}
	if len(in.Targets) < 1 || len(in.Targets) > mostEntries {
		return out, fail("ValidationException", "Targets must have between 1 and "+strconv.Itoa(mostEntries)+" members")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.Rule, in.EventBusName)
	if err != nil {
		return out, err
	}
	targets := slices.Clone(r.targets)
	for _, t := range in.Targets {
		if t.id() == "" || t.arn() == "" {
			return out, fail("ValidationException", "a target needs Id and Arn")
		}
		i := slices.IndexFunc(targets, func(have target) bool { return have.id() == t.id() })
		if i >= 0 {
			targets[i] = t
			continue
		}
		targets = append(targets, t)
	}
	if len(targets) > mostTargets {
		return out, fail("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
	}
	slices.SortFunc(targets, func(a, b target) int { return strings.Compare(a.id(), b.id()) })
	r.targets = targets
	return out, nil
}

func (s *Service) removeTargets(_ context.Context, _ *wire.Call, in *targetsInput) (targetsOutput, error) {
	out := targetsOutput{FailedEntries: []failedEntry{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.Rule, in.EventBusName)
	if err != nil {
		return out, err
	}
	for _, id := range in.Ids {
		i := slices.IndexFunc(r.targets, func(t target) bool { return t.id() == id })
		if i < 0 { // the call succeeds all the same
			out.FailedEntries = append(out.FailedEntries, failedEntry{TargetId: id, ErrorCode: "ResourceNotFoundException", ErrorMessage: "Rule " + in.Rule + " does not have a target with ID " + id + "."})
			continue
		}
		r.targets = slices.Delete(r.targets, i, i+1)
	}
	out.FailedEntryCount = len(out.FailedEntries)
	return out, nil
}

type listTargetsOutput struct {
	Targets   []target
	NextToken string
}

func (s *Service) listTargets(_ context.Context, _ *wire.Call, in *listInput) (listTargetsOutput, error) {
	out := listTargetsOutput{Targets: []target{}}
	limit, err := in.limit()
	if err != nil {
		return out, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.Rule, in.EventBusName)
	if err != nil {
		return out, err
	}
	for _, t := range r.targets {
		if in.NextToken != "" && t.id() <= in.NextToken {
			continue
		}
		if len(out.Targets) == limit {
			out.NextToken = out.Targets[limit-1].id()
			break
		}
		out.Targets = append(out.Targets, t)
	}
	return out, nil
}

type namesOutput struct {
	RuleNames []string
	NextToken string
}

func (s *Service) rulesOfTarget(_ context.Context, _ *wire.Call, in *listInput) (namesOutput, error) {
	out := namesOutput{RuleNames: []string{}}
	limit, err := in.limit()
	if err != nil {
		return out, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bus(in.EventBusName)
	if err != nil {
		return out, err
	}
	for _, name := range slices.Sorted(maps.Keys(b.rules)) {
		hit := slices.ContainsFunc(b.rules[name].targets, func(t target) bool { return t.arn() == in.TargetArn })
		if !hit || name <= in.NextToken {
			continue
		}
		if len(out.RuleNames) == limit {
			out.NextToken = out.RuleNames[limit-1]
			break
		}
		out.RuleNames = append(out.RuleNames, name)
	}
	return out, nil
}
