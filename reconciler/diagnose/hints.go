package diagnose

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"mooring.dev/providers"
)

// docs is where the setup of the hint queue is written down.
const docs = "docs/operations.md, \"Hints\""

// staleMessage is the age from which a waiting message says that nobody takes
// it.
const staleMessage = 15 * time.Minute

// What remedies call what they make.
const newRule, newTrail = "mooring-hints", "management-events"

// pattern takes the changes that services tell of, and nothing that failed.
func pattern(telling []string) string {
	want := map[string]any{
		"detail-type": []string{"AWS API Call via CloudTrail"},
		"detail":      map[string]any{"readOnly": []bool{false}, "errorCode": []any{map[string]any{"exists": false}}},
	}
	if len(telling) > 0 {
		want["source"] = telling
	}
	return written(want)
}

// letting is the check with the command that adds the rule to what the
// queue's policy allows. What denies has to be taken away by a person, and
// what cannot be read is not written over.
func (c Check) letting(q providers.HintQueue, r providers.HintRule) Check {
	policy := map[string]any{"Version": "2012-10-17"}
	if q.Policy != "" && json.Unmarshal([]byte(q.Policy), &policy) != nil {
		return c
	}
	var all []any
	switch before := policy["Statement"].(type) {
	case []any:
		all = before
	case map[string]any:
		all = []any{before}
	}
	for _, s := range all {
		if s, ok := s.(map[string]any); !ok || s["Effect"] != "Allow" {
			return c
		}
	}
	policy["Statement"] = append(all, map[string]any{
		"Effect": "Allow", "Principal": map[string]string{"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": q.ARN,
		"Condition": map[string]any{"ArnEquals": map[string]string{"aws:SourceArn": r.ARN}},
	})
	return c.by(aws(q.Region, "sqs", "set-queue-attributes", "--queue-url", q.URL, "--attributes", written(map[string]string{"Policy": written(policy)})))
}

func lastOf(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }

// OfHints judges the way from a change to the queue, a check for each part.
func OfHints(at Place, scope string, h providers.HintPath) []Check {
	out := []Check{hintQueue(at, scope, h.Queue)}
	if h.Queue.ARN == "" {
		for _, name := range []string{"hint-rule", "hint-policy"} {
			out = append(out, subject{name, scope}.skipped("the queue could not be looked at"))
		}
		return append(out, hintTrail(scope, h))
	}
	return append(out, hintRule(scope, h), hintPolicy(scope, h), hintTrail(scope, h), hintMessages(scope, h.Queue))
}

func hintQueue(at Place, scope string, q providers.HintQueue) Check {
	s := subject{"hint-queue", scope}
	if parts := strings.Split(q.Declared, ":"); len(parts) == 6 && parts[3] != q.Region {
		return s.fault("make the queue and its rule in "+q.Region+" ("+docs+"): events stay in their region", "the queue %s is in %s, and the environment is in %s", parts[5], parts[3], q.Region)
	}
	switch {
	case q.Err != nil && providers.KindOf(q.Err) == providers.Denied:
		return s.fault("allow sqs:GetQueueUrl, sqs:GetQueueAttributes, sqs:ReceiveMessage and sqs:DeleteMessage on it; the command prints the policy", "the queue %s may not be read: %v", q.Declared, q.Err).
			by(at.mooring("iam --environment " + scope))
	case q.Err != nil && providers.KindOf(q.Err) == providers.Conflict:
		return s.fault("correct `hints:` in mooring.yaml, or make the queue ("+docs+")", "there is no queue %s in %s", q.Declared, q.Region).
			by(aws(q.Region, "sqs", "create-queue", "--queue-name", lastOf(q.Declared), "--attributes", "MessageRetentionPeriod=345600"))
	case q.Err != nil:
		return s.fault("try again", "the queue %s could not be looked at: %v", q.Declared, q.Err)
	case q.Key == "alias/aws/sqs":
		return s.fault("use a key of yours whose policy lets events.amazonaws.com use it, or SQS's own encryption", "the queue %s is encrypted with alias/aws/sqs, which EventBridge may not use", q.Declared).
			by(aws(q.Region, "sqs", "set-queue-attributes", "--queue-url", q.URL, "--attributes", "KmsMasterKeyId=,SqsManagedSseEnabled=true"))
	}
	return s.ok("%s", q.ARN)
}

func hintRule(scope string, h providers.HintPath) Check {
	s := subject{"hint-rule", scope}
	if h.RulesErr != nil {
		return s.skipped("the rules could not be read: %v", h.RulesErr)
	}
	if len(h.Rules) == 0 {
		return s.fault("make one ("+docs+")", "no rule of the default bus sends to the queue%s", elsewhere(h.Elsewhere)).by(then(
			aws(h.Queue.Region, "events", "put-rule", "--name", newRule, "--event-pattern", pattern(h.Telling)),
			aws(h.Queue.Region, "events", "put-targets", "--rule", newRule, "--targets", "Id=mooring,Arn="+h.Queue.ARN)))
	}
	enabled := slices.IndexFunc(h.Rules, func(r providers.HintRule) bool { return r.Enabled })
	if unseen := slices.IndexFunc(h.Rules, func(r providers.HintRule) bool { return r.ARN == "" && r.Err != nil }); enabled < 0 && unseen >= 0 {
		r := h.Rules[unseen]
		return s.warning("allow events:DescribeRule to have it looked at", "the rule %s sends to the queue, and could not be looked at: %v", r.Name, r.Err)
	}
	if enabled < 0 {
		name := h.Rules[0].Name
		return s.fault("enable it", "the rule %s is disabled", name).by(aws(h.Queue.Region, "events", "enable-rule", "--name", name))
	}
	return oneRule(s, h, h.Rules[enabled])
}

func elsewhere(rules []providers.HintRule) string {
	var told []string
	for _, r := range rules {
		told = append(told, fmt.Sprintf("%s sends to %s", r.Name, orNothing(some(r.Targets, ", "))))
	}
	if len(told) == 0 {
		return ""
	}
	return "; " + some(told, ", ")
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func oneRule(s subject, h providers.HintPath, r providers.HintRule) Check {
	switch {
	case r.Rewritten:
		return s.fault("take the target's input, input path and transformer away", "the rule %s sends something else than the event", r.Name).
			by(aws(h.Queue.Region, "events", "put-targets", "--rule", r.Name, "--targets", "Id="+r.Target+",Arn="+h.Queue.ARN))
	case r.Err != nil:
		return s.warning("allow events:TestEventPattern and events:ListTargetsByRule to have it looked at whole", "the rule %s sends to the queue; its pattern or targets could not be looked at: %v", r.Name, r.Err)
	case len(r.Unmatched) > 0:
		return s.fault("take the pattern of "+docs, "the rule %s leaves out changes told by %s", r.Name, strings.Join(r.Unmatched, ", ")).
			by(aws(h.Queue.Region, "events", "put-rule", "--name", r.Name, "--event-pattern", pattern(h.Telling)))
	}
	return s.ok("%s is enabled, takes the changes, and sends to the queue", r.Name)
}

func hintPolicy(scope string, h providers.HintPath) Check {
	s := subject{"hint-policy", scope}
	if len(h.Rules) == 0 {
		return s.skipped("no rule sends to the queue")
	}
	for _, r := range h.Rules {
		if r.ARN == "" {
			continue
		}
		may, why := MaySend(h.Queue.Policy, Sender{Service: "events.amazonaws.com", Source: r.ARN, Queue: h.Queue.ARN})
		switch may {
		case No:
			return s.fault("let it send ("+docs+")", "the queue's policy does not let the rule %s send: %s", r.Name, why).letting(h.Queue, r)
		case Unclear:
			return s.warning("make sure that it does ("+docs+")", "whether the queue's policy lets the rule %s send cannot be told: %s", r.Name, why).letting(h.Queue, r)
		}
	}
	return s.ok("the queue's policy lets EventBridge send")
}

func hintTrail(scope string, h providers.HintPath) Check {
	s := subject{"hint-trail", scope}
	if h.TrailsErr != nil {
		return s.skipped("the trails could not be read: %v", h.TrailsErr)
	}
	stopped, reads := "", ""
	for _, t := range h.Trails {
		switch {
		case !t.Here:
		case t.Err != nil:
			return s.skipped("the trail %s could not be looked at: %v", t.Name, t.Err)
		case t.Logging && !t.Reads:
			return s.ok("%s logs changes", t.Name)
		case t.Logging:
			reads = t.Name
		default:
			stopped = t.Name
		}
	}
	switch {
	case reads != "":
		return s.fault("let it log write events", "the trail %s logs no changes", reads).
			by(aws(h.Queue.Region, "cloudtrail", "put-event-selectors", "--trail-name", reads, "--event-selectors", "ReadWriteType=WriteOnly,IncludeManagementEvents=true"))
	case stopped != "":
		return s.fault("let it log", "the trail %s does not log: without one that does, no events come", stopped).
			by(aws(h.Queue.Region, "cloudtrail", "start-logging", "--name", stopped))
	}
	return newTrailFor(h.Queue, s.fault("make one (CloudTrail's first copy of management events costs nothing but its bucket)", "there is no trail in %s: without one, no events come", h.Queue.Region))
}

// newTrailFor adds the command that makes a trail, where the account is known.
func newTrailFor(q providers.HintQueue, c Check) Check {
	parts := strings.Split(q.ARN, ":")
	if len(parts) != 6 {
		return c
	}
	partition, account := parts[1], parts[4]
	bucket := "trail-" + account + "-" + q.Region
	made := []string{"s3api", "create-bucket", "--bucket", bucket}
	if q.Region != "us-east-1" { // which S3 wants not to be named
		made = append(made, "--create-bucket-configuration", "LocationConstraint="+q.Region)
	}
	trail := map[string]any{"StringEquals": map[string]string{"aws:SourceArn": "arn:" + partition + ":cloudtrail:" + q.Region + ":" + account + ":trail/" + newTrail}}
	service := map[string]string{"Service": "cloudtrail.amazonaws.com"}
	policy := document(
		map[string]any{"Effect": "Allow", "Principal": service, "Action": "s3:GetBucketAcl", "Resource": "arn:" + partition + ":s3:::" + bucket, "Condition": trail},
		map[string]any{"Effect": "Allow", "Principal": service, "Action": "s3:PutObject", "Resource": "arn:" + partition + ":s3:::" + bucket + "/AWSLogs/" + account + "/*", "Condition": trail},
	)
	return c.by(then(aws(q.Region, made...),
		aws(q.Region, "s3api", "put-bucket-policy", "--bucket", bucket, "--policy", policy),
		aws(q.Region, "cloudtrail", "create-trail", "--name", newTrail, "--s3-bucket-name", bucket, "--is-multi-region-trail"),
		aws(q.Region, "cloudtrail", "start-logging", "--name", newTrail)))
}

func hintMessages(scope string, q providers.HintQueue) Check {
	s := subject{"hint-messages", scope}
	switch {
	case q.Oldest >= staleMessage:
		return s.warning("start the daemon, or see why it does not receive: its log, and `mooring status`", "%d messages wait, the oldest for %s: nobody takes them", q.Waiting, q.Oldest)
	case q.SentErr != nil:
		return s.skipped("CloudWatch could not be asked: %v", q.SentErr)
	case q.Sent > 0:
		return s.ok("%d messages came in the last day, %d wait", q.Sent, q.Waiting)
	case q.Waiting > 0:
		return s.ok("%d messages wait", q.Waiting)
	}
	return s.warning("change something small (a tag) and look again after a minute", "CloudWatch shows no message in the last day: nothing was changed, or nothing comes")
}
