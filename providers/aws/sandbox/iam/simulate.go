package iam

import (
	"context"

	"mooring.dev/providers/aws/sandbox/wire"
)

type simulateInput struct {
	paging
	PolicySourceArn           string
	ActionNames, ResourceArns []string
}

type evaluation struct{ EvalActionName, EvalResourceName, EvalDecision string }

type simulateOutput struct {
	paged
	EvaluationResults []evaluation
}

// simulate tells what the policies of a role come to, for each action on each
// resource.
func (s *Service) simulate(_ context.Context, _ *wire.Call, in *simulateInput) (simulateOutput, error) {
	out := simulateOutput{EvaluationResults: []evaluation{}}
	if !s.Exists(in.PolicySourceArn) {
		return out, noEntity("role", policyName(in.PolicySourceArn))
	}
	resources := in.ResourceArns
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	for _, action := range in.ActionNames {
		for _, resource := range resources {
			decision := "implicitDeny"
			if s.May(in.PolicySourceArn, Ask{Action: action, Resource: resource}) {
				decision = "allowed"
			}
			out.EvaluationResults = append(out.EvaluationResults, evaluation{action, resource, decision})
		}
	}
	return out, nil
}
