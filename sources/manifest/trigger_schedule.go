package manifest

// scheduleTrigger is a schedule of the function's own that calls the function's
// alias, and, unless one is named, the role it calls as.
type scheduleTrigger struct {
	Schedule scheduleForm `json:"schedule" is:"required" doc:"When, as rate(1 hour), or a schedule."`
}

// scheduleForm is a schedule, or its expression alone.
type scheduleForm struct{ scheduleTriggerDoc }

type scheduleTriggerDoc struct {
	Description                string              `json:"description" is:"maxlen=256" doc:"What the schedule is for."`
	GroupName                  string              `json:"groupName" is:"default=default,match=ruleName,maxlen=64" doc:"The group, by name. It must exist."`
	ScheduleExpression         string              `json:"scheduleExpression" is:"required,match=schedule,maxlen=256" doc:"When it fires, as rate(1 hour), cron(0 9 ? * MON-FRI *) or at(2030-01-01T09:00:00)."`
	ScheduleExpressionTimezone string              `json:"scheduleExpressionTimezone" is:"default=UTC,maxlen=50" doc:"Whose clock cron and at go by, as Europe/Zurich."`
	FlexibleTimeWindow         *FlexibleTimeWindow `json:"flexibleTimeWindow" doc:"How far from its time it may fire. Default OFF."`
	StartDate                  string              `json:"startDate" is:"match=instant" doc:"It fires from then on, as 2030-01-01T00:00:00Z."`
	EndDate                    string              `json:"endDate" is:"match=instant" doc:"It fires until then, as 2030-12-31T00:00:00Z."`
	State                      string              `json:"state" is:"default=ENABLED,enum=ENABLED|DISABLED" doc:"Whether it is switched on."`
	KmsKeyArn                  string              `json:"kmsKeyArn" is:"match=arn" doc:"The key its input is encrypted with."`
	RoleArn                    *Value              `json:"roleArn" is:"target,kinds=Role" doc:"The role it calls as, as Role/x, or an ARN. Default: a role of its own that may call the function."`
	Input                      any                 `json:"input" is:"opaque" doc:"What the function gets: JSON, or the same in YAML."`
	DeadLetter                 *Value              `json:"deadLetter" is:"target,kinds=Queue" doc:"The queue for what cannot be delivered, as Queue/orders-dlq, or an ARN."`
	RetryPolicy                *RetryPolicy        `json:"retryPolicy" doc:"How long and how often a call is tried again."`
}

func (f *scheduleForm) variants() []variant {
	return []variant{{key: "", make: func() any { return &scheduleTriggerDoc{} }}}
}

func (f *scheduleForm) set(_ string, value any) {
	if doc, ok := value.(*scheduleTriggerDoc); ok {
		f.scheduleTriggerDoc = *doc
	}
}

// decodeScalar reads rate(1 hour): the same as the mapping with that
// expression alone.
func (f *scheduleForm) decodeScalar(d *decoder, n *node) {
	alone := *n
	alone.kind, alone.text = mapNode, ""
	alone.entries = []entry{{key: "scheduleExpression", value: n}}
	d.into(&alone, &f.scheduleTriggerDoc)
}

func (s *scheduleTriggerDoc) check(d *decoder, n *node) {
	whole := scheduleSpec{FlexibleTimeWindow: s.FlexibleTimeWindow, StartDate: s.StartDate, EndDate: s.EndDate}
	whole.check(d, n)
	s.Input = jsonInput(d, n, s.Input)
}

func (t *scheduleTrigger) expand(c *children, key string) {
	s := &t.Schedule
	target := (&scheduleTargetDoc{Arn: Value{Ref: c.front}, RoleArn: s.RoleArn, Input: s.Input, DeadLetter: s.DeadLetter, RetryPolicy: s.RetryPolicy}).normal()
	spec := &ScheduleSpec{
		Description: s.Description, GroupName: s.GroupName, ScheduleExpression: s.ScheduleExpression,
		ScheduleExpressionTimezone: s.ScheduleExpressionTimezone, FlexibleTimeWindow: windowOf(s.FlexibleTimeWindow),
		StartDate: instant(s.StartDate), EndDate: instant(s.EndDate), State: s.State,
		KmsKeyArn: s.KmsKeyArn, Target: target,
	}
	name := c.x.meta.Name + "." + key
	if s.RoleArn == nil {
		spec.Target.RoleArn = c.x.schedulerRole(name, key, &spec.Target)
	}
	c.x.named(Ref{KindSchedule, name}, key, 64, spec, spec.refs())
}

func (t *scheduleTrigger) clash() clash { return clash{} }

// grant is none: the Scheduler calls as a role of its own.
func (t *scheduleTrigger) grant() grant { return grant{} }
