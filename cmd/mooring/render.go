package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

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
	r.refFlag(cmd)
	return cmd
}

func (r *reading) render(cmd *cobra.Command) error {
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
	tell(ctx, "rendering %s", e.Name)
	rel, err := render(snap, pipeline, e)
	if err != nil {
		return err
	}
	told()
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

func render(snap sources.Snapshot, p *manifest.Pipeline, e manifest.Environment) (*manifest.Release, error) {
	rel, _, err := renderNoticed(snap, p, e)
	return rel, err
}

// renderNoticed also tells what a person should know of the manifests and
// nothing is held for.
func renderNoticed(snap sources.Snapshot, p *manifest.Pipeline, e manifest.Environment) (*manifest.Release, manifest.Faults, error) {
	var loader manifest.Loader
	docs, err := loader.Load(snap.Tree, manifest.LoadOptions{Path: e.Path})
	if docs == nil {
		return nil, nil, err
	}
	// Documents with faults render to those faults and the ones that only
	// rendering finds: all at once.
	rel, err := manifest.Render(docs, p, e.Name, snap.Commit.SHA)
	if err != nil {
		return nil, docs.Notices(p), err
	}
	return rel, docs.Notices(p), brokenContract(rel)
}

// brokenContract names what a release's own code expects and it lacks, at the
// manifest of the function.
func brokenContract(rel *manifest.Release) error {
	at := map[manifest.Ref]manifest.Position{}
	for _, res := range rel.Resources {
		at[res.Ref] = res.Origin
	}
	var found manifest.Faults
	for _, b := range manifest.CheckContract(rel) {
		found = append(found, manifest.Fault{
			Position: at[b.Function], Path: "spec.expects", Message: fmt.Sprintf("%s expects %s %s: %s", b.Function, b.What, b.Name, b.Why),
			Hint: "declare it, or take it out of what the code expects",
		})
	}
	if found == nil {
		return nil
	}
	return found
}

func unknownEnvironment(name string, p *manifest.Pipeline) error {
	names := make([]string, len(p.Environments))
	for i, e := range p.Environments {
		names[i] = e.Name
	}
	if name == "" {
		return fmt.Errorf("name the environment with --environment: one of %s", strings.Join(names, ", "))
	}
	return fmt.Errorf("environment %q is not in mooring.yaml; it has %s%s", name, strings.Join(names, ", "), manifest.DidYouMean(name, names))
}
