package aws

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/providers/aws/sandbox/wire"
	"mooring.dev/sources/manifest"
)

const otherAccount = "222222222222"

// plainEnvironment is an environment of the SDK with keys and nothing else.
func plainEnvironment(t *testing.T, key string) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_ENDPOINT_URL": "",
	} {
		t.Setenv(name, value)
	}
}

// newBox is a sandbox without a provider.
func newBox(t *testing.T) *sandbox.Sandbox {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{})
	if err == nil {
		err = box.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	return box
}

// trusting makes a role that trusts by a document.
func trusting(t *testing.T, box *sandbox.Sandbox, key, name string, trust rights.Document) string {
	t.Helper()
	roles := iam.NewFromConfig((&boxed{box: box}).as(key))
	made, err := roles.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: awssdk.String(textOfDocument(t, trust))})
	if err != nil {
		t.Fatal(err)
	}
	return *made.Role.Arn
}

func textOfDocument(t *testing.T, d rights.Document) string {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// estate is two accounts with a role each, and a daemon that may take on just
// those, as `mooring iam --trust` and `--calling` say.
func estate(t *testing.T, box *sandbox.Sandbox) map[string]manifest.AWSTarget {
	t.Helper()
	const daemon = "arn:aws:iam::" + testAccount + ":role/daemon"
	targets := map[string]manifest.AWSTarget{
		"preview": {
			Region: testRegion, Account: testAccount, RoleArn: "arn:aws:iam::" + testAccount + ":role/preview",
			ExternalID: "one", SessionTags: map[string]string{"team": "shop", "stage": "preview"},
		},
		"production": {Region: "us-east-2", Account: otherAccount, RoleArn: "arn:aws:iam::" + otherAccount + ":role/production", ExternalID: "two"},
	}
	var sessions []rights.Session
	for name, target := range targets {
		s := rights.Session{Role: target.RoleArn, ExternalID: target.ExternalID, Tags: target.SessionTags}
		trusting(t, box, target.Account, name, rights.Trust(daemon, s))
		sessions = append(sessions, s)
		target.Endpoint = box.URL()
		targets[name] = target
	}
	trusting(t, box, testAccount, "daemon", rights.Trust("*", rights.Session{}))
	_, err := iam.NewFromConfig((&boxed{box: box}).as(testAccount)).PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{
		RoleName: awssdk.String("daemon"), PolicyName: awssdk.String("calling"), PolicyDocument: awssdk.String(textOfDocument(t, rights.Calling(sessions))),
	})
	if err != nil {
		t.Fatal(err)
	}
	box.RegisterActor("AKIADAEMON", wire.Actor{Type: "AssumedRole", Name: "assumed-role/daemon/host"})
	box.EnforcePolicies(true)
	return targets
}

