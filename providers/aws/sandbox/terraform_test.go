package sandbox_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	tagtypes "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers/aws/sandbox"
)

// terraform is the real one with the real AWS provider, in a folder of its own.
type terraform struct {
	t           *testing.T
	path        string
	dir         string
	environment []string
}

// newTerraform finds terraform and its AWS provider on this machine; nothing
// is downloaded. stack is a file of testdata/terraform. The provider runs where it lies (dev_overrides), so there is
// no init.
func newTerraform(t *testing.T, s *sandbox.Sandbox, stack string) terraform {
	t.Helper()
	path := onPath(t, "terraform")
	plugin := awsPlugin()
	if plugin == "" {
		lacks(t, "the AWS provider of terraform is in none of its plugin folders")
	}
	dir := t.TempDir()
	quoted := string(must(json.Marshal(plugin))(t))
	settings := "provider_installation {\n  dev_overrides {\n    \"hashicorp/aws\" = " + quoted + "\n  }\n}\n"
	write(t, filepath.Join(dir, "terraform.rc"), []byte(settings))
	write(t, filepath.Join(dir, "main.tf"), must(os.ReadFile(filepath.Join("testdata", "terraform", stack)))(t))
	inherited := slices.DeleteFunc(environment(t, s, "terraform"), func(v string) bool { return strings.HasPrefix(v, "TF_") })
	return terraform{t: t, path: path, dir: dir, environment: append(inherited,
		"TF_CLI_CONFIG_FILE="+filepath.Join(dir, "terraform.rc"), "TF_DATA_DIR="+filepath.Join(dir, "data"),
		"TF_IN_AUTOMATION=1", "TF_INPUT=0", "CHECKPOINT_DISABLE=1")}
}

// awsPlugin is the folder of the AWS provider's program in one of the places
// terraform keeps plugins, in a mirror its settings name, or below /opt; "" if
// it is nowhere.
func awsPlugin() string {
	home, _ := os.UserHomeDir() // without a home that place is empty
	data := cmp.Or(os.Getenv("XDG_DATA_HOME"), filepath.Join(home, ".local", "share"))
	roots := []string{
		os.Getenv("TF_PLUGIN_CACHE_DIR"), filepath.Join(home, ".terraform.d", "plugins"), filepath.Join(data, "terraform", "plugins"),
		"/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt/*",
	}
	settings := cmp.Or(os.Getenv("TF_CLI_CONFIG_FILE"), filepath.Join(home, ".terraformrc"))
	if text, err := os.ReadFile(settings); err == nil {
		for _, m := range regexp.MustCompile(`(?m)^\s*path\s*=\s*"([^"]+)"`).FindAllSubmatch(text, -1) {
			roots = append([]string{string(m[1])}, roots...)
		}
	}
	for _, root := range roots {
		pattern := filepath.Join(root, "registry.terraform.io", "hashicorp", "aws", "*", runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-aws_*")
		if found, _ := filepath.Glob(pattern); root != "" && len(found) > 0 { // the pattern is well formed
			return filepath.Dir(found[len(found)-1])
		}
	}
	return ""
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs a command over the stack with these variables; code is its exit
// code.
func (f terraform) run(variables map[string]string, args ...string) (output string, code int) {
	f.t.Helper()
	started := time.Now()
	command := exec.CommandContext(f.t.Context(), f.path, append([]string{"-chdir=" + f.dir}, args...)...)
	command.Args = append(command.Args, "-no-color", "-parallelism=30")
	command.Env = f.environment
	for name, value := range variables {
		command.Env = append(command.Env, "TF_VAR_"+name+"="+value)
	}
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		f.t.Fatal(err)
	}
	f.t.Logf("terraform %s: %d after %.1f s", args[0], command.ProcessState.ExitCode(), time.Since(started).Seconds())
	return out.String(), command.ProcessState.ExitCode()
}

// settle applies the stack; the plan after it must be empty.
func (f terraform) settle(variables map[string]string) {
	f.t.Helper()
	if out, code := f.run(variables, "apply", "-auto-approve"); code != 0 {
		f.t.Fatalf("apply: %s", out)
	}
	if out, code := f.run(variables, "plan", "-detailed-exitcode"); code != 0 {
		f.t.Fatalf("the plan right after an apply is not empty (exit %d): %s", code, out)
	}
}

// reply is what the stack's function says of itself.
type reply struct {
	Colour, Version string
	Edition         int
}

func ask(t *testing.T, c *lambda.Client, qualifier string) reply {
	t.Helper()
	out := must(c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("orders"), Qualifier: &qualifier}))(t)
	var r reply
	if err := json.Unmarshal(out.Payload, &r); err != nil || out.FunctionError != nil {
		t.Fatalf("orders:%s answered %s", qualifier, out.Payload)
	}
	return r
}

