package template

import (
	"strings"

	"mooring.dev/sources/manifest"
)

func (r *reader) queue(id string, p map[string]any) {
	d := r.begin(id, manifest.KindQueue)
	r.members(d, p, queueMembers, "QueueName", "RedrivePolicy", "Tags")
	if redrive, ok := r.value(d, "RedrivePolicy", p["RedrivePolicy"]).(map[string]any); ok {
		out := pruned(map[string]any{"deadLetter": redrive["deadLetterTargetArn"], "maxReceiveCount": redrive["maxReceiveCount"]})
		whole(out, "maxReceiveCount")
		d.Spec["redrive"] = out
	}
}

// queuePolicy gives a policy to the queues it names.
func (r *reader) queuePolicy(id string, p map[string]any) {
	r.policyOf(id, "Queues", manifest.KindQueue, p)
}

func (r *reader) topicPolicy(id string, p map[string]any) {
	r.policyOf(id, "Topics", manifest.KindTopic, p)
}

func (r *reader) policyOf(id, member, kind string, p map[string]any) {
	addresses, _ := r.resolver.resolve(p[member])
	taken := false
	for _, x := range items(addresses) {
		address, _ := x.(string)
		d := r.byAddress(address, kind)
		if d == nil {
			continue
		}
		document, ok := r.value(d, id+".PolicyDocument", p["PolicyDocument"]).(map[string]any)
		if ok {
			d.Spec["policy"], taken = r.own(d, document), true
		}
	}
	if !taken {
		r.skip(id, r.resources[id].kind, "what it is of is not in the template")
	}
}

// own puts the name of a thing where its policy names it: AWS takes * for
// that.
func (r *reader) own(d *manifest.Draft, x any) any {
	switch x := x.(type) {
	case map[string]any:
		for key, value := range x {
			x[key] = r.own(d, value)
		}
	case []any:
		for i := range x {
			x[i] = r.own(d, x[i])
		}
	case string:
		if x == d.Addresses["arn"] {
			if literal := r.resolver.literals[x]; literal != "" {
				return literal
			}
			return "*"
		}
	}
	return x
}

func (r *reader) topic(id string, p map[string]any) {
	d := r.begin(id, manifest.KindTopic)
	r.members(d, p, map[string]func(map[string]any, string){
		"DisplayName": nil, "FifoTopic": truth, "ContentBasedDeduplication": truth, "KmsMasterKeyId": nil, "SignatureVersion": whole,
		"TracingConfig": nil, "FifoThroughputScope": nil, "ArchivePolicy": nil,
	}, "TopicName", "Tags", "Subscription")
	for _, x := range items(r.value(d, "Subscription", p["Subscription"])) {
		if body, ok := x.(map[string]any); ok {
			r.subscribe(id, d, "", body)
		}
	}
}

func (r *reader) subscription(id string, p map[string]any) {
	address, why := plainAddress(r.resolver.eval(p["TopicArn"], 0))
	d := r.byAddress(address, manifest.KindTopic)
	if why != nil || d == nil && !strings.HasPrefix(address, "arn:") {
		r.skip(id, "AWS::SNS::Subscription", "its topic is not known")
		return
	}
	holder := d
	if holder == nil {
		holder = &manifest.Draft{}
	}
	body, _ := r.value(holder, id, p).(map[string]any)
	if d == nil {
		body["TopicArn"] = address
	}
	r.subscribe(id, d, address, body)
}

// subscribe makes a trigger of a function's subscription, and a part of the
// topic of any other.
func (r *reader) subscribe(id string, d *manifest.Draft, topic string, body map[string]any) {
	if d != nil {
		topic = d.Addresses["arn"]
	}
	endpoint, _ := body["Endpoint"].(string)
	protocol, _ := body["Protocol"].(string)
	out := map[string]any{"filterPolicy": body["FilterPolicy"], "filterPolicyScope": body["FilterPolicyScope"]}
	if redrive, ok := body["RedrivePolicy"].(map[string]any); ok {
		out["deadLetter"] = redrive["deadLetterTargetArn"]
	}
	if fn := r.functionAt(endpoint); fn != nil && protocol == "lambda" {
		out["topic"] = topic
		r.triggers(fn)[freeKey(r.triggers(fn), id)] = pruned(out)
		return
	}
	if d == nil {
		r.skip(id, "AWS::SNS::Subscription", "neither its topic nor a function it calls is in the template")
		return
	}
	switch protocol {
	case "sqs":
		out["queue"] = endpoint
	case "lambda":
		out["function"] = endpoint
	default:
		out["protocol"], out["endpoint"] = protocol, endpoint
	}
	out["rawMessageDelivery"], out["deliveryPolicy"], out["subscriptionRoleArn"] = body["RawMessageDelivery"], body["DeliveryPolicy"], body["SubscriptionRoleArn"]
	truth(out, "rawMessageDelivery")
	all, ok := d.Spec["subscriptions"].(map[string]any)
	if !ok {
		all = map[string]any{}
		d.Spec["subscriptions"] = all
	}
	if endpoint == "" {
		d.Leave("%s: the endpoint of a subscription by %s is not known", id, protocol)
		return
	}
	all[freeKey(all, id)] = pruned(out)
}

// functionAt is the function an address calls, by itself or by an alias.
func (r *reader) functionAt(address string) *manifest.Draft {
	if id, ok := strings.CutPrefix(address, aliasAddress); ok {
		return r.drafts[r.aliasOf(id)]
	}
	return r.byAddress(address, manifest.KindFunction)
}

func freeKey(taken map[string]any, key string) string {
	for try := key; ; try += "-2" {
		if _, there := taken[try]; !there {
			return try
		}
	}
}
