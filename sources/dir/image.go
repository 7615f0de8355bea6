package dir

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"mooring.dev/sources"
)

const (
	// maxFile is the size up to which a file's content is kept, in bytes.
	// Larger files are listed and cannot be opened.
	maxFile = 4 << 20
	// maxFiles and maxTotal bound one snapshot: this is for folders of
	// manifests, not for whole disks.
	maxFiles = 100_000
	maxTotal = 512 << 20
)

// image is a folder as it was at one moment, in memory. It is an fs.FS.
type image struct {
	id    string
	time  time.Time // the newest file's
	nodes map[string]*node
}

// node is one name in an image.
type node struct {
	name    string
	mode    fs.FileMode
	size    int64
	changed time.Time
	digest  string // of content; of size and time where the content is not kept
	content []byte
	kept    bool
	list    []fs.DirEntry // of a folder, sorted
}

var (
	_ fs.ReadDirFS  = (*image)(nil)
	_ fs.ReadFileFS = (*image)(nil)
	_ fs.StatFS     = (*image)(nil)
)

func (i *image) snapshot() sources.Snapshot {
	return sources.Snapshot{
		Commit: sources.Commit{SHA: i.id, Message: "working folder", Time: i.time},
		TreeID: i.id,
		Tree:   i,
	}
}

// reading collects an image.
type reading struct {
	root   *os.Root
	before *image // content that did not change is shared with it
	image  *image
	total  int64
}

// read takes a picture of a folder. Hidden folders are left out.
func read(ctx context.Context, dir string, before *image) (result *image, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sources.ErrUnreachable, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	r := &reading{root: root, before: before, image: &image{nodes: map[string]*node{}}}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if errors.Is(err, fs.ErrNotExist) && name != "." {
			return nil // gone while we looked
		}
		if err != nil {
			return err
		}
		return r.visit(name, d)
	})
	if err != nil {
		return nil, err
	}
	r.image.seal()
	return r.image, nil
}

func (r *reading) visit(name string, d fs.DirEntry) error {
	if d.IsDir() && name != "." && strings.HasPrefix(d.Name(), ".") {
		return fs.SkipDir
	}
	info, err := d.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(r.image.nodes) >= maxFiles {
		return fmt.Errorf("more than %d files: is this the right folder?", maxFiles)
	}
	n := &node{name: d.Name(), mode: info.Mode().Type() | info.Mode().Perm()&0o111 | 0o644, changed: info.ModTime()}
	if d.IsDir() {
		n.mode = fs.ModeDir | 0o755
	}
	if info.Mode().IsRegular() {
		n.size = info.Size()
		if err := r.content(name, n); err != nil {
			return err
		}
	}
	r.image.nodes[name] = n
	return nil
}

// content reads a small file into the node.
func (r *reading) content(name string, n *node) (err error) {
	if n.size > maxFile {
		n.digest = fmt.Sprintf("large:%d:%d", n.size, n.changed.UnixNano())
		return nil
	}
	file, err := r.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone: as if it were empty; the next look leaves it out
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return err
	}
	if r.total += int64(len(content)); r.total > maxTotal {
		return fmt.Errorf("more than %d bytes: is this the right folder?", maxTotal)
	}
	n.size, n.kept = int64(len(content)), true
	if r.before != nil {
		if old := r.before.nodes[name]; old != nil && old.kept && bytes.Equal(old.content, content) {
			n.content, n.digest = old.content, old.digest
			return nil
		}
	}
	sum := sha256.Sum256(content)
	n.content, n.digest = content, hex.EncodeToString(sum[:])
	return nil
}

// seal lists the folders and names the image by its content.
func (i *image) seal() {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(i.nodes)) {
		n := i.nodes[name]
		if !n.mode.IsDir() {
			// A name cannot hold a NUL, so the fields cannot run together.
			fmt.Fprintf(sum, "%s\x00%o\x00%s\x00", name, n.mode, n.digest)
			if n.changed.After(i.time) {
				i.time = n.changed
			}
		}
		if name == "." {
			continue
		}
		if parent := i.nodes[path.Dir(name)]; parent != nil {
			parent.list = append(parent.list, fs.FileInfoToDirEntry(stat{n}))
		}
	}
	for _, n := range i.nodes {
		slices.SortFunc(n.list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	i.id = "dir:" + hex.EncodeToString(sum.Sum(nil))
}
