package aws

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/quota"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

// honest fails the test when a survey tells something that lives to be absent,
// or neither tells of it nor calls it unknown. It returns how many are unknown.
func honest(t *testing.T, inv providers.Inventory, all []manifest.Resource) int {
	t.Helper()
	unknown := 0
	for _, res := range all {
		live, told := inv.Live[res.Ref]
		switch {
		case told && !live.Exists:
			t.Errorf("%s is told to be absent", res.Ref)
		case !told && inv.Errors[res.Ref] == nil && inv.Errors[manifest.Ref{}] == nil:
			t.Errorf("%s is neither told nor unknown", res.Ref)
		case !told:
			unknown++
		}
	}
	if unknown > 0 && inv.Complete {
		t.Errorf("%d are unknown, and the survey calls itself complete", unknown)
	}
	return unknown
}

func (b *boxed) fault(r sandbox.Rule) {
	b.t.Helper()
	if _, err := b.box.Faults.Add(r); err != nil {
		b.t.Fatal(err)
	}
}

// partial is a survey that may fail in part.
func (w *world) partial(all []manifest.Resource) providers.Inventory {
	w.t.Helper()
	inv, err := w.Survey(w.ctx, all)
	if err != nil {
		w.t.Fatal(err)
	}
	return inv
}

// TestLesson53SurveyUnderThrottling: with three calls in ten refused, surveys come to
// know everything, and meanwhile nothing is taken for absent.
func TestLesson53SurveyUnderThrottling(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	b.fault(sandbox.Rule{Probability: 0.3, Effect: sandbox.Effect{Throttle: true}})
	for range 20 {
		b.advance(b.o.LayerAge)
		if inv := b.partial(all); honest(t, inv, all) == 0 && inv.Complete {
			return
		}
	}
	t.Error("never complete in twenty surveys")
}

// TestSurveyWithAPageMissing: a listing that fails on its third page says
// nothing about anybody, and the next one says all.
func TestSurveyWithAPageMissing(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	all := b.plain(120)
	b.survey(all)
	b.fault(sandbox.Rule{Operation: "ListFunctions", After: 2, Times: 1, Effect: sandbox.Effect{Status: 400, Code: "InvalidParameterValueException"}})
	if inv := b.partial(all); honest(t, inv, all) != len(all) || inv.Complete {
		t.Errorf("complete: %v; %d errors", inv.Complete, len(inv.Errors))
	}
	if inv := b.survey(all); honest(t, inv, all) != 0 {
		t.Error("not everything is known again")
	}
}

// TestSurveyWithStaleReads: what a hand changed is seen late, and nothing else
// is made of it.
func TestSurveyWithStaleReads(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	fn := find(t, all, "Function/checkout")
	before := b.survey(all).Live[fn.Ref].Spec.Fields["timeout"]
	b.fault(sandbox.Rule{Operation: "UpdateFunctionConfiguration", Effect: sandbox.Effect{Stale: 30 * time.Second}})
	if _, err := lambda.NewFromConfig(b.as("AKIABOB")).UpdateFunctionConfiguration(b.ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &fn.Physical, Timeout: awssdk.Int32(99),
	}); err != nil {
		t.Fatal(err)
	}
	inv := b.survey(all)
	if got := inv.Live[fn.Ref].Spec.Fields["timeout"]; honest(t, inv, all) != 0 || got != before {
		t.Errorf("timeout %s at once, was %s", got, before)
	}
	b.advance(31 * time.Second)
	if got := b.survey(all).Live[fn.Ref].Spec.Fields["timeout"]; got != "99" {
		t.Errorf("timeout %s after half a minute", got)
	}
}

// TestSurveyDeniedInOnePlace: without the right to read policies, permissions
// are unknown and everything else is known; without SQS, queues are.
func TestSurveyDeniedInOnePlace(t *testing.T) {
	for name, c := range map[string]struct {
		rule    sandbox.Rule
		unknown []string
	}{
		"GetPolicy":              {sandbox.Rule{Operation: "GetPolicy"}, []string{manifest.KindPermission}},
		"ListFunctionUrlConfigs": {sandbox.Rule{Operation: "ListFunctionUrlConfigs"}, []string{manifest.KindURL}},
		"SQS":                    {sandbox.Rule{Service: "sqs"}, []string{manifest.KindQueue}},
	} {
		t.Run(name, func(t *testing.T) {
			b, all, _ := settled(t, sandbox.Options{})
			c.rule.Effect = sandbox.Effect{Status: 403, Code: "AccessDeniedException"}
			b.fault(c.rule)
			b.advance(b.o.LayerAge)
			inv := b.partial(all)
			honest(t, inv, all)
			for _, res := range all {
				_, told := inv.Live[res.Ref]
				if want := res.Ref.Kind != c.unknown[0]; told != want {
					t.Errorf("%s: known is %v, want %v (%v)", res.Ref, told, want, inv.Errors[res.Ref])
				}
			}
		})
	}
}

// TestSurveyBesideOthers: an account whose rates others use up is surveyed
// slowly, and truly.
func TestSurveyBesideOthers(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	others, stop := context.WithCancel(b.ctx)
	b.box.EnforceRates(true)
	model := quota.New(quota.Options{Share: 1, Background: 1})
	b.o.Quota, b.sweep.gate.model = model, model
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			c := lambda.NewFromConfig(b.as("AKIABOB"), func(o *lambda.Options) { o.RetryMaxAttempts = 1 })
			for others.Err() == nil {
				_, _ = c.ListFunctions(others, &lambda.ListFunctionsInput{}) // refused more often than not
			}
		})
	}
	time.AfterFunc(300*time.Millisecond, stop)
	b.clock.Advance(b.o.LayerAge)
	for range 5 {
		if inv := b.partial(all); honest(t, inv, all) == 0 {
			break
		}
	}
	wg.Wait()
	for _, lane := range model.Lanes() {
		if lane.Name == "lambda" && lane.Throttles == 0 {
			t.Errorf("nobody else was noticed: %+v", lane)
		}
	}
}

// Lesson 60: an account whose code storage is used up says so, and what to do.
func TestLesson60StorageSaysWhatToDo(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	fn := with(find(t, all, "Function/checkout"), func(f *manifest.FunctionConfig) { f.Timeout = 21 })
	change := providers.Change{Resource: fn, Bindings: bindings}
	if _, err := b.Put(b.ctx, change); err != nil {
		t.Fatal(err)
	}
	b.fault(sandbox.Rule{Operation: "PublishVersion", Effect: sandbox.Effect{Status: 400, Code: "CodeStorageExceededException"}})
	_, _, err := b.Publish(b.ctx, change)
	kindOf(t, err, providers.Invalid)
	for _, want := range []string{"CodeStorageExceededException", "aws lambda get-account-settings", "mooring retry"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
}