func TestTerraformHoldsAStack(t *testing.T) {
	if testing.Short() {
		t.Skip("the provider waits 25 seconds for each queue")
	}
	t.Parallel()
	s := start(t, sandbox.Options{Updating: 100 * time.Millisecond})
	f := newTerraform(t, s, "main.tf")
	source := string(must(os.ReadFile("testdata/terraform/orders.py"))(t))
	first, second := filepath.Join(f.dir, "first.zip"), filepath.Join(f.dir, "second.zip")
	write(t, first, zipped(t, "orders.py", source))
	write(t, second, zipped(t, "orders.py", strings.ReplaceAll(source, "EDITION = 1", "EDITION = 2")))
	c := lambda.NewFromConfig(as(s, "alice"))

	f.settle(map[string]string{"colour": "blue", "memory": "256", "package": first})
	if got, want := ask(t, c, "live"), (reply{Colour: "blue", Version: "1", Edition: 1}); got != want {
		t.Errorf("live is %v, want %v", got, want)
	}
	if arns := ofStack(t, s); len(arns) < 10 {
		t.Errorf("the stack's tag is only on %v", arns)
	}

	changed := map[string]string{"colour": "green", "memory": "512", "package": second}
	f.settle(changed)
	for version, want := range map[string]reply{"1": {"blue", "1", 1}, "2": {"green", "2", 2}} {
		if got := ask(t, c, version); got != want {
			t.Errorf("version %s is %v, want %v", version, got, want)
		}
	}
	alias := must(c.GetAlias(t.Context(), &lambda.GetAliasInput{FunctionName: aws.String("orders"), Name: aws.String("live")}))(t)
	if *alias.FunctionVersion != "1" || alias.RoutingConfig.AdditionalVersionWeights["2"] != 0.1 {
		t.Errorf("live is %s with %v", *alias.FunctionVersion, alias.RoutingConfig)
	}

	if out, code := f.run(changed, "destroy", "-auto-approve"); code != 0 {
		t.Fatalf("destroy: %s", out)
	}
	nothingIsLeft(t, s)
	nothingWasLacking(t, s)
}

// TestTerraformHoldsWhatStandsAround: tables, streams, workflows, APIs, log
// filters and notifications are made, changed and taken away, and each plan
// right after is empty.
func TestTerraformHoldsWhatStandsAround(t *testing.T) {
	if testing.Short() {
		t.Skip("the provider waits 25 seconds for a queue")
	}
	t.Parallel()
	s := start(t, sandbox.Options{})
	f := newTerraform(t, s, "around.tf")
	for _, step := range []string{"one", "two"} {
		f.settle(map[string]string{"step": step})
	}
	if arns := ofStack(t, s); len(arns) < 7 {
		t.Errorf("the stack's tag is only on %v", arns)
	}
	if out, code := f.run(map[string]string{"step": "two"}, "destroy", "-auto-approve"); code != 0 {
		t.Fatalf("destroy: %s", out)
	}
	nothingIsLeft(t, s)
	nothingWasLacking(t, s)
}

func nothingWasLacking(t *testing.T, s *sandbox.Sandbox) {
	t.Helper()
	for _, call := range s.Calls(time.Time{}) {
		if call.ErrorCode == "UnknownOperationException" {
			t.Errorf("terraform asked for %s of %s, which the sandbox lacks", call.Operation, call.Service)
		}
	}
}

// ofStack are the ARNs that carry the stack's tag.
func ofStack(t *testing.T, s *sandbox.Sandbox) (arns []string) {
	t.Helper()
	out := must(resourcegroupstaggingapi.NewFromConfig(as(s, "alice")).GetResources(t.Context(), &resourcegroupstaggingapi.GetResourcesInput{
		TagFilters: []tagtypes.TagFilter{{Key: aws.String("stack"), Values: []string{"terraform"}}},
	}))(t)
	for _, m := range out.ResourceTagMappingList {
		arns = append(arns, *m.ResourceARN)
	}
	return arns
}

func nothingIsLeft(t *testing.T, s *sandbox.Sandbox) {
	t.Helper()
	cfg := as(s, "alice")
	if arns := ofStack(t, s); len(arns) > 0 {
		t.Errorf("tagged resources are left: %v", arns)
	}
	if out := must(lambda.NewFromConfig(cfg).ListFunctions(t.Context(), nil))(t); len(out.Functions) > 0 {
		t.Errorf("%d functions are left", len(out.Functions))
	}
	if out := must(lambda.NewFromConfig(cfg).ListEventSourceMappings(t.Context(), nil))(t); len(out.EventSourceMappings) > 0 {
		t.Errorf("%d mappings are left", len(out.EventSourceMappings))
	}
	if out := must(iam.NewFromConfig(cfg).ListRoles(t.Context(), nil))(t); len(out.Roles) > 0 {
		t.Errorf("%d roles are left", len(out.Roles))
	}
	if out := must(sqs.NewFromConfig(cfg).ListQueues(t.Context(), nil))(t); len(out.QueueUrls) > 0 {
		t.Errorf("%v are left", out.QueueUrls)
	}
}
