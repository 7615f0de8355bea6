package aws

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

func alarmOf(prefix string, spec manifest.AlarmSpec) manifest.Resource {
	return manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindAlarm, Name: "errors"}, Physical: prefix + "-errors", Spec: &spec}
}

func number(f float64) *float64 { return &f }

// metricAlarm sets every member of an alarm of one metric.
func metricAlarm(prefix string) manifest.Resource {
	topic := manifest.Value{Literal: "arn:aws:sns:" + testRegion + ":" + testAccount + ":oncall"}
	other := manifest.Value{Literal: "arn:aws:sns:" + testRegion + ":" + testAccount + ":all"}
	return alarmOf(prefix, manifest.AlarmSpec{
		AlarmDescription: "too many errors", ActionsEnabled: true,
		AlarmActions: []manifest.Value{topic, other}, OKActions: []manifest.Value{topic}, InsufficientDataActions: []manifest.Value{other},
		Namespace: "AWS/Lambda", MetricName: "Duration", ExtendedStatistic: "p99", Period: 60, Unit: "Milliseconds",
		Dimensions:        map[string]manifest.Value{"FunctionName": {Literal: prefix + "-checkout"}, "Resource": {Literal: prefix + "-checkout:live"}},
		EvaluationPeriods: 5, DatapointsToAlarm: 3, ComparisonOperator: "GreaterThanThreshold", Threshold: number(2500.5),
		TreatMissingData: "notBreaching", EvaluateLowSampleCountPercentile: "ignore", Tags: map[string]string{"team": "payments"},
	})
}

// mathAlarm is one over several metrics, of the same name.
func mathAlarm(prefix string) manifest.Resource {
	no := false
	stat := func(name string) *manifest.AlarmMetricStat {
		return &manifest.AlarmMetricStat{
			Namespace: "AWS/Lambda", MetricName: name, Period: 60, Stat: "Sum",
			Dimensions: map[string]manifest.Value{"FunctionName": {Literal: prefix + "-checkout"}},
		}
	}
	return alarmOf(prefix, manifest.AlarmSpec{
		EvaluationPeriods: 1, ComparisonOperator: "GreaterThanOrEqualToThreshold", Threshold: number(0.05),
		Metrics: []manifest.AlarmMetric{
			{ID: "rate", Expression: "errors / calls", Label: "error rate"},
			{ID: "errors", MetricStat: stat("Errors"), ReturnData: &no},
			{ID: "calls", MetricStat: stat("Invocations"), ReturnData: &no},
		},
		Tags: map[string]string{"team": "orders"},
	})
}

func TestEveryFieldOfAnAlarmIsSetAndCleared(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	warm := metricAlarm("preview")
	warm.Spec.(*manifest.AlarmSpec).WarmUpConfiguration = &manifest.WarmUp{WarmUpPeriodDurationInMinutes: 5, OnlyStartEvaluatingAfterWarmUpPeriodEnds: true}
	b.reshape([]manifest.Resource{warm}, []manifest.Resource{mathAlarm("preview")}, []manifest.Resource{metricAlarm("preview")})
}

// What a hand does to an alarm shows, with who it was; the one field that is
// put back leaves the others as they are, and a guard of before is refused.
func TestAlarmDrift(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	hand := cloudwatch.NewFromConfig(b.as("AKIABOB"))
	alarm := metricAlarm("preview")
	b.converge([]manifest.Resource{alarm})
	before, bindings := b.look([]manifest.Resource{alarm})
	if _, err := hand.DisableAlarmActions(b.ctx, &cloudwatch.DisableAlarmActionsInput{AlarmNames: []string{alarm.Physical}}); err != nil {
		t.Fatal(err)
	}
	desired := liveAlarm(lookedAt(t, b, alarm).metric)
	desired.threshold, desired.enabled = number(9), false
	in := &cloudwatch.PutMetricAlarmInput{AlarmName: &alarm.Physical}
	desired.into(in)
	if _, err := hand.PutMetricAlarm(b.ctx, in); err != nil {
		t.Fatal(err)
	}
	after, _ := b.look([]manifest.Resource{alarm})
	if f := after[alarm.Ref].Spec.Fields; f["actionsEnabled"] != "false" || f["threshold"] != "9" {
		t.Errorf("what the hand did shows as %v", f)
	}
	c := providers.Change{Resource: alarm, Bindings: bindings, Fields: []string{"threshold"}, Guard: before[alarm.Ref].Guard, Release: testRelease}
	if _, err := b.Put(b.ctx, c); providers.KindOf(err) != providers.Conflict {
		t.Errorf("a guard of before: %v", err)
	}
	c.Guard = after[alarm.Ref].Guard
	if _, err := b.Put(b.ctx, c); err != nil {
		t.Fatal(err)
	}
	now, _ := b.look([]manifest.Resource{alarm})
	if f := now[alarm.Ref].Spec.Fields; f["actionsEnabled"] != "false" || f["threshold"] != "2500.5" {
		t.Errorf("after putting the threshold back: %v", f)
	}
	actors, err := b.Actors(b.ctx, alarm, now[alarm.Ref].SeenAt.Add(-1e12))
	events := map[string]bool{}
	for _, a := range actors {
		events[a.Name+" "+a.Event] = true
	}
	if err != nil || !events["user/akiabob DisableAlarmActions"] || !events["user/akiabob PutMetricAlarm"] {
		t.Errorf("who did it: %v, %v", events, err)
	}
}

func lookedAt(t *testing.T, b *boxed, alarm manifest.Resource) *alarmLook {
	t.Helper()
	l, err := b.lookAlarm(b.ctx, b.front, alarm.Physical)
	if err != nil || l == nil {
		t.Fatalf("%v, %v", l, err)
	}
	return l
}

// An alarm nobody declares any more is found by its tags, and deleted; one
// that is another's is not.
func TestAlarmsGo(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	hand := cloudwatch.NewFromConfig(b.as("AKIABOB"))
	alarm, others := metricAlarm("preview"), alarmOf("x", *metricAlarm("x").Spec.(*manifest.AlarmSpec))
	b.converge([]manifest.Resource{alarm})
	in := &cloudwatch.PutMetricAlarmInput{AlarmName: &others.Physical}
	liveAlarm(lookedAt(t, b, alarm).metric).into(in)
	if _, err := hand.PutMetricAlarm(b.ctx, in); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Delete(b.ctx, others, ""); providers.KindOf(err) != providers.Denied {
		t.Errorf("deleting what nobody owns: %v", err)
	}
	inventory, err := b.Survey(b.ctx, nil)
	if err != nil || len(inventory.Orphans) != 1 {
		t.Fatalf("%v, orphans %v", err, inventory.Orphans)
	}
	orphan := inventory.Orphans[alarm.Ref]
	if _, err := b.Delete(b.ctx, manifest.Resource{Ref: alarm.Ref, Physical: orphan.Attributes["name"]}, orphan.Guard); err != nil {
		t.Fatal(err)
	}
	if live, _ := b.look([]manifest.Resource{alarm}); live[alarm.Ref].Exists {
		t.Error("it is still there")
	}
}

// witnessAlarm is what moto says of alarms.
func witnessAlarm(w *world) {
	w.reshape([]manifest.Resource{metricAlarm("alarms")}, []manifest.Resource{mathAlarm("alarms")}, []manifest.Resource{metricAlarm("alarms")})
}
