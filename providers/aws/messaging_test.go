package aws

import (
	"fmt"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

// messaging is the shop, with a topic, rules and schedules beside it.
func (w *world) messaging(prefix string) []manifest.Resource {
	all := w.shop(prefix)
	ref := func(kind, name string) manifest.Ref { return manifest.Ref{Kind: kind, Name: name} }
	to := func(kind, name string) manifest.Value { return manifest.Value{Ref: ref(kind, name)} }
	fn, alias, topic := ref(manifest.KindFunction, "checkout"), ref(manifest.KindAlias, "checkout.live"), ref(manifest.KindTopic, "news")
	attempts := 3
	role := &manifest.RoleSpec{
		Path: "/", MaxSessionDuration: 3600,
		AssumeRolePolicy: map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "scheduler.amazonaws.com"},
		}}},
		Statements: []map[string]any{{"Sid": "Target", "Effect": "Allow", "Action": []any{"lambda:InvokeFunction"}, "Resource": []any{map[string]any{"ref": alias.String()}}}},
	}
	return append(all,
		manifest.Resource{Ref: topic, Physical: prefix + "-news", Spec: &manifest.TopicSpec{
			DisplayName: "News", SignatureVersion: 2, TracingConfig: "PassThrough", Tags: map[string]string{"team": "press"},
		}},
		manifest.Resource{Ref: ref(manifest.KindSubscription, "news.orders"), Parent: topic, Physical: prefix + "-news", Key: "orders", Spec: &manifest.SubscriptionSpec{
			Topic: to(topic.Kind, topic.Name), Protocol: "sqs", Endpoint: to(manifest.KindQueue, "orders"), RawMessageDelivery: true,
			FilterPolicy: map[string]any{"kind": []any{"order"}}, FilterPolicyScope: "MessageAttributes", DeadLetter: to(manifest.KindQueue, "orders-dlq"),
		}},
		manifest.Resource{Ref: ref(manifest.KindSubscription, "checkout.news"), Parent: fn, Physical: prefix + "-checkout", Key: "news", Spec: &manifest.SubscriptionSpec{
			Topic: to(topic.Kind, topic.Name), Protocol: "lambda", Endpoint: to(alias.Kind, alias.Name),
		}},
		manifest.Resource{Ref: ref(manifest.KindRule, "paid"), Physical: prefix + "-paid", Spec: &manifest.RuleSpec{
			EventBusName: "default", EventPattern: map[string]any{"source": []any{"shop"}}, State: "ENABLED", Tags: map[string]string{"team": "press"},
			Targets: map[string]manifest.RuleTarget{
				"live": {Arn: to(alias.Kind, alias.Name), InputPath: "$.detail", RetryPolicy: &manifest.RetryPolicy{MaximumRetryAttempts: &attempts}},
				"queue": {Arn: to(manifest.KindQueue, "orders"), DeadLetter: to(manifest.KindQueue, "orders-dlq"),
					InputTransformer: &manifest.InputTransformer{InputPathsMap: map[string]string{"id": "$.detail.id"}, InputTemplate: `{"order": <id>}`}},
			},
		}},
		manifest.Resource{Ref: ref(manifest.KindRole, "checkout.hourly"), Parent: fn, Key: "hourly", Physical: prefix + "-checkout-hourly", Spec: role},
		manifest.Resource{Ref: ref(manifest.KindSchedule, "checkout.hourly"), Parent: fn, Key: "hourly", Physical: prefix + "-checkout-hourly", Spec: &manifest.ScheduleSpec{
			Description: "every hour", GroupName: "default", ScheduleExpression: "rate(1 hour)", ScheduleExpressionTimezone: "UTC", State: "ENABLED",
			FlexibleTimeWindow: manifest.FlexibleTimeWindow{Mode: "FLEXIBLE", MaximumWindowInMinutes: 10},
			Target:             manifest.ScheduleTarget{Arn: to(alias.Kind, alias.Name), RoleArn: to(manifest.KindRole, "checkout.hourly"), Input: map[string]any{"by": "hour"}, RetryPolicy: &manifest.RetryPolicy{MaximumRetryAttempts: &attempts}},
		}},
	)
}

