package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// sandboxAccount is the account of the sandbox.
const sandboxAccount = "111111111111"

func initCommand() *cobra.Command {
	var s start
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "make an environment repository to start from",
		Long: `Makes a Git repository in DIR, or in this folder, which has to be empty: a control
branch with mooring.yaml, a policy and its tests, a branch for each environment
with an example function, its code below artifacts/, and a README that says how
to go on. It is valid as it is, and a plan of it works on the sandbox.`,
		Example: `  mooring init shop
  mooring init shop --environments preview,production --region eu-central-1 --account 222222222222`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s.dir = "."
			if len(args) == 1 {
				s.dir = args[0]
			}
			if err := s.make(cmd.Context()); err != nil {
				return fmt.Errorf("init: %w", err)
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "%s: control branch main, %s\n", s.dir, "env/"+strings.Join(s.environments, ", env/"))
			if s.account == sandboxAccount {
				fmt.Fprintf(out, "the account is the sandbox's, %s; name your own in mooring.yaml\n", sandboxAccount)
			}
			fmt.Fprintf(out, "read README.md there, then: mooring plan --repo %s --artifacts %s --environment %s\n", s.dir, filepath.Join(s.dir, "artifacts"), s.environments[0])
			return nil
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&s.environments, "environments", []string{"preview", "staging", "production"}, "environments, in the order that content goes through them")
	f.StringVar(&s.region, "region", cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), "eu-west-1"), "AWS region of all of them")
	f.StringVar(&s.account, "account", sandboxAccount, "AWS account of all of them")
	f.StringVar(&s.name, "name", "", "name of the pipeline (default: the folder's)")
	return cmd
}

var (
	plainName     = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$`)
	accountNumber = regexp.MustCompile(`^[0-9]{12}$`)
	regionName    = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
)

// check looks at what was asked for before anything is made.
func (s *start) check() error {
	dir, err := filepath.Abs(s.dir)
	if err != nil {
		return err
	}
	if s.name == "" {
		if s.name = strings.ToLower(filepath.Base(dir)); !plainName.MatchString(s.name) {
			return fmt.Errorf("the folder's name %q makes no name of a pipeline; give one with --name (lower-case letters, digits and -)", filepath.Base(dir))
		}
	}
	switch {
	case !plainName.MatchString(s.name):
		return fmt.Errorf("--name %q: want lower-case letters, digits and -", s.name)
	case !accountNumber.MatchString(s.account):
		return fmt.Errorf("--account %q: want the 12 digits of an AWS account", s.account)
	case !regionName.MatchString(s.region):
		return fmt.Errorf("--region %q: want an AWS region, like eu-west-1", s.region)
	case len(s.environments) == 0:
		return errors.New("--environments: want one name at least, like preview")
	}
	seen := map[string]bool{}
	for _, e := range s.environments {
		if !plainName.MatchString(e) || seen[e] {
			return fmt.Errorf("--environments: %q: want names of lower-case letters, digits and -, each once", e)
		}
		seen[e] = true
	}
	entries, err := os.ReadDir(s.dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty (%s is there), and nothing was written; name a new folder, or an empty one", s.dir, entries[0].Name())
	}
	return nil
}
