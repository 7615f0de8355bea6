package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/reconciler/diagnose"
)

// ward is an installation that is well, until a test makes it otherwise.
type ward struct {
	*testing.T
	box   *sandbox.Sandbox
	dir   string // the working folder
	state string
	bus   *eventbridge.Client
	trail *cloudtrail.Client
	queue *sqs.Client
	url   string // of the hint queue
}

const wardPipeline = `apiVersion: mooring.dev/v1
kind: Pipeline
metadata: {name: shop}
spec:
  environments:
    - name: production
      protected: true
      provider: {aws: {region: eu-west-1, account: "111111111111", endpoint: "ENDPOINT"}}
      hints: {queue: mooring-hints}
  receivers:
    oncall: {webhook: {url: {fromEnv: WARD_HOOK}, secret: {fromEnv: WARD_KEY}}}
`

const wardManifests = `apiVersion: mooring.dev/v1
kind: Function
metadata: {name: checkout}
spec:
  artifact: {uri: "file:checkout.zip", digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}
  runtime: provided.al2023
  handler: bootstrap
  role: {statements: []}
  triggers:
    daily: {schedule: {scheduleExpression: "cron(0 8 * * ? *)", scheduleExpressionTimezone: Europe/Zurich}}
---
apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: orders}
`

const wardPolicy = "package policy.admission.release\n\nallow if input.environment.name == \"production\"\n"

const wardPolicyTest = `package policy.admission.release_test

import data.policy.admission.release

test_open if release.allow with input as {"environment": {"name": "production"}}
`

const (
	wardRule  = "arn:aws:events:eu-west-1:111111111111:rule/hints"
	wardQueue = "arn:aws:sqs:eu-west-1:111111111111:mooring-hints"
)

func newWard(t *testing.T) *ward {
	t.Helper()
	sweepCredentials(t)
	box, err := sandbox.New(sandbox.Options{})
	check(t, err)
	check(t, box.Start(context.Background()))
	t.Cleanup(func() { check(t, box.Close()) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	t.Setenv("WARD_HOOK", "http://"+listener.Addr().String()+"/hook/s3cret-path")
	t.Setenv("WARD_KEY", "s3cret-key")
	t.Setenv("AWS_ENDPOINT_URL", box.URL()) // an emulator has nobody to share its rates with
	w := &ward{T: t, box: box, dir: t.TempDir(), state: t.TempDir()}
	check(t, os.Chmod(w.state, 0o700))
	w.write("mooring.yaml", strings.ReplaceAll(wardPipeline, "ENDPOINT", box.URL()))
	w.write("shop.yaml", wardManifests)
	w.write("policies/admission/release.rego", wardPolicy)
	w.write("policies/admission/release_test.rego", wardPolicyTest)
	cfg, err := awsconfig.LoadDefaultConfig(t.Context(), awsconfig.WithRegion("eu-west-1"), awsconfig.WithBaseEndpoint(box.URL()))
	check(t, err)
	w.bus, w.trail, w.queue = eventbridge.NewFromConfig(cfg), cloudtrail.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	w.hints()
	return w
}

// hints makes the way that docs/operations.md describes.
func (w *ward) hints() {
	ctx := w.Context()
	queue, err := w.queue.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: awssdk.String("mooring-hints")})
	check(w, err)
	w.url = *queue.QueueUrl
	w.policy(`{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"` + wardQueue + `","Condition":{"ArnEquals":{"aws:SourceArn":"` + wardRule + `"}}}`)
	w.pattern(`{"source":["aws.lambda","aws.iam","aws.sqs","aws.scheduler"],"detail-type":["AWS API Call via CloudTrail"],"detail":{"readOnly":[false],"errorCode":[{"exists":false}]}}`)
	w.target(ebtypes.Target{Id: awssdk.String("mooring"), Arn: awssdk.String(wardQueue)})
	_, err = w.queue.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: &w.url, Tags: map[string]string{"for": "mooring"}})
	check(w, err) // which is the first message
}

func (w *ward) policy(statement string) {
	_, err := w.queue.SetQueueAttributes(w.Context(), &sqs.SetQueueAttributesInput{QueueUrl: &w.url, Attributes: map[string]string{"Policy": `{"Version":"2012-10-17","Statement":[` + statement + `]}`}})
	check(w, err)
}

func (w *ward) pattern(pattern string) {
	_, err := w.bus.PutRule(w.Context(), &eventbridge.PutRuleInput{Name: awssdk.String("hints"), EventPattern: &pattern})
	check(w, err)
}