// announced is a messaging world in place on a sandbox, seen by a survey.
func announced(t *testing.T) (*boxed, []manifest.Resource) {
	t.Helper()
	b := newBoxed(t, sandbox.Options{})
	all := b.messaging("preview")
	b.converge(all)
	b.inPlace(all)
	return b, all
}

// putBack puts a resource back from what a survey saw of it.
func (w *world) putBack(all []manifest.Resource, ref string, live providers.Live, fields, remove []string) {
	w.t.Helper()
	_, bindings := w.look(all)
	_, err := w.Put(w.ctx, providers.Change{
		Resource: find(w.t, all, ref), Bindings: bindings, Guard: live.Guard, Release: testRelease, Fields: fields, Remove: remove,
	})
	if err != nil {
		w.t.Fatalf("put %s: %v", ref, err)
	}
}

func refOf(t *testing.T, text string) manifest.Ref {
	t.Helper()
	ref, err := manifest.ParseRef(text)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestDriftOfMessagingIsSeenAndPutBack(t *testing.T) {
	b, all := announced(t)
	hand := b.as("bob")
	topics, bus, clock := sns.NewFromConfig(hand), eventbridge.NewFromConfig(hand), scheduler.NewFromConfig(hand)
	subscriptionARN := b.survey(all).Live[refOf(t, "Subscription/news.orders")].Attributes["arn"]
	topicARN := b.survey(all).Live[refOf(t, "Topic/news")].Attributes["arn"]
	for _, c := range []struct {
		name, ref, path string
		do              func() error
		remove          bool
		actor           string
	}{
		{"topic policy", "Topic/news", "policy", func() error {
			_, err := topics.AddPermission(t.Context(), &sns.AddPermissionInput{TopicArn: &topicARN, Label: awssdk.String("x"), AWSAccountId: []string{"222222222222"}, ActionName: []string{"Publish"}})
			return err
		}, false, "AddPermission"},
		{"topic attribute", "Topic/news", "displayName", func() error {
			_, err := topics.SetTopicAttributes(t.Context(), &sns.SetTopicAttributesInput{TopicArn: &topicARN, AttributeName: awssdk.String("DisplayName"), AttributeValue: awssdk.String("Olds")})
			return err
		}, false, "SetTopicAttributes"},
		{"filter policy", "Subscription/news.orders", "filterPolicy", func() error {
			_, err := topics.SetSubscriptionAttributes(t.Context(), &sns.SetSubscriptionAttributesInput{SubscriptionArn: &subscriptionARN, AttributeName: awssdk.String("FilterPolicy"), AttributeValue: awssdk.String(`{"kind":["all"]}`)})
			return err
		}, false, "SetSubscriptionAttributes"},
		{"rule disabled", "Rule/paid", "state", func() error {
			_, err := bus.DisableRule(t.Context(), &eventbridge.DisableRuleInput{Name: awssdk.String("preview-paid")})
			return err
		}, false, "DisableRule"},
		{"target repointed", "Rule/paid", "targets.queue.arn", func() error {
			_, err := bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: awssdk.String("preview-paid"), Targets: []ebtypes.Target{{Id: awssdk.String("queue"), Arn: awssdk.String("arn:aws:sqs:eu-west-1:222222222222:thief")}}})
			return err
		}, false, "PutTargets"},
		{"target removed", "Rule/paid", "targets.live.arn", func() error {
			_, err := bus.RemoveTargets(t.Context(), &eventbridge.RemoveTargetsInput{Rule: awssdk.String("preview-paid"), Ids: []string{"live"}})
			return err
		}, false, "RemoveTargets"},
		{"target added", "Rule/paid", "targets.spy.arn", func() error {
			_, err := bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: awssdk.String("preview-paid"), Targets: []ebtypes.Target{{Id: awssdk.String("spy"), Arn: awssdk.String("arn:aws:sqs:eu-west-1:222222222222:spy")}}})
			return err
		}, true, "PutTargets"},
		{"schedule disabled", "Schedule/checkout.hourly", "state", func() error {
			now, err := clock.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: awssdk.String("preview-checkout-hourly")})
			if err != nil {
				return err
			}
			_, err = clock.UpdateSchedule(t.Context(), &scheduler.UpdateScheduleInput{Name: now.Name, Description: now.Description, ScheduleExpression: now.ScheduleExpression,
				FlexibleTimeWindow: now.FlexibleTimeWindow, Target: now.Target, State: "DISABLED"})
			return err
		}, false, "UpdateSchedule"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.do(); err != nil {
				t.Fatal(err)
			}
			b.advance(11 * time.Minute) // the age of every layer
			ref := refOf(t, c.ref)
			live := b.survey(all).Live[ref]
			want := find(t, all, c.ref)
			_, bindings := b.look(all)
			spec, err := b.Canonical(want, bindings)
			if err != nil {
				t.Fatal(err)
			}
			if live.Spec.Fields[c.path] == spec.Fields[c.path] {
				t.Fatalf("%s is not seen: %s", c.path, live.Spec.Fields[c.path])
			}
			actors, err := b.Actors(t.Context(), want, b.box.Now().Add(-time.Hour))
			if err != nil || len(actors) == 0 || actors[0].Name != "user/bob" || actors[0].Event != c.actor {
				t.Errorf("actors: %+v, %v", actors, err)
			}
			fields, remove := []string{c.path}, []string(nil)
			if c.name == "target repointed" || c.name == "target removed" {
				fields = nil // every declared field
			}
			if c.remove {
				fields, remove = []string{}, []string{c.path}
			}
			b.putBack(all, c.ref, live, fields, remove)
			after := b.one(want)
			if got := after.Spec.Fields[c.path]; got != spec.Fields[c.path] {
				t.Errorf("%s is not put back: %q", c.path, got)
			}
		})
	}
	b.inPlace(all)
}

