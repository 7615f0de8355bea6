package aws

import (
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

// newSwitchRole is a role that the Scheduler may take on, for these actions.
func newSwitchRole(t *testing.T, cfg awssdk.Config, name, service string, statements string) string {
	t.Helper()
	roles := iam.NewFromConfig(cfg)
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`
	role, err := roles.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
	if err != nil {
		t.Fatal(err)
	}
	policy := `{"Version":"2012-10-17","Statement":[` + statements + `]}`
	if _, err := roles.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: awssdk.String("back"), PolicyDocument: &policy}); err != nil {
		t.Fatal(err)
	}
	return *role.Role.Arn
}

const mayMove = `{"Effect":"Allow","Action":"lambda:UpdateAlias","Resource":"arn:aws:lambda:*:*:function:preview-*"},` +
	`{"Effect":"Allow","Action":"states:UpdateStateMachineAlias","Resource":"arn:aws:states:*:*:stateMachine:preview-*"}`

// schedules are those that are there, by somebody else.
func schedules(t *testing.T, cfg awssdk.Config) []types.ScheduleSummary {
	t.Helper()
	out, err := scheduler.NewFromConfig(cfg).ListSchedules(t.Context(), &scheduler.ListSchedulesInput{})
	if err != nil {
		t.Fatal(err)
	}
	return out.Schedules
}

// soon waits until the sandbox, which looks at its schedules every now and then,
// has done something.
func soon(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !done(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within half a minute: %s", what)
		}
	}
}

// switchTests is what a switch is on any platform: written once, put off by
// one call, found by another daemon, and nobody's resource.
func switchTests(t *testing.T, w *world, alias manifest.Resource, role string) {
	t.Helper()
	s := providers.Switch{Alias: alias, Version: "1", At: w.clock.Now().Add(15 * time.Minute), Role: role, Release: testRelease}
	if _, err := w.Arm(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	s.Known, s.At = true, s.At.Add(5*time.Minute)
	if _, err := w.Arm(t.Context(), s); err != nil {
		t.Fatalf("put off: %v", err)
	}
	s.Known = false
	if _, err := w.Arm(t.Context(), s); err != nil {
		t.Fatalf("taken over: %v", err)
	}
	all := schedules(t, w.o.Config)
	if len(all) != 1 || !isSwitch(*all[0].Name) || len(*all[0].Name) > longestSchedule {
		t.Fatalf("schedules %v", all)
	}
	got, err := scheduler.NewFromConfig(w.o.Config).GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: all[0].Name})
	if err != nil {
		t.Fatal(err)
	}
	if want := "at(" + s.At.UTC().Format("2006-01-02T15:04:05") + ")"; *got.ScheduleExpression != want || got.ActionAfterCompletion != types.ActionAfterCompletionDelete ||
		*got.Target.Arn != "arn:aws:scheduler:::aws-sdk:lambda:updateAlias" || *got.Target.RoleArn != role ||
		*got.Target.Input != `{"FunctionName":"`+alias.Physical+`","FunctionVersion":"1","Name":"`+alias.Key+`","RoutingConfig":{"AdditionalVersionWeights":{}}}` {
		t.Errorf("%s, then %s, %s as %s: %s", *got.ScheduleExpression, got.ActionAfterCompletion, *got.Target.Arn, *got.Target.RoleArn, *got.Target.Input)
	}
	if there, err := w.Armed(t.Context(), s); err != nil || !there {
		t.Errorf("armed %v, %v", there, err)
	}
	for range 2 {
		if _, err := w.Disarm(t.Context(), s); err != nil {
			t.Fatalf("taken away: %v", err)
		}
	}
	if there, err := w.Armed(t.Context(), s); err != nil || there {
		t.Errorf("taken away, armed %v, %v", there, err)
	}
	s.Known = true
	_, err = w.Arm(t.Context(), s)
	kindOf(t, err, providers.Conflict)
}

// The rights that are granted for it are enough, and no wider than its
// schedules.
func TestSwitchOnSandbox(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	role := newSwitchRole(t, b.as("AKIAADMIN"), "deadman", "scheduler.amazonaws.com", mayMove)
	scope := rights.Scope{Region: testRegion, Account: testAccount, Prefix: "preview-", Resources: all}
	some := Settings{Deadman: &manifest.Deadman{Role: role}}
	b.allow(t, Grants(scope, some, rights.Default()))
	switchTests(t, b.world, find(t, all, "Alias/checkout.live"), role)
	b.allow(t, Grants(scope, Settings{}, rights.All()))
	_, err := b.Arm(t.Context(), providers.Switch{Alias: find(t, all, "Alias/checkout.live"), Version: "1", At: b.clock.Now().Add(time.Hour), Role: role})
	kindOf(t, err, providers.Denied)
}

// A switch that acts takes traffic back, and is seen as nobody's schedule by
// surveys and imports; whose role may not, does not act.
func TestSwitchActsOnSandbox(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	b.second(all, bindings)
	alias := find(t, all, "Alias/checkout.live")
	role := newSwitchRole(t, b.as("AKIAADMIN"), "deadman", "scheduler.amazonaws.com", mayMove)
	powerless := newSwitchRole(t, b.as("AKIAADMIN"), "powerless", "scheduler.amazonaws.com", strings.ReplaceAll(mayMove, "preview-", "other-"))
	canary := providers.Routing{Version: "1", Canary: "2", Weight: providers.Percent(10)}
	for _, c := range []struct {
		role string
		want providers.Routing
	}{{powerless, canary}, {role, providers.Routing{Version: "1"}}} {
		if _, err := b.Route(t.Context(), providers.Change{Resource: alias, Bindings: bindings, Guard: b.one(alias).Guard}, canary); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Arm(t.Context(), providers.Switch{Alias: alias, Version: "1", At: b.box.Now().Add(10 * time.Minute), Role: c.role, Release: testRelease}); err != nil {
			t.Fatal(err)
		}
		inv, err := b.Survey(t.Context(), all)
		if err != nil || len(inv.Orphans) > 0 || len(inv.Extras) > 0 {
			t.Errorf("a survey finds %v, %v: %v", inv.Orphans, inv.Extras, err)
		}
		b.advance(11 * time.Minute)
		soon(t, "the switch over", func() bool { return len(schedules(t, b.as("AKIAADMIN"))) == 0 })
		if got := b.one(alias).Routing; got != c.want {
			t.Errorf("as %s: traffic is at %+v", c.role, got)
		}
	}
}

// Workflows' aliases go back by Step Functions' own call.
func TestSwitchOfAWorkflow(t *testing.T) {
	f := newFlowing(t)
	role := newSwitchRole(t, f.as("AKIAADMIN"), "deadman", "scheduler.amazonaws.com", mayMove)
	f.release("two")
	if _, err := f.Route(t.Context(), providers.Change{Resource: f.alias, Guard: f.one(f.alias).Guard}, providers.Routing{Version: "1", Canary: "2", Weight: providers.Percent(20)}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Arm(t.Context(), providers.Switch{Alias: f.alias, Version: "1", At: f.box.Now().Add(10 * time.Minute), Role: role, Release: testRelease}); err != nil {
		t.Fatal(err)
	}
	f.advance(11 * time.Minute)
	soon(t, "traffic back", func() bool { return f.one(f.alias).Routing == providers.Routing{Version: "1"} })
}

// A schedule of a switch's name that is not ours is left alone, and a group
// that is not there is named.
func TestSwitchesOfOthers(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	alias := find(t, all, "Alias/checkout.live")
	admin := b.as("AKIAADMIN")
	role := newSwitchRole(t, admin, "deadman", "scheduler.amazonaws.com", mayMove)
	if _, err := scheduler.NewFromConfig(admin).CreateSchedule(t.Context(), &scheduler.CreateScheduleInput{
		Name: awssdk.String(b.switchName(alias)), ScheduleExpression: awssdk.String("rate(1 day)"), FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		Target: &types.Target{Arn: awssdk.String("arn:aws:sqs:eu-west-1:111111111111:work"), RoleArn: &role},
	}); err != nil {
		t.Fatal(err)
	}
	s := providers.Switch{Alias: alias, Version: "1", At: b.clock.Now().Add(time.Hour), Role: role}
	_, err := b.Arm(t.Context(), s)
	kindOf(t, err, providers.Denied)
	s.Group = "nowhere"
	_, err = b.Arm(t.Context(), s)
	kindOf(t, err, providers.Invalid)
	s.Version = "$LATEST"
	_, err = b.Arm(t.Context(), s)
	kindOf(t, err, providers.Invalid)
}

// What doctor learns of the role.
func TestDiagnoseSwitchRole(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	admin := b.as("AKIAADMIN")
	good := newSwitchRole(t, admin, "deadman", "scheduler.amazonaws.com", mayMove)
	untrusted := newSwitchRole(t, admin, "untrusted", "lambda.amazonaws.com", mayMove)
	powerless := newSwitchRole(t, admin, "powerless", "scheduler.amazonaws.com", `{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*"}`)
	for _, c := range []struct {
		role                string
		found, trusted, may bool
	}{
		{good, true, true, true},
		{untrusted, true, false, true},
		{powerless, true, true, false},
		{strings.ReplaceAll(good, "deadman", "nobody"), false, false, false},
		{"Role/nobody", false, false, false},
		{"Role/checkout", true, false, false}, // of the function: it is not the Scheduler's
	} {
		b.o.Deadman = &manifest.Deadman{Role: c.role}
		b.allow(t, Grants(rights.Scope{Region: testRegion, Account: testAccount, Prefix: "preview-", Resources: all}, Settings{Deadman: b.o.Deadman}, []rights.Capability{rights.Observe}))
		got := b.Diagnose(t.Context(), all).Switch
		if got == nil || got.Err != nil || got.Unasked != nil {
			t.Errorf("%s: %+v", c.role, got)
			continue
		}
		may := len(got.May) > 0
		for _, r := range got.May {
			may = may && r.May
		}
		if got.Found != c.found || got.Trusted != c.trusted || may != c.may {
			t.Errorf("%s: %+v", c.role, got)
		}
	}
}
