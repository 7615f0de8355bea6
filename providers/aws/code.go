package aws

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/sources/artifact"
	"mooring.dev/sources/manifest"
)

// largestInline is the largest zip a request may carry.
const largestInline = 50 * 1024 * 1024

// artifact is a zip as AWS takes it, by its place in S3 or whole.
func (p *Provider) artifact(ctx context.Context, a manifest.Artifact) (*types.FunctionCode, error) {
	if p.o.Artifacts == nil {
		return nil, providers.Errorf(providers.Invalid, "no store of artifacts is configured, so %s cannot be fetched", a.URI)
	}
	blob, err := p.o.Artifacts.Fetch(ctx, a)
	if err != nil {
		return nil, artifactError(err)
	}
	if strings.TrimPrefix(blob.Digest, "sha256:") != codeDigest(a) {
		return nil, providers.Errorf(providers.Invalid, "artifact %s has digest %s, not the declared %s", a.URI, blob.Digest, a.Digest)
	}
	code := &types.FunctionCode{}
	if rest, ok := strings.CutPrefix(a.URI, "s3://"); ok {
		bucket, key, _ := strings.Cut(rest, "/")
		code.S3Bucket, code.S3Key, code.S3ObjectVersion = &bucket, &key, optional(a.Version)
		return code, nil
	}
	if blob.Size >= largestInline {
		return nil, providers.Errorf(providers.Invalid, "artifact %s is %d bytes; from 50 MB on it must be an s3:// artifact", a.URI, blob.Size)
	}
	if code.ZipFile, err = os.ReadFile(blob.Path); err != nil {
		return nil, fmt.Errorf("artifact %s: %w", a.URI, err)
	}
	return code, nil
}

// artifactError: what is there and cannot be used never will be; what is not
// there may still come.
func artifactError(err error) error {
	for _, lasting := range []error{artifact.ErrMismatch, artifact.ErrTooLarge, artifact.ErrUnusable} {
		if errors.Is(err, lasting) {
			return providers.Errorf(providers.Invalid, "%w", err)
		}
	}
	return err
}

// imageURI names an image by digest, whatever way it was declared.
func imageURI(a manifest.Artifact) string {
	if strings.Contains(a.Image, "@") || a.Digest == "" {
		return a.Image
	}
	return a.Image + "@" + a.Digest
}
