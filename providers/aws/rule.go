package aws

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// ruleKind is an EventBridge rule with its targets.
type ruleKind struct{ p *Provider }

func (k ruleKind) rights() []rights.Row {
	on := []string{"arn:{partition}:events:{region}:{account}:rule/{name}", "arn:{partition}:events:{region}:{account}:rule/*/{name}"}
	roles := func(res manifest.Resource) []manifest.Value {
		spec, ok := res.Spec.(*manifest.RuleSpec)
		if !ok {
			return nil
		}
		out := []manifest.Value{spec.RoleArn}
		for _, target := range spec.Targets {
			out = append(out, target.RoleArn)
		}
		return out
	}
	return []rights.Row{
		toObserve(everything, "eventbridge:ListRules"),
		toObserve(on, "eventbridge:DescribeRule", "eventbridge:ListTagsForResource", "eventbridge:ListTargetsByRule"),
		because(toManage(on, "eventbridge:DeleteRule", "eventbridge:PutRule", "eventbridge:PutTargets", "eventbridge:RemoveTargets", "eventbridge:TagResource",
			"eventbridge:UntagResource"), "a rule that moves to another bus is deleted on the one before"),
		passRole("events.amazonaws.com", roles),
		toDelete(on, "eventbridge:DeleteRule", "eventbridge:RemoveTargets"),
	}
}

type rule struct {
	description, schedule, state, role string
	pattern                            json.RawMessage
	targets                            map[string]ruleTarget // by id
}

var ruleMembers = []member[rule]{
	{"description", func(r *rule) any { return r.description }, func(d, s *rule) { d.description = s.description }},
	{"eventPattern", func(r *rule) any { return r.pattern }, func(d, s *rule) { d.pattern = s.pattern }},
	{"roleArn", func(r *rule) any { return r.role }, func(d, s *rule) { d.role = s.role }},
	{"scheduleExpression", func(r *rule) any { return r.schedule }, func(d, s *rule) { d.schedule = s.schedule }},
	{"state", func(r *rule) any { return r.state }, func(d, s *rule) { d.state = s.state }},
}

// ruleTarget is one target. others are the parameters of targets that a
// manifest cannot write (ECS, Batch and the like): they are shown, carried
// along, and taken away only when asked for.
type ruleTarget struct {
	arn, role, input, path, deadLetter, group string
	transformer, others                       json.RawMessage
	age, attempts                             int
	live                                      types.Target
}

var ruleTargetMembers = []member[ruleTarget]{
	{"arn", func(t *ruleTarget) any { return t.arn }, func(d, s *ruleTarget) { d.arn = s.arn }},
	{"deadLetterConfig.arn", func(t *ruleTarget) any { return t.deadLetter }, func(d, s *ruleTarget) { d.deadLetter = s.deadLetter }},
	{"input", func(t *ruleTarget) any { return inputForm(t.input) }, func(d, s *ruleTarget) { d.input = s.input }},
	{"inputPath", func(t *ruleTarget) any { return t.path }, func(d, s *ruleTarget) { d.path = s.path }},
	{"inputTransformer", func(t *ruleTarget) any { return t.transformer }, func(d, s *ruleTarget) { d.transformer = s.transformer }},
	{"otherParameters", func(t *ruleTarget) any { return t.others }, func(d, s *ruleTarget) { d.others, d.live = s.others, s.live }},
	{"retryPolicy.maximumEventAgeInSeconds", func(t *ruleTarget) any { return t.age }, func(d, s *ruleTarget) { d.age = s.age }},
	{"retryPolicy.maximumRetryAttempts", func(t *ruleTarget) any { return t.attempts }, func(d, s *ruleTarget) { d.attempts = s.attempts }},
	{"roleArn", func(t *ruleTarget) any { return t.role }, func(d, s *ruleTarget) { d.role = s.role }},
	{"sqsParameters.messageGroupId", func(t *ruleTarget) any { return t.group }, func(d, s *ruleTarget) { d.group = s.group }},
}

