package aws

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

func TestMakers(t *testing.T) {
	stack := func(more ...string) map[string]string {
		tags := map[string]string{tagStack: "shop-prod", tagLogicalID: "Checkout"}
		for i := 0; i < len(more); i += 2 {
			tags[more[i]] = more[i+1]
		}
		return tags
	}
	for _, c := range []struct {
		name                 string
		tags                 map[string]string
		tool, service, group string
	}{
		{"f", nil, "", "", ""},
		{"f", stack(), "cloudformation", "", "shop-prod"},
		{"f", stack("lambda:createdBy", "SAM"), "sam", "", "shop-prod"},
		{"f", stack("STAGE", "prod"), "serverless", "", "shop-prod"},
		{"f", stack(tagLogicalID, "CheckoutHandler1B2C3D4E"), "cdk", "", "shop-prod"},
		{"f", map[string]string{"sst:app": "shop"}, "sst", "", "shop"},
		{"f", map[string]string{"ManagedBy": "Terraform"}, "terraform", "", ""},
		{"f", map[string]string{"terraform": "true"}, "terraform", "", ""},
		{"f", map[string]string{"terraform": "false"}, "", "", ""},
		{"f", map[string]string{"created-by": "pulumi", "Service": "mail"}, "pulumi", "", "mail"},
		{"f", map[string]string{"stack": "terraform"}, "", "", "terraform"},
		{"cwsyn-heartbeat-0b1a", nil, "", "CloudWatch Synthetics", ""},
		{"aws-controltower-NotificationForwarder", nil, "", "Control Tower", ""},
		{"Shop-LogRetentionaae0aa3c5b4d4f87b02d85b201efdd8a-x", nil, "", "the CDK's own custom resources", ""},
		{"rotate", map[string]string{"serverlessrepo:applicationId": "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRDSMySQLRotationSingleUser"}, "", "Secrets Manager's rotation", ""},
	} {
		got := makerOf(c.name, c.tags)
		if got.tool != c.tool || got.service != c.service || got.group != c.group {
			t.Errorf("%s %v: %+v, want %s %s %s", c.name, c.tags, got, c.tool, c.service, c.group)
		}
	}
}

// TestAdoptReadsTheShop: what the provider made itself, its tags taken away,
// is read as it was declared.
func TestAdoptReadsTheShop(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	b.free(t)
	fn := find(t, all, "Function/checkout")
	bob := lambda.NewFromConfig(b.as("AKIABOB"))
	got, err := b.Adopt(b.ctx, providers.Adoption{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Drafts) != 0 || len(got.Skipped) != 4 { // the function, its role and two queues
		t.Fatalf("what is owned was drafted: %+v", got)
	}
	for _, s := range got.Skipped {
		if !strings.Contains(s.Why, "declared already") {
			t.Errorf("skipped for another reason: %+v", s)
		}
	}
	arn := awssdk.String("arn:aws:lambda:" + testRegion + ":" + testAccount + ":function:" + fn.Physical)
	if _, err := bob.UntagResource(b.ctx, &lambda.UntagResourceInput{Resource: arn, TagKeys: ownershipTags}); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.AddPermission(b.ctx, &lambda.AddPermissionInput{FunctionName: &fn.Physical, StatementId: awssdk.String("stray"),
		Action: awssdk.String("lambda:InvokeFunction"), Principal: awssdk.String("sns.amazonaws.com")}); err != nil {
		t.Fatal(err)
	}
	if got, err = b.Adopt(b.ctx, providers.Adoption{Functions: []string{fn.Physical, "nobody"}}); err != nil {
		t.Fatal(err)
	}
	if len(got.Drafts) != 1 {
		t.Fatalf("want the function alone, what else there is is owned: %+v", got.Drafts)
	}
	d := got.Drafts[0]
	text, err := d.YAML()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff([]string{
		"permission events lets events.amazonaws.com call: what calls (arn:aws:events:eu-west-1:111111111111:rule/hourly) is not declared here, and stays as it is",
		"permission stray is on the function itself, and alias live is declared: it stays as it is, and drift tells of it",
	}, d.Left); diff != "" {
		t.Errorf("left -want +got:\n%s", diff)
	}
	for _, want := range []string{
		"memorySize: 256", "aliasDescription: traffic", "batchSize: 5", "maximumConcurrency: 4", "reservedConcurrentExecutions: 7",
		"maximumRetryAttempts: 1", "principal: events.amazonaws.com", "allowOrigins: ['https://shop.example']", "team: payments",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the draft does not say %s:\n%s", want, text)
		}
	}
	failed := slices.IndexFunc(got.Skipped, func(s providers.Skipped) bool { return s.Name == "nobody" && s.Failed })
	if failed < 0 {
		t.Errorf("a function that is not there was passed over: %+v", got.Skipped)
	}

	var code bytes.Buffer
	digest, err := b.Code(b.ctx, providers.CodeOf{Kind: manifest.KindFunction, Name: fn.Physical, Version: "live"}, &code)
	if err != nil {
		t.Fatal(err)
	}
	if want := fn.Spec.(*manifest.FunctionConfig).Artifact.Digest; digest != want {
		t.Errorf("the code has digest %s, want %s", digest, want)
	}
}