func (w *ward) target(t ebtypes.Target) {
	_, err := w.bus.PutTargets(w.Context(), &eventbridge.PutTargetsInput{Rule: awssdk.String("hints"), Targets: []ebtypes.Target{t}})
	check(w, err)
}

func (w *ward) write(name, text string) {
	path := filepath.Join(w.dir, filepath.FromSlash(name))
	check(w, os.MkdirAll(filepath.Dir(path), 0o755))
	check(w, os.WriteFile(path, []byte(text), 0o644))
}

// edit replaces a text of mooring.yaml.
func (w *ward) edit(before, after string) {
	data, err := os.ReadFile(filepath.Join(w.dir, "mooring.yaml"))
	check(w, err)
	if !strings.Contains(string(data), before) {
		w.Fatalf("mooring.yaml has no %s", before)
	}
	w.write("mooring.yaml", strings.Replace(string(data), before, after, 1))
}

func (w *ward) refuse(service, operation, code string) {
	_, err := w.box.Faults.Add(sandbox.Rule{Service: service, Operation: operation, Effect: sandbox.Effect{Status: 403, Code: code}})
	check(w, err)
}

func (w *ward) examine() diagnose.Report {
	w.Helper()
	d := doctoring{runFlags: runFlags{place: place{path: w.dir, control: "main", state: w.state}}, zones: map[string]bool{}}
	d.server = "http://127.0.0.1:1"
	checks, err := d.checks(w.Context())
	check(w, err)
	return diagnose.Summarise(checks)
}

