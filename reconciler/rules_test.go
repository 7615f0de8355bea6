package reconciler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"mooring.dev/policy"
)

// rules is an evaluator that answers by its mode:
//
//	allow    as with no policies at all: the built-in defaults
//	deny     no to everything; drift is only alerted, events are muted
//	revert   as allow, and every difference is put back
//	propose  as allow, and every difference is offered to be declared
//	failing  it loads, and cannot be evaluated
//
// A tree whose policies/mode is "broken" does not load.
type rules struct {
	mode     string
	revision string
	heard    func(point policy.Point, mode string, in policy.Input, d policy.Decision)
}

var errRules = errors.New("policy cannot be evaluated")

// loadRules is Options.Policies of the simulation.
func loadRules(heard func(policy.Point, string, policy.Input, policy.Decision)) func(fs.FS, string) (policy.Evaluator, error) {
	return func(tree fs.FS, revision string) (policy.Evaluator, error) {
		mode, err := fs.ReadFile(tree, "policies/mode")
		if err != nil {
			return nil, fmt.Errorf("read policies: %w", err)
		}
		r := &rules{mode: strings.TrimSpace(string(mode)), revision: revision, heard: heard}
		if r.mode == "broken" {
			return nil, errors.New("policies/mode:1: does not parse")
		}
		return r, nil
	}
}

// closedRules is Options.Closed of the simulation.
func closedRules(heard func(policy.Point, string, policy.Input, policy.Decision)) func(error) policy.Evaluator {
	return func(error) policy.Evaluator { return &rules{mode: "failing", heard: heard} }
}

// Evaluate implements policy.Evaluator.
func (r *rules) Evaluate(ctx context.Context, point policy.Point, in policy.Input) (policy.Decision, error) {
	d := policy.Decision{ID: in.Request.ID, Point: point, Revision: r.revision}
	var err error
	switch r.mode {
	case "allow", "revert", "propose":
		d.Outcome, d.Default = policy.Allow, true
		if r.mode != "allow" && point == policy.Drift {
			d.Default, d.Actions = false, actions(in, r.mode)
		}
	case "deny":
		d = refuse(d, in)
	default:
		d.Outcome, err = policy.Error, errRules
	}
	d.Record = recordOf(d)
	r.heard(point, r.mode, in, d)
	return d, err
}

func refuse(d policy.Decision, in policy.Input) policy.Decision {
	no := policy.Finding{Code: "no", Msg: "policy says no", Level: "deny"}
	d.Outcome, d.Findings = policy.Deny, []policy.Finding{no}
	switch d.Point {
	case policy.Promotion:
		d.Outcome = policy.Hold
	case policy.Rollout:
		d.Outcome, d.Pause = policy.Hold, []policy.Finding{no}
	case policy.Drift:
		d.Outcome, d.Actions = policy.Allow, actions(in, "alert")
	case policy.Notify:
		d.Outcome, d.Muted = policy.Allow, true
	}
	return d
}

func actions(in policy.Input, do string) []policy.Action {
	var out []policy.Action
	for _, item := range in.DriftFacts.Items {
		out = append(out, policy.Action{Item: item.ID, Do: do})
	}
	return out
}

func recordOf(d policy.Decision) []byte {
	line, err := json.Marshal(map[string]any{"decision_id": d.ID, "path": d.Point, "outcome": d.Outcome})
	if err != nil {
		return nil
	}
	return line
}