// What EventBridge and its Scheduler do where nobody says otherwise.
const (
	longestEventAge = 86400 // seconds
	mostAttempts    = 185
)

func newRuleTarget() ruleTarget {
	return ruleTarget{
		transformer: json.RawMessage(`""`), others: json.RawMessage(`""`), age: longestEventAge, attempts: mostAttempts,
	}
}

// fields writes a rule: of its targets, what is not as it is by default, and of
// those that nobody declared only where they lead.
func (r *rule) fields(b *builder, declared func(id string) bool) {
	each(b, ruleMembers, r)
	plain := newRuleTarget()
	for id, t := range r.targets {
		prefix := keyPath("targets", id) + "."
		for _, m := range ruleTargetMembers {
			if m.path != "arn" && !declared(id) {
				continue
			}
			if value := canonicalJSON(m.get(&t)); m.path == "arn" || value != canonicalJSON(m.get(&plain)) {
				b.fields[prefix+m.path] = value
			}
		}
	}
}

func everyTarget(string) bool { return true }

func declaredRule(res manifest.Resource, b *builder) (rule, error) {
	spec, ok := res.Spec.(*manifest.RuleSpec)
	if !ok {
		return rule{}, wrongSpec(res)
	}
	r := rule{
		description: spec.Description, schedule: spec.ScheduleExpression, state: orElse(spec.State, "ENABLED"),
		pattern: documentForm(nil), targets: map[string]ruleTarget{},
	}
	if len(spec.EventPattern) > 0 {
		r.pattern = documentForm(resolveDocument(spec.EventPattern, b))
	}
	if spec.RoleArn != (manifest.Value{}) {
		r.role = b.value(spec.RoleArn)
	}
	for id, t := range spec.Targets {
		r.targets[id] = declaredRuleTarget(t, b)
	}
	return r, nil
}

func declaredRuleTarget(spec manifest.RuleTarget, b *builder) ruleTarget {
	t := newRuleTarget()
	t.arn, t.path, t.group = b.value(spec.Arn), spec.InputPath, spec.MessageGroupID
	if spec.RoleArn != (manifest.Value{}) {
		t.role = b.value(spec.RoleArn)
	}
	if spec.DeadLetter != (manifest.Value{}) {
		t.deadLetter = b.value(spec.DeadLetter)
	}
	if spec.Input != nil {
		t.input = canonicalJSON(resolveDocument(spec.Input, b))
	}
	if i := spec.InputTransformer; i != nil {
		t.transformer = transformerForm(i.InputPathsMap, i.InputTemplate)
	}
	t.age, t.attempts = retries(spec.RetryPolicy)
	return t
}

func retries(r *manifest.RetryPolicy) (age, attempts int) {
	age, attempts = longestEventAge, mostAttempts
	if r != nil && r.MaximumEventAgeInSeconds != nil {
		age = *r.MaximumEventAgeInSeconds
	}
	if r != nil && r.MaximumRetryAttempts != nil {
		attempts = *r.MaximumRetryAttempts
	}
	return age, attempts
}

func transformerForm(paths map[string]string, template string) json.RawMessage {
	if paths == nil {
		paths = map[string]string{}
	}
	return json.RawMessage(canonicalJSON(map[string]any{"inputPathsMap": paths, "inputTemplate": template}))
}

