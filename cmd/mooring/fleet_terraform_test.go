package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// refreshed is what one refresh by terraform took.
type refreshed struct {
	operations map[string]int
	took       time.Duration
}

// terraform imports the fleet into a state of the real terraform's and
// refreshes it once, with its own defaults; else it says why not.
func (f *fleet) terraform(t *testing.T) (refreshed, string) {
	t.Helper()
	path, err := exec.LookPath("terraform")
	plugin := terraformPlugin()
	if err != nil || plugin == "" {
		return refreshed{}, "\nterraform, or its AWS provider, is not on this machine: not asked.\n"
	}
	dir := t.TempDir()
	put := func(name string, content []byte) { check(t, os.WriteFile(filepath.Join(dir, name), content, 0o600)) }
	main, err := os.ReadFile(filepath.Join("testdata", "figures.tf"))
	check(t, err)
	code, err := os.ReadFile(filepath.Join(f.files.dir, "checkout-1.zip"))
	check(t, err)
	mappings, err := json.Marshal(f.mappings())
	check(t, err)
	put("main.tf", main)
	put("code.zip", code)
	put("mappings.json", mappings)
	put("terraform.rc", fmt.Appendf(nil, "provider_installation {\n  dev_overrides {\n    \"hashicorp/aws\" = %q\n  }\n}\n", plugin))
	run := func(args ...string) time.Duration {
		started := time.Now()
		cmd := exec.CommandContext(t.Context(), path, append([]string{"-chdir=" + dir}, args...)...)
		cmd.Env = append(foreignEnvironment(t, f.cloud.URL()), "AWS_ACCESS_KEY_ID=terraform", "AWS_SECRET_ACCESS_KEY=any", "TF_CLI_CONFIG_FILE="+filepath.Join(dir, "terraform.rc"),
			"TF_IN_AUTOMATION=1", "TF_INPUT=0", "CHECKPOINT_DISABLE=1", fmt.Sprintf("TF_VAR_size=%d", f.size), "TF_VAR_queues="+f.cloud.URL()+"/111111111111/")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("terraform %s: %v\n%.4000s", args[0], err, out)
		}
		return time.Since(started)
	}
	run("apply", "-auto-approve", "-no-color", "-parallelism=20")
	f.cloud.Reset()
	took := run("plan", "-refresh-only", "-no-color")
	return refreshed{maps.Clone(f.cloud.Counts().Operations), took}, ""
}

// beside is both tools' figures as Markdown.
func (f *fleet) beside(first, steady cost, refresh refreshed) string {
	lanes := map[string]int64{}
	for operation, n := range refresh.operations {
		lane, _, _ := strings.Cut(operation, ":")
		if operation == "lambda:GetFunction" || operation == "lambda:GetPolicy" {
			lane = operation // lanes of their own
		}
		lanes[lane] += int64(n)
	}
	total := func(of map[string]int64) (sum int64) {
		for _, n := range of {
			sum += n
		}
		return sum
	}
	var b strings.Builder
	b.WriteString("\n| lane | terraform: one refresh | Mooring: first look | Mooring: each minute |\n|---|---|---|---|\n")
	all := maps.Clone(first.calls)
	maps.Copy(all, lanes)
	for _, lane := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", lane, lanes[lane], first.calls[lane], steady.calls[lane])
	}
	fmt.Fprintf(&b, "| all | %d | %d | %d |\n| time here, s | %.1f | %.1f | %.2f |\n",
		total(lanes), total(first.calls), total(steady.calls), refresh.took.Seconds(), first.took.Seconds(), steady.took.Seconds())
	return b.String()
}

// mappings are the fleet's, by function.
func (f *fleet) mappings() map[string]string {
	out := map[string]string{}
	pages := lambda.NewListEventSourceMappingsPaginator(newHand(f.cloud).lambda, &lambda.ListEventSourceMappingsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(f.t.Context())
		check(f.t, err)
		for _, m := range page.EventSourceMappings {
			parts := strings.Split(awssdk.ToString(m.FunctionArn), ":")
			out[parts[6]] = awssdk.ToString(m.UUID)
		}
	}
	return out
}
