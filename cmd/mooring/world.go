package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"mooring.dev/providers/aws/quota"
	"mooring.dev/reconciler"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// reading is what commands that look at a repository share.
type reading struct {
	place
	environment string
	ref         string
	output      string
}

func (r *reading) flags(cmd *cobra.Command) {
	r.place.flags(cmd)
	outputFlag(cmd, &r.output)
	cmd.Flags().StringVar(&r.environment, "environment", "", "name of the environment")
	cmd.Flags().StringVar(&r.ref, "ref", "", "commit or branch instead of the environment's branch")
}

// trees opens the control tree and the tree of one environment.
func (r *reading) trees(ctx context.Context) (control sources.Snapshot, at func(manifest.Environment) (sources.Snapshot, error), done func(), err error) {
	cache, err := os.MkdirTemp("", "mooring-read-")
	if err != nil {
		return control, nil, nil, fmt.Errorf("make a cache: %w", err)
	}
	done = func() { _ = os.RemoveAll(cache) }
	source, _, err := r.source(filepath.Join(cache, "repository"), nil)
	if err != nil {
		done()
		return control, nil, nil, err
	}
	snapshots, err := source.Fetch(ctx)
	if err != nil {
		done()
		return control, nil, nil, fmt.Errorf("read the repository: %w", err)
	}
	control, ok := snapshots[r.control]
	if !ok {
		done()
		return control, nil, nil, fmt.Errorf("the repository has no branch %q to read mooring.yaml from; name another with --control", r.control)
	}
	at = func(e manifest.Environment) (sources.Snapshot, error) {
		if r.ref != "" {
			if snap, ok := snapshots[r.ref]; ok {
				return snap, nil
			}
			return source.Open(ctx, r.ref)
		}
		snap, ok := snapshots[e.Branch]
		if !ok {
			return snap, fmt.Errorf("environment %s has no branch %s yet", e.Name, e.Branch)
		}
		return snap, nil
	}
	return control, at, done, nil
}

func validateCommand() *cobra.Command {
	var r reading
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "check a repository or a working folder; all faults at once",
		Example: `  mooring validate --repo shop.git
  mooring validate --path . --environment production`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.validate(cmd) },
	}
	r.flags(cmd)
	return cmd
}

// fault is one finding of validate in JSON.
type fault struct {
	Environment string `json:"environment,omitempty"`
	Message     string `json:"message"`
	File        string `json:"file,omitempty"`
	Line        int    `json:"line,omitempty"`
	Column      int    `json:"column,omitempty"`
	Hint        string `json:"hint,omitempty"`
}

func (r *reading) validate(cmd *cobra.Command) error {
	control, at, done, err := r.trees(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	var found []fault
	pipeline, err := manifest.LoadPipeline(control.Tree)
	found = append(found, faultsOf("", err)...)
	if _, err := policies(control.Tree, control.Commit.SHA); err != nil {
		found = append(found, faultsOf("", err)...)
	}
	rendered := 0
	if pipeline != nil {
		for _, e := range pipeline.Environments {
			if r.environment != "" && e.Name != r.environment {
				continue
			}
			snap, err := at(e)
			if err == nil {
				_, err = render(snap, pipeline, e)
				rendered++
			} else if r.environment == "" && r.ref == "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "%v\n", err)
				continue
			}
			found = append(found, faultsOf(e.Name, err)...)
		}
		if _, ok := pipeline.Environment(r.environment); r.environment != "" && !ok {
			return unknownEnvironment(r.environment, pipeline)
		}
	}
	return r.validated(cmd, found, rendered)
}

func (r *reading) validated(cmd *cobra.Command, found []fault, rendered int) error {
	type result struct {
		Valid        bool    `json:"valid"`
		Environments int     `json:"environments"`
		Faults       []fault `json:"faults"`
	}
	if found == nil {
		found = []fault{}
	}
	err := print(cmd, r.output, result{len(found) == 0, rendered, found}, func(w io.Writer) {
		seen := map[string]bool{}
		for _, f := range found {
			line := f.Message
			if f.File != "" {
				line = fmt.Sprintf("%s: %s", manifest.Position{File: f.File, Line: f.Line, Column: f.Column}, f.Message)
			}
			if f.Hint != "" {
				line += " (" + f.Hint + ")"
			}
			if !seen[line] {
				fmt.Fprintln(w, line)
			}
			seen[line] = true
		}
		if len(found) == 0 {
			fmt.Fprintf(w, "valid: the pipeline, its policies and %d environments\n", rendered)
		}
	})
	if err == nil && len(found) > 0 {
		return exit{exitError}
	}
	return err
}

// faultsOf takes an error apart into what is wrong where.
func faultsOf(environment string, err error) []fault {
	if err == nil {
		return nil
	}
	var faults manifest.Faults
	if !errors.As(err, &faults) {
		return []fault{{Environment: environment, Message: err.Error()}}
	}
	out := make([]fault, len(faults))
	for i, f := range faults {
		out[i] = fault{Environment: environment, Message: f.Message, File: f.Position.File, Line: f.Position.Line, Column: f.Position.Column, Hint: f.Hint}
	}
	return out
}

