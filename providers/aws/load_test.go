package aws

import (
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

func TestLoadTakesOnTheTargetsRole(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAMOORING")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	b := newBoxed(t, sandbox.Options{})
	made, err := iam.NewFromConfig(b.as("AKIABOB")).CreateRole(b.ctx, &iam.CreateRoleInput{
		RoleName: awssdk.String("mooring"),
		AssumeRolePolicyDocument: awssdk.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",` +
			`"Principal":{"AWS":"arn:aws:iam::` + testAccount + `:root"},"Condition":{"StringEquals":{"sts:ExternalId":"external"}}}]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	target := manifest.AWSTarget{Region: testRegion, Endpoint: b.box.URL(), RoleArn: *made.Role.Arn, ExternalID: "external", SessionTags: map[string]string{"team": "shop", "stage": "preview"}}
	cfg, err := Load(b.ctx, LoadOptions{Target: target, Instance: "host one/1", AppID: "mooring"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(b.ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(*out.Arn, "assumed-role/mooring/mooring-host-one-1") {
		t.Errorf("identity %s", *out.Arn)
	}
	for _, c := range b.box.Calls(time.Time{}) {
		if c.Operation == "GetCallerIdentity" && !strings.Contains(c.UserAgent, "app/mooring") {
			t.Errorf("user agent %q does not name the application", c.UserAgent)
		}
	}
}

func TestSessionNamesAreAccepted(t *testing.T) {
	for instance, want := range map[string]string{"": "mooring-daemon", "a/b c": "mooring-a-b-c", strings.Repeat("x", 99): "mooring-" + strings.Repeat("x", 56)} {
		if got := SessionName(instance); got != want {
			t.Errorf("%q gives %q, want %q", instance, got, want)
		}
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no environment": func(o *Options) { o.Environment = "" },
		"no pipeline":    func(o *Options) { o.Pipeline = "" },
		"no region":      func(o *Options) { o.Config.Region, o.Target.Region = "", "" },
		"bad protocol":   func(o *Options) { o.CloudWatchProtocol = "soap" },
		"bad emulator":   func(o *Options) { o.Emulator = "other" },
	} {
		o := testOptions(t, "http://127.0.0.1:1")
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
