package main

import "strings"

// document is a manifest of a kind of its own, with the fields of its spec,
// one a line.
func document(kind string, fields ...string) string {
	return "apiVersion: mooring.dev/v1\nkind: " + kind + "\nmetadata: {name: NAME}\nspec:\n  " + strings.Join(fields, "\n  ") + "\n"
}

const ownQueue = "arn:aws:sqs:eu-west-1:111111111111:alices-own"

// messagingRows are of rules, schedules and topics.
func messagingRows() []driftRow {
	return append(append(ruleRows(), scheduleRows()...), topicRows()...)
}

func ruleRows() []driftRow {
	declared := document("Rule", "eventPattern: {source: [shop]}", "targets:", "  own: {arn: '"+ownQueue+"', inputPath: $.detail}")
	look := func(h *python, n string) any {
		rule, _, _ := h.try("events", "describe_rule", with{"Name": n})
		targets, _, _ := h.try("events", "list_targets_by_rule", with{"Rule": n})
		return []any{rule, targets}
	}
	put := func(members with) func(*python, string) {
		return func(h *python, n string) {
			h.do("events", "put_targets", with{"Rule": n, "Targets": []with{members}})
		}
	}
	return []driftRow{
		{number: "62", name: "rule-off", deed: "rule disabled", declared: declared, look: look, hand: func(h *python, n string) {
			h.as("carol").do("events", "disable_rule", with{"Name": n})
		}, who: "user/carol", want: []wanted{
			{"Rule/NAME state changed", `"ENABLED"`, `"DISABLED"`, "high", holds, "DisableRule", false},
		}},
		{number: "62", name: "rule-trigger-off", deed: "rule of a function disabled", declared: function("triggers: {paid: {rule: {eventPattern: {source: [shop]}}}}"), hand: func(h *python, n string) {
			h.do("events", "disable_rule", with{"Name": n + "-paid"})
		}, want: []wanted{
			{"Rule/NAME.paid state changed", `"ENABLED"`, `"DISABLED"`, "high", holds, "DisableRule", false},
		}},
		{number: "62", name: "rule-on", deed: "rule enabled that is declared disabled", declared: declared + "  state: DISABLED\n", look: look, hand: func(h *python, n string) {
			h.do("events", "enable_rule", with{"Name": n})
		}, want: []wanted{
			{"Rule/NAME state changed", `"DISABLED"`, `"ENABLED"`, "medium", reverts, "EnableRule", false},
		}, writes: []string{"PutRule eventPattern state"}},
		{number: "63", name: "rule-pattern", deed: "rule's pattern", declared: declared, look: look, hand: func(h *python, n string) {
			h.do("events", "put_rule", with{"Name": n, "EventPattern": `{"source":["till"]}`})
		}, want: []wanted{
			{"Rule/NAME eventPattern changed", `{"source":["shop"]}`, `{"source":["till"]}`, "medium", reverts, "PutRule", false},
		}, writes: []string{"PutRule eventPattern state"}},
		{number: "63", name: "rule-pattern-same", deed: "the same pattern, written otherwise", declared: declared, look: look, hand: func(h *python, n string) {
			h.do("events", "put_rule", with{"Name": n, "EventPattern": `{ "source" : [ "shop" ] }`})
		}},
		{number: "63", name: "rule-input", deed: "input of a target", declared: declared, look: look, hand: put(with{"Id": "own", "Arn": ownQueue, "Input": `{"a":1}`}), want: []wanted{
			{"Rule/NAME targets.own.input extra", "", `{"a":1}`, "medium", reverts, "PutTargets", false},
			{"Rule/NAME targets.own.inputPath missing", `"$.detail"`, "", "medium", reverts, "PutTargets", false},
		}, writes: []string{"PutTargets targets"}},
		{number: "63", name: "rule-moved", deed: "target sent elsewhere", declared: declared, look: look, hand: put(with{"Id": "own", "Arn": "arn:aws:sqs:eu-west-1:222222222222:else", "InputPath": "$.detail"}), want: []wanted{
			{"Rule/NAME targets.own.arn changed", `"` + ownQueue + `"`, `"arn:aws:sqs:eu-west-1:222222222222:else"`, "high", reverts, "PutTargets", false},
		}, writes: []string{"PutTargets targets"}},
		{number: "63", name: "rule-target-extra", deed: "target added", declared: declared, look: look, hand: put(with{"Id": "spy", "Arn": "arn:aws:sqs:eu-west-1:222222222222:else"}), want: []wanted{
			{"Rule/NAME targets.spy.arn extra", "", `"arn:aws:sqs:eu-west-1:222222222222:else"`, "high", reverts, "PutTargets", false},
		}, writes: []string{"RemoveTargets ids"}},
		{number: "63", name: "rule-target-gone", deed: "target taken away", declared: declared, look: look, hand: func(h *python, n string) {
			h.do("events", "remove_targets", with{"Rule": n, "Ids": []string{"own"}})
		}, want: []wanted{
			{"Rule/NAME targets.own.arn missing", `"` + ownQueue + `"`, "", "high", reverts, "RemoveTargets", false},
			{"Rule/NAME targets.own.inputPath missing", `"$.detail"`, "", "medium", reverts, "RemoveTargets", false},
		}, writes: []string{"PutTargets targets"}},
		{number: "63", name: "rule-gone", deed: "rule deleted", declared: declared, look: look, hand: func(h *python, n string) {
			h.do("events", "remove_targets", with{"Rule": n, "Ids": []string{"own"}})
			h.do("events", "delete_rule", with{"Name": n})
		}, want: []wanted{
			{"Rule/NAME missing", "", "", "high", reverts, "DeleteRule", false},
		}, writes: []string{"PutRule eventPattern state tags", "PutTargets targets"}},
	}
}

