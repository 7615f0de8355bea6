package aws

import "github.com/aws/aws-sdk-go-v2/service/sqs/types"

// queueCoverage is a queue: its attributes have no structure, but names.
func queueCoverage() []covered {
	const counts = "what it holds, which changes all the time"
	return []covered{{types.QueueAttributeName(""), map[string]string{
		"ContentBasedDeduplication": managed, "DeduplicationScope": managed, "DelaySeconds": managed, "FifoQueue": managed, "FifoThroughputLimit": managed,
		"KmsDataKeyReusePeriodSeconds": managed, "KmsMasterKeyId": managed, "MaximumMessageSize": managed, "MessageRetentionPeriod": managed, "Policy": managed,
		"ReceiveMessageWaitTimeSeconds": managed, "RedrivePolicy": managed, "SqsManagedSseEnabled": managed, "VisibilityTimeout": managed,
		"RedriveAllowPolicy": "which other queues may send their dead letters here: by default all of the account",
		"All":                "a word of the request",
		"QueueArn":           identity, "CreatedTimestamp": readOnly, "LastModifiedTimestamp": readOnly,
		"ApproximateNumberOfMessages": counts, "ApproximateNumberOfMessagesDelayed": counts, "ApproximateNumberOfMessagesNotVisible": counts,
	}}}
}
