package manifest

// AlarmSpec is a metric alarm of CloudWatch, of one metric or of metric math.
// Members and units are PutMetricAlarm's; dimensions are a map.
type AlarmSpec struct {
	AlarmDescription                 string            `json:"alarmDescription,omitempty" is:"maxlen=1024" doc:"What the alarm is for."`
	ActionsEnabled                   bool              `json:"actionsEnabled" is:"default=true" doc:"Whether its actions are taken."`
	AlarmActions                     []Value           `json:"alarmActions,omitempty" is:"target,maxitems=5" doc:"What is told of ALARM: a topic, or a function's alias."`
	OKActions                        []Value           `json:"okActions,omitempty" is:"target,maxitems=5" doc:"What is told of OK."`
	InsufficientDataActions          []Value           `json:"insufficientDataActions,omitempty" is:"target,maxitems=5" doc:"What is told of INSUFFICIENT_DATA."`
	Namespace                        string            `json:"namespace,omitempty" is:"maxlen=255" doc:"The metric's namespace, as AWS/Lambda."`
	MetricName                       string            `json:"metricName,omitempty" is:"maxlen=255" doc:"The metric, unless metrics are given."`
	Dimensions                       map[string]Value  `json:"dimensions,omitempty" is:"maxitems=30" doc:"The metric's dimensions: text, or a reference as {ref: Function/checkout, attribute: name}."`
	Statistic                        string            `json:"statistic,omitempty" is:"enum=SampleCount|Average|Sum|Minimum|Maximum" doc:"What is made of a period's values."`
	ExtendedStatistic                string            `json:"extendedStatistic,omitempty" is:"maxlen=100" doc:"A percentile or the like instead, as p99."`
	Period                           int               `json:"period,omitempty" is:"min=10,max=604800" doc:"Seconds of a period: 10, 20, 30 or a multiple of 60."`
	Unit                             string            `json:"unit,omitempty" is:"maxlen=30" doc:"The unit of the values that count. Better left out."`
	Metrics                          []AlarmMetric     `json:"metrics,omitempty" is:"maxitems=20" doc:"Metrics and expressions over them, instead of one metric. One of them returns data."`
	EvaluationPeriods                int               `json:"evaluationPeriods" is:"required,min=1,max=10080" doc:"Periods that are looked at."`
	DatapointsToAlarm                int               `json:"datapointsToAlarm,omitempty" is:"min=1,max=10080" doc:"How many of them must breach. Default: all."`
	ComparisonOperator               string            `json:"comparisonOperator" is:"required,enum=GreaterThanOrEqualToThreshold|GreaterThanThreshold|LessThanThreshold|LessThanOrEqualToThreshold|LessThanLowerOrGreaterThanUpperThreshold|LessThanLowerThreshold|GreaterThanUpperThreshold" doc:"How a value breaches."`
	Threshold                        *float64          `json:"threshold,omitempty" doc:"What values are held against."`
	ThresholdMetricID                string            `json:"thresholdMetricId,omitempty" is:"maxlen=255" doc:"The metric of metrics that is an anomaly detection band, instead of a threshold."`
	TreatMissingData                 string            `json:"treatMissingData" is:"default=missing,enum=breaching|notBreaching|ignore|missing" doc:"What a period without data is."`
	EvaluateLowSampleCountPercentile string            `json:"evaluateLowSampleCountPercentile,omitempty" is:"enum=evaluate|ignore" doc:"What percentiles of few samples are."`
	WarmUpConfiguration              *WarmUp           `json:"warmUpConfiguration,omitempty" doc:"A time after a change in which the alarm is not evaluated."`
	Tags                             map[string]string `json:"tags,omitempty" is:"maxitems=46" doc:"Tags of the alarm."`
}

// AlarmMetric is one of the metrics of an alarm, or an expression.
type AlarmMetric struct {
	ID         string           `json:"id" is:"required,match=metricId,maxlen=255" doc:"What expressions call it: letters, digits and _, a small letter first."`
	Expression string           `json:"expression,omitempty" is:"maxlen=2048" doc:"Metric math over the others."`
	MetricStat *AlarmMetricStat `json:"metricStat,omitempty" doc:"A metric and what is made of its values, instead of an expression."`
	Label      string           `json:"label,omitempty" is:"maxlen=2048" doc:"What people call it."`
	ReturnData *bool            `json:"returnData,omitempty" doc:"Whether the alarm watches it. Default true; exactly one does, or two with thresholdMetricId."`
	Period     int              `json:"period,omitempty" is:"min=10,max=604800" doc:"Seconds of a period, of an expression."`
	AccountID  string           `json:"accountId,omitempty" is:"match=account" doc:"The account the metric is in, when another."`
}

// AlarmMetricStat is a metric with its statistic.
type AlarmMetricStat struct {
	Namespace  string           `json:"namespace" is:"required,maxlen=255" doc:"The metric's namespace."`
	MetricName string           `json:"metricName" is:"required,maxlen=255" doc:"The metric."`
	Dimensions map[string]Value `json:"dimensions,omitempty" is:"maxitems=30" doc:"The metric's dimensions."`
	Period     int              `json:"period" is:"required,min=10,max=604800" doc:"Seconds of a period."`
	Stat       string           `json:"stat" is:"required,maxlen=100" doc:"What is made of a period's values, as Sum or p99."`
	Unit       string           `json:"unit,omitempty" is:"maxlen=30" doc:"The unit of the values that count."`
}

// WarmUp is how long a changed alarm waits.
type WarmUp struct {
	WarmUpPeriodDurationInMinutes            int  `json:"warmUpPeriodDurationInMinutes" is:"required,min=1" doc:"Minutes."`
	OnlyStartEvaluatingAfterWarmUpPeriodEnds bool `json:"onlyStartEvaluatingAfterWarmUpPeriodEnds,omitempty" doc:"Whether the whole time is waited, even if there is data."`
}
