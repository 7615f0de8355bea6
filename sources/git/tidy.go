package git

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
)

// maxLooseFiles is how many objects may lie about as files of their own
// before they are packed. One of the 256 folders is counted and stands for all.
const maxLooseFiles = 6000

// tidy packs loose objects when there are many. Nothing is ever dropped: what
// was fetched stays, so that a rollback finds it.
func (s *store) tidy(ctx context.Context) error {
	sample, err := os.ReadDir(filepath.Join(s.gitDir, "objects", "17"))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(sample)*256 < maxLooseFiles {
		return nil
	}
	if err != nil {
		return fmt.Errorf("tidy store: %w", err)
	}
	return s.packLoose(ctx)
}

// packLoose writes every loose object into one pack, and then removes the files.
func (s *store) packLoose(ctx context.Context) (err error) {
	files, err := filepath.Glob(filepath.Join(s.gitDir, "objects", "[0-9a-f][0-9a-f]", "*"))
	if err != nil {
		return fmt.Errorf("tidy store: %w", err)
	}
	var order []plumbing.Hash
	for _, path := range files {
		name := filepath.Base(filepath.Dir(path)) + filepath.Base(path)
		if raw, err := hex.DecodeString(name); err == nil && len(raw) == len(plumbing.Hash{}) {
			order = append(order, plumbing.Hash(raw))
		}
	}
	if len(order) == 0 {
		return nil
	}
	from := newStore(s.gitDir)
	defer func() { err = errors.Join(err, from.close()) }()
	if err := s.addPack(func(w io.Writer) error { return writePack(ctx, w, from, order) }); err != nil {
		return fmt.Errorf("tidy store: %w", err)
	}
	for _, path := range files {
		if err := ignoreMissing(os.Remove(path)); err != nil {
			return fmt.Errorf("tidy store: %w", err)
		}
	}
	return nil
}
