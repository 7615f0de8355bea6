package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"go.etcd.io/bbolt"

	"mooring.dev/reconciler/journal"
)

// The two meta pages are written in turn, each with its own checksum.
const (
	metaMagic   = 0xED0CDAED
	metaSize    = 64
	maxPageSize = 1 << 16
	// Files up to these sizes, in bytes, are checked whole at opening: how
	// their pages hang together, and every record. What is larger is checked
	// as it is read, so that a long journal does not make a slow start.
	walkBelow = 256 << 20
	readBelow = 64 << 20
)

type meta struct {
	pageSize int64
	root     uint64
	freelist uint64
	high     uint64 // pages in use
	txid     uint64
}

// inspect looks at the file before bbolt does, under the lock bbolt takes.
// bbolt itself takes the other meta page when one is damaged, which would
// silently forget the last append; it begins anew over an empty file; and it
// takes the process down over pages that point outside of the file.
func inspect(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read; frees the lock
	if err := lock(file, lockTimeout); err != nil {
		return err
	}
	first, err := readMeta(file, 0)
	if err != nil {
		return err
	}
	second, err := readMeta(file, first.pageSize)
	if err != nil {
		return err
	}
	newest := first
	if second.txid > first.txid {
		newest = second
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if size := newest.pageSize; newest.high > uint64(info.Size()/size) || second.pageSize != size {
		return damaged("cut short at %d bytes of %d pages", info.Size(), newest.high)
	}
	if info.Size() > walkBelow {
		return nil
	}
	p := pages{file: file, size: newest.pageSize, high: newest.high}
	return p.check(newest)
}

func readMeta(file io.ReaderAt, at int64) (meta, error) {
	page := make([]byte, pageHeader+metaSize)
	if _, err := file.ReadAt(page, at); err != nil {
		return meta{}, damaged("the head of the file is cut short")
	}
	data := page[pageHeader:]
	sum := fnv.New64a()
	_, _ = sum.Write(data[:56]) // a hash never fails
	if binary.NativeEndian.Uint32(data) != metaMagic || binary.NativeEndian.Uint64(data[56:]) != sum.Sum64() {
		return meta{}, damaged("the head of the file does not match its checksum")
	}
	m := meta{
		pageSize: int64(binary.NativeEndian.Uint32(data[8:])),
		root:     binary.NativeEndian.Uint64(data[16:]),
		freelist: binary.NativeEndian.Uint64(data[32:]),
		high:     binary.NativeEndian.Uint64(data[40:]),
		txid:     binary.NativeEndian.Uint64(data[48:]),
	}
	if m.pageSize < 512 || m.pageSize > maxPageSize {
		return meta{}, damaged("page size %d", m.pageSize)
	}
	return m, nil
}

// verify checks the format, and every record of a file that is not large.
func (s *Store) verify() error {
	err := s.view(func(tx *bbolt.Tx) (err error) {
		if s.format, err = formatOf(tx); err == nil && s.format <= s.formats.current {
			_, err = readFence(tx) // of a newer one nothing is known
		}
		return err
	})
	if err != nil || s.format > s.formats.current {
		return err
	}
	return s.view(func(tx *bbolt.Tx) error {
		if _, _, err := newestSnapshot(tx); err != nil {
			return err
		}
		records := tx.Bucket(recordBucket)
		last, _ := records.Cursor().Last()
		if n := records.Sequence(); n != 0 && string(last) != string(number(n)) || n == 0 && last != nil {
			return damaged("records end at %x, numbers at %d", last, n)
		}
		if tx.Size() > readBelow {
			return nil
		}
		var before uint64
		return records.ForEach(func(key, value []byte) error {
			if len(key) != 8 || before != 0 && binary.BigEndian.Uint64(key) != before+1 {
				return damaged("record %x follows record %d", key, before)
			}
			before = binary.BigEndian.Uint64(key)
			_, err := unsealed(key, value)
			return err
		})
	})
}

// readFence is 0 where nobody ever took the journal.
func readFence(tx *bbolt.Tx) (journal.Fence, error) {
	value := tx.Bucket(metaBucket).Get(fenceKey)
	if value == nil {
		return 0, nil
	}
	data, err := unsealed(fenceKey, value)
	if err == nil && len(data) != 8 {
		err = errors.New("fence of another length")
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", journal.ErrCorrupt, err)
	}
	return journal.Fence(binary.BigEndian.Uint64(data)), nil
}
