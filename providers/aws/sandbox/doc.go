// Package sandbox is a small AWS on loopback: the wire protocols of the
// services a Lambda deployment needs, AWS's awkward semantics, and functions
// that really run. It serves tests, fault injection and the demo. Signatures
// are read and not verified, and nothing is written outside DataDir: it
// refuses to listen anywhere but on loopback.
//
// It speaks, each in a package of its own: Lambda, SQS, IAM, STS, S3, Secrets
// Manager, SSM's Parameter Store, CloudWatch and its Logs, CloudTrail's
// LookupEvents, EventBridge, its Scheduler, SNS, Step Functions, API Gateway's
// HTTP APIs, and the tagging API. Accounts and regions are kept apart; who
// calls is told by the access key: one that was
// registered or issued by AssumeRole, twelve digits for a user of that
// account, and anything else for a user of that name.
//
// Where it is easier than AWS, on purpose:
//   - identity policies stop no call, unless EnforcePolicies holds the sessions of roles
//     to theirs; trust policies of roles, and a function's
//     own policy for EventBridge, SNS and for open URLs, a queue's for SNS, and the
//     role of a schedule are honoured; the other policies of queues, topics and buckets
//     are not
//   - nothing is sent to the endpoints of https, email and the like, and a
//     subscription's token is the last part of its ARN
//   - executions of state machines wait in real time, whatever Advance says
//   - HTTP APIs believe the signatures of tokens, and neither throttle nor log
//   - reads follow writes at once, unless a fault rule makes them stale
//   - events are delivered at once, once and in order, unless a fault rule for
//     deliveries says otherwise; no trail needs to be set up
//   - PutMetricData may write into AWS/ namespaces, so that tests can plant data
//   - a state set by SetAlarmState stays for one period
//   - schedules fire within a second of their time, by cron without L, W and #
//   - credentials do not expire
package sandbox
