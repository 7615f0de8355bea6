// Package dir is a working folder as a source, for development: what stands
// in the folder now is every branch at once, so that saving a file is all it
// takes to try it.
//
// It refuses to promote (there is nothing to move between), to follow links,
// and to remember: commits are names for content, and content is kept in
// memory, the last few of it, until the process ends.
package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"mooring.dev/sources"
)

// Options say which folder. Dir and Branches are needed.
type Options struct {
	Dir string
	// Branches names the branches the folder stands for, given its content:
	// the control branch and every environment's. Fixed makes one from a list.
	Branches func(tree fs.FS) []string
	// Debounce is how long Watch gathers changes; 50 ms by default.
	Debounce time.Duration
	// Poll is how often Watch wakes at least; 5 seconds by default, for file
	// systems that tell nothing.
	Poll time.Duration
	// Notice is told when watching fell back to polling. nil drops it.
	Notice func(error)
}

// Fixed is a list of branches that does not depend on the content.
func Fixed(branches ...string) func(fs.FS) []string {
	return func(fs.FS) []string { return branches }
}

// history is how many snapshots are held beside those kept by name.
const history = 16

// Folder is a working folder. Its methods may be called at the same time.
type Folder struct {
	options Options

	mu     sync.Mutex
	recent []*image // newest last
	kept   map[string]*image
}

var (
	_ sources.Source   = (*Folder)(nil)
	_ sources.Proposer = (*Folder)(nil)
)

// Open checks the options. The folder is read at the first Fetch.
func Open(options Options) (*Folder, error) {
	if options.Dir == "" || options.Branches == nil {
		return nil, errors.New("open folder: Dir and Branches are needed")
	}
	if options.Debounce == 0 {
		options.Debounce = 50 * time.Millisecond
	}
	if options.Poll == 0 {
		options.Poll = 5 * time.Second
	}
	if options.Notice == nil {
		options.Notice = func(error) {}
	}
	absolute, err := filepath.Abs(options.Dir)
	if err != nil {
		return nil, fmt.Errorf("open folder: %w", err)
	}
	options.Dir = absolute
	return &Folder{options: options, kept: map[string]*image{}}, nil
}

// Fetch reads the folder. Every branch is the same snapshot.
func (f *Folder) Fetch(ctx context.Context) (map[string]sources.Snapshot, error) {
	f.mu.Lock()
	var before *image
	if len(f.recent) > 0 {
		before = f.recent[len(f.recent)-1]
	}
	f.mu.Unlock()
	now, err := read(ctx, f.options.Dir, before)
	if err != nil {
		return nil, fmt.Errorf("read folder %s: %w", f.options.Dir, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recent = slices.DeleteFunc(f.recent, func(i *image) bool { return i.id == now.id })
	f.recent = append(f.recent, now)
	if over := len(f.recent) - history; over > 0 {
		f.recent = slices.Delete(f.recent, 0, over)
	}
	out := map[string]sources.Snapshot{}
	for _, branch := range f.options.Branches(now) {
		out[branch] = now.snapshot()
	}
	return out, nil
}

// Classify knows no ancestry: whatever changed went forward.
func (f *Folder) Classify(_ context.Context, from, to string) (sources.Update, error) {
	switch {
	case from == to:
		return sources.UpdateNone, nil
	case from == "":
		return sources.UpdateCreated, nil
	case to == "":
		return sources.UpdateDeleted, nil
	}
	return sources.UpdateFastForward, nil
}

// Open returns one of the last 16 snapshots, or one kept by name.
func (f *Folder) Open(_ context.Context, sha string) (sources.Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if found := f.find(sha); found != nil {
		return found.snapshot(), nil
	}
	return sources.Snapshot{}, fmt.Errorf("open commit: %w: %s", sources.ErrUnknownCommit, sha)
}

func (f *Folder) find(sha string) *image {
	for _, i := range f.recent {
		if i.id == sha {
			return i
		}
	}
	for _, i := range f.kept {
		if i.id == sha {
			return i
		}
	}
	return nil
}

// Keep holds a snapshot in memory by name.
func (f *Folder) Keep(_ context.Context, name, sha string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if sha == "" {
		delete(f.kept, name)
		return nil
	}
	found := f.find(sha)
	if found == nil {
		return fmt.Errorf("keep %q: %w: %s", name, sources.ErrUnknownCommit, sha)
	}
	f.kept[name] = found
	return nil
}

// Propose is refused: every branch is the same folder.
func (f *Folder) Propose(_ context.Context, e sources.Edit) (sources.Proposal, error) {
	return sources.Proposal{}, fmt.Errorf(
		"propose to branch %s: %w: a working folder stands for every branch at once; promote in a git repository", e.Branch, sources.ErrRefused)
}
