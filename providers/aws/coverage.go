package aws

import (
	"reflect"
	"slices"
	"strings"
)

// This is the one place that says what of AWS's structures is managed, and what
// is deliberately not, with the reason. A test holds it against the SDK: a
// member the SDK learns is managed or stands here, and the page of what is not
// managed is made from it.

// covered is a structure of the SDK with what becomes of each of its members:
// managed, or why not.
type covered struct {
	of      any
	members map[string]string
}

// managed stands for a member that the canonical form or a call of ours holds.
const managed = ""

// Reasons that several members have.
const (
	outOfScope = "a kind of function this release does not manage"
	kafka      = "of Kafka, message brokers and databases, which are no triggers here"
	readOnly   = "set by AWS"
	identity   = "says which one it is"
	state      = "read into Settling, Failed or Note"
	guards     = "the guard"
	onlyLooked = "a version is made only of what was looked at"
)

// coverage is the whole table.
func coverage() []covered {
	var all []covered
	for _, part := range [][]covered{
		lambdaCoverage(), besideCoverage(), layerCoverage(), accessCoverage(), queueCoverage(),
		logGroupCoverage(), alarmCoverage(), apiCoverage(), messagingCoverage(), workflowCoverage(), tableCoverage(),
		bucketCoverage(),
	} {
		all = append(all, part...)
	}
	return all
}

// Exclusion is something of AWS that Mooring does not manage.
type Exclusion struct {
	Structure string   // as the service's API names it, with the service: lambda FunctionConfiguration
	Members   []string // sorted
	Reason    string
}

// NotManaged lists what is not managed, by structure and reason.
func NotManaged() []Exclusion {
	var out []Exclusion
	for _, c := range coverage() {
		byReason := map[string][]string{}
		for name, why := range c.members {
			if why != managed {
				byReason[why] = append(byReason[why], name)
			}
		}
		for _, why := range sortedKeys(byReason) {
			slices.Sort(byReason[why])
			out = append(out, Exclusion{structureName(c.of), byReason[why], why})
		}
	}
	return out
}

// NotManagedAround lists what a system of functions leans on and Mooring takes
// as it is.
func NotManagedAround() []Exclusion {
	return []Exclusion{
		{"Lambda", []string{"functions nobody declares"}, "somebody else's: mooring import takes them over"},
		{"Lambda", []string{"versions published by hand"}, "a version serves nobody by itself; an alias that is pointed at it is drift"},
		{"Lambda", []string{"capacity providers", "durable executions", "MicroVMs"}, outOfScope},
		{"Lambda", []string{"code signing configurations"}, codeSigning},
		{"Application Auto Scaling", []string{"targets and policies of provisioned concurrency"},
			"it moves what is kept ready by itself: such a difference is held, not reverted, and a function it scales is better declared without provisionedConcurrentExecutions"},
		{"IAM", []string{"managed policies"}, "shared by roles of several owners: a role names them by ARN, and what they grant is their owner's"},
		{"KMS", []string{"keys"}, "named by ARN; what a disabled key makes unreadable is shown as unknown"},
		{"EC2, EFS", []string{"access points", "security groups", "subnets"}, "named by id or ARN, and owned by whoever runs the network"},
		{"Secrets Manager, Systems Manager", []string{"rotation", "values"}, "never read and never written; that they exist is looked for"},
		{"SQS", []string{"messages"}, "a purge leaves no trace but in the audit trail"},
	}
}

// structureName is a structure of the SDK by the service's own name for it.
func structureName(of any) string {
	typ := reflect.TypeOf(of)
	path := strings.TrimSuffix(typ.PkgPath(), "/types")
	return path[strings.LastIndexByte(path, '/')+1:] + " " + strings.TrimSuffix(typ.Name(), "Input")
}
