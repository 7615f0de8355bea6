package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"mooring.dev/testdata"
)

// start is a repository to start from.
type start struct {
	dir, name, region, account string
	environments               []string
	author                     []string // of the commits, as git's variables; none where git knows
}

// make writes it. What is there already is not touched.
func (s *start) make(ctx context.Context) error {
	if err := s.check(); err != nil {
		return err
	}
	if _, err := exec.LookPath("git"); err != nil {
		return fmt.Errorf("git is not on this machine: %w; install it, then try again", err)
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	digest, err := s.code()
	if err != nil {
		return fmt.Errorf("write the example's code: %w", err)
	}
	if err := s.git(ctx, "init", "--quiet", "--initial-branch=main"); err != nil {
		return err
	}
	s.identify(ctx)
	if err := s.write(".git/info/exclude", []byte("/artifacts/\n")); err != nil {
		return err
	}
	about := map[string]any{"Name": s.name, "Region": s.region, "Digest": digest, "Environments": s.environments, "First": s.environments[0]}
	if err := s.branch(ctx, "main", "The pipeline and its policies", s.control(about)); err != nil {
		return err
	}
	first := "env/" + s.environments[0]
	if err := s.git(ctx, "checkout", "--quiet", "--orphan", first); err != nil {
		return err
	}
	if err := s.git(ctx, "rm", "--quiet", "-r", "-f", "."); err != nil {
		return err
	}
	hello, err := fill("start/environment/functions/hello.yaml", about)
	if err == nil {
		err = s.branch(ctx, first, "Hello", func() (map[string][]byte, error) { return map[string][]byte{"functions/hello.yaml": hello}, nil })
	}
	if err != nil {
		return err
	}
	for _, e := range s.environments[1:] {
		if err := s.git(ctx, "branch", "env/"+e); err != nil {
			return err
		}
	}
	return s.git(ctx, "checkout", "--quiet", "main")
}

// control is what stands on the control branch.
func (s *start) control(about map[string]any) func() (map[string][]byte, error) {
	return func() (map[string][]byte, error) {
		readme, err := fill("start/README.md", about)
		if err != nil {
			return nil, err
		}
		files := map[string][]byte{"README.md": readme, "mooring.yaml": []byte(s.pipeline())}
		for _, name := range []string{"guard.rego", "guard_test.rego"} {
			text, err := fs.ReadFile(testdata.Starter, "policies/starter/policies/admission/"+name)
			if err != nil {
				return nil, err
			}
			files["policies/admission/"+name] = text
		}
		return files, nil
	}
}

// pipeline is mooring.yaml.
func (s *start) pipeline() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Which environments there are, and how content moves between them. It is read
# from this branch only.
apiVersion: mooring.dev/v1
kind: Pipeline
metadata: {name: %s}
spec:
  environments:
`, s.name)
	for i, e := range s.environments {
		fmt.Fprintf(&b, "    - name: %s\n", e)
		response := "revert"
		if i > 0 {
			// The last one waits for a person, and says only what differs.
			promotion := "auto"
			if i == len(s.environments)-1 {
				promotion, response = "manual", "alert"
			}
			fmt.Fprintf(&b, "      after: [%s]\n      promotion: %s\n", s.environments[i-1], promotion)
		}
		fmt.Fprintf(&b, "      provider: {aws: {region: %s, account: %q}}\n      rollout: {strategy: allAtOnce}\n      drift: {response: %s}\n", s.region, s.account, response)
	}
	return b.String()
}

// branch writes files and commits them.
func (s *start) branch(ctx context.Context, name, message string, of func() (map[string][]byte, error)) error {
	files, err := of()
	if err != nil {
		return err
	}
	for file, text := range files {
		if err := s.write(file, text); err != nil {
			return err
		}
	}
	if err := s.git(ctx, "add", "--all"); err != nil {
		return err
	}
	if err := s.git(ctx, "commit", "--quiet", "-m", message); err != nil {
		return fmt.Errorf("commit to %s: %w", name, err)
	}
	return nil
}

// identify makes whoever runs us the author, where git knows nobody.
func (s *start) identify(ctx context.Context) {
	if s.git(ctx, "var", "GIT_AUTHOR_IDENT") == nil && s.git(ctx, "var", "GIT_COMMITTER_IDENT") == nil {
		return
	}
	name := userName()
	s.author = []string{"GIT_AUTHOR_NAME=" + name, "GIT_COMMITTER_NAME=" + name, "GIT_AUTHOR_EMAIL=" + name + "@localhost", "GIT_COMMITTER_EMAIL=" + name + "@localhost"}
}

// code writes the example function's code and its archive, the same bytes each
// time, and returns the archive's digest.
func (s *start) code() (string, error) {
	text, err := fs.ReadFile(testdata.Start, "start/code/main.py")
	if err != nil {
		return "", err
	}
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	w, err := z.CreateHeader(&zip.FileHeader{Name: "main.py", Method: zip.Deflate, Modified: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		return "", err
	}
	if _, err := w.Write(text); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	if err := s.write("artifacts/hello/main.py", text); err != nil {
		return "", err
	}
	sum := sha256.Sum256(archive.Bytes())
	return "sha256:" + hex.EncodeToString(sum[:]), s.write("artifacts/hello.zip", archive.Bytes())
}

func (s *start) write(name string, text []byte) error {
	to := filepath.Join(s.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}

func (s *start) git(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), s.author...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}

// fill fills one of the files to start from.
func fill(name string, about map[string]any) ([]byte, error) {
	t, err := template.New(path.Base(name)).Option("missingkey=error").ParseFS(testdata.Start, name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, about)
	return b.Bytes(), err
}
