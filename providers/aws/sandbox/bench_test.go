package sandbox_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mooring.dev/providers/aws/sandbox"
)

// BenchmarkCall is one call by the SDK, over the wire and back.
func BenchmarkCall(b *testing.B) {
	s, err := sandbox.New(sandbox.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	c := sts.NewFromConfig(aws.Config{
		Region: region, BaseEndpoint: aws.String(s.URL()), Credentials: credentials.NewStaticCredentialsProvider("alice", "secret", ""),
	})
	for b.Loop() {
		if _, err := c.GetCallerIdentity(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
	}
}