func liveRuleTarget(in types.Target) ruleTarget {
	t := newRuleTarget()
	t.live, t.arn, t.role = in, awssdk.ToString(in.Arn), awssdk.ToString(in.RoleArn)
	t.input, t.path = awssdk.ToString(in.Input), awssdk.ToString(in.InputPath)
	if i := in.InputTransformer; i != nil {
		t.transformer = transformerForm(i.InputPathsMap, awssdk.ToString(i.InputTemplate))
	}
	if in.DeadLetterConfig != nil {
		t.deadLetter = awssdk.ToString(in.DeadLetterConfig.Arn)
	}
	if in.SqsParameters != nil {
		t.group = awssdk.ToString(in.SqsParameters.MessageGroupId)
	}
	if r := in.RetryPolicy; r != nil {
		if r.MaximumEventAgeInSeconds != nil {
			t.age = int(*r.MaximumEventAgeInSeconds)
		}
		if r.MaximumRetryAttempts != nil {
			t.attempts = int(*r.MaximumRetryAttempts)
		}
	}
	t.others = otherParameters(map[string]any{
		"appSyncParameters": in.AppSyncParameters, "batchParameters": in.BatchParameters, "ecsParameters": in.EcsParameters,
		"httpParameters": in.HttpParameters, "kinesisParameters": in.KinesisParameters, "redshiftDataParameters": in.RedshiftDataParameters,
		"runCommandParameters": in.RunCommandParameters, "sageMakerPipelineParameters": in.SageMakerPipelineParameters,
	})
	return t
}

// otherParameters is the form of those that are there; "" for none.
func otherParameters(all map[string]any) json.RawMessage {
	maps.DeleteFunc(all, func(_ string, v any) bool { return canonicalJSON(v) == "null" })
	return documentForm(all)
}

// target is the target as it is put.
func (t *ruleTarget) target(id string) types.Target {
	out := types.Target{}
	if string(t.others) != `""` {
		out = t.live
	}
	out.Id, out.Arn, out.RoleArn = &id, &t.arn, optional(t.role)
	out.Input, out.InputPath, out.InputTransformer = optional(t.input), optional(t.path), nil
	var i manifest.InputTransformer
	if string(t.transformer) != `""` && json.Unmarshal(t.transformer, &i) == nil {
		out.InputTransformer = &types.InputTransformer{InputPathsMap: i.InputPathsMap, InputTemplate: &i.InputTemplate}
	}
	out.DeadLetterConfig, out.SqsParameters, out.RetryPolicy = nil, nil, nil
	if t.deadLetter != "" {
		out.DeadLetterConfig = &types.DeadLetterConfig{Arn: &t.deadLetter}
	}
	if t.group != "" {
		out.SqsParameters = &types.SqsParameters{MessageGroupId: &t.group}
	}
	if t.age != longestEventAge || t.attempts != mostAttempts {
		out.RetryPolicy = &types.RetryPolicy{MaximumEventAgeInSeconds: awssdk.Int32(int32(t.age)), MaximumRetryAttempts: awssdk.Int32(int32(t.attempts))}
	}
	return out
}

func (k ruleKind) canonical(res manifest.Resource, b *builder) error {
	r, err := declaredRule(res, b)
	if err != nil {
		return err
	}
	r.fields(b, everyTarget)
	tags := res.Spec.(*manifest.RuleSpec).Tags
	setTags(b, tags, tags)
	return nil
}

// ruleLook is a rule as one look shows it: the rule itself may be newer than
// its targets and tags.
type ruleLook struct {
	at          time.Time // of targets and tags
	rule        types.Rule
	targets     []types.Target
	tags        map[string]string
	fingerprint string // of the rule this look belongs to
	touched     int
}

// busOf is the bus a rule is on: the declared one, or that of what is known to
// be ours of that name.
func (k ruleKind) busOf(res manifest.Resource) string {
	if spec, ok := res.Spec.(*manifest.RuleSpec); ok {
		return orElse(spec.EventBusName, "default")
	}
	for arn := range k.p.ownedListed().byARN {
		if rest, ok := lastIn(arn, "events", "rule/"); ok {
			if bus, name, custom := strings.Cut(rest, "/"); custom && name == res.Physical {
				return bus
			}
		}
	}
	return "default"
}

