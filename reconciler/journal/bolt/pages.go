package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"mooring.dev/reconciler/journal"
)

// The layout of bbolt's file (its version 2): pages of one size, each with a
// header of 16 bytes (id, flags, count, overflow), then elements of 16 bytes.
const (
	pageHeader  = 16
	elementSize = 16

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10
	bucketLeaf   = 0x01

	countInPage = 0xFFFF             // a free list so long that its count is its first number
	noFreelist  = 0xFFFFFFFFFFFFFFFF // never written by this package
)

// pages reads a file page by page without mapping it, so that no damage can
// take the process down, and sees that every page is used once or free once.
type pages struct {
	file  io.ReaderAt
	size  int64 // of a page
	high  uint64
	taken []bool
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{journal.ErrCorrupt}, args...)...)
}

// check walks from the newest meta page.
func (p *pages) check(m meta) error {
	p.taken = make([]bool, p.high)
	for id := range min(2, p.high) {
		p.taken[id] = true
	}
	if err := p.tree(m.root, nil, nil); err != nil {
		return err
	}
	if m.freelist == noFreelist {
		return damaged("no free list")
	}
	if err := p.free(m.freelist); err != nil {
		return err
	}
	for id, taken := range p.taken {
		if !taken {
			return damaged("page %d is neither used nor free", id)
		}
	}
	return nil
}

// read gives a page with its overflow, and takes it.
func (p *pages) read(id uint64) ([]byte, error) {
	if id < 2 || id >= p.high {
		return nil, damaged("page %d does not exist", id)
	}
	head := make([]byte, pageHeader)
	if _, err := p.file.ReadAt(head, int64(id)*p.size); err != nil {
		return nil, damaged("page %d: %v", id, err)
	}
	more := uint64(binary.NativeEndian.Uint32(head[12:]))
	if binary.NativeEndian.Uint64(head) != id || more >= p.high-id {
		return nil, damaged("page %d has the wrong head", id)
	}
	for i := id; i <= id+more; i++ {
		if err := p.take(i); err != nil {
			return nil, err
		}
	}
	data := make([]byte, (1+int64(more))*p.size)
	if _, err := p.file.ReadAt(data, int64(id)*p.size); err != nil {
		return nil, damaged("page %d: %v", id, err)
	}
	return data, nil
}

func (p *pages) take(id uint64) error {
	if id >= p.high || p.taken[id] {
		return damaged("page %d is used twice", id)
	}
	p.taken[id] = true
	return nil
}

// tree walks a tree whose keys are within [low, high); nil is unbounded.
func (p *pages) tree(id uint64, low, high []byte) error {
	data, err := p.read(id)
	if err != nil {
		return err
	}
	return p.page(data, low, high)
}

func (p *pages) page(data, low, high []byte) error {
	if len(data) < pageHeader {
		return damaged("a page is too short")
	}
	flags, count := binary.NativeEndian.Uint16(data[8:]), int(binary.NativeEndian.Uint16(data[10:]))
	if len(data) < pageHeader+count*elementSize {
		return damaged("a page has too many elements")
	}
	keys := make([][]byte, count)
	for i := range count {
		key, err := element(data, i, flags == leafPage)
		if err != nil {
			return err
		}
		if bytes.Compare(key, low) < 0 || high != nil && bytes.Compare(key, high) >= 0 || i > 0 && bytes.Compare(keys[i-1], key) >= 0 {
			return damaged("keys are out of order")
		}
		keys[i] = key
	}
	for i := range count {
		after := high
		if i+1 < count {
			after = keys[i+1]
		}
		if err := p.below(data, i, keys[i], after); err != nil {
			return err
		}
	}
	if flags != branchPage && flags != leafPage || flags == branchPage && count == 0 {
		return damaged("a page of kind %#x", flags)
	}
	return nil
}

// below walks what an element leads to: a page of the tree, or a bucket.
func (p *pages) below(data []byte, i int, key, after []byte) error {
	e := data[pageHeader+i*elementSize:]
	if binary.NativeEndian.Uint16(data[8:]) == branchPage {
		return p.tree(binary.NativeEndian.Uint64(e[8:]), key, after)
	}
	switch binary.NativeEndian.Uint32(e) {
	case 0:
		return nil
	case bucketLeaf:
	default:
		return damaged("an element of kind %#x", binary.NativeEndian.Uint32(e))
	}
	start := int(binary.NativeEndian.Uint32(e[4:])) + int(binary.NativeEndian.Uint32(e[8:]))
	bucket := e[start : start+int(binary.NativeEndian.Uint32(e[12:]))] // element saw that it fits
	const head = 16
	if len(bucket) < head {
		return damaged("a bucket is too short")
	}
	if root := binary.NativeEndian.Uint64(bucket); root != 0 {
		return p.tree(root, nil, nil)
	}
	return p.page(bucket[head:], nil, nil) // kept inline
}

// element gives a key, and sees that key and value lie within the page.
func element(data []byte, i int, leaf bool) ([]byte, error) {
	e := data[pageHeader+i*elementSize:]
	pos, ksize, vsize := uint64(binary.NativeEndian.Uint32(e)), uint64(binary.NativeEndian.Uint32(e[4:])), uint64(0)
	if leaf {
		pos, ksize, vsize = ksize, uint64(binary.NativeEndian.Uint32(e[8:])), uint64(binary.NativeEndian.Uint32(e[12:]))
	}
	if pos < elementSize || pos+ksize+vsize > uint64(len(e)) {
		return nil, damaged("an element lies outside of its page")
	}
	return e[pos : pos+ksize], nil
}

// free takes every page of the free list.
func (p *pages) free(id uint64) error {
	data, err := p.read(id)
	if err != nil {
		return err
	}
	if binary.NativeEndian.Uint16(data[8:]) != freelistPage {
		return damaged("page %d is no free list", id)
	}
	count, ids := uint64(binary.NativeEndian.Uint16(data[10:])), data[pageHeader:]
	if count == countInPage {
		count, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return damaged("the free list is cut short")
	}
	for i := range count {
		if err := p.take(binary.NativeEndian.Uint64(ids[8*i:])); err != nil {
			return err
		}
	}
	return nil
}
