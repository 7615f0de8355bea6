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

// aroundByHand are the kinds that stand around functions, each made and read
// with AWS's command line: the last command's answer holds the text. A ~ is a
// space within an argument.
var aroundByHand = []struct {
	name     string
	commands []string
	holds    string
}{
	{"dynamodb", []string{
		"dynamodb create-table --table-name tab --billing-mode PAY_PER_REQUEST --attribute-definitions AttributeName=id,AttributeType=S --key-schema AttributeName=id,KeyType=HASH",
		`dynamodb put-item --table-name tab --item {"id":{"S":"1"},"n":{"N":"7"}}`,
		`dynamodb get-item --table-name tab --key {"id":{"S":"1"}}`,
	}, `"N": "7"`},
	{"kinesis", []string{"kinesis create-stream --stream-name s --shard-count 2", "kinesis describe-stream --stream-name s"}, "170141183460469231731687303715884105728"},
	{"stepfunctions", []string{
		`stepfunctions create-state-machine --name m --role-arn arn:aws:iam::111111111111:role/states --definition {"StartAt":"A","States":{"A":{"Type":"Succeed"}}}`,
		"stepfunctions publish-state-machine-version --state-machine-arn arn:aws:states:eu-west-1:111111111111:stateMachine:m",
		"stepfunctions list-state-machine-versions --state-machine-arn arn:aws:states:eu-west-1:111111111111:stateMachine:m",
	}, "stateMachine:m:1"},
	{"events", []string{`events put-rule --name r --event-pattern {"source":["shop"]}`, "events describe-rule --name r"}, "shop"},
	{"scheduler", []string{
		"scheduler create-schedule --name h --schedule-expression rate(1~hour) --flexible-time-window Mode=OFF --target Arn=arn:aws:sqs:eu-west-1:111111111111:q,RoleArn=arn:aws:iam::111111111111:role/clock",
		"scheduler get-schedule --name h",
	}, "rate(1 hour)"},
	{"sns", []string{"sns create-topic --name n --attributes DisplayName=News", "sns get-topic-attributes --topic-arn arn:aws:sns:eu-west-1:111111111111:n"}, "News"},
	{"apigatewayv2", []string{"apigatewayv2 create-api --name web --protocol-type HTTP --description shop", "apigatewayv2 get-apis"}, `"Description": "shop"`},
	{"cloudwatch", []string{
		"cloudwatch put-metric-alarm --alarm-name a --namespace Shop --metric-name Errors --statistic Sum --period 60 --evaluation-periods 1 --threshold 3 --comparison-operator GreaterThanThreshold",
		"cloudwatch describe-alarms --alarm-names a",
	}, `"Threshold": 3`},
	{"logs", []string{
		"logs create-log-group --log-group-name audit", "logs put-retention-policy --log-group-name audit --retention-in-days 30",
		"logs describe-log-groups --log-group-identifiers audit",
	}, `"retentionInDays": 30`},
	{"s3", []string{
		"s3api create-bucket --bucket uploads --create-bucket-configuration LocationConstraint=eu-west-1",
		`s3api put-bucket-notification-configuration --bucket uploads --notification-configuration {"EventBridgeConfiguration":{}}`,
		"s3api get-bucket-notification-configuration --bucket uploads",
	}, "EventBridgeConfiguration"},
}

func TestTheCommandLineOfEachKind(t *testing.T) {
	s := start(t, sandbox.Options{})
	newCLI(t, s).run("iam", "create-role", "--role-name", "states", "--assume-role-policy-document", strings.ReplaceAll(lambdaTrust, "lambda.", "states."))
	newCLI(t, s).run("iam", "create-role", "--role-name", "clock", "--assume-role-policy-document", strings.ReplaceAll(lambdaTrust, "lambda.", "scheduler."))
	newCLI(t, s).run("sqs", "create-queue", "--queue-name", "q")
	for _, kind := range aroundByHand {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			c, last := newCLI(t, s), ""
			for _, command := range kind.commands {
				args := strings.Fields(command)
				for i := range args {
					args[i] = strings.ReplaceAll(args[i], "~", " ")
				}
				last = c.run(args...)
			}
			if !strings.Contains(last, kind.holds) {
				t.Errorf("%s answered %s, want %s in it", kind.commands[len(kind.commands)-1], last, kind.holds)
			}
		})
	}
}
