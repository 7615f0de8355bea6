package manifest

import "strings"

func queueKind() *kind {
	return newKind[QueueSpec](kind{
		name:       KindQueue,
		summary:    "An SQS queue, standard or FIFO, with its dead-letter queue.",
		nameRule:   rule{required: true, maxLen: 80, match: patterns["queueName"]},
		limit:      80,
		suffix:     queueSuffix,
		attributes: []string{"arn", "url", "name"},
		stateful:   true,
		noSpec:     true,
		expand:     expandQueue,
		example: `apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: orders}
spec:
  visibilityTimeout: 60
  messageRetentionPeriod: 345600
  redrive: {deadLetter: Queue/orders-dlq, maxReceiveCount: 5}
---
apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: orders-dlq}
spec: {messageRetentionPeriod: 1209600}
`,
	})
}

func queueSuffix(written any) string {
	if written.(*QueueSpec).FifoQueue {
		return ".fifo"
	}
	return ""
}

func (q *QueueSpec) check(d *decoder, n *node) {
	if !q.FifoQueue {
		for _, name := range []string{"contentBasedDeduplication", "deduplicationScope", "fifoThroughputLimit"} {
			if field := n.get(name); field != nil && field.text != "false" {
				d.fault(field.pos(), name+" is for FIFO queues only", "set fifoQueue: true")
			}
		}
	}
	if q.KmsMasterKeyID != "" && q.SqsManagedSseEnabled != nil && *q.SqsManagedSseEnabled {
		d.fault(n.get("sqsManagedSseEnabled").pos(), "sqsManagedSseEnabled excludes kmsMasterKeyId", "choose one")
	}
	if q.KmsDataKeyReusePeriodSeconds != 0 && q.KmsMasterKeyID == "" {
		d.fault(n.get("kmsDataKeyReusePeriodSeconds").pos(), "kmsDataKeyReusePeriodSeconds needs kmsMasterKeyId", "")
	}
	if q.FifoThroughputLimit == "perMessageGroupId" && q.DeduplicationScope != "messageGroup" {
		d.fault(n.get("fifoThroughputLimit").pos(), "perMessageGroupId needs deduplicationScope: messageGroup", "")
	}
	checkTags(d, n.get("tags"), q.Tags)
	checkDocument(d, n.get("policy"), q.Policy)
}

func expandQueue(x *expansion) {
	q := *x.written.(*QueueSpec)
	if strings.HasSuffix(x.meta.Name, ".fifo") && !q.FifoQueue {
		x.fault("name", "a queue named .fifo is a FIFO queue", "set fifoQueue: true")
	}
	if q.SqsManagedSseEnabled == nil {
		managed := q.KmsMasterKeyID == ""
		q.SqsManagedSseEnabled = &managed
	}
	var refs []Ref
	if q.Redrive != nil {
		if ref, _, ok := q.Redrive.DeadLetter.Target(); ok {
			refs = append(refs, ref)
		}
	}
	x.top(&q, documentRefs(refs, q.Policy))
}

// checkTags refuses the keys that belong to the platform and to Mooring.
func checkTags(d *decoder, n *node, tags map[string]string) {
	if n == nil || n.kind != mapNode {
		return
	}
	for _, e := range n.entries {
		lower := strings.ToLower(e.key)
		if strings.HasPrefix(lower, "aws:") || strings.HasPrefix(lower, "mooring:") {
			d.fault(e.pos(), "tag "+quote(e.key)+" is not yours to set", "keys beginning aws: and mooring: are taken")
		}
		if len(e.key) > 128 || len(tags[e.key]) > 256 {
			d.fault(e.pos(), "tag "+quote(e.key)+" is too long", "at most 128 characters, and 256 of value")
		}
	}
}
