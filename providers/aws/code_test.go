package aws

import (
	"bytes"
	"os"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/artifact"
	"mooring.dev/sources/manifest"
)

// TestCodeFromS3: AWS takes the object itself, and what it took is compared.
func TestCodeFromS3(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	objects := s3.NewFromConfig(b.as("AKIABOB"), func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := objects.CreateBucket(b.ctx, &s3.CreateBucketInput{Bucket: awssdk.String("artifacts")}); err != nil {
		t.Fatal(err)
	}
	upload := func(key string, a manifest.Artifact) {
		t.Helper()
		body, err := os.ReadFile(b.zips.all[a.Digest].Path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := objects.PutObject(b.ctx, &s3.PutObjectInput{Bucket: awssdk.String("artifacts"), Key: &key, Body: bytes.NewReader(body)}); err != nil {
			t.Fatal(err)
		}
	}
	two := b.zips.add(t, "two")
	upload("checkout.zip", two)
	two.URI = "s3://artifacts/checkout.zip"
	fn := with(find(t, all, "Function/checkout"), func(f *manifest.FunctionConfig) { f.Artifact = two })
	if _, err := b.Put(b.ctx, providers.Change{Resource: fn, Bindings: bindings, Guard: b.one(fn).Guard}); err != nil {
		t.Fatal(err)
	}
	if got := b.one(fn).Spec.Fields["code"]; got != canonicalJSON(codeDigest(two)) {
		t.Errorf("code %s, want %s", got, codeDigest(two))
	}

	// The object is swapped between our reading and AWS's.
	three := b.zips.add(t, "three")
	three.URI = "s3://artifacts/checkout.zip"
	swapped := with(fn, func(f *manifest.FunctionConfig) { f.Artifact = three })
	_, err := b.Put(b.ctx, providers.Change{Resource: swapped, Bindings: bindings, Guard: b.one(fn).Guard})
	if err == nil {
		// AWS holds "two" already and says so: no write was made with it.
		t.Error("code that AWS did not receive passes for received")
	}
	_, _, err = b.Publish(b.ctx, providers.Change{Resource: swapped, Bindings: bindings})
	kindOf(t, err, providers.Conflict)
}

func TestArtifactFaults(t *testing.T) {
	for err, want := range map[error]providers.Kind{
		artifact.ErrMismatch: providers.Invalid, artifact.ErrTooLarge: providers.Invalid, artifact.ErrUnusable: providers.Invalid,
		artifact.ErrMissing: providers.Transient,
	} {
		if got := providers.KindOf(artifactError(err)); got != want {
			t.Errorf("%v is %v, want %v", err, got, want)
		}
	}
}

func TestImageFunctions(t *testing.T) {
	w := offline(t)
	digest := strings.Repeat("ab", 32)
	fn := with(w.shop("preview")[3], func(f *manifest.FunctionConfig) {
		f.Artifact = manifest.Artifact{Image: "111111111111.dkr.ecr.eu-west-1.amazonaws.com/checkout@sha256:" + digest}
		f.PackageType, f.Runtime, f.Handler = "Image", "", ""
		f.ImageConfig = &manifest.ImageConfig{Command: []string{"app.handler"}}
	})
	spec, err := w.Canonical(fn, shopBindings())
	if err != nil {
		t.Fatal(err)
	}
	if spec.Fields["code"] != canonicalJSON(digest) || spec.Fields["imageConfig.command"] != `["app.handler"]` {
		t.Errorf("an image's form: code %s, command %s", spec.Fields["code"], spec.Fields["imageConfig.command"])
	}
	if got := imageURI(manifest.Artifact{Image: "repo", Digest: "sha256:" + digest}); got != "repo@sha256:"+digest {
		t.Errorf("image %s", got)
	}
	put := functionPut{p: w.Provider, c: providers.Change{Resource: fn}, spec: fn.Spec.(*manifest.FunctionConfig)}
	put.declared = declaredConfig(put.spec, fn.Physical, w.builder(shopBindings()))
	code, err := put.code(t.Context())
	if err != nil || !strings.HasSuffix(*code.ImageUri, "@sha256:"+digest) || code.ZipFile != nil {
		t.Errorf("code %+v, %v", code, err)
	}
}

func TestLargeArtifactsComeFromS3(t *testing.T) {
	w := offline(t)
	fn := w.shop("preview")[3]
	spec := fn.Spec.(*manifest.FunctionConfig)
	blob := w.zips.all[spec.Artifact.Digest]
	blob.Size = largestInline
	w.zips.all[spec.Artifact.Digest] = blob
	put := functionPut{p: w.Provider, c: providers.Change{Resource: fn}, spec: spec, declared: declaredConfig(spec, fn.Physical, w.builder(nil))}
	_, err := put.code(t.Context())
	kindOf(t, err, providers.Invalid)
	put.spec.Artifact.URI = "s3://bucket/some/key.zip"
	code, err := put.code(t.Context())
	if err != nil || *code.S3Bucket != "bucket" || *code.S3Key != "some/key.zip" || code.ZipFile != nil {
		t.Errorf("code %+v, %v", code, err)
	}
}
