package template

import (
	"fmt"
	"strconv"

	"mooring.dev/sources/manifest"
)

func (r *reader) logGroup(id string, p map[string]any) {
	d := r.begin(id, manifest.KindLogGroup)
	d.Spec["retentionInDays"] = 0
	r.members(d, p, map[string]func(map[string]any, string){
		"RetentionInDays": whole, "LogGroupClass": nil, "KmsKeyId": nil, "DeletionProtectionEnabled": truth,
	}, "LogGroupName", "Tags")
}

// groupAt is the log group a filter is of; nil, and listed, when it is not in
// the template.
func (r *reader) groupAt(id string, p map[string]any) *manifest.Draft {
	address, _ := plainAddress(r.resolver.eval(p["LogGroupName"], 0))
	d := r.byAddress(address, manifest.KindLogGroup)
	if d == nil {
		r.skip(id, r.resources[id].kind, "its log group is not in the template")
	}
	return d
}

func (r *reader) subscriptionFilter(id string, p map[string]any) {
	d := r.groupAt(id, p)
	if d == nil {
		return
	}
	body, _ := r.value(d, id, p).(map[string]any)
	to, _ := body["DestinationArn"].(string)
	if to == "" {
		d.Leave("%s: its destination is not known", id)
		return
	}
	r.part(d, "subscriptionFilters")[filterName(id, body)] = pruned(map[string]any{
		"filterPattern": orEmpty(body["FilterPattern"]), "destinationArn": r.called(to), "roleArn": body["RoleArn"], "distribution": body["Distribution"],
	})
}

func filterName(id string, body map[string]any) string {
	if name, ok := body["FilterName"].(string); ok {
		return name
	}
	return id
}

func (r *reader) metricFilter(id string, p map[string]any) {
	d := r.groupAt(id, p)
	if d == nil {
		return
	}
	body, _ := r.value(d, id, p).(map[string]any)
	for _, x := range items(body["MetricTransformations"]) {
		t, ok := x.(map[string]any)
		if !ok {
			continue
		}
		out := map[string]any{
			"filterPattern": orEmpty(body["FilterPattern"]), "metricNamespace": t["MetricNamespace"], "metricName": t["MetricName"],
			"metricValue": asText(t["MetricValue"]), "defaultValue": asNumber(t["DefaultValue"]), "unit": t["Unit"],
		}
		if dimensions := pairs(t["Dimensions"], "Key"); len(dimensions) > 0 {
			out["dimensions"] = dimensions
		}
		r.part(d, "metricFilters")[filterName(id, body)] = pruned(out)
	}
}

// part is a mapping inside a spec, made when it is not there.
func (r *reader) part(d *manifest.Draft, key string) map[string]any {
	m, ok := d.Spec[key].(map[string]any)
	if !ok {
		m = map[string]any{}
		d.Spec[key] = m
	}
	return m
}

func asText(x any) any {
	if x == nil {
		return nil
	}
	return fmt.Sprint(x)
}

// asNumber reads numbers that are written as text.
func asNumber(x any) any {
	if text, ok := x.(string); ok {
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f
		}
		return nil
	}
	return x
}

// pairs reads a list of names and values.
func pairs(x any, name string) map[string]any {
	out := map[string]any{}
	for _, item := range items(x) {
		if pair, ok := item.(map[string]any); ok && pair[name] != nil && pair["Value"] != nil {
			out[fmt.Sprint(pair[name])] = pair["Value"]
		}
	}
	return out
}

func (r *reader) alarm(id string, p map[string]any) {
	for _, key := range []string{"Dimensions", "Metrics"} {
		if _, problems := r.resolver.resolve(p[key]); len(problems) > 0 {
			r.skip(id, "AWS::CloudWatch::Alarm", "its "+key+" are not known whole ("+problems[0].why+"), and it would watch something else")
			return
		}
	}
	d := r.begin(id, manifest.KindAlarm)
	r.members(d, p, map[string]func(map[string]any, string){
		"AlarmDescription": nil, "ActionsEnabled": truth, "AlarmActions": nil, "InsufficientDataActions": nil, "Namespace": nil, "MetricName": nil,
		"Statistic": nil, "ExtendedStatistic": nil, "Period": whole, "Unit": nil, "EvaluationPeriods": whole, "DatapointsToAlarm": whole,
		"ComparisonOperator": nil, "Threshold": number, "ThresholdMetricId": nil, "TreatMissingData": nil, "EvaluateLowSampleCountPercentile": nil,
	}, "AlarmName", "OKActions", "Dimensions", "Metrics", "Tags")
	if actions := r.value(d, "OKActions", p["OKActions"]); actions != nil {
		d.Spec["okActions"] = actions
	}
	if dimensions := pairs(r.value(d, "Dimensions", p["Dimensions"]), "Name"); len(dimensions) > 0 {
		d.Spec["dimensions"] = dimensions
	}
	var metrics []any
	for _, x := range items(r.value(d, "Metrics", p["Metrics"])) {
		if q, ok := x.(map[string]any); ok {
			metrics = append(metrics, alarmMetric(q))
		}
	}
	if len(metrics) > 0 {
		d.Spec["metrics"] = metrics
	}
}

func alarmMetric(q map[string]any) map[string]any {
	out := map[string]any{"id": q["Id"], "expression": q["Expression"], "label": q["Label"], "returnData": q["ReturnData"], "period": q["Period"], "accountId": q["AccountId"]}
	truth(out, "returnData")
	whole(out, "period")
	if s, ok := q["MetricStat"].(map[string]any); ok {
		metric, _ := s["Metric"].(map[string]any)
		stat := map[string]any{"namespace": metric["Namespace"], "metricName": metric["MetricName"], "period": s["Period"], "stat": s["Stat"], "unit": s["Unit"]}
		whole(stat, "period")
		if dimensions := pairs(metric["Dimensions"], "Name"); len(dimensions) > 0 {
			stat["dimensions"] = dimensions
		}
		out["metricStat"] = pruned(stat)
	}
	return pruned(out)
}

// number makes a number of a text that is one.
func number(m map[string]any, key string) { m[key] = asNumber(m[key]) }

// layer is the newest version of a layer, whose code is not known before it is
// built.
func (r *reader) layer(id string, p map[string]any) {
	d := r.begin(id, manifest.KindLayer)
	r.members(d, p, map[string]func(map[string]any, string){
		"Description": nil, "CompatibleRuntimes": nil, "CompatibleArchitectures": nil, "LicenseInfo": nil,
	}, "LayerName", "Content", "ContentUri", "RetentionPolicy", "Tags")
	d.Spec["artifact"] = map[string]any{"unmanaged": true}
}

func (r *reader) layerPermission(id string, _ map[string]any) {
	r.skip(id, "AWS::Lambda::LayerVersionPermission", "declare it in permissions of the layer, when that is declared")
}
