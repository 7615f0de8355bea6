package sandbox_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mooring.dev/providers/aws/sandbox"
)

func rule(t *testing.T, s *sandbox.Sandbox, r sandbox.Rule) string {
	t.Helper()
	return must(s.Faults.Add(r))(t)
}

func TestAnErrorComesInPlaceOfTheCall(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := sqs.NewFromConfig(as(s, "alice"))
	id := rule(t, s, sandbox.Rule{Service: "sqs", Operation: "Create*", Effect: sandbox.Effect{Status: 403, Code: "AccessDenied"}})
	if _, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("orders")}); codeOf(err) != "AccessDenied" {
		t.Errorf("%v", err)
	}
	if out := must(c.ListQueues(t.Context(), nil))(t); len(out.QueueUrls) != 0 {
		t.Error("the refused call happened")
	}
	s.Faults.Remove(id)
	newQueue(t, c, "orders", nil)
}

func TestRulesMatchActorsParametersAndCounts(t *testing.T) {
	s := start(t, sandbox.Options{})
	alice, bob := as(s, "alice"), as(s, "bob")
	newFunction(t, alice, "f")
	newFunction(t, alice, "g")
	rule(t, s, sandbox.Rule{
		Service: "lambda", Actor: "user/bob", Param: map[string]string{"FunctionName": "f"}, After: 1, Times: 2,
		Effect: sandbox.Effect{Status: 500, Code: "ServiceException"},
	})
	get := func(cfg aws.Config, name string) bool {
		_, err := lambda.NewFromConfig(cfg).GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: &name})
		return err == nil
	}
	if !get(alice, "f") || !get(bob, "g") {
		t.Error("the rule met somebody else's call, or one about something else")
	}
	var got []bool
	for range 4 {
		got = append(got, get(bob, "f"))
	}
	for i, want := range []bool{true, false, false, true} {
		if got[i] != want {
			t.Fatalf("after one, two times: %v", got)
		}
	}
}

func TestThrottlingIsWordedAsTheServiceDoes(t *testing.T) {
	s := start(t, sandbox.Options{})
	rule(t, s, sandbox.Rule{Effect: sandbox.Effect{Throttle: true}})
	_, err := lambda.NewFromConfig(as(s, "alice")).ListFunctions(t.Context(), nil)
	var many *types.TooManyRequestsException
	if !errors.As(err, &many) || many.Reason != types.ThrottleReasonCallerRateLimitExceeded || aws.ToString(many.RetryAfterSeconds) == "" {
		t.Errorf("lambda: %v", err)
	}
	if _, err := sts.NewFromConfig(as(s, "alice")).GetCallerIdentity(t.Context(), nil); codeOf(err) != "Throttling" {
		t.Errorf("sts: %v", err)
	}
	if n := s.Counts().Throttled; n != 2 {
		t.Errorf("%d throttled calls counted", n)
	}
}

func TestALostReplyHappenedAllTheSame(t *testing.T) {
	for name, effect := range map[string]sandbox.Effect{"a 500": {FailAfter: true}, "a cut connection": {Drop: true}} {
		s := start(t, sandbox.Options{})
		c := sqs.NewFromConfig(as(s, "alice"))
		rule(t, s, sandbox.Rule{Operation: "CreateQueue", Effect: effect})
		if _, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("orders")}); err == nil {
			t.Errorf("%s: the reply was not lost", name)
		}
		if out := must(c.ListQueues(t.Context(), nil))(t); len(out.QueueUrls) != 1 {
			t.Errorf("%s: the call did not happen", name)
		}
	}
}

func TestStaleReadsLagBehindEveryWrite(t *testing.T) {
	s := start(t, sandbox.Options{Now: func() time.Time { return noon }})
	c := newFunction(t, as(s, "alice"), "f")
	memory := func() int32 {
		return *must(c.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("f")}))(t).MemorySize
	}
	set := func(mb int32) {
		must(c.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), MemorySize: &mb}))(t)
	}
	before := memory()
	rule(t, s, sandbox.Rule{Service: "lambda", Operation: "Update*", Effect: sandbox.Effect{Stale: 10 * time.Second}})
	set(256) // at 0 s
	s.Advance(5 * time.Second)
	set(512) // at 5 s
	if got := memory(); got != before {
		t.Errorf("5 s after the first write a read shows %d, want %d", got, before)
	}
	s.Advance(6 * time.Second)
	if got := memory(); got != 256 {
		t.Errorf("6 s after the second write a read shows %d, want what the first wrote", got)
	}
	s.Advance(10 * time.Second)
	if got := memory(); got != 512 {
		t.Errorf("after the lag a read shows %d", got)
	}
}

