package aws

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"

	"mooring.dev/sources/manifest"
)

// namedIn: rules are found by bus and name.
func (k ruleKind) namedIn(arn string) (string, bool) {
	rest, ok := lastIn(arn, "events", "rule/")
	if ok && !strings.Contains(rest, "/") {
		rest = "default/" + rest
	}
	return rest, ok
}

func (k ruleKind) every(ctx context.Context, a *adoption) ([]string, error) {
	var names []string
	in := &eventbridge.ListEventBusesInput{}
	for {
		page, err := a.cl.events.ListEventBuses(ctx, in)
		if err != nil {
			return names, err
		}
		for _, bus := range page.EventBuses {
			rules, err := k.rulesInBulk(ctx, a.cl, awssdk.ToString(bus.Name))
			if err != nil {
				return names, err
			}
			for _, name := range sortedKeys(rules) {
				names = append(names, awssdk.ToString(bus.Name)+"/"+name)
			}
		}
		if in.NextToken = page.NextToken; awssdk.ToString(in.NextToken) == "" {
			return names, nil
		}
	}
}

func (k ruleKind) draft(ctx context.Context, a *adoption, at string) (*manifest.Draft, error) {
	i := strings.LastIndexByte(at, '/')
	bus, name := at[:i], at[i+1:]
	l, err := k.p.lookRule(ctx, a.cl, bus, name)
	if err != nil || l == nil {
		return nil, err
	}
	if by := awssdk.ToString(l.rule.ManagedBy); by != "" {
		a.leave(manifest.KindRule, name, "made by %s for itself", by)
		return nil, nil
	}
	if !a.passes(manifest.KindRule, name, l.tags) {
		return nil, nil
	}
	d := started(name, awssdk.ToString(l.rule.Arn), l.tags)
	r := l.form()
	spec := &manifest.RuleSpec{
		Description: r.description, EventBusName: bus, EventPattern: documentOf(r.pattern), ScheduleExpression: r.schedule, State: r.state,
		RoleArn: manifest.Value{Literal: r.role}, Tags: ownTags(d, l.tags), Targets: map[string]manifest.RuleTarget{},
	}
	a.need(r.role)
	for _, id := range sortedKeys(r.targets) {
		t := r.targets[id]
		target, why := t.written()
		if why != "" {
			a.leave(manifest.KindRule, name, "its target %s %s", id, why)
			return nil, nil
		}
		spec.Targets[id] = target
		a.need(t.role)
		a.need(t.deadLetter)
	}
	if d.Spec, err = manifest.SpecOf(spec); err != nil || a.ownRule(d, spec) {
		return nil, err
	}
	return d, nil
}

// written is a target as a manifest writes it; why is set when it cannot.
func (t *ruleTarget) written() (out manifest.RuleTarget, why string) {
	if string(t.others) != `""` {
		return out, "has parameters that a manifest does not say (" + strings.Join(sortedKeys(documentOf(t.others)), ", ") + ")"
	}
	out = manifest.RuleTarget{
		Arn: manifest.Value{Literal: t.arn}, RoleArn: manifest.Value{Literal: t.role}, InputPath: t.path,
		DeadLetter: manifest.Value{Literal: t.deadLetter}, MessageGroupID: t.group, RetryPolicy: retryPolicy(t.age, t.attempts),
	}
	if out.Input, why = writtenInput(t.input); why != "" {
		return out, why
	}
	if string(t.transformer) != `""` {
		out.InputTransformer = &manifest.InputTransformer{}
		if json.Unmarshal(t.transformer, out.InputTransformer) != nil {
			return out, "has an input transformer that cannot be read"
		}
	}
	return out, ""
}

// writtenInput is what a target is told: a document as such.
func writtenInput(text string) (input any, why string) {
	if text == "" {
		return nil, ""
	}
	if json.Unmarshal([]byte(text), &input) != nil {
		return nil, "is told what is no JSON"
	}
	if _, isText := input.(string); isText || input == nil {
		return text, "" // a manifest reads text as the JSON it is
	}
	return input, ""
}

// retryPolicy is nil for what EventBridge does by itself.
func retryPolicy(age, attempts int) *manifest.RetryPolicy {
	var out manifest.RetryPolicy
	if age != longestEventAge {
		out.MaximumEventAgeInSeconds = &age
	}
	if attempts != mostAttempts {
		out.MaximumRetryAttempts = &attempts
	}
	if out == (manifest.RetryPolicy{}) {
		return nil
	}
	return &out
}

