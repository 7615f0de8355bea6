package manifest

import "time"

// scheduleSpec is a Schedule as written.
type scheduleSpec struct {
	Description                string              `json:"description" is:"maxlen=256" doc:"What the schedule is for."`
	GroupName                  string              `json:"groupName" is:"default=default,match=ruleName,maxlen=64" doc:"The group, by name. It must exist."`
	ScheduleExpression         string              `json:"scheduleExpression" is:"required,match=schedule,maxlen=256" doc:"When it fires, as rate(1 hour), cron(0 9 ? * MON-FRI *) or at(2030-01-01T09:00:00)."`
	ScheduleExpressionTimezone string              `json:"scheduleExpressionTimezone" is:"default=UTC,maxlen=50" doc:"Whose clock cron and at go by, as Europe/Zurich."`
	FlexibleTimeWindow         *FlexibleTimeWindow `json:"flexibleTimeWindow" doc:"How far from its time it may fire. Default OFF."`
	StartDate                  string              `json:"startDate" is:"match=instant" doc:"It fires from then on, as 2030-01-01T00:00:00Z."`
	EndDate                    string              `json:"endDate" is:"match=instant" doc:"It fires until then, as 2030-12-31T00:00:00Z."`
	State                      string              `json:"state" is:"default=ENABLED,enum=ENABLED|DISABLED" doc:"Whether it is switched on."`
	KmsKeyArn                  string              `json:"kmsKeyArn" is:"match=arn" doc:"The key its input is encrypted with."`
	Target                     scheduleTargetDoc   `json:"target" is:"required" doc:"What it calls."`
}

type scheduleTargetDoc struct {
	Arn            Value        `json:"arn" is:"required,target" doc:"The target, as Queue/orders, Topic/orders or Alias/checkout.live, or an ARN. A function is better triggered by a schedule of its own."`
	RoleArn        *Value       `json:"roleArn" is:"target,kinds=Role" doc:"The role it calls as, as Role/x, or an ARN. Default: a role of its own that may call the target."`
	Input          any          `json:"input" is:"opaque" doc:"What the target gets: JSON, or the same in YAML."`
	DeadLetter     *Value       `json:"deadLetter" is:"target,kinds=Queue" doc:"The queue for what cannot be delivered, as Queue/orders-dlq, or an ARN."`
	RetryPolicy    *RetryPolicy `json:"retryPolicy" doc:"How long and how often a call is tried again."`
	MessageGroupID string       `json:"messageGroupId" is:"maxlen=128" doc:"The message group, of a FIFO queue."`
}

func scheduleKind() *kind {
	return newKind[scheduleSpec](kind{
		name:       KindSchedule,
		summary:    "A schedule of EventBridge Scheduler, with the role it calls its target as.",
		nameRule:   rule{required: true, maxLen: 64, match: patterns["ruleName"]},
		limit:      64,
		attributes: []string{"arn", "name"},
		expand:     expandSchedule,
		example: `apiVersion: mooring.dev/v1
kind: Schedule
metadata: {name: nightly}
spec:
  scheduleExpression: cron(0 3 * * ? *)
  scheduleExpressionTimezone: Europe/Zurich
  flexibleTimeWindow: {mode: FLEXIBLE, maximumWindowInMinutes: 15}
  target:
    arn: Queue/reports
    input: {report: daily}
    retryPolicy: {maximumRetryAttempts: 3}
---
apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: reports}
`,
	})
}

func (s *scheduleSpec) check(d *decoder, n *node) {
	checkWindow(d, n, s.FlexibleTimeWindow)
	from, errFrom := time.Parse(time.RFC3339, s.StartDate)
	until, errUntil := time.Parse(time.RFC3339, s.EndDate)
	if errFrom == nil && errUntil == nil && !from.Before(until) {
		d.fault(n.get("endDate").pos(), "endDate is not after startDate", "")
	}
}

