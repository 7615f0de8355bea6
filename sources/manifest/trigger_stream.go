package manifest

import "strings"

// streamMembers are what the mappings of streams have in common.
type streamMembers struct {
	StartingPosition               string   `json:"startingPosition" is:"required,enum=TRIM_HORIZON|LATEST|AT_TIMESTAMP" doc:"Where a new mapping begins to read. It cannot be changed later."`
	StartingPositionTimestamp      string   `json:"startingPositionTimestamp" is:"match=timestamp" doc:"The time AT_TIMESTAMP begins at; Kinesis only."`
	Enabled                        bool     `json:"enabled" is:"default=true" doc:"Whether it is switched on."`
	BatchSize                      int      `json:"batchSize" is:"default=100,min=1,max=10000" doc:"Records per invocation at most."`
	MaximumBatchingWindowInSeconds int      `json:"maximumBatchingWindowInSeconds" is:"min=0,max=300" doc:"Seconds to gather a batch."`
	ParallelizationFactor          int      `json:"parallelizationFactor" is:"default=1,min=1,max=10" doc:"Batches of one shard at a time."`
	BisectBatchOnFunctionError     bool     `json:"bisectBatchOnFunctionError" doc:"Whether a batch that failed is halved and tried again."`
	MaximumRetryAttempts           int      `json:"maximumRetryAttempts" is:"default=-1,min=-1,max=10000" doc:"How often a batch is tried again; -1 is until its records expire."`
	MaximumRecordAgeInSeconds      int      `json:"maximumRecordAgeInSeconds" is:"default=-1,min=-1,max=604800" doc:"Seconds after which a record is given up, 60 at least; -1 is never."`
	TumblingWindowInSeconds        int      `json:"tumblingWindowInSeconds" is:"min=0,max=900" doc:"Seconds of a processing window that carries state; 0 is none."`
	OnFailure                      *Value   `json:"onFailure" is:"target,kinds=Queue|Topic|Bucket" doc:"Where what was given up is told: a queue, a topic or a bucket, or an ARN."`
	FunctionResponseTypes          []string `json:"functionResponseTypes" is:"maxitems=1,enum=ReportBatchItemFailures" doc:"Whether the code reports which record failed."`
	FilterPatterns                 []string `json:"filterPatterns" is:"maxitems=10,opaque" doc:"Event patterns, in JSON or the same in YAML; nothing is substituted inside."`
	KmsKeyArn                      string   `json:"kmsKeyArn" is:"match=arn" doc:"The key the filter patterns are encrypted with."`
	MetricsConfig                  []string `json:"metricsConfig" is:"maxitems=1,enum=EventCount" doc:"Metrics of the mapping."`
}

func (m *streamMembers) check(d *decoder, n *node) {
	if (m.StartingPosition == "AT_TIMESTAMP") != (m.StartingPositionTimestamp != "") {
		d.fault(n.get("startingPosition").pos(), "AT_TIMESTAMP and startingPositionTimestamp go together", "")
	}
	if m.MaximumRecordAgeInSeconds >= 0 && m.MaximumRecordAgeInSeconds < 60 {
		d.fault(n.get("maximumRecordAgeInSeconds").pos(), "maximumRecordAgeInSeconds is -1 or 60 at least", "")
	}
	if m.TumblingWindowInSeconds > 0 && m.ParallelizationFactor > 1 {
		d.fault(n.get("tumblingWindowInSeconds").pos(), "tumblingWindowInSeconds wants a parallelizationFactor of 1", "")
	}
}

func (m *streamMembers) spec(alias Ref) *TriggerSpec {
	retries := m.MaximumRetryAttempts
	return &TriggerSpec{
		Alias: alias, Enabled: m.Enabled, BatchSize: m.BatchSize,
		MaximumBatchingWindowInSeconds: m.MaximumBatchingWindowInSeconds,
		FunctionResponseTypes:          m.FunctionResponseTypes, FilterPatterns: sortedUnique(m.FilterPatterns),
		KmsKeyArn: m.KmsKeyArn, MetricsConfig: m.MetricsConfig,
		StartingPosition: m.StartingPosition, StartingPositionTimestamp: m.StartingPositionTimestamp,
		ParallelizationFactor: m.ParallelizationFactor, BisectBatchOnFunctionError: m.BisectBatchOnFunctionError,
		MaximumRetryAttempts: &retries, MaximumRecordAgeInSeconds: m.MaximumRecordAgeInSeconds,
		TumblingWindowInSeconds: m.TumblingWindowInSeconds, OnFailure: m.OnFailure,
	}
}

// tableTrigger is an event source mapping of a DynamoDB stream.
type tableTrigger struct {
	Table Value `json:"table" is:"required,target,kinds=Table" doc:"The table, as Table/orders, or the ARN of its stream."`
	streamMembers
}

func (t *tableTrigger) check(d *decoder, n *node) {
	t.streamMembers.check(d, n)
	if t.StartingPosition == "AT_TIMESTAMP" {
		d.fault(n.get("startingPosition").pos(), "the stream of a table is not read from a time", "TRIM_HORIZON or LATEST")
	}
	if arn := t.Table.Literal; arn != "" && arnService(arn) != "dynamodb" {
		d.fault(n.get("table").pos(), "is no ARN of a table's stream", "")
	}
}

func (t *tableTrigger) expand(c *children, key string) {
	spec := t.spec(c.alias)
	spec.Table = t.source()
	c.x.child(Ref{KindTrigger, c.x.meta.Name + "." + key}, key, spec, targets(c.front, &spec.Table, spec.OnFailure))
}

// source is the stream, which is an attribute of the table.
func (t *tableTrigger) source() Value {
	v := t.Table
	if v.Ref != (Ref{}) {
		v.Attribute = "streamArn"
	}
	return v
}

func (t *tableTrigger) clash() clash {
	return clash{
		identity: "table " + t.Table.Literal + t.Table.Ref.String(),
		message:  "names the same table as", hint: "AWS allows one mapping of a stream onto an alias",
	}
}

func (t *tableTrigger) grant() grant {
	source := t.source()
	return grant{sid: "Tables", resources: []any{source.plain()}, actions: []string{
		"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams",
	}}
}

// streamTrigger is an event source mapping of a Kinesis stream.
type streamTrigger struct {
	Stream string `json:"stream" is:"required,match=arn" doc:"The ARN of the Kinesis stream, or of a consumer of it."`
	streamMembers
}

func (t *streamTrigger) check(d *decoder, n *node) {
	t.streamMembers.check(d, n)
	if arnService(t.Stream) != "kinesis" {
		d.fault(n.get("stream").pos(), "is no ARN of a Kinesis stream", "a table's stream is written table: Table/NAME")
	}
}

func (t *streamTrigger) expand(c *children, key string) {
	spec := t.spec(c.alias)
	spec.Stream = Value{Literal: t.Stream}
	c.x.child(Ref{KindTrigger, c.x.meta.Name + "." + key}, key, spec, targets(c.front, spec.OnFailure))
}

func (t *streamTrigger) clash() clash {
	return clash{
		identity: "stream " + t.Stream,
		message:  "names the same stream as", hint: "AWS allows one mapping of a stream onto an alias",
	}
}

func (t *streamTrigger) grant() grant {
	resources := []any{t.Stream}
	if stream, _, consumer := strings.Cut(t.Stream, "/consumer/"); consumer { // whose stream is described and read for it
		resources = append(resources, stream)
	}
	return grant{sid: "Streams", resources: resources, actions: []string{
		"kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator",
		"kinesis:ListShards", "kinesis:SubscribeToShard",
	}}
}
