package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// terraformPlugin is the folder of terraform's AWS provider on this machine;
// "" if it is nowhere. Nothing is downloaded.
func terraformPlugin() string {
	home, _ := os.UserHomeDir() // without a home that place is empty
	for _, root := range []string{
		os.Getenv("TF_PLUGIN_CACHE_DIR"), filepath.Join(home, ".terraform.d", "plugins"),
		"/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt/*",
	} {
		pattern := filepath.Join(root, "registry.terraform.io", "hashicorp", "aws", "*", runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-aws_*")
		if found, _ := filepath.Glob(pattern); root != "" && len(found) > 0 { // the pattern is well formed
			return filepath.Dir(found[len(found)-1])
		}
	}
	return ""
}

// terraformApply makes the fleet with the real terraform.
func (a *account) terraformApply() {
	a.t.Helper()
	needWitness(a.t, "terraform")
	plugin := terraformPlugin()
	if plugin == "" && os.Getenv("CI") == "true" {
		a.t.Fatal("the AWS provider of terraform is nowhere, and this is CI")
	} else if plugin == "" {
		a.t.Skip("the AWS provider of terraform is in none of its plugin folders")
	}
	dir := a.t.TempDir()
	fleet, err := os.ReadFile(filepath.Join("testdata", "fleet.tf"))
	check(a.t, err)
	check(a.t, os.WriteFile(filepath.Join(dir, "main.tf"), fleet, 0o600))
	check(a.t, os.WriteFile(filepath.Join(dir, "package.zip"), a.code, 0o600))
	settings := fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"hashicorp/aws\" = %q\n  }\n}\n", plugin)
	check(a.t, os.WriteFile(filepath.Join(dir, "terraform.rc"), []byte(settings), 0o600))
	cmd := exec.CommandContext(a.t.Context(), "terraform", "-chdir="+dir, "apply", "-auto-approve", "-no-color", "-parallelism=30")
	cmd.Env = append(a.environment, "TF_CLI_CONFIG_FILE="+filepath.Join(dir, "terraform.rc"), "TF_IN_AUTOMATION=1", "TF_INPUT=0",
		"CHECKPOINT_DISABLE=1", "TF_VAR_package="+filepath.Join(dir, "package.zip"))
	if out, err := cmd.CombinedOutput(); err != nil {
		a.t.Fatalf("terraform apply: %v\n%s", err, out)
	}
}

// terraformed is what terraform made of fleet.tf, as it is declared.
var terraformed = []string{
	"Alarm/shop-checkout-errors", "Api/shop", "Bucket/shop-uploads", "Function/shop-checkout", "Function/shop-mailer", "Function/shop-report",
	"Layer/shop-money", "LogGroup/shop/access", "Role/shop-caller", "Role/shop-checkout", "Role/shop-mailer", "Role/shop-report",
	"Rule/shop-nightly", "Rule/shop-paid", "Schedule/shop-report", "Table/shop-orders", "Topic/shop-news", "Workflow/shop-fulfil",
}

// TestImportOfATerraformFleet: what the real terraform made is listed as its,
// and taken when it is named; the plan right after is empty.
func TestImportOfATerraformFleet(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.makeQueue("orders", map[string]string{"VisibilityTimeout": "60"})
	a.terraformApply()
	dir := filepath.Join(t.TempDir(), "shop")
	out, code := a.mooring("import", "--to", dir, "--all")
	for _, ref := range terraformed {
		if untagged := ref == "Schedule/shop-report" || ref == "Layer/shop-money"; code != exitDone || !untagged && !strings.Contains(out, strings.Replace(ref, "LogGroup/", "LogGroup//", 1)+" ") {
			t.Errorf("%s is not listed as terraform's, exit %d: %s", ref, code, out)
		}
	}
	if p := a.plan(dir); p.Outcome != "in_sync" {
		t.Errorf("what is not terraform's is imported, and the plan is %s: %+v", p.Outcome, p.Steps)
	}

	dir = filepath.Join(t.TempDir(), "taken")
	artifacts := filepath.Join(t.TempDir(), "code")
	if out, code := a.mooring("import", "--to", dir, "--all", "--take", "terraform", "--artifacts", "file:"+artifacts); code != exitDone {
		t.Fatalf("import: exit %d: %s", code, out)
	}
	p := a.plan(dir, "--artifacts", artifacts)
	if p.Outcome != "in_sync" || len(p.Steps) > 0 {
		t.Errorf("the plan right after is %s: %+v", p.Outcome, p.Steps)
	}
	for _, ref := range terraformed {
		if ref != "Layer/shop-money" && !slices.Contains(p.Adopt, ref) { // layers take no tags
			t.Errorf("%s is not adopted: %v", ref, p.Adopt)
		}
	}
	report, err := os.ReadFile(filepath.Join(dir, "IMPORT.md"))
	check(t, err)
	if !strings.Contains(string(report), "terraform state rm") {
		t.Errorf("IMPORT.md does not say how terraform lets go: %s", report)
	}
	if _, err := os.Stat(filepath.Join(dir, "shop", "shop-checkout.yaml")); err != nil {
		t.Errorf("the fleet is not in a folder by its name: %v", err)
	}
}
