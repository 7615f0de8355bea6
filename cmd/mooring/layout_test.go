package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is this module's path.
const module = "mooring.dev/"

// topLevel is everything that may stand beside the dot-files.
var topLevel = []string{
	"Dockerfile", "LICENSE", "Makefile", "README.md", "charts", "cmd", "docs", "go.mod", "go.sum",
	"policy", "providers", "reconciler", "sources", "testdata",
}

// mayImport is the import table of the house: package (or, ending in "/…", a
// subtree) to what of ours it may import. What is not listed may import
// nothing of ours, and a package that is not listed at all is refused. Tests
// are exempt.
var mayImport = map[string][]string{
	"sources":                        {},
	"sources/manifest":               {"sources/window"},
	"sources/window":                 {},
	"sources/reread":                 {},
	"sources/git":                    {"sources", "sources/manifest", "sources/reread"},
	"sources/dir":                    {"sources", "sources/manifest"},
	"sources/evidence":               {"sources", "sources/manifest"},
	"sources/signature":              {"sources", "sources/manifest"},
	"sources/graft":                  {"sources", "sources/manifest"},
	"sources/adopt":                  {"sources/manifest"},
	"sources/amend":                  {"sources/manifest"},
	"sources/adopt/template":         {"sources/adopt", "sources/manifest"},
	"sources/adopt/tool":             {"sources/adopt", "sources/adopt/template", "sources/manifest"},
	"sources/artifact":               {"sources", "sources/manifest"},
	"sources/host":                   {"sources"},
	"sources/host/hosttest":          {},
	"sources/sourcetest":             {"sources", "sources/manifest"},
	"providers":                      {"sources/manifest"},
	"providers/crew":                 {},
	"providers/memory":               {"providers", "sources/manifest"},
	"providers/readonly":             {"providers", "sources/manifest"},
	"providers/providertest":         {"providers", "providers/crew", "sources/manifest"},
	"providers/aws":                  {"providers", "sources/manifest", "sources/artifact", "providers/crew", "providers/aws/…"},
	"providers/aws/quota":            {"providers", "sources/manifest"},
	"providers/aws/rights":           {"sources/manifest"},
	"providers/aws/sandbox/…":        {"providers/aws/sandbox/…"},
	"policy":                         {},
	"policy/rego":                    {"policy", "sources/manifest"},
	"policy/rego/worker":             {"policy", "policy/rego"},
	"reconciler/record":              {"providers", "sources/manifest"},
	"reconciler/rollout/analysis":    {"providers", "sources/manifest"},
	"reconciler/rollout":             {"reconciler/record", "reconciler/rollout/analysis", "providers", "sources/manifest"},
	"reconciler/plan":                {"reconciler/record", "reconciler/rollout", "providers", "sources/manifest"},
	"reconciler/promote":             {"reconciler/record", "reconciler/rollout", "sources", "sources/manifest"},
	"reconciler/journal":             {"reconciler/record", "reconciler/rollout", "policy", "providers", "sources/manifest"},
	"reconciler/journal/bolt":        {"reconciler/journal", "reconciler/record", "reconciler/rollout", "sources/manifest"},
	"reconciler/journal/journaltest": {"reconciler/journal", "reconciler/record", "reconciler/rollout", "reconciler/rollout/analysis", "providers", "sources/manifest"},
	"reconciler/egress":              {},
	"reconciler/notify":              {"reconciler/egress"},
	"reconciler/measure":             {"reconciler/egress"},
	"reconciler/notify/amazon":       {"reconciler/notify"},
	"reconciler/diagnose":            {"providers", "sources/manifest"},
	"reconciler/access":              {},
	"reconciler/identity":            {"reconciler/access", "reconciler/egress", "sources/manifest"},
	"reconciler/identity/issuertest": {},
	"reconciler/approve":             {"reconciler/access", "reconciler/record", "sources/manifest"},
	"reconciler/trace":               {},
	"reconciler/trace/otlp":          {"reconciler/trace"},
	"reconciler/trace/collector":     {},
	"reconciler/web/browsertest":     {},
	"reconciler/web":                 {"reconciler/access", "reconciler/journal", "reconciler/record", "reconciler/plan", "reconciler/rollout", "policy", "providers", "sources/manifest"},
	"reconciler": {"sources", "sources/amend", "sources/manifest", "providers", "providers/crew", "policy", "reconciler/access", "reconciler/approve", "reconciler/record", "reconciler/plan",
		"reconciler/rollout", "reconciler/promote", "reconciler/journal", "reconciler/measure", "reconciler/notify", "reconciler/trace", "reconciler/web"},
	"cmd/…": {"…"},
}

