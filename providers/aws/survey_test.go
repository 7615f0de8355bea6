package aws

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

// survey is a survey that must be whole.
func (w *world) survey(all []manifest.Resource) providers.Inventory {
	w.t.Helper()
	inventory, err := w.Survey(w.ctx, all)
	if err != nil {
		w.t.Fatal(err)
	}
	for ref, err := range inventory.Errors {
		w.t.Errorf("survey of %s: %v", ref, err)
	}
	if !inventory.Complete {
		w.t.Error("the survey calls itself incomplete")
	}
	return inventory
}

func extraRefs(inventory providers.Inventory) []string {
	var refs []string
	for _, e := range inventory.Extras {
		open := ""
		if e.Open {
			open = " open"
		}
		refs = append(refs, e.Ref.String()+open)
	}
	slices.Sort(refs)
	return refs
}

func TestSurveySeesExtrasAndDetachTakesThemOff(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	fn := find(t, all, "Function/checkout")
	if got := extraRefs(b.survey(all)); len(got) > 0 {
		t.Fatalf("extras before anybody did anything: %v", got)
	}
	bob := lambda.NewFromConfig(b.as("AKIABOB"))
	name, live := &fn.Physical, awssdk.String("live")
	queueARN := b.one(find(t, all, "Queue/orders-dlq")).Attributes["arn"]
	mapping, err := bob.CreateEventSourceMapping(b.ctx, &lambda.CreateEventSourceMappingInput{FunctionName: name, EventSourceArn: &queueARN})
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []*string{nil, live} {
		if _, err := bob.AddPermission(b.ctx, &lambda.AddPermissionInput{
			FunctionName: name, Qualifier: q, StatementId: awssdk.String("anyone"), Action: awssdk.String("lambda:InvokeFunction"), Principal: awssdk.String("*"),
		}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := bob.CreateFunctionUrlConfig(b.ctx, &lambda.CreateFunctionUrlConfigInput{FunctionName: name, AuthType: types.FunctionUrlAuthTypeNone}); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.CreateAlias(b.ctx, &lambda.CreateAliasInput{FunctionName: name, Name: awssdk.String("blue"), FunctionVersion: awssdk.String("1")}); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.PutFunctionEventInvokeConfig(b.ctx, &lambda.PutFunctionEventInvokeConfigInput{FunctionName: name, MaximumRetryAttempts: awssdk.Int32(0)}); err != nil {
		t.Fatal(err)
	}
	if _, err := iam.NewFromConfig(b.as("AKIABOB")).PutRolePolicy(b.ctx, &iam.PutRolePolicyInput{
		RoleName: name, PolicyName: awssdk.String("admin"), PolicyDocument: awssdk.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`),
	}); err != nil {
		t.Fatal(err)
	}
	b.advance(11 * time.Minute) // every layer is due
	inventory := b.survey(all)
	want := []string{
		"Alias/checkout.blue", "Async/checkout@$LATEST", "Permission/checkout.anyone open", "Permission/checkout.anyone@$LATEST open",
		"Policy/checkout.admin open", "Trigger/checkout." + *mapping.UUID, "Url/checkout@$LATEST open",
	}
	if diff := cmp.Diff(want, extraRefs(inventory)); diff != "" {
		t.Fatalf("extras: %s", diff)
	}
	for _, e := range inventory.Extras {
		if e.Guard == "" || e.SeenAt.IsZero() || len(e.Spec.Fields) == 0 {
			t.Errorf("%s comes without guard, time or form: %+v", e.Ref, e)
		}
		stale := e
		stale.Guard = "seen:another"
		parent := find(t, all, e.Parent.String())
		_, err := b.Detach(b.ctx, parent, stale)
		kindOf(t, err, providers.Conflict)
		if r, err := b.Detach(b.ctx, parent, e); err != nil || len(r.RequestIDs) != 1 {
			t.Errorf("detach %s: %v, %v", e.Ref, r, err)
		}
		if _, err := b.Detach(b.ctx, parent, e); err != nil {
			t.Errorf("detach %s again: %v", e.Ref, err)
		}
	}
	if got := extraRefs(b.survey(all)); len(got) > 0 {
		t.Errorf("still there: %v", got)
	}
	b.inPlace(all)
}

func TestSurveyFindsOrphans(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	inventory := b.survey(nil)
	var got []string
	for ref, l := range inventory.Orphans {
		got = append(got, ref.String())
		if l.Attributes["name"] == "" {
			t.Errorf("%s has no name to delete it by", ref)
		}
	}
	slices.Sort(got)
	want := []string{"Function/checkout", "Queue/orders", "Queue/orders-dlq", "Role/checkout", "Trigger/checkout.orders"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("orphans: %s", diff)
	}
	if len(inventory.Extras) > 0 {
		t.Errorf("extras on orphans: %v", extraRefs(inventory))
	}
	for _, ref := range []string{"Trigger/checkout.orders", "Function/checkout", "Role/checkout", "Queue/orders", "Queue/orders-dlq"} {
		orphan, _ := manifest.ParseRef(ref)
		l := inventory.Orphans[orphan]
		if _, err := b.Delete(b.ctx, manifest.Resource{Ref: orphan, Physical: l.Attributes["name"]}, l.Guard); err != nil {
			t.Errorf("delete orphan %s: %v", ref, err)
		}
	}
	b.advance(11 * time.Minute)
	if left := b.survey(nil).Orphans; len(left) > 0 {
		t.Errorf("still there: %v", left)
	}
	if live := b.one(all[3]); live.Exists {
		t.Error("the function is still there")
	}
}

// TestOrphansAreSeenAtOnce: what was made after the last listing of tags and
// is not wanted any more must not pass for gone.
func TestOrphansAreSeenAtOnce(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	b.survey(all)
	late := manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindQueue, Name: "late"}, Physical: "preview-late", Spec: &manifest.QueueSpec{VisibilityTimeout: 30}}
	if _, err := b.Put(b.ctx, providers.Change{Resource: late, Bindings: bindings, Release: testRelease}); err != nil {
		t.Fatal(err)
	}
	b.survey(append([]manifest.Resource{late}, all...))
	if _, err := b.box.Faults.Add(sandbox.Rule{Operation: "GetResources", Effect: sandbox.Effect{Status: 400, Code: "AccessDeniedException"}}); err != nil {
		t.Fatal(err)
	}
	inventory, err := b.Survey(b.ctx, all)
	if err != nil || inventory.Complete {
		t.Errorf("survey: complete %v, %v", inventory.Complete, err)
	}
	if !inventory.Orphans[late.Ref].Exists {
		t.Errorf("orphans %v", inventory.Orphans)
	}
}

func TestSurveySeesChangesAtOnceWhereTheBulkShowsThem(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	fn := find(t, all, "Function/checkout")
	b.survey(all)
	b.survey(all)
	bob := lambda.NewFromConfig(b.as("AKIABOB"))
	if _, err := bob.UpdateFunctionConfiguration(b.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &fn.Physical, Timeout: awssdk.Int32(99)}); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.UpdateAlias(b.ctx, &lambda.UpdateAliasInput{FunctionName: &fn.Physical, Name: awssdk.String("live"), Description: awssdk.String("bob's")}); err != nil {
		t.Fatal(err)
	}
	inventory := b.survey(all)
	if got := inventory.Live[fn.Ref].Spec.Fields["timeout"]; got != "99" {
		t.Errorf("timeout %s", got)
	}
	if got := inventory.Live[manifest.Ref{Kind: "Alias", Name: "checkout.live"}].Spec.Fields["description"]; got != `"bob's"` {
		t.Errorf("a function whose configuration moved was not looked at again: its alias says %s", got)
	}
	trigger := find(t, all, "Trigger/checkout.orders")
	uuid := inventory.Live[trigger.Ref].Attributes["id"]
	if _, err := bob.UpdateEventSourceMapping(b.ctx, &lambda.UpdateEventSourceMappingInput{UUID: &uuid, Enabled: awssdk.Bool(false)}); err != nil {
		t.Fatal(err)
	}
	b.box.Advance(time.Minute)
	if got := b.survey(all).Live[trigger.Ref].Spec.Fields["enabled"]; got != "false" {
		t.Errorf("a mapping disabled by hand: enabled %s", got)
	}
}

func TestSurveyNeverAnswersFromBeforeItsOwnWrites(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	b.survey(all)
	alias := find(t, all, "Alias/checkout.live")
	spec := *alias.Spec.(*manifest.AliasSpec)
	spec.Description = "new"
	alias.Spec = &spec
	if _, err := b.Put(b.ctx, providers.Change{Resource: alias, Guard: b.one(alias).Guard}); err != nil {
		t.Fatal(err)
	}
	if got := b.survey(all).Live[alias.Ref].Spec.Fields["description"]; got != `"new"` {
		t.Errorf("the survey after a write shows %s", got)
	}
}

// TestUnknownIsNotAbsent: whatever question fails, nothing is told of what it
// was about, and the inventory says that it is incomplete.
func TestUnknownIsNotAbsent(t *testing.T) {
	for _, operation := range []string{
		"ListFunctions", "ListEventSourceMappings", "GetFunction", "ListAliases", "GetPolicy", "ListFunctionUrlConfigs",
		"ListFunctionEventInvokeConfigs", "GetAccountAuthorizationDetails", "GetQueueAttributes", "GetResources", "ListTags", "ListVersionsByFunction",
	} {
		t.Run(operation, func(t *testing.T) {
			b, all, _ := settled(t, sandbox.Options{})
			o := testOptions(t, b.box.URL())
			fresh := newWorld(t, o)
			if _, err := b.box.Faults.Add(sandbox.Rule{Operation: operation, Effect: sandbox.Effect{Status: 400, Code: "AccessDeniedException"}}); err != nil {
				t.Fatal(err)
			}
			inventory, err := fresh.Survey(b.ctx, all)
			if err != nil {
				t.Fatal(err)
			}
			if inventory.Complete || len(inventory.Errors) == 0 {
				t.Error("the survey calls itself complete")
			}
			for _, res := range all {
				live, told := inventory.Live[res.Ref]
				if told && !live.Exists {
					t.Errorf("%s is told to be absent", res.Ref)
				}
				if !told && inventory.Errors[res.Ref] == nil {
					t.Errorf("%s is neither told nor unknown", res.Ref)
				}
			}
		})
	}
}

// plain declares and makes n functions with nothing around them.
func (b *boxed) plain(n int) []manifest.Resource {
	b.t.Helper()
	code := b.zips.add(b.t, "one")
	if _, err := iam.NewFromConfig(b.as("AKIABOB")).CreateRole(b.ctx, &iam.CreateRoleInput{
		RoleName: awssdk.String("shared"), AssumeRolePolicyDocument: awssdk.String(canonicalJSON(defaultTrust())),
	}); err != nil {
		b.t.Fatal(err)
	}
	var all []manifest.Resource
	for i := range n {
		name := fmt.Sprintf("f%04d", i)
		fn := manifest.Ref{Kind: manifest.KindFunction, Name: name}
		all = append(all, manifest.Resource{Ref: fn, Physical: "preview-" + name, Spec: &manifest.FunctionConfig{
			Artifact: code, PackageType: "Zip", Runtime: "provided.al2023", Handler: "bootstrap", MemorySize: 128, Timeout: 3,
			Role: manifest.Value{Literal: "arn:aws:iam::" + testAccount + ":role/shared"},
		}})
	}
	parallel(8, all, func(res manifest.Resource) {
		if _, err := b.Put(b.ctx, providers.Change{Resource: res}); err != nil {
			b.t.Errorf("put %s: %v", res.Ref, err)
		}
	})
	return all
}

// laneCount counts calls by rate lane.
type laneCount struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *laneCount) heard(service, operation, _ string) {
	lane := service
	if operation == "GetFunction" || operation == "GetPolicy" {
		lane += ":" + operation
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[lane]++
}

// take is what was counted since the last time.
func (c *laneCount) take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.n
	c.n = nil
	return n
}

// TestSurveyOfALargeFleet counts calls by lane: the first look at
// everything, the steady sweep, and one with a minute's share of each rotation.
func TestSurveyOfALargeFleet(t *testing.T) {
	const functions = largestFleet
	var lanes laneCount
	b := newBoxed(t, sandbox.Options{Records: 20000}, func(o *Options) { o.OnCall = lanes.heard })
	all := b.plain(functions)
	b.world = newWorld(t, b.o) // what we wrote ourselves would be asked about one by one
	b.also = b.box.Advance
	lanes.take()
	first, firstLanes := b.survey(all), lanes.take()
	steady, steadyLanes := b.survey(all), lanes.take()
	if most := functions*(callsAround+1) + functions/50 + functions/100 + 10; firstLanes["Lambda"] > most {
		t.Errorf("the first look takes %d calls of Lambda's common lane, want at most %d: versions and what stands around each function", firstLanes["Lambda"], most)
	}
	if budget := functions/50 + functions/100 + 10; steady.Calls > budget {
		t.Errorf("a steady sweep of %d functions took %d calls, budget %d", functions, steady.Calls, budget)
	}
	b.advance(time.Minute)
	minute, minuteLanes := b.survey(all), lanes.take()
	for lane, most := range map[string]int{
		"Lambda":             functions/50 + functions/100 + 10 + functions/10*callsAround + functions/60*3, // a tenth of the layers, a sixtieth of the settings
		"Lambda:GetPolicy":   functions / 10,
		"Lambda:GetFunction": functions/10 + functions*stateShare/10,
	} {
		if minuteLanes[lane] > most {
			t.Errorf("a sweep with a minute of rotation took %d calls of lane %s, want at most %d", minuteLanes[lane], lane, most)
		}
	}
	t.Logf("calls for %d functions: first %d %v, steady %d %v, after a minute %d %v",
		functions, first.Calls, firstLanes, steady.Calls, steadyLanes, minute.Calls, minuteLanes)
}

// TestRotationTakesWhatItsLaneCanSpare: where the rates do not allow the age,
// fewer are looked at, the oldest first; what was never seen is not put off.
func TestRotationTakesWhatItsLaneCanSpare(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	s := b.newSweep(b.sweep, nil)
	s.since = time.Hour
	names := []string{"new", "a", "b", "c", "d"}
	seen := map[string]time.Time{}
	for i, name := range names[1:] {
		seen[name] = s.at.Add(time.Duration(i-10) * time.Hour)
	}
	spare := b.o.Quota.Lane(scopeOf(b.o), "Lambda", "ListAliases").Within(s.patience())
	turn := rotation{
		names: names, lookedAt: func(name string) time.Time { return seen[name] }, age: time.Minute,
		service: "Lambda", operation: "ListAliases", cost: spare / 3,
	}
	if due := s.due(turn); len(due) != 3 || !due["new"] || !due["a"] || !due["b"] {
		t.Errorf("due are %v, want the new one and the two oldest", due)
	}
	if due := s.due(turn); len(due) != 1 || !due["new"] {
		t.Errorf("due are %v of a lane that is promised away", due)
	}
	turn.cost = 1
	s = b.newSweep(b.sweep, nil)
	s.since = time.Hour
	if due := s.due(turn); len(due) != 5 {
		t.Errorf("due are %v, want all", due)
	}
	s = b.newSweep(b.sweep, nil)
	s.since = time.Hour
	turn.cost, turn.part = spare/5, 0.5
	if due := s.due(turn); len(due) != 2 {
		t.Errorf("due are %v of half a lane, want two", due)
	}
}

// TestEachLayerHasItsAge: an alias moved by hand is seen by the next look at
// states, long before the layers' own; permissions wait for theirs.
func TestEachLayerHasItsAge(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	fn := find(t, all, "Function/checkout")
	b.survey(all)
	hand := lambda.NewFromConfig(b.as("AKIABOB"))
	for _, description := range []string{"one more", "and another"} { // no code: a version of its own
		if _, err := hand.UpdateFunctionConfiguration(b.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &fn.Physical, Description: &description}); err != nil {
			t.Fatal(err)
		}
	}
	published, err := hand.PublishVersion(b.ctx, &lambda.PublishVersionInput{FunctionName: &fn.Physical})
	if err != nil {
		t.Fatal(err)
	}
	b.advance(time.Second)
	b.survey(all) // the bulk shows another configuration: everything of it is looked at
	if _, err := hand.UpdateAlias(b.ctx, &lambda.UpdateAliasInput{FunctionName: &fn.Physical, Name: awssdk.String("live"), FunctionVersion: published.Version}); err != nil {
		t.Fatal(err)
	}
	if _, err := hand.AddPermission(b.ctx, &lambda.AddPermissionInput{
		FunctionName: &fn.Physical, StatementId: awssdk.String("open"), Action: awssdk.String("lambda:InvokeFunction"), Principal: awssdk.String("*"),
	}); err != nil {
		t.Fatal(err)
	}
	extra := func(inv providers.Inventory) bool {
		return slices.ContainsFunc(inv.Extras, func(x providers.Extra) bool { return x.Ref.Kind == manifest.KindPermission })
	}
	alias := find(t, all, "Alias/checkout.live").Ref
	b.advance(b.o.LayerAge / stateShare)
	inv := b.survey(all)
	if got := inv.Live[alias].Routing.Version; got != awssdk.ToString(published.Version) {
		t.Errorf("the alias shows version %s after the states were looked at, want %s", got, *published.Version)
	}
	if extra(inv) {
		t.Error("policies were looked at before their time")
	}
	b.advance(b.o.LayerAge)
	if inv = b.survey(all); !extra(inv) {
		t.Error("policies were not looked at in time")
	}
	for _, layer := range []string{layerState, layerPolicies, layerFunctions} {
		if age := inv.At.Sub(inv.Layers[layer]); inv.Layers[layer].IsZero() || age > b.o.LayerAge {
			t.Errorf("layer %s is %v old", layer, age)
		}
	}
}

func TestRotationKeepsItsPromise(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	all := b.plain(40)
	b.survey(all)
	var most int
	for range 25 {
		b.advance(time.Minute)
		inventory := b.survey(all)
		if age := inventory.At.Sub(inventory.Layers[layerFunctions]); age > b.o.LayerAge {
			t.Errorf("the oldest look is %v old, promised %v", age, b.o.LayerAge)
		}
		most = max(most, inventory.Calls)
	}
	if most > 80 {
		t.Errorf("one survey took %d calls: the rotation comes in bursts", most)
	}
}

// AWS moves a function to another build of its runtime when it likes.
func TestABuildOfARuntimeIsNoDrift(t *testing.T) {
	form := func(build string) functionConfig {
		return liveConfig(&types.FunctionConfiguration{
			Runtime: types.RuntimeProvidedal2023, RuntimeVersionConfig: &types.RuntimeVersionConfig{RuntimeVersionArn: &build},
		})
	}
	before, after := form("arn:aws:lambda:eu-west-1::runtime:one"), form("arn:aws:lambda:eu-west-1::runtime:other")
	if diff := cmp.Diff(before, after, cmp.AllowUnexported(functionConfig{})); diff != "" {
		t.Errorf("compared: %s", diff)
	}
}
