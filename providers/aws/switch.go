package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

var _ providers.Switcher = (*Provider)(nil)

// switchPrefix begins the name of every dead man's switch: a one-time schedule
// that is nobody's resource.
const switchPrefix = "mooring-deadman-"

// isSwitch: a schedule is a dead man's switch, of whichever environment.
func isSwitch(name string) bool { return strings.HasPrefix(name, switchPrefix) }

const longestSchedule = 64 // characters of a name

// switchName follows from whose alias it is alone, so that a daemon finds what
// another left.
func (p *Provider) switchName(alias manifest.Resource) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{p.o.Pipeline, p.o.Environment, alias.Ref.Kind, alias.Physical, alias.Key}, "\x00")))
	hash := "-" + hex.EncodeToString(sum[:4])
	readable := strings.Map(func(r rune) rune {
		if strings.ContainsRune("._-", r) || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '-'
	}, alias.Physical)
	return switchPrefix + readable[:min(len(readable), longestSchedule-len(switchPrefix)-len(hash))] + hash
}

// switchRights are what keeping switches needs, for the settings of an
// environment.
func switchRights(m *manifest.Deadman, role string) []rights.Row {
	on := []string{"arn:{partition}:scheduler:{region}:{account}:schedule/" + orElse(m.Group, "default") + "/" + switchPrefix + "*"}
	return []rights.Row{
		because(toManage(on, "scheduler:CreateSchedule", "scheduler:DeleteSchedule", "scheduler:GetSchedule", "scheduler:UpdateSchedule"), "dead man's switches"),
		{For: rights.Manage, Also: []string{"iam:PassRole"}, On: []string{role}, Why: "the role the switches act as, and to the Scheduler alone",
			Where: rights.Condition{"StringEquals": {"iam:PassedToService": {"scheduler.amazonaws.com"}}}},
		because(toObserve([]string{role}, "iam:GetRole", "iam:SimulatePrincipalPolicy"), "mooring doctor"),
	}
}

// Arm writes a switch, or moves a known one.
func (p *Provider) Arm(ctx context.Context, s providers.Switch) (providers.Receipt, error) {
	want, err := p.scheduled(ctx, s)
	if err != nil {
		return providers.Receipt{}, about("arm", s.Alias.Ref, err)
	}
	if s.Known {
		r, err := p.putOff(ctx, want)
		return r, about("put off", s.Alias.Ref, err)
	}
	out, err := p.front.scheduler.CreateSchedule(ctx, want)
	switch {
	case err == nil:
		return receipt(out.ResultMetadata), nil
	case isAbsent(err):
		err = providers.Errorf(providers.Invalid, "there is no group of schedules %s: make it (aws scheduler create-schedule-group), or leave group out", awssdk.ToString(want.GroupName))
		return providers.Receipt{}, about("arm", s.Alias.Ref, err)
	case codeOf(err) != "ConflictException":
		return providers.Receipt{}, about("arm", s.Alias.Ref, classify(err))
	}
	r, err := p.takeOver(ctx, s, want)
	return r, about("arm", s.Alias.Ref, err)
}

// takeOver moves a switch that a daemon left, and nobody else's schedule.
func (p *Provider) takeOver(ctx context.Context, s providers.Switch, want *scheduler.CreateScheduleInput) (providers.Receipt, error) {
	there, err := p.lookSchedule(ctx, p.front, awssdk.ToString(want.GroupName), awssdk.ToString(want.Name))
	if err != nil {
		return providers.Receipt{}, err
	}
	if there != nil && !p.owns(there.owner()) {
		return providers.Receipt{}, providers.Errorf(providers.Denied, "the schedule %s is somebody else's", awssdk.ToString(want.Name))
	}
	return p.putOff(ctx, want)
}

