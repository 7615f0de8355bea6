package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"

	"mooring.dev/reconciler/journal"
)

// formats are the journals that a version of Mooring can read: the one it
// writes, and those that its steps lead to it.
type formats struct {
	current uint64
	steps   []step
}

// step takes a journal from one format to the next, within a transaction that
// is committed with the new format's number or not at all.
type step struct {
	from  uint64
	what  string // what is another in the next format, for people
	apply func(tx *bbolt.Tx) error
}

// known is what this version reads. Whoever changes what a record, the
// snapshot or a bucket means adds one to current and a step from the format
// before, and keeps a journal of that format in testdata for good.
func known() formats { return formats{current: 1} }

// from are the steps that lead from a format to the current one.
func (f formats) from(format uint64) ([]step, error) {
	switch {
	case format > f.current:
		return nil, fmt.Errorf("%w: format %d, this version reads %d", ErrNewer, format, f.current)
	case format == f.current:
		return nil, nil
	}
	var steps []step
	for next := format; next < f.current; next++ {
		i := slices.IndexFunc(f.steps, func(s step) bool { return s.from == next })
		if i < 0 {
			return nil, damaged("format %d, which no version wrote", format)
		}
		steps = append(steps, f.steps[i])
	}
	return steps, nil
}

// formatOf reads which format a journal has.
func formatOf(tx *bbolt.Tx) (uint64, error) {
	for _, name := range [][]byte{metaBucket, recordBucket, snapshotBucket} {
		if tx.Bucket(name) == nil {
			return 0, fmt.Errorf("%w: %q is missing", journal.ErrCorrupt, name)
		}
	}
	value := tx.Bucket(metaBucket).Get(formatKey)
	if len(value) != 8 {
		return 0, fmt.Errorf("%w: no format", journal.ErrCorrupt)
	}
	return binary.BigEndian.Uint64(value), nil
}

// Upgraded is what Open did to a journal of an older format.
type Upgraded struct {
	From, To uint64
	What     []string // what is another since, a line a step
	Kept     string   // the journal as it was, which the version before reads
}

// upgrade takes the steps to the current format: first the journal as it is
// gets a name of its own beside it, then one transaction does all of them. A
// crash leaves the journal of before, or of after.
func (s *Store) upgrade(steps []step) error {
	from := steps[0].from
	kept, err := s.keepCopy(from)
	if err != nil {
		return fmt.Errorf("keep a copy before the upgrade from format %d: %w", from, err)
	}
	if err := s.take(steps); err != nil {
		return err
	}
	s.upgraded = &Upgraded{From: from, To: s.formats.current, Kept: kept}
	for _, st := range steps {
		s.upgraded.What = append(s.upgraded.What, st.what)
	}
	return nil
}

func (s *Store) take(steps []step) error {
	return s.update(func(tx *bbolt.Tx) error {
		for _, st := range steps {
			if err := st.apply(tx); err != nil {
				return fmt.Errorf("upgrade from format %d (%s): %w", st.from, st.what, err)
			}
		}
		return tx.Bucket(metaBucket).Put(formatKey, number(s.formats.current))
	})
}

// keptName is where the copy of a journal of an older format lies.
func keptName(path string, format uint64) string { return fmt.Sprintf("%s.format-%d", path, format) }

// keepCopy writes the journal as it is beside itself, whole and on the disk
// before it takes its name. The copy of an upgrade that was cut off is the
// same; another one of that name stays, and this one gets a further number.
func (s *Store) keepCopy(format uint64) (name string, err error) {
	file, err := os.CreateTemp(filepath.Dir(s.path), ".journal-*")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if _, err = s.WriteTo(file); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", err
	}
	base := keptName(s.path, format)
	for n := 1; n <= asideLimit; n++ {
		if name = base; n > 1 {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		err = os.Link(file.Name(), name)
		if errors.Is(err, fs.ErrExist) && sameContent(file.Name(), name) {
			return name, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return name, errors.Join(err, syncDir(filepath.Dir(s.path)))
		}
	}
	return "", fmt.Errorf("%d copies lie beside %s: take some away", asideLimit, s.path)
}

// sameContent compares two journals; what cannot be read is another.
func sameContent(a, b string) bool {
	one, err := os.ReadFile(a)
	if err != nil {
		return false
	}
	other, err := os.ReadFile(b)
	return err == nil && bytes.Equal(one, other)
}

// asCurrent is a store of an older format as one of the current: a copy that
// nobody else sees is taken there, and what was opened stays as it is, locked
// until the copy is closed.
func (s *Store) asCurrent(steps []step) (*Store, error) {
	file, err := os.CreateTemp(filepath.Dir(s.path), ".journal-*")
	if err != nil {
		return nil, err
	}
	gone := func() error { return os.Remove(file.Name()) }
	_, err = s.WriteTo(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, errors.Join(err, gone())
	}
	c := &Store{path: file.Name(), keep: s.keep, formats: s.formats}
	if err := c.open(); err != nil {
		return nil, errors.Join(err, gone())
	}
	if err := c.take(steps); err != nil {
		return nil, errors.Join(err, c.db.Close(), gone())
	}
	c.path, c.format, c.original, c.remove = s.path, s.format, s, gone
	return c, nil
}
