package aws

import (
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/sources/manifest"
)

func BenchmarkCanonicalFunction(b *testing.B) {
	p, err := New(Options{Pipeline: "shop", Environment: "preview", Config: awssdk.Config{Region: testRegion}, Tokens: []byte("key")})
	if err != nil {
		b.Fatal(err)
	}
	fn := benchFunction()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Canonical(fn, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLiveFunction(b *testing.B) {
	p, err := New(Options{Pipeline: "shop", Environment: "preview", Config: awssdk.Config{Region: testRegion}, Tokens: []byte("key")})
	if err != nil {
		b.Fatal(err)
	}
	fn := benchFunction()
	look := &functionLook{config: types.FunctionConfiguration{
		FunctionName: awssdk.String("f"), Environment: &types.EnvironmentResponse{Variables: map[string]string{"A": "1", "B": "2", "C": "3"}},
	}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.functionLive(fn, look); err != nil {
			b.Fatal(err)
		}
	}
}

func benchFunction() manifest.Resource {
	return manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindFunction, Name: "f"}, Physical: "f", Spec: &manifest.FunctionConfig{
		Artifact: manifest.Artifact{Digest: "sha256:00"}, MemorySize: 128, Timeout: 3, Runtime: "python3.12", Handler: "a.b",
		Environment: map[string]manifest.Value{"A": {Literal: "1"}, "B": {Literal: "2"}, "C": {Literal: "3"}},
	}}
}
