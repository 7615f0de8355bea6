package aws

import (
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

func TestInlinePoliciesByName(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	document := func(action string) map[string]any {
		return map[string]any{"Statement": []any{map[string]any{"Effect": "Allow", "Action": action, "Resource": "*"}}}
	}
	res := manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindRole, Name: "r"}, Physical: "r", Spec: &manifest.RoleSpec{
		Path: "/", MaxSessionDuration: 3600, InlinePolicies: map[string]any{"read": document("s3:GetObject"), "a.b": document("sqs:SendMessage")},
	}}
	b.converge([]manifest.Resource{res})
	if got := extraRefs(b.survey([]manifest.Resource{res})); len(got) != 0 {
		t.Errorf("declared policies count as extras: %v", got)
	}

	bob := iam.NewFromConfig(b.as("AKIABOB"))
	for _, policy := range []string{"read", "more"} {
		if _, err := bob.PutRolePolicy(b.ctx, &iam.PutRolePolicyInput{
			RoleName: awssdk.String("r"), PolicyName: &policy, PolicyDocument: awssdk.String(canonicalJSON(map[string]any{"Version": policyVersion, "Statement": document("*")["Statement"]})),
		}); err != nil {
			t.Fatal(err)
		}
	}
	live := b.one(res)
	want, err := b.Canonical(res, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.differs(res, want, live); len(got) != 1 || live.Spec.Fields["inlinePolicies.read"] == want.Fields["inlinePolicies.read"] {
		t.Errorf("want inlinePolicies.read to differ alone, got %v", got)
	}
	if _, err := b.Put(b.ctx, providers.Change{Resource: res, Guard: live.Guard, Fields: []string{`inlinePolicies["a.b"]`}}); err != nil {
		t.Fatal(err)
	}
	if got := b.differs(res, want, b.one(res)); len(got) != 1 {
		t.Errorf("what was not allowed was written: %v", got)
	}
	b.converge([]manifest.Resource{res})
	b.clock.Advance(b.o.LayerAge)
	if got := extraRefs(b.survey([]manifest.Resource{res})); len(got) != 1 || got[0] != "Policy/r.more open" {
		t.Errorf("want the policy nobody declared as an extra, got %v", got)
	}
}
