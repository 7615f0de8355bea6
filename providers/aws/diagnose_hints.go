package aws

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// hintPath follows the way from a change to the queue, backwards.
func (p *Provider) hintPath(ctx context.Context, want []manifest.Resource) *providers.HintPath {
	telling := p.telling(want)
	path := &providers.HintPath{Queue: p.hintQueue(ctx), Telling: sortedKeys(telling)}
	if path.Queue.ARN != "" {
		path.Rules, path.Elsewhere, path.RulesErr = p.hintRules(ctx, path.Queue.ARN, telling)
	}
	path.Trails, path.TrailsErr = p.hintTrails(ctx)
	return path
}

func (p *Provider) hintQueue(ctx context.Context) providers.HintQueue {
	q := providers.HintQueue{Declared: p.o.HintQueue, Region: p.o.Config.Region, Sent: -1}
	url, err := p.hintQueueURL(ctx)
	if err == nil {
		var out *sqs.GetQueueAttributesOutput
		out, err = p.front.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll},
		}, p.inHintRegion)
		if err == nil {
			q.URL, q.ARN, q.Policy, q.Key = url, out.Attributes["QueueArn"], out.Attributes["Policy"], out.Attributes["KmsMasterKeyId"]
			q.Waiting, _ = strconv.Atoi(out.Attributes["ApproximateNumberOfMessages"])
		}
	}
	if err != nil {
		q.Err = classify(err)
		return q
	}
	name := q.ARN[strings.LastIndexByte(q.ARN, ':')+1:]
	age, err := p.metricOf(ctx, queueMetric{"ApproximateAgeOfOldestMessage", "Maximum", name, 15 * time.Minute, time.Minute})
	if err == nil && len(age) > 0 {
		q.Oldest = time.Duration(age[0]) * time.Second
	}
	sent, err := p.metricOf(ctx, queueMetric{"NumberOfMessagesSent", "Sum", name, 24 * time.Hour, time.Hour})
	if err != nil {
		q.SentErr = classify(err)
		return q
	}
	q.Sent = 0
	for _, n := range sent {
		q.Sent += int(n)
	}
	return q
}

type queueMetric struct {
	metric, statistic, queue string
	back, period             time.Duration
}

// metricOf are a queue's values, newest first.
func (p *Provider) metricOf(ctx context.Context, m queueMetric) ([]float64, error) {
	now := p.o.Now()
	out, err := p.front.cloudwatch.GetMetricData(ctx, &cloudwatch.GetMetricDataInput{
		StartTime: awssdk.Time(now.Add(-m.back)), EndTime: awssdk.Time(now.Add(time.Minute)), ScanBy: cwtypes.ScanByTimestampDescending,
		MetricDataQueries: []cwtypes.MetricDataQuery{{
			Id: awssdk.String("m0"), ReturnData: awssdk.Bool(true),
			MetricStat: &cwtypes.MetricStat{
				Metric: &cwtypes.Metric{Namespace: awssdk.String("AWS/SQS"), MetricName: &m.metric, Dimensions: []cwtypes.Dimension{dimension("QueueName", m.queue)}},
				Period: awssdk.Int32(int32(m.period.Seconds())), Stat: &m.statistic,
			},
		}},
	})
	if err != nil || len(out.MetricDataResults) == 0 {
		return nil, err
	}
	return out.MetricDataResults[0].Values, nil
}

// telling are the services whose events tell of these resources and come to
// this region, each with an event as they send it.
func (p *Provider) telling(want []manifest.Resource) map[string]string {
	out := map[string]string{}
	for _, res := range want {
		source := orElse(sourceOf[res.Ref.Kind], othersSources[res.Ref.Kind])
		names := eventsOf[res.Ref.Kind]
		if source == "" || len(names) == 0 || out["aws."+source] != "" || source == "iam" && p.o.Config.Region != globalRegion(p.o.Config.Region) {
			continue
		}
		out["aws."+source] = p.exampleEvent(source, names[0])
	}
	return out
}

// othersSources are the services of kinds that hints take from any.
var othersSources = map[string]string{
	manifest.KindTable: "dynamodb", manifest.KindBucket: "s3", manifest.KindNotification: "s3", manifest.KindLayer: "lambda",
}

func (p *Provider) exampleEvent(source, name string) string {
	account := orElse(p.o.Target.Account, "000000000000")
	text, err := json.Marshal(map[string]any{
		"version": "0", "id": "00000000-0000-0000-0000-000000000000", "detail-type": "AWS API Call via CloudTrail", "source": "aws." + source,
		"account": account, "time": p.o.Now().UTC().Format(time.RFC3339), "region": p.o.Config.Region, "resources": []string{},
		"detail": map[string]any{
			"eventVersion": "1.11", "eventSource": source + ".amazonaws.com", "eventName": name, "readOnly": false, "managementEvent": true,
			"eventCategory": "Management", "eventType": "AwsApiCall", "awsRegion": p.o.Config.Region, "recipientAccountId": account,
			"userIdentity": map[string]any{"type": "IAMUser", "arn": "arn:aws:iam::" + account + ":user/somebody", "accountId": account, "userName": "somebody"},
		},
	})
	if err != nil {
		return "{}" // text and truth values can be written
	}
	return string(text)
}

// rulesLooked bounds the rules that are looked through for one that goes
// elsewhere.
const rulesLooked = 200

