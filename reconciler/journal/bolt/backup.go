package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"mooring.dev/reconciler/journal"
)

// ErrOlder: what is to be put in place knows less than what is there.
var ErrOlder = errors.New("journal: the backup is older")

// Summary is what a journal holds.
type Summary struct {
	Format  uint64      `json:"format"`
	First   journal.Seq `json:"first"` // of the records kept; 0: there are none
	Last    journal.Seq `json:"last"`  // of all records
	At      time.Time   `json:"at"`    // of the last record
	Bytes   int64       `json:"bytes"`
	Through journal.Seq `json:"snapshot"` // the last record in the snapshot; 0: there is none
	// Environments are those that it remembers something of.
	Environments int `json:"environments"`
}

// Existing opens a journal that has to be there, to look at it and to append to
// it. One of an older format stays as it is: what is looked at is a copy.
func Existing(path string) (*Store, error) { return known().existing(path) }

func (f formats) existing(path string) (*Store, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, explain(path, "open", err)
	}
	s, steps, err := f.asIs(path)
	if err == nil && len(steps) > 0 {
		var c *Store
		if c, err = s.asCurrent(steps); err != nil {
			_ = s.db.Close() // nothing was written
		}
		s = c
	}
	if err != nil {
		return nil, explain(path, "open", err)
	}
	return s, nil
}

// Check reads every record, folds them, and tells what there is.
func (s *Store) Check(ctx context.Context) (Summary, error) {
	sum := Summary{Format: s.format}
	err := s.view(func(tx *bbolt.Tx) (err error) {
		sum.Bytes = tx.Size()
		sum.Last = journal.Seq(tx.Bucket(recordBucket).Sequence())
		sum.Through, _, err = newestSnapshot(tx)
		return err
	})
	if err != nil {
		return Summary{}, explain(s.path, "check", err)
	}
	for rec, err := range s.Records(ctx, 0) {
		if err != nil {
			return Summary{}, err
		}
		if sum.First == 0 {
			sum.First = rec.Seq
		}
		sum.At = rec.At
	}
	if sum.First > sum.Through+1 {
		return Summary{}, explain(s.path, "check", fmt.Errorf("%w: records begin at %d, the snapshot ends at %d", journal.ErrCorrupt, sum.First, sum.Through))
	}
	state, err := journal.Load(ctx, s)
	if err != nil {
		return Summary{}, explain(s.path, "check", err)
	}
	sum.Environments = len(state.Environments)
	return sum, nil
}

// Copy is a whole journal as of one moment, in a file without a name: whoever
// reads it slowly holds up no append, as a reader of the journal itself would.
func (s *Store) Copy() (io.ReadCloser, error) {
	file, err := os.CreateTemp(filepath.Dir(s.path), ".journal-*")
	if err != nil {
		return nil, explain(s.path, "copy", err)
	}
	err = os.Remove(file.Name())
	if err == nil {
		_, err = s.WriteTo(file)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, explain(s.path, "copy", errors.Join(err, file.Close()))
	}
	return file, nil
}

// Keep writes a journal to a new file: whole, read back and folded before it
// takes its name. A file that is there is never written over.
func Keep(ctx context.Context, path string, write func(io.Writer) error) (Summary, error) {
	return known().keep(ctx, path, write)
}

func (f formats) keep(ctx context.Context, path string, write func(io.Writer) error) (Summary, error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return Summary{}, explain(path, "write", errors.Join(err, fs.ErrExist))
	}
	temporary, sum, err := f.draft(ctx, filepath.Dir(path), write)
	if err != nil {
		return Summary{}, explain(path, "write", err)
	}
	defer func() { _ = os.Remove(temporary) }()
	if err := os.Link(temporary, path); err != nil {
		return Summary{}, explain(path, "write", err)
	}
	return sum, explain(path, "write", syncDir(filepath.Dir(path)))
}

