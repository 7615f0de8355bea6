package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"mooring.dev/sources"
	"mooring.dev/sources/host/hosttest"
	"mooring.dev/sources/manifest"
)

// A host whose certificate nobody signed whom this machine trusts is reached
// with --ca-file, by whatever kind it is, and refused without or with another's;
// the error says which flag it is.
func TestTheHostIsReachedByCAFile(t *testing.T) {
	t.Setenv("HOST_TOKEN", hosttest.Token)
	ours, theirs := filepath.Join(t.TempDir(), "ours.pem"), filepath.Join(t.TempDir(), "theirs.pem")
	another, _ := pairOf(t, "another", time.Now().Add(time.Hour))
	check(t, os.WriteFile(theirs, another, 0o600))
	for name, kind := range hosttest.Kinds() {
		plain := kind.Serve(hosttest.New(func(string) string { return strings.Repeat("a", 40) }))
		server, authority := hosttest.Secure(plain)
		defer plain.Close()
		defer server.Close()
		check(t, os.WriteFile(ours, authority, 0o600))
		text := "apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: shop}\nspec:\n  host: {" + kind.Spec + "repository: acme/shop, endpoint: '" + server.URL + "', token: {fromEnv: HOST_TOKEN}}}\n  environments: [{name: production, provider: {memory: {}}}]\n"
		p, err := manifest.LoadPipeline(fstest.MapFS{manifest.PipelineFile: {Data: []byte(text)}})
		check(t, err)
		for file, want := range map[string]string{ours: "", theirs: "--ca-file", "": "--ca-file", ours + ".not": "--ca-file"} {
			got := (&doctoring{runFlags: runFlags{place: place{caFile: file}}}).host(t.Context(), p)
			switch {
			case want == "":
				if got.Err != nil || len(got.Branches) != 1 || got.Branches[0].Err != nil {
					t.Errorf("%s, with its authority: %+v", name, got)
				}
			case !errors.Is(got.Err, sources.ErrUnreachable) || !strings.Contains(got.Err.Error(), want):
				t.Errorf("%s, with %q: %v", name, filepath.Base(file), got.Err)
			}
		}
	}
}
