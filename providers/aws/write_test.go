package aws

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

// made runs do and lists the calls it made; only those that change something
// when changing is set.
func (b *boxed) made(changing bool, do func()) []string {
	b.t.Helper()
	before := len(b.box.Calls(time.Time{}))
	do()
	var names []string
	for _, c := range b.box.Calls(time.Time{})[before:] {
		if !changing || !c.ReadOnly {
			names = append(names, c.Operation)
		}
	}
	return names
}

// one observes one resource.
func (w *world) one(res manifest.Resource) providers.Live {
	w.t.Helper()
	live, err := w.Observe(w.ctx, res)
	if err != nil {
		w.t.Fatal(err)
	}
	return live[res.Ref]
}

// find picks a resource by its text.
func find(t *testing.T, all []manifest.Resource, ref string) manifest.Resource {
	t.Helper()
	for _, res := range all {
		if res.Ref.String() == ref {
			return res
		}
	}
	t.Fatalf("no %s", ref)
	return manifest.Resource{}
}

// with is a copy of a function's resource with its configuration changed.
func with(res manifest.Resource, change func(*manifest.FunctionConfig)) manifest.Resource {
	f := *res.Spec.(*manifest.FunctionConfig)
	env := map[string]manifest.Value{}
	for k, v := range f.Environment {
		env[k] = v
	}
	f.Environment = env
	change(&f)
	res.Spec = &f
	return res
}

// settled is a shop that is in place.
func settled(t *testing.T, o sandbox.Options, change ...func(*Options)) (*boxed, []manifest.Resource, providers.Bindings) {
	t.Helper()
	b := newBoxed(t, o, change...)
	all := b.shop("preview")
	b.converge(all)
	_, bindings := b.look(all)
	return b, all, bindings
}

func kindOf(t *testing.T, err error, want providers.Kind) {
	t.Helper()
	if err == nil {
		t.Errorf("nothing was refused, want %v", want)
	} else if got := providers.KindOf(err); got != want {
		t.Errorf("%v is %v, want %v", err, got, want)
	}
}

func TestPutMakesOneChangeOfAFunction(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	fn := with(find(t, all, "Function/checkout"), func(f *manifest.FunctionConfig) {
		f.Artifact = b.zips.add(t, "two")
		f.Timeout, f.MemorySize = 20, 512
		f.Tags = map[string]string{"team": "orders"}
	})
	var order []string
	for range 5 {
		live := b.one(fn)
		got := b.made(true, func() {
			if _, err := b.Put(b.ctx, providers.Change{Resource: fn, Bindings: bindings, Guard: live.Guard, Release: "sha256:0002"}); err != nil {
				t.Fatal(err)
			}
		})
		if len(got) > 1 {
			t.Fatalf("one Put changed %v", got)
		}
		order = append(order, got...)
	}
	if diff := cmp.Diff([]string{"UpdateFunctionCode", "UpdateFunctionConfiguration", "TagResource"}, order); diff != "" {
		t.Errorf("changes in order: %s", diff)
	}
	for i := range all {
		if all[i].Ref == fn.Ref {
			all[i] = fn
		}
	}
	b.inPlace(all)
	if live := b.one(fn); live.Owner.Release != "sha256:0002" {
		t.Errorf("release tag %q", live.Owner.Release)
	}
}

func TestPutTouchesOnlyWhatItMay(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	fn := find(t, all, "Function/checkout")
	bob := lambda.NewFromConfig(b.as("AKIABOB"))
	if _, err := bob.UpdateFunctionConfiguration(b.ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &fn.Physical, Timeout: awssdk.Int32(99), MemorySize: awssdk.Int32(1024),
		Environment: &types.Environment{Variables: map[string]string{"LOG_LEVEL": "debug", "FLAG": "on", "STRIPE_KEY": "sk_test_1", "OLD": "x"}},
	}); err != nil {
		t.Fatal(err)
	}
	live := b.one(fn)
	if live.Spec.Fields["environment.FLAG"] == `"on"` || !slices.Contains(live.Spec.Sensitive, "environment.FLAG") {
		t.Errorf("an undeclared variable is shown as %s", live.Spec.Fields["environment.FLAG"])
	}
	_, err := b.Put(b.ctx, providers.Change{
		Resource: fn, Bindings: bindings, Guard: live.Guard, Release: testRelease,
		Fields: []string{"timeout", "environment.LOG_LEVEL"}, Remove: []string{"environment.OLD"},
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := bob.GetFunctionConfiguration(b.ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &fn.Physical})
	if err != nil {
		t.Fatal(err)
	}
	if *out.Timeout != 10 || *out.MemorySize != 1024 {
		t.Errorf("timeout %d, memory %d; want the declared 10 and Bob's 1024", *out.Timeout, *out.MemorySize)
	}
	want := map[string]string{"LOG_LEVEL": "info", "FLAG": "on", "STRIPE_KEY": "sk_test_1"}
	if diff := cmp.Diff(want, out.Environment.Variables); diff != "" {
		t.Errorf("variables: %s", diff)
	}
}

