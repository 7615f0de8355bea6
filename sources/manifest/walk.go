package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// file is one candidate for manifests.
type file struct {
	path string
	id   string // names the content; "" if only reading can tell
}

// walker lists the files of a tree that may hold manifests, and what no
// repository should hold.
type walker struct {
	tree    fs.FS
	root    string
	entries int
	size    int64
	files   []file
	faults  Faults
}

// errTooMany stops a walk of a tree without end.
var errTooMany = errors.New("too many files, or too large together")

func (w *walker) refuse(name, message, hint string) {
	w.faults = append(w.faults, Fault{Position: Position{File: printable(name)}, Message: message, Hint: hint})
}

// printable keeps a hostile name on one line.
func printable(name string) string {
	if strings.ContainsFunc(name, unprintable) || len(name) > 1024 {
		return quote(name)
	}
	return name
}

func unprintable(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }

// enter walks the root, unless a link on the way leads somewhere else.
func (w *walker) enter() error {
	for dir := w.root; dir != "."; dir = path.Dir(dir) {
		info, err := fs.Lstat(w.tree, dir)
		if err != nil {
			return fmt.Errorf("open folder %s: %w", printable(dir), err)
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			w.refuse(dir, "is a symbolic link", "name the folder itself")
			return nil
		}
	}
	return w.walk(w.root, 0)
}

func (w *walker) walk(dir string, depth int) error {
	if depth > MaxNesting {
		w.refuse(dir, "folders are nested too deeply", "at most 64")
		return nil
	}
	list, err := fs.ReadDir(w.tree, dir)
	if err != nil {
		return fmt.Errorf("read folder %s: %w", printable(dir), err)
	}
	for _, e := range list {
		if w.entries++; w.entries > maxEntries {
			return errTooMany
		}
		if err := w.entry(dir, e, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) entry(dir string, e fs.DirEntry, depth int) error {
	name := path.Join(dir, e.Name())
	switch {
	case !plainName(e.Name()):
		w.refuse(dir+"/"+e.Name(), "has a name that is none", "letters, digits and the like")
	case strings.HasPrefix(e.Name(), "."): // hidden folders and files are not ours
	case e.Type()&fs.ModeSymlink != 0:
		w.refuse(name, "is a symbolic link", "put the file itself there")
	case e.IsDir():
		if dir == w.root && e.Name() == "policies" {
			return nil
		}
		return w.walk(name, depth+1)
	case e.Type()&fs.ModeIrregular != 0:
		w.refuse(name, "is a link to another repository", "submodules are not read; put the files themselves there")
	case !e.Type().IsRegular():
		w.refuse(name, "is no plain file", "remove it")
	case isYAML(e.Name()):
		return w.candidate(name, e)
	}
	return nil
}

func (w *walker) candidate(name string, e fs.DirEntry) error {
	info, err := e.Info()
	if err != nil {
		return fmt.Errorf("read %s: %w", printable(name), err)
	}
	if info.Size() > MaxFileSize {
		w.refuse(name, "is over 1 MiB", "split it")
		return nil
	}
	if w.size += info.Size(); w.size > maxTree {
		return errTooMany
	}
	f := file{path: name}
	if id, ok := info.Sys().(interface{ String() string }); ok {
		f.id = id.String()
	}
	w.files = append(w.files, f)
	return nil
}

// plainName tells a name of one entry from a path in disguise.
func plainName(name string) bool {
	return name != "" && name != "." && name != ".." && fs.ValidPath(name) &&
		!strings.ContainsAny(name, `/\`) && !strings.ContainsFunc(name, unprintable) && !(len(name) > 1 && name[1] == ':')
}

func isYAML(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".yaml" || ext == ".yml"
}

// readLimited reads a file, one byte over the limit at most.
func readLimited(tree fs.FS, name string) ([]byte, error) {
	f, err := tree.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", printable(name), err)
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", printable(name), err)
	}
	return data, nil
}
