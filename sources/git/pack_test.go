package git

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"math/rand"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"mooring.dev/sources"
	"mooring.dev/sources/sourcetest"
)

// packed is a pack of raw entries: header, then content to be deflated.
func packed(t *testing.T, entries ...packEntry) []byte {
	t.Helper()
	var out bytes.Buffer
	out.WriteString("PACK\x00\x00\x00\x02")
	out.Write(binary.BigEndian.AppendUint32(nil, uint32(len(entries))))
	for _, e := range entries {
		out.Write(entryHeader(e.kind, e.says))
		out.Write(e.base)
		w := zlib.NewWriter(&out)
		for range max(1, e.times) {
			if _, err := w.Write(e.content); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha1.Sum(out.Bytes())
	out.Write(sum[:])
	return out.Bytes()
}

type packEntry struct {
	kind    plumbing.ObjectType
	says    int64 // the length its header gives
	base    []byte
	content []byte
	times   int
}

// TestLesson10PackBomb measures packs that are small on the wire. None may
// cost memory by what it says.
func TestLesson10PackBomb(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	r := follow(t, Options{URL: g.Dir})
	options := r.options
	options.MaxObject, options.MaxPack = 8<<20, 1<<20
	zeros := make([]byte, 1<<20)
	hash := bytes.Repeat([]byte{7}, 20)
	varint := func(n uint64) []byte { return binary.AppendUvarint(nil, n) }
	noise := make([]byte, 2<<20)
	rand.New(rand.NewSource(1)).Read(noise)
	many := make([]packEntry, 40)
	for i := range many {
		many[i] = packEntry{kind: plumbing.BlobObject, says: 7 << 20, content: zeros, times: 7}
	}
	for name, test := range map[string]struct {
		pack []byte
		want error
	}{
		"says too much":         {packed(t, packEntry{kind: plumbing.BlobObject, says: 1 << 40, content: zeros}), ErrTooLarge},
		"object over its limit": {packed(t, packEntry{kind: plumbing.BlobObject, says: 9 << 20, content: zeros, times: 9}), ErrTooLarge},
		"delta over its limit":  {packed(t, packEntry{kind: plumbing.REFDeltaObject, says: 9, base: hash, content: append(append(varint(1<<20), varint(9<<20)...), 0x90, 0x01)}), ErrTooLarge},
		"is more":               {packed(t, packEntry{kind: plumbing.BlobObject, says: 100, content: zeros, times: 64}), sources.ErrUnreachable},
		"delta makes more":      {packed(t, packEntry{kind: plumbing.REFDeltaObject, says: 12, base: hash, content: append(append(varint(1<<20), varint(1<<40)...), 0x90, 0x01)}), ErrTooLarge},
		"sum":                   {packed(t, many...), ErrTooLarge},
		"too long":              {packed(t, packEntry{kind: plumbing.BlobObject, says: int64(len(noise)), content: noise}), ErrTooLarge},
		"endless count":         {append([]byte("PACK\x00\x00\x00\x02"), 0xff, 0xff, 0xff, 0xff), ErrTooLarge},
		"no pack":               {[]byte("<html>"), sources.ErrUnreachable},
		"nothing":               {nil, sources.ErrUnreachable},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := r.store.receive(t.Context(), bytes.NewReader(test.pack), nil, options)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
			t.Errorf("%s: %d MiB were allocated for it", name, grown>>20)
		}
	}
	left, err := filepath.Glob(filepath.Join(r.store.gitDir, "objects", "*", "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left in the store: %v, %v", left, err)
	}
}

// TestLesson10LimitsOverHTTP lets a real server send more than is allowed.
func TestLesson10LimitsOverHTTP(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	server := sourcetest.Serve(t, g, false)
	noise := make([]byte, 300_000)
	rand.New(rand.NewSource(1)).Read(noise)
	g.Commit(sourcetest.Change{Branch: "main", Files: files{"a.bin": string(noise)}})
	for name, o := range map[string]Options{"pack": {MaxPack: 100_000}, "object": {MaxObject: 100_000}} {
		o.URL = server.Repository
		r := follow(t, o)
		if _, err := r.Fetch(t.Context()); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		left, err := os.ReadDir(filepath.Join(r.store.gitDir, "objects", "pack"))
		if err != nil || len(left) != 0 {
			t.Errorf("%s: left in the store: %v, %v", name, left, err)
		}
	}
}

// TestIncompletePack: a server that leaves an object out is not believed.
func TestIncompletePack(t *testing.T) {
	g := sourcetest.NewGit(t, true)
	r := follow(t, Options{URL: g.Dir})
	commit := []byte("tree 1111111111111111111111111111111111111111\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n")
	pack := packed(t, packEntry{kind: plumbing.CommitObject, says: int64(len(commit)), content: commit})
	want := plumbing.ComputeHash(plumbing.CommitObject, commit)
	err := r.store.receive(t.Context(), bytes.NewReader(pack), []plumbing.Hash{want}, r.options)
	if !errors.Is(err, sources.ErrUnreachable) || r.store.has(want) {
		t.Errorf("%v, kept: %v", err, r.store.has(want))
	}
}

func FuzzMeasure(f *testing.F) {
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\x31x\x9c"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		size, err := measure(t.Context(), bytes.NewReader(raw), measureLimits{object: 1 << 16, total: 1 << 20})
		if err == nil && (size.total > 1<<20 || size.objects > len(raw)) {
			t.Errorf("measured %+v in %d bytes", size, len(raw))
		}
	})
}
