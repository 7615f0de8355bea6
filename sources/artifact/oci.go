package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// OCI reads zips that lie in OCI registries, by the digest of the zip itself:
// a blob there is named by what it holds, so that neither a tag nor the manifest
// it stands in has a say in what is deployed.
//
// It shows the credentials that `docker login` and `oras login` leave (or a
// helper they name), to their own registry alone, and looks at them anew for
// each blob. Registries on loopback are spoken to without TLS, others never.
type OCI struct {
	// Client connects. Addresses of registries stand on environments'
	// branches, so it should be one that does not reach everything.
	Client *http.Client
}

// Blob opens the blob of one digest. address is REGISTRY/REPOSITORY, with or
// without a tag or digest. One that is not there is ErrMissing, one that may
// not be read ErrDenied; other errors are the registry's, wrapped.
func (o OCI) Blob(ctx context.Context, address, digest string) (io.ReadCloser, error) {
	repository, err := remote.NewRepository(address)
	if err != nil {
		return nil, fmt.Errorf("%w: want oci://REGISTRY/REPOSITORY: %w", ErrUnusable, err)
	}
	client := &auth.Client{Client: o.Client, Credential: fromDocker}
	if repository.PlainHTTP = onLoopback(repository.Reference.Registry); repository.PlainHTTP {
		client.BlockedRealmPrefixes = []netip.Prefix{} // it may name a neighbour for tokens
	}
	client.SetUserAgent("mooring")
	repository.Client = client
	_, content, err := repository.Blobs().FetchReference(ctx, digest)
	if err != nil {
		return nil, answered(repository.Reference.Registry, err)
	}
	return content, nil
}

// fromDocker finds a registry's credentials where Docker keeps them.
func fromDocker(ctx context.Context, host string) (auth.Credential, error) {
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return auth.EmptyCredential, fmt.Errorf("credentials of registry %s: %w", host, err)
	}
	return credentials.Credential(store)(ctx, host)
}

func onLoopback(registry string) bool {
	host, _, err := net.SplitHostPort(registry)
	if err != nil {
		host = registry
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// answered classifies what a registry answered. Its own words stay out: whoever
// names a registry would else write into this one's messages.
func answered(registry string, err error) error {
	var answer *errcode.ErrorResponse
	switch {
	case errors.Is(err, errdef.ErrNotFound), errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%w: %s has no blob of this digest there (it is the zip's own, not that of its manifest)", ErrMissing, registry)
	case errors.Is(err, auth.ErrBasicCredentialNotFound),
		answer != nil && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return fmt.Errorf("%w: %s wants credentials that may pull (as docker login %s leaves them)", ErrDenied, registry, registry)
	case answer != nil:
		return fmt.Errorf("read blob: %s answered %d", registry, answer.StatusCode)
	}
	return fmt.Errorf("read blob: %w", err)
}
