package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watch wakes at every poll, and where the upstream is on this disk soon
// after a reference changed. It returns nil when ctx ends. Where files cannot
// be watched, Notice is told and polling goes on.
func (r *Repository) Watch(ctx context.Context, wake func()) error {
	var refs *refWatch
	if r.local != nil {
		refs = &refWatch{path: r.local.path, notice: r.options.Notice}
		defer refs.close()
		refs.refresh()
	}
	poll := time.NewTimer(r.pause())
	defer poll.Stop()
	// The first change starts the gathering; what follows within it shares
	// its wake, so a wake is never later than Debounce after its cause.
	gather := time.NewTimer(time.Hour)
	gather.Stop()
	gathering := false
	for {
		select {
		case <-ctx.Done():
			gather.Stop()
			return nil
		case <-poll.C:
			refs.refresh()
			wake()
			poll.Reset(r.pause())
		case <-gather.C:
			gathering = false
			refs.refresh() // folders may have come: see what is in them
			wake()
		case event, open := <-refs.events():
			if !open {
				refs.close()
			} else if refs.matters(event) && !gathering {
				gathering = true
				gather.Reset(r.options.Debounce)
			}
		case err, open := <-refs.errors():
			if open {
				r.options.Notice(fmt.Errorf("watch repository: %w", err))
			}
		}
	}
}

// pause is the time to the next poll.
func (r *Repository) pause() time.Duration {
	if r.options.Jitter <= 0 {
		return r.options.Poll
	}
	return r.options.Poll + rand.N(r.options.Jitter)
}

// refWatch watches the files in which a repository keeps its branches. A nil
// refWatch sees nothing.
type refWatch struct {
	path    string
	notice  func(error)
	watcher *fsnotify.Watcher
	gitDir  string
	told    bool // that watching does not work
}

func (w *refWatch) events() chan fsnotify.Event {
	if w == nil || w.watcher == nil {
		return nil
	}
	return w.watcher.Events
}

func (w *refWatch) errors() chan error {
	if w == nil || w.watcher == nil {
		return nil
	}
	return w.watcher.Errors
}

func (w *refWatch) close() {
	if w != nil && w.watcher != nil {
		w.report(w.watcher.Close())
		w.watcher = nil
	}
}

// report tells of a fault once, until watching works again.
func (w *refWatch) report(err error) {
	if err != nil && !w.told {
		w.told = true
		w.notice(fmt.Errorf("watch repository: falling back to polling: %w", err))
	}
}

// refresh watches every folder in which a branch may appear: the root for
// packed-refs and HEAD, refs, and refs/heads with all below it. Watching a
// folder again is no fault; a folder that came back is watched anew.
func (w *refWatch) refresh() {
	if w == nil {
		return
	}
	where, err := locate(w.path)
	if err != nil {
		w.report(err)
		return
	}
	if w.watcher == nil {
		if w.watcher, err = fsnotify.NewWatcher(); err != nil {
			w.watcher = nil
			w.report(err)
			return
		}
	}
	w.gitDir = where.gitDir
	if err := w.add(); err != nil {
		w.report(err)
		return
	}
	w.told = false
}

func (w *refWatch) add() error {
	folders := []string{w.gitDir, filepath.Join(w.gitDir, "refs")}
	heads := filepath.Join(w.gitDir, "refs", "heads")
	err := filepath.WalkDir(heads, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // git removes empty folders at any time
		}
		if err == nil && d.IsDir() {
			folders = append(folders, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	watched := w.watcher.WatchList()
	for _, folder := range folders {
		if slices.Contains(watched, folder) {
			continue
		}
		if err := w.watcher.Add(folder); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// matters tells changes of branches from the noise beside them: locks, logs,
// the index, objects.
func (w *refWatch) matters(event fsnotify.Event) bool {
	if event.Op == fsnotify.Chmod || strings.HasSuffix(event.Name, ".lock") {
		return false
	}
	if filepath.Dir(event.Name) == w.gitDir {
		return slices.Contains([]string{"HEAD", "packed-refs", "refs"}, filepath.Base(event.Name))
	}
	return true
}
