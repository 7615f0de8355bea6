package git

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// remoteRefs is where a clone keeps what it saw of others' branches.
const remoteRefs = "refs/remotes/"

// SeenElsewhere are the branches that the repository at path saw of others when
// it was cloned or fetched last, as REMOTE/BRANCH, sorted. They are none of its
// own: whoever reads the repository does not get them. It is empty where path is
// no repository on this disk, or holds none.
func SeenElsewhere(path string) []string {
	where, err := locate(path)
	if err != nil {
		return nil
	}
	var out []string
	if packed, err := os.Open(filepath.Join(where.gitDir, "packed-refs")); err == nil {
		defer func() { _ = packed.Close() }() // only read
		for lines := bufio.NewScanner(packed); lines.Scan(); {
			_, name, _ := strings.Cut(lines.Text(), " ")
			if branch, remote := strings.CutPrefix(name, remoteRefs); remote {
				out = append(out, branch)
			}
		}
	}
	root := filepath.Join(where.gitDir, filepath.FromSlash(remoteRefs))
	_ = filepath.WalkDir(root, func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // what cannot be read is not told of
		}
		if name, err := filepath.Rel(root, at); err == nil {
			out = append(out, filepath.ToSlash(name))
		}
		return nil
	})
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(name string) bool { return strings.HasSuffix(name, "/HEAD") })
}