func TestGuardsAreHonoured(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	live, _ := b.look(all)
	fn := find(t, all, "Function/checkout")
	bob := lambda.NewFromConfig(b.as("AKIABOB"))
	if _, err := bob.UpdateFunctionConfiguration(b.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &fn.Physical, Timeout: awssdk.Int32(99)}); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.PutFunctionConcurrency(b.ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: &fn.Physical, ReservedConcurrentExecutions: awssdk.Int32(0)}); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.UpdateAlias(b.ctx, &lambda.UpdateAliasInput{FunctionName: &fn.Physical, Name: awssdk.String("live"), Description: awssdk.String("bob's")}); err != nil {
		t.Fatal(err)
	}
	put := func(ref string) error {
		res := find(t, all, ref)
		_, err := b.Put(b.ctx, providers.Change{Resource: res, Bindings: bindings, Guard: live[res.Ref].Guard, Release: testRelease})
		return err
	}
	kindOf(t, put("Function/checkout"), providers.Conflict)
	kindOf(t, put("Concurrency/checkout"), providers.Conflict)
	kindOf(t, put("Alias/checkout.live"), providers.Conflict)
	alias := find(t, all, "Alias/checkout.live")
	_, err := b.Route(b.ctx, providers.Change{Resource: alias, Guard: live[alias.Ref].Guard}, providers.Routing{Version: "1"})
	kindOf(t, err, providers.Conflict)
	_, _, err = b.Publish(b.ctx, providers.Change{Resource: fn, Bindings: bindings, Guard: live[fn.Ref].Guard})
	kindOf(t, err, providers.Conflict)
	_, err = b.Delete(b.ctx, fn, live[fn.Ref].Guard)
	kindOf(t, err, providers.Conflict)

	now, _ := b.look(all)
	if _, err := b.Put(b.ctx, providers.Change{Resource: find(t, all, "Concurrency/checkout"), Guard: now[manifest.Ref{Kind: "Concurrency", Name: "checkout"}].Guard}); err != nil {
		t.Errorf("with a fresh guard: %v", err)
	}
}

func TestUnguardedKindsAreGuardedByWhatWasSeen(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	live, _ := b.look(all)
	for _, ref := range []string{"Queue/orders", "Role/checkout", "Trigger/checkout.orders", "Permission/checkout.events", "Url/checkout", "Async/checkout"} {
		res := find(t, all, ref)
		if live[res.Ref].Guard == "" {
			t.Errorf("%s has no guard", ref)
		}
		_, err := b.Put(b.ctx, providers.Change{Resource: res, Bindings: bindings, Guard: "seen:something else", Release: testRelease})
		kindOf(t, err, providers.Conflict)
		_, err = b.Delete(b.ctx, res, "seen:something else")
		kindOf(t, err, providers.Conflict)
	}
}

func TestOthersAreNeverTouched(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	o := testOptions(t, b.box.URL())
	o.Environment = "production"
	other := newWorld(t, o)
	other.zips = b.zips
	for _, res := range all {
		changes := b.made(true, func() {
			_, err := other.Put(b.ctx, providers.Change{Resource: res, Bindings: bindings, Adopt: true})
			kindOf(t, err, providers.Denied)
			_, err = other.Delete(b.ctx, res, "")
			kindOf(t, err, providers.Denied)
		})
		if len(changes) > 0 {
			t.Errorf("%s of another environment met %v", res.Ref, changes)
		}
	}
}

