package aws

import (
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/go-cmp/cmp"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/providers/aws/sandbox/wire"
	"mooring.dev/sources/manifest"
)

func TestCheckAccount(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	if account, err := b.CheckAccount(b.ctx); err != nil || account != testAccount {
		t.Errorf("account %s, %v", account, err)
	}
	o := testOptions(t, b.box.URL())
	o.Target.Account = "999999999999"
	_, err := newWorld(t, o).CheckAccount(b.ctx)
	kindOf(t, err, providers.Denied)
}

// TestActorsAreNamedAndOursRecognised: a hand's change is attributed, and our
// own is known by its request id.
func TestActorsAreNamedAndOursRecognised(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	b.box.RegisterActor("AKIABOB", wire.Actor{AccessKey: "AKIABOB", Type: "IAMUser", Name: "user/bob", ARN: "arn:aws:iam::" + testAccount + ":user/bob"})
	fn := find(t, all, "Function/checkout")
	since := b.box.Now().Add(-time.Second)
	bob := lambda.NewFromConfig(b.as("AKIABOB"))
	if _, err := bob.UpdateFunctionConfiguration(b.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &fn.Physical, Timeout: awssdk.Int32(99)}); err != nil {
		t.Fatal(err)
	}
	r, err := b.Put(b.ctx, providers.Change{Resource: fn, Bindings: bindings, Guard: b.one(fn).Guard})
	if err != nil || len(r.RequestIDs) != 1 {
		t.Fatalf("put: %v %v", r, err)
	}
	actors, err := b.Actors(b.ctx, fn, since)
	if err != nil {
		t.Fatal(err)
	}
	var bobs, ours int
	for _, a := range actors {
		switch {
		case a.Name == "user/bob" && strings.HasPrefix(a.Event, "UpdateFunctionConfiguration"):
			bobs++
		case a.RequestID == r.RequestIDs[0]:
			ours++
		}
		if !a.Known || a.At.IsZero() || a.Service {
			t.Errorf("actor %+v", a)
		}
	}
	if bobs != 1 || ours != 1 {
		t.Errorf("%d changes of Bob's and %d of ours in %+v", bobs, ours, actors)
	}
}