func TestLatencyDelays(t *testing.T) {
	s := start(t, sandbox.Options{})
	rule(t, s, sandbox.Rule{Effect: sandbox.Effect{Latency: 50 * time.Millisecond}})
	must(sts.NewFromConfig(as(s, "alice")).GetCallerIdentity(t.Context(), nil))(t)
	if c := s.Calls(time.Time{})[0]; c.Duration < 50*time.Millisecond || c.Fault != "latency" {
		t.Errorf("it took %v with fault %q", c.Duration, c.Fault)
	}
}

func TestChanceIsSeeded(t *testing.T) {
	pattern := func() (out [40]bool) {
		s := start(t, sandbox.Options{Seed: 7})
		rule(t, s, sandbox.Rule{Probability: 0.5, Effect: sandbox.Effect{Status: 500}})
		c := sts.NewFromConfig(as(s, "alice"))
		for i := range out {
			_, err := c.GetCallerIdentity(t.Context(), nil)
			out[i] = err != nil
		}
		return out
	}
	first, hits := pattern(), 0
	if first != pattern() {
		t.Error("one seed, two patterns")
	}
	for _, hit := range first {
		if hit {
			hits++
		}
	}
	if hits == 0 || hits == len(first) {
		t.Errorf("%d of %d met a rule of one half", hits, len(first))
	}
}

func TestRulesWithoutSenseAreRefused(t *testing.T) {
	s := start(t, sandbox.Options{})
	for name, r := range map[string]sandbox.Rule{
		"no effect":      {},
		"two effects":    {Effect: sandbox.Effect{Throttle: true, Drop: true}},
		"a good status":  {Effect: sandbox.Effect{Status: 200}},
		"a probability":  {Probability: 2, Effect: sandbox.Effect{Throttle: true}},
		"negative waits": {Effect: sandbox.Effect{Latency: -1}},
	} {
		if _, err := s.Faults.Add(r); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// TestTheThreeLanesOfLambda spends each lane's burst at one moment.
func TestTheThreeLanesOfLambda(t *testing.T) {
	s := start(t, sandbox.Options{Now: func() time.Time { return noon }})
	c := newFunction(t, as(s, "alice"), "f")
	s.Reset()
	s.EnforceRates(true)
	name := aws.String("f")
	spend := func(call func() error) (passed int) {
		for range 120 {
			var many *types.TooManyRequestsException
			if err := call(); err == nil || codeOf(err) == "ResourceNotFoundException" {
				passed++
			} else if !errors.As(err, &many) {
				t.Fatal(err)
			}
		}
		return passed
	}
	if n := spend(func() error {
		_, err := c.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: name})
		return err
	}); n != 100 {
		t.Errorf("GetFunction: %d passed, want 100", n)
	}
	if n := spend(func() error {
		_, err := c.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: name})
		return err
	}); n != 15 {
		t.Errorf("GetPolicy: %d passed, want 15", n)
	}
	list := func() error {
		_, err := c.ListAliases(t.Context(), &lambda.ListAliasesInput{FunctionName: name})
		return err
	}
	if n := spend(list); n != 15 {
		t.Errorf("the common lane: %d passed, want 15", n)
	}
	if _, err := c.ListFunctions(t.Context(), nil); err == nil {
		t.Error("another operation found room in the full common lane")
	}
	if _, err := lambda.NewFromConfig(as(s, "222222222222")).ListFunctions(t.Context(), nil); err != nil {
		t.Errorf("another account's lane: %v", err)
	}
	s.Advance(time.Second)
	if n := spend(list); n != 15 {
		t.Errorf("a second later %d passed, want 15", n)
	}
	if lanes := s.Counts().Lanes; lanes["lambda/GetFunction"] != 120 || lanes["lambda/other"] != 242 {
		t.Errorf("counted %v", lanes)
	}
}
