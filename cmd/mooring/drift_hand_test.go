package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// python is somebody else in the account with boto3: one process that makes
// call after call.
type python struct {
	t     testing.TB
	url   string
	env   []string
	mu    *sync.Mutex // one call at a time
	to    io.Writer
	from  *bufio.Scanner
	who   string // whose access key signs
	files *sweepFiles
	made  map[string]string // by the word that stands for it in manifests
}

// with is the arguments of a call.
type with map[string]any

// newPython starts the process beside a cloud. It ends with the test.
func newPython(t testing.TB, c *cloud, files *sweepFiles) *python {
	t.Helper()
	p := &python{t: t, url: c.URL(), env: foreignEnvironment(t, c.URL()), mu: &sync.Mutex{}, who: "alice", files: files, made: map[string]string{}}
	cmd := exec.CommandContext(t.Context(), boto3Python(t), filepath.Join("testdata", "hand.py"))
	cmd.Env, cmd.Stderr = append(p.env, "PYTHONDONTWRITEBYTECODE=1"), os.Stderr
	stdin, err := cmd.StdinPipe()
	check(t, err)
	stdout, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	p.to, p.from = stdin, bufio.NewScanner(stdout)
	p.from.Buffer(nil, 1<<22)
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait() // it ends with its input, or with the test's context
	})
	return p
}

// foreignEnvironment has nothing of this machine's own AWS settings.
func foreignEnvironment(t testing.TB, url string) []string {
	home := t.TempDir()
	inherited := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	return append(inherited, "AWS_CONFIG_FILE="+filepath.Join(home, "config"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(home, "credentials"),
		"AWS_ENDPOINT_URL="+url, "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "NO_PROXY=*", "no_proxy=*")
}

// boto3Python is the first python3 on the PATH that has boto3.
func boto3Python(t testing.TB) string {
	t.Helper()
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, "python3")
		if _, err := os.Stat(path); err == nil && exec.CommandContext(t.Context(), path, "-c", "import boto3").Run() == nil {
			return path
		}
	}
	lacksWitness(t, "no python3 on the PATH has boto3")
	return ""
}

// lacksWitness ends a test whose witness is not on this machine: CI fails,
// other machines skip with the reason.
func lacksWitness(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// as is the same process with another person's key.
func (p *python) as(who string) *python {
	other := *p
	other.who = who
	return &other
}

// try makes one call; code is "" when it was answered.
func (p *python) try(service, call string, args with) (out map[string]any, code, text string) {
	p.t.Helper()
	line, err := json.Marshal(map[string]any{"as": p.who, "service": service, "call": call, "with": args})
	check(p.t, err)
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err = fmt.Fprintf(p.to, "%s\n", line); err != nil {
		p.t.Fatal(err)
	}
	if !p.from.Scan() {
		p.t.Fatalf("%s %s: the process has ended: %v", service, call, p.from.Err())
	}
	var answer struct {
		Out         map[string]any
		Code, Error string
	}
	check(p.t, json.Unmarshal(p.from.Bytes(), &answer))
	return answer.Out, answer.Code, answer.Error
}

// do makes a call that must be answered. It is patient with what is under way.
func (p *python) do(service, call string, args with) map[string]any {
	p.t.Helper()
	var code, text string
	for range 100 {
		var out map[string]any
		if out, code, text = p.try(service, call, args); code == "" {
			return out
		}
		if code != "ResourceConflictException" && code != "ResourceInUseException" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.t.Fatalf("%s %s %v: %s", service, call, args, text)
	return nil
}

// aws makes a call with the real AWS CLI.
func (p *python) aws(args ...string) {
	p.t.Helper()
	path, err := exec.LookPath("aws")
	if err != nil {
		lacksWitness(p.t, "the AWS CLI is not on the PATH")
	}
	cmd := exec.CommandContext(p.t.Context(), path, append([]string{"--endpoint-url", p.url}, args...)...)
	cmd.Env = append(slices.Clone(p.env), "AWS_ACCESS_KEY_ID="+p.who, "AWS_SECRET_ACCESS_KEY=any")
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
