package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mooring.dev/policy/rego"
)

func policyCheckCommand() *cobra.Command {
	var p policyFolder
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "would these policies become active? all faults at once",
		Long: `Puts policies through what they go through before the daemon takes them: they
are parsed, compiled strictly with what policies may use, held against the
schemas of their inputs and the names of their point's rules, and their own
tests are run. DIR is a working folder with policies/ in it, or a policy folder
itself; without it the folder at hand, or the control branch of --repo.

Exit codes: 0 they would become active, 1 they would not.`,
		Example: "  mooring policy check\n  mooring policy check testdata/shop/control\n  mooring policy check --repo shop.git -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			tree, err := p.open(cmd.Context(), args)
			if err != nil {
				return err
			}
			defer tree.done()
			bundle, err := rego.Load(tree, tree.options())
			result := checkedPolicies{Valid: err == nil, Revision: tree.revision, Packages: map[string][]string{}, Faults: []fault{}}
			if err != nil {
				result.Faults = policyFaults(err)
			} else {
				result.count(bundle)
			}
			if err := print(cmd, p.output, result, result.table); err != nil {
				return err
			}
			if !result.Valid {
				return exit{exitError}
			}
			return nil
		},
	}
	p.flags(cmd)
	return cmd
}

// checkedPolicies is what came of a check.
type checkedPolicies struct {
	Valid    bool                `json:"valid"`
	Revision string              `json:"revision"`
	Packages map[string][]string `json:"packages"` // by point
	Tests    int                 `json:"tests"`    // passed
	Faults   []fault             `json:"faults"`
}

func (c *checkedPolicies) count(b *rego.Bundle) {
	c.Tests = b.Tests
	for _, p := range points {
		if names := b.Packages(p); len(names) > 0 {
			c.Packages[string(p)] = names
		}
	}
}

func (c checkedPolicies) table(w io.Writer) {
	for _, f := range c.Faults {
		fmt.Fprintln(w, f.text())
	}
	if !c.Valid {
		fmt.Fprintln(w, "these policies would not become active")
		return
	}
	n := 0
	for _, p := range points {
		for _, name := range c.Packages[string(p)] {
			row(w, p, name)
			n++
		}
	}
	fmt.Fprintf(w, "valid: %s; %s passed\n", counted(n, "package"), counted(c.Tests, "test"))
}

// policyFaults takes an error of loading apart into what is wrong where.
func policyFaults(err error) []fault {
	var load *rego.LoadError
	if !errors.As(err, &load) {
		return []fault{{Message: err.Error()}}
	}
	out := make([]fault, len(load.Faults))
	for i, f := range load.Faults {
		out[i] = fault{Message: f.Msg, File: f.File, Line: f.Line, Column: f.Col, Code: f.Code, Hint: f.Hint()}
	}
	return out
}
