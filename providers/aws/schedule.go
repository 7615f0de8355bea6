package aws

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// scheduleKind is a schedule of EventBridge Scheduler. Schedules have no tags:
// the end of the description says who owns one.
type scheduleKind struct{ p *Provider }

func (k scheduleKind) rights() []rights.Row {
	on := []string{"arn:{partition}:scheduler:{region}:{account}:schedule/*/{name}"}
	role := func(res manifest.Resource) []manifest.Value {
		spec, ok := res.Spec.(*manifest.ScheduleSpec)
		if !ok {
			return nil
		}
		return []manifest.Value{spec.Target.RoleArn}
	}
	return []rights.Row{
		always(toObserve(everything, "scheduler:ListSchedules")),
		toObserve(on, "scheduler:GetSchedule"),
		toManage(on, "scheduler:CreateSchedule", "scheduler:UpdateSchedule"),
		passRole("scheduler.amazonaws.com", role),
		toDelete(on, "scheduler:DeleteSchedule"),
	}
}

type schedule struct {
	description, expression, timezone string
	mode                              string
	window                            int
	start, end, state, after, kms     string
	arn, role, input                  string
	deadLetter, group                 string
	age, attempts                     int
	others                            json.RawMessage // parameters of targets a manifest cannot write
	live                              *types.Target   // where others are from
}

var scheduleMembers = []member[schedule]{
	{"actionAfterCompletion", func(s *schedule) any { return s.after }, func(d, s *schedule) { d.after = s.after }},
	{"description", func(s *schedule) any { return s.description }, func(d, s *schedule) { d.description = s.description }},
	{"endDate", func(s *schedule) any { return s.end }, func(d, s *schedule) { d.end = s.end }},
	{"flexibleTimeWindow.maximumWindowInMinutes", func(s *schedule) any { return s.window }, func(d, s *schedule) { d.window = s.window }},
	{"flexibleTimeWindow.mode", func(s *schedule) any { return s.mode }, func(d, s *schedule) { d.mode = s.mode }},
	{"kmsKeyArn", func(s *schedule) any { return s.kms }, func(d, s *schedule) { d.kms = s.kms }},
	{"scheduleExpression", func(s *schedule) any { return s.expression }, func(d, s *schedule) { d.expression = s.expression }},
	{"scheduleExpressionTimezone", func(s *schedule) any { return s.timezone }, func(d, s *schedule) { d.timezone = s.timezone }},
	{"startDate", func(s *schedule) any { return s.start }, func(d, s *schedule) { d.start = s.start }},
	{"state", func(s *schedule) any { return s.state }, func(d, s *schedule) { d.state = s.state }},
	{"target.arn", func(s *schedule) any { return s.arn }, func(d, s *schedule) { d.arn = s.arn }},
	{"target.deadLetterConfig.arn", func(s *schedule) any { return s.deadLetter }, func(d, s *schedule) { d.deadLetter = s.deadLetter }},
	{"target.input", func(s *schedule) any { return inputForm(s.input) }, func(d, s *schedule) { d.input = s.input }},
	{"target.otherParameters", func(s *schedule) any { return s.others }, func(d, s *schedule) { d.others, d.live = s.others, s.live }},
	{"target.retryPolicy.maximumEventAgeInSeconds", func(s *schedule) any { return s.age }, func(d, s *schedule) { d.age = s.age }},
	{"target.retryPolicy.maximumRetryAttempts", func(s *schedule) any { return s.attempts }, func(d, s *schedule) { d.attempts = s.attempts }},
	{"target.roleArn", func(s *schedule) any { return s.role }, func(d, s *schedule) { d.role = s.role }},
	{"target.sqsParameters.messageGroupId", func(s *schedule) any { return s.group }, func(d, s *schedule) { d.group = s.group }},
}

// inputForm is the form of an input: JSON by its meaning, other text as it is.
func inputForm(text string) json.RawMessage {
	if text == "" {
		return json.RawMessage(`""`)
	}
	return canonicalText(text)
}

func declaredSchedule(res manifest.Resource, b *builder) (schedule, error) {
	spec, ok := res.Spec.(*manifest.ScheduleSpec)
	if !ok {
		return schedule{}, wrongSpec(res)
	}
	t := spec.Target
	s := schedule{
		description: spec.Description, expression: spec.ScheduleExpression, timezone: orElse(spec.ScheduleExpressionTimezone, "UTC"),
		mode: orElse(spec.FlexibleTimeWindow.Mode, "OFF"), window: spec.FlexibleTimeWindow.MaximumWindowInMinutes,
		start: spec.StartDate, end: spec.EndDate, state: orElse(spec.State, "ENABLED"), after: "NONE", kms: spec.KmsKeyArn,
		arn: b.value(t.Arn), role: b.value(t.RoleArn), group: t.MessageGroupID, others: documentForm(nil),
	}
	if t.Input != nil {
		s.input = canonicalJSON(resolveDocument(t.Input, b))
	}
	if t.DeadLetter != (manifest.Value{}) {
		s.deadLetter = b.value(t.DeadLetter)
	}
	s.age, s.attempts = retries(t.RetryPolicy)
	return s, nil
}

func liveSchedule(out *scheduler.GetScheduleOutput) schedule {
	text, _ := unmarked(awssdk.ToString(out.Description))
	s := schedule{
		description: text, expression: awssdk.ToString(out.ScheduleExpression), timezone: orElse(awssdk.ToString(out.ScheduleExpressionTimezone), "UTC"),
		mode: "OFF", start: instantOf(out.StartDate), end: instantOf(out.EndDate), state: string(out.State),
		after: orElse(string(out.ActionAfterCompletion), "NONE"), kms: awssdk.ToString(out.KmsKeyArn),
		age: longestEventAge, attempts: mostAttempts, others: documentForm(nil),
	}
	if w := out.FlexibleTimeWindow; w != nil {
		s.mode, s.window = string(w.Mode), int(awssdk.ToInt32(w.MaximumWindowInMinutes))
	}
	if t := out.Target; t != nil {
		s.target(t)
	}
	return s
}

