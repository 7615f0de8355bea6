package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"mooring.dev/sources"
)

// standIn makes a control tree for a working folder that is the checkout of
// an environment branch: mooring.yaml stands on the control branch, so there
// is none here. Every overlay in environments/ stands for one environment.
// ok is false when the folder has a pipeline of its own, or no overlay.
func standIn(folder sources.Snapshot, dir string) (control sources.Snapshot, ok bool, err error) {
	if _, err := fs.Stat(folder.Tree, "mooring.yaml"); !errors.Is(err, fs.ErrNotExist) {
		return folder, false, nil
	}
	overlays, err := fs.Glob(folder.Tree, "environments/*.yaml")
	if err != nil || len(overlays) == 0 {
		return folder, false, err
	}
	var text strings.Builder
	text.WriteString("apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: checkout}\nspec:\n  environments:\n")
	for _, overlay := range overlays {
		name := strings.TrimSuffix(path.Base(overlay), ".yaml")
		fmt.Fprintf(&text, "    - {name: %q, provider: {memory: {}}}\n", name)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return folder, false, fmt.Errorf("make a stand-in for mooring.yaml: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mooring.yaml"), []byte(text.String()), 0o600); err != nil {
		return folder, false, fmt.Errorf("make a stand-in for mooring.yaml: %w", err)
	}
	control = folder
	control.Tree = os.DirFS(dir)
	return control, true, nil
}