// lookRule asks for a rule by name; nil when there is none.
func (p *Provider) lookRule(ctx context.Context, cl *clients, bus, name string) (*ruleLook, error) {
	out, err := cl.events.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: &name, EventBusName: &bus})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	return p.lookAround(ctx, cl, types.Rule{
		Arn: out.Arn, Description: out.Description, EventBusName: out.EventBusName, EventPattern: out.EventPattern,
		ManagedBy: out.ManagedBy, Name: out.Name, RoleArn: out.RoleArn, ScheduleExpression: out.ScheduleExpression, State: out.State,
	})
}

// lookAround asks for the targets and tags of a rule; nil when it went away.
func (p *Provider) lookAround(ctx context.Context, cl *clients, r types.Rule) (*ruleLook, error) {
	l := &ruleLook{at: p.o.Now(), rule: r, fingerprint: digestOf(r)}
	in := &eventbridge.ListTargetsByRuleInput{Rule: r.Name, EventBusName: r.EventBusName}
	for {
		page, err := cl.events.ListTargetsByRule(ctx, in)
		if isAbsent(err) {
			return nil, nil
		}
		if err != nil {
			return nil, classify(err)
		}
		l.targets = append(l.targets, page.Targets...)
		if in.NextToken = page.NextToken; awssdk.ToString(in.NextToken) == "" {
			break
		}
	}
	var err error
	l.tags, err = p.tags(cl, awssdk.ToString(r.Arn), func() (map[string]string, error) {
		out, err := cl.events.ListTagsForResource(ctx, &eventbridge.ListTagsForResourceInput{ResourceARN: r.Arn})
		if err != nil {
			return nil, err
		}
		return pairs(out.Tags, func(t types.Tag) (key, value *string) { return t.Key, t.Value }), nil
	})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	return l, nil
}

func (l *ruleLook) form() rule {
	r := rule{
		description: awssdk.ToString(l.rule.Description), schedule: awssdk.ToString(l.rule.ScheduleExpression),
		state: string(l.rule.State), role: awssdk.ToString(l.rule.RoleArn), pattern: documentText(awssdk.ToString(l.rule.EventPattern)),
		targets: map[string]ruleTarget{},
	}
	for _, t := range l.targets {
		r.targets[awssdk.ToString(t.Id)] = liveRuleTarget(t)
	}
	return r
}

// guard holds while rule, targets and tags look the same; EventBridge gives
// them no revision.
func (l *ruleLook) guard() providers.Guard {
	b := &builder{fields: map[string]string{}}
	r := l.form()
	r.fields(b, everyTarget)
	return seen([]any{awssdk.ToString(l.rule.Arn), b.fields, l.tags})
}

func (k ruleKind) live(res manifest.Resource, l *ruleLook) providers.Live {
	b := k.p.builder(nil)
	r, declared := l.form(), everyTarget
	if spec, ok := res.Spec.(*manifest.RuleSpec); ok {
		setTags(b, spec.Tags, l.tags)
		declared = func(id string) bool { _, ok := spec.Targets[id]; return ok }
	}
	r.fields(b, declared)
	live := b.live()
	live.Guard, live.Owner, live.SeenAt = l.guard(), ownerOf(l.tags), l.at
	arn := awssdk.ToString(l.rule.Arn)
	live.Attributes = map[string]string{"arn": arn, "name": res.Physical, "id": arn}
	if by := awssdk.ToString(l.rule.ManagedBy); by != "" {
		live.Note = "managed by " + by
	}
	remember(&k.p.memory, k.p.memory.known, res.Ref, live.Attributes)
	return live
}

func (k ruleKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	l, err := k.p.lookRule(ctx, cl, k.busOf(res), res.Physical)
	if err != nil || l == nil {
		return providers.Live{}, err
	}
	return k.live(res, l), nil
}

func (k ruleKind) resourceType() string { return "events:rule" }

func (k ruleKind) physicalIn(arn string) (string, bool) {
	rest, ok := lastIn(arn, "events", "rule/")
	return nameOfARN(rest), ok
}
