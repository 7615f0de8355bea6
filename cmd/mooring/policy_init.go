package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mooring.dev/testdata"
)

func policyInitCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init [DIR]",
		Short: "write a policy folder to begin with: commented, tested, closed where it should be",
		Long: `Writes packages for all five points, their tests and their data into DIR, which
is policies where it is not given. Below a folder with a mooring.yaml, which is
a checkout of the control branch, they go into its policies. A file that is
there already is never overwritten: then nothing is written at all.`,
		Example: "  mooring policy init\n  mooring policy init /tmp/try/policies",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "policies"
			if len(args) == 1 {
				dir = args[0]
			}
			dir, written, err := policyInit(dir)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			for _, name := range written {
				fmt.Fprintln(out, filepath.Join(dir, filepath.FromSlash(name)))
			}
			fmt.Fprintf(out, "%d files; read them, then: mooring policy check %s\n", len(written), dir)
			return nil
		},
	}
}

// policyInit writes the starter into dir and returns where, and what, in the
// order of the files. Either all of them are written or, when one is in the
// way, none.
func policyInit(dir string) (string, []string, error) {
	if _, err := os.Stat(filepath.Join(dir, "mooring.yaml")); err == nil {
		dir = filepath.Join(dir, "policies")
	}
	starter, err := fs.Sub(testdata.Starter, "policies/starter/policies")
	if err != nil {
		return dir, nil, err
	}
	var names []string
	err = fs.WalkDir(starter, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		names = append(names, name)
		to := filepath.Join(dir, filepath.FromSlash(name))
		switch _, err := os.Lstat(to); {
		case err == nil:
			return fmt.Errorf("%s is there already, and nothing was written; name an empty folder", to)
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("look whether %s is there: %w", to, err)
		}
		return nil
	})
	if err != nil {
		return dir, nil, fmt.Errorf("policy init: %w", err)
	}
	for _, name := range names {
		if err := writeStarter(starter, dir, name); err != nil {
			return dir, nil, fmt.Errorf("policy init: %w", err)
		}
	}
	return dir, names, nil
}

func writeStarter(starter fs.FS, dir, name string) error {
	text, err := fs.ReadFile(starter, name)
	if err != nil {
		return err
	}
	to := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
