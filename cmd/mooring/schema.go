package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"mooring.dev/sources/manifest"
)

// version is set when released: -ldflags "-X main.version=1.2.3".
var version = "dev"

func schemaCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "schema [KIND]",
		Short:   "the kinds of manifests, or one kind's JSON Schema",
		Example: "  mooring schema\n  mooring schema Function",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				text, err := manifest.Schema(args[0])
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), string(text))
				return err
			}
			type kind struct {
				Name    string `json:"name"`
				Summary string `json:"summary"`
				Example string `json:"example"`
			}
			kinds := []kind{}
			for _, k := range manifest.Kinds() {
				kinds = append(kinds, kind(k))
			}
			return print(cmd, output, kinds, func(w io.Writer) {
				for _, k := range kinds {
					row(w, k.Name, k.Summary)
				}
			})
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func versionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "which mooring this is",
		Example: "  mooring version -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := struct {
				Version string `json:"version"`
				Commit  string `json:"commit"`
				Go      string `json:"go"`
			}{Version: version, Go: runtime.Version()}
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						v.Commit = s.Value
					}
				}
			}
			return print(cmd, output, v, func(w io.Writer) { fmt.Fprintf(w, "mooring %s %s (%s)\n", v.Version, short(v.Commit), v.Go) })
		},
	}
	outputFlag(cmd, &output)
	return cmd
}