func TestWriteOf(t *testing.T) {
	event := func(name, doc string) cttypes.Event {
		return cttypes.Event{EventName: &name, CloudTrailEvent: &doc, EventTime: awssdk.Time(time.Unix(1, 0))}
	}
	for name, c := range map[string]struct {
		event cttypes.Event
		kind  string
		want  providers.Actor
		told  bool
	}{
		"session": {event("UpdateAlias20150331", `{"requestID":"r1","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/Admin/alice"}}`), manifest.KindAlias,
			providers.Actor{Known: true, Name: "assumed-role/Admin/alice", Event: "UpdateAlias", At: time.Unix(1, 0), RequestID: "r1"}, true},
		"service": {event("UpdateAlias20150331", `{"userIdentity":{"type":"AWSService","invokedBy":"codedeploy.amazonaws.com"}}`), manifest.KindAlias,
			providers.Actor{Known: true, Name: "codedeploy.amazonaws.com", Event: "UpdateAlias", At: time.Unix(1, 0), Service: true}, true},
		"versioned": {event("UpdateFunctionCode20150331v2", `{"userIdentity":{"arn":"arn:aws:iam::1:user/bob"}}`), manifest.KindFunction,
			providers.Actor{Known: true, Name: "user/bob", Event: "UpdateFunctionCode", At: time.Unix(1, 0)}, true},
		"refused":      {event("UpdateAlias20150331", `{"errorCode":"AccessDenied","userIdentity":{"arn":"arn:aws:iam::1:user/eve"}}`), manifest.KindAlias, providers.Actor{}, false},
		"read":         {event("UpdateAlias20150331", `{"readOnly":true}`), manifest.KindAlias, providers.Actor{}, false},
		"another kind": {event("CreateFunctionUrlConfig", `{}`), manifest.KindFunction, providers.Actor{}, false},
		"broken":       {event("UpdateAlias", `{`), manifest.KindAlias, providers.Actor{}, false},
	} {
		w, told := writeOf(c.event)
		var got providers.Actor
		if told = told && changes(c.kind, w.name); told {
			got = w.doc.actor(w.name, w.username, w.at)
		}
		if told != c.told {
			t.Errorf("%s: told is %v", name, told)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestMeasureTellsVersionsApart(t *testing.T) {
	for _, protocol := range []string{"", "json", "query"} {
		t.Run("protocol "+protocol, func(t *testing.T) {
			b := newBoxed(t, sandbox.Options{}, func(o *Options) { o.CloudWatchProtocol = protocol })
			alias := manifest.Resource{Ref: manifest.Ref{Kind: "Alias", Name: "checkout.live"}, Physical: "preview-checkout", Key: "live"}
			now := b.box.Now().Truncate(time.Minute)
			put := func(version, metric string, value float64) {
				t.Helper()
				_, err := cloudwatch.NewFromConfig(b.as("AKIABOB")).PutMetricData(b.ctx, &cloudwatch.PutMetricDataInput{
					Namespace: awssdk.String("AWS/Lambda"), MetricData: []cwtypes.MetricDatum{{
						MetricName: &metric, Value: &value, Timestamp: &now, Dimensions: versionDimensions("preview-checkout", "live", version),
					}},
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			put("1", "Invocations", 90)
			put("2", "Invocations", 10)
			put("2", "Errors", 3)
			window := providers.Window{From: now.Add(-time.Minute), To: now.Add(time.Minute)}
			for version, want := range map[string]providers.Sample{
				"1": {Known: true, Calls: 90}, "2": {Known: true, Calls: 10, Errors: 3}, "3": {Silent: true},
			} {
				got, err := b.Measure(b.ctx, alias, version, providers.Asked{Window: window})
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("version %s: %+v, want %+v", version, got, want)
				}
			}
		})
	}
}

// newMeasured is a sandbox with how many questions about metrics it was asked.
func newMeasured(t *testing.T) (*boxed, *int) {
	t.Helper()
	questions := 0
	return newBoxed(t, sandbox.Options{}, func(o *Options) {
		o.OnCall = func(_, operation, _ string) {
			if operation == "GetMetricData" {
				questions++
			}
		}
	}), &questions
}

// Durations come with the calls in one question, compared with what was asked;
// the sandbox says 0 failures of a minute as Lambda does, and a minute of calls
// beside it without a word of failures is late.
func TestMeasureAsksForDurations(t *testing.T) {
	b, questions := newMeasured(t)
	alias := manifest.Resource{Ref: manifest.Ref{Kind: "Alias", Name: "checkout.live"}, Physical: "preview-checkout", Key: "live"}
	now := b.box.Now().Truncate(time.Minute).Add(-5 * time.Minute)
	put := func(version, metric string, minute int, values ...float64) {
		t.Helper()
		_, err := cloudwatch.NewFromConfig(b.as("AKIABOB")).PutMetricData(b.ctx, &cloudwatch.PutMetricDataInput{
			Namespace: awssdk.String("AWS/Lambda"), MetricData: []cwtypes.MetricDatum{{MetricName: &metric, Values: values,
				Timestamp: awssdk.Time(now.Add(time.Duration(minute) * time.Minute)), Dimensions: versionDimensions("preview-checkout", "live", version)}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	calls := func(version string, minute int, durations ...float64) {
		t.Helper()
		for range durations {
			put(version, "Invocations", minute, 1)
			put(version, "Errors", minute, 0)
		}
		put(version, "Duration", minute, durations...)
	}
	calls("1", 0, 10, 20, 30, 40)
	calls("1", 1, 10, 20, 30, 40)
	put("2", "Invocations", 0, 1, 1)
	put("2", "Errors", 0, 0, 0)
	put("2", "Invocations", 1, 1, 1) // how many of these failed is not there yet
	calls("3", 0, 10, 20)
	put("3", "Invocations", 1, 1) // nor how long this took
	put("3", "Errors", 1, 0)
	ask := func(version string, threshold time.Duration) providers.Sample {
		t.Helper()
		got, err := b.Measure(b.ctx, alias, version, providers.Asked{Window: providers.Window{From: now, To: now.Add(2 * time.Minute)}, Latency: []providers.AskedLatency{{Percentile: 75}, {Percentile: 50, Threshold: threshold}}})
		if err != nil || len(got.Latency) != 2 && got.Known {
			t.Fatalf("%+v, %v", got, err)
		}
		return got
	}
	got := ask("1", 30*time.Millisecond)
	if most, half := got.Latency[0].Quantile, got.Latency[1].Quantile; half < 20*time.Millisecond || half > 30*time.Millisecond || most < 30*time.Millisecond || most > 40*time.Millisecond {
		t.Errorf("half of the calls took at most %s, three of four %s", half, most)
	}
	got.Latency[0].Quantile, got.Latency[1].Quantile = 0, 0
	want := providers.Sample{Known: true, Calls: 8, Latency: []providers.Latency{{Known: true, Percentile: 75, Calls: 8},
		{Known: true, Percentile: 50, Calls: 8, Above: 2, Threshold: 30 * time.Millisecond}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := ask("1", 0).Latency[1]; got.Above != 0 || got.Threshold != 0 || got.Quantile == 0 {
		t.Errorf("nothing to compare with: %+v", got)
	}
	if got := ask("2", 0); got.Known {
		t.Errorf("failures that are late are taken for none: %+v", got)
	}
	if got := ask("3", 0); !got.Known || got.Calls != 3 || got.Latency[0].Known || got.Latency[1].Known {
		t.Errorf("durations that are late: %+v", got)
	}
	if *questions != 4 {
		t.Errorf("%d questions for 4 samples", *questions)
	}
}

// Windows of before are counted again in the same question: each for itself, with
// what ended since, none where nothing is told, and latency in none of them.
func TestMeasureCountsAgain(t *testing.T) {
	b, questions := newMeasured(t)
	alias := manifest.Resource{Ref: manifest.Ref{Kind: "Alias", Name: "checkout.live"}, Physical: "preview-checkout", Key: "live"}
	now := b.box.Now().Truncate(time.Minute).Add(-time.Minute)
	for minute, told := range map[int]map[string]float64{
		-20: {"Invocations": 10, "Errors": 4}, -18: {"Invocations": 9}, -17: {"Throttles": 5}, 0: {"Invocations": 7, "Errors": 1, "Duration": 3},
	} {
		for metric, value := range told {
			_, err := cloudwatch.NewFromConfig(b.as("AKIABOB")).PutMetricData(b.ctx, &cloudwatch.PutMetricDataInput{
				Namespace: awssdk.String("AWS/Lambda"), MetricData: []cwtypes.MetricDatum{{MetricName: &metric, Value: &value,
					Timestamp: awssdk.Time(now.Add(time.Duration(minute) * time.Minute)), Dimensions: versionDimensions("preview-checkout", "live", "2")}},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	window := func(from, to int) providers.Window {
		return providers.Window{From: now.Add(time.Duration(from) * time.Minute), To: now.Add(time.Duration(to) * time.Minute)}
	}
	got, err := b.Measure(b.ctx, alias, "2", providers.Asked{Window: window(0, 1), Latency: []providers.AskedLatency{{Percentile: 90}},
		Again: []providers.Window{window(-20, -19), window(-19, -18), window(-18, -17), window(-17, -16)}})
	if err != nil {
		t.Fatal(err)
	}
	want := []providers.Sample{{Known: true, Calls: 10, Errors: 4}, {Known: true}, {Known: true, Calls: 9}, {Known: true, Throttles: 5}}
	if !reflect.DeepEqual(got.Again, want) || got.Calls != 7 || got.Errors != 1 || *questions != 1 {
		t.Errorf("%+v after %d questions, want again %+v", got, *questions, want)
	}
}

func TestEveryCallIsHeardOf(t *testing.T) {
	heard := map[string]string{}
	b := newBoxed(t, sandbox.Options{}, func(o *Options) {
		o.OnCall = func(service, operation, code string) { heard[service+" "+operation] = code }
	})
	b.one(manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindSecret, Name: "x"}, Physical: "x", Spec: &manifest.SecretSpec{}})
	if diff := cmp.Diff(map[string]string{"Secrets Manager DescribeSecret": "ResourceNotFoundException"}, heard); diff != "" {
		t.Errorf("heard: %s", diff)
	}
	if lanes := b.Lanes(); len(lanes) != 1 || lanes[0].Calls != 1 {
		t.Errorf("lanes %+v", lanes)
	}
}

// TestInvokeTellsFailureFromAnswer runs code for real.
func TestInvokeTellsFailureFromAnswer(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("python3 is not installed, and this is CI")
		}
		t.Skip("python3 is not installed")
	}
	b, all, _ := settled(t, sandbox.Options{})
	fn := with(find(t, all, "Function/checkout"), func(f *manifest.FunctionConfig) {
		f.Artifact = b.zips.file(t, "app.py", "def handler(event, context):\n    if event.get('bad'):\n        raise ValueError('no')\n    return {'ok': True}\n")
		f.Runtime, f.Handler = "python3.12", "app.handler"
	})
	for i := range all {
		if all[i].Ref == fn.Ref {
			all[i] = fn
		}
	}
	b.converge(all)
	response, failed, err := b.Invoke(b.ctx, fn, "live", []byte(`{}`))
	if err != nil || failed || string(canonicalText(string(response))) != `{"ok":true}` {
		t.Errorf("a good call: %s, failed %v, %v", response, failed, err)
	}
	if _, failed, err = b.Invoke(b.ctx, fn, "live", []byte(`{"bad": true}`)); err != nil || !failed {
		t.Errorf("a failing call: failed %v, %v", failed, err)
	}
	_, _, err = b.Invoke(b.ctx, fn, "99", []byte(`{}`))
	kindOf(t, err, providers.Conflict)
}
