package aws

import (
	"os"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

// TestEveryFieldOfAFunctionIsSetAndCleared: a field that is written and
// cannot be cleared again would drift for ever.
func TestEveryFieldOfAFunctionIsSetAndCleared(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	tools, err := os.ReadFile(b.zips.all[b.zips.add(t, "tools").Digest].Path)
	if err != nil {
		t.Fatal(err)
	}
	layer, err := lambda.NewFromConfig(b.as("AKIABOB")).PublishLayerVersion(b.ctx, &lambda.PublishLayerVersionInput{
		LayerName: awssdk.String("tools"), Content: &types.LayerVersionContentInput{ZipFile: tools},
	})
	if err != nil {
		t.Fatal(err)
	}
	const key = "arn:aws:kms:" + testRegion + ":" + testAccount + ":key/11111111-2222-3333-4444-555555555555"
	full := with(find(t, all, "Function/checkout"), func(f *manifest.FunctionConfig) {
		f.Runtime, f.Handler, f.Description = "python3.12", "app.handler", "a description"
		f.Architectures, f.MemorySize, f.Timeout, f.Layers = []string{"arm64"}, 1024, 60, []manifest.Value{{Literal: *layer.LayerVersionArn}}
		f.VpcConfig = &manifest.VpcConfig{SubnetIds: []string{"subnet-2", "subnet-1"}, SecurityGroupIds: []string{"sg-1"}, Ipv6AllowedForDualStack: true}
		f.DeadLetterConfig = &manifest.Target{TargetArn: manifest.Value{Ref: manifest.Ref{Kind: manifest.KindQueue, Name: "orders-dlq"}}}
		f.KmsKeyArn = key
		f.TracingConfig = &manifest.TracingConfig{Mode: "Active"}
		f.FileSystemConfigs = []manifest.FileSystem{{
			Arn: "arn:aws:elasticfilesystem:" + testRegion + ":" + testAccount + ":access-point/fsap-11111111111111111", LocalMountPath: "/mnt/data",
		}}
		f.EphemeralStorage = &manifest.EphemeralStorage{Size: 1024}
		f.SnapStart = &manifest.SnapStart{ApplyOn: "PublishedVersions"}
		f.LoggingConfig = &manifest.LoggingConfig{LogFormat: "JSON", ApplicationLogLevel: "WARN", SystemLogLevel: "WARN", LogGroup: "/shop/all"}
		f.Environment["a_b"] = manifest.Value{Literal: "x"}
		f.Tags = map[string]string{"team": "orders", "cost.center": "1"}
	})
	whole := append([]manifest.Resource(nil), all...)
	set := func(fn manifest.Resource) {
		for i := range whole {
			if whole[i].Ref == fn.Ref {
				whole[i] = fn
			}
		}
		b.converge(whole)
		b.inPlace(whole)
	}
	set(full)
	set(find(t, all, "Function/checkout"))
}

func TestImageFunctionConverges(t *testing.T) {
	b, all, _ := settled(t, sandbox.Options{})
	ref := manifest.Ref{Kind: manifest.KindFunction, Name: "render"}
	fn := manifest.Resource{Ref: ref, Physical: "preview-render", Spec: &manifest.FunctionConfig{
		Artifact:    manifest.Artifact{Image: testAccount + ".dkr.ecr." + testRegion + ".amazonaws.com/render@sha256:" + strings.Repeat("ab", 32)},
		PackageType: "Image", MemorySize: 512, Timeout: 5, Role: manifest.Value{Ref: manifest.Ref{Kind: manifest.KindRole, Name: "checkout"}},
		ImageConfig: &manifest.ImageConfig{Command: []string{"app.handler"}, EntryPoint: []string{"/entry"}, WorkingDirectory: "/work"},
	}}
	whole := append(append([]manifest.Resource(nil), all...), fn)
	b.converge(whole)
	b.inPlace(whole)
	plain := *fn.Spec.(*manifest.FunctionConfig)
	plain.ImageConfig, plain.Artifact.Image = nil, strings.ReplaceAll(plain.Artifact.Image, "ab", "cd")
	whole[len(whole)-1].Spec = &plain
	b.converge(whole)
	b.inPlace(whole)
}
