package sourcetest

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Git is a repository that the real git program keeps, so that what is read
// from it is what people have. Its work tree, if any, is never touched.
type Git struct {
	// Dir is the repository: the bare folder, or the one with .git in it.
	Dir string
	t   testing.TB
	now int64
}

// NewGit makes an empty repository with main as its default branch.
func NewGit(t testing.TB, bare bool) *Git {
	t.Helper()
	needGit(t)
	g := &Git{Dir: filepath.Join(t.TempDir(), "repository"), t: t, now: 1_700_000_000}
	args := []string{"init", "--quiet", "--initial-branch=main"}
	if bare {
		args = append(args, "--bare")
	}
	if err := os.MkdirAll(g.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	g.Run(nil, append(args, ".")...)
	return g
}

// needGit fails where the tests must not be skipped.
func needGit(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("git"); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("no git program: these tests must run here")
	}
	t.Skip("no git program on this machine: the repositories these tests read cannot be made")
}

// Run calls git in the repository and returns what it printed.
func (g *Git) Run(input []byte, args ...string) string {
	g.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = g.Dir
	cmd.Stdin = bytes.NewReader(input)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + g.Dir, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com",
		"GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com",
	}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		g.t.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, said.String())
	}
	return strings.TrimSpace(out.String())
}

// Change is one commit to make.
type Change struct {
	Branch string
	// Files to write, by path; "" as content removes the file.
	Files   map[string]string
	Message string
	// Root starts a history of its own instead of going on with the branch.
	Root bool
	// Merge is a further parent: a branch or commit.
	Merge string
	// Date is in seconds since 1970; by default each commit is a minute
	// after the one before.
	Date *int64
}

// Commit makes a commit and returns its id.
func (g *Git) Commit(c Change) string {
	g.t.Helper()
	ref := "refs/heads/" + c.Branch
	before := g.Head(c.Branch)
	g.now += 60
	date := g.now
	if c.Date != nil {
		date = *c.Date
	}
	message := c.Message
	if message == "" {
		message = "Change " + strings.Join(slices.Sorted(maps.Keys(c.Files)), ", ")
	}
	var in bytes.Buffer
	fmt.Fprintf(&in, "commit %s\n", ref)
	fmt.Fprintf(&in, "author Ann <ann@example.com> %d +0000\ncommitter Ben <ben@example.com> %d +0000\n", date, date)
	fmt.Fprintf(&in, "data %d\n%s\n", len(message), message)
	if before != "" && !c.Root {
		fmt.Fprintf(&in, "from %s\n", before)
	}
	if c.Merge != "" {
		fmt.Fprintf(&in, "merge %s\n", g.Run(nil, "rev-parse", c.Merge))
	}
	for _, path := range slices.Sorted(maps.Keys(c.Files)) {
		if content := c.Files[path]; content != "" {
			fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", path, len(content), content)
		} else {
			fmt.Fprintf(&in, "D %s\n", path)
		}
	}
	in.WriteString("done\n")
	g.Run(in.Bytes(), "fast-import", "--quiet", "--force", "--done")
	return g.Head(c.Branch)
}

// Head is the commit a branch is at, or "".
func (g *Git) Head(branch string) string {
	g.t.Helper()
	return g.Run(nil, "for-each-ref", "--format=%(objectname)", "refs/heads/"+branch)
}

// Delete removes a branch.
func (g *Git) Delete(branch string) {
	g.t.Helper()
	g.Run(nil, "update-ref", "-d", "refs/heads/"+branch)
}

// Forget drops every object no branch reaches, and packs the rest.
func (g *Git) Forget() {
	g.t.Helper()
	g.Run(nil, "reflog", "expire", "--expire=now", "--all")
	g.Run(nil, "gc", "--quiet", "--prune=now")
}
