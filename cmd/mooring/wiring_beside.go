package main

import (
	"context"
	"errors"
	"fmt"

	"mooring.dev/providers"
	"mooring.dev/sources/artifact"
	"mooring.dev/sources/manifest"
)

// beside reads the statements that lie beside an artifact, with the
// environment's own role.
func (f *platforms) beside(ctx context.Context, e manifest.Environment, a manifest.Artifact) ([]byte, error) {
	f.mu.Lock()
	store := f.stores[e.Name]
	f.mu.Unlock()
	if store == nil && e.Provider.AWS != nil {
		return nil, fmt.Errorf("the platform of %s is not open yet", e.Name)
	} else if store == nil { // a platform without artifacts
		return nil, nil
	}
	data, err := store.Beside(ctx, a)
	switch {
	case errors.Is(err, artifact.ErrDenied):
		return nil, providers.Errorf(providers.Denied, "%w", err)
	case errors.Is(err, artifact.ErrTooLarge), errors.Is(err, artifact.ErrUnusable):
		return nil, providers.Errorf(providers.Invalid, "%w", err)
	}
	return data, err
}
