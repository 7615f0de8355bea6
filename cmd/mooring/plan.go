package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mooring.dev/reconciler"
	"mooring.dev/reconciler/web"
)

func planCommand() *cobra.Command {
	var r reading
	var c client
	cmd := &cobra.Command{
		Use:     "plan",
		Aliases: []string{"diff"},
		Short:   "what the environment's branch would change, with policy's decision",
		Long: `Declared against live, with the decision of policy and predicted holds. With
--repo or --path it looks by itself; without, it asks the daemon.

Exit codes: 0 nothing to do, 2 changes, 3 held, 4 denied, 1 error.`,
		Example: `  mooring plan --environment production
  mooring plan --repo shop.git --environment preview -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, done := atWork(cmd)
			out, err := r.plan(ctx, &c)
			done()
			if out.Environment == "" && err != nil {
				return err
			}
			if perr := print(cmd, r.output, out, func(w io.Writer) { planTable(w, out) }); perr != nil {
				return perr
			}
			if err != nil {
				return err
			}
			return planExit(out.Outcome)
		},
	}
	r.flags(cmd)
	c.flags(cmd)
	return cmd
}

func (r *reading) plan(ctx context.Context, c *client) (web.Plan, error) {
	if r.environment == "" {
		return web.Plan{}, errors.New("plan: name the environment with --environment")
	}
	if r.repo == "" && r.path == "" {
		var out web.Plan
		tell(ctx, "the daemon looks at %s", r.environment)
		return out, c.get(ctx, "/api/v1/environments/"+r.environment+"/plan", &out)
	}
	opts, done, err := r.alone(ctx)
	if err != nil {
		return web.Plan{}, err
	}
	defer done()
	return reconciler.PreviewPlan(ctx, opts, r.environment)
}

func planExit(outcome string) error {
	switch outcome {
	case "in_sync":
		return nil
	case "changes":
		return exit{exitChanges}
	case "held":
		return exit{exitHeld}
	case "denied":
		return exit{exitDenied}
	}
	return exit{exitError}
}

func planTable(w io.Writer, p web.Plan) {
	fmt.Fprintf(w, "%s at %s: %s\n", p.Environment, short(p.Commit), p.Outcome)
	for _, s := range p.Steps {
		row(w, "  "+mark(s.Operation), s.Operation, s.Resource, s.Cause, s.Note)
		for _, f := range s.Fields {
			if s.Operation == "create" && empty(f.After) {
				continue // what is made with nothing set is not worth a line
			}
			row(w, "", "", "  "+f.Path, jsonText(f.Before)+" → "+jsonText(f.After))
		}
	}
	for _, ref := range p.Adopt {
		row(w, "  adopt", ref, "as declared; it would get the ownership tags")
	}
	trafficTable(w, p.Traffic)
	for _, h := range p.Holds {
		row(w, "hold", h.Kind, h.Resource, h.Reason)
	}
	fmt.Fprintf(w, "policy: %s\n", p.Decision.Outcome)
	for _, f := range p.Decision.Findings {
		row(w, "  "+f.Code, f.Resource, f.Msg)
		if f.Remediation != "" {
			row(w, "", "", "what to do: "+f.Remediation)
		}
	}
}

// trafficTable says how calls get to what changes, and what a weight divides.
func trafficTable(w io.Writer, traffic []web.PlannedTraffic) {
	for _, t := range traffic {
		how := "not canaried: " + t.NotCanaried
		if t.NotCanaried == "" {
			how = stages(t.Stages)
		}
		if t.ProbesPerMinute > 0 {
			how += fmt.Sprintf(", both versions probed %d times a minute", t.ProbesPerMinute)
		}
		row(w, "  traffic", t.Resource, how)
		for _, way := range t.Ways {
			applies := "by weight"
			if !way.Weighted {
				applies = "not by weight"
			}
			row(w, "", "  "+way.Resource, applies, way.How)
		}
	}
}

// stages are weights in percent, one after the other.
func stages(weights []int) string {
	var b strings.Builder
	for i, weight := range weights {
		if i > 0 {
			b.WriteString(" → ")
		}
		fmt.Fprintf(&b, "%d%%", weight)
	}
	return b.String()
}

// empty values are what a thing has when nothing is said.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func mark(operation string) string {
	switch operation {
	case "create":
		return colour("32", "+")
	case "delete", "detach":
		return colour("31", "-")
	}
	return colour("33", "~")
}
