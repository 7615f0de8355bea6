package bolt

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"mooring.dev/reconciler/journal"
)

// head is the first line of an export.
type head struct {
	Journal  uint64          `json:"mooring_journal"` // the format
	First    journal.Seq     `json:"first"`           // of the records that follow
	Last     journal.Seq     `json:"last"`
	Fence    journal.Fence   `json:"fence"`
	Through  journal.Seq     `json:"through,omitempty"`  // the last record in the snapshot
	Snapshot json.RawMessage `json:"snapshot,omitempty"` // the fold up to there
}

// foot is the last line: whoever cuts an export short, or changes it, is seen.
type foot struct {
	Records int    `json:"records"`
	Digest  string `json:"digest"` // sha256 of all lines before, with their ends
}

// Export writes a journal as lines of JSON: a head, each record, a foot. Nobody
// may append meanwhile.
func (s *Store) Export(ctx context.Context, w io.Writer) error {
	h, err := s.head(ctx)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	sum := sha256.New()
	lines := json.NewEncoder(io.MultiWriter(out, sum))
	lines.SetEscapeHTML(false)
	if err := lines.Encode(h); err != nil {
		return fmt.Errorf("export journal %s: %w", s.path, err)
	}
	n := 0
	for rec, err := range s.Records(ctx, 0) {
		if err == nil {
			err = lines.Encode(rec)
		}
		if err != nil {
			return fmt.Errorf("export journal %s: %w", s.path, err)
		}
		n++
	}
	err = json.NewEncoder(out).Encode(foot{Records: n, Digest: digest(sum)})
	if err = errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("export journal %s: %w", s.path, err)
	}
	return nil
}

func digest(sum hash.Hash) string { return "sha256:" + hex.EncodeToString(sum.Sum(nil)) }

func (s *Store) head(ctx context.Context) (head, error) {
	sum, err := s.Check(ctx)
	if err != nil {
		return head{}, err
	}
	h := head{Journal: s.formats.current, First: sum.First, Last: sum.Last}
	err = s.view(func(tx *bbolt.Tx) (err error) {
		if h.Fence, err = readFence(tx); err != nil {
			return err
		}
		through, data, err := newestSnapshot(tx)
		h.Through, h.Snapshot = through, bytes.Clone(data)
		return err
	})
	return h, explain(s.path, "export", err)
}

// Import makes a journal at path of an export. A journal that is there is
// never written over; one of a newer format is ErrNewer, and lines that are not
// whole are journal.ErrCorrupt, whatever is wrong with them.
func Import(ctx context.Context, path string, r io.Reader) (Summary, error) {
	return known().imports(ctx, path, r)
}

func (f formats) imports(ctx context.Context, path string, r io.Reader) (Summary, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Summary{}, explain(path, "import", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return Summary{}, explain(path, "import into", errors.Join(err, fs.ErrExist))
	}
	return f.keep(ctx, path, func(w io.Writer) error {
		file, err := os.CreateTemp(filepath.Dir(path), ".journal-*")
		if err != nil {
			return err
		}
		defer func() { _ = os.Remove(file.Name()) }()
		if err := errors.Join(file.Close(), lay(file.Name(), f.current)); err != nil {
			return err
		}
		s, err := f.existing(file.Name())
		if err != nil {
			return err
		}
		if err := s.fill(ctx, &source{in: bufio.NewReader(r), sum: sha256.New()}); err != nil {
			return errors.Join(err, s.Close())
		}
		_, err = s.WriteTo(w)
		return errors.Join(err, s.Close())
	})
}

// source is an export being read.
type source struct {
	in   *bufio.Reader
	sum  hash.Hash // of the lines before the one that was read last
	last []byte
	line int
}

// next reads one line. The end of the input is damage: there has to be a foot.
func (r *source) next() ([]byte, error) {
	_, _ = r.sum.Write(r.last) // a hash never fails
	line, err := r.in.ReadBytes('\n')
	r.line++
	if errors.Is(err, io.EOF) {
		return nil, damaged("line %d: the export is cut short", r.line)
	}
	r.last = line
	return line, err
}

func (r *source) read(into any) error {
	line, err := r.next()
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return damaged("line %d: %v", r.line, err)
	}
	return nil
}

// fill writes what a source holds into a journal that holds nothing.
func (s *Store) fill(ctx context.Context, from *source) error {
	line, err := from.next()
	if err != nil {
		return err
	}
	var h head
	if err := json.Unmarshal(line, &h); err != nil || h.Journal == 0 {
		return damaged("line 1: this is no export of a journal")
	}
	older, err := s.formats.from(h.Journal)
	if err != nil {
		return err
	}
	if err := s.update(func(tx *bbolt.Tx) error { return begin(tx, h) }); err != nil {
		return err
	}
	n := 0
	for next := h.First; next != 0 && next <= h.Last; {
		b := batch{raw: len(older) > 0}
		for b.n < readBatch && next <= h.Last {
			if err := b.read(from, next); err != nil {
				return err
			}
			next++
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.update(b.write); err != nil {
			return err
		}
		n += b.n
	}
	var f foot
	if err := from.read(&f); err != nil {
		return err
	}
	if f.Records != n || f.Digest != digest(from.sum) {
		return damaged("the export was changed: its last line is of %d records, %s", f.Records, f.Digest)
	}
	return nil
}

// batch is some records of an export. Those of an older format are taken as
// they stand: what they mean is for the steps from that format to say.
type batch struct {
	raw   bool
	n     int
	recs  []journal.Record
	lines [][]byte
}

func (b *batch) read(from *source, next journal.Seq) error {
	var rec journal.Record
	if b.raw {
		line, err := from.next()
		if err != nil {
			return err
		}
		var numbered struct {
			Seq journal.Seq `json:"seq"`
		}
		if err := json.Unmarshal(line, &numbered); err != nil {
			return damaged("line %d: %v", from.line, err)
		}
		rec.Seq = numbered.Seq
		b.lines = append(b.lines, bytes.TrimSuffix(line, []byte("\n")))
	} else if err := from.read(&rec); err != nil {
		return err
	}
	if rec.Seq != next {
		return damaged("line %d: record %d stands where %d belongs", from.line, rec.Seq, next)
	}
	b.recs, b.n = append(b.recs, rec), b.n+1
	return nil
}

func (b *batch) write(tx *bbolt.Tx) error {
	if !b.raw {
		return write(tx, b.recs)
	}
	records := tx.Bucket(recordBucket)
	for i, line := range b.lines {
		key := number(uint64(b.recs[i].Seq))
		if err := errors.Join(records.SetSequence(uint64(b.recs[i].Seq)), records.Put(key, sealed(key, line))); err != nil {
			return err
		}
	}
	return nil
}

// begin writes what stands beside the records.
func begin(tx *bbolt.Tx, h head) error {
	if err := tx.Bucket(metaBucket).Put(formatKey, number(h.Journal)); err != nil {
		return err
	}
	first := h.First
	if first == 0 { // no record was kept
		first = h.Last + 1
	}
	if err := tx.Bucket(recordBucket).SetSequence(uint64(first) - 1); err != nil {
		return err
	}
	if h.Fence != 0 {
		if err := tx.Bucket(metaBucket).Put(fenceKey, sealed(fenceKey, number(uint64(h.Fence)))); err != nil {
			return err
		}
	}
	if h.Snapshot == nil {
		return nil
	}
	return tx.Bucket(snapshotBucket).Put(snapshotKey, sealed(snapshotKey, append(number(uint64(h.Through)), h.Snapshot...)))
}
