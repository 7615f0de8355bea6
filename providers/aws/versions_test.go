package aws

import (
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

func TestPublishRefusesWhatIsNotDeclared(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	fn := find(t, all, "Function/checkout")
	bob := lambda.NewFromConfig(b.as("AKIABOB"))
	if _, err := bob.UpdateFunctionConfiguration(b.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &fn.Physical, Timeout: awssdk.Int32(99)}); err != nil {
		t.Fatal(err)
	}
	_, _, err := b.Publish(b.ctx, providers.Change{Resource: fn, Bindings: bindings})
	kindOf(t, err, providers.Conflict)
	if live := b.one(fn); len(live.Published) != 1 {
		t.Errorf("versions %v", live.Published)
	}
	b.converge(all)
	first, _, err := b.Publish(b.ctx, providers.Change{Resource: fn, Bindings: bindings, Release: testRelease})
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := b.Publish(b.ctx, providers.Change{Resource: fn, Bindings: bindings, Release: testRelease})
	if err != nil || again.Number != first.Number {
		t.Errorf("a repeated Publish gave version %s after %s, %v", again.Number, first.Number, err)
	}
}

func TestRollbackIsOneCall(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	fn := with(find(t, all, "Function/checkout"), func(f *manifest.FunctionConfig) { f.Artifact = b.zips.add(t, "two") })
	alias := find(t, all, "Alias/checkout.live")
	if _, err := b.Put(b.ctx, providers.Change{Resource: fn, Bindings: bindings}); err != nil {
		t.Fatal(err)
	}
	v, _, err := b.Publish(b.ctx, providers.Change{Resource: fn, Bindings: bindings, Release: "sha256:0002"})
	if err != nil {
		t.Fatal(err)
	}
	canary := providers.Routing{Version: "1", Canary: v.Number, Weight: providers.Percent(10)}
	r, err := b.Route(b.ctx, providers.Change{Resource: alias, Guard: b.one(alias).Guard}, canary)
	if err != nil {
		t.Fatal(err)
	}
	if live := b.one(alias); live.Routing != canary || live.Guard != r.Guard {
		t.Errorf("routing %+v guard %s, want %+v guard %s", live.Routing, live.Guard, canary, r.Guard)
	}
	calls := b.made(false, func() {
		if _, err := b.Route(b.ctx, providers.Change{Resource: alias, Guard: r.Guard}, providers.Routing{Version: "1"}); err != nil {
			t.Fatal(err)
		}
	})
	if diff := cmp.Diff([]string{"UpdateAlias"}, calls); diff != "" {
		t.Errorf("a rollback: %s", diff)
	}
	if live := b.one(alias); live.Routing != (providers.Routing{Version: "1"}) {
		t.Errorf("routing after rollback %+v", live.Routing)
	}
	for _, bad := range []providers.Routing{
		{}, {Version: "$LATEST"}, {Version: "1", Canary: "1", Weight: 10}, {Version: "1", Canary: "2"}, {Version: "1", Weight: 5},
		{Version: "1", Canary: "2", Weight: 10001}, {Version: "1", Canary: "$LATEST", Weight: 10},
	} {
		_, err := b.Route(b.ctx, providers.Change{Resource: alias, Guard: b.one(alias).Guard}, bad)
		kindOf(t, err, providers.Invalid)
	}
}

func TestCleanKeepsWhatIsReferredTo(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	fn := find(t, all, "Function/checkout")
	for i := range 6 {
		fn = with(fn, func(f *manifest.FunctionConfig) { f.Timeout = 20 + i })
		if _, err := b.Put(b.ctx, providers.Change{Resource: fn, Bindings: bindings}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Publish(b.ctx, providers.Change{Resource: fn, Bindings: bindings}); err != nil {
			t.Fatal(err)
		}
	}
	alias := find(t, all, "Alias/checkout.live")
	if _, err := b.Route(b.ctx, providers.Change{Resource: alias, Guard: b.one(alias).Guard}, providers.Routing{Version: "2", Canary: "3", Weight: 100}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Clean(b.ctx, fn, []string{"1"}, 2); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1", "2", "3", "6", "7"}, sortedKeys(b.one(fn).Published)); diff != "" {
		t.Errorf("kept: %s", diff)
	}
}

func TestWrongCodeIsNeverPublished(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	fn := with(find(t, all, "Function/checkout"), func(f *manifest.FunctionConfig) {
		f.Artifact = b.zips.add(t, "two")
	})
	digest := fn.Spec.(*manifest.FunctionConfig).Artifact.Digest
	wrong := b.zips.all[digest]
	wrong.Digest = "sha256:" + strings.Repeat("0", 64)
	b.zips.all[digest] = wrong
	changes := b.made(true, func() {
		_, err := b.Put(b.ctx, providers.Change{Resource: fn, Bindings: bindings})
		kindOf(t, err, providers.Invalid)
	})
	if len(changes) > 0 {
		t.Errorf("code with another digest met %v", changes)
	}
}

// TestWeightedAliasRules: AWS splits traffic only between versions of one role
// and one dead-letter queue; its refusal is told as what it is.
func TestWeightedAliasRules(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	alias := find(t, all, "Alias/checkout.live")
	fn := with(find(t, all, "Function/checkout"), func(f *manifest.FunctionConfig) {
		f.DeadLetterConfig = &manifest.Target{TargetArn: manifest.Value{Ref: manifest.Ref{Kind: manifest.KindQueue, Name: "orders-dlq"}}}
	})
	if _, err := b.Put(b.ctx, providers.Change{Resource: fn, Bindings: bindings}); err != nil {
		t.Fatal(err)
	}
	v, _, err := b.Publish(b.ctx, providers.Change{Resource: fn, Bindings: bindings})
	if err != nil {
		t.Fatal(err)
	}
	c := providers.Change{Resource: alias, Guard: b.one(alias).Guard}
	_, err = b.Route(b.ctx, c, providers.Routing{Version: "1", Canary: v.Number, Weight: 1000})
	kindOf(t, err, providers.Invalid)
	if _, err := b.Route(b.ctx, c, providers.Routing{Version: v.Number}); err != nil {
		t.Errorf("all at once: %v", err)
	}
}
