package aws

import (
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

// TestSecretsAndParametersAreOnlyLookedFor: they exist or not, are seen to be
// on their way out, and nothing of ours writes them.
func TestSecretsAndParametersAreOnlyLookedFor(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	secret := manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindSecret, Name: "shop/stripe"}, Physical: "shop/stripe", Spec: &manifest.SecretSpec{}}
	parameter := manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindParameter, Name: "/shop/rates"}, Physical: "/shop/rates", Spec: &manifest.ParameterSpec{}}
	all := []manifest.Resource{secret, parameter}
	for _, res := range all {
		if live := b.survey(all).Live[res.Ref]; live.Exists || b.one(res).Exists {
			t.Errorf("%s is there", res.Ref)
		}
		_, err := b.Put(b.ctx, providers.Change{Resource: res})
		kindOf(t, err, providers.Invalid)
		_, err = b.Delete(b.ctx, res, "")
		kindOf(t, err, providers.Denied)
	}
	secrets := secretsmanager.NewFromConfig(b.as("AKIABOB"))
	if _, err := secrets.CreateSecret(b.ctx, &secretsmanager.CreateSecretInput{Name: &secret.Physical, SecretString: awssdk.String("sk_live_1")}); err != nil {
		t.Fatal(err)
	}
	if _, err := ssm.NewFromConfig(b.as("AKIABOB")).PutParameter(b.ctx, &ssm.PutParameterInput{
		Name: &parameter.Physical, Value: awssdk.String("1"), Type: ssmtypes.ParameterTypeString,
	}); err != nil {
		t.Fatal(err)
	}
	for _, res := range all {
		live := b.one(res)
		want, err := b.Canonical(res, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !live.Exists || len(b.differs(res, want, live)) > 0 || live.Attributes["arn"] == "" || live.Attributes["name"] != res.Physical {
			t.Errorf("%s: %+v", res.Ref, live)
		}
	}
	if _, err := secrets.DeleteSecret(b.ctx, &secretsmanager.DeleteSecretInput{SecretId: &secret.Physical}); err != nil {
		t.Fatal(err)
	}
	live := b.one(secret)
	if !live.Exists || live.Spec.Fields[scheduledField] != "true" || live.Note == "" {
		t.Errorf("a secret on its way out: %+v", live)
	}
	if surveyed := b.survey(all).Live[secret.Ref]; surveyed.Spec.Fields[scheduledField] != "true" {
		t.Errorf("surveyed: %+v", surveyed)
	}
}