// What wrote a subscription may be gone with its manifest: it is found by the
// ARN it was seen with.
func TestASubscriptionIsDeletedByItsReferenceAlone(t *testing.T) {
	b, all := announced(t)
	for _, res := range all {
		if res.Ref.Kind != manifest.KindSubscription {
			continue
		}
		live := b.survey(all).Live[res.Ref]
		if _, err := b.Delete(b.ctx, manifest.Resource{Ref: res.Ref, Physical: res.Physical}, live.Guard); err != nil {
			t.Fatal(err)
		}
		if b.one(res).Exists {
			t.Errorf("%s is still there", res.Ref)
		}
		return
	}
	t.Fatal("no subscription is declared")
}

func TestUndeclaredSubscriptionsAreExtrasAndDetached(t *testing.T) {
	b, all := announced(t)
	topics := sns.NewFromConfig(b.as("bob"))
	topicARN := b.survey(all).Live[refOf(t, "Topic/news")].Attributes["arn"]
	for protocol, endpoint := range map[string]string{"sqs": "arn:aws:sqs:eu-west-1:111111111111:other", "https": "https://example.com/spy"} {
		if _, err := topics.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: &topicARN, Protocol: &protocol, Endpoint: &endpoint}); err != nil {
			t.Fatal(err)
		}
	}
	b.advance(11 * time.Minute)
	extras := map[bool]providers.Extra{}
	for _, e := range b.survey(all).Extras {
		if e.Ref.Kind == manifest.KindSubscription {
			extras[e.Open] = e
		}
	}
	inside, outside := extras[false], extras[true]
	if inside.Parent.String() != "Topic/news" || outside.Parent.String() != "Topic/news" {
		t.Fatalf("extras: %+v", extras)
	}
	if _, err := b.Detach(t.Context(), find(t, all, "Topic/news"), outside); providers.KindOf(err) != providers.Invalid {
		t.Errorf("detaching what waits for its confirmation: %v", err)
	}
	stale := inside
	stale.Guard = "seen:before"
	if _, err := b.Detach(t.Context(), find(t, all, "Topic/news"), stale); providers.KindOf(err) != providers.Conflict {
		t.Errorf("detaching what changed: %v", err)
	}
	if _, err := b.Detach(t.Context(), find(t, all, "Topic/news"), inside); err != nil {
		t.Fatal(err)
	}
	for _, e := range b.survey(all).Extras {
		if e.Ref == inside.Ref {
			t.Error("it is still there")
		}
	}
	b.inPlace(all)
}

