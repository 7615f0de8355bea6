package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// maxKey is the longest key file read, in bytes.
const maxKey = 16 << 10

// verifier reads statements with fixed keys.
type verifier []Key

// NewVerifier takes the keys that a pipeline names, out of the tree of the
// control branch where they are files. All faults are told at once.
func NewVerifier(tree fs.FS, spec manifest.Evidence) (sources.Verifier, error) {
	var v verifier
	var faults []error
	for _, k := range spec.Keys {
		text, err := []byte(k.PublicKey), error(nil)
		if k.File != "" {
			text, err = readKey(tree, k.File)
		}
		var key Key
		if err == nil {
			key, err = ParseKey(k.Name, text)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("evidence key %s: %w", k.Name, err))
			continue
		}
		v = append(v, key)
	}
	return v, errors.Join(faults...)
}

func readKey(tree fs.FS, name string) ([]byte, error) {
	f, err := tree.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read %s of the control branch: %w", name, err)
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, maxKey+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s of the control branch: %w", name, err)
	case len(text) > maxKey:
		return nil, fmt.Errorf("%s is over %d KiB: that is no key", name, maxKey>>10)
	}
	return text, nil
}

// Read implements sources.Verifier.
func (v verifier) Read(ctx context.Context, source string, data []byte) []sources.Statement {
	return Read(ctx, source, data, v)
}
