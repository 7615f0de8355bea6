package git

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1" // git's pack trailer
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/storer"
)

// maxLoose is the number of objects from where on they are written as one
// pack instead of a file each.
const maxLoose = 2000

// maxObjects bounds one transfer.
const maxObjects = 20_000_000

// listing collects the objects that are reachable from commits and not yet at
// the destination, each after everything it needs. So whatever is written in
// this order leaves no object behind that lacks a part, whenever it stops.
type listing struct {
	from  *store
	skip  func(plumbing.Hash) bool // what the destination has, with all it needs
	seen  map[plumbing.Hash]bool
	order []plumbing.Hash
	roots map[plumbing.Hash]plumbing.Hash // a listed commit's tree
}

// missing lists what is reachable from the tips, skip excepted.
func missing(ctx context.Context, from *store, tips []plumbing.Hash, skip func(plumbing.Hash) bool) ([]plumbing.Hash, error) {
	l := &listing{from: from, skip: skip, seen: map[plumbing.Hash]bool{}, roots: map[plumbing.Hash]plumbing.Hash{}}
	for _, tip := range tips {
		if err := l.commits(ctx, tip); err != nil {
			return nil, err
		}
	}
	return l.order, nil
}

// commits lists a commit after its parents. The stack is our own, because
// histories are long.
func (l *listing) commits(ctx context.Context, tip plumbing.Hash) error {
	stack := []plumbing.Hash{tip}
	for len(stack) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		top := stack[len(stack)-1]
		if root, expanded := l.roots[top]; expanded {
			stack = stack[:len(stack)-1]
			if err := l.finish(top, root); err != nil {
				return err
			}
			continue
		}
		if l.seen[top] || l.skip(top) {
			stack = stack[:len(stack)-1]
			continue
		}
		commit, err := l.from.commit(top)
		if errors.Is(err, plumbing.ErrObjectNotFound) && l.from.has(top) {
			stack = stack[:len(stack)-1]
			err = l.other(top)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		l.roots[top] = commit.TreeHash
		stack = append(stack, commit.ParentHashes...)
	}
	return nil
}

// other lists what a branch names that is no commit. It is copied, so that it
// is not asked for again, and never shown.
func (l *listing) other(hash plumbing.Hash) error {
	stream, kind, err := l.from.reader(plumbing.AnyObject, hash)
	if err != nil {
		return err
	}
	if err := stream.Close(); err != nil {
		return err
	}
	if kind == plumbing.TreeObject {
		return l.tree(hash, 0)
	}
	return l.add(hash)
}

// finish lists a commit whose parents are listed.
func (l *listing) finish(commit, root plumbing.Hash) error {
	if l.seen[commit] {
		return nil
	}
	if err := l.tree(root, 0); err != nil {
		return fmt.Errorf("commit %s: %w", commit, err)
	}
	return l.add(commit)
}

// maxDepth bounds how deep folders may nest.
const maxDepth = 512

func (l *listing) tree(hash plumbing.Hash, depth int) error {
	if l.seen[hash] || l.skip(hash) {
		return nil
	}
	if depth > maxDepth {
		return as(ErrTooLarge, "tree %s: folders nest deeper than %d", hash, maxDepth)
	}
	entries, err := l.from.tree(hash)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch {
		case e.gitlink():
			continue
		case e.octal == octalTree:
			err = l.tree(e.hash, depth+1)
		case !l.seen[e.hash] && !l.skip(e.hash):
			err = l.add(e.hash)
		}
		if err != nil {
			return err
		}
	}
	return l.add(hash)
}

func (l *listing) add(hash plumbing.Hash) error {
	if l.seen[hash] {
		return nil
	}
	if len(l.order) >= maxObjects {
		return as(ErrTooLarge, "more than %d objects", maxObjects)
	}
	l.seen[hash] = true
	l.order = append(l.order, hash)
	return nil
}

// transfer writes objects into the store: few as files of their own, many as
// one pack. maxObject bounds each, in bytes.
func (s *store) transfer(ctx context.Context, from *store, order []plumbing.Hash, maxObject int64) error {
	if s.damaged {
		order = slices.DeleteFunc(order, s.has)
	}
	for _, hash := range order {
		size, err := from.size(hash)
		if err != nil {
			return err
		}
		if size > maxObject {
			return as(ErrTooLarge, "object %s has %d bytes, %d are allowed", hash, size, maxObject)
		}
	}
	if len(order) > maxLoose {
		return s.addPack(func(w io.Writer) error { return writePack(ctx, w, from, order) })
	}
	for _, hash := range order {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.copyLoose(from, hash); err != nil {
			return err
		}
	}
	return nil
}

// copyLoose copies one object. It is filed under the hash of what is written,
// so a corrupt source cannot pass one object off as another.
func (s *store) copyLoose(from *store, hash plumbing.Hash) error {
	var found plumbing.EncodedObject
	err := from.find(func(l storage) (err error) {
		found, err = l.EncodedObject(plumbing.AnyObject, hash)
		return err
	})
	if err != nil {
		return fmt.Errorf("object %s: %w", hash, err)
	}
	_, err = s.put(found)
	return err
}

// addPack stores what fill writes as one pack, or nothing.
func (s *store) addPack(fill func(io.Writer) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	packs, ok := s.open()[0].(storer.PackfileWriter)
	if !ok {
		return errors.New("store pack: this storage takes no packs")
	}
	w, err := packs.PackfileWriter()
	if err != nil {
		return fmt.Errorf("store pack: %w", err)
	}
	err = fill(w)
	if closing := w.Close(); err == nil && closing != nil && !errors.Is(closing, packfile.ErrEmptyPackfile) {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("store pack: %w", err)
	}
	return nil
}

// writePack streams objects as an undeltified pack, holding none of them in
// memory longer than it takes to write it.
func writePack(ctx context.Context, w io.Writer, from *store, order []plumbing.Hash) error {
	sum := sha1.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(w, hash.Hash(sum)), 64<<10)
	head := append([]byte("PACK"), 0, 0, 0, 2)
	head = binary.BigEndian.AppendUint32(head, uint32(len(order)))
	if _, err := buffered.Write(head); err != nil {
		return err
	}
	squeeze := zlib.NewWriter(buffered) // made once: it costs most of a megabyte
	for _, hash := range order {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := writePackEntry(buffered, squeeze, from, hash); err != nil {
			return fmt.Errorf("object %s: %w", hash, err)
		}
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}

func writePackEntry(w *bufio.Writer, squeeze *zlib.Writer, from *store, hash plumbing.Hash) error {
	size, err := from.size(hash)
	if err != nil {
		return err
	}
	stream, kind, err := from.reader(plumbing.AnyObject, hash)
	if err != nil {
		return err
	}
	if _, err := w.Write(entryHeader(kind, size)); err != nil {
		return errors.Join(err, stream.Close())
	}
	squeeze.Reset(w)
	n, err := io.Copy(squeeze, stream)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	return errors.Join(err, squeeze.Close(), stream.Close())
}

// entryHeader is the kind and length in front of an object in a pack: four
// bits of the length beside the kind, then seven a byte.
func entryHeader(kind plumbing.ObjectType, size int64) []byte {
	var out bytes.Buffer
	first := byte(kind)<<4 | byte(size&0x0f)
	for size >>= 4; size > 0; size >>= 7 {
		out.WriteByte(first | 0x80)
		first = byte(size & 0x7f)
	}
	out.WriteByte(first)
	return out.Bytes()
}
