package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"mooring.dev/reconciler"
	"mooring.dev/reconciler/web"
)

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
			ctx, done := atWork(cmd)
			out, err := r.drift(ctx, &c)
			done()
			if err != nil {
				return err
			}
			if err := print(cmd, r.output, out, func(w io.Writer) { driftTable(w, out) }); err != nil {
				return err
			}
			if len(out.Items) > 0 {
				return exit{exitChanges}
			}
			return unseen(out)
		},
	}
	r.flags(cmd)
	c.flags(cmd)
	cmd.AddCommand(driftAnswerCommand("revert", "put one difference back, over policy's word",
		"  mooring drift revert 09664ef78eaf --environment production --reason \"no incident any more\""),
		driftAnswerCommand("accept", "let one difference be for a while, over policy's word",
			"  mooring drift accept 09664ef78eaf --environment production --until 4h --reason \"until the fix is in\""))
	return cmd
}

// driftAnswerCommand is a person's word on one difference.
func driftAnswerCommand(use, short, example string) *cobra.Command {
	var c client
	var a web.DriftAnswer
	var until, output string
	cmd := &cobra.Command{
		Use: use + " ITEM", Short: short, Example: example, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if a.Environment == "" {
				return fmt.Errorf("drift %s: name the environment with --environment", use)
			}
			if a.Item, a.Accept = args[0], use == "accept"; a.Accept {
				if a.For, err = untilDuration(until, time.Now()); err != nil {
					return err
				}
			}
			if err := c.post(cmd.Context(), "/api/v1/environments/"+a.Environment+"/drift", a, nil); err != nil {
				return err
			}
			return taken{Act: "drift " + use, Environment: a.Environment, Item: a.Item}.print(cmd, output)
		},
	}
	c.flags(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&a.Environment, "environment", "", "name of the environment")
	cmd.Flags().StringVar(&a.Reason, "reason", "", "why; it is recorded and shown")
	if use == "accept" {
		cmd.Flags().StringVar(&until, "until", "", "for how long (4h), or until when (2026-11-23T18:00:00Z)")
	}
	return cmd
}

func (r *reading) drift(ctx context.Context, c *client) (web.Drift, error) {
	if r.environment == "" {
		return web.Drift{}, errors.New("drift: name the environment with --environment")
	}
	if r.repo == "" && r.path == "" {
		var out web.Drift
		return out, c.get(ctx, "/api/v1/environments/"+r.environment+"/drift", &out)
	}
	opts, done, err := r.alone(ctx)
	if err != nil {
		return web.Drift{}, err
	}
	defer done()
	return reconciler.PreviewDrift(ctx, opts, r.environment)
}

// unseen is an error where the account could not be looked at and nothing was
// compared: "no drift" would be said of what nobody saw.
func unseen(d web.Drift) error {
	if d.Coverage.Compared > 0 {
		return nil
	}
	for _, u := range d.Coverage.Unobservable {
		if u.Path == "" {
			return fmt.Errorf("drift: nothing of %s could be compared, so there may be drift: %s (`mooring doctor` tells more)", d.Environment, u.Why)
		}
	}
	return nil
}

// answered is what is done about a difference, and where it is offered to be
// declared.
func answered(it web.DriftItem) string {
	if it.Proposal == nil {
		return it.Response
	}
	return it.Response + ": " + it.Proposal.String()
}

func driftTable(w io.Writer, d web.Drift) {
	fmt.Fprintf(w, "%s: %s, %s compared, oldest look %ds ago\n", d.Environment, counted(len(d.Items), "item"), counted(d.Coverage.Compared, "field"), d.Coverage.OldestSeconds)
	if len(d.Items) > 0 {
		row(w, "ITEM", "SEVERITY", "RESOURCE", "FIELD", "KIND", "DECLARED → LIVE", "WHO", "SINCE", "RESPONSE")
	}
	for _, it := range d.Items {
		who := "unknown"
		if it.Actor.Known {
			who = it.Actor.Name + " by " + it.Actor.Event
		}
		row(w, it.ID, it.Severity, it.Resource, it.Path, it.Kind, jsonText(it.Declared)+" → "+jsonText(it.Live), who, it.Since.UTC().Format("2006-01-02 15:04:05Z"), answered(it))
	}
	if len(d.Items) > 0 {
		fmt.Fprintln(w)
	}
	for _, u := range d.Coverage.Unobservable {
		row(w, "unobservable", u.Path, u.Why)
	}
	for _, layer := range slices.Sorted(maps.Keys(d.Coverage.Layers)) {
		row(w, "layer", layer, fmt.Sprintf("oldest look %ds ago", d.Coverage.Layers[layer]))
	}
}