// ownRule makes a rule a trigger of the function it calls, when its name and
// everything else of it is just what the trigger would make.
func (a *adoption) ownRule(d *manifest.Draft, spec *manifest.RuleSpec) bool {
	if len(spec.Targets) != 1 || len(spec.Tags) > 0 || spec.RoleArn != (manifest.Value{}) {
		return false
	}
	id := sortedKeys(spec.Targets)[0]
	t := spec.Targets[id]
	fn := a.fronted(t.Arn.Literal)
	if fn == nil || d.Name != fn.d.Name+"-"+id || keyName(id) != id || t.RoleArn != (manifest.Value{}) || t.MessageGroupID != "" {
		return false
	}
	doc, _ := d.Spec["targets"].(map[string]any)[id].(map[string]any)
	for key, value := range d.Spec {
		if key != "targets" {
			doc[key] = value
		}
	}
	delete(doc, "arn")
	a.stands(fn, standing{
		key: id, fixed: true, spec: map[string]any{"rule": doc}, doc: doc, principal: "events.amazonaws.com", source: d.Addresses["arn"],
	})
	return true
}

// namedIn: schedules are found by group and name.
func (k scheduleKind) namedIn(arn string) (string, bool) {
	return lastIn(arn, "scheduler", "schedule/")
}

func (k scheduleKind) every(ctx context.Context, a *adoption) ([]string, error) {
	all, err := k.schedulesInBulk(ctx, a.cl)
	return sortedKeys(all), err
}

// calling are the schedules that call a function drafted.
func (k scheduleKind) calling(ctx context.Context, a *adoption) ([]string, error) {
	all, err := k.schedulesInBulk(ctx, a.cl)
	return slices.DeleteFunc(sortedKeys(all), func(key string) bool {
		t := all[key].Target
		return t == nil || a.fronted(awssdk.ToString(t.Arn)) == nil
	}), err
}

func (k scheduleKind) draft(ctx context.Context, a *adoption, at string) (*manifest.Draft, error) {
	group, name, _ := strings.Cut(at, "/")
	l, err := k.p.lookSchedule(ctx, a.cl, group, name)
	if err != nil || l == nil {
		return nil, err
	}
	if o := l.owner(); o.Pipeline != "" {
		a.leave(manifest.KindSchedule, name, "declared already by pipeline %s, environment %s, as %s", o.Pipeline, o.Environment, o.Resource)
		return nil, nil
	}
	s := liveSchedule(l.out)
	input, why := writtenInput(s.input)
	switch {
	case why != "":
		why = "its target " + why
	case string(s.others) != `""`:
		why = "its target has parameters that a manifest does not say (" + strings.Join(sortedKeys(documentOf(s.others)), ", ") + ")"
	case s.after != "NONE":
		why = "it goes by itself when it is over (actionAfterCompletion), which a declared one does not"
	}
	if why != "" {
		a.leave(manifest.KindSchedule, name, "%s", why)
		return nil, nil
	}
	d := started(name, awssdk.ToString(l.out.Arn), nil)
	spec := &manifest.ScheduleSpec{
		Description: s.description, GroupName: group, ScheduleExpression: s.expression, ScheduleExpressionTimezone: s.timezone,
		FlexibleTimeWindow: manifest.FlexibleTimeWindow{Mode: s.mode, MaximumWindowInMinutes: s.window},
		StartDate:          s.start, EndDate: s.end, State: s.state, KmsKeyArn: s.kms,
		Target: manifest.ScheduleTarget{
			Arn: manifest.Value{Literal: s.arn}, RoleArn: manifest.Value{Literal: s.role}, Input: input,
			DeadLetter: manifest.Value{Literal: s.deadLetter}, RetryPolicy: retryPolicy(s.age, s.attempts), MessageGroupID: s.group,
		},
	}
	a.need(s.role)
	a.need(s.deadLetter)
	if d.Spec, err = manifest.SpecOf(spec); err != nil {
		return nil, err
	}
	if s.mode == "OFF" {
		delete(d.Spec, "flexibleTimeWindow")
	}
	if a.ownSchedule(d, spec) {
		return nil, nil
	}
	return d, nil
}

// ownSchedule makes a schedule a trigger of the function it calls, when its
// name is the one the trigger would give it.
func (a *adoption) ownSchedule(d *manifest.Draft, spec *manifest.ScheduleSpec) bool {
	fn := a.fronted(spec.Target.Arn.Literal)
	if fn == nil || spec.Target.MessageGroupID != "" {
		return false
	}
	key, ok := strings.CutPrefix(d.Name, fn.d.Name+"-")
	if !ok || keyName(key) != key {
		return false
	}
	doc, _ := d.Spec["target"].(map[string]any)
	delete(doc, "arn")
	for member, value := range d.Spec {
		if member != "target" {
			doc[member] = value
		}
	}
	a.stands(fn, standing{key: key, fixed: true, spec: map[string]any{"schedule": doc}})
	return true
}
