package aws

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/google/go-cmp/cmp"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

// flows is a queue, and a workflow that sends to it.
func flows(prefix string) []manifest.Resource {
	flow := manifest.Ref{Kind: manifest.KindWorkflow, Name: "fulfil"}
	role := manifest.Ref{Kind: manifest.KindRole, Name: "fulfil"}
	queue := manifest.Ref{Kind: manifest.KindQueue, Name: "parcels"}
	name := prefix + "-fulfil"
	trust := map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "states.amazonaws.com"},
	}}}
	return []manifest.Resource{
		{Ref: queue, Physical: prefix + "-parcels", Spec: &manifest.QueueSpec{VisibilityTimeout: 30}},
		{Ref: role, Parent: flow, Physical: name, Spec: &manifest.RoleSpec{
			Path: "/", MaxSessionDuration: 3600, AssumeRolePolicy: trust,
			Statements: []map[string]any{{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": map[string]any{"ref": queue.String()}}},
		}},
		{Ref: flow, Physical: name, Digest: "one", Spec: &manifest.WorkflowSpec{
			Type: "STANDARD", Role: manifest.Value{Ref: role}, TracingConfiguration: &manifest.WorkflowTracing{Enabled: true},
			Tags: map[string]string{"team": "parcels"}, Definition: definition("one", queue),
		}},
		{Ref: manifest.Ref{Kind: manifest.KindWorkflowAlias, Name: "fulfil.live"}, Parent: flow, Physical: name, Key: "live", Spec: &manifest.AliasSpec{}},
	}
}

// definition is a machine that notes what it is, and tells the queue.
func definition(mark string, queue manifest.Ref) map[string]any {
	return map[string]any{
		"StartAt": "Mark", "States": map[string]any{
			"Mark": map[string]any{"Type": "Pass", "Result": map[string]any{"mark": mark}, "Next": "Tell"},
			"Tell": map[string]any{
				"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "ResultPath": nil, "End": true,
				"Parameters": map[string]any{"QueueUrl": map[string]any{"ref": queue.String(), "attribute": "url"}, "MessageBody.$": "$"},
			},
		},
	}
}

// flowing is a world whose workflow lives as declared.
type flowing struct {
	*boxed
	all         []manifest.Resource
	flow, alias manifest.Resource
	hand        *sfn.Client // of somebody else
	arn         string
}

func newFlowing(t *testing.T) *flowing {
	t.Helper()
	b := newBoxed(t, sandbox.Options{Period: time.Second})
	f := &flowing{boxed: b, all: flows("preview"), hand: sfn.NewFromConfig(b.as("AKIABOB"))}
	f.flow, f.alias = find(t, f.all, "Workflow/fulfil"), find(t, f.all, "WorkflowAlias/fulfil.live")
	f.arn = "arn:aws:states:" + testRegion + ":" + testAccount + ":stateMachine:preview-fulfil"
	b.converge(f.all)
	b.advance(machineDelay)
	return f
}

// change is a change of the workflow to another mark, planned now.
func (f *flowing) change(mark string) providers.Change {
	f.t.Helper()
	live, b := f.look(f.all)
	return providers.Change{Resource: f.marked(mark), Bindings: b, Guard: live[f.flow.Ref].Guard, Release: "sha256:0002"}
}

func (f *flowing) marked(mark string) manifest.Resource {
	return withFlow(f.flow, func(s *manifest.WorkflowSpec) {
		s.Definition = definition(mark, manifest.Ref{Kind: manifest.KindQueue, Name: "parcels"})
	})
}

// release updates, publishes and returns the version.
func (f *flowing) release(mark string) providers.Version {
	f.t.Helper()
	if _, err := f.Put(f.ctx, f.change(mark)); err != nil {
		f.t.Fatal(err)
	}
	v, _, err := f.Publish(f.ctx, f.change(mark))
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}

func TestWorkflowConvergesOnSandbox(t *testing.T) {
	f := newFlowing(t)
	f.inPlace(f.all)
	live, _ := f.look(f.all)
	if got := live[f.alias.Ref]; got.Routing != (providers.Routing{Version: "1"}) || got.Owner.Resource != f.alias.Ref.String() {
		t.Errorf("the alias: %+v of %+v", got.Routing, got.Owner)
	}
	if owner := live[f.flow.Ref].Owner; owner.Release != testRelease || !f.owns(owner) {
		t.Errorf("the workflow is owned by %+v", owner)
	}
}

func TestWorkflowIsComparedByMeaningStateByState(t *testing.T) {
	f := newFlowing(t)
	now, err := f.hand.DescribeStateMachine(f.ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &f.arn})
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(*now.Definition), &doc); err != nil {
		t.Fatal(err)
	}
	rewrite := func() {
		t.Helper()
		text, _ := json.MarshalIndent(doc, "", "   ")
		if _, err := f.hand.UpdateStateMachine(f.ctx, &sfn.UpdateStateMachineInput{StateMachineArn: &f.arn, Definition: awssdk.String(string(text))}); err != nil {
			t.Fatal(err)
		}
	}
	rewrite()
	f.inPlace(f.all) // other spaces and order are no other meaning
	states := doc["States"].(map[string]any)
	states["Mark"].(map[string]any)["Next"] = "By hand"
	states["By hand"] = map[string]any{"Type": "Wait", "Seconds": 1, "Next": "Tell"}
	rewrite()
	if _, err := f.hand.UpdateStateMachine(f.ctx, &sfn.UpdateStateMachineInput{StateMachineArn: &f.arn, Definition: nil, TracingConfiguration: &types.TracingConfiguration{}, RoleArn: now.RoleArn}); err != nil {
		t.Fatal(err)
	}
	live, b := f.look(f.all)
	want, err := f.Canonical(f.flow, b)
	if err != nil {
		t.Fatal(err)
	}
	got := live[f.flow.Ref]
	var paths []string
	for _, path := range sortedKeys(got.Spec.Fields) {
		if got.Spec.Fields[path] != want.Fields[path] {
			paths = append(paths, path)
		}
	}
	if diff := cmp.Diff([]string{"definition.States.Mark", `definition.States["By hand"]`, "tracingConfiguration.enabled"}, paths); diff != "" {
		t.Errorf("what differs: %s", diff)
	}
	// Only what is named is put back, and what is to go is taken away.
	_, err = f.Put(f.ctx, providers.Change{
		Resource: f.flow, Bindings: b, Guard: got.Guard, Release: testRelease,
		Fields: []string{"definition.States.Mark"}, Remove: []string{`definition.States["By hand"]`},
	})
	if err != nil {
		t.Fatal(err)
	}
	live, _ = f.look(f.all)
	fields := live[f.flow.Ref].Spec.Fields
	if fields["definition.States.Mark"] != want.Fields["definition.States.Mark"] || fields[`definition.States["By hand"]`] != "" || fields["tracingConfiguration.enabled"] != "false" {
		t.Errorf("after the revert: %v", fields)
	}
}