func (p *Provider) putOff(ctx context.Context, want *scheduler.CreateScheduleInput) (providers.Receipt, error) {
	out, err := p.front.scheduler.UpdateSchedule(ctx, &scheduler.UpdateScheduleInput{
		Name: want.Name, GroupName: want.GroupName, Description: want.Description, ScheduleExpression: want.ScheduleExpression,
		ScheduleExpressionTimezone: want.ScheduleExpressionTimezone, FlexibleTimeWindow: want.FlexibleTimeWindow,
		State: want.State, ActionAfterCompletion: want.ActionAfterCompletion, Target: want.Target,
	})
	if isAbsent(err) {
		return providers.Receipt{}, providers.Errorf(providers.Conflict, "the schedule %s is not there any more", awssdk.ToString(want.Name))
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

// Armed says whether the switch's schedule is there.
func (p *Provider) Armed(ctx context.Context, s providers.Switch) (bool, error) {
	l, err := p.lookSchedule(ctx, p.front, orElse(s.Group, "default"), p.switchName(s.Alias))
	return l != nil, about("look for the switch of", s.Alias.Ref, err)
}

// Disarm takes the switch's schedule away. Its name is of nobody else's.
func (p *Provider) Disarm(ctx context.Context, s providers.Switch) (providers.Receipt, error) {
	name, group := p.switchName(s.Alias), orElse(s.Group, "default")
	out, err := p.front.scheduler.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: &name, GroupName: &group})
	if isAbsent(err) {
		return providers.Receipt{}, nil
	}
	if err != nil {
		return providers.Receipt{}, about("disarm", s.Alias.Ref, classify(err))
	}
	return receipt(out.ResultMetadata), nil
}

// How long the Scheduler goes on trying a call that is refused. Later, people
// may have moved on.
const switchTries = 15 * time.Minute

// scheduled is the one-time schedule of a switch. It names no revision of the
// alias: it is written before the move that makes the next one.
func (p *Provider) scheduled(ctx context.Context, s providers.Switch) (*scheduler.CreateScheduleInput, error) {
	target, input, err := p.takingBack(ctx, s)
	if err != nil {
		return nil, err
	}
	text := "Sends all calls of " + s.Alias.Ref.String() + " to version " + s.Version + " once nobody looks after the release."
	description, err := p.marked(text, manifest.Ref{Kind: "Deadman", Name: s.Alias.Ref.Name}, s.Release)
	if err != nil {
		return nil, err
	}
	return &scheduler.CreateScheduleInput{
		Name: awssdk.String(p.switchName(s.Alias)), GroupName: awssdk.String(orElse(s.Group, "default")), Description: &description,
		ScheduleExpression:         awssdk.String("at(" + s.At.UTC().Format("2006-01-02T15:04:05") + ")"),
		ScheduleExpressionTimezone: awssdk.String("UTC"), State: types.ScheduleStateEnabled,
		FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff}, ActionAfterCompletion: types.ActionAfterCompletionDelete,
		Target: &types.Target{Arn: &target, RoleArn: awssdk.String(s.Role), Input: &input,
			RetryPolicy: &types.RetryPolicy{MaximumEventAgeInSeconds: awssdk.Int32(int32(switchTries.Seconds())), MaximumRetryAttempts: awssdk.Int32(mostAttempts)}},
	}, nil
}

// takingBack is the call that takes traffic back, as a universal target names
// it: its members in PascalCase, whatever the service's own are.
func (p *Provider) takingBack(ctx context.Context, s providers.Switch) (target, input string, err error) {
	if !published(s.Version) {
		return "", "", providers.Errorf(providers.Invalid, "traffic goes back to a published version, not to %q", s.Version)
	}
	call, body := "lambda:updateAlias", map[string]any{
		"FunctionName": s.Alias.Physical, "Name": s.Alias.Key, "FunctionVersion": s.Version,
		"RoutingConfig": map[string]any{"AdditionalVersionWeights": map[string]any{}},
	}
	if s.Alias.Ref.Kind == manifest.KindWorkflowAlias {
		arn, err := p.machineARN(ctx, p.front, s.Alias.Physical)
		if err != nil {
			return "", "", err
		}
		call, body = "sfn:updateStateMachineAlias", map[string]any{
			"StateMachineAliasArn": arn + ":" + s.Alias.Key,
			"RoutingConfiguration": []any{map[string]any{"StateMachineVersionArn": arn + ":" + s.Version, "Weight": 100}},
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return "", "", fmt.Errorf("input of the switch: %w", err)
	}
	return "arn:" + manifest.Partition(p.o.Config.Region) + ":scheduler:::aws-sdk:" + call, string(text), nil
}
