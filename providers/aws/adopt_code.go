package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"mooring.dev/providers"
	"mooring.dev/sources/artifact"
	"mooring.dev/sources/manifest"
)

// Code writes the zip of a function or a layer into w. What AWS hands out must
// have the digest AWS names, or it is an error.
func (p *Provider) Code(ctx context.Context, of providers.CodeOf, w io.Writer) (string, error) {
	find := p.functionCode
	if of.Kind == manifest.KindLayer {
		find = p.layerCode
	}
	location, digest, err := find(ctx, of)
	if err != nil {
		return "", fmt.Errorf("code of %s: %w", of.Name, classify(err))
	}
	if location == "" {
		return "", providers.Errorf(providers.Invalid, "code of %s: the platform names no place to read it from", of.Name)
	}
	got, err := p.download(ctx, location, w)
	if err != nil {
		return "", fmt.Errorf("code of %s: %w", of.Name, err)
	}
	if got != digest {
		return "", providers.Errorf(providers.Invalid, "code of %s: what was read has digest %s, and AWS names %s", of.Name, got, digest)
	}
	return digest, nil
}

func (p *Provider) functionCode(ctx context.Context, of providers.CodeOf) (location, digest string, err error) {
	out, err := p.front.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &of.Name, Qualifier: optional(of.Version)})
	if err != nil || out.Code == nil || out.Configuration == nil {
		return "", "", err
	}
	return awssdk.ToString(out.Code.Location), "sha256:" + liveDigest(awssdk.ToString(out.Configuration.CodeSha256)), nil
}

func (p *Provider) layerCode(ctx context.Context, of providers.CodeOf) (location, digest string, err error) {
	number, err := strconv.ParseInt(of.Version, 10, 64)
	if err != nil {
		return "", "", providers.Errorf(providers.Invalid, "version %q is no number", of.Version)
	}
	out, err := p.front.lambda.GetLayerVersion(ctx, &lambda.GetLayerVersionInput{LayerName: &of.Name, VersionNumber: &number})
	if err != nil || out.Content == nil {
		return "", "", err
	}
	return awssdk.ToString(out.Content.Location), "sha256:" + liveDigest(awssdk.ToString(out.Content.CodeSha256)), nil
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
