package aws

import (
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

// stores is a small system around a table: a function, its role and alias,
// and a trigger by the table's stream.
func (w *world) stores(prefix string) []manifest.Resource {
	shop := w.shop(prefix)
	pick := func(ref string) manifest.Resource { return find(w.t, shop, ref) }
	role, fn, alias, dlq := pick("Role/checkout"), pick("Function/checkout"), pick("Alias/checkout.live"), pick("Queue/orders-dlq")
	granted := *role.Spec.(*manifest.RoleSpec)
	granted.Statements = []map[string]any{{
		"Sid": "Streams", "Effect": "Allow", "Resource": []any{"*"},
		"Action": []any{"dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams", "sqs:SendMessage"},
	}}
	role.Spec = &granted
	fn = with(fn, func(f *manifest.FunctionConfig) { delete(f.Environment, "ORDERS_URL") })
	table := manifest.Ref{Kind: manifest.KindTable, Name: "orders"}
	bucket := manifest.Ref{Kind: manifest.KindBucket, Name: "uploads"}
	retries := 2
	protect := true
	off := false
	return []manifest.Resource{
		dlq,
		{Ref: table, Physical: prefix + "-orders", Stateful: true, Spec: &manifest.TableSpec{
			Manage: true, DeletionPolicy: manifest.Retain, BillingMode: "PAY_PER_REQUEST", TableClass: "STANDARD",
			AttributeDefinitions:      map[string]string{"id": "S", "customer": "S"},
			KeySchema:                 &manifest.KeySchema{Hash: "id"},
			GlobalSecondaryIndexes:    map[string]manifest.GlobalIndex{"byCustomer": {KeySchema: manifest.KeySchema{Hash: "customer", Range: "id"}, Projection: manifest.Projection{ProjectionType: "KEYS_ONLY"}}},
			StreamSpecification:       &manifest.StreamSpecification{StreamViewType: "NEW_AND_OLD_IMAGES"},
			TimeToLive:                &manifest.TimeToLive{AttributeName: "expires"},
			PointInTimeRecovery:       &manifest.PointInTimeRecovery{RecoveryPeriodInDays: 35},
			DeletionProtectionEnabled: &protect,
			Tags:                      map[string]string{"team": "payments"},
		}},
		{Ref: bucket, Physical: prefix + "-uploads", Stateful: true, Spec: &manifest.BucketSpec{
			Manage: true, DeletionPolicy: manifest.Retain, Versioning: "Enabled", EventBridgeNotificationEnabled: &off,
			PublicAccessBlock: &manifest.PublicAccessBlock{BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true, RestrictPublicBuckets: true},
			Tags:              map[string]string{"team": "payments"},
		}},
		role, fn, alias,
		{
			Ref: manifest.Ref{Kind: manifest.KindPermission, Name: "checkout.uploads"}, Parent: fn.Ref, Physical: fn.Physical, Key: "uploads",
			Spec: &manifest.PermissionSpec{Alias: alias.Ref, Action: "lambda:InvokeFunction", Principal: "s3.amazonaws.com", SourceArn: manifest.Value{Ref: bucket}, SourceAccount: testAccount},
		},
		{
			Ref: manifest.Ref{Kind: manifest.KindNotification, Name: "checkout.uploads"}, Parent: fn.Ref, Physical: fn.Physical, Key: "uploads",
			Spec: &manifest.NotificationSpec{
				Bucket: manifest.Value{Ref: bucket, Attribute: "name"}, Function: manifest.Value{Ref: alias.Ref}, Events: []string{"s3:ObjectCreated:*"}, Prefix: "in/", Suffix: ".csv",
			},
		},
		{
			Ref: manifest.Ref{Kind: manifest.KindTrigger, Name: "checkout.changes"}, Parent: fn.Ref, Physical: fn.Physical, Key: "changes",
			Spec: &manifest.TriggerSpec{
				Alias: alias.Ref, Table: manifest.Value{Ref: table, Attribute: "streamArn"}, Enabled: true, BatchSize: 50,
				StartingPosition: "TRIM_HORIZON", ParallelizationFactor: 2, BisectBatchOnFunctionError: true, MaximumRetryAttempts: &retries,
				MaximumRecordAgeInSeconds: 3600, OnFailure: &manifest.Value{Ref: dlq.Ref}, FilterPatterns: []string{`{"eventName": ["INSERT"]}`},
			},
		},
	}
}

func TestStoresConvergeOnSandbox(t *testing.T) {
	for name, o := range map[string]sandbox.Options{"at once": {}, "with time": {Updating: 5 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			b := newBoxed(t, o)
			all := b.stores("preview")
			b.converge(all)
			b.inPlace(all)
		})
	}
}

