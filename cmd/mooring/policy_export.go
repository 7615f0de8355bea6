package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mooring.dev/policy/rego"
)

func policyCapabilitiesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "capabilities",
		Short: "what policies may use, as OPA's own tools take it",
		Long: `The capabilities file policies are compiled with: no network, no clock, no
randomness, nothing that answers differently the second time.`,
		Example: "  mooring policy capabilities > capabilities.json\n  opa check --capabilities capabilities.json policies",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), string(rego.Capabilities()))
			return err
		},
	}
}

func policySchemasCommand() *cobra.Command {
	var output, point, dir string
	cmd := &cobra.Command{
		Use:   "schemas",
		Short: "the JSON Schemas of what policies are asked about",
		Long: `Every field is required and no other is allowed. With --point it prints one
schema; with --dir it writes one file a point, as opa test --schema takes them.`,
		Example: "  mooring policy schemas\n  mooring policy schemas --point promotion\n  mooring policy schemas --dir schemas",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schemas := rego.Schemas()
			switch {
			case point != "":
				p, err := pointNamed(point)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), string(schemas[p]))
				return err
			case dir != "":
				return writeSchemas(cmd.OutOrStdout(), dir)
			}
			all := map[string]json.RawMessage{}
			for p, text := range schemas {
				all[string(p)] = text
			}
			return print(cmd, output, all, func(w io.Writer) {
				row(w, "POINT", "SCHEMA", "BYTES")
				for _, p := range points {
					row(w, p, "mooring policy schemas --point "+p, len(schemas[p]))
				}
			})
		},
	}
	outputFlag(cmd, &output)
	pointFlag(cmd, &point)
	cmd.Flags().StringVar(&dir, "dir", "", "folder to write one file a point into")
	return cmd
}

func writeSchemas(out io.Writer, dir string) error {
	schemas := rego.Schemas()
	for _, p := range points {
		if err := writeInto(out, filepath.Join(dir, string(p)+".json"), append(schemas[p], '\n')); err != nil {
			return err
		}
	}
	return nil
}

func policyLibraryCommand() *cobra.Command {
	var output, to string
	cmd := &cobra.Command{
		Use:   "library [DIR]",
		Short: "the built-in helpers, policy.lib.*",
		Long: `Lists what policies can import without writing it. With --to it writes the
sources into a folder, with the data of the policies in DIR as data.config: what
OPA's own tools need beside the policies themselves.`,
		Example: `  mooring policy library
  mooring policy library --to opa testdata/shop/control
  opa test --capabilities capabilities.json --schema schemas --ignore data opa testdata/shop/control/policies`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			library := rego.Library()
			if to != "" {
				return writeLibrary(cmd.OutOrStdout(), to, append(args, ".")[0])
			}
			return print(cmd, output, library, func(w io.Writer) {
				for _, p := range library {
					row(w, p.Name, p.Summary)
				}
			})
		},
	}
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&to, "to", "", "folder to write the sources and the data into")
	return cmd
}

func writeLibrary(out io.Writer, dir, policies string) error {
	tree, err := policiesIn(policies)
	if err != nil {
		return err
	}
	config, err := rego.Config(tree, tree.dir)
	if err != nil {
		return err
	}
	for _, p := range rego.Library() {
		if err := writeInto(out, filepath.Join(dir, "policy", "lib", p.File), p.Text); err != nil {
			return err
		}
	}
	return writeInto(out, filepath.Join(dir, "config", "data.json"), append(config, '\n'))
}

// writeInto writes one file, and says so.
func writeInto(out io.Writer, path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err := fmt.Fprintln(out, path)
	return err
}
