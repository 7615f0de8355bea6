package aws

import (
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

func logGroupOf(prefix string, spec manifest.LogGroupSpec) manifest.Resource {
	return manifest.Resource{
		Ref: manifest.Ref{Kind: manifest.KindLogGroup, Name: "audit"}, Physical: prefix + "-audit", Spec: &spec, Stateful: true,
	}
}

// shippedLogGroup sends its errors to a function that takes them from anybody.
func (b *boxed) shippedLogGroup() manifest.Resource {
	b.t.Helper()
	all := b.shop("preview")
	for i, res := range all {
		if res.Ref.Kind == manifest.KindPermission {
			all[i].Spec = &manifest.PermissionSpec{
				Alias: res.Spec.(*manifest.PermissionSpec).Alias, Action: "lambda:InvokeFunction", Principal: "logs.amazonaws.com",
				SourceArn: manifest.Value{Literal: "arn:aws:logs:" + testRegion + ":" + testAccount + ":log-group:preview-audit:*"},
			}
		}
	}
	b.converge(all)
	group := fullLogGroup("preview")
	group.Spec.(*manifest.LogGroupSpec).SubscriptionFilters = map[string]manifest.SubscriptionFilter{"ship": {
		FilterPattern:  "ERROR",
		DestinationArn: manifest.Value{Literal: "arn:aws:lambda:" + testRegion + ":" + testAccount + ":function:preview-checkout:live"},
	}}
	return group
}

// fullLogGroup sets every member that can be changed, but for subscriptions.
func fullLogGroup(prefix string) manifest.Resource {
	zero := 0.0
	return logGroupOf(prefix, manifest.LogGroupSpec{
		RetentionInDays: 30, DeletionPolicy: "Delete", DeletionProtectionEnabled: true,
		KmsKeyID: "arn:aws:kms:" + testRegion + ":" + testAccount + ":key/11111111-2222-3333-4444-555555555555",
		MetricFilters: map[string]manifest.MetricFilter{
			"denied":  {FilterPattern: `{ $.outcome = "denied" }`, MetricNamespace: "Shop", MetricName: "Denied", DefaultValue: &zero},
			"latency": {MetricNamespace: "Shop", MetricName: "Latency", MetricValue: "$.ms", Unit: "Milliseconds", Dimensions: map[string]string{"Path": "$.path"}},
		},
		Tags: map[string]string{"team": "payments"},
	})
}

// bareLogGroup takes all of it away again.
func bareLogGroup(prefix string) manifest.Resource {
	return logGroupOf(prefix, manifest.LogGroupSpec{LogGroupClass: "STANDARD", Tags: map[string]string{"team": "orders"}})
}

// reshape converges on each form in turn: a field that is written and cannot
// be cleared again would drift for ever.
func (w *world) reshape(forms ...[]manifest.Resource) {
	w.t.Helper()
	for _, all := range forms {
		w.converge(all)
		w.clear(all)
		w.inPlace(all)
	}
}

// clear takes away what lives on the resources and is not declared, of what
// needs others first.
func (w *world) clear(all []manifest.Resource) {
	w.t.Helper()
	live, b := w.look(all)
	for i := range all {
		res := all[len(all)-1-i]
		want, err := w.Canonical(res, b)
		if err != nil {
			w.t.Fatal(err)
		}
		c := providers.Change{Resource: res, Bindings: b, Fields: []string{}, Guard: live[res.Ref].Guard, Release: testRelease}
		for path := range live[res.Ref].Spec.Fields {
			if _, declared := want.Fields[path]; !declared {
				c.Remove = append(c.Remove, path)
			}
		}
		if len(c.Remove) == 0 {
			continue
		}
		if _, err := w.Put(w.ctx, c); err != nil {
			w.t.Fatal(err)
		}
		after, _ := w.look([]manifest.Resource{res})
		for _, path := range c.Remove {
			if _, there := after[res.Ref].Spec.Fields[path]; there {
				w.t.Errorf("%s of %s was to go, and is there", path, res.Ref)
			}
		}
	}
}

func TestEveryFieldOfALogGroupIsSetAndCleared(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	full := b.shippedLogGroup()
	b.reshape([]manifest.Resource{full}, []manifest.Resource{bareLogGroup("preview")}, []manifest.Resource{full})
}

// A log group whose manifest never said so is not deleted, whoever asks.
func TestLogGroupsAreKept(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	logs := cloudwatchlogs.NewFromConfig(b.as("AKIABOB"))
	group := bareLogGroup("preview")
	b.converge([]manifest.Resource{group})
	if _, err := b.Delete(b.ctx, group, ""); providers.KindOf(err) != providers.Denied {
		t.Fatalf("deleting what is to be kept: %v", err)
	}
	spec := *group.Spec.(*manifest.LogGroupSpec)
	spec.DeletionPolicy = "Delete"
	group.Spec = &spec
	b.converge([]manifest.Resource{group})
	orphaned, err := b.Survey(b.ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	orphan := orphaned.Orphans[group.Ref]
	if orphan.Spec.Fields["deletionPolicy"] != `"Delete"` {
		t.Fatalf("as an orphan it shows %v", orphan.Spec.Fields)
	}
	if _, err := b.Delete(b.ctx, manifest.Resource{Ref: group.Ref, Physical: orphan.Attributes["name"]}, orphan.Guard); err != nil {
		t.Fatal(err)
	}
	left, err := logs.DescribeLogGroups(b.ctx, &cloudwatchlogs.DescribeLogGroupsInput{})
	if err != nil || len(left.LogGroups) != 0 {
		t.Errorf("%v, %v are left", err, left.LogGroups)
	}
}

// The group Lambda made by itself is a function's own, and is taken over; one
// that belongs to another environment is not.
func TestLogGroupsAreAdopted(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	logs := cloudwatchlogs.NewFromConfig(b.as("AKIABOB"))
	group := bareLogGroup("preview")
	if _, err := logs.CreateLogGroup(b.ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group.Physical}); err != nil {
		t.Fatal(err)
	}
	c := providers.Change{Resource: group, Release: testRelease}
	if _, err := b.Put(b.ctx, c); providers.KindOf(err) != providers.Denied {
		t.Errorf("writing what nobody owns: %v", err)
	}
	group.Adopt = true
	b.reshape([]manifest.Resource{group})
	name := "arn:aws:logs:" + testRegion + ":" + testAccount + ":log-group:" + group.Physical
	if _, err := logs.TagResource(b.ctx, &cloudwatchlogs.TagResourceInput{ResourceArn: &name, Tags: map[string]string{tagEnvironment: "production"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(b.ctx, providers.Change{Resource: group, Release: testRelease}); providers.KindOf(err) != providers.Denied {
		t.Errorf("writing another environment's: %v", err)
	}
}

// What a hand does to a log group shows, field by field, and is put back
// alone.
func TestLogGroupDrift(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	logs := cloudwatchlogs.NewFromConfig(b.as("AKIABOB"))
	group := b.shippedLogGroup()
	b.converge([]manifest.Resource{group})
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	before, _ := b.look([]manifest.Resource{group})
	must(logs.DeleteRetentionPolicy(b.ctx, &cloudwatchlogs.DeleteRetentionPolicyInput{LogGroupName: &group.Physical}))
	must(logs.DeleteSubscriptionFilter(b.ctx, &cloudwatchlogs.DeleteSubscriptionFilterInput{LogGroupName: &group.Physical, FilterName: awssdk.String("ship")}))
	must(logs.PutSubscriptionFilter(b.ctx, &cloudwatchlogs.PutSubscriptionFilterInput{
		LogGroupName: &group.Physical, FilterName: awssdk.String("leak"), FilterPattern: awssdk.String(""),
		DestinationArn: awssdk.String("arn:aws:logs:" + testRegion + ":999999999999:destination:elsewhere"),
	}))
	after, bindings := b.look([]manifest.Resource{group})
	fields := after[group.Ref].Spec.Fields
	if _, there := fields["subscriptionFilters.ship"]; there || fields["retentionInDays"] != "0" || fields["subscriptionFilters.leak"] == "" {
		t.Errorf("what the hand did shows as %v", fields)
	}
	c := providers.Change{
		Resource: group, Bindings: bindings, Guard: before[group.Ref].Guard, Release: testRelease,
		Fields: []string{"retentionInDays"}, Remove: []string{"subscriptionFilters.leak"},
	}
	if _, err := b.Put(b.ctx, c); providers.KindOf(err) != providers.Conflict {
		t.Errorf("a guard of before: %v", err)
	}
	c.Guard = after[group.Ref].Guard
	if _, err := b.Put(b.ctx, c); err != nil {
		t.Fatal(err)
	}
	now, _ := b.look([]manifest.Resource{group})
	fields = now[group.Ref].Spec.Fields
	_, leak := fields["subscriptionFilters.leak"]
	if _, ship := fields["subscriptionFilters.ship"]; ship || leak || fields["retentionInDays"] != "30" {
		t.Errorf("after putting two fields back: %v", fields)
	}
	actors, err := b.Actors(b.ctx, group, now[group.Ref].SeenAt.Add(-1e12))
	if err != nil || len(actors) < 3 {
		t.Errorf("who did it: %v, %v", actors, err)
	}
}

// witnessLogGroup is what moto says of log groups. It knows no protection from
// deletion, and no way to take a key away.
func witnessLogGroup(w *world) {
	full, bare := fullLogGroup("logs"), bareLogGroup("logs")
	spec := full.Spec.(*manifest.LogGroupSpec)
	spec.KmsKeyID, spec.DeletionProtectionEnabled = "", false
	w.reshape([]manifest.Resource{full}, []manifest.Resource{bare}, []manifest.Resource{full})
}
