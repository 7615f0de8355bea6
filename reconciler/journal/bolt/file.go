package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"mooring.dev/reconciler/journal"
)

// create makes a whole, empty journal beside the path and links it there, so
// that a crash leaves either no file or a good one: a file that is there and
// empty is always damage.
func create(path string) error {
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
	if err := lay(temporary.Name()); err != nil {
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
func lay(path string) error {
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

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

// What bbolt's file begins with: two meta pages, written in turn, each with
// its own checksum.
const (
	pageHeader   = 16
	metaSize     = 64
	metaMagic    = 0xED0CDAED
	maxPageSize  = 1 << 16
	sumOffset    = 56
	highOffset   = 40 // pages in use
	sizeOffset   = 8  // page size
	inspectTries = 3
)

// inspect looks at the head before bbolt does. bbolt itself takes the other
// meta page when one is damaged, which would silently forget the last append,
// begins anew over an empty file, and crashes on one that was cut short.
func inspect(path string) (err error) {
	for range inspectTries {
		if err = inspectOnce(path); err == nil || !errors.Is(err, journal.ErrCorrupt) {
			return err
		}
		time.Sleep(5 * time.Millisecond) // a daemon that has it open may be writing this very page
	}
	return err
}

func inspectOnce(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	first := make([]byte, pageHeader+metaSize)
	if _, err := io.ReadFull(file, first); err != nil {
		return fmt.Errorf("%w: %d bytes are too few", journal.ErrCorrupt, info.Size())
	}
	size := int64(binary.NativeEndian.Uint32(first[pageHeader+sizeOffset:]))
	pages, err := readMeta(first)
	if err != nil {
		return err
	}
	if size < 512 || size > maxPageSize {
		return fmt.Errorf("%w: page size %d", journal.ErrCorrupt, size)
	}
	second := make([]byte, pageHeader+metaSize)
	if _, err := file.ReadAt(second, size); err != nil {
		return fmt.Errorf("%w: cut short at %d bytes", journal.ErrCorrupt, info.Size())
	}
	more, err := readMeta(second)
	if err != nil {
		return err
	}
	if need := max(pages, more) * size; info.Size() < need {
		return fmt.Errorf("%w: cut short at %d of %d bytes", journal.ErrCorrupt, info.Size(), need)
	}
	return nil
}

// readMeta verifies a meta page and returns how many pages are in use.
func readMeta(page []byte) (pages int64, err error) {
	meta := page[pageHeader:]
	sum := fnv.New64a()
	_, _ = sum.Write(meta[:sumOffset]) // a hash never fails
	if binary.NativeEndian.Uint32(meta) != metaMagic || binary.NativeEndian.Uint64(meta[sumOffset:]) != sum.Sum64() {
		return 0, fmt.Errorf("%w: the head of the file does not match its checksum", journal.ErrCorrupt)
	}
	return int64(binary.NativeEndian.Uint64(meta[highOffset:])), nil
}

// verify checks the format, walks every record of a file that is not large,
// and has bbolt check its free pages: they are what a later append writes to.
func (s *Store) verify() error {
	if err := s.view(checkFormat); err != nil {
		return err
	}
	info, err := os.Stat(s.path)
	if err != nil || info.Size() > checkBelow {
		return err
	}
	return s.view(func(tx *bbolt.Tx) error {
		err := tx.Bucket(recordBucket).ForEach(func(key, value []byte) error {
			_, err := unsealed(key, value)
			return err
		})
		if err != nil {
			return err
		}
		if _, _, err := newestSnapshot(tx); err != nil {
			return err
		}
		for fault := range tx.Check() {
			err = errors.Join(err, fault)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", journal.ErrCorrupt, err)
		}
		return nil
	})
}

func checkFormat(tx *bbolt.Tx) error {
	for _, name := range [][]byte{metaBucket, recordBucket, snapshotBucket} {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("%w: %q is missing", journal.ErrCorrupt, name)
		}
	}
	value := tx.Bucket(metaBucket).Get(formatKey)
	if len(value) != 8 {
		return fmt.Errorf("%w: no format", journal.ErrCorrupt)
	}
	if v := binary.BigEndian.Uint64(value); v != format {
		return fmt.Errorf("%w: format %d, this version reads %d", ErrNewer, v, format)
	}
	return nil
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

// explain says about which file, and what to do.
func explain(path, doing string, err error) error {
	hint := ""
	switch {
	case err == nil:
		return nil
	case errors.Is(err, journal.ErrFenced):
		return err
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%s journal %s: %w: stop the other daemon, or give this one its own --state", doing, path, journal.ErrLocked)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		err = fmt.Errorf("%w: %w", journal.ErrCorrupt, err)
	}
	switch {
	case errors.Is(err, journal.ErrCorrupt):
		hint = ": nothing was changed; put a backup of the file in its place, or move it away to start from what lives"
	case errors.Is(err, ErrNewer):
		hint = ": run the newer version, or put a backup in its place"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		hint = ": nothing was written; make room on the disk"
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		hint = ": the daemon must be able to write there"
	}
	return fmt.Errorf("%s journal %s: %w%s", doing, path, err, hint)
}