func render(snap sources.Snapshot, p *manifest.Pipeline, e manifest.Environment) (*manifest.Release, error) {
	var loader manifest.Loader
	docs, err := loader.Load(snap.Tree, manifest.LoadOptions{Path: e.Path})
	if docs == nil {
		return nil, err
	}
	// Documents with faults render to those faults and the ones that only
	// rendering finds: all at once.
	rel, err := manifest.Render(docs, p, e.Name, snap.Commit.SHA)
	if err != nil {
		return nil, err
	}
	return rel, brokenContract(rel)
}

// brokenContract names what a release's own code expects and it lacks.
func brokenContract(rel *manifest.Release) error {
	var errs []error
	for _, b := range manifest.CheckContract(rel) {
		errs = append(errs, fmt.Errorf("%s expects %s %s: %s", b.Function, b.What, b.Name, b.Why))
	}
	return errors.Join(errs...)
}

func unknownEnvironment(name string, p *manifest.Pipeline) error {
	names := make([]string, len(p.Environments))
	for i, e := range p.Environments {
		names[i] = e.Name
	}
	return fmt.Errorf("environment %q is not in mooring.yaml; it has %v", name, names)
}

func renderCommand() *cobra.Command {
	var r reading
	cmd := &cobra.Command{
		Use:   "render",
		Short: "show what an environment's manifests stand for: expanded, overlaid, in order",
		Example: `  mooring render --repo shop.git --environment staging
  mooring render --path . --environment production -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.render(cmd) },
	}
	r.flags(cmd)
	return cmd
}

func (r *reading) render(cmd *cobra.Command) error {
	control, at, done, err := r.trees(cmd.Context())
	if err != nil {
		return err
	}
	defer done()
	pipeline, err := manifest.LoadPipeline(control.Tree)
	if err != nil {
		return err
	}
	e, ok := pipeline.Environment(r.environment)
	if !ok {
		return unknownEnvironment(r.environment, pipeline)
	}
	snap, err := at(e)
	if err != nil {
		return err
	}
	rel, err := render(snap, pipeline, e)
	if err != nil {
		return err
	}
	if r.output == "json" {
		return print(cmd, "json", rel, nil)
	}
	text, err := rel.RenderYAML()
	if err != nil {
		return err
	}
	_, err = cmd.OutOrStdout().Write(text)
	return err
}

// alone makes the options of a look without a daemon: a journal in memory,
// and caches that go with it.
func (r *reading) alone() (reconciler.Options, func(), error) {
	state, err := os.MkdirTemp("", "mooring-look-")
	if err != nil {
		return reconciler.Options{}, nil, fmt.Errorf("make a state folder: %w", err)
	}
	done := func() { _ = os.RemoveAll(state) }
	tokens, err := tokenKey(state)
	if err != nil {
		done()
		return reconciler.Options{}, nil, err
	}
	p := r.place
	p.state = state
	opts, err := p.options(zap.NewNop(), &platforms{
		place: &p, instance: instanceName(), tokens: tokens, quota: quota.New(rates()),
	})
	if err != nil {
		done()
		return opts, nil, err
	}
	opts.Store = journal.NewMemory()
	return opts, done, nil
}

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
			out, err := r.plan(cmd.Context(), &c)
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
	if r.repo == "" && r.path == "" {
		var out web.Plan
		return out, c.get(ctx, "/api/v1/environments/"+r.environment+"/plan", &out)
	}
	opts, done, err := r.alone()
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
			row(w, "", "", "  "+f.Path, jsonText(f.Before)+" → "+jsonText(f.After))
		}
	}
	for _, h := range p.Holds {
		row(w, "hold", h.Kind, h.Resource, h.Reason)
	}
	fmt.Fprintf(w, "policy: %s\n", p.Decision.Outcome)
	for _, f := range p.Decision.Findings {
		row(w, "  "+f.Code, f.Resource, f.Msg)
	}
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

func driftCommand() *cobra.Command {
	var r reading
	var c client
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "what differs from Git without a release: what, who, and the intended response",
		Example: `  mooring drift --environment production
  mooring drift --repo shop.git --environment staging -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out, err := r.drift(cmd.Context(), &c)
			if err != nil {
				return err
			}
			if err := print(cmd, r.output, out, func(w io.Writer) { driftTable(w, out) }); err != nil {
				return err
			}
			if len(out.Items) > 0 {
				return exit{exitChanges}
			}
			return nil
		},
	}
	r.flags(cmd)
	c.flags(cmd)
	return cmd
}

func (r *reading) drift(ctx context.Context, c *client) (web.Drift, error) {
	if r.repo == "" && r.path == "" {
		var out web.Drift
		return out, c.get(ctx, "/api/v1/environments/"+r.environment+"/drift", &out)
	}
	opts, done, err := r.alone()
	if err != nil {
		return web.Drift{}, err
	}
	defer done()
	return reconciler.PreviewDrift(ctx, opts, r.environment)
}

func driftTable(w io.Writer, d web.Drift) {
	fmt.Fprintf(w, "%s: %d items, %d fields compared, oldest look %ds ago\n", d.Environment, len(d.Items), d.Coverage.Compared, d.Coverage.OldestSeconds)
	for _, it := range d.Items {
		who := "unknown"
		if it.Actor.Known {
			who = it.Actor.Name + " by " + it.Actor.Event
		}
		row(w, it.ID, it.Severity, it.Resource, it.Path, it.Kind, jsonText(it.Declared)+" → "+jsonText(it.Live), who, it.Since.Format(time.RFC3339), it.Response)
	}
	for _, u := range d.Coverage.Unobservable {
		row(w, "unobservable", u.Path, u.Why)
	}
}
