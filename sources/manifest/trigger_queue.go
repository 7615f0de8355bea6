package manifest

// queueTrigger is an event source mapping of an SQS queue.
type queueTrigger struct {
	Queue                          Value    `json:"queue" is:"required,target,kinds=Queue" doc:"The queue, as Queue/orders, or an ARN."`
	Enabled                        bool     `json:"enabled" is:"default=true" doc:"Whether it is switched on."`
	BatchSize                      int      `json:"batchSize" is:"default=10,min=1,max=10000" doc:"Messages per invocation at most."`
	MaximumBatchingWindowInSeconds int      `json:"maximumBatchingWindowInSeconds" is:"min=0,max=300" doc:"Seconds to gather a batch."`
	FunctionResponseTypes          []string `json:"functionResponseTypes" is:"maxitems=1,enum=ReportBatchItemFailures" doc:"Whether the code reports which messages failed."`
	FilterPatterns                 []string `json:"filterPatterns" is:"maxitems=10,opaque" doc:"Event patterns, in JSON or the same in YAML; nothing is substituted inside."`
	MaximumConcurrency             int      `json:"maximumConcurrency" is:"min=2,max=1000" doc:"Invocations at once at most."`
	KmsKeyArn                      string   `json:"kmsKeyArn" is:"match=arn" doc:"The key the filter patterns are encrypted with."`
	MetricsConfig                  []string `json:"metricsConfig" is:"maxitems=1,enum=EventCount" doc:"Metrics of the mapping."`
}

func (q *queueTrigger) expand(c *children, key string) {
	spec := &TriggerSpec{
		Alias: c.alias, Queue: q.Queue, Enabled: q.Enabled, BatchSize: q.BatchSize,
		MaximumBatchingWindowInSeconds: q.MaximumBatchingWindowInSeconds,
		FunctionResponseTypes:          q.FunctionResponseTypes, FilterPatterns: sortedUnique(q.FilterPatterns),
		MaximumConcurrency: q.MaximumConcurrency, KmsKeyArn: q.KmsKeyArn, MetricsConfig: q.MetricsConfig,
	}
	c.x.child(Ref{KindTrigger, c.x.meta.Name + "." + key}, key, spec, targets(c.front, &spec.Queue))
}

func (q *queueTrigger) clash() clash {
	return clash{
		identity: "queue " + q.Queue.Literal + q.Queue.Ref.String(),
		message:  "names the same queue as", hint: "AWS allows one mapping of a queue onto an alias",
	}
}

func (q *queueTrigger) check(d *decoder, n *node) {
	if q.BatchSize > 10 && q.MaximumBatchingWindowInSeconds == 0 {
		d.fault(n.get("batchSize").pos(), "batchSize over 10 needs maximumBatchingWindowInSeconds", "at least 1")
	}
}

func (q *queueTrigger) grant() grant {
	return grant{sid: "Triggers", resources: []any{q.Queue.plain()}, actions: []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}}
}
