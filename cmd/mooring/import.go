package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mooring.dev/sources/adopt"
	"mooring.dev/sources/manifest"
)

// importing is one run of the import command.
type importing struct {
	place
	to        string
	functions []string
	all       bool
	take      []string

	sam, pipecd, lambroll string // another tool's files instead of what lives
	parameters            map[string]string

	environment string
	target      manifest.AWSTarget
	output      string

	pipeline *manifest.Pipeline // the one that is there; nil makes one
}

func importCommand() *cobra.Command {
	var i importing
	cmd := &cobra.Command{
		Use:   "import",
		Short: "write manifests for what lives, or for another tool's files; a plan of what lives is empty right after",
		Long: `Reads what lives, functions and everything around them, and writes manifests:
one folder a service or stack. Nothing is changed in the account. Values that
look like secrets are never written: IMPORT.md lists what to move, what a
manifest cannot say, and what was not taken.

What another tool made (CloudFormation, SAM, CDK, Serverless, SST, Terraform) is
listed, and taken only when the tool is named with --take.`,
		Example: `  mooring import --to imported --all --environment production
  mooring import --to imported --function checkout --artifacts s3://shop-artifacts/code
  mooring import --to imported --sam template.yaml --region eu-west-1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return i.run(cmd) },
	}
	i.place.flags(cmd)
	outputFlag(cmd, &i.output)
	f := cmd.Flags()
	f.Lookup("artifacts").Usage = "where code is kept by its digest: s3://bucket/prefix, or file:DIR; without, it is unmanaged"
	f.StringVar(&i.to, "to", "", "folder to write manifests to; nothing in it is overwritten")
	f.StringSliceVar(&i.functions, "function", nil, "import these functions, what stands on them and what they use")
	f.BoolVar(&i.all, "all", false, "import everything of the managed kinds in the account and region")
	f.StringVar(&i.sam, "sam", "", "read a SAM or CloudFormation template instead of what lives")
	f.StringToStringVar(&i.parameters, "parameter", nil, "parameter of the template, NAME=VALUE, instead of its default")
	f.StringVar(&i.pipecd, "pipecd", "", "read the function.yaml and app.pipecd.yaml files of a folder instead of what lives")
	f.StringVar(&i.lambroll, "lambroll", "", "read a function.json of lambroll instead of what lives")
	f.StringSliceVar(&i.take, "take", nil, "also take what these tools made: cloudformation, sam, cdk, serverless, sst, terraform, pulumi, or all")
	f.StringVar(&i.environment, "environment", "production", "name of the environment")
	f.StringVar(&i.target.Region, "region", "", "region, instead of the environment's or the SDK's")
	f.StringVar(&i.target.Account, "account", "", "account that must be reached")
	f.StringVar(&i.target.Endpoint, "endpoint", "", "another endpoint, as of the sandbox")
	f.StringVar(&i.target.RoleArn, "role-arn", "", "role to take in the account")
	f.StringVar(&i.target.ExternalID, "external-id", "", "external id given when the role is taken")
	return cmd
}

func (i *importing) run(cmd *cobra.Command) error {
	if err := i.valid(); err != nil {
		return err
	}
	ctx, told := atWork(cmd)
	defer told()
	if err := i.locate(ctx); err != nil {
		return err
	}
	result, err := i.compose(ctx)
	told()
	if err != nil {
		return err
	}
	if err := i.write(result); err != nil {
		return err
	}
	if err := print(cmd, i.output, result, func(w io.Writer) { i.table(w, result) }); err != nil {
		return err
	}
	unread := 0
	for _, s := range result.Skipped {
		if s.Failed {
			unread++
		}
	}
	if unread > 0 {
		return fmt.Errorf("%d things could not be read; %s names them", unread, filepath.Join(i.to, adopt.ReportFile))
	}
	return nil
}

func (i *importing) valid() error {
	switch {
	case i.to == "":
		return errors.New("import: name the folder to write to with --to")
	}
	given := 0
	for _, is := range []bool{i.all, len(i.functions) > 0, i.sam != "", i.pipecd != "", i.lambroll != ""} {
		if is {
			given++
		}
	}
	if given != 1 {
		return errors.New("import: say what, once: --all, --function NAME (more than once if need be), --sam TEMPLATE, --pipecd DIR or --lambroll FILE")
	}
	return nil
}

// locate finds the environment's target: in the repository if one is named,
// else by flags and the SDK's own rules.
func (i *importing) locate(ctx context.Context) error {
	if i.repo == "" && i.path == "" {
		return nil
	}
	r := reading{place: i.place, environment: i.environment}
	control, _, done, err := r.trees(ctx)
	if err != nil {
		return err
	}
	defer done()
	if i.pipeline, err = manifest.LoadPipeline(control.Tree); err != nil {
		return err
	}
	e, ok := i.pipeline.Environment(i.environment)
	if !ok {
		return unknownEnvironment(i.environment, i.pipeline)
	}
	if e.Provider.AWS == nil {
		return fmt.Errorf("environment %s is not on AWS: there is nothing to import from", i.environment)
	}
	given := i.target
	i.target = *e.Provider.AWS
	for _, f := range []struct {
		from string
		to   *string
	}{
		{given.Region, &i.target.Region}, {given.Account, &i.target.Account}, {given.Endpoint, &i.target.Endpoint},
		{given.RoleArn, &i.target.RoleArn}, {given.ExternalID, &i.target.ExternalID},
	} {
		if f.from != "" {
			*f.to = f.from
		}
	}
	return nil
}

// compose reads and makes the folder, in memory.
func (i *importing) compose(ctx context.Context) (*adopt.Result, error) {
	if !i.all && len(i.functions) == 0 {
		found, source, err := i.files()
		if err != nil {
			return nil, err
		}
		return adopt.Compose(found, adopt.Options{Environment: i.environment, Source: source})
	}
	p, cfg, err := i.open(ctx)
	if err != nil {
		return nil, err
	}
	if i.target.Account, err = p.CheckAccount(ctx); err != nil {
		return nil, err
	}
	found, err := i.found(ctx, p)
	if err != nil {
		return nil, err
	}
	kept, err := i.keep(ctx, p, cfg, &found)
	if err != nil {
		return nil, err
	}
	return adopt.Compose(found, adopt.Options{
		Environment: i.environment, Artifacts: kept,
		Source: fmt.Sprintf("Read from account %s, %s", i.target.Account, i.target.Region),
	})
}

func (i *importing) table(w io.Writer, r *adopt.Result) {
	for _, ref := range r.Resources {
		row(w, colour("32", "+"), ref)
	}
	for _, m := range r.Moves {
		row(w, "secret", m.Function, m.Variable, "is to move to "+m.Secret)
	}
	for _, s := range r.Skipped {
		row(w, "skipped", s.Kind+"/"+s.Name, s.Why)
	}
	fmt.Fprintf(w, "%s, %s to move, %s left, %d skipped; read %s\n",
		counted(len(r.Resources), "resource"), counted(len(r.Moves), "secret"), counted(len(r.Left), "thing"), len(r.Skipped), filepath.Join(i.to, adopt.ReportFile))
	next := "mooring plan --path " + i.to + " --environment " + i.environment
	if dir, ok := strings.CutPrefix(i.artifacts, "file:"); ok {
		next += " --artifacts " + dir
	}
	fmt.Fprintln(w, "next: "+next)
}

// write puts the folder where it is to be, if it is a whole that a repository
// would accept, and nothing of it is there already.
func (i *importing) write(r *adopt.Result) error {
	if err := i.addPipeline(r); err != nil {
		return err
	}
	for name := range r.Files {
		if _, err := os.Lstat(filepath.Join(i.to, filepath.FromSlash(name))); err == nil {
			return fmt.Errorf("%s is there already; nothing was written", filepath.Join(i.to, name))
		}
	}
	if err := os.MkdirAll(i.to, 0o755); err != nil {
		return fmt.Errorf("write manifests: %w", err)
	}
	draft, err := os.MkdirTemp(i.to, ".import-")
	if err != nil {
		return fmt.Errorf("write manifests: %w", err)
	}
	defer func() { _ = os.RemoveAll(draft) }()
	for name, content := range r.Files {
		if err := writeFile(filepath.Join(draft, filepath.FromSlash(name)), content); err != nil {
			return err
		}
	}
	if err := i.check(draft); err != nil {
		return err
	}
	for name := range r.Files {
		target := filepath.Join(i.to, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return fmt.Errorf("write manifests: %w", err)
		}
		if err := os.Rename(filepath.Join(draft, filepath.FromSlash(name)), target); err != nil {
			return fmt.Errorf("write manifests: %w", err)
		}
	}
	return nil
}

func writeFile(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("write manifests: %w", err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		return fmt.Errorf("write manifests: %w", err)
	}
	return nil
}