// callerOf is who calls with a target's configuration, and the last call.
func callerOf(t *testing.T, box *sandbox.Sandbox, target manifest.AWSTarget) (string, wire.Call, error) {
	t.Helper()
	cfg, err := Load(t.Context(), LoadOptions{Target: target, Instance: "host one/1", AppID: "mooring"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", wire.Call{}, err
	}
	calls := box.Calls(time.Time{})
	return *out.Arn, calls[len(calls)-1], nil
}

func TestLoadTakesOnTheTargetsRole(t *testing.T) {
	plainEnvironment(t, "AKIADAEMON")
	box := newBox(t)
	for name, target := range estate(t, box) {
		who, call, err := callerOf(t, box, target)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := "arn:aws:sts::" + target.Account + ":assumed-role/" + name + "/mooring-host-one-1"; who != want {
			t.Errorf("%s is %s, want %s", name, who, want)
		}
		if call.Region != target.Region || call.Account != target.Account {
			t.Errorf("%s calls %s in %s", name, call.Account, call.Region)
		}
		if !maps.Equal(call.Actor.Tags, target.SessionTags) {
			t.Errorf("%s: the session has tags %v, want %v", name, call.Actor.Tags, target.SessionTags)
		}
		if !strings.Contains(call.UserAgent, "app/mooring") {
			t.Errorf("user agent %q does not name the application", call.UserAgent)
		}
	}
}

// TestRolesAreTakenOnAsDeclared: the trust policy lets nobody in with another
// external id or other tags, and the calling policy into no other role.
func TestRolesAreTakenOnAsDeclared(t *testing.T) {
	plainEnvironment(t, "AKIADAEMON")
	box := newBox(t)
	targets := estate(t, box)
	other := trusting(t, box, otherAccount, "other", rights.Trust("*", rights.Session{}))
	for name, change := range map[string]func(*manifest.AWSTarget){
		"no external id":      func(a *manifest.AWSTarget) { a.ExternalID = "" },
		"another external id": func(a *manifest.AWSTarget) { a.ExternalID = "two" },
		"no tags":             func(a *manifest.AWSTarget) { a.SessionTags = nil },
		"another tag":         func(a *manifest.AWSTarget) { a.SessionTags = map[string]string{"team": "shop", "stage": "production"} },
		"another role":        func(a *manifest.AWSTarget) { a.RoleArn = other },
	} {
		target := targets["preview"]
		change(&target)
		if who, _, err := callerOf(t, box, target); codeOf(err) != "AccessDenied" {
			t.Errorf("%s: %s, %v", name, who, err)
		}
	}
}

func TestCredentialsOfAProfile(t *testing.T) {
	plainEnvironment(t, "")
	box := newBox(t)
	dir := t.TempDir()
	trusting(t, box, testAccount, "through", rights.Trust("arn:aws:iam::"+testAccount+":user/alice", rights.Session{ExternalID: "x"}))
	for name, text := range map[string]string{
		"config": "[profile shop]\nrole_arn = arn:aws:iam::" + testAccount + ":role/through\nsource_profile = alice\nexternal_id = x\nrole_session_name = cli\n" +
			"region = eu-central-1\n",
		"credentials": "[alice]\naws_access_key_id = ALICE\naws_secret_access_key = secret\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"))
	t.Setenv("AWS_PROFILE", "shop")
	t.Setenv("AWS_ENDPOINT_URL", box.URL())
	t.Setenv("AWS_ENDPOINT_URL_STS", box.URL()) // the SDK takes a profile's role on nowhere else
	who, call, err := callerOf(t, box, manifest.AWSTarget{Region: testRegion})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(who, "assumed-role/through/cli") || call.Region != testRegion {
		t.Errorf("%s in %s: want the profile's role and the environment's own region", who, call.Region)
	}
}

// TestEndpointsOfTheEnvironment: AWS_ENDPOINT_URL is everybody's, and the one
// of a service goes before it.
func TestEndpointsOfTheEnvironment(t *testing.T) {
	plainEnvironment(t, "AKIAMOORING")
	all, one := newBox(t), newBox(t)
	t.Setenv("AWS_ENDPOINT_URL", all.URL())
	t.Setenv("AWS_ENDPOINT_URL_LAMBDA", one.URL())
	target := manifest.AWSTarget{Region: testRegion, Account: testAccount}
	cfg, err := Load(t.Context(), LoadOptions{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(Options{Config: cfg, Target: target, Pipeline: "shop", Environment: "preview"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.CheckAccount(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Survey(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for where, box := range map[string]*sandbox.Sandbox{"lambda": one, "": all} {
		counts := box.Counts().Services
		for service, n := range counts {
			if (service == "lambda") != (where == "lambda") {
				t.Errorf("%d calls of %s went to the wrong endpoint", n, service)
			}
		}
		if len(counts) == 0 {
			t.Errorf("nothing went to the endpoint of %q", where)
		}
	}
	target.Account = otherAccount
	if p, err = New(Options{Config: cfg, Target: target, Pipeline: "shop", Environment: "preview"}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.CheckAccount(t.Context()); providers.KindOf(err) != providers.Denied {
		t.Errorf("another account than the declared one: %v", err)
	}
}
