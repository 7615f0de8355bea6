package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"mooring.dev/providers"
	"mooring.dev/sources/artifact"
)

// Code writes the zip of a function into w. What AWS hands out must have the
// digest AWS names, or it is an error.
func (p *Provider) Code(ctx context.Context, function, version string, w io.Writer) (string, error) {
	out, err := p.front.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &function, Qualifier: optional(version)})
	if err != nil {
		return "", fmt.Errorf("code of %s: %w", function, classify(err))
	}
	if out.Code == nil || awssdk.ToString(out.Code.Location) == "" || out.Configuration == nil {
		return "", providers.Errorf(providers.Invalid, "code of %s: the platform names no place to read it from", function)
	}
	digest := "sha256:" + liveDigest(awssdk.ToString(out.Configuration.CodeSha256))
	got, err := p.download(ctx, awssdk.ToString(out.Code.Location), w)
	if err != nil {
		return "", fmt.Errorf("code of %s: %w", function, err)
	}
	if got != digest {
		return "", providers.Errorf(providers.Invalid, "code of %s: what was read has digest %s, and AWS names %s", function, got, digest)
	}
	return digest, nil
}

// download reads from a signed address. It opens what it names to whoever has
// it, so no error shows it.
func (p *Provider) download(ctx context.Context, location string, w io.Writer) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return "", providers.Errorf(providers.Invalid, "the place AWS names is no address")
	}
	client := p.o.Config.HTTPClient
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		return "", providers.Errorf(providers.Transient, "the place AWS names does not answer")
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return "", providers.Errorf(providers.Transient, "the place AWS names answers %s", response.Status)
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, hash), io.LimitReader(response.Body, artifact.DefaultMaxSize+1))
	switch {
	case err != nil:
		return "", providers.Errorf(providers.Transient, "reading it stopped after %d bytes", n)
	case n > artifact.DefaultMaxSize:
		return "", providers.Errorf(providers.Invalid, "it is larger than %d bytes", artifact.DefaultMaxSize)
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
}
