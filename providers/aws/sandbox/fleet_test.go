package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"

	"mooring.dev/providers/aws/sandbox"
)

func TestAFullLaneSaysWhenToComeBack(t *testing.T) {
	s := start(t, sandbox.Options{Now: func() time.Time { return noon }, Rates: true})
	c := lambda.NewFromConfig(as(s, "alice"))
	list := func() error {
		_, err := c.ListFunctions(t.Context(), nil)
		return err
	}
	passed := 0
	err := list()
	for ; err == nil && passed < 100; err = list() {
		passed++
	}
	var refused *types.TooManyRequestsException
	if !errors.As(err, &refused) || passed != 15 {
		t.Fatalf("after %d calls in one moment: %v", passed, err)
	}
	if aws.ToString(refused.RetryAfterSeconds) != "1" || refused.Reason != types.ThrottleReasonCallerRateLimitExceeded {
		t.Errorf("come back after %q, because of %s", aws.ToString(refused.RetryAfterSeconds), refused.Reason)
	}
	s.Advance(time.Second)
	if err := list(); err != nil {
		t.Errorf("a second later: %v", err)
	}
}

// TestRetriesOutlastAFullLane lets the SDK's own retries wait in the sandbox's
// time.
func TestRetriesOutlastAFullLane(t *testing.T) {
	s := start(t, sandbox.Options{Now: func() time.Time { return noon }, Rates: true})
	cfg := as(s, "alice")
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) {
				s.Advance(100 * time.Millisecond)
				return 0, nil
			})
		})
	}
	c := lambda.NewFromConfig(cfg)
	for i := range 60 {
		if _, err := c.ListFunctions(t.Context(), nil); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	refused := 0
	for _, call := range s.Calls(time.Time{}) {
		if call.ErrorCode == "TooManyRequestsException" {
			refused++
		}
	}
	if refused == 0 {
		t.Error("sixty calls at once met no full lane")
	}
}

// made is what a function of the fleet took, its version, its recorded call and
// its event on the trail included.
type made struct {
	each  time.Duration
	bytes int64
}

// fleet is a sandbox with a thousand functions, made by the API.
func fleet(b *testing.B) (*lambda.Client, aws.Config, made) {
	b.Helper()
	s, err := sandbox.New(sandbox.Options{})
	if err == nil {
		err = s.Start(context.Background())
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	cfg := as(s, "alice")
	role, err := iam.NewFromConfig(cfg).CreateRole(b.Context(), &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(lambdaTrust)})
	if err != nil {
		b.Fatal(err)
	}
	c := lambda.NewFromConfig(cfg)
	code := zipped(b, "main.py", pythonEcho)
	before, started := heap(), time.Now()
	for i := range 1000 {
		if _, err := c.CreateFunction(b.Context(), &lambda.CreateFunctionInput{
			FunctionName: aws.String(fmt.Sprintf("f%04d", i)), Role: role.Role.Arn, Runtime: types.RuntimePython312, Handler: aws.String("main.handler"),
			Code: &types.FunctionCode{ZipFile: code}, Publish: true, Tags: map[string]string{"team": "shop"},
			Environment: &types.Environment{Variables: map[string]string{"NUMBER": fmt.Sprint(i), "LEVEL": "info"}},
		}); err != nil {
			b.Fatal(err)
		}
	}
	return c, cfg, made{
		each:  time.Since(started) / 1000,
		bytes: (heap() - before) / 1000,
	}
}

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkFleet is the sandbox with a thousand functions: what each call
// costs, over the wire and back.
func BenchmarkFleet(b *testing.B) {
	c, cfg, cost := fleet(b)
	b.Run("list", func(b *testing.B) {
		calls := 0
		for b.Loop() {
			for p := lambda.NewListFunctionsPaginator(c, &lambda.ListFunctionsInput{}); p.HasMorePages(); calls++ {
				if _, err := p.NextPage(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(calls), "µs/call")
		b.ReportMetric(float64(calls)/float64(b.N), "calls/sweep")
		b.ReportMetric(float64(cost.each.Microseconds()), "µs/create")
		b.ReportMetric(float64(cost.bytes)/1024, "KB/function")
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.GetFunctionConfiguration(b.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String("f0500")}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("update", func(b *testing.B) {
		n := int32(0)
		for b.Loop() {
			n++
			if _, err := c.UpdateFunctionConfiguration(b.Context(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f0500"), MemorySize: aws.Int32(128 + n%1000)}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("tags", func(b *testing.B) {
		tags := resourcegroupstaggingapi.NewFromConfig(cfg)
		calls := 0
		for b.Loop() {
			for p := resourcegroupstaggingapi.NewGetResourcesPaginator(tags, &resourcegroupstaggingapi.GetResourcesInput{}); p.HasMorePages(); calls++ {
				if _, err := p.NextPage(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(calls), "µs/call")
	})
}