func checkWindow(d *decoder, n *node, w *FlexibleTimeWindow) {
	if w == nil || (w.Mode == "FLEXIBLE") == (w.MaximumWindowInMinutes > 0) {
		return
	}
	d.fault(n.get("flexibleTimeWindow").pos(), "maximumWindowInMinutes goes with mode: FLEXIBLE, and only with it", "")
}

func (t *scheduleTargetDoc) check(d *decoder, n *node) { t.Input = jsonInput(d, n, t.Input) }

func (t *scheduleTargetDoc) normal() ScheduleTarget {
	out := ScheduleTarget{Arn: t.Arn, Input: t.Input, RetryPolicy: t.RetryPolicy, MessageGroupID: t.MessageGroupID}
	if t.RoleArn != nil {
		out.RoleArn = *t.RoleArn
	}
	if t.DeadLetter != nil {
		out.DeadLetter = *t.DeadLetter
	}
	return out
}

func expandSchedule(x *expansion) {
	s := x.written.(*scheduleSpec)
	spec := &ScheduleSpec{
		Description: s.Description, GroupName: s.GroupName, ScheduleExpression: s.ScheduleExpression,
		ScheduleExpressionTimezone: s.ScheduleExpressionTimezone, FlexibleTimeWindow: windowOf(s.FlexibleTimeWindow),
		StartDate: instant(s.StartDate), EndDate: instant(s.EndDate), State: s.State,
		KmsKeyArn: s.KmsKeyArn, Target: s.Target.normal(),
	}
	if s.Target.RoleArn == nil {
		spec.Target.RoleArn = x.schedulerRole(x.meta.Name+".schedule", "schedule", &spec.Target)
	}
	x.top(spec, spec.refs())
}

func windowOf(w *FlexibleTimeWindow) FlexibleTimeWindow {
	if w == nil {
		return FlexibleTimeWindow{Mode: "OFF"}
	}
	return *w
}

// instant is a time in UTC to the second, which is what the Scheduler keeps.
func instant(text string) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return "" // it is left out, or the pattern refused it
	}
	return at.UTC().Truncate(time.Second).Format(time.RFC3339)
}

func (s *ScheduleSpec) refs() []Ref {
	t := s.Target
	return documentRefs(targets(Ref{}, &t.Arn, &t.RoleArn, &t.DeadLetter), t.Input)
}

// schedulerActions are what calling a target needs, by the service of its ARN.
var schedulerActions = map[string]string{
	"lambda": "lambda:InvokeFunction", "sqs": "sqs:SendMessage", "sns": "sns:Publish", "states": "states:StartExecution", "events": "events:PutEvents",
	KindFunction: "lambda:InvokeFunction", KindAlias: "lambda:InvokeFunction", KindQueue: "sqs:SendMessage", KindTopic: "sns:Publish",
	KindWorkflow: "states:StartExecution",
}

// schedulerRole adds a role that EventBridge Scheduler may take and that may
// call one target; it answers the reference to it.
func (x *expansion) schedulerRole(name, key string, t *ScheduleTarget) Value {
	action := schedulerActions[t.Arn.Ref.Kind]
	if action == "" {
		action = schedulerActions[arnService(t.Arn.Literal)]
	}
	role := &RoleSpec{AssumeRolePolicy: schedulerTrust(), Path: "/", MaxSessionDuration: 3600}
	if action == "" {
		x.faults = append(x.faults, Fault{x.doc.position(), "spec.target.roleArn", "is needed for this target", "name a role that may call it"})
	} else {
		role.Statements = []map[string]any{allow("Target", []any{t.Arn.plain()}, action)}
	}
	if t.DeadLetter != (Value{}) {
		role.Statements = append(role.Statements, allow("DeadLetter", []any{t.DeadLetter.plain()}, "sqs:SendMessage"))
	}
	ref := Ref{KindRole, name}
	x.named(ref, key, 64, role, role.refs())
	return Value{Ref: ref}
}

func schedulerTrust() map[string]any {
	trust := LambdaTrust()
	trust["Statement"].([]any)[0].(map[string]any)["Principal"] = map[string]any{"Service": "scheduler.amazonaws.com"}
	return trust
}