// draft is a checked journal under a name of its own in a folder. With an error
// it tells what the name was.
func (f formats) draft(ctx context.Context, dir string, write func(io.Writer) error) (path string, sum Summary, err error) {
	file, err := os.CreateTemp(dir, ".journal-*")
	if err != nil {
		return "", Summary{}, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	if err := errors.Join(write(file), file.Sync(), file.Close()); err != nil {
		return file.Name(), Summary{}, err
	}
	s, err := f.existing(file.Name())
	if err != nil {
		return file.Name(), Summary{}, err
	}
	sum, err = s.Check(ctx)
	return file.Name(), sum, errors.Join(err, s.Close())
}

// Restored is what Restore did.
type Restored struct {
	Summary
	// Aside is where the journal is that was there before; "": there was none.
	Aside string `json:"aside,omitempty"`
}

// Restore puts a backup in the place of a journal that no daemon uses, which
// is kept beside it. A journal that knows more than the backup, or that a newer
// version wrote, is only replaced with force; ErrOlder and ErrNewer say so.
func Restore(ctx context.Context, path, backup string, force bool) (Restored, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Restored{}, explain(path, "restore", err)
	}
	from, err := os.Open(backup)
	if err != nil {
		return Restored{}, explain(path, "restore", err)
	}
	defer func() { _ = from.Close() }() // only read
	temporary, sum, err := known().draft(ctx, filepath.Dir(path), func(w io.Writer) error { _, err := io.Copy(w, from); return err })
	if err != nil {
		return Restored{}, refusedBackup{err, temporary, backup}
	}
	defer func() { _ = os.Remove(temporary) }()
	held, err := replaceable(ctx, path, sum, force)
	if err != nil {
		return Restored{}, err
	}
	if held != nil {
		defer func() { _ = held.Close() }() // nothing was written; its lock is kept until it is moved
	}
	done := Restored{Summary: sum}
	if done.Aside, err = aside(path); err != nil {
		return Restored{}, explain(path, "restore", err)
	}
	if err := os.Link(temporary, path); err != nil {
		return Restored{}, explain(path, "restore", err)
	}
	return done, explain(path, "restore", syncDir(filepath.Dir(path)))
}

// refusedBackup is an error about the copy of a backup: of the file that people
// named, since they never see the copy.
type refusedBackup struct {
	error
	copied, backup string
}

func (r refusedBackup) Error() string {
	text := r.error.Error()
	if r.copied != "" {
		text = strings.ReplaceAll(text, r.copied, r.backup)
	}
	return fmt.Sprintf("backup %s: %s", r.backup, strings.Replace(text, damagedHint, ": nothing was changed; it is no backup of a journal, or not whole", 1))
}

func (r refusedBackup) Unwrap() error { return r.error }

// replaceable is the journal at path, open and locked, or nil where there is
// none or it is damaged; or why it must stay.
func replaceable(ctx context.Context, path string, by Summary, force bool) (*Store, error) {
	s, err := Existing(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, journal.ErrCorrupt), errors.Is(err, ErrNewer) && force:
		return nil, nil
	case err != nil:
		return nil, err
	}
	there, err := s.Check(ctx)
	switch {
	case errors.Is(err, journal.ErrCorrupt):
		return s, nil
	case err == nil && (there.Last <= by.Last || force):
		return s, nil
	case err == nil:
		err = fmt.Errorf("restore journal %s: %w: it ends at record %d of %s, what is there at %d of %s: nothing was changed; --force puts the older one in its place, and keeps the newer beside it",
			path, ErrOlder, by.Last, by.At.Format(time.RFC3339), there.Last, there.At.Format(time.RFC3339))
	}
	return nil, errors.Join(err, s.Close())
}

// asideLimit is how many journals that were replaced may lie beside one.
const asideLimit = 1000

// aside gives the file at path another name, one that is free.
func aside(path string) (string, error) {
	for n := 1; n <= asideLimit; n++ {
		name := fmt.Sprintf("%s.replaced-%d", path, n)
		err := os.Link(path, name)
		switch {
		case errors.Is(err, fs.ErrExist):
			continue
		case errors.Is(err, fs.ErrNotExist):
			return "", nil
		case err != nil:
			return "", err
		}
		return name, os.Remove(path)
	}
	return "", fmt.Errorf("%d replaced journals lie beside %s: take some away", asideLimit, path)
}
