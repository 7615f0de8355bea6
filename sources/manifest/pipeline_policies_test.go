package manifest

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

// Where policies may come from, and what is said of what makes no sense.
func TestPolicySources(t *testing.T) {
	const commit, digest = `"0123456789012345678901234567890123456789"`, `"sha256:0000000000000000000000000000000000000000000000000000000000000000"`
	for text, says := range map[string]string{
		"{}":                      "",
		"{path: governance/rego}": "",
		"{repo: https://git.example/p.git, commit: " + commit + "}":           "",
		"{repo: git@git.example:p.git, ref: main, path: rules}":               "",
		"{repo: ssh://git@git.example/p.git, ref: main}":                      "",
		"{repo: /srv/git/p.git, ref: release/1.x}":                            "",
		"{bundle: vendor/p.tar.gz, digest: " + digest + "}":                   "",
		"{bundle: \"file:p.tar.gz\", digest: " + digest + ", publicKey: PEM}": "",

		"{path: ../other}":                  "spec.policies.path",
		"{path: a/../../other}":             "stays inside the repository",
		"{repo: ../p.git, ref: main}":       "spec.policies.repo",
		"{repo: https://git.example/p.git}": "either commit or ref",
		"{repo: https://git.example/p.git, ref: main, commit: " + commit + "}":            "either commit or ref",
		"{repo: https://git.example/p.git, commit: \"0123456\"}":                          "whole commit id",
		"{repo: https://git.example/p.git, ref: main, bundle: x, digest: " + digest + "}": "stands beside repo",
		"{ref: main}":                                            "spec.policies.ref: needs repo",
		"{commit: " + commit + "}":                               "spec.policies.commit: needs repo",
		"{bundle: p.tar.gz}":                                     "needs digest",
		"{bundle: p.tar.gz, digest: sha256:1}":                   "spec.policies.digest",
		"{bundle: p.tar.gz, path: x, digest: " + digest + "}":    "taken whole",
		"{bundle: \"file:../p.tar.gz\", digest: " + digest + "}": "spec.policies.bundle",
		"{bundle: a/../../p.tar.gz, digest: " + digest + "}":     "stays inside the repository",
		"{bundle: s3://b/p.tar.gz, digest: " + digest + "}":      "spec.policies.bundle",
		"{digest: " + digest + "}":                               "spec.policies.digest: needs bundle",
		"{publicKey: PEM}":                                       "spec.policies.publicKey: needs bundle",
		"{pth: x}":                                               "path",
	} {
		t.Run(text, func(t *testing.T) {
			p, err := LoadPipeline(fstest.MapFS{PipelineFile: {Data: []byte("apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: shop}\nspec:\n  environments: [{name: prod, provider: {memory: {}}}]\n  policies: " + text + "\n")}})
			var faults Faults
			switch {
			case says == "" && err != nil:
				t.Error(err)
			case says == "" && (p.Policies == PolicySource{}) != (text == "{}"):
				t.Errorf("%+v", p.Policies)
			case says != "" && (!errors.As(err, &faults) || !strings.Contains(err.Error(), says) || faults[0].Position.Line != 6):
				t.Errorf("%v", err)
			}
		})
	}
}