// mistakes are what people get wrong, and all that the doctor says about it:
// "result name: a part of what was found". Skipped checks are not listed.
func mistakes() map[string]struct {
	make func(w *ward)
	want []string
} {
	type row = struct {
		make func(w *ward)
		want []string
	}
	return map[string]row{
		"nothing": {func(*ward) {}, nil},
		"the rule is disabled": {func(w *ward) {
			_, err := w.bus.DisableRule(w.Context(), &eventbridge.DisableRuleInput{Name: awssdk.String("hints")})
			check(w, err)
		}, []string{"fault hint-rule: disabled"}},
		"the rule's pattern": {func(w *ward) {
			w.pattern(`{"source":["aws.sqs","aws.scheduler"],"detail-type":["AWS API Call via CloudTrail"]}`)
		}, []string{"fault hint-rule: aws.lambda"}},
		"the rule goes elsewhere": {func(w *ward) { w.goElsewhere() }, []string{"fault hint-rule: sends to arn:aws:sqs:eu-west-1:111111111111:others"}},
		"the rule rewrites": {func(w *ward) {
			w.target(ebtypes.Target{Id: awssdk.String("mooring"), Arn: awssdk.String(wardQueue), Input: awssdk.String(`{"changed":true}`)})
		}, []string{"fault hint-rule: something else"}},
		"the queue's policy names another rule": {func(w *ward) {
			w.policy(`{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"` + wardQueue + `","Condition":{"ArnEquals":{"aws:SourceArn":"` + wardRule + `-old"}}}`)
		}, []string{"fault hint-policy: the rule is " + wardRule}},
		"the queue is not there":         {func(w *ward) { w.edit("mooring-hints", "mooring-hint") }, []string{"fault hint-queue: there is no queue mooring-hint in eu-west-1"}},
		"the queue is in another region": {func(w *ward) { w.edit("mooring-hints", `"arn:aws:sqs:us-east-1:111111111111:mooring-hints"`) }, []string{"fault hint-queue: is in us-east-1"}},
		"there is no trail": {func(w *ward) {
			_, err := w.trail.DeleteTrail(w.Context(), &cloudtrail.DeleteTrailInput{Name: awssdk.String("management-events")})
			check(w, err)
		}, []string{"fault hint-trail: there is no trail"}},
		"the trail is stopped": {func(w *ward) {
			_, err := w.trail.StopLogging(w.Context(), &cloudtrail.StopLoggingInput{Name: awssdk.String("management-events")})
			check(w, err)
		}, []string{"fault hint-trail: does not log"}},
		"the trail logs reads":            {func(w *ward) { w.onlyReads() }, []string{"fault hint-trail: logs no changes"}},
		"the account is another":          {func(w *ward) { w.edit(`"111111111111"`, `"222222222222"`) }, []string{"fault account: 222222222222 is declared"}},
		"no account is declared":          {func(w *ward) { w.edit(`account: "111111111111", `, "") }, []string{"warning account: none is declared"}},
		"the credentials have expired":    {func(w *ward) { w.refuse("sts", "*", "ExpiredToken") }, []string{"fault credentials: expired"}},
		"the credentials are refused":     {func(w *ward) { w.refuse("sts", "*", "InvalidClientTokenId") }, []string{"fault credentials: refused"}},
		"the role cannot be taken":        {func(w *ward) { w.edit(`endpoint:`, `roleArn: "arn:aws:iam::111111111111:role/mooring", endpoint:`) }, []string{"fault credentials: arn:aws:iam::111111111111:role/mooring may not be taken"}},
		"AWS does not answer":             {func(w *ward) { w.edit(w.box.URL(), "http://127.0.0.1:1") }, []string{"fault credentials: does not answer"}},
		"there are no credentials":        {func(w *ward) { w.Setenv("AWS_ACCESS_KEY_ID", ""); w.Setenv("AWS_SECRET_ACCESS_KEY", "") }, []string{"fault credentials: no credentials"}},
		"a read of policies is refused":   {func(w *ward) { w.refuse("lambda", "GetPolicy", "AccessDeniedException") }, []string{"fault permissions: lambda:GetPolicy"}},
		"reads of a service are refused":  {func(w *ward) { w.refuse("iam", "*", "AccessDenied") }, []string{"fault permissions: iam:GetAccountAuthorizationDetails"}},
		"the clock is two minutes behind": {func(w *ward) { w.box.Advance(2 * time.Minute) }, []string{"warning clock: behind"}},
		"the clock is far behind":         {func(w *ward) { w.box.Advance(10 * time.Minute) }, []string{"fault clock: behind"}},
		"a receiver's secret is missing":  {func(w *ward) { w.Setenv("WARD_KEY", "") }, []string{"fault receiver-secrets: WARD_KEY"}},
		"a receiver is not reached":       {func(w *ward) { w.Setenv("WARD_HOOK", "http://127.0.0.1:1/s3cret-path") }, []string{"fault receiver-reach: 127.0.0.1:1 does not answer"}},
		"a topic is not there": {func(w *ward) {
			w.edit("    oncall:", `    topic: {sns: {topicArn: "arn:aws:sns:eu-west-1:111111111111:none", endpoint: "`+w.box.URL()+`"}}`+"\n    oncall:")
		}, []string{"fault receiver-reach: arn:aws:sns:eu-west-1:111111111111:none is not found"}},
		"a bus is not there": {func(w *ward) {
			w.edit("    oncall:", `    bus: {eventbridge: {bus: none, region: eu-west-1, endpoint: "`+w.box.URL()+`"}}`+"\n    oncall:")
		}, []string{"fault receiver-reach: none is not found"}},
		"mooring.yaml is broken": {func(w *ward) { w.edit("protected:", "protekted:") }, []string{"fault pipeline: mooring.yaml:7:"}},
		"a policy does not load": {func(w *ward) {
			w.write("policies/admission/release.rego", "package policy.admission.release\n\nallow contains")
		}, []string{"fault policies: policies/admission/release.rego"}},
		"a policy's test fails": {func(w *ward) {
			w.write("policies/admission/release_test.rego", strings.ReplaceAll(wardPolicyTest, `"name": "production"`, `"name": "other"`))
		}, []string{"fault policies: test_open"}},
		"nothing opens what is protected": {func(w *ward) { check(w, os.RemoveAll(filepath.Join(w.dir, "policies"))) }, []string{"fault protection: no policy"}},
		"a manifest is broken": {func(w *ward) {
			w.write("more.yaml", "apiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: more}\nspec: {delay: 3}\n")
		}, []string{"fault manifests: more.yaml:4:"}},
		"others may read the state": {func(w *ward) { check(w, os.Chmod(w.state, 0o755)) }, []string{"warning state-folder: 0755"}},
		"the journal is damaged": {func(w *ward) {
			check(w, os.WriteFile(filepath.Join(w.state, "journal.db"), []byte("no journal"), 0o600))
		}, []string{"fault journal: "}},
		"a schedule's zone is unknown": {func(w *ward) {
			w.write("shop.yaml", strings.ReplaceAll(wardManifests, "Europe/Zurich", "Europe/Zurick"))
		}, []string{"fault time-zones: Europe/Zurick"}},
	}
}

