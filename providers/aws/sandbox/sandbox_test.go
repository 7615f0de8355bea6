package sandbox_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"mooring.dev/providers/aws/sandbox"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

const region = "eu-west-1"

// start runs a sandbox for one test.
func start(t *testing.T, o sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// as is the configuration of somebody with an access key. The clients never
// retry, so that a test sees each answer.
func as(s *sandbox.Sandbox, accessKey string) aws.Config {
	return aws.Config{
		Region:       region,
		Credentials:  credentials.NewStaticCredentialsProvider(accessKey, "secret", ""),
		BaseEndpoint: aws.String(s.URL()),
		Retryer:      func() aws.Retryer { return aws.NopRetryer{} },
	}
}

// codeOf is an error's code, "" for none.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestCallerIdentityComesFromTheAccessKey(t *testing.T) {
	s := start(t, sandbox.Options{})
	for key, want := range map[string]string{
		"alice":        "arn:aws:iam::111111111111:user/alice",
		"AKIDBOB":      "arn:aws:iam::111111111111:user/akidbob",
		"222222222222": "arn:aws:iam::222222222222:user/222222222222",
	} {
		out := must(sts.NewFromConfig(as(s, key)).GetCallerIdentity(t.Context(), nil))(t)
		if *out.Arn != want {
			t.Errorf("%s is %s, want %s", key, *out.Arn, want)
		}
	}
}