func TestMessagingIsTakenApart(t *testing.T) {
	b, all := announced(t)
	for _, ref := range []string{"Subscription/checkout.news", "Subscription/news.orders", "Rule/paid", "Schedule/checkout.hourly", "Topic/news"} {
		res := find(t, all, ref)
		live := b.one(res)
		if _, err := b.Delete(t.Context(), res, "seen:before"); providers.KindOf(err) != providers.Conflict {
			t.Errorf("%s was deleted by an old guard: %v", ref, err)
		}
		for range 2 { // deleting what is absent succeeds
			if _, err := b.Delete(t.Context(), res, live.Guard); err != nil {
				t.Errorf("delete %s: %v", ref, err)
			}
		}
		if b.one(res).Exists {
			t.Errorf("%s still lives", ref)
		}
	}
}

func TestOthersTopicsRulesAndSchedulesAreNeverTouched(t *testing.T) {
	b, all := announced(t)
	other := b.as("bob")
	o := testOptions(t, b.box.URL())
	o.Config, o.Environment, o.Now = other, "production", b.clock.Now
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	_, bindings := b.look(all)
	for _, ref := range []string{"Topic/news", "Rule/paid", "Schedule/checkout.hourly", "Subscription/news.orders"} {
		res := find(t, all, ref)
		seen, err := p.Observe(t.Context(), append([]manifest.Resource{find(t, all, "Queue/orders"), find(t, all, "Topic/news")}, res)...)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Put(t.Context(), providers.Change{Resource: res, Bindings: bindings, Guard: seen[res.Ref].Guard})
		kindOf(t, err, providers.Denied)
		_, err = p.Delete(t.Context(), res, seen[res.Ref].Guard)
		kindOf(t, err, providers.Denied)
	}
}

func TestOrphansOfMessagingAreFound(t *testing.T) {
	b, all := announced(t)
	var rest []manifest.Resource
	for _, res := range all {
		switch res.Ref.Kind {
		case manifest.KindTopic, manifest.KindRule, manifest.KindSchedule, manifest.KindSubscription:
		default:
			rest = append(rest, res)
		}
	}
	o := testOptions(t, b.box.URL())
	o.Now = b.clock.Now
	p, err := New(o) // after a restart: nothing is remembered
	if err != nil {
		t.Fatal(err)
	}
	inv, err := p.Survey(t.Context(), rest)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"Topic/news", "Rule/paid", "Schedule/checkout.hourly"} {
		live := inv.Orphans[refOf(t, ref)]
		if !live.Exists {
			t.Errorf("%s is not found: %v", ref, inv.Orphans)
			continue
		}
		orphan := manifest.Resource{Ref: refOf(t, ref), Physical: live.Attributes["name"]}
		if _, err := p.Delete(t.Context(), orphan, live.Guard); err != nil {
			t.Errorf("delete %s: %v", ref, err)
		}
	}
}

// A sweep in the steady state asks for nothing by itself that the bulk shows.
func TestSweepOfMessagingCosts(t *testing.T) {
	b, all := announced(t)
	b.survey(all)
	b.box.Reset()
	b.advance(time.Second)
	b.survey(all)
	counts := b.box.Counts().Operations
	got := fmt.Sprint(counts["events:ListRules"], counts["scheduler:ListSchedules"], counts["events:ListTargetsByRule"],
		counts["scheduler:GetSchedule"], counts["sns:GetTopicAttributes"], counts["sns:GetSubscriptionAttributes"], counts["sns:ListSubscriptionsByTopic"])
	if got != "1 1 0 0 0 0 0" {
		t.Errorf("a quiet sweep asked %s: %v", got, counts)
	}
}

// A rule cannot move to another bus: it is made there, and then it goes here.
func TestARuleOfAnotherBusIsMadeAnew(t *testing.T) {
	b, all := announced(t)
	bus := eventbridge.NewFromConfig(b.as("bob"))
	if _, err := bus.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: awssdk.String("shop")}); err != nil {
		t.Fatal(err)
	}
	b.advance(11 * time.Minute)
	b.survey(all)
	for i := range all {
		if spec, ok := all[i].Spec.(*manifest.RuleSpec); ok {
			moved := *spec
			moved.EventBusName = "shop"
			all[i].Spec, all[i].Digest = &moved, "sha256:moved"
		}
	}
	b.converge(all)
	b.inPlace(all)
	rules, err := bus.ListRules(t.Context(), &eventbridge.ListRulesInput{})
	if err != nil || len(rules.Rules) != 0 {
		t.Errorf("the default bus still has %d rules, %v", len(rules.Rules), err)
	}
}
