package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"mooring.dev/reconciler/diagnose"
	"mooring.dev/sources/host/hosttest"
	"mooring.dev/sources/manifest"
)

// The doctor asks the host what the token may do, and writes nothing there.
func TestDoctorLooksAtTheHost(t *testing.T) {
	operations, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "operations.md"))
	check(t, err)
	for name, c := range map[string]struct {
		token string
		make  func(r *hosttest.Repository)
		want  []string
	}{
		"all is well":        {hosttest.Token, func(r *hosttest.Repository) { r.Protect("env/production") }, nil},
		"the token is wrong": {"s3cret-of-another", func(*hosttest.Repository) {}, []string{"fault host: acme/shop is not shown"}},
		"there is no token":  {"", func(*hosttest.Repository) {}, []string{"fault host: WARD_TOKEN"}},
		"it may only read":   {hosttest.Token, func(r *hosttest.Repository) { r.ReadOnly = true; r.Protect("env/production") }, []string{"fault host-rights: may not write"}},
		"anybody may push":   {hosttest.Token, func(*hosttest.Repository) {}, []string{"warning host-branch: can push to env/production"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("WARD_TOKEN", c.token)
			t.Setenv("WARD_HOOK", "s3cret")
			r := hosttest.New(func(string) string { return strings.Repeat("a", 40) })
			server := r.GitHub()
			defer server.Close()
			c.make(r)
			text := fmt.Sprintf("apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: shop}\nspec:\n  host: {github: {repository: acme/shop, endpoint: %q, token: {fromEnv: WARD_TOKEN}, webhookSecret: {fromEnv: WARD_HOOK}}}\n"+
				"  environments: [{name: production, promotion: pullRequest, provider: {memory: {}}}]\n", server.URL)
			p, err := manifest.LoadPipeline(fstest.MapFS{manifest.PipelineFile: {Data: []byte(text)}})
			check(t, err)
			var got []string
			for _, c := range diagnose.OfHost((&doctoring{}).host(t.Context(), p)) {
				if c.Result == diagnose.Fault || c.Result == diagnose.Warning {
					got = append(got, fmt.Sprintf("%s %s: %s", c.Result, c.Name, c.Found))
				}
				if strings.Contains(c.Found+c.Remedy, "s3cret") || strings.Contains(c.Found+c.Remedy, hosttest.Token) {
					t.Errorf("%s tells a secret: %s %s", c.Name, c.Found, c.Remedy)
				}
				if !strings.Contains(string(operations), "`"+c.Name+"`") {
					t.Errorf("the check %s is not documented", c.Name)
				}
			}
			if !slices.EqualFunc(got, c.want, says) {
				t.Errorf("found %q, want %q", got, c.want)
			}
			if len(r.Statuses()) != 0 || len(r.Pulls()) != 0 {
				t.Error("something was written")
			}
		})
	}
}