// onlyIn says where a third-party module may be imported. A module that is
// not listed may be imported nowhere.
var onlyIn = map[string][]string{
	"github.com/go-git/":                                {"sources/git"},
	"github.com/open-policy-agent/opa":                  {"policy/rego"},
	"github.com/aws/":                                   {"providers/aws", "providers/aws/quota", "sources/artifact", "reconciler/notify/amazon", "cmd/mooring", "cmd/mooring/demo"},
	"github.com/secure-systems-lab/go-securesystemslib": {"sources/evidence"},
	"github.com/hiddeco/sshsig":                         {"sources/signature", "sources/git"},
	"github.com/ProtonMail/go-crypto":                   {"sources/signature"},
	"github.com/fsnotify/fsnotify":                      {"sources/git", "sources/dir"},
	"github.com/coreos/go-oidc/v3":                      {"reconciler/identity", "reconciler/identity/issuertest"},
	"golang.org/x/oauth2":                               {"reconciler/identity"},
	"github.com/prometheus/client_golang":               {"reconciler/web"},
	"github.com/spf13/":                                 {"cmd/mooring"},
	"go.etcd.io/bbolt":                                  {"reconciler/journal/bolt"},
	"go.opentelemetry.io/":                              {"reconciler/trace/otlp", "reconciler/trace/collector"},
	"google.golang.org/protobuf":                        {"reconciler/trace/collector"},
	"go.uber.org/zap":                                   {"reconciler", "cmd/mooring"},
	"go.yaml.in/yaml/v4":                                {"sources/manifest", "sources/amend", "sources/adopt/template", "cmd/mooring", "policy/rego"},
	"golang.org/x/sync":                                 {"reconciler", "providers/crew", "sources/git", "cmd/mooring"},
	"golang.org/x/time":                                 {"providers/aws", "providers/aws/quota"},
	"golang.org/x/sys":                                  {"cmd/mooring"},
	"golang.org/x/crypto":                               {"sources/git", "sources/signature"},
	"github.com/google/go-github/v92":                   {"sources/host"},
	"gitlab.com/gitlab-org/api/client-go/v2":            {"sources/host"},
	"code.gitea.io/sdk/gitea":                           {"sources/host"},
	"github.com/hashicorp/awspolicyequivalence":         {"providers/aws"},
	"oras.land/oras-go/v2":                              {"sources/artifact"},
	"github.com/santhosh-tekuri/jsonschema/v6":          {"policy/rego", "sources/manifest"},
}

// pure packages import nothing that touches the world, and read no clock.
var pure = []string{"sources/manifest", "sources/window", "sources/adopt", "sources/adopt/template", "sources/adopt/tool", "sources/amend", "providers/aws/rights", "reconciler/record", "reconciler/plan", "reconciler/rollout", "reconciler/rollout/analysis", "reconciler/promote", "reconciler/diagnose"}

var impure = []string{"context", "log", "log/slog", "os", "net", "net/http", "sync", "sync/atomic", "math/rand", "math/rand/v2", "crypto/rand"}

type listed struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
	Standard   bool
}

// TestLayout holds the tree and every import against the tables above.
func TestLayout(t *testing.T) {
	root := moduleRoot(t)
	t.Run("top level", func(t *testing.T) { checkTopLevel(t, root) })
	for _, p := range listPackages(t, root) {
		pkg := strings.TrimPrefix(p.ImportPath, module)
		t.Run(pkg, func(t *testing.T) {
			checkImports(t, pkg, p.Imports)
			if slices.Contains(pure, pkg) {
				checkPure(t, p)
			}
		})
	}
}

func checkTopLevel(t *testing.T, root string) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && e.Name() != "bin" && !slices.Contains(topLevel, e.Name()) {
			t.Errorf("%s stands at the top level; only %s may", e.Name(), strings.Join(topLevel, ", "))
		}
	}
}

func checkImports(t *testing.T, pkg string, imports []string) {
	allowed, ok := lookup(pkg)
	if !ok {
		t.Fatalf("package %s is not in the import table: give it a row, or a better place", pkg)
	}
	for _, imp := range imports {
		ours, isOurs := strings.CutPrefix(imp, module)
		switch {
		case isOurs:
			if !slices.ContainsFunc(allowed, func(a string) bool { return matches(a, ours) }) {
				t.Errorf("%s may not import %s", pkg, ours)
			}
		case strings.Contains(strings.SplitN(imp, "/", 2)[0], "."):
			if !thirdPartyAllowed(pkg, imp) {
				t.Errorf("%s may not import %s", pkg, imp)
			}
		}
	}
}

func lookup(pkg string) ([]string, bool) {
	if allowed, ok := mayImport[pkg]; ok {
		return allowed, true
	}
	for pattern, allowed := range mayImport {
		if strings.HasSuffix(pattern, "/…") && matches(pattern, pkg) {
			return allowed, true
		}
	}
	return nil, false
}

func matches(pattern, pkg string) bool {
	prefix, isTree := strings.CutSuffix(pattern, "…")
	if !isTree {
		return pattern == pkg
	}
	return strings.HasPrefix(pkg+"/", prefix)
}

func thirdPartyAllowed(pkg, imp string) bool {
	for prefix, places := range onlyIn {
		if strings.HasPrefix(imp, prefix) && slices.Contains(places, pkg) {
			return true
		}
	}
	return false
}

func checkPure(t *testing.T, p listed) {
	for _, imp := range p.Imports {
		if slices.Contains(impure, imp) {
			t.Errorf("pure package imports %s", imp)
		}
	}
	for _, name := range p.GoFiles {
		src, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, clock := range []string{"time.Now(", "time.Since(", "time.Until(", "time.After(", "time.NewTimer("} {
			if strings.Contains(string(src), clock) {
				t.Errorf("%s reads a clock: %s…)", name, clock)
			}
		}
	}
}

func listPackages(t *testing.T, root string) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Imports,GoFiles,Standard", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(p.ImportPath, "/testdata/") {
			pkgs = append(pkgs, p)
		}
	}
	if len(pkgs) < 10 {
		t.Fatalf("go list found only %d packages", len(pkgs))
	}
	return pkgs
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		t.Fatal("no go.mod above")
	}
}
