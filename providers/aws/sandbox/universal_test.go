package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"mooring.dev/providers/aws/sandbox"
)

// A schedule that calls an API does so as its role, where that may, and a
// one-time one is gone afterwards.
func TestAUniversalTargetMovesAnAlias(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	c, functions := scheduler.NewFromConfig(cfg), newFunction(t, cfg, "f")
	for _, text := range []string{"one", "two"} {
		must(functions.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Description: &text}))(t)
		must(functions.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: aws.String("f")}))(t)
	}
	must(functions.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("2")}))(t)
	create := func(name, target, role, input string) error {
		_, err := c.CreateSchedule(t.Context(), &scheduler.CreateScheduleInput{
			Name: &name, ScheduleExpression: aws.String("at(" + s.Now().Add(time.Minute).UTC().Format("2006-01-02T15:04:05") + ")"), FlexibleTimeWindow: always(),
			ActionAfterCompletion: types.ActionAfterCompletionDelete, Target: &types.Target{Arn: &target, RoleArn: &role, Input: &input},
		})
		return err
	}
	const back = `{"FunctionName":"f","Name":"live","FunctionVersion":"1","RoutingConfig":{"AdditionalVersionWeights":{}}}`
	const updateAlias = "arn:aws:scheduler:::aws-sdk:lambda:updateAlias"
	role, other := schedulerRole(t, cfg, "mover", "lambda:UpdateAlias"), schedulerRole(t, cfg, "sender", "sqs:SendMessage")
	for name, bad := range map[string][2]string{"a read": {"arn:aws:scheduler:::aws-sdk:lambda:getAlias", back}, "no JSON": {updateAlias, "back"}, "no call": {"arn:aws:scheduler:::aws-sdk:lambda", back}} {
		if err := create("bad", bad[0], role, bad[1]); codeOf(err) != "ValidationException" {
			t.Errorf("%s: %v", name, err)
		}
	}
	serving := func() string {
		return *must(functions.GetAlias(t.Context(), &lambda.GetAliasInput{FunctionName: aws.String("f"), Name: aws.String("live")}))(t).FunctionVersion
	}
	left := func() int {
		return len(must(c.ListSchedules(t.Context(), &scheduler.ListSchedulesInput{}))(t).Schedules)
	}
	if err := create("refused", updateAlias, other, back); err != nil {
		t.Fatal(err)
	}
	s.Advance(2 * time.Minute)
	eventually(t, "the schedule over", func() bool { return left() == 0 })
	if got := serving(); got != "2" {
		t.Fatalf("a role that may not moved it to %s", got)
	}
	if err := create("takes-back", updateAlias, role, back); err != nil {
		t.Fatal(err)
	}
	s.Advance(2 * time.Minute)
	eventually(t, "traffic back", func() bool { return serving() == "1" && left() == 0 })
	moved := false
	for _, call := range s.Calls(time.Time{}) {
		moved = moved || call.Operation == "UpdateAlias" && call.Status == 200 && strings.HasPrefix(call.Actor.Name, "assumed-role/mover/")
	}
	if !moved {
		t.Error("the move is nobody's in the record")
	}
}
