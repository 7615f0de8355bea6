// Package graft puts policies that live elsewhere in the place of the folder
// policies: whoever reads the control branch finds them there, and needs not
// know where they came from. It knows neither Git nor OPA; a Resolver does.
// It refuses to make up anything: policies that cannot be had are a folder
// that cannot be read, which closes what they would have decided.
package graft

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// Folder is the place that is taken.
const Folder = "policies"

// Found is what a Resolver found: a tree whose root is the policy folder, and
// a name that changes with its content.
type Found struct {
	ID   string
	Tree fs.FS
}

// Resolver finds policies; control is the tree that names them.
type Resolver func(ctx context.Context, s manifest.PolicySource, control fs.FS) (Found, error)

// Options of New. Source and Resolve are needed.
type Options struct {
	Source  sources.Source
	Control string // the branch that mooring.yaml and its policies are read from; "": see sources.ControlBranch
	Resolve Resolver
	// Notice is told when a branch that is followed could not be read, and what
	// was read before goes on serving; may be nil.
	Notice func(error)
}

// Source is a source whose control branch has its policies in place.
type Source struct {
	sources.Source
	o Options

	mu   sync.Mutex
	last map[string]Found // by what names them
}

// New wraps a source.
func New(o Options) *Source {
	if o.Notice == nil {
		o.Notice = func(error) {}
	}
	return &Source{Source: o.Source, o: o, last: map[string]Found{}}
}

// Fetch implements sources.Source.
func (s *Source) Fetch(ctx context.Context) (map[string]sources.Snapshot, error) {
	snapshots, err := s.Source.Fetch(ctx)
	if err != nil {
		return snapshots, err
	}
	name := sources.ControlBranch(s.o.Control, s.Source, snapshots)
	if control, ok := snapshots[name]; ok {
		snapshots[name] = s.graft(ctx, control)
	}
	return snapshots, nil
}

// DefaultBranch implements sources.Main, where what is wrapped does.
func (s *Source) DefaultBranch() string {
	if m, knows := s.Source.(sources.Main); knows {
		return m.DefaultBranch()
	}
	return ""
}

// Open implements sources.Source.
func (s *Source) Open(ctx context.Context, sha string) (sources.Snapshot, error) {
	snap, err := s.Source.Open(ctx, sha)
	if err != nil {
		return snap, err
	}
	id := snap.TreeID // it goes on naming what was committed
	snap = s.graft(ctx, snap)
	snap.TreeID = id
	return snap, nil
}

// Visit implements sources.Visitor, where what is wrapped does. What strangers
// bring names no policies: nothing is put in place, and nothing is asked for.
func (s *Source) Visit(ctx context.Context, sha string) (sources.Snapshot, error) {
	visitor, ok := s.Source.(sources.Visitor)
	if !ok {
		return sources.Snapshot{}, fmt.Errorf("look at a commit: %w: this source shows branches alone", sources.ErrUnknownCommit)
	}
	return visitor.Visit(ctx, sha)
}

// graft puts in place what the tree's own mooring.yaml names. A tree without
// one, or with one that is broken, is left as it is: that is told elsewhere.
func (s *Source) graft(ctx context.Context, snap sources.Snapshot) sources.Snapshot {
	pipeline, err := manifest.LoadPipeline(snap.Tree)
	if err != nil || pipeline.Policies == (manifest.PolicySource{}) {
		return snap
	}
	found, err := s.find(ctx, pipeline.Policies, snap)
	if err != nil {
		found = unreadable(fmt.Errorf("%s: spec.policies: %w", pipeline.Origin, err))
	}
	sum := sha256.Sum256([]byte(snap.TreeID + "\n" + found.ID))
	snap.TreeID = hex.EncodeToString(sum[:])
	snap.Tree = grafted{base: snap.Tree, folder: found.Tree}
	return snap
}

// manyFound is how many are kept.
const manyFound = 16

// followTimeout is how long the look whether a branch has moved may hold up the
// look at the repository of state.
const followTimeout = 10 * time.Second

// find asks the resolver. What is pinned is found once; of a branch that
// cannot be read now, what it was before is good.
func (s *Source) find(ctx context.Context, from manifest.PolicySource, snap sources.Snapshot) (Found, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := fmt.Sprintf("%q", from)
	if from.Repo == "" {
		key += snap.TreeID // they are in this very tree, or beside it
	}
	before, known := s.last[key]
	if known && from.Ref == "" && snap.TreeID != "" {
		return before, nil
	}
	if known {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, followTimeout)
		defer cancel()
	}
	found, err := s.o.Resolve(ctx, from, snap.Tree)
	switch {
	case err != nil && known && from.Ref != "":
		s.o.Notice(fmt.Errorf("policies of %s: what was read before goes on serving: %w", from.Ref, err))
		return before, nil
	case err != nil:
		return Found{}, err
	}
	if len(s.last) >= manyFound {
		clear(s.last)
	}
	s.last[key] = found
	return found, nil
}

// unreadable is a folder with one file, which cannot be opened: so no reader
// takes it for an empty one.
func unreadable(why error) Found {
	return Found{ID: why.Error(), Tree: broken{Files(map[string][]byte{"unavailable.rego": nil}), why}}
}

type broken struct {
	fs.FS
	why error
}

func (b broken) Open(name string) (fs.File, error) {
	if name == "." {
		return b.FS.Open(name)
	}
	return nil, b.why
}

// grafted is base with another folder in the place of policies.
type grafted struct{ base, folder fs.FS }

// within is the name below the folder, if it is there.
func within(name string) (string, bool) {
	if name == Folder {
		return ".", true
	}
	return strings.CutPrefix(name, Folder+"/")
}

func (g grafted) at(name string) (fs.FS, string) {
	if below, ok := within(name); ok && fs.ValidPath(below) {
		return g.folder, below
	}
	return g.base, name
}

// Open implements fs.FS.
func (g grafted) Open(name string) (fs.File, error) {
	tree, below := g.at(name)
	f, err := tree.Open(below)
	return f, named(err, name)
}

// ReadDir implements fs.ReadDirFS.
func (g grafted) ReadDir(name string) ([]fs.DirEntry, error) {
	tree, below := g.at(name)
	list, err := fs.ReadDir(tree, below)
	return list, named(err, name)
}

// ReadFile implements fs.ReadFileFS.
func (g grafted) ReadFile(name string) ([]byte, error) {
	tree, below := g.at(name)
	data, err := fs.ReadFile(tree, below)
	return data, named(err, name)
}

// Stat implements fs.StatFS.
func (g grafted) Stat(name string) (fs.FileInfo, error) {
	tree, below := g.at(name)
	info, err := fs.Stat(tree, below)
	return info, named(err, name)
}

// Lstat implements fs.ReadLinkFS: what is no plain file must show.
func (g grafted) Lstat(name string) (fs.FileInfo, error) {
	tree, below := g.at(name)
	info, err := fs.Lstat(tree, below)
	return info, named(err, name)
}

// ReadLink implements fs.ReadLinkFS.
func (g grafted) ReadLink(name string) (string, error) {
	tree, below := g.at(name)
	to, err := fs.ReadLink(tree, below)
	return to, named(err, name)
}

// named tells errors by the name that was asked for.
func named(err error, name string) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return &fs.PathError{Op: at.Op, Path: name, Err: at.Err}
	}
	return err
}
