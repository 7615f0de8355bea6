package sandbox_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"mooring.dev/providers/aws/sandbox"
)

// cli runs AWS's own command line against the sandbox.
type cli struct {
	t       *testing.T
	path    string
	sandbox *sandbox.Sandbox
}

// newCLI finds the command line: its absence fails in CI and skips elsewhere.
func newCLI(t *testing.T, s *sandbox.Sandbox) cli {
	t.Helper()
	if testing.Short() {
		t.Skip("each command takes a second to start")
	}
	return cli{t: t, path: onPath(t, "aws"), sandbox: s}
}

func (c cli) run(args ...string) string {
	c.t.Helper()
	command := exec.Command(c.path, append([]string{"--endpoint-url", c.sandbox.URL(), "--output", "json"}, args...)...)
	command.Env = append(environment(c.t, c.sandbox, "alice"), "AWS_MAX_ATTEMPTS=1")
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	if err := command.Run(); err != nil {
		c.t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, problems.String())
	}
	return out.String()
}

// member digs a text out of a command's JSON.
func (c cli) member(out string, path ...string) string {
	c.t.Helper()
	var node any
	if err := json.Unmarshal([]byte(out), &node); err != nil {
		c.t.Fatalf("%v in %s", err, out)
	}
	for _, name := range path {
		m, _ := node.(map[string]any)
		node = m[name]
	}
	text, _ := node.(string)
	return text
}

func TestTheAWSCommandLine(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := newCLI(t, s)
	if got := c.member(c.run("sts", "get-caller-identity"), "Arn"); got != "arn:aws:iam::111111111111:user/alice" {
		t.Errorf("sts: %s", got)
	}

	// Over 8 MB the command line uploads in parts.
	big := filepath.Join(t.TempDir(), "big.zip")
	content := bytes.Repeat([]byte("0123456789abcdef"), 9<<16)
	if err := os.WriteFile(big, content, 0o600); err != nil {
		t.Fatal(err)
	}
	c.run("s3", "mb", "s3://artifacts")
	c.run("s3", "cp", "--no-progress", big, "s3://artifacts/dir/big.zip")
	if got := text(t, s3.NewFromConfig(as(s, "alice")), &s3.GetObjectInput{Key: aws.String("dir/big.zip")}); got != string(content) {
		t.Errorf("s3: %d bytes came back of %d", len(got), len(content))
	}

	url := c.member(c.run("sqs", "create-queue", "--queue-name", "orders"), "QueueUrl")
	if url != s.URL()+"/111111111111/orders" {
		t.Errorf("sqs: %s", url)
	}
	c.run("iam", "create-role", "--role-name", "r", "--assume-role-policy-document", lambdaTrust)
	c.run("cloudwatch", "put-metric-data", "--namespace", "Shop", "--metric-name", "Errors", "--value", "3")
	if got := c.run("cloudwatch", "list-metrics", "--namespace", "Shop"); !strings.Contains(got, "Errors") {
		t.Errorf("cloudwatch: %s", got)
	}
	if got := c.run("cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=CreateQueue"); !strings.Contains(got, `"Username": "alice"`) {
		t.Errorf("cloudtrail: %s", got)
	}
}