func (s *schedule) target(t *types.Target) {
	s.live, s.arn, s.role, s.input = t, awssdk.ToString(t.Arn), awssdk.ToString(t.RoleArn), awssdk.ToString(t.Input)
	if t.DeadLetterConfig != nil {
		s.deadLetter = awssdk.ToString(t.DeadLetterConfig.Arn)
	}
	if t.SqsParameters != nil {
		s.group = awssdk.ToString(t.SqsParameters.MessageGroupId)
	}
	if r := t.RetryPolicy; r != nil {
		if r.MaximumEventAgeInSeconds != nil {
			s.age = int(*r.MaximumEventAgeInSeconds)
		}
		if r.MaximumRetryAttempts != nil {
			s.attempts = int(*r.MaximumRetryAttempts)
		}
	}
	s.others = otherParameters(map[string]any{
		"ecsParameters": t.EcsParameters, "eventBridgeParameters": t.EventBridgeParameters, "kinesisParameters": t.KinesisParameters,
		"sageMakerPipelineParameters": t.SageMakerPipelineParameters,
	})
}

func instantOf(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Truncate(time.Second).Format(time.RFC3339)
}

// mark is the end of a description that says who owns a schedule:
// "[mooring: shop | production | Schedule/nightly | sha256:…]".
var mark = regexp.MustCompile(`(?s)^(.*?) ?\[mooring: ([^|\]]*) \| ([^|\]]*) \| ([^|\]]*) \| ([^|\]]*)\]$`)

// unmarked splits a description into what people wrote and who owns the
// schedule.
func unmarked(description string) (text string, owner providers.Owner) {
	m := mark.FindStringSubmatch(description)
	if m == nil {
		return description, providers.Owner{}
	}
	return m[1], providers.Owner{Pipeline: m[2], Environment: m[3], Resource: m[4], Release: m[5]}
}

// longestDescription is what the Scheduler takes, in characters.
const longestDescription = 512

func (p *Provider) marked(text string, ref manifest.Ref, release string) (string, error) {
	clean := strings.NewReplacer("|", "/", "]", ")").Replace
	out := strings.TrimSpace(text + " [mooring: " + strings.Join([]string{clean(p.o.Pipeline), clean(p.o.Environment), ref.String(), clean(release)}, " | ") + "]")
	if len(out) > longestDescription {
		return "", providers.Errorf(providers.Invalid, "its description leaves no room for its owner: %d characters, at most %d", len(out), longestDescription)
	}
	return out, nil
}

func (k scheduleKind) canonical(res manifest.Resource, b *builder) error {
	s, err := declaredSchedule(res, b)
	if err != nil {
		return err
	}
	each(b, scheduleMembers, &s)
	return nil
}

// scheduleLook is a schedule as one look shows it; without output it is not
// there.
type scheduleLook struct {
	at      time.Time
	out     *scheduler.GetScheduleOutput
	touched int
}

// groupOf is the group a schedule is in: the declared one, or that of what was
// seen of that name.
func (k scheduleKind) groupOf(res manifest.Resource) string {
	if spec, ok := res.Spec.(*manifest.ScheduleSpec); ok {
		return orElse(spec.GroupName, "default")
	}
	k.p.memory.mu.Lock()
	defer k.p.memory.mu.Unlock()
	for _, key := range sortedKeys(k.p.memory.schedules) {
		group, name, _ := strings.Cut(key, "/")
		if l := k.p.memory.schedules[key]; name == res.Physical && l.out != nil {
			if _, owner := unmarked(awssdk.ToString(l.out.Description)); k.p.owns(owner) {
				return group
			}
		}
	}
	return "default"
}

// lookSchedule asks for a schedule; nil when there is none.
func (p *Provider) lookSchedule(ctx context.Context, cl *clients, group, name string) (*scheduleLook, error) {
	at := p.o.Now()
	out, err := cl.scheduler.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: &name, GroupName: &group})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	return &scheduleLook{at: at, out: out}, nil
}

func (l *scheduleLook) owner() providers.Owner {
	_, owner := unmarked(awssdk.ToString(l.out.Description))
	return owner
}

// guard holds while the schedule looks the same; the Scheduler gives it no
// revision.
func (l *scheduleLook) guard() providers.Guard {
	b := &builder{fields: map[string]string{}}
	s := liveSchedule(l.out)
	each(b, scheduleMembers, &s)
	return seen([]any{awssdk.ToString(l.out.Arn), b.fields, l.owner()})
}

func (k scheduleKind) live(ref manifest.Ref, l *scheduleLook) providers.Live {
	b := k.p.builder(nil)
	s := liveSchedule(l.out)
	each(b, scheduleMembers, &s)
	live := b.live()
	live.Guard, live.Owner, live.SeenAt = l.guard(), l.owner(), l.at
	arn := awssdk.ToString(l.out.Arn)
	live.Attributes = map[string]string{"arn": arn, "id": arn, "name": awssdk.ToString(l.out.Name)}
	remember(&k.p.memory, k.p.memory.known, ref, live.Attributes)
	return live
}

func (k scheduleKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	l, err := k.p.lookSchedule(ctx, cl, k.groupOf(res), res.Physical)
	if err != nil || l == nil {
		return providers.Live{}, err
	}
	return k.live(res.Ref, l), nil
}
