package scheduler

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/events"
	"mooring.dev/providers/aws/sandbox/wire"
)

// schedule is one schedule; the service's lock guards it.
type schedule struct {
	Schedule
	next events.Next
	due  time.Time // zero for never
}

// Schedule is a schedule as the Scheduler shows it.
type Schedule struct {
	Arn, Name, GroupName, Description              string
	ScheduleExpression, ScheduleExpressionTimezone string
	State, ActionAfterCompletion, KmsKeyArn        string
	StartDate, EndDate                             time.Time
	CreationDate, LastModificationDate             time.Time
	FlexibleTimeWindow                             *window
	Target                                         *target
}

type window struct {
	Mode                   string
	MaximumWindowInMinutes *int
}

type deadLetter struct{ Arn string }

type retry struct{ MaximumEventAgeInSeconds, MaximumRetryAttempts *int }

type queueParameters struct{ MessageGroupId string }

type busParameters struct{ DetailType, Source string }

type streamParameters struct{ PartitionKey string }

type target struct {
	Arn, RoleArn, Input         string
	DeadLetterConfig            *deadLetter
	RetryPolicy                 *retry
	SqsParameters               *queueParameters
	EventBridgeParameters       *busParameters
	KinesisParameters           *streamParameters
	EcsParameters               map[string]any
	SageMakerPipelineParameters map[string]any
}

type scheduleInput struct {
	Schedule
	ClientToken string
}

type scheduleOutput struct{ ScheduleArn string }

var (
	scheduleName = regexp.MustCompile(`^[0-9A-Za-z_.-]{1,64}$`)
	roleARN      = regexp.MustCompile(`^arn:aws:iam::[0-9]{12}:role/.+$`)
)

