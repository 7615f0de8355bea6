package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestReadmeTour plays the README's ten minutes as written: every sh block in
// order in one shell, beside a real demo. A comment `until: COMMAND` after a
// block waits for what the text promises.
func TestReadmeTour(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"go", "git", "bash", "aws"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing", tool)
			}
			t.Skipf("the tour needs %s", tool)
		}
	}
	if testing.Short() {
		t.Skip("the tour takes two minutes")
	}
	root, dir := moduleRoot(t), filepath.Join(t.TempDir(), "shop")
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	stage := startTour(t, dir)
	script := tourScript(string(readme), dir)
	if strings.Count(script, "\n__until") < 5 {
		t.Fatalf("the tour has lost its promises:\n%s", script)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-u", "-o", "pipefail", "-c", script)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("the tour broke: %v\n%s\nthe demo said:\n%s", err, out, stage)
	}
}

// TestTutorial plays the tutorial as written, in an empty folder.
func TestTutorial(t *testing.T) {
	t.Parallel()
	playDoc(t, "tutorial.md", "4599", "8499")
}

// TestIncidents plays every incident as written.
func TestIncidents(t *testing.T) {
	t.Parallel()
	playDoc(t, "incidents.md", "4597", "8497")
}

// TestFirstWeek plays the first week as written, in a few seconds a day.
func TestFirstWeek(t *testing.T) {
	t.Parallel()
	needWitness(t, "prometheus-alertmanager")
	playDoc(t, "first-week.md", "4596", "8496", "9093", "9099")
}

// playDoc runs every sh block of a page of docs in one shell, with ports of
// this run's own in the place of those it names. Nothing is left behind,
// whatever happens.
func playDoc(t *testing.T, page string, ports ...string) {
	t.Helper()
	for _, tool := range []string{"git", "bash", "aws", "python3", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing", tool)
			}
			t.Skipf("%s needs %s", page, tool)
		}
	}
	if testing.Short() {
		t.Skipf("%s takes half a minute", page)
	}
	root := moduleRoot(t)
	text, err := os.ReadFile(filepath.Join(root, "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range ports {
		text = []byte(strings.ReplaceAll(string(text), port, freePort(t)))
	}
	script := "set -m\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\nexport PATH=" + filepath.Dir(program(t)) + ":$PATH\n" + tourScript(string(text), "")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute) // a page that leaves something running would wait for it for ever
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", script+"\nwait")
	cmd.Dir = t.TempDir()
	cmd.WaitDelay = 20 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		log, _ := os.ReadFile(filepath.Join(cmd.Dir, "daemon.log"))
		t.Errorf("%s broke: %v\n%s\nthe daemon said:\n%s", page, err, out, log)
	}
}

// freePort is a port nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err = errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	return port
}

// TestAPIPage asks a daemon as the page of the API does.
func TestAPIPage(t *testing.T) {
	t.Parallel()
	playDoc(t, "api.md", "8420")
}

// tourScript turns the text into one shell script. Blocks run as they stand;
// what ends a block may exit with any of Mooring's answers. Readers do not see
// what a comment `run: COMMAND` does: it sets a stage.
func tourScript(text, dir string) string {
	var b strings.Builder
	b.WriteString(`
__until() { for i in $(seq 240); do if eval "$1" >/dev/null 2>&1; then return 0; fi; sleep 0.5; done
  echo "never came true: $1"; mooring status; exit 9; }
__ran() { case $1 in 0|2|3|4) ;; *) echo "exit code $1 of: $2"; exit 8 ;; esac; }
`)
	part := regexp.MustCompile("(?s)```sh\n(.*?)```|<!-- until: (.*?) -->|<!-- run: (.*?) -->")
	for _, m := range part.FindAllStringSubmatch(text, -1) {
		if m[2] != "" {
			fmt.Fprintf(&b, "__until %s\n", quoteShell(m[2]))
			continue
		}
		if m[3] != "" {
			fmt.Fprintln(&b, m[3])
			continue
		}
		block := strings.TrimSpace(m[1])
		if dir != "" {
			block = strings.ReplaceAll(block, "/tmp/shop", dir)
		}
		fmt.Fprintf(&b, "echo %s\n%s\n__ran $? %s\n", quoteShell("$ "+block), block, quoteShell(block))
	}
	return b.String()
}

func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// program is the program under its own name, in a folder where nothing else is,
// as the Dockerfile builds it: once for all tests.
func program(t *testing.T) string {
	t.Helper()
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "mooring-program-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "mooring")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "mooring.dev/cmd/mooring")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return binary, nil
})

// startTour starts the demo as the README says.
func startTour(t *testing.T, dir string) *bytes.Buffer {
	t.Helper()
	binary := program(t)
	var said bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	demo := exec.CommandContext(ctx, binary, "demo", "--dir", dir, "--listen", "127.0.0.1:0")
	demo.Stdout, demo.Stderr = &said, &said
	demo.Cancel = func() error { return demo.Process.Signal(os.Interrupt) }
	demo.WaitDelay = 30 * time.Second
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = demo.Wait() // ended by the interrupt
	})
	for range 600 {
		if _, err := os.Stat(filepath.Join(dir, "env.sh")); err == nil {
			return &said
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatalf("the demo did not come up:\n%s", said.String())
	return nil
}
