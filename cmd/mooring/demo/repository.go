package demo

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// repository is the shop's bare repository and a clone to work in.
type repository struct {
	bare   string
	work   string
	builds map[string]built
}

// makeRepository makes the control branch and the first environment branch;
// the others come into being by promotion.
func makeRepository(ctx context.Context, dir string, builds map[string]built) (*repository, error) {
	r := &repository{bare: filepath.Join(dir, "shop.git"), work: filepath.Join(dir, "shop"), builds: builds}
	steps := [][]string{
		{"init", "--quiet", "--bare", "--initial-branch=main", r.bare},
		{"init", "--quiet", "--initial-branch=main", r.work},
	}
	for _, args := range steps {
		if err := git(ctx, dir, args...); err != nil {
			return nil, err
		}
	}
	// So that whoever plays along can commit and push at once.
	for _, args := range [][]string{{"remote", "add", "origin", r.bare}, {"config", "user.name", "Dev Eloper"}, {"config", "user.email", "dev@shop.example"}} {
		if err := git(ctx, r.work, args...); err != nil {
			return nil, err
		}
	}
	if err := copyTree("shop/control", r.work); err != nil {
		return nil, fmt.Errorf("write the control branch: %w", err)
	}
	if err := r.commit(ctx, "The shop's pipeline and policies"); err != nil {
		return nil, err
	}
	if err := git(ctx, r.work, "push", "--quiet", "origin", "main"); err != nil {
		return nil, err
	}
	return r, r.begin(ctx)
}

// begin makes the first environment branch, not pushed yet.
func (r *repository) begin(ctx context.Context) error {
	if err := git(ctx, r.work, "checkout", "--quiet", "--orphan", "env/preview"); err != nil {
		return err
	}
	if err := git(ctx, r.work, "rm", "--quiet", "-r", "-f", "."); err != nil {
		return err
	}
	if err := copyTree("shop/environment", r.work); err != nil {
		return fmt.Errorf("write the environment branch: %w", err)
	}
	for _, function := range []string{"checkout", "fulfil", "catalog"} {
		if err := r.point(function, "1.0"); err != nil {
			return err
		}
	}
	return r.commit(ctx, "The shop")
}

var (
	uriLine    = regexp.MustCompile(`uri: file:\S+`)
	digestLine = regexp.MustCompile(`digest: sha256:[0-9a-f]+`)
)

// point makes a function's manifest name another build.
func (r *repository) point(function, version string) error {
	b, ok := r.builds[function+"-"+version]
	if !ok {
		return fmt.Errorf("there is no build %s-%s", function, version)
	}
	return r.edit("functions/"+function+".yaml", func(text string) string {
		text = uriLine.ReplaceAllString(text, "uri: file:"+b.file)
		return digestLine.ReplaceAllString(text, "digest: "+b.digest)
	})
}

// edit changes one file of the work tree.
func (r *repository) edit(name string, change func(string) string) error {
	path := filepath.Join(r.work, filepath.FromSlash(name))
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("edit %s: %w", name, err)
	}
	if err := os.WriteFile(path, []byte(change(string(data))), 0o644); err != nil {
		return fmt.Errorf("edit %s: %w", name, err)
	}
	return nil
}

// commit takes everything in the work tree.
func (r *repository) commit(ctx context.Context, message string) error {
	if err := git(ctx, r.work, "add", "--all"); err != nil {
		return err
	}
	return git(ctx, r.work, "commit", "--quiet", "-m", message)
}

// push commits and pushes the preview branch, and returns the commit.
func (r *repository) push(ctx context.Context, message string) (string, error) {
	if err := r.commit(ctx, message); err != nil {
		return "", err
	}
	return r.publish(ctx)
}

// publish pushes what was committed.
func (r *repository) publish(ctx context.Context) (string, error) {
	if err := git(ctx, r.work, "push", "--quiet", "--set-upstream", "origin", "env/preview"); err != nil {
		return "", err
	}
	return r.head(ctx, "env/preview")
}

// head is the commit a branch of the bare repository is at; "" when it is not
// there.
func (r *repository) head(ctx context.Context, branch string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", "-C", r.bare, "for-each-ref", "--format=%(objectname)", "refs/heads/"+branch)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("read branch %s: %w", branch, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// git runs one git command as the shop's developer.
func git(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "-c", "user.name=Dev Eloper", "-c", "user.email=dev@shop.example", "-c", "commit.gpgsign=false"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, text)
	}
	return nil
}
