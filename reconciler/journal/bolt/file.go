package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"mooring.dev/reconciler/journal"
)

// create makes a whole, empty journal beside the path and links it there, so
// that a crash leaves either no file or a good one: a file that is there and
// empty is always damage.
func create(path string, format uint64) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(dir, ".journal-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	if err := temporary.Close(); err != nil {
		return err
	}
	if err := lay(temporary.Name(), format); err != nil {
		return err
	}
	if err := os.Link(temporary.Name(), path); errors.Is(err, fs.ErrExist) {
		return nil // another daemon was faster; its lock decides
	} else if err != nil {
		return err
	}
	return syncDir(dir)
}

// lay writes the buckets and the format of a new journal.
func lay(path string, format uint64) error {
	db, err := bbolt.Open(path, fileMode, &bbolt.Options{Timeout: lockTimeout})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{metaBucket, recordBucket, snapshotBucket} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return tx.Bucket(metaBucket).Put(formatKey, number(format))
	})
	return errors.Join(err, db.Close())
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

// checksum is CRC-32C, over the key and the data.
func checksum(key, data []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(key, table), table, data)
}

// sealed is a value with its checksum, which covers the key too: a value that
// moved is damage as well.
func sealed(key, data []byte) []byte {
	out := make([]byte, 0, 4+len(data))
	return append(binary.BigEndian.AppendUint32(out, checksum(key, data)), data...)
}

func unsealed(key, value []byte) ([]byte, error) {
	if len(value) < 4 || binary.BigEndian.Uint32(value) != checksum(key, value[4:]) {
		return nil, fmt.Errorf("%w: %x does not match its checksum", journal.ErrCorrupt, key)
	}
	return value[4:], nil
}

// guarded turns what bbolt does with a damaged file (a panic, a read outside
// of it) into an error.
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", journal.ErrCorrupt, p)
		}
	}()
	return fn()
}

// damagedHint is what to do about a journal that cannot be read.
const damagedHint = ": nothing was changed; put a backup of the file in its place, or move it away to start from what lives"

// explain says about which file, and what to do.
func explain(path, doing string, err error) error {
	hint := ""
	switch {
	case err == nil:
		return nil
	case errors.Is(err, journal.ErrFenced):
		return err
	case errors.Is(err, bolterrors.ErrTimeout), errors.Is(err, journal.ErrLocked):
		return fmt.Errorf("%s journal %s: %w: stop the other daemon, or give this one its own --state", doing, path, journal.ErrLocked)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		err = fmt.Errorf("%w: %w", journal.ErrCorrupt, err)
	}
	switch {
	case errors.Is(err, journal.ErrCorrupt):
		hint = damagedHint
	case errors.Is(err, ErrNewer):
		hint = ": run the newer version, or put a backup in its place"
		if kept := keptName(path, known().current); exists(kept) {
			hint = fmt.Sprintf(": run the newer version, or give up what it did: `mooring journal restore %s --force` puts back the journal as it was before", kept)
		}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		hint = ": nothing was written; make room on the disk"
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		hint = ": the daemon must be able to write there"
	}
	return fmt.Errorf("%s journal %s: %w%s", doing, path, err, hint)
}
