package aws

import (
	"maps"
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

var checkout = manifest.Ref{Kind: manifest.KindFunction, Name: "checkout"}

// carried are bindings in which a version carries the release, as the
// reconciler finds it out.
func carried(b providers.Bindings, version string) providers.Bindings {
	b = maps.Clone(b)
	b[checkout] = maps.Clone(b[checkout])
	b[checkout][manifest.AttributeVersion] = version
	return b
}

func besideCheckout(kind string, spec any) manifest.Resource {
	return manifest.Resource{Ref: manifest.Ref{Kind: kind, Name: "checkout"}, Parent: checkout, Physical: "preview-checkout", Spec: spec, Refs: []manifest.Ref{checkout}}
}

var boundVersion = manifest.Value{Ref: checkout, Attribute: manifest.AttributeVersion}

// second publishes another version of the shop's function.
func (b *boxed) second(all []manifest.Resource, bindings providers.Bindings) {
	b.t.Helper()
	fn := with(find(b.t, all, "Function/checkout"), func(f *manifest.FunctionConfig) { f.MemorySize = 512 })
	b.put(fn, bindings)
	b.advance(2 * time.Second)
	live := b.one(fn)
	if _, _, err := b.Publish(b.ctx, providers.Change{Resource: fn, Bindings: bindings, Guard: live.Guard}); err != nil {
		b.t.Fatal(err)
	}
	b.advance(2 * time.Second)
}

func (b *boxed) put(res manifest.Resource, bindings providers.Bindings, remove ...string) {
	b.t.Helper()
	c := providers.Change{Resource: res, Bindings: bindings, Guard: b.one(res).Guard, Release: testRelease, Remove: remove}
	if _, err := b.Put(b.ctx, c); err != nil {
		b.t.Fatal(err)
	}
}

func TestProvisionedConcurrencyFollowsTheVersion(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{Updating: 2 * time.Second})
	pc := besideCheckout(manifest.KindProvisioned, &manifest.ProvisionedConcurrencySpec{Version: boundVersion, ProvisionedConcurrentExecutions: 5})
	if spec, _ := b.Canonical(pc, bindings); len(spec.Unbound) != 1 {
		t.Error("concurrency has a place before a version carries the release")
	}
	b.put(pc, carried(bindings, "1"))
	if live := b.one(pc); !live.Settling {
		t.Error("concurrency that is not ready yet does not settle")
	}
	b.advance(2 * time.Second)
	b.second(all, bindings)
	b.put(pc, carried(bindings, "2"))
	b.advance(2 * time.Second)
	live := b.one(pc)
	if got := live.Spec.Fields; !cmp.Equal(got, map[string]string{"versions.1": "5", "versions.2": "5"}) || live.Settling {
		t.Fatalf("both versions are not kept ready before traffic moves: %v", got)
	}
	// Version 1 still takes traffic: it is not let go.
	_, err := b.Put(b.ctx, providers.Change{Resource: pc, Bindings: carried(bindings, "2"), Guard: live.Guard, Fields: []string{}, Remove: []string{"versions.1"}})
	kindOf(t, err, providers.Conflict)
	alias := find(t, all, "Alias/checkout.live")
	if _, err := b.Route(b.ctx, providers.Change{Resource: alias, Guard: b.one(alias).Guard}, providers.Routing{Version: "2"}); err != nil {
		t.Fatal(err)
	}
	b.put(pc, carried(bindings, "2"), "versions.1")
	if got := b.one(pc).Spec.Fields; !cmp.Equal(got, map[string]string{"versions.2": "5"}) {
		t.Errorf("the old version keeps its concurrency: %v", got)
	}
	inventory := b.survey(append(all, pc))
	if got := inventory.Live[pc.Ref].Spec.Fields["versions.2"]; got != "5" {
		t.Errorf("the survey sees %q", got)
	}
	b.advance(b.o.LayerAge)
	if _, err := b.Delete(b.ctx, pc, b.one(pc).Guard); err != nil || b.one(pc).Exists {
		t.Errorf("it is still there after it was deleted: %v", err)
	}
}

