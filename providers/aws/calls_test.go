package aws

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

// operations counts calls by service and operation.
type operations struct {
	mu sync.Mutex
	n  map[string]int
}

func (o *operations) heard(service, operation, _ string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n == nil {
		o.n = map[string]int{}
	}
	o.n[service+":"+operation]++
}

func (o *operations) take() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.n
	o.n = nil
	return n
}

// crowd declares and makes n of each kind that stands by itself.
func (b *boxed) crowd(n int) []manifest.Resource {
	b.t.Helper()
	var all []manifest.Resource
	add := func(kind string, i int, stateful bool, spec any) {
		name := fmt.Sprintf("c%03d", i)
		all = append(all, manifest.Resource{Ref: manifest.Ref{Kind: kind, Name: name}, Physical: "preview-" + name, Spec: spec, Stateful: stateful})
	}
	for i := range n {
		add(manifest.KindQueue, i, false, &manifest.QueueSpec{VisibilityTimeout: 30})
		add(manifest.KindTopic, i, false, &manifest.TopicSpec{SignatureVersion: 2})
		add(manifest.KindRule, i, false, &manifest.RuleSpec{EventBusName: "default", EventPattern: map[string]any{"source": []any{"shop"}}, State: "ENABLED"})
		add(manifest.KindTable, i, true, &manifest.TableSpec{
			Manage: true, DeletionPolicy: manifest.Retain, BillingMode: "PAY_PER_REQUEST", TableClass: "STANDARD",
			AttributeDefinitions: map[string]string{"id": "S"}, KeySchema: &manifest.KeySchema{Hash: "id"},
		})
		add(manifest.KindBucket, i, true, &manifest.BucketSpec{Manage: true, DeletionPolicy: manifest.Retain, Versioning: "Enabled"})
		add(manifest.KindLogGroup, i, true, &manifest.LogGroupSpec{RetentionInDays: 30})
		add(manifest.KindAlarm, i, false, &manifest.AlarmSpec{
			Namespace: "AWS/Lambda", MetricName: "Errors", Statistic: "Sum", Period: 60, EvaluationPeriods: 1,
			ComparisonOperator: "GreaterThanThreshold", Threshold: number(1), ActionsEnabled: true,
		})
		add(manifest.KindRole, i, false, &manifest.RoleSpec{Path: "/", MaxSessionDuration: 3600})
	}
	parallel(4, all, func(res manifest.Resource) {
		if _, err := b.Put(b.ctx, providers.Change{Resource: res, Release: testRelease}); err != nil {
			b.t.Errorf("put %s: %v", res.Ref, err)
		}
	})
	b.converge(all)
	return all
}

// callsOfKinds is what ten minutes of surveys, a minute apart, may ask of each
// service for a hundred things of a kind that nobody touches.
var callsOfKinds = map[string]int{
	"SQS":                         100, // attributes; tags come with the listing of what is owned
	"SNS":                         200, // attributes; the listing of subscriptions
	"EventBridge":                 110, // targets; rules in bulk, every survey
	"DynamoDB":                    300, // the table, its time to live, its backups
	"S3":                          400,
	"CloudWatch Logs":             120, // subscription filters; groups fifty a call, metric filters together
	"CloudWatch":                  10,  // a hundred a call
	"IAM":                         15,  // two calls for all roles
	"Lambda":                      40,  // functions, mappings and code signing in bulk
	"Resource Groups Tagging API": 20,
}

// TestCallsOfEachKind: a kind is looked at in the cheapest way its service
// has, and no look becomes older than it may.
func TestCallsOfEachKind(t *testing.T) {
	const each, minutes = 20, 20
	var heard operations
	b := newBoxed(t, sandbox.Options{Records: 10}, func(o *Options) { o.OnCall = heard.heard })
	all := b.crowd(each)
	b.survey(all)
	b.advance(time.Minute)
	b.survey(all)
	heard.take()
	for range minutes {
		b.advance(time.Minute)
		inv := b.survey(all)
		for layer, at := range inv.Layers {
			if age := inv.At.Sub(at); age > b.o.LayerAge && layer != layerSettings {
				t.Errorf("%s is %v old", layer, age)
			}
		}
	}
	calls, services := heard.take(), map[string]int{}
	for _, name := range sortedKeys(calls) {
		t.Logf("%s: %d", name, calls[name])
		service, _, _ := strings.Cut(name, ":")
		services[service] += calls[name]
	}
	for service, n := range services {
		// What is asked for all together costs the same for few.
		if most := callsOfKinds[service]*each*minutes/1000 + 12*minutes/10; n > most {
			t.Errorf("%d things of each kind took %d calls of %s in %d minutes, at most %d are needed", each, n, service, minutes, most)
		}
	}
}
