package aws

import (
	"encoding/json"
	"fmt"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"mooring.dev/providers/aws/rights"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/providers/aws/sandbox/wire"
	"mooring.dev/sources/manifest"
)

// heldRole is the role the provider has in tests on the sandbox.
const heldRole = "held"

// hold makes the provider's own credentials a session of a role that may do
// what the grants say, and nothing else.
func (b *boxed) hold(t *testing.T, grants []rights.Grant) {
	t.Helper()
	roles := iam.NewFromConfig(b.as("AKIAADMIN"))
	name := awssdk.String(heldRole)
	_, err := roles.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: awssdk.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	b.allow(t, grants)
	b.box.RegisterActor("AKIAMOORING", wire.Actor{Type: "AssumedRole", Name: "assumed-role/" + heldRole + "/test"})
	b.box.EnforcePolicies(true)
	b.box.Reset()
}

// allow replaces what the provider's role may do.
func (b *boxed) allow(t *testing.T, grants []rights.Grant) {
	t.Helper()
	b.disallow(t)
	roles := iam.NewFromConfig(b.as("AKIAADMIN"))
	name := awssdk.String(heldRole)
	for i, d := range rights.Documents(grants) {
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		_, err = roles.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{
			RoleName: name, PolicyName: awssdk.String(fmt.Sprint("mooring-", i)), PolicyDocument: awssdk.String(string(text)),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// disallow takes every right away.
func (b *boxed) disallow(t *testing.T) {
	t.Helper()
	roles := iam.NewFromConfig(b.as("AKIAADMIN"))
	name := awssdk.String(heldRole)
	there, err := roles.ListRolePolicies(t.Context(), &iam.ListRolePoliciesInput{RoleName: name})
	if err != nil {
		t.Fatal(err)
	}
	for _, policy := range there.PolicyNames {
		if _, err := roles.DeleteRolePolicy(t.Context(), &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: &policy}); err != nil {
			t.Fatal(err)
		}
	}
}

// free lets the provider do everything, as whoever imports may, and takes its
// role away.
func (b *boxed) free(t *testing.T) {
	t.Helper()
	b.disallow(t)
	b.box.RegisterActor("AKIAMOORING", wire.Actor{Type: "IAMUser", Name: "user/mooring"})
	if _, err := iam.NewFromConfig(b.as("AKIAADMIN")).DeleteRole(t.Context(), &iam.DeleteRoleInput{RoleName: awssdk.String(heldRole)}); err != nil {
		t.Fatal(err)
	}
}

// TestASurveyOfNothingIsAllowed: an environment that declares nothing yet, or
// nothing any more, may look for what it owns.
func TestASurveyOfNothingIsAllowed(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	all := b.shop("preview")
	b.converge(all)
	for _, owned := range [][]manifest.Resource{{}, all} {
		b.allow(t, Grants(rights.Scope{Region: testRegion, Account: testAccount, Prefix: "preview-", Resources: owned}, Settings{}, []rights.Capability{rights.Observe}))
		if len(owned) == 0 {
			empty := testOptions(t, b.box.URL())
			empty.Environment = "other"
			p, err := New(empty)
			if err != nil {
				t.Fatal(err)
			}
			surveyWhole(t, p, nil)
			continue
		}
		surveyWhole(t, b.Provider, nil)
		surveyWhole(t, b.Provider, all)
	}
}

func surveyWhole(t *testing.T, p *Provider, want []manifest.Resource) {
	t.Helper()
	inventory, err := p.Survey(t.Context(), want)
	if err != nil || !inventory.Complete || len(inventory.Errors) > 0 {
		t.Errorf("a survey of %d: %v %v", len(want), err, inventory.Errors)
	}
}