func TestWeightsThatAWSInjectsAreNoDrift(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{Updating: 2 * time.Second})
	b.second(all, bindings)
	alias, fn := find(t, all, "Alias/checkout.live"), find(t, all, "Function/checkout")
	bob := lambda.NewFromConfig(b.as("AKIABOB"))
	name, live := &fn.Physical, awssdk.String("live")
	if _, err := bob.PutProvisionedConcurrencyConfig(b.ctx, &lambda.PutProvisionedConcurrencyConfigInput{FunctionName: name, Qualifier: live, ProvisionedConcurrentExecutions: awssdk.Int32(3)}); err != nil {
		t.Fatal(err)
	}
	b.advance(2 * time.Second)
	if _, err := bob.UpdateAlias(b.ctx, &lambda.UpdateAliasInput{FunctionName: name, Name: live, FunctionVersion: awssdk.String("2")}); err != nil {
		t.Fatal(err)
	}
	out, err := bob.GetAlias(b.ctx, &lambda.GetAliasInput{FunctionName: name, Name: live})
	if err != nil || out.RoutingConfig == nil {
		t.Fatalf("the platform injects no weights, so nothing is shown here: %v", err)
	}
	want := providers.Routing{Version: "2"}
	if got := b.one(alias); got.Routing != want || got.Note == "" {
		t.Errorf("AWS's own move looks like %+v", got.Routing)
	}
	if got := b.survey(all).Live[alias.Ref].Routing; got != want {
		t.Errorf("surveyed, AWS's own move looks like %+v", got)
	}
	// Somebody's weights are somebody's.
	b.advance(2 * time.Second)
	if _, err := bob.DeleteProvisionedConcurrencyConfig(b.ctx, &lambda.DeleteProvisionedConcurrencyConfigInput{FunctionName: name, Qualifier: live}); err != nil {
		t.Fatal(err)
	}
	weights := &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"1": 0.5}}
	if _, err := bob.UpdateAlias(b.ctx, &lambda.UpdateAliasInput{FunctionName: name, Name: live, RoutingConfig: weights}); err != nil {
		t.Fatal(err)
	}
	if got := b.one(alias).Routing; got != (providers.Routing{Version: "2", Canary: "1", Weight: 5000}) {
		t.Errorf("a canary made by hand looks like %+v", got)
	}
}

func TestRuntimeManagementOfLatestAndTheVersion(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	build := "arn:aws:lambda:eu-west-1::runtime:0123456789abcdef"
	rm := besideCheckout(manifest.KindRuntimeManagement, &manifest.RuntimeManagementSpec{Version: boundVersion, UpdateRuntimeOn: "Manual", RuntimeVersionArn: build})
	if b.one(rm).Exists {
		t.Error("AWS's default passes for something")
	}
	b.put(rm, carried(bindings, "1"))
	want, err := b.Canonical(rm, carried(bindings, "1"))
	if err != nil {
		t.Fatal(err)
	}
	inventory := b.survey(append(all, rm))
	for how, live := range map[string]providers.Live{"observed": b.one(rm), "surveyed": inventory.Live[rm.Ref]} {
		if diff := cmp.Diff(want.Fields, live.Spec.Fields); diff != "" {
			t.Errorf("%s: %s", how, diff)
		}
	}
	if _, err := b.Delete(b.ctx, rm, b.one(rm).Guard); err != nil || b.one(rm).Exists {
		t.Errorf("it is still there after it was deleted: %v", err)
	}
}

func TestSettingsNobodyDeclaredAreExtras(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	fn := find(t, all, "Function/checkout")
	b.survey(all)
	bob := lambda.NewFromConfig(b.as("AKIABOB"))
	if _, err := bob.PutFunctionRecursionConfig(b.ctx, &lambda.PutFunctionRecursionConfigInput{FunctionName: &fn.Physical, RecursiveLoop: types.RecursiveLoopAllow}); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.PutProvisionedConcurrencyConfig(b.ctx, &lambda.PutProvisionedConcurrencyConfigInput{FunctionName: &fn.Physical, Qualifier: awssdk.String("live"), ProvisionedConcurrentExecutions: awssdk.Int32(2)}); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.PutRuntimeManagementConfig(b.ctx, &lambda.PutRuntimeManagementConfigInput{FunctionName: &fn.Physical, Qualifier: awssdk.String("1"), UpdateRuntimeOn: types.UpdateRuntimeOnFunctionUpdate}); err != nil {
		t.Fatal(err)
	}
	b.advance(settingsAge * b.o.LayerAge)
	inventory := b.survey(all)
	if got, want := extraRefs(inventory), []string{"ProvisionedConcurrency/checkout", "RuntimeManagement/checkout"}; !cmp.Equal(got, want) {
		t.Errorf("extras are %v, want %v", got, want)
	}
	if got := inventory.Live[fn.Ref].Spec.Fields[recursionField]; got != `"Allow"` {
		t.Errorf("recursion shows as %s", got)
	}
	for _, e := range inventory.Extras {
		if _, err := b.Detach(b.ctx, fn, e); err != nil {
			t.Errorf("detach %s: %v", e.Ref, err)
		}
	}
	b.put(fn, mustBindings(b, all))
	b.advance(settingsAge * b.o.LayerAge)
	inventory = b.survey(all)
	if got := extraRefs(inventory); len(got) > 0 || inventory.Live[fn.Ref].Spec.Fields[recursionField] != `"Terminate"` {
		t.Errorf("still there: %v, recursion %s", got, inventory.Live[fn.Ref].Spec.Fields[recursionField])
	}
}

func mustBindings(b *boxed, all []manifest.Resource) providers.Bindings {
	_, bindings := b.look(all)
	return bindings
}
