package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mooring.dev/reconciler/notify"
	"mooring.dev/sources/manifest"
)

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
	r.refFlag(cmd)
	return cmd
}

// fault is one finding of validate in JSON.
type fault struct {
	Environment string `json:"environment,omitempty"`
	Message     string `json:"message"`
	Path        string `json:"path,omitempty"` // of the field
	File        string `json:"file,omitempty"`
	Line        int    `json:"line,omitempty"`
	Column      int    `json:"column,omitempty"`
	Hint        string `json:"hint,omitempty"`
	Code        string `json:"code,omitempty"` // of a fault of policies
}

func (r *reading) validate(cmd *cobra.Command) error {
	ctx, told := atWork(cmd)
	defer told()
	control, at, done, err := r.trees(ctx)
	if err != nil {
		return err
	}
	defer done()
	if r.notice != "" {
		notice(ctx, cmd, r.notice)
	}
	var found, noticed []fault
	pipeline, err := manifest.LoadPipeline(control.Tree)
	found = append(found, faultsOf("", err)...)
	found = append(found, templateFaults(pipeline)...)
	if _, err := policies(control.Tree, control.Commit.SHA); err != nil {
		found = append(found, policyFaults(err)...)
	}
	rendered := 0
	if pipeline != nil {
		for _, e := range pipeline.Environments {
			if r.environment != "" && e.Name != r.environment {
				continue
			}
			tell(ctx, "checking %s", e.Name)
			snap, err := at(e)
			if err == nil {
				var rel *manifest.Release
				var notices manifest.Faults
				if rel, notices, err = renderNoticed(snap, pipeline, e); rel != nil {
					found = append(found, faultsOf(e.Name, strays(pipeline, rel))...)
				}
				if len(notices) > 0 {
					noticed = append(noticed, faultsOf(e.Name, notices)...)
				}
				rendered++
			} else if r.environment == "" && r.ref == "" {
				notice(ctx, cmd, err.Error())
				continue
			}
			found = append(found, faultsOf(e.Name, err)...)
		}
		if _, ok := pipeline.Environment(r.environment); r.environment != "" && !ok {
			return unknownEnvironment(r.environment, pipeline)
		}
	}
	told()
	return r.validated(cmd, found, noticed, rendered)
}

// templateFaults are receivers' templates that no alert could be made with.
func templateFaults(p *manifest.Pipeline) []fault {
	if p == nil {
		return nil
	}
	if found := p.Templates(func(text, contentType string) error {
		_, err := notify.ParseTemplate(text, contentType)
		return err
	}); len(found) > 0 {
		return faultsOf("", found)
	}
	return nil
}

// strays are names in rules that none of a release's functions has.
func strays(p *manifest.Pipeline, rel *manifest.Release) error {
	if found := p.Strays(rel); len(found) > 0 {
		return found
	}
	return nil
}

// validated tells what is wrong, and what was noticed and is not wrong.
func (r *reading) validated(cmd *cobra.Command, found, noticed []fault, rendered int) error {
	type result struct {
		Valid        bool    `json:"valid"`
		Environments int     `json:"environments"`
		Faults       []fault `json:"faults"`
		Notices      []fault `json:"notices"`
	}
	if found == nil {
		found = []fault{}
	}
	if noticed == nil {
		noticed = []fault{}
	}
	err := print(cmd, r.output, result{len(found) == 0, rendered, found, noticed}, func(w io.Writer) {
		faultLinesOnce(w, "", found)
		faultLinesOnce(w, "notice: ", noticed)
		switch {
		case len(found) > 0:
		case r.notice != "":
			fmt.Fprintf(w, "valid: the manifests, for %s\n", counted(rendered, "environment"))
		default:
			fmt.Fprintf(w, "valid: the pipeline, its policies and %s\n", counted(rendered, "environment"))
		}
	})
	if err == nil && len(found) > 0 {
		return exit{exitError}
	}
	return err
}

// faultLinesOnce writes a line for each fault; several environments have the
// same ones.
func faultLinesOnce(w io.Writer, before string, faults []fault) {
	seen := map[string]bool{}
	for _, f := range faults {
		line := before + f.text()
		if !seen[line] {
			fmt.Fprintln(w, line)
		}
		seen[line] = true
	}
}

// text is the fault for people: file:line:column, field, what, and a hint.
func (f fault) text() string {
	if f.File == "" {
		return f.Message
	}
	at := manifest.Position{File: f.File, Line: f.Line, Column: f.Column}
	return manifest.Fault{Position: at, Path: f.Path, Message: f.Message, Hint: f.Hint}.Error()
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
		out[i] = fault{Environment: environment, Message: f.Message, Path: f.Path, File: f.Position.File, Line: f.Position.Line, Column: f.Position.Column, Hint: f.Hint}
	}
	return out
}