func TestUntaggedThingsAreAdoptedOnlyWhenAllowed(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	bob := lambda.NewFromConfig(b.as("AKIABOB"))
	fn := find(t, all, "Function/checkout")
	arn := bindings[fn.Ref]["arn"]
	if _, err := bob.UntagResource(b.ctx, &lambda.UntagResourceInput{Resource: &arn, TagKeys: ownershipTags}); err != nil {
		t.Fatal(err)
	}
	_, err := b.Put(b.ctx, providers.Change{Resource: fn, Bindings: bindings})
	kindOf(t, err, providers.Denied)
	_, err = b.Delete(b.ctx, fn, "")
	kindOf(t, err, providers.Denied)
	got := b.made(true, func() {
		if _, err := b.Put(b.ctx, providers.Change{Resource: fn, Bindings: bindings, Adopt: true, Release: testRelease}); err != nil {
			t.Fatal(err)
		}
	})
	if diff := cmp.Diff([]string{"TagResource"}, got); diff != "" {
		t.Errorf("adopting: %s", diff)
	}
	want := providers.Owner{Pipeline: "shop", Environment: "preview", Resource: "Function/checkout", Release: testRelease}
	if live := b.one(fn); live.Owner != want {
		t.Errorf("owner %+v", live.Owner)
	}
}

func TestSettlingWindowsAreSeenAndNotWaitedFor(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{Updating: 10 * time.Second})
	fn := with(find(t, all, "Function/checkout"), func(f *manifest.FunctionConfig) { f.Timeout, f.MemorySize = 20, 512; f.Artifact = b.zips.add(t, "two") })
	start := time.Now()
	if _, err := b.Put(b.ctx, providers.Change{Resource: fn, Bindings: bindings, Guard: b.one(fn).Guard}); err != nil {
		t.Fatal(err)
	}
	live := b.one(fn)
	if !live.Settling {
		t.Error("an update in progress is not seen")
	}
	changes := b.made(true, func() {
		_, err := b.Put(b.ctx, providers.Change{Resource: fn, Bindings: bindings, Guard: live.Guard})
		kindOf(t, err, providers.Conflict)
		_, _, err = b.Publish(b.ctx, providers.Change{Resource: fn, Bindings: bindings, Guard: live.Guard})
		kindOf(t, err, providers.Conflict)
	})
	if len(changes) > 0 {
		t.Errorf("writes into an update in progress: %v", changes)
	}
	if time.Since(start) > 5*time.Second {
		t.Error("somebody waited")
	}
	b.advance(11 * time.Second)
	if after := b.one(fn); after.Settling || after.Guard == live.Guard {
		t.Errorf("after the window: settling %v, guard moved %v", after.Settling, after.Guard != live.Guard)
	}
}

func TestLostRepliesAreRecoveredFrom(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	all := b.shop("preview")
	if _, err := b.box.Faults.Add(sandbox.Rule{Operation: "Create*", Times: 8, Effect: sandbox.Effect{FailAfter: true}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.box.Faults.Add(sandbox.Rule{Operation: "Update*", Times: 3, Effect: sandbox.Effect{Drop: true}}); err != nil {
		t.Fatal(err)
	}
	b.converge(all)
	b.inPlace(all)
}

func TestDeleteTakesAllApartAndRepeats(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	for range 2 {
		for _, res := range slices.Backward(all) {
			if _, err := b.Delete(b.ctx, res, ""); err != nil {
				t.Errorf("delete %s: %v", res.Ref, err)
			}
		}
	}
	b.advance(2 * sqsDelay)
	live, _ := b.look(all)
	for ref, l := range live {
		if l.Exists {
			t.Errorf("%s is still there", ref)
		}
	}
	inventory, err := b.Survey(b.ctx, all)
	if err != nil || !inventory.Complete || len(inventory.Extras)+len(inventory.Orphans) > 0 {
		t.Errorf("survey of nothing: %v %+v", err, inventory)
	}
}

func TestCancelledCallsSaySo(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if _, err := b.Observe(ctx, all[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("observe with a cancelled context: %v", err)
	}
	if _, err := b.Survey(ctx, all); !errors.Is(err, context.Canceled) {
		t.Errorf("survey with a cancelled context: %v", err)
	}
}