func (w *ward) goElsewhere() {
	ctx := w.Context()
	w.target(ebtypes.Target{Id: awssdk.String("mooring"), Arn: awssdk.String("arn:aws:sqs:eu-west-1:111111111111:others")})
	_, err := w.queue.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: awssdk.String("others")})
	check(w, err)
}

func (w *ward) onlyReads() {
	_, err := w.trail.PutEventSelectors(w.Context(), &cloudtrail.PutEventSelectorsInput{
		TrailName: awssdk.String("management-events"), EventSelectors: []cttypes.EventSelector{{ReadWriteType: cttypes.ReadWriteTypeReadOnly}},
	})
	check(w, err)
}

// TestDoctorNamesEachMistake: every mistake leads to its own finding, with a
// remedy, and to no other; nothing was written, and no secret is told.
func TestDoctorNamesEachMistake(t *testing.T) {
	for name, m := range mistakes() {
		t.Run(name, func(t *testing.T) {
			w := newWard(t)
			m.make(w)
			before := w.box.Now()
			report := w.examine()
			var got []string
			for _, c := range report.Checks {
				if c.Result == diagnose.Fault || c.Result == diagnose.Warning {
					got = append(got, fmt.Sprintf("%s %s: %s", c.Result, c.Name, c.Found))
					if c.Remedy == "" {
						t.Errorf("%s has no remedy", c.Name)
					}
				}
				if c.Found == "" {
					t.Errorf("%s found nothing", c.Name)
				}
				if strings.Contains(c.Found+c.Remedy, "s3cret") {
					t.Errorf("%s tells a secret: %s %s", c.Name, c.Found, c.Remedy)
				}
			}
			if !slices.EqualFunc(got, m.want, says) {
				t.Errorf("found %q, want %q", got, m.want)
			}
			for _, c := range w.box.Calls(before) {
				if !c.ReadOnly {
					t.Errorf("it called %s:%s", c.Service, c.Operation)
				}
			}
		})
	}
}

// says: the finding begins with a result and name, and holds the words.
func says(got, want string) bool {
	head, words, _ := strings.Cut(want, ": ")
	return strings.HasPrefix(got, head+": ") && strings.Contains(got, words)
}

// TestDoctorChecksAreDocumented: docs/operations.md names each check.
func TestDoctorChecksAreDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "operations.md"))
	check(t, err)
	_, section, _ := strings.Cut(string(text), "## Is everything there")
	section, _, _ = strings.Cut(section, "\n## ")
	checks := newWard(t).examine().Checks
	if len(checks) < 20 {
		t.Fatalf("only %d checks", len(checks))
	}
	for _, c := range append(checks, diagnose.OfLanes(nil)) {
		if !strings.Contains(section, "`"+c.Name+"`") {
			t.Errorf("the check %s is not documented", c.Name)
		}
	}
}

// TestDoctorComparesClocksWithTheGitHost: whatever a host that speaks HTTP
// answers, it tells its time.
func TestDoctorComparesClocksWithTheGitHost(t *testing.T) {
	for shift, want := range map[time.Duration]diagnose.Result{0: diagnose.OK, 2 * time.Minute: diagnose.Warning, -10 * time.Minute: diagnose.Fault} {
		host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, _, ok := r.BasicAuth(); ok {
				t.Error("the host was told a password to ask the time")
			}
			w.Header().Set("Date", time.Now().Add(shift).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusUnauthorized)
		}))
		d := doctoring{runFlags: runFlags{place: place{repo: strings.Replace(host.URL, "http://", "http://me:s3cret@", 1) + "/shop.git"}}}
		checks := d.ofGitClock(t.Context())
		host.Close()
		if len(checks) != 1 || checks[0].Result != want || checks[0].Scope != "git" {
			t.Errorf("%s off: %+v, want %s", shift, checks, want)
		}
	}
	for _, quiet := range []string{"/srv/git/shop.git", "git@git.example.com:shop.git", "ssh://git.example.com/shop.git"} {
		if checks := (&doctoring{runFlags: runFlags{place: place{repo: quiet}}}).ofGitClock(t.Context()); len(checks) != 0 {
			t.Errorf("%s: %+v", quiet, checks)
		}
	}
	if shown := shownAddress("https://me:s3cret@git.example.com/shop.git"); strings.Contains(shown, "s3cret") || !strings.Contains(shown, "git.example.com") {
		t.Errorf("shown as %s", shown)
	}
}