// hintRules are the rules of the default bus that send to the queue; where
// there is none, those that take CloudTrail's events to somewhere else.
func (p *Provider) hintRules(ctx context.Context, queue string, events map[string]string) (here, elsewhere []providers.HintRule, err error) {
	out, err := p.front.events.ListRuleNamesByTarget(ctx, &eventbridge.ListRuleNamesByTargetInput{TargetArn: &queue})
	if err != nil {
		return nil, nil, classify(err)
	}
	for _, name := range out.RuleNames {
		rule, err := p.front.events.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: &name})
		if err != nil {
			here = append(here, providers.HintRule{Name: name, Err: classify(err)})
			continue
		}
		h := newHintRule(name, rule.Arn, rule.State)
		p.matches(ctx, &h, awssdk.ToString(rule.EventPattern), events)
		p.targets(ctx, &h, queue)
		here = append(here, h)
	}
	if len(here) > 0 {
		return here, nil, nil
	}
	page, err := p.front.events.ListRules(ctx, &eventbridge.ListRulesInput{Limit: awssdk.Int32(100)})
	for looked := 0; err == nil && looked < rulesLooked; {
		for _, r := range page.Rules {
			if strings.Contains(awssdk.ToString(r.EventPattern), "via CloudTrail") {
				h := newHintRule(awssdk.ToString(r.Name), r.Arn, r.State)
				p.targets(ctx, &h, queue)
				elsewhere = append(elsewhere, h)
			}
		}
		if looked += len(page.Rules); awssdk.ToString(page.NextToken) == "" {
			break
		}
		page, err = p.front.events.ListRules(ctx, &eventbridge.ListRulesInput{Limit: awssdk.Int32(100), NextToken: page.NextToken})
	}
	return nil, elsewhere, nil // that nothing goes here is known already
}

func newHintRule(name string, arn *string, state ebtypes.RuleState) providers.HintRule {
	return providers.HintRule{Name: name, ARN: awssdk.ToString(arn), Enabled: state != ebtypes.RuleStateDisabled}
}

// matches asks EventBridge itself which events a pattern takes.
func (p *Provider) matches(ctx context.Context, h *providers.HintRule, pattern string, events map[string]string) {
	if p.o.Emulator == "moto" { // which answers this question without looking
		return
	}
	if pattern == "" { // a schedule
		h.Unmatched = sortedKeys(events)
		return
	}
	for _, source := range sortedKeys(events) {
		event := events[source]
		out, err := p.front.events.TestEventPattern(ctx, &eventbridge.TestEventPatternInput{EventPattern: &pattern, Event: &event})
		if err != nil {
			h.Err = classify(err)
			return
		}
		if !out.Result {
			h.Unmatched = append(h.Unmatched, source)
		}
	}
}

// targets are where a rule sends, and whether the queue gets the event as it
// is, or its detail.
func (p *Provider) targets(ctx context.Context, h *providers.HintRule, queue string) {
	out, err := p.front.events.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: &h.Name})
	if err != nil {
		h.Err = errors.Join(h.Err, classify(err))
		return
	}
	for _, t := range out.Targets {
		h.Targets = append(h.Targets, awssdk.ToString(t.Arn))
		path := awssdk.ToString(t.InputPath)
		if awssdk.ToString(t.Arn) != queue {
			continue
		}
		h.Target = awssdk.ToString(t.Id)
		if t.Input != nil || t.InputTransformer != nil || path != "" && path != "$" && path != "$.detail" {
			h.Rewritten = true
		}
	}
}

func (p *Provider) hintTrails(ctx context.Context) ([]providers.HintTrail, error) {
	out, err := p.front.trail.DescribeTrails(ctx, &cloudtrail.DescribeTrailsInput{})
	if err != nil {
		return nil, classify(err)
	}
	trails := make([]providers.HintTrail, 0, len(out.TrailList))
	for _, t := range out.TrailList {
		h := providers.HintTrail{Name: awssdk.ToString(t.Name), Here: awssdk.ToBool(t.IsMultiRegionTrail) || awssdk.ToString(t.HomeRegion) == p.o.Config.Region}
		if h.Here {
			status, err := p.front.trail.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: t.TrailARN})
			if err != nil {
				h.Err = classify(err)
			} else if h.Logging = awssdk.ToBool(status.IsLogging); h.Logging {
				h.Reads = p.readsOnly(ctx, t.TrailARN)
			}
		}
		trails = append(trails, h)
	}
	return trails, nil
}

// readsOnly: the trail is known to leave changes out. What a trail of another
// region or account does not tell is taken for all.
func (p *Provider) readsOnly(ctx context.Context, arn *string) bool {
	out, err := p.front.trail.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: arn})
	if err != nil || len(out.EventSelectors) == 0 && len(out.AdvancedEventSelectors) == 0 {
		return false
	}
	for _, s := range out.EventSelectors {
		if (s.IncludeManagementEvents == nil || *s.IncludeManagementEvents) && s.ReadWriteType != cttypes.ReadWriteTypeReadOnly {
			return false
		}
	}
	for _, s := range out.AdvancedEventSelectors {
		if takesChanges(s.FieldSelectors) {
			return false
		}
	}
	return true
}

func takesChanges(fields []cttypes.AdvancedFieldSelector) bool {
	management, changes := false, true
	for _, f := range fields {
		switch awssdk.ToString(f.Field) {
		case "eventCategory":
			management = slices.Contains(f.Equals, "Management")
		case "readOnly":
			changes = !slices.Contains(f.Equals, "true")
		}
	}
	return management && changes
}
