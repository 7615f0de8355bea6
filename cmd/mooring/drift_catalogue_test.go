package main

// catalogue names the ways in which a serverless system drifts; a row's number
// is its place, from 1.
var catalogue = [...]string{
	"code edited in place", "the same code uploaded again", "an image's tag pushed again", "handler", "runtime", "memory", "timeout",
	"ephemeral storage", "variable added", "variable changed", "variable removed", "variables that cannot be read", "layers",
	"layers, variables and tags by a vendor's instrumenter", "subnets and security groups", "dead-letter target", "tracing", "KMS key", "logging",
	"description", "architecture", "file system", "execution role swapped", // 23
	"inline policy of a role", "managed policy attached or detached", "new version of a customer managed policy", "trust policy, permissions boundary",
	"role deleted, or made again", // 28
	"reserved concurrency", "provisioned concurrency", "alias repointed", "weights of an alias", "alias added or deleted", "version published by hand",
	"version deleted", "function deleted", "function made that nobody declares", // 37
	"mapping disabled by a person", "mapping disabled by Lambda", "batch, window and concurrency of a mapping", "filter of a mapping",
	"mapping moved to another qualifier", "mapping deleted", "mapping added", // 44
	"permission added", "permission removed", "function URL made", "function URL changed", "asynchronous invocation", "tags", // 50
	"runtime management mode", "runtime's build moved by AWS", "SnapStart", "recursive loops", "code signing", "durable, tenancy and capacity settings",
	"scaling of managed instances", // 57
	"attributes of a queue", "dead-letter queue of a queue", "policy of a queue", "queue purged", "rule disabled", "pattern and targets of a rule",
	"schedule", "subscription of a topic", "policy of a topic", "notifications of a bucket", // 67
	"secret scheduled for deletion", "secret rotated", "parameter changed or deleted", // 70
	"state machine", "alias of a state machine", "HTTP API", // 73
	"stream of a table", "expiry, recovery and protection of a table", "Kinesis stream", "log group", "subscription and metric filters", "alarm", // 79
	"scaling of provisioned concurrency", "KMS key disabled", "bucket the code is read from", "network rules",
}

// chapters divide the catalogue for readers: each goes to its last row.
var chapters = []struct {
	title string
	to    int
}{
	{"Code and configuration of functions", 23}, {"Roles", 28}, {"Concurrency, aliases and versions", 37}, {"Event source mappings", 44},
	{"Who may call, and how", 50}, {"Settings beside the versions", 57}, {"Queues, rules, schedules, topics, buckets", 67},
	{"Secrets and parameters", 70}, {"Workflows and HTTP APIs", 73}, {"Tables, logs, alarms", 83},
}

// otherRows are the rows of the catalogue that are not made by hand, with the
// reason.
var otherRows = map[int]string{
	26: "customer managed policies are referred to by ARN and not managed",
	56: "durable functions, tenancy and capacity providers are not managed",
	57: "managed instances are not managed",
	76: "Kinesis streams are referred to by ARN and not managed",
	80: "not managed; what it does to provisioned concurrency is row 30",
	81: "KMS keys are referred to by ARN and not managed",
	82: "code is not left in the bucket: storage mode REFERENCE is not used",
	83: "security groups and subnets are referred to by id and not managed",
}

// byAWS is what AWS does by itself and is no drift, with the test that makes
// it where no row does.
var byAWS = []struct{ what, test string }{
	{"moves the weights of an alias while its provisioned concurrency becomes ready", "TestWeightsThatAWSInjectsAreNoDrift"},
	{"moves a function to another build of its runtime", "TestABuildOfARuntimeIsNoDrift"},
	{"disables a mapping whose source is gone: told as row 39, with Lambda's own reason and nobody's name", "TestDriftCatalogue"},
	{"writes policies, patterns and definitions its own way, and names by ARN what was given by name: the rows above", "TestDriftCatalogue"},
}
