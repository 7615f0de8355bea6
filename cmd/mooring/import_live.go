package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"mooring.dev/providers"
	"mooring.dev/providers/aws"
	"mooring.dev/providers/aws/quota"
	"mooring.dev/sources/adopt"
	"mooring.dev/sources/artifact"
	"mooring.dev/sources/manifest"
)

// open reaches the account. The provider is asked only; what it would call
// its own does not matter.
func (i *importing) open(ctx context.Context) (*aws.Provider, awssdk.Config, error) {
	cfg, err := aws.Load(ctx, aws.LoadOptions{Target: i.target, Instance: instanceName(), AppID: "mooring-" + version})
	if err != nil {
		return nil, cfg, err
	}
	if i.target.Region == "" {
		i.target.Region = cfg.Region
	}
	lanes := quota.New(rates(sweepShare))
	tellCalls(ctx, "reaching the account", "reading what lives", lanes)
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	p, err := aws.New(aws.Options{
		Config: cfg, Target: i.target, Pipeline: "import", Environment: i.environment, Tokens: key, Now: time.Now,
		Quota: lanes, CloudWatchProtocol: i.cloudwatch, Emulator: i.emulator,
	})
	return p, cfg, err
}

func (i *importing) found(ctx context.Context, p providers.Adopter) (adopt.Found, error) {
	what := providers.Adoption{Functions: i.functions, Tools: i.take}
	got, err := p.Adopt(ctx, what)
	if err != nil {
		return adopt.Found{}, err
	}
	out := adopt.Found{Drafts: got.Drafts}
	for _, s := range got.Skipped {
		out.Skipped = append(out.Skipped, adopt.Skipped(s))
	}
	return out, nil
}

// keep stores the code of the functions found, and names where. Code that
// cannot be had stays unmanaged, and that is told.
func (i *importing) keep(ctx context.Context, p providers.Adopter, cfg awssdk.Config, found *adopt.Found) (map[string]manifest.Artifact, error) {
	if i.artifacts == "" {
		return nil, nil
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = emulated(cfg) })
	keeper, err := artifact.NewKeeper(i.artifacts, client)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mooring-import-")
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	kept := map[string]manifest.Artifact{}
	for n := range found.Drafts {
		d := &found.Drafts[n]
		code, _ := d.Spec["artifact"].(map[string]any)
		if d.Kind != manifest.KindFunction && d.Kind != manifest.KindLayer || code["unmanaged"] != true {
			continue
		}
		tellHow(ctx, func() (string, string) {
			return "keeping the code of functions and layers", fmt.Sprintf("%d of %d looked at, ", n, len(found.Drafts))
		})
		a, err := keepCode(ctx, p, keeper, d, filepath.Join(dir, "code.zip"))
		if err != nil {
			d.Leave("its code could not be kept, and is unmanaged: %v", err)
			continue
		}
		kept[d.Kind+"/"+d.Physical] = a
	}
	return kept, ctx.Err()
}

// keepCode reads the code that is declared: that of the version which serves.
func keepCode(ctx context.Context, p providers.Adopter, keeper *artifact.Keeper, d *manifest.Draft, file string) (manifest.Artifact, error) {
	of := providers.CodeOf{Kind: d.Kind, Name: d.Physical, Version: d.Version}
	if alias, _ := d.Spec["alias"].(string); d.Kind == manifest.KindFunction && alias != "none" {
		of.Version = alias
	}
	into, err := os.Create(file)
	if err != nil {
		return manifest.Artifact{}, err
	}
	digest, err := p.Code(ctx, of, into)
	if closing := into.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return manifest.Artifact{}, err
	}
	if declared := d.Spec["artifact"].(map[string]any)["digest"]; digest != declared {
		return manifest.Artifact{}, fmt.Errorf("it changed while it was read")
	}
	return keeper.Keep(ctx, file, digest)
}

// addPipeline makes the folder a repository by itself, where none is named
// and none is there. It begins by telling of drift, and reverts none.
func (i *importing) addPipeline(r *adopt.Result) error {
	if i.pipeline != nil {
		return nil
	}
	name := filepath.Join(i.to, manifest.PipelineFile)
	if _, err := os.Lstat(name); err == nil {
		i.pipeline, err = manifest.LoadPipeline(os.DirFS(i.to))
		return err
	}
	base := "imported"
	if abs, err := filepath.Abs(i.to); err == nil {
		base = pipelineName(filepath.Base(abs))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: %s}\nspec:\n  environments:\n    - name: %s\n      provider:\n        aws:\n", base, i.environment)
	for _, f := range [][2]string{
		{"region", i.target.Region}, {"account", i.target.Account}, {"endpoint", i.target.Endpoint}, {"roleArn", i.target.RoleArn}, {"externalId", i.target.ExternalID},
	} {
		if f[1] != "" {
			fmt.Fprintf(&b, "          %s: %q\n", f[0], f[1])
		}
	}
	b.WriteString("      drift: {response: alert} # what is imported is told of first; revert comes when you trust it\n")
	r.Files[manifest.PipelineFile] = []byte(b.String())
	return nil
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9-]+`)

func pipelineName(folder string) string {
	name := strings.Trim(notInName.ReplaceAllString(folder, "-"), "-0123456789")
	if name == "" {
		return "imported"
	}
	return name[:min(len(name), 32)]
}

// check holds the folder against what a repository accepts.
func (i *importing) check(dir string) error {
	pipeline := i.pipeline
	if pipeline == nil {
		var err error
		if pipeline, err = manifest.LoadPipeline(os.DirFS(dir)); err != nil {
			return fmt.Errorf("import: %w", err)
		}
	}
	e, ok := pipeline.Environment(i.environment)
	if !ok {
		return unknownEnvironment(i.environment, pipeline)
	}
	var loader manifest.Loader
	docs, err := loader.Load(os.DirFS(dir), manifest.LoadOptions{})
	if docs == nil {
		return fmt.Errorf("import: %w", err)
	}
	if _, err := manifest.Render(docs, pipeline, e.Name, "import"); err != nil {
		return fmt.Errorf("import: what was read makes no valid repository, and nothing was written:\n%w", err)
	}
	return nil
}