// storesInPlace is a sandbox where the stores are in place, and another hand.
func storesInPlace(t *testing.T) (*boxed, []manifest.Resource, *dynamodb.Client) {
	t.Helper()
	b := newBoxed(t, sandbox.Options{})
	all := b.stores("preview")
	b.converge(all)
	return b, all, dynamodb.NewFromConfig(b.as("AKIABOB"))
}

// retable is a copy of a table with its specification changed.
func retable(res manifest.Resource, change func(*manifest.TableSpec)) manifest.Resource {
	spec := *res.Spec.(*manifest.TableSpec)
	change(&spec)
	res.Spec = &spec
	return res
}

// drifted are the paths in which what lives is not as declared, by survey.
func (b *boxed) drifted(all []manifest.Resource, res manifest.Resource) []string {
	b.t.Helper()
	_, bindings := b.look(all)
	want, err := b.Canonical(res, bindings)
	if err != nil {
		b.t.Fatal(err)
	}
	live := b.survey(all).Live[res.Ref]
	var paths []string
	for path, v := range live.Spec.Fields {
		if want.Fields[path] != v {
			paths = append(paths, path)
		}
	}
	for path := range want.Fields {
		if _, there := live.Spec.Fields[path]; !there {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

func TestDriftOfATableIsSeenAndPutBack(t *testing.T) {
	b, all, bob := storesInPlace(t)
	table := find(t, all, "Table/orders")
	name := &table.Physical
	for what, c := range map[string]struct {
		hand func() error
		want []string
	}{
		"deletion protection off": {func() error {
			_, err := bob.UpdateTable(b.ctx, &dynamodb.UpdateTableInput{TableName: name, DeletionProtectionEnabled: awssdk.Bool(false)})
			return err
		}, []string{"deletionProtectionEnabled"}},
		"point-in-time recovery off": {func() error {
			_, err := bob.UpdateContinuousBackups(b.ctx, &dynamodb.UpdateContinuousBackupsInput{
				TableName: name, PointInTimeRecoverySpecification: &ddbtypes.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: awssdk.Bool(false)},
			})
			return err
		}, []string{"pointInTimeRecovery.enabled", "pointInTimeRecovery.recoveryPeriodInDays"}},
		"expiry off": {func() error {
			_, err := bob.UpdateTimeToLive(b.ctx, &dynamodb.UpdateTimeToLiveInput{
				TableName: name, TimeToLiveSpecification: &ddbtypes.TimeToLiveSpecification{AttributeName: awssdk.String("expires"), Enabled: awssdk.Bool(false)},
			})
			return err
		}, []string{"timeToLive.attributeName", "timeToLive.enabled"}},
		"the stream off": {func() error {
			_, err := bob.UpdateTable(b.ctx, &dynamodb.UpdateTableInput{TableName: name, StreamSpecification: &ddbtypes.StreamSpecification{StreamEnabled: awssdk.Bool(false)}})
			return err
		}, []string{"streamSpecification.streamEnabled", "streamSpecification.streamViewType"}},
		"an index gone": {func() error {
			_, err := bob.UpdateTable(b.ctx, &dynamodb.UpdateTableInput{TableName: name, GlobalSecondaryIndexUpdates: []ddbtypes.GlobalSecondaryIndexUpdate{
				{Delete: &ddbtypes.DeleteGlobalSecondaryIndexAction{IndexName: awssdk.String("byCustomer")}},
			}})
			return err
		}, []string{"attributeDefinitions.customer", "globalSecondaryIndexes.byCustomer"}},
		"a tag changed": {func() error {
			_, err := bob.TagResource(b.ctx, &dynamodb.TagResourceInput{
				ResourceArn: awssdk.String("arn:aws:dynamodb:" + testRegion + ":" + testAccount + ":table/" + *name),
				Tags:        []ddbtypes.Tag{{Key: awssdk.String("team"), Value: awssdk.String("other")}},
			})
			return err
		}, []string{"tags.team"}},
	} {
		t.Run(what, func(t *testing.T) {
			if err := c.hand(); err != nil {
				t.Fatal(err)
			}
			b.advance(b.o.LayerAge)
			if got := b.drifted(all, table); !slices.Equal(got, c.want) {
				t.Errorf("seen: %v, want %v", got, c.want)
			}
			who, err := b.Actors(b.ctx, table, b.clock.Now().Add(-time.Hour))
			if err != nil || len(who) == 0 || !strings.Contains(who[0].Name, "bob") && !strings.Contains(who[0].Name, "AKIABOB") {
				t.Errorf("who did it: %+v, %v", who, err)
			}
			for range 3 { // one step a Put
				live, bindings := b.look(all)
				_, err := b.Put(b.ctx, providers.Change{Resource: table, Bindings: bindings, Guard: live[table.Ref].Guard, Release: testRelease})
				if err != nil {
					t.Fatal(err)
				}
				b.advance(time.Minute)
			}
			if got := b.drifted(all, table); len(got) > 0 {
				t.Errorf("after it was put back: %v", got)
			}
		})
	}
}

func TestAMappingOfAStreamIsNeverMadeAnew(t *testing.T) {
	b, all, bob := storesInPlace(t)
	table, trigger := find(t, all, "Table/orders"), find(t, all, "Trigger/checkout.changes")
	old := b.one(table).Attributes["streamArn"]
	for _, on := range []bool{false, true} { // the table has another stream now
		in := &ddbtypes.StreamSpecification{StreamEnabled: &on}
		if on {
			in.StreamViewType = ddbtypes.StreamViewTypeNewAndOldImages
		}
		if _, err := bob.UpdateTable(b.ctx, &dynamodb.UpdateTableInput{TableName: &table.Physical, StreamSpecification: in}); err != nil {
			t.Fatal(err)
		}
		b.advance(time.Minute)
	}
	live, bindings := b.look(all)
	if live[table.Ref].Attributes["streamArn"] == old {
		t.Fatal("the stream is the same one")
	}
	got := b.made(true, func() {
		_, err := b.Put(b.ctx, providers.Change{Resource: trigger, Bindings: bindings, Guard: live[trigger.Ref].Guard, Release: testRelease})
		kindOf(t, err, providers.Invalid)
	})
	if len(got) > 0 {
		t.Errorf("it called %v", got)
	}

	moved := retrigger(trigger, func(s *manifest.TriggerSpec) { s.StartingPosition = "LATEST" })
	_, err := b.Put(b.ctx, providers.Change{Resource: moved, Bindings: bindings, Guard: live[trigger.Ref].Guard, Release: testRelease})
	kindOf(t, err, providers.Invalid)
}

func TestATriggerOfAStreamChangesInPlace(t *testing.T) {
	b, all, _ := storesInPlace(t)
	trigger := find(t, all, "Trigger/checkout.changes")
	live, bindings := b.look(all)
	none := 0
	changed := retrigger(trigger, func(s *manifest.TriggerSpec) {
		s.ParallelizationFactor, s.BisectBatchOnFunctionError, s.MaximumRetryAttempts, s.MaximumRecordAgeInSeconds = 1, false, &none, -1
		s.TumblingWindowInSeconds, s.OnFailure, s.BatchSize, s.FilterPatterns = 60, nil, 7, nil
	})
	got := b.made(true, func() {
		if _, err := b.Put(b.ctx, providers.Change{Resource: changed, Bindings: bindings, Guard: live[trigger.Ref].Guard, Release: testRelease}); err != nil {
			t.Fatal(err)
		}
	})
	if !slices.Equal(got, []string{"UpdateEventSourceMapping"}) {
		t.Errorf("calls: %v", got)
	}
	want, err := b.Canonical(changed, bindings)
	if err != nil {
		t.Fatal(err)
	}
	if paths := b.differs(changed, want, b.one(changed)); len(paths) > 0 {
		t.Errorf("not as declared: %v", paths)
	}
}

func TestATableIsKeptUnlessItsManifestSaysOtherwise(t *testing.T) {
	b, all, bob := storesInPlace(t)
	table := find(t, all, "Table/orders")
	guard := func() providers.Guard { return b.one(table).Guard }
	orphan := manifest.Resource{Ref: table.Ref, Physical: table.Physical}
	for what, res := range map[string]manifest.Resource{"retained": table, "unknown": orphan} {
		_, err := b.Delete(b.ctx, res, guard())
		if providers.KindOf(err) != providers.Denied || err == nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	var rest []manifest.Resource
	for _, res := range all {
		if res.Ref.Kind != manifest.KindTable && res.Ref.Kind != manifest.KindTrigger {
			rest = append(rest, res)
		}
	}
	if o, seen := b.survey(rest).Orphans[table.Ref]; !seen || o.Spec.Fields[pathDeletion] != `"Retain"` {
		t.Errorf("a table that nobody declares is seen as the orphan %+v", o.Spec.Fields)
	}

	going := retable(table, func(s *manifest.TableSpec) { s.DeletionPolicy = manifest.Delete })
	if _, err := b.Put(b.ctx, providers.Change{Resource: going, Release: testRelease, Guard: guard()}); err != nil {
		t.Fatal(err)
	}
	if o := b.survey(rest).Orphans[table.Ref]; o.Spec.Fields[pathDeletion] != `"Delete"` {
		t.Errorf("one that may go is seen as the orphan %+v", o.Spec.Fields)
	}
	_, err := b.Delete(b.ctx, orphan, guard())
	kindOf(t, err, providers.Invalid) // AWS protects it
	if _, err := bob.UpdateTable(b.ctx, &dynamodb.UpdateTableInput{TableName: &table.Physical, DeletionProtectionEnabled: awssdk.Bool(false)}); err != nil {
		t.Fatal(err)
	}
	b.advance(time.Minute)
	if _, err := b.Delete(b.ctx, orphan, guard()); err != nil {
		t.Fatal(err)
	}
	if b.one(table).Exists {
		t.Error("it is still there")
	}
}

func TestAForeignTableIsOnlyLookedAt(t *testing.T) {
	b, all, _ := storesInPlace(t)
	table := find(t, all, "Table/orders")
	foreign := manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindTable, Name: "theirs"}, Physical: table.Physical, Spec: &manifest.TableSpec{
		StreamSpecification: &manifest.StreamSpecification{StreamViewType: "KEYS_ONLY"},
	}}
	got := b.drifted([]manifest.Resource{foreign}, foreign)
	if !slices.Equal(got, []string{"streamSpecification.streamViewType"}) {
		t.Errorf("compared: %v", got)
	}
	_, err := b.Put(b.ctx, providers.Change{Resource: foreign, Release: testRelease})
	kindOf(t, err, providers.Invalid)
	_, err = b.Delete(b.ctx, foreign, "")
	kindOf(t, err, providers.Denied)
}

func TestAnUndeclaredMappingOfAStreamIsAnExtra(t *testing.T) {
	b, all, _ := storesInPlace(t)
	fn, table := find(t, all, "Function/checkout"), find(t, all, "Table/orders")
	bob := lambda.NewFromConfig(b.as("AKIABOB"))
	stream := b.one(table).Attributes["streamArn"]
	if _, err := bob.CreateEventSourceMapping(b.ctx, &lambda.CreateEventSourceMappingInput{
		EventSourceArn: &stream, FunctionName: &fn.Physical, StartingPosition: "LATEST",
	}); err != nil {
		t.Fatal(err)
	}
	inventory := b.survey(all)
	if len(inventory.Extras) != 1 || inventory.Extras[0].Spec.Fields["startingPosition"] != `"LATEST"` {
		t.Fatalf("extras: %+v", inventory.Extras)
	}
	if _, err := b.Detach(b.ctx, fn, inventory.Extras[0]); err != nil {
		t.Fatal(err)
	}
	if left := b.survey(all).Extras; len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
}
