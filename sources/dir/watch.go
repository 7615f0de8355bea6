package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watch wakes soon after something in the folder changed, and at every poll.
// It returns nil when ctx ends. Where files cannot be watched, Notice is told
// and polling goes on.
func (f *Folder) Watch(ctx context.Context, wake func()) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		f.options.Notice(fmt.Errorf("watch folder: falling back to polling: %w", err))
		watcher = &fsnotify.Watcher{} // its channels are nil: nothing ever comes
	} else {
		defer func() { f.notice(watcher.Close()) }()
		f.notice(f.watchAll(watcher))
	}
	poll := time.NewTicker(f.options.Poll)
	defer poll.Stop()
	var gather <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-poll.C:
			wake()
		case <-gather:
			gather = nil
			f.notice(f.watchAll(watcher)) // folders may have come
			wake()
		case event := <-watcher.Events:
			if gather == nil && f.matters(event) {
				gather = time.After(f.options.Debounce)
			}
		case err := <-watcher.Errors:
			f.notice(err)
		}
	}
}

func (f *Folder) notice(err error) {
	if err != nil {
		f.options.Notice(fmt.Errorf("watch folder: %w", err))
	}
}

// watchAll watches every folder that is not hidden and not watched yet.
func (f *Folder) watchAll(watcher *fsnotify.Watcher) error {
	if watcher.Events == nil {
		return nil
	}
	watched := watcher.WatchList()
	return filepath.WalkDir(f.options.Dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone while we looked
		}
		if err != nil || !d.IsDir() {
			return err
		}
		if path != f.options.Dir && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if slices.Contains(watched, path) {
			return nil
		}
		if err := watcher.Add(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// matters leaves out what is in hidden folders, and pure changes of mode bits
// of the kind virus scanners and indexers make.
func (f *Folder) matters(event fsnotify.Event) bool {
	within, err := filepath.Rel(f.options.Dir, filepath.Dir(event.Name))
	if err != nil || event.Op == fsnotify.Chmod {
		return false
	}
	for part := range strings.SplitSeq(filepath.ToSlash(within), "/") {
		if part != "." && strings.HasPrefix(part, ".") {
			return false
		}
	}
	return true
}
