package main

import (
	"context"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

func (a *asking) status(ctx context.Context) (s web.Status, err error) {
	return s, a.get(ctx, "/api/v1/status", &s)
}

// environments of the daemon; of the repository where none answers, or where
// the line names a working folder.
func (a *asking) environments(ctx context.Context) []string {
	var out []string
	if s, err := a.status(ctx); err == nil && !a.cmd.Flags().Changed("path") {
		for _, e := range s.Environments {
			out = append(out, e.Name+"\t"+strings.TrimSpace(e.State+" "+short(e.Commit)))
		}
		return out
	}
	if p, _, done := a.declared(ctx); p != nil {
		defer done()
		for _, e := range p.Environments {
			out = append(out, e.Name+"\tbranch "+e.Branch)
		}
	}
	return out
}

// within are the environments meant: the one named, or all.
func (a *asking) within(ctx context.Context) (out []web.EnvironmentStatus) {
	s, err := a.status(ctx)
	if err != nil {
		return nil
	}
	for _, e := range s.Environments {
		if a.environment == "" || a.environment == e.Name {
			out = append(out, e)
		}
	}
	return out
}

func (a *asking) resources(ctx context.Context) []string {
	var out []string
	for _, e := range a.within(ctx) {
		var page struct {
			Resources []web.ResourceStatus `json:"resources"`
		}
		if a.get(ctx, "/api/v1/environments/"+url.PathEscape(e.Name)+"/resources?limit=1000", &page) != nil {
			continue
		}
		for _, r := range page.Resources {
			out = append(out, r.Resource+"\t"+r.State+" in "+e.Name)
		}
	}
	if out != nil {
		return out
	}
	p, at, done := a.declared(ctx)
	if p == nil {
		return nil
	}
	defer done()
	for _, e := range p.Environments {
		if a.environment != "" && a.environment != e.Name {
			continue
		}
		release, err := at(e)
		if err != nil || release == nil {
			continue
		}
		for _, r := range release.Resources {
			out = append(out, r.Ref.String()+"\tdeclared in "+e.Name)
		}
	}
	return out
}

func (a *asking) holds(ctx context.Context) (out []string) {
	for _, e := range a.within(ctx) {
		for _, h := range e.Holds {
			out = append(out, h.ID+"\t"+inOneLine(e.Name+", "+h.Kind+": "+h.Reason))
		}
	}
	return out
}

func (a *asking) releases(ctx context.Context) (out []string) {
	for _, e := range a.within(ctx) {
		var all []web.Rollout
		if a.get(ctx, "/api/v1/environments/"+url.PathEscape(e.Name)+"/rollouts?limit=50", &all) != nil {
			continue
		}
		for _, r := range all {
			if r.Release.Commit != "" && r.NoReturn == "" {
				out = append(out, short(r.Release.Commit)+"\t"+e.Name+", "+r.Outcome+" "+r.Began.Local().Format("2006-01-02 15:04"))
			}
		}
	}
	return out
}

func (a *asking) contents(ctx context.Context) (out []string) {
	s, err := a.status(ctx)
	if err != nil {
		return nil
	}
	for _, e := range s.Environments {
		if e.Content != "" && e.Name != a.environment {
			out = append(out, short(e.Content)+"\tin "+e.Name)
		}
	}
	return out
}

// decisionsBack is how far back decisions are offered.
const decisionsBack = 24 * time.Hour

func (a *asking) decisions(ctx context.Context) (out []string) {
	v := url.Values{"since": {time.Now().Add(-decisionsBack).UTC().Format(time.RFC3339)}}
	if a.environment != "" {
		v.Set("environment", a.environment)
	}
	var page web.DecisionPage
	if a.get(ctx, "/api/v1/decisions?"+v.Encode(), &page) != nil {
		return nil
	}
	for _, d := range slices.Backward(page.Decisions) {
		if r, err := readRecord([]byte(d.Line)); err == nil {
			out = append(out, r.ID+"\t"+strings.TrimSpace(d.Environment+" "+strings.TrimPrefix(r.Path, "policy/")+": "+string(r.Result.Outcome)))
		}
	}
	return out
}

func (a *asking) explainable(ctx context.Context) []string {
	return append(a.resources(ctx), a.decisions(ctx)...)
}

func (a *asking) receivers(ctx context.Context) []string {
	if s, err := a.status(ctx); err == nil {
		return s.Receivers
	}
	p, _, done := a.declared(ctx)
	if p == nil {
		return nil
	}
	defer done()
	return sortedNames(p.Receivers)
}

// differences are what drift there is, as drift shows it.
func (a *asking) differences(ctx context.Context) (out []string) {
	for _, e := range a.within(ctx) {
		var d web.Drift
		if a.get(ctx, "/api/v1/environments/"+url.PathEscape(e.Name)+"/drift", &d) != nil {
			continue
		}
		for _, it := range d.Items {
			out = append(out, it.ID+"\t"+inOneLine(strings.TrimSpace(e.Name+", "+it.Resource+" "+it.Path)+" "+string(it.Kind)))
		}
	}
	return out
}

func (a *asking) points(context.Context) (out []string) {
	for _, p := range points {
		out = append(out, string(p))
	}
	return out
}

// tokens are the owners of those that are good, of the state folder.
func (a *asking) tokens(context.Context) (out []string) {
	all, err := readTokens(a.state)
	if err != nil {
		return nil
	}
	for _, t := range all {
		if t.Revoked.IsZero() {
			out = append(out, t.Name+"\t"+t.ID)
		}
	}
	return out
}

// checks of an environment, after its name.
func (a *asking) checks(ctx context.Context) (out []string) {
	if len(a.args) == 0 {
		return a.environments(ctx)
	}
	a.environment = a.args[0]
	for _, e := range a.within(ctx) {
		for _, c := range e.Checks {
			out = append(out, c.Name+"\tof "+e.Name)
		}
	}
	return out
}

func (a *asking) kinds(context.Context) (out []string) {
	for _, k := range manifest.Kinds() {
		out = append(out, k.Name+"\t"+k.Summary)
	}
	return out
}

// declared reads what the repository or folder that the line names declares;
// nil where it names none or it cannot be read in time.
func (a *asking) declared(ctx context.Context) (*manifest.Pipeline, func(manifest.Environment) (*manifest.Release, error), func()) {
	var r reading
	of := &cobra.Command{}
	r.flags(of)
	given := map[string]string{"repo": os.Getenv("MOORING_REPO"), "path": os.Getenv("MOORING_PATH"), "control": os.Getenv("MOORING_CONTROL")}
	a.cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed {
			given[f.Name] = f.Value.String()
		}
	})
	of.Flags().VisitAll(func(f *pflag.Flag) {
		if value := given[f.Name]; value != "" && f.Name != "environment" && f.Name != "output" {
			_ = of.Flags().Set(f.Name, value) // taken by the same flag before
		}
	})
	control, at, done, err := r.trees(ctx)
	if err != nil {
		return nil, nil, nil
	}
	p, err := manifest.LoadPipeline(control.Tree)
	if p == nil || err != nil {
		done()
		return nil, nil, nil
	}
	return p, func(e manifest.Environment) (*manifest.Release, error) {
		snap, err := at(e)
		if err != nil {
			return nil, err
		}
		return render(snap, p, e)
	}, done
}