func (s *Service) create(_ context.Context, _ *wire.Call, in *scheduleInput) (scheduleOutput, error) {
	made, err := s.build(&in.Schedule)
	if err != nil {
		return scheduleOutput{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.find(in.GroupName)
	if err != nil {
		return scheduleOutput{}, err
	}
	if g.schedules[in.Name] != nil {
		return scheduleOutput{}, taken("Schedule", in.Name)
	}
	made.CreationDate = made.LastModificationDate
	g.schedules[in.Name] = made
	return scheduleOutput{ScheduleArn: made.Arn}, nil
}

// update replaces the whole schedule: what is left out is as if it had never
// been set.
func (s *Service) update(_ context.Context, _ *wire.Call, in *scheduleInput) (scheduleOutput, error) {
	made, err := s.build(&in.Schedule)
	if err != nil {
		return scheduleOutput{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, old, err := s.schedule(in.GroupName, in.Name)
	if err != nil {
		return scheduleOutput{}, err
	}
	made.CreationDate = old.CreationDate
	if old.ScheduleExpression == made.ScheduleExpression && old.ScheduleExpressionTimezone == made.ScheduleExpressionTimezone &&
		old.StartDate.Equal(made.StartDate) && old.EndDate.Equal(made.EndDate) {
		made.due = old.due
	}
	g.schedules[in.Name] = made
	return scheduleOutput{ScheduleArn: made.Arn}, nil
}

// schedule finds one; the caller holds the lock.
func (s *Service) schedule(group, name string) (*group, *schedule, error) {
	g, err := s.find(group)
	if err != nil {
		return nil, nil, err
	}
	one, ok := g.schedules[name]
	if !ok {
		return nil, nil, absent("Schedule", name)
	}
	return g, one, nil
}

// build checks a schedule and fills in what AWS does.
func (s *Service) build(in *Schedule) (*schedule, error) {
	out := &schedule{Schedule: *in}
	group := orElse(in.GroupName, defaultGroup)
	out.GroupName, out.State = group, orElse(in.State, "ENABLED")
	out.ScheduleExpressionTimezone = orElse(in.ScheduleExpressionTimezone, "UTC")
	out.ActionAfterCompletion = orElse(in.ActionAfterCompletion, "NONE")
	out.Arn, out.LastModificationDate = s.arn("schedule", group+"/"+in.Name), s.options.Now()
	switch {
	case !scheduleName.MatchString(in.Name):
		return nil, invalid("Name " + in.Name + " is not valid.")
	case len(in.Description) > 512:
		return nil, invalid("Description is longer than 512 characters.")
	case out.State != "ENABLED" && out.State != "DISABLED":
		return nil, invalid("State " + out.State + " is not valid.")
	case out.ActionAfterCompletion != "NONE" && out.ActionAfterCompletion != "DELETE":
		return nil, invalid("ActionAfterCompletion " + out.ActionAfterCompletion + " is not valid.")
	case in.FlexibleTimeWindow == nil || in.Target == nil:
		return nil, invalid("FlexibleTimeWindow and Target are required.")
	}
	if err := in.FlexibleTimeWindow.check(); err != nil {
		return nil, err
	}
	var err error
	if out.Target, err = s.buildTarget(in.Target); err != nil {
		return nil, err
	}
	place, err := time.LoadLocation(out.ScheduleExpressionTimezone)
	if err != nil {
		return nil, invalid("Provided timezone " + out.ScheduleExpressionTimezone + " is invalid.")
	}
	if out.next, err = events.ParseSchedule(in.ScheduleExpression, place); err != nil {
		return nil, invalid("Invalid Schedule Expression " + in.ScheduleExpression + ".")
	}
	out.plan(out.LastModificationDate)
	return out, nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (w *window) check() error {
	minutes := 0
	if w.MaximumWindowInMinutes != nil {
		minutes = *w.MaximumWindowInMinutes
	}
	switch {
	case w.Mode == "OFF" && w.MaximumWindowInMinutes == nil, w.Mode == "FLEXIBLE" && minutes >= 1 && minutes <= 1440:
		return nil
	}
	return invalid("FlexibleTimeWindow is OFF, or FLEXIBLE with a MaximumWindowInMinutes of 1 to 1440.")
}

func (s *Service) buildTarget(in *target) (*target, error) {
	out := *in
	switch {
	case !strings.HasPrefix(in.Arn, "arn:aws:"):
		return nil, invalid("Provided Arn is not in correct format.")
	case strings.HasPrefix(in.Arn, UniversalPrefix) && !universal(in.Arn, in.Input):
		return nil, invalid("Invalid RequestJson provided. Reason The RequestJson is not valid, or the call is not one that a schedule makes.")
	case !roleARN.MatchString(in.RoleArn):
		return nil, invalid("RoleArn is not in correct format.")
	case !s.options.Roles.AssumableBy(in.RoleArn, "scheduler.amazonaws.com"):
		return nil, invalid("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")
	}
	age, attempts := 86400, 185
	if in.RetryPolicy != nil && in.RetryPolicy.MaximumEventAgeInSeconds != nil {
		age = *in.RetryPolicy.MaximumEventAgeInSeconds
	}
	if in.RetryPolicy != nil && in.RetryPolicy.MaximumRetryAttempts != nil {
		attempts = *in.RetryPolicy.MaximumRetryAttempts
	}
	if age < 60 || age > 86400 || attempts < 0 || attempts > 185 {
		return nil, invalid("RetryPolicy: 60 to 86400 seconds, 0 to 185 attempts.")
	}
	out.RetryPolicy = &retry{&age, &attempts}
	return &out, nil
}

type nameInput struct {
	Name, GroupName, ScheduleGroup, NamePrefix, NextToken, State string
	MaxResults                                                   *int
}

func (s *Service) get(_ context.Context, _ *wire.Call, in *nameInput) (Schedule, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, one, err := s.schedule(in.GroupName, in.Name)
	if err != nil {
		return Schedule{}, err
	}
	return one.Schedule, nil
}

func (s *Service) remove(_ context.Context, _ *wire.Call, in *nameInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, _, err := s.schedule(in.GroupName, in.Name)
	if err != nil {
		return wire.None{}, err
	}
	delete(g.schedules, in.Name)
	return wire.None{}, nil
}

type summary struct {
	Arn, GroupName, Name, State        string
	CreationDate, LastModificationDate time.Time
	Target                             *deadLetter // its ARN alone
}

type listOutput struct {
	Schedules []summary
	NextToken string
}

// list shows neither expression nor input nor role.
func (s *Service) list(_ context.Context, _ *wire.Call, in *nameInput) (listOutput, error) {
	out := listOutput{Schedules: []summary{}}
	limit, err := limitOf(in.MaxResults)
	if err != nil {
		return out, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.ScheduleGroup != "" {
		if _, err := s.find(in.ScheduleGroup); err != nil {
			return out, err
		}
	}
	for _, one := range s.sorted() {
		key := one.GroupName + "/" + one.Name
		if key <= in.NextToken || in.ScheduleGroup != "" && one.GroupName != in.ScheduleGroup ||
			!strings.HasPrefix(one.Name, in.NamePrefix) || in.State != "" && one.State != in.State {
			continue
		}
		if len(out.Schedules) == limit {
			last := out.Schedules[limit-1]
			out.NextToken = last.GroupName + "/" + last.Name
			break
		}
		out.Schedules = append(out.Schedules, summary{
			Arn: one.Arn, GroupName: one.GroupName, Name: one.Name, State: one.State,
			CreationDate: one.CreationDate, LastModificationDate: one.LastModificationDate, Target: &deadLetter{one.Target.Arn},
		})
	}
	return out, nil
}

// sorted are all schedules, by group and name; the caller holds the lock.
func (s *Service) sorted() []*schedule {
	all := map[string]*schedule{}
	for _, g := range s.groups {
		for _, one := range g.schedules {
			all[one.GroupName+"/"+one.Name] = one
		}
	}
	out := make([]*schedule, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[key])
	}
	return out
}

// plan sets when a schedule fires next, if ever. Before its start it does not.
func (one *schedule) plan(after time.Time) {
	if after.Before(one.StartDate) {
		after = one.StartDate.Add(-time.Nanosecond)
	}
	at, ok := one.next(after)
	if !ok || !one.EndDate.IsZero() && at.After(one.EndDate) {
		at = time.Time{}
	}
	one.due = at
}

// Tick delivers for the schedules that are due. One that is over is deleted
// where that was asked for.
func (s *Service) Tick(ctx context.Context) {
	now := s.options.Now()
	s.mu.Lock()
	var due []Schedule
	for _, one := range s.sorted() {
		if one.due.IsZero() || now.Before(one.due) {
			continue
		}
		one.plan(now) // what was missed does not fire late
		if one.State == "ENABLED" {
			due = append(due, one.Schedule)
		}
		if one.due.IsZero() && one.ActionAfterCompletion == "DELETE" {
			delete(s.groups[one.GroupName].schedules, one.Name)
		}
	}
	s.mu.Unlock()
	for _, one := range due {
		s.fire(ctx, one)
	}
}

// fire delivers as the schedule's role.
func (s *Service) fire(ctx context.Context, one Schedule) {
	d := Delivery{Schedule: one.Arn, Target: one.Target.Arn, Role: one.Target.RoleArn, Payload: []byte(one.Target.Input)}
	if len(d.Payload) == 0 {
		d.Payload = []byte("{}")
	}
	if s.may(d) && s.options.Deliver(ctx, d) == nil || one.Target.DeadLetterConfig == nil {
		return // delivered, or lost
	}
	d.Target, d.Redriven = one.Target.DeadLetterConfig.Arn, true
	if s.may(d) {
		_ = s.options.Deliver(ctx, d) // what its dead-letter queue does not take is lost
	}
}

// UniversalPrefix begins the ARN of a target that is an API call:
// arn:aws:scheduler:::aws-sdk:lambda:updateAlias.
const UniversalPrefix = "arn:aws:scheduler:::aws-sdk:"

// universal tells whether such a target names a call that is no read, and its
// input the call's parameters.
func universal(arn, input string) bool {
	service, call, ok := strings.Cut(strings.TrimPrefix(arn, UniversalPrefix), ":")
	if !ok || service == "" || call == "" || strings.Contains(call, ":") {
		return false
	}
	for _, read := range []string{"get", "describe", "list"} {
		if strings.HasPrefix(call, read) {
			return false
		}
	}
	var members map[string]json.RawMessage
	return json.Unmarshal([]byte(input), &members) == nil
}

// may asks whether the role allows what the target needs.
func (s *Service) may(d Delivery) bool {
	action := map[string]string{
		"lambda": "lambda:InvokeFunction", "sqs": "sqs:SendMessage", "sns": "sns:Publish", "states": "states:StartExecution", "events": "events:PutEvents",
	}[serviceOf(d.Target)]
	return action == "" || s.options.Roles.Allows(d.Role, action)
}

func serviceOf(arn string) string {
	parts := strings.SplitN(arn, ":", 4)
	if len(parts) < 4 {
		return ""
	}
	return parts[2]
}
