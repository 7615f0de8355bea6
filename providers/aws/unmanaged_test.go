package aws

import (
	"os"
	"slices"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

// halfManaged is the shop's function, its code and one variable declared to be
// whatever lives.
func halfManaged(t *testing.T) (*boxed, manifest.Resource, func() (providers.Live, providers.Spec)) {
	t.Helper()
	b, all, bindings := settled(t, sandbox.Options{})
	res := with(find(t, all, "Function/checkout"), func(f *manifest.FunctionConfig) {
		f.Artifact = manifest.Artifact{Unmanaged: true}
		f.Environment["STRIPE_KEY"] = manifest.Value{Secret: "shop/stripe", Pending: true}
	})
	res.SelfBound = true
	return b, res, func() (providers.Live, providers.Spec) {
		live := b.one(res)
		bindings[res.Ref] = live.Attributes
		want, err := b.Canonical(res, bindings)
		if err != nil {
			t.Fatal(err)
		}
		return live, want
	}
}

func TestWhatIsWhateverLives(t *testing.T) {
	b, res, look := halfManaged(t)
	bob := lambda.NewFromConfig(b.as("AKIABOB"))
	inPlace := func() {
		t.Helper()
		live, want := look()
		if diffs := b.differs(res, want, live); len(diffs) > 0 {
			t.Errorf("not in place: %v", diffs)
		}
		if want.Snapshot != live.Spec.Snapshot {
			t.Error("a version of it would not carry what is declared")
		}
		if !slices.Contains(want.Sensitive, "environment.STRIPE_KEY") || live.Spec.Fields["environment.STRIPE_KEY"] == `"sk_test_1"` {
			t.Error("the kept variable is not shown as a token")
		}
	}
	inPlace()

	// Its code and the kept variable move; a change of ours leaves both.
	other := b.zips.add(t, "two")
	blob, err := b.zips.Fetch(b.ctx, other)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := os.ReadFile(blob.Path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.UpdateFunctionCode(b.ctx, &lambda.UpdateFunctionCodeInput{FunctionName: &res.Physical, ZipFile: zip}); err != nil {
		t.Fatal(err)
	}
	inPlace()
	if _, err := bob.UpdateFunctionConfiguration(b.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &res.Physical, Environment: &types.Environment{
		Variables: map[string]string{"LOG_LEVEL": "info", "ORDERS_URL": "elsewhere", "STRIPE_KEY": "sk_test_2"},
	}}); err != nil {
		t.Fatal(err)
	}
	live, want := look()
	if got := b.differs(res, want, live); len(got) != 1 {
		t.Errorf("want the address alone to differ, got %v", got)
	}
	if _, err := b.Put(b.ctx, providers.Change{Resource: res, Bindings: bindingsOf(b, res), Guard: live.Guard}); err != nil {
		t.Fatal(err)
	}
	inPlace()
	now, err := bob.GetFunctionConfiguration(b.ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &res.Physical})
	if err != nil {
		t.Fatal(err)
	}
	if got := now.Environment.Variables["STRIPE_KEY"]; got != "sk_test_2" {
		t.Errorf("the kept variable became %q", got)
	}
	if got := "sha256:" + liveDigest(awssdk.ToString(now.CodeSha256)); got != other.Digest {
		t.Errorf("the code became %s", got)
	}
}

func TestUnmanagedCodeWithADigestIsHeldAgainstIt(t *testing.T) {
	b, res, look := halfManaged(t)
	res.Spec.(*manifest.FunctionConfig).Artifact.Digest = b.zips.add(t, "tested").Digest
	live, want := look()
	if got := b.differs(res, want, live); len(got) != 1 || !slices.Contains(want.Observed, "code") {
		t.Fatalf("want the code to differ and to be observed only, got %v, observed %v", got, want.Observed)
	}
	before := live.Spec.Fields["code"]
	if _, err := b.Put(b.ctx, providers.Change{Resource: res, Bindings: bindingsOf(b, res), Guard: live.Guard}); err != nil {
		t.Fatal(err)
	}
	if now, _ := look(); now.Spec.Fields["code"] != before {
		t.Error("unmanaged code was written")
	}
}

func TestWhatLivesNowhereCannotBeKept(t *testing.T) {
	b, res, _ := halfManaged(t)
	res.Physical = "preview-another"
	_, err := b.Put(b.ctx, providers.Change{Resource: res, Bindings: bindingsOf(b, res)})
	kindOf(t, err, providers.Invalid)
	res.Spec.(*manifest.FunctionConfig).Artifact = b.zips.add(t, "one")
	_, err = b.Put(b.ctx, providers.Change{Resource: res, Bindings: bindingsOf(b, res)})
	kindOf(t, err, providers.Invalid)
}

// bindingsOf are the attributes of everything the shop has, and res's own.
func bindingsOf(b *boxed, res manifest.Resource) providers.Bindings {
	b.t.Helper()
	_, bindings := b.look(append(b.shop("preview"), res))
	return bindings
}
