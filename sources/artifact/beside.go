package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"mooring.dev/sources/manifest"
)

// Beside is what the name of a file with signed statements about an artifact
// adds to the artifact's own: code.zip has code.zip.intoto.jsonl.
const Beside = ".intoto.jsonl"

// MaxBeside is the most that is read of such a file, in bytes.
const MaxBeside = 1 << 20

// Beside reads the statements that lie beside an artifact; nil where there are
// none, or could be none. They are as they lie there: nothing of them is
// proved, and nothing is kept. An error means that nobody knows whether there
// are any.
func (s *Store) Beside(ctx context.Context, a manifest.Artifact) (data []byte, err error) {
	address, _, _ := strings.Cut(a.URI, "?")
	if a.Image != "" || address == "" || strings.HasPrefix(address, "oci:") { // a registry has no files beside
		return nil, nil
	}
	address += Beside
	content, err := s.open(ctx, manifest.Artifact{URI: address})
	switch {
	case errors.Is(err, ErrMissing):
		return nil, nil
	case errors.Is(err, ErrDenied):
		return nil, s.denied(ctx, a, address, err)
	case err != nil:
		return nil, fmt.Errorf("statements %s: %w", address, err)
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	data, err = io.ReadAll(io.LimitReader(content, MaxBeside+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("statements %s: read: %w", address, err)
	case len(data) > MaxBeside:
		return nil, fmt.Errorf("statements %s: %w: more than %d KiB", address, ErrTooLarge, MaxBeside>>10)
	}
	return data, nil
}

// denied tells a file that is not there from one that may not be read: whoever
// may read the artifact may read what lies beside it, so that a refusal means
// that there is nothing. No right to list the bucket is needed.
func (s *Store) denied(ctx context.Context, a manifest.Artifact, address string, refusal error) error {
	content, err := s.open(ctx, a)
	if err != nil {
		return fmt.Errorf("statements %s: %w", address, refusal)
	}
	if err := content.Close(); err != nil {
		return fmt.Errorf("statements %s: %w", address, err)
	}
	return nil
}
