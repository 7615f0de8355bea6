package manifest

func alarmKind() *kind {
	return newKind[AlarmSpec](kind{
		name:       KindAlarm,
		summary:    "A metric alarm of CloudWatch, of one metric or of metric math.",
		nameRule:   rule{required: true, maxLen: 255, match: patterns["alarmName"]},
		limit:      255,
		attributes: []string{"arn", "name"},
		expand:     func(x *expansion) { spec := *x.written.(*AlarmSpec); x.top(&spec, spec.refs()) },
		example: `apiVersion: mooring.dev/v1
kind: Alarm
metadata: {name: checkout-errors}
spec:
  namespace: AWS/Lambda
  metricName: Errors
  dimensions: {FunctionName: shop-checkout}
  statistic: Sum
  period: 60
  evaluationPeriods: 5
  datapointsToAlarm: 3
  comparisonOperator: GreaterThanThreshold
  threshold: 10
  treatMissingData: notBreaching
`,
	})
}

func (a *AlarmSpec) refs() []Ref {
	var refs []Ref
	for _, list := range [][]Value{a.AlarmActions, a.OKActions, a.InsufficientDataActions} {
		for i := range list {
			refs = append(refs, targets(Ref{}, &list[i])...)
		}
	}
	refs = append(refs, dimensionRefs(a.Dimensions)...)
	for _, m := range a.Metrics {
		if m.MetricStat != nil {
			refs = append(refs, dimensionRefs(m.MetricStat.Dimensions)...)
		}
	}
	return refs
}

func dimensionRefs(dimensions map[string]Value) []Ref {
	var refs []Ref
	for _, v := range dimensions {
		refs = append(refs, targets(Ref{}, &v)...)
	}
	return refs
}

func (a *AlarmSpec) check(d *decoder, n *node) {
	if (a.MetricName == "") == (len(a.Metrics) == 0) {
		d.need(n.pos(), "needs metricName or metrics, and not both", "")
	}
	if (a.Threshold == nil) == (a.ThresholdMetricID == "") {
		d.need(n.pos(), "needs threshold or thresholdMetricId, and not both", "")
	}
	if a.DatapointsToAlarm > a.EvaluationPeriods {
		d.fault(n.get("datapointsToAlarm").pos(), "datapointsToAlarm is over evaluationPeriods", "")
	}
	if len(a.Metrics) > 0 {
		a.checkMetrics(d, n)
	} else {
		a.checkMetric(d, n)
	}
	checkTags(d, n.get("tags"), a.Tags)
}

// checkMetric holds an alarm of one metric against what AWS wants of it.
func (a *AlarmSpec) checkMetric(d *decoder, n *node) {
	if a.Namespace == "" || a.Period == 0 {
		d.need(n.pos(), "an alarm of one metric needs namespace and period", "")
	}
	if (a.Statistic == "") == (a.ExtendedStatistic == "") {
		d.need(n.pos(), "needs statistic or extendedStatistic, and not both", "")
	}
	if p := n.get("period"); p != nil {
		checkPeriod(d, p, a.Period)
	}
}

// checkPeriod: AWS has no other periods.
func checkPeriod(d *decoder, n *node, seconds int) {
	if seconds != 10 && seconds != 20 && seconds != 30 && seconds%60 != 0 {
		d.fault(n.pos(), "cannot be "+itoa(seconds), "10, 20, 30 or a multiple of 60")
	}
}

func (a *AlarmSpec) checkMetrics(d *decoder, n *node) {
	for _, name := range []string{"namespace", "dimensions", "statistic", "extendedStatistic", "period", "unit"} {
		if field := n.get(name); field != nil {
			d.fault(field.pos(), name+" is for an alarm of one metric", "give it with each of metrics")
		}
	}
	list := n.get("metrics")
	ids, returned := map[string]bool{}, 0
	for i, m := range a.Metrics {
		at := list.items[i].pos()
		if (m.Expression == "") == (m.MetricStat == nil) {
			d.fault(at, "a metric needs expression or metricStat, and not both", "")
		}
		if ids[m.ID] {
			d.fault(at, "id "+quote(m.ID)+" stands twice", "")
		}
		if m.MetricStat != nil {
			checkPeriod(d, list.items[i].get("metricStat").get("period"), m.MetricStat.Period)
		}
		ids[m.ID] = true
		if m.ReturnData == nil || *m.ReturnData {
			returned++
		}
	}
	want := 1
	if a.ThresholdMetricID != "" {
		want = 2
		if !ids[a.ThresholdMetricID] {
			d.fault(n.get("thresholdMetricId").pos(), quote(a.ThresholdMetricID)+" is none of metrics", "")
		}
	}
	if returned != want {
		d.fault(list.pos(), itoa(returned)+" of metrics return data", "set returnData: false on all but "+itoa(want))
	}
}
