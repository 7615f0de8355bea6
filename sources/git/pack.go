package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/storage/memory"

	"mooring.dev/sources"
)

// receivedPattern names packs that are still to be looked at.
const receivedPattern = "received-*"

const (
	// maxInMemory is the size up to which a small pack is taken apart in
	// memory, in bytes of its objects.
	maxInMemory = 64 << 20
	// maxGrowth is how many times its own size a pack may unpack to, above
	// a floor of maxInMemory.
	maxGrowth = 200
)

// What is not limited: the time it takes to undo deltas within those sizes
// (the operation's Timeout ends it), and the memory of go-git's index, about
// 100 bytes an object.

// receive stores what a server sent. The pack goes to a file first, is
// measured without being unpacked into memory, and only then believed.
func (s *store) receive(ctx context.Context, pack io.Reader, wants []plumbing.Hash, options Options) (err error) {
	file, err := os.CreateTemp(filepath.Join(s.gitDir, "objects", "pack"), receivedPattern)
	if err != nil {
		return fmt.Errorf("receive pack: %w", err)
	}
	defer func() {
		err = errors.Join(err, file.Close(), ignoreMissing(os.Remove(file.Name())))
	}()
	got, err := io.Copy(file, io.LimitReader(pack, options.MaxPack+1))
	if err != nil {
		return as(sources.ErrUnreachable, "receive pack: %v", err)
	}
	if got > options.MaxPack {
		return as(ErrTooLarge, "pack has more than %d bytes", options.MaxPack)
	}
	size, err := measure(ctx, file, measureLimits{object: options.MaxObject, total: max(maxInMemory, got*maxGrowth)})
	if err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("receive pack: %w", err)
	}
	if size.objects > maxLoose || size.total > maxInMemory {
		return s.addPack(func(w io.Writer) error {
			_, err := io.Copy(w, file)
			return err
		})
	}
	return s.unpack(ctx, file, wants, options)
}

// unpack takes a small pack apart and keeps what the wanted commits need,
// after having seen that nothing is missing.
func (s *store) unpack(ctx context.Context, file io.Reader, wants []plumbing.Hash, options Options) error {
	objects := memory.NewStorage()
	parser, err := packfile.NewParserWithStorage(packfile.NewScanner(file), objects)
	if err == nil {
		_, err = parser.Parse()
	}
	if err != nil {
		return as(sources.ErrUnreachable, "unpack: %v", err)
	}
	from := newMemory(objects)
	order, err := missing(ctx, from, wants, s.complete)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return as(sources.ErrUnreachable, "the pack is incomplete: %v", err)
	}
	if err != nil {
		return err
	}
	return s.transfer(ctx, from, order, options.MaxObject)
}

type measureLimits struct{ object, total int64 }

// packSize is what a pack would unpack to.
type packSize struct {
	objects int
	total   int64 // bytes
}

// measure reads a pack from its start, object by object, and refuses it as
// soon as an object or the sum is too large. Memory use does not depend on
// what the pack says.
func measure(ctx context.Context, file io.ReadSeeker, limits measureLimits) (packSize, error) {
	var size packSize
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return size, fmt.Errorf("measure pack: %w", err)
	}
	scanner := packfile.NewScanner(file)
	_, count, err := scanner.Header()
	if err != nil {
		return size, as(sources.ErrUnreachable, "measure pack: %v", err)
	}
	if count > maxObjects {
		return size, as(ErrTooLarge, "pack has %d objects", count)
	}
	for range count {
		if err := ctx.Err(); err != nil {
			return size, err
		}
		bytes, err := measureNext(scanner, limits.object)
		if err != nil {
			return size, err
		}
		size.objects++
		if size.total += bytes; size.total > limits.total {
			return size, as(ErrTooLarge, "pack unpacks to more than %d bytes", limits.total)
		}
	}
	return size, nil
}

// measureNext is the unpacked size of the next object; of a delta, the size
// of what it makes.
func measureNext(scanner *packfile.Scanner, limit int64) (int64, error) {
	header, err := scanner.NextObjectHeader()
	if err != nil {
		return 0, as(sources.ErrUnreachable, "measure pack: %v", err)
	}
	if header.Length > limit {
		return 0, as(ErrTooLarge, "an object of %d bytes, %d are allowed", header.Length, limit)
	}
	var start prefix
	if _, _, err := scanner.NextObject(&start); err != nil {
		return 0, as(sources.ErrUnreachable, "measure pack: %v", err)
	}
	if !header.Type.IsDelta() {
		return header.Length, nil
	}
	size, ok := start.deltaTarget()
	if !ok {
		return 0, as(sources.ErrUnreachable, "measure pack: malformed delta")
	}
	if size > uint64(limit) {
		return 0, as(ErrTooLarge, "an object of %d bytes, %d are allowed", size, limit)
	}
	return max(int64(size), header.Length), nil
}

// prefix keeps the first bytes written to it and forgets the rest.
type prefix struct {
	bytes [20]byte
	kept  int
}

func (p *prefix) Write(b []byte) (int, error) {
	p.kept += copy(p.bytes[p.kept:], b)
	return len(b), nil
}

// deltaTarget reads the second of the two lengths a delta starts with: each
// seven bits a byte, lowest first, the eighth saying that more follows.
func (p *prefix) deltaTarget() (size uint64, ok bool) {
	rest := p.bytes[:p.kept]
	for range 2 {
		size = 0
		for shift := uint(0); ; shift += 7 {
			if len(rest) == 0 || shift > 56 {
				return 0, false
			}
			next := rest[0]
			rest = rest[1:]
			size |= uint64(next&0x7f) << shift
			if next&0x80 == 0 {
				break
			}
		}
	}
	return size, true
}
