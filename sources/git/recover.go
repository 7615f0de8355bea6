package git

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/objfile"
)

// openMarker stands in the store while a Repository has it open. Objects are
// not forced to the disk one by one, so a store whose marker is found again
// is looked through: the machine may have lost power.
const openMarker = "mooring-open"

// recoverStore looks through a store that was not closed. What cannot be read is
// removed; damaged says that something was, and that what is left may lack
// parts.
func recoverStore(dir string) (damaged bool, err error) {
	marker := filepath.Join(dir, openMarker)
	if _, err := os.Stat(marker); errors.Is(err, fs.ErrNotExist) {
		return false, os.WriteFile(marker, nil, 0o600)
	} else if err != nil {
		return false, err
	}
	loose, err := filepath.Glob(filepath.Join(dir, "objects", "[0-9a-f][0-9a-f]", "*"))
	if err != nil {
		return false, err
	}
	packs, err := filepath.Glob(filepath.Join(dir, "objects", "pack", "pack-*.pack"))
	if err != nil {
		return false, err
	}
	for _, path := range loose {
		if looseIsWhole(path) {
			continue
		}
		damaged = true
		if err := os.Remove(path); err != nil {
			return damaged, err
		}
	}
	for _, path := range packs {
		if packIsWhole(path) {
			continue
		}
		damaged = true
		index := strings.TrimSuffix(path, ".pack") + ".idx"
		if err := errors.Join(os.Remove(path), ignoreMissing(os.Remove(index))); err != nil {
			return damaged, err
		}
	}
	return damaged, nil
}

// looseIsWhole reads an object and holds it against its name.
func looseIsWhole(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close() // only read
	reader, err := objfile.NewReader(file)
	if err != nil {
		return false
	}
	defer reader.Close()
	_, size, err := reader.Header()
	if err != nil {
		return false
	}
	n, err := io.Copy(io.Discard, reader)
	name := filepath.Base(filepath.Dir(path)) + filepath.Base(path)
	return err == nil && n == size && reader.Hash() == plumbing.NewHash(name)
}

// packIsWhole looks at the ends: a pack ends in the checksum it is named by,
// its index in that checksum and one of its own.
func packIsWhole(path string) bool {
	sum, err := hex.DecodeString(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "pack-"), ".pack"))
	if err != nil {
		return false
	}
	index := strings.TrimSuffix(path, ".pack") + ".idx"
	return bytes.Equal(ending(path, 20), sum) && bytes.HasPrefix(ending(index, 40), sum)
}

// ending is the last n bytes of a file, or nothing.
func ending(path string, n int64) []byte {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close() // only read
	info, err := file.Stat()
	if err != nil || info.Size() < n {
		return nil
	}
	end := make([]byte, n)
	if _, err := file.ReadAt(end, info.Size()-n); err != nil {
		return nil
	}
	return end
}

// closed removes the marker: everything was written.
func closed(dir string) error {
	if err := ignoreMissing(os.Remove(filepath.Join(dir, openMarker))); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}