// TestAdoptDeclaresWhatServes: an alias's version is what is in force, and
// what differs from it is told by name only.
func TestAdoptDeclaresWhatServes(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	b.free(t)
	fn := find(t, all, "Function/checkout")
	bob := lambda.NewFromConfig(b.as("AKIABOB"))
	if _, err := bob.UpdateFunctionConfiguration(b.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &fn.Physical, MemorySize: awssdk.Int32(512)}); err != nil {
		t.Fatal(err)
	}
	arn := awssdk.String("arn:aws:lambda:" + testRegion + ":" + testAccount + ":function:" + fn.Physical)
	if _, err := bob.UntagResource(b.ctx, &lambda.UntagResourceInput{Resource: arn, TagKeys: ownershipTags}); err != nil {
		t.Fatal(err)
	}
	got, err := b.Adopt(b.ctx, providers.Adoption{Functions: []string{fn.Physical}})
	if err != nil || len(got.Drafts) != 1 {
		t.Fatal(err, got)
	}
	d := got.Drafts[0]
	if len(d.Left) != 2 || !strings.Contains(d.Left[1], "$LATEST differs from it in memorySize") {
		t.Errorf("left: %q", d.Left)
	}
	if memory, _ := d.Spec["memorySize"].(interface{ String() string }); memory == nil || memory.String() != "256" {
		t.Errorf("declared memory is %v, and 256 serves", d.Spec["memorySize"])
	}
}

// TestBelongings: what AWS and tools keep for themselves is told from what
// people have, by name.
func TestBelongings(t *testing.T) {
	for _, c := range []struct {
		kind, name string
		theirs     bool
	}{
		{manifest.KindRole, "AWSReservedSSO_Admin_0123456789abcdef", true},
		{manifest.KindRole, "cdk-hnb659fds-deploy-role-111111111111-eu-west-1", true},
		{manifest.KindRole, "shop-deploy-role", false},
		{manifest.KindBucket, "cdk-hnb659fds-assets-111111111111-eu-west-1", true},
		{manifest.KindBucket, "acme-terraform-state", true}, {manifest.KindBucket, "acme.tfstate", true}, {manifest.KindBucket, "tf-state-prod", true},
		{manifest.KindBucket, "aws-sam-cli-managed-default-samclisourcebucket-abc", true},
		{manifest.KindBucket, "shop-prod-serverlessdeploymentbucket-1a2b3c", true},
		{manifest.KindBucket, "estate-photos", false}, {manifest.KindBucket, "shop-uploads", false}, {manifest.KindBucket, "perf-statements", false},
		{manifest.KindTable, "terraform-lock", true}, {manifest.KindTable, "tf_locks", true}, {manifest.KindTable, "acme-terraform-state-lock", true},
		{manifest.KindTable, "padlocks", false}, {manifest.KindTable, "orders", false},
		{manifest.KindAlarm, "TargetTracking-table/orders-AlarmHigh-1", true}, {manifest.KindAlarm, "checkout errors", false},
	} {
		if got := belongings.to(c.kind, c.name) != ""; got != c.theirs {
			t.Errorf("%s %s: theirs %v, want %v", c.kind, c.name, got, c.theirs)
		}
	}
}