func scheduleRows() []driftRow {
	declared := document("Schedule", "scheduleExpression: rate(1 hour)", "target: {arn: '"+ownQueue+"', input: {a: 1}}")
	look := func(h *python, n string) any {
		out, _, _ := h.try("scheduler", "get_schedule", with{"Name": n})
		delete(out, "CreationDate")
		delete(out, "LastModificationDate")
		return out
	}
	// update changes members of a schedule as the console does: all of it is
	// written.
	update := func(members with) func(*python, string) {
		return func(h *python, n string) {
			now := h.do("scheduler", "get_schedule", with{"Name": n})
			all := with{}
			for _, name := range []string{"Name", "Description", "ScheduleExpression", "FlexibleTimeWindow", "Target", "State"} {
				all[name] = now[name]
			}
			for name, value := range members {
				all[name] = value
			}
			h.do("scheduler", "update_schedule", all)
		}
	}
	const whole = "actionAfterCompletion clientToken description flexibleTimeWindow groupName scheduleExpression scheduleExpressionTimezone state target"
	return []driftRow{
		{number: "64", name: "schedule-off", deed: "schedule disabled", declared: declared, look: look, hand: update(with{"State": "DISABLED"}), want: []wanted{
			{"Schedule/NAME state changed", `"ENABLED"`, `"DISABLED"`, "high", holds, "UpdateSchedule", false},
		}},
		{number: "64", name: "schedule-trigger-off", deed: "schedule of a function disabled", declared: function("triggers: {hourly: {schedule: rate(1 hour)}}"), hand: func(h *python, n string) {
			update(with{"State": "DISABLED"})(h, n+"-hourly")
		}, want: []wanted{
			{"Schedule/NAME.hourly state changed", `"ENABLED"`, `"DISABLED"`, "high", holds, "UpdateSchedule", false},
		}},
		{number: "64", name: "schedule-time", deed: "schedule's time and window", declared: declared, look: look,
			hand: update(with{"ScheduleExpression": "rate(2 hours)", "FlexibleTimeWindow": with{"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}}), want: []wanted{
				{"Schedule/NAME flexibleTimeWindow.maximumWindowInMinutes changed", "0", "5", "medium", reverts, "UpdateSchedule", false},
				{"Schedule/NAME flexibleTimeWindow.mode changed", `"OFF"`, `"FLEXIBLE"`, "medium", reverts, "UpdateSchedule", false},
				{"Schedule/NAME scheduleExpression changed", `"rate(1 hour)"`, `"rate(2 hours)"`, "medium", reverts, "UpdateSchedule", false},
			}, writes: []string{"UpdateSchedule " + whole}},
		{number: "64", name: "schedule-gone", deed: "schedule deleted", declared: declared, look: look, hand: func(h *python, n string) {
			h.do("scheduler", "delete_schedule", with{"Name": n})
		}, want: []wanted{
			{"Schedule/NAME missing", "", "", "high", reverts, "DeleteSchedule", false},
		}, writes: []string{"CreateSchedule " + whole}},
	}
}

func topicRows() []driftRow {
	declared := document("Topic", "displayName: News", "subscriptions:",
		"  own: {queue: '"+ownQueue+"', rawMessageDelivery: true, filterPolicy: {kind: [paid]}, deadLetter: '"+ownQueue+"'}")
	arn := func(n string) string { return "arn:aws:sns:eu-west-1:111111111111:" + n }
	sub := func(h *python, n string) string {
		list, _ := h.do("sns", "list_subscriptions_by_topic", with{"TopicArn": arn(n)})["Subscriptions"].([]any)
		if len(list) == 0 {
			h.t.Fatalf("topic %s has no subscription", n)
		}
		one, _ := list[0].(map[string]any)
		id, _ := one["SubscriptionArn"].(string)
		return id
	}
	look := func(h *python, n string) any {
		topic, _, _ := h.try("sns", "get_topic_attributes", with{"TopicArn": arn(n)})
		attributes, _ := topic["Attributes"].(map[string]any)
		for name := range attributes {
			if strings.HasPrefix(name, "Subscriptions") {
				delete(attributes, name)
			}
		}
		listed, _, _ := h.try("sns", "list_subscriptions_by_topic", with{"TopicArn": arn(n)})
		subs := []any{}
		list, _ := listed["Subscriptions"].([]any)
		for _, one := range list {
			m, _ := one.(map[string]any)
			out, _, _ := h.try("sns", "get_subscription_attributes", with{"SubscriptionArn": m["SubscriptionArn"]})
			held, _ := out["Attributes"].(map[string]any)
			delete(held, "SubscriptionArn")
			delete(held, "SubscriptionPrincipal")
			subs = append(subs, m["Endpoint"], held)
		}
		return []any{attributes, subs}
	}
	setSub := func(name, value string) func(*python, string) {
		return func(h *python, n string) {
			h.do("sns", "set_subscription_attributes", with{"SubscriptionArn": sub(h, n), "AttributeName": name, "AttributeValue": value})
		}
	}
	set := []string{"SetSubscriptionAttributes attributeName attributeValue"}
	return []driftRow{
		{number: "65", name: "sub-filter", deed: "subscription's filter", declared: declared, look: look, hand: setSub("FilterPolicy", `{"kind":["all"]}`), want: []wanted{
			{"Subscription/NAME.own filterPolicy changed", `{"kind":["paid"]}`, `{"kind":["all"]}`, "high", reverts, "SetSubscriptionAttributes", false},
		}, writes: set},
		{number: "65", name: "sub-raw", deed: "subscription's raw delivery", declared: declared, look: look, hand: setSub("RawMessageDelivery", "false"), want: []wanted{
			{"Subscription/NAME.own rawMessageDelivery changed", "true", "false", "medium", reverts, "SetSubscriptionAttributes", false},
		}, writes: set},
		{number: "65", name: "sub-redrive", deed: "subscription's dead-letter queue taken away", declared: declared, look: look, hand: setSub("RedrivePolicy", ""), want: []wanted{
			{"Subscription/NAME.own redrivePolicy.deadLetterTargetArn changed", `"` + ownQueue + `"`, `""`, "medium", reverts, "SetSubscriptionAttributes", false},
		}, writes: set},
		{number: "65", name: "sub-gone", deed: "unsubscribed", declared: declared, look: look, hand: func(h *python, n string) {
			h.do("sns", "unsubscribe", with{"SubscriptionArn": sub(h, n)})
		}, want: []wanted{
			{"Subscription/NAME.own missing", "", "", "high", reverts, "Unsubscribe", false},
		}, writes: []string{"Subscribe attributes endpoint protocol returnSubscriptionArn"}},
		{number: "65", name: "sub-trigger-gone", deed: "function unsubscribed", declared: function("triggers: {news: {topic: 'arn:aws:sns:eu-west-1:111111111111:alices-news'}}"),
			before: func(h *python, _ string) { h.do("sns", "create_topic", with{"Name": "alices-news"}) },
			hand: func(h *python, n string) {
				h.do("sns", "unsubscribe", with{"SubscriptionArn": sub(h, "alices-news")})
			}, want: []wanted{
				{"Subscription/NAME.news missing", "", "", "high", reverts, "Unsubscribe", false},
			}, writes: []string{"Subscribe endpoint protocol returnSubscriptionArn"}},
		{number: "65", name: "sub-extra", deed: "subscription added", declared: declared, look: look, hand: func(h *python, n string) {
			h.do("sns", "subscribe", with{"TopicArn": arn(n), "Protocol": "sqs", "Endpoint": ownQueue + "-too"})
		}, want: []wanted{
			{"Subscription/NAME.UUID extra", "", `{"endpoint":"` + ownQueue + `-too","protocol":"sqs","topicArn":"arn:aws:sns:eu-west-1:111111111111:production-NAME"}`, "medium", alerts, "Subscribe", false},
		}},
		{number: "65", name: "sub-outside", deed: "subscription added that leads out of the account", declared: declared, look: look, hand: func(h *python, n string) {
			h.do("sns", "subscribe", with{"TopicArn": arn(n), "Protocol": "sqs", "Endpoint": "arn:aws:sqs:eu-west-1:222222222222:else"})
		}, want: []wanted{
			{"Subscription/NAME.UUID extra", "", `{"endpoint":"arn:aws:sqs:eu-west-1:222222222222:else","protocol":"sqs","topicArn":"arn:aws:sns:eu-west-1:111111111111:production-NAME"}`, "high", alerts, "Subscribe", false},
		}},
		{number: "66", name: "topic-policy", deed: "topic's policy", declared: declared, look: look, hand: func(h *python, n string) {
			h.do("sns", "set_topic_attributes", with{"TopicArn": arn(n), "AttributeName": "Policy", "AttributeValue": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sns:Publish","Resource":"*"}]}`})
		}, want: []wanted{
			{"Topic/NAME policy changed", `""`, `{"Statement":[{"Action":["sns:publish"],"Effect":"Allow","Principal":{"AWS":["*"]},"Resource":["*"]}],"Version":"2012-10-17"}`, "high", reverts, "SetTopicAttributes", false},
		}, writes: []string{"SetTopicAttributes attributeName attributeValue"}},
		{number: "66", name: "topic-name", deed: "topic's display name", declared: declared, look: look, hand: func(h *python, n string) {
			h.do("sns", "set_topic_attributes", with{"TopicArn": arn(n), "AttributeName": "DisplayName", "AttributeValue": "Olds"})
		}, want: []wanted{
			{"Topic/NAME displayName changed", `"News"`, `"Olds"`, "low", reverts, "SetTopicAttributes", false},
		}, writes: []string{"SetTopicAttributes attributeName attributeValue"}},
		{number: "66", name: "topic-gone", deed: "topic deleted", declared: declared, look: look, hand: func(h *python, n string) {
			h.do("sns", "delete_topic", with{"TopicArn": arn(n)})
		}, want: []wanted{
			{what: "Subscription/NAME.own missing", severity: "high", response: reverts, waits: true}, // for its topic
			{"Topic/NAME missing", "", "", "critical", holds, "DeleteTopic", false},
		}},
	}
}
