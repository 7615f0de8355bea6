package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mooring.dev/policy"
	"mooring.dev/policy/rego"
	"mooring.dev/sources/manifest"
)

func policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "write, check, test and try policies, and try them on the past",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		policyInitCommand(), policyCheckCommand(), policyTestCommand(), policyEvalCommand(), policyInputCommand(), policyReplayCommand(),
		policyCapabilitiesCommand(), policySchemasCommand(), policyLibraryCommand(),
		policyApproveCommand(), policyRejectCommand(), policyActivateCommand(),
	)
	return cmd
}

// folderRevision is the revision of policies that are in no commit.
const folderRevision = "working folder"

// policyFolder says which policies are meant: those of a folder, or those of
// a repository's control branch.
type policyFolder struct{ reading }

func (p *policyFolder) flags(cmd *cobra.Command) {
	p.place.flags(cmd)
	outputFlag(cmd, &p.output)
}

// policyTree is a tree with a policy folder in it.
type policyTree struct {
	fs.FS
	dir      string // of the policies, in the tree
	revision string
	done     func()
}

// open finds the policies. args holds DIR, or nothing: then --repo or --path
// count, and after them the folder at hand.
func (p *policyFolder) open(ctx context.Context, args []string) (policyTree, error) {
	switch {
	case len(args) == 1:
		return policiesIn(args[0])
	case p.path != "" && p.repo == "":
		return policiesIn(p.path)
	case p.repo == "":
		return policiesIn(".")
	}
	control, _, done, err := p.trees(ctx)
	if err != nil {
		return policyTree{}, err
	}
	return policyTree{FS: control.Tree, dir: "policies", revision: control.Commit.SHA, done: done}, nil
}

// at finds the policies of a repository as they were at a revision; a working
// folder is what it is.
func (p *policyFolder) at(ctx context.Context, revision string) (policyTree, error) {
	if p.repo == "" {
		return policiesIn(p.path)
	}
	p.ref = revision
	_, at, done, err := p.trees(ctx)
	if err != nil {
		return policyTree{}, err
	}
	snap, err := at(manifest.Environment{})
	if err != nil {
		done()
		return policyTree{}, fmt.Errorf("policies at %s: %w", revision, err)
	}
	return policyTree{FS: snap.Tree, dir: "policies", revision: revision, done: done}, nil
}

// policiesIn takes a working folder with policies/ in it, or a policy folder
// itself.
func policiesIn(dir string) (policyTree, error) {
	t := policyTree{revision: folderRevision, done: func() {}}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return t, fmt.Errorf("policies: %w", err)
	}
	if info, err := os.Stat(abs); err != nil {
		return t, fmt.Errorf("policies: %w", err)
	} else if !info.IsDir() {
		return t, fmt.Errorf("policies: %s is a file; name the folder", dir)
	}
	if info, err := os.Stat(filepath.Join(abs, "policies")); err == nil && info.IsDir() {
		t.FS, t.dir = os.DirFS(abs), "policies"
		return t, nil
	}
	if !holdsRego(abs) {
		return t, fmt.Errorf("no policies in %s: it has neither a folder policies nor a file *.rego; `mooring policy init %s` writes some to begin with", dir, filepath.Join(dir, "policies"))
	}
	t.FS, t.dir = os.DirFS(filepath.Dir(abs)), filepath.Base(abs)
	return t, nil
}

// holdsRego: there is a policy somewhere in dir.
func holdsRego(dir string) bool {
	found := errors.New("found")
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case strings.HasSuffix(name, ".rego"):
			return found
		}
		return nil
	})
	return errors.Is(err, found)
}

func (t policyTree) options() rego.LoadOptions {
	return rego.LoadOptions{Revision: t.revision, Dir: t.dir}
}

// evaluator asks these policies. Their own tests are not run first: what they
// say is worth knowing although a test fails.
func (t policyTree) evaluator() (*rego.Evaluator, error) {
	o := t.options()
	o.Tested = true
	bundle, err := rego.Load(t.FS, o)
	if err != nil {
		return nil, err
	}
	return rego.New(bundle, rego.EvaluatorOptions{}), nil
}

// points are the decision points, in the order of a content's life, and the one
// about policies.
var points = rego.Points()

// pointFlag adds --point to a command.
func pointFlag(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "point", "", wantPoint)
}

const wantPoint = "admission, promotion, rollout, drift, notify or activation"

func pointNamed(name string) (policy.Point, error) {
	for _, p := range points {
		if name == string(p) {
			return p, nil
		}
	}
	if name == "" {
		return "", fmt.Errorf("name the decision point with --point: %s", wantPoint)
	}
	return "", fmt.Errorf("--point %q: want %s", name, wantPoint)
}

// policyExit turns an outcome into an exit code.
func policyExit(o policy.Outcome) error {
	switch o {
	case policy.Allow:
		return nil
	case policy.Hold:
		return exit{exitHeld}
	case policy.Deny:
		return exit{exitDenied}
	}
	return exit{exitError}
}
