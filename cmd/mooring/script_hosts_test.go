package main

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/host/hosttest"
)

// TestHosts plays one story on every kind of host, through the real program:
// content is offered by a pull request, which shows plan, findings and status,
// is closed, reviewed while the host is away, merged and applied. They share a
// sandbox, and have a queue each: it is the host that differs.
func TestHosts(t *testing.T) {
	t.Parallel()
	box := newCloud(t, sandbox.Options{Rates: false})
	for kind := range hosttest.Kinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			runScripts(t, testscript.Params{Dir: filepath.Join("..", "..", "testdata", "scripts_hosts"), Setup: func(e *testscript.Env) error {
				e.Setenv("KIND", kind)
				e.Setenv("AWS_ENDPOINT_URL", box.URL())
				return nil
			}})
		})
	}
}
