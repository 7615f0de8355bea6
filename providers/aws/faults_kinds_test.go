package aws

import (
	"context"
	"fmt"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers/aws/quota"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

// kindsOf are the kinds that a survey reads by a service's answers.
var kindsOf = map[string][]string{
	"sqs":        {manifest.KindQueue, manifest.KindSubscription}, // found by its endpoint
	"sns":        {manifest.KindTopic, manifest.KindSubscription},
	"events":     {manifest.KindRule},
	"scheduler":  {manifest.KindSchedule},
	"dynamodb":   {manifest.KindTable},
	"s3":         {manifest.KindBucket},
	"logs":       {manifest.KindLogGroup},
	"monitoring": {manifest.KindAlarm},
	"iam":        {manifest.KindRole},
	"lambda": {
		manifest.KindSubscription, manifest.KindFunction, manifest.KindAlias, manifest.KindTrigger, manifest.KindPermission, manifest.KindURL, manifest.KindAsync, manifest.KindConcurrency,
	},
	"tagging": nil, // what nobody wants any more is not found
}

// TestSurveyDeniedByOneService: whichever service refuses to answer, to a
// daemon that knew everything and to one that knows nothing yet: what is read
// there is unknown, never absent, the survey says so, and all the rest is told.
func TestSurveyDeniedByOneService(t *testing.T) {
	b := newBoxed(t, sandbox.Options{Records: 10})
	all := b.messaging("preview")
	b.converge(all)
	for i := range all { // as rendering tells them
		if spec, ok := all[i].Spec.(*manifest.SubscriptionSpec); ok {
			all[i].Refs = []manifest.Ref{spec.Topic.Ref, spec.Endpoint.Ref}
		}
	}
	all = append(all, b.crowd(2)...)
	b.survey(all)
	for _, service := range sortedKeys(kindsOf) {
		for how, w := range map[string]*world{"known": b.world, "new": newWorld(t, testOptions(t, b.box.URL()))} {
			t.Run(service+" "+how, func(t *testing.T) {
				id, err := b.box.Faults.Add(sandbox.Rule{Service: service, Effect: sandbox.Effect{Status: 403, Code: "AccessDeniedException"}})
				if err != nil {
					t.Fatal(err)
				}
				defer b.box.Faults.Remove(id)
				w.advance(w.o.LayerAge)
				inv, err := w.Survey(t.Context(), all)
				if err != nil {
					t.Fatal(err)
				}
				if inv.Complete || len(inv.Errors) == 0 {
					t.Error("the survey calls itself complete")
				}
				honest(t, inv, all)
				theirs := map[string]bool{}
				for _, kind := range kindsOf[service] {
					theirs[kind] = true
				}
				for _, res := range all {
					if _, told := inv.Live[res.Ref]; !told && !theirs[res.Ref.Kind] {
						t.Errorf("%s is not told: %v", res.Ref, inv.Errors[res.Ref])
					}
				}
				for ref := range inv.Orphans {
					t.Errorf("%s passes for unwanted", ref)
				}
			})
		}
	}
	b.advance(b.o.LayerAge)
	if inv := b.survey(all); honest(t, inv, all) != 0 {
		t.Error("not everything is known again")
	}
}

// TestSurveyWithAPageOfAnyListMissing: of a listing that breaks off, nothing
// is concluded about what its other pages would have shown.
func TestSurveyWithAPageOfAnyListMissing(t *testing.T) {
	b := newBoxed(t, sandbox.Options{Records: 10})
	all := b.shop("preview")
	b.converge(all)
	all = append(all, b.crowd(60)...)
	b.strayMappings(t, "preview-checkout", 210)
	b.survey(all)
	extras := len(b.survey(all).Extras)
	for _, c := range []struct {
		operation string
		page      int
	}{{"GetResources", 3}, {"ListEventSourceMappings", 3}, {"DescribeLogGroups", 2}, {"GetAccountAuthorizationDetails", 1}, {"ListRoles", 1}, {"DescribeMetricFilters", 1}, {"ListRules", 1}} {
		t.Run(c.operation, func(t *testing.T) {
			id, err := b.box.Faults.Add(sandbox.Rule{Operation: c.operation, After: c.page - 1, Effect: sandbox.Effect{Status: 400, Code: "ValidationException"}})
			if err != nil {
				t.Fatal(err)
			}
			defer b.box.Faults.Remove(id)
			b.advance(b.o.LayerAge)
			inv := b.partial(all)
			honest(t, inv, all)
			if len(inv.Orphans) > 0 {
				t.Errorf("%d things pass for unwanted", len(inv.Orphans))
			}
			if b.box.Counts().Faulted == 0 {
				t.Error("no page was missing")
			}
		})
		b.box.Reset()
	}
	b.advance(b.o.LayerAge)
	if inv := b.survey(all); honest(t, inv, all) != 0 || len(inv.Extras) != extras {
		t.Errorf("not everything is known again: %d extras of %d", len(inv.Extras), extras)
	}
}

// strayMappings are somebody else's, on queues of their own.
func (b *boxed) strayMappings(t *testing.T, function string, n int) {
	t.Helper()
	queues, functions := sqs.NewFromConfig(b.as("AKIABOB")), lambda.NewFromConfig(b.as("AKIABOB"))
	for i := range n {
		name := fmt.Sprintf("stray-%03d", i)
		if _, err := queues.CreateQueue(b.ctx, &sqs.CreateQueueInput{QueueName: &name}); err != nil {
			t.Fatal(err)
		}
		if _, err := functions.CreateEventSourceMapping(b.ctx, &lambda.CreateEventSourceMappingInput{
			FunctionName: &function, EventSourceArn: awssdk.String("arn:aws:sqs:" + testRegion + ":" + testAccount + ":" + name), Enabled: awssdk.Bool(false),
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStaleReadsOfEachKind: for half a minute after a hand's write, reads may
// show what was before. Nothing is made of that but a later sight of it.
func TestStaleReadsOfEachKind(t *testing.T) {
	for _, d := range deeds() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			b := newBoxed(t, sandbox.Options{Records: 10})
			var all []manifest.Resource
			for _, res := range b.crowd(2) {
				if res.Ref.Kind == d.kind {
					all = append(all, res)
				}
			}
			b.survey(all)
			b.advance(b.o.LayerAge)
			before := b.survey(all)
			b.fault(sandbox.Rule{Actor: "AKIABOB", Effect: sandbox.Effect{Stale: 30 * time.Second}})
			if err := d.by(b.ctx, b.as("AKIABOB"), before.Live[all[0].Ref]); err != nil {
				t.Fatal(err)
			}
			b.clock.Advance(2 * b.o.LayerAge) // everything is due, and no time passed over there
			if inv := b.survey(all); inv.Live[all[0].Ref].Spec.Digest != before.Live[all[0].Ref].Spec.Digest {
				t.Skip("the sandbox is not stale here")
			}
			b.advance(31 * time.Second)
			b.clock.Advance(2 * b.o.LayerAge)
			if inv := b.survey(all); !d.shows(inv.Live[all[0].Ref]) {
				t.Errorf("after half a minute it is not seen: %+v", inv.Live[all[0].Ref])
			}
		})
	}
}

// TestRotationsYieldToOthers: where others use an account's rates up, a survey
// takes what is left and no more, says how old its looks became, makes nothing
// of what it did not look at, and catches up when the others are gone.
func TestRotationsYieldToOthers(t *testing.T) {
	var heard operations
	b := newBoxed(t, sandbox.Options{Records: 10}, func(o *Options) { o.OnCall = heard.heard })
	all := b.plain(200)
	model := quota.New(quota.Options{Now: b.clock.Now, Sleep: func(ctx context.Context, d time.Duration) error {
		b.clock.Advance(d)
		return ctx.Err()
	}})
	b.o.Quota, b.sweep.gate.model, b.front.gate.model = model, model, model
	b.survey(all)
	lane := model.Lane(scopeOf(b.o), "Lambda", "ListAliases")
	common := func() (n int) {
		for name, calls := range heard.take() {
			if service := "Lambda:"; name[:len(service)] == service && name != "Lambda:GetFunction" && name != "Lambda:GetPolicy" {
				n += calls
			}
		}
		return n
	}
	minute := func(refusals int) time.Duration {
		b.advance(time.Minute)
		for range refusals {
			lane.Throttled()
		}
		inv := b.survey(all)
		honest(t, inv, all)
		return inv.At.Sub(inv.Layers[layerFunctions])
	}
	heard.take()
	const surveys = 20
	began := b.clock.Now()
	var oldest time.Duration
	for range surveys {
		oldest = max(oldest, minute(4))
	}
	took := b.clock.Now().Sub(began)
	// A fifth of a tenth of the lane, which grows again while a survey lasts.
	if calls, most := common(), int(1.5*took.Minutes()*15*60*0.2*0.1); calls > most {
		t.Errorf("%d calls of a lane that others use up, at most %d", calls, most)
	}
	if took > surveys*3*time.Minute {
		t.Errorf("a survey lasts %v: it waits for what it could leave", took/surveys)
	}
	if oldest <= b.o.LayerAge {
		t.Errorf("the oldest look is said to be %v old", oldest)
	}
	var age time.Duration
	for range 15 {
		age = minute(0)
	}
	if age > b.o.LayerAge+2*time.Minute {
		t.Errorf("a quarter of an hour after the others left, the oldest look is %v old", age)
	}
}
