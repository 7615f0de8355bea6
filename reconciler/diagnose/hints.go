package diagnose

import (
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

// OfHints judges the way from a change to the queue, a check for each part.
func OfHints(scope string, h providers.HintPath) []Check {
	out := []Check{hintQueue(scope, h.Queue)}
	if h.Queue.ARN == "" {
		for _, name := range []string{"hint-rule", "hint-policy"} {
			out = append(out, subject{name, scope}.skipped("the queue could not be looked at"))
		}
		return append(out, hintTrail(scope, h))
	}
	return append(out, hintRule(scope, h), hintPolicy(scope, h), hintTrail(scope, h), hintMessages(scope, h.Queue))
}

func hintQueue(scope string, q providers.HintQueue) Check {
	s := subject{"hint-queue", scope}
	if parts := strings.Split(q.Declared, ":"); len(parts) == 6 && parts[3] != q.Region {
		return s.fault("make the queue and its rule in "+q.Region+" ("+docs+"): events stay in their region", "the queue %s is in %s, and the environment is in %s", parts[5], parts[3], q.Region)
	}
	switch {
	case q.Err != nil && providers.KindOf(q.Err) == providers.Denied:
		return s.fault("allow sqs:GetQueueUrl, sqs:GetQueueAttributes, sqs:ReceiveMessage and sqs:DeleteMessage on it; `mooring iam --environment "+scope+"`", "the queue %s may not be read: %v", q.Declared, q.Err)
	case q.Err != nil && providers.KindOf(q.Err) == providers.Conflict:
		return s.fault("make it ("+docs+"), or correct `hints:` in mooring.yaml", "there is no queue %s in %s", q.Declared, q.Region)
	case q.Err != nil:
		return s.fault("try again", "the queue %s could not be looked at: %v", q.Declared, q.Err)
	case q.Key == "alias/aws/sqs":
		return s.fault("use SQS's own encryption, or a key of yours whose policy lets events.amazonaws.com use it", "the queue %s is encrypted with alias/aws/sqs, which EventBridge may not use", q.Declared)
	}
	return s.ok("%s", q.ARN)
}

func hintRule(scope string, h providers.HintPath) Check {
	s := subject{"hint-rule", scope}
	if h.RulesErr != nil {
		return s.skipped("the rules could not be read: %v", h.RulesErr)
	}
	if len(h.Rules) == 0 {
		return s.fault("make one ("+docs+")", "no rule of the default bus sends to the queue%s", elsewhere(h.Elsewhere))
	}
	enabled := slices.IndexFunc(h.Rules, func(r providers.HintRule) bool { return r.Enabled })
	if enabled < 0 {
		name := h.Rules[0].Name
		return s.fault("`aws events enable-rule --name "+name+"`", "the rule %s is disabled", name)
	}
	return oneRule(s, h.Rules[enabled])
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

func oneRule(s subject, r providers.HintRule) Check {
	switch {
	case r.Rewritten:
		return s.fault("take the target's input, input path and transformer away", "the rule %s sends something else than the event", r.Name)
	case r.Err != nil:
		return s.warning("allow events:TestEventPattern and events:ListTargetsByRule to have it looked at whole", "the rule %s sends to the queue; its pattern or targets could not be looked at: %v", r.Name, r.Err)
	case len(r.Unmatched) > 0:
		return s.fault("take the pattern of "+docs, "the rule %s leaves out changes told by %s", r.Name, strings.Join(r.Unmatched, ", "))
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
		remedy := fmt.Sprintf(`add to the queue's policy: {"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage","Resource":%q,"Condition":{"ArnEquals":{"aws:SourceArn":%q}}}`, h.Queue.ARN, r.ARN)
		switch may {
		case No:
			return s.fault(remedy, "the queue's policy does not let the rule %s send: %s", r.Name, why)
		case Unclear:
			return s.warning(remedy, "whether the queue's policy lets the rule %s send cannot be told: %s", r.Name, why)
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
		return s.fault("let it log write events: `aws cloudtrail put-event-selectors --trail-name "+reads+" --event-selectors ReadWriteType=WriteOnly,IncludeManagementEvents=true`", "the trail %s logs no changes", reads)
	case stopped != "":
		return s.fault("`aws cloudtrail start-logging --name "+stopped+"`", "the trail %s does not log: without one that does, no events come", stopped)
	}
	return s.fault("make one (CloudTrail's first copy of management events costs nothing but its bucket): `aws cloudtrail create-trail --name management-events --s3-bucket-name BUCKET --is-multi-region-trail`, then start-logging",
		"there is no trail in %s: without one, no events come", h.Queue.Region)
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