func TestWorkflowWritesKeepTheirGuard(t *testing.T) {
	f := newFlowing(t)
	planned := f.change("two")
	if _, err := f.hand.UpdateStateMachine(f.ctx, &sfn.UpdateStateMachineInput{StateMachineArn: &f.arn, RoleArn: awssdk.String(f.roleARN()), LoggingConfiguration: &types.LoggingConfiguration{Level: types.LogLevelOff, IncludeExecutionData: true}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Put(f.ctx, planned); providers.KindOf(err) != providers.Conflict {
		t.Errorf("a write planned before somebody else's: %v", err)
	}
	if _, _, err := f.Publish(f.ctx, f.change("two")); providers.KindOf(err) != providers.Conflict {
		t.Errorf("publishing what is not there: %v", err)
	}
	if v := f.release("two"); v.Number != "2" || !v.Ready {
		t.Errorf("released as %+v", v)
	}
	again, _, err := f.Publish(f.ctx, f.change("two"))
	if err != nil || again.Number != "2" {
		t.Errorf("published again: %+v, %v", again, err)
	}
	express := withFlow(f.flow, func(s *manifest.WorkflowSpec) { s.Type = "EXPRESS" })
	if _, err := f.Put(f.ctx, providers.Change{Resource: express, Bindings: f.change("").Bindings, Guard: f.change("").Guard}); providers.KindOf(err) != providers.Invalid {
		t.Errorf("another type: %v", err)
	}
	other := testOptions(t, f.box.URL())
	other.Environment = "production"
	stranger := newWorld(t, other)
	if _, err := stranger.Put(f.ctx, f.change("three")); providers.KindOf(err) != providers.Denied {
		t.Errorf("another environment's write: %v", err)
	}
	if _, err := stranger.Delete(f.ctx, f.flow, ""); providers.KindOf(err) != providers.Denied {
		t.Errorf("another environment's deletion: %v", err)
	}
}

func (f *flowing) roleARN() string { return "arn:aws:iam::" + testAccount + ":role/preview-fulfil" }

func TestWorkflowAliasIsRoutedAndDetached(t *testing.T) {
	f := newFlowing(t)
	f.release("two")
	live, b := f.look(f.all)
	canary := providers.Routing{Version: "1", Canary: "2", Weight: providers.Percent(10)}
	planned := providers.Change{Resource: f.alias, Bindings: b, Guard: live[f.alias.Ref].Guard}
	if _, err := f.Route(f.ctx, planned, canary); err != nil {
		t.Fatal(err)
	}
	live, _ = f.look(f.all)
	if got := live[f.alias.Ref].Routing; got != canary {
		t.Errorf("routed to %+v", got)
	}
	f.advance(time.Second)
	if _, err := f.hand.UpdateStateMachineAlias(f.ctx, &sfn.UpdateStateMachineAliasInput{
		StateMachineAliasArn: awssdk.String(f.arn + ":live"), RoutingConfiguration: []types.RoutingConfigurationListItem{{StateMachineVersionArn: awssdk.String(f.arn + ":2"), Weight: 100}},
	}); err != nil {
		t.Fatal(err)
	}
	planned.Guard = live[f.alias.Ref].Guard
	if _, err := f.Route(f.ctx, planned, providers.Routing{Version: "1"}); providers.KindOf(err) != providers.Conflict {
		t.Errorf("a route planned before somebody else's: %v", err)
	}
	if _, err := f.Route(f.ctx, planned, providers.Routing{Version: "1", Canary: "2", Weight: 50}); providers.KindOf(err) != providers.Invalid {
		t.Errorf("half a percent: %v", err)
	}
	if _, err := f.hand.CreateStateMachineAlias(f.ctx, &sfn.CreateStateMachineAliasInput{
		Name: awssdk.String("blue"), RoutingConfiguration: []types.RoutingConfigurationListItem{{StateMachineVersionArn: awssdk.String(f.arn + ":1"), Weight: 100}},
	}); err != nil {
		t.Fatal(err)
	}
	inventory, err := f.Survey(f.ctx, f.all)
	if err != nil {
		t.Fatal(err)
	}
	if got := inventory.Live[f.alias.Ref].Routing; got != (providers.Routing{Version: "2"}) {
		t.Errorf("the survey sees the alias at %+v", got)
	}
	if got := extraRefs(inventory); cmp.Diff([]string{"WorkflowAlias/fulfil.blue"}, got) != "" {
		t.Fatalf("extras %v", got)
	}
	if _, err := f.Detach(f.ctx, f.flow, inventory.Extras[0]); err != nil {
		t.Fatal(err)
	}
	if inventory, err = f.Survey(f.ctx, f.all); err != nil || len(inventory.Extras) > 0 {
		t.Errorf("after detaching: %v, %v", inventory.Extras, err)
	}
	actors, err := f.Actors(f.ctx, f.alias, f.box.Now().Add(-time.Hour))
	if err != nil || len(actors) < 2 || actors[0].Name != "user/akiabob" || actors[0].Event != "UpdateStateMachineAlias" {
		t.Errorf("who moved the alias: %+v, %v", actors, err)
	}
	if actors, err = f.Actors(f.ctx, f.flow, f.box.Now().Add(-time.Hour)); err != nil || len(actors) == 0 || actors[0].Event == "UpdateStateMachineAlias" {
		t.Errorf("who changed the workflow: %+v, %v", actors, err)
	}
}

func TestOldWorkflowVersionsAreCleaned(t *testing.T) {
	f := newFlowing(t)
	for _, mark := range []string{"two", "three", "four", "five"} {
		f.release(mark)
	}
	if _, err := f.Clean(f.ctx, f.flow, []string{"2"}, 1); err != nil {
		t.Fatal(err)
	}
	live, _ := f.look(f.all)
	if got := sortedKeys(live[f.flow.Ref].Published); cmp.Diff([]string{"1", "2", "5"}, got) != "" {
		t.Errorf("kept %v: want what the alias names, what was asked for, and the newest", got)
	}
}

func TestWorkflowIsMeasuredByItsExecutions(t *testing.T) {
	f := newFlowing(t)
	live, b := f.look(f.all)
	broken := withFlow(f.flow, func(s *manifest.WorkflowSpec) {
		s.Definition = map[string]any{"StartAt": "No", "States": map[string]any{"No": map[string]any{"Type": "Fail", "Error": "Broken"}}}
	})
	change := providers.Change{Resource: broken, Bindings: b, Guard: live[f.flow.Ref].Guard, Remove: []string{"definition.States.Mark", "definition.States.Tell"}}
	if _, err := f.Put(f.ctx, change); err != nil {
		t.Fatal(err)
	}
	live, _ = f.look(f.all)
	change.Guard = live[f.flow.Ref].Guard
	if _, _, err := f.Publish(f.ctx, change); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Route(f.ctx, providers.Change{Resource: f.alias, Guard: live[f.alias.Ref].Guard}, providers.Routing{Version: "1", Canary: "2", Weight: providers.Percent(20)}); err != nil {
		t.Fatal(err)
	}
	failures := 0
	for range 100 {
		answer, failed, err := f.Invoke(f.ctx, f.flow, "live", []byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		if failed {
			failures++
		} else if string(answer) != `{"mark":"one"}` {
			t.Fatalf("answered %s", answer)
		}
	}
	now := f.box.Now()
	window := providers.Window{From: now.Add(-time.Minute), To: now.Add(time.Minute)}
	for version, want := range map[string]providers.Sample{
		"1": {Known: true, Calls: 80}, "2": {Known: true, Calls: 20, Errors: 20}, "3": {Silent: true},
	} {
		if got, err := f.Measure(f.ctx, f.alias, version, providers.Asked{Window: window}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("version %s measures %+v, %v; want %+v", version, got, err, want)
		}
	}
	if failures != 20 {
		t.Errorf("%d executions failed", failures)
	}
}

func TestExpressWorkflowAnswersAtOnce(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	all := flows("preview")
	all[2].Spec.(*manifest.WorkflowSpec).Type = "EXPRESS"
	b.converge(all)
	answer, failed, err := b.Invoke(b.ctx, all[2], "1", nil)
	if err != nil || failed || string(answer) != `{"mark":"one"}` {
		t.Errorf("%s, %v, %v", answer, failed, err)
	}
}

func TestAWorkflowThatIsNotDeclaredIsAnOrphan(t *testing.T) {
	f := newFlowing(t)
	inventory, err := f.Survey(f.ctx, f.all[:2])
	if err != nil {
		t.Fatal(err)
	}
	orphan, ok := inventory.Orphans[f.flow.Ref]
	if !ok || orphan.Attributes["name"] != "preview-fulfil" {
		t.Fatalf("orphans %v", inventory.Orphans)
	}
	if _, err := f.Delete(f.ctx, f.flow, orphan.Guard); err != nil {
		t.Fatal(err)
	}
	if live, _ := f.look(f.all); live[f.flow.Ref].Exists || live[f.alias.Ref].Exists {
		t.Errorf("after the deletion: %+v", live[f.flow.Ref])
	}
}

// withFlow is a workflow with another spec.
func withFlow(res manifest.Resource, change func(*manifest.WorkflowSpec)) manifest.Resource {
	spec := *res.Spec.(*manifest.WorkflowSpec)
	change(&spec)
	res.Spec = &spec
	return res
}

// workflowOnMoto: moto has no ListStateMachineVersions, PublishStateMachineVersion
// and revisions, so that it is a witness for the state machine alone.
func workflowOnMoto(t *testing.T, w *world) {
	all := flows("moto")[:3]
	flow := all[2]
	put := func(res manifest.Resource, change func(*providers.Change)) {
		t.Helper()
		live, b := w.look(all)
		c := providers.Change{Resource: res, Bindings: b, Guard: live[res.Ref].Guard, Release: testRelease}
		if change != nil {
			change(&c)
		}
		if _, err := w.Put(w.ctx, c); err != nil {
			t.Fatal(err)
		}
		w.advance(time.Minute)
	}
	for _, res := range all {
		put(res, nil)
	}
	w.inPlace(all)
	hand := sfn.NewFromConfig(w.o.Config)
	arn := "arn:aws:states:" + testRegion + ":" + testAccount + ":stateMachine:moto-fulfil"
	if _, err := hand.UpdateStateMachine(w.ctx, &sfn.UpdateStateMachineInput{StateMachineArn: &arn, Definition: awssdk.String(
		`{"StartAt":"Mark","States":{"Mark":{"Type":"Pass","End":true}}}`)}); err != nil {
		t.Fatal(err)
	}
	live, b := w.look(all)
	want, err := w.Canonical(flow, b)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.differs(flow, want, live[flow.Ref]); len(got) != 2 {
		t.Errorf("after an edit by hand: %v", got)
	}
	put(flow, func(c *providers.Change) { c.Fields = []string{"definition.States.Mark", "definition.States.Tell"} })
	w.inPlace(all)
	if live, _ = w.look(all); !w.owns(live[flow.Ref].Owner) {
		t.Errorf("owned by %+v", live[flow.Ref].Owner)
	}
	if _, err := w.Delete(w.ctx, flow, live[flow.Ref].Guard); err != nil {
		t.Fatal(err)
	}
	if live, _ = w.look(all); live[flow.Ref].Exists {
		t.Error("it is there after its deletion")
	}
}
