package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/crypto/ssh"

	"mooring.dev/reconciler/notify"
	"mooring.dev/sources/sourcetest"
)

// reloadStage is a daemon that reads everything from files of one folder, which
// is replaced in one step.
type reloadStage struct {
	*killStage
	git  *sourcetest.Git
	host *sourcetest.Server
	turn int

	mu     sync.Mutex
	signed []string // signatures that the receiver got
}

// mount replaces every file at once.
func (s *reloadStage) mount(files map[string]string) {
	s.t.Helper()
	s.turn++
	revision := strings.Repeat("r", s.turn)
	if err := os.MkdirAll(s.path("mount/"+revision), 0o700); err != nil {
		s.t.Fatal(err)
	}
	for name, text := range files {
		s.write("mount/"+revision+"/"+name, text)
	}
	if err := os.Symlink(revision, s.path("mount/next")); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(s.path("mount/next"), s.path("mount/..data")); err != nil {
		s.t.Fatal(err)
	}
}

func (s *reloadStage) file(name string) string { return s.path("mount/..data/" + name) }

// said are the daemon's lines of a message, whole.
func (s *reloadStage) said(message string) (lines []map[string]any) {
	s.t.Helper()
	log, err := os.ReadFile(s.path("daemon.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	for in := bufio.NewScanner(bytes.NewReader(log)); in.Scan(); {
		var line map[string]any
		if json.Unmarshal(in.Bytes(), &line) == nil && strings.HasPrefix(line["msg"].(string), message) {
			lines = append(lines, line)
		}
	}
	return lines
}

// hangup sends SIGHUP and gives the one line that is said of it.
func (s *reloadStage) hangup() map[string]any {
	s.t.Helper()
	before := len(s.said("reloaded"))
	if err := s.daemon.Process.Signal(syscall.SIGHUP); err != nil {
		s.t.Fatal(err)
	}
	s.poll("it was reloaded", func() bool { return len(s.said("reloaded")) > before })
	lines := s.said("reloaded")
	if len(lines) != before+1 {
		s.t.Errorf("one SIGHUP is told in %d lines", len(lines)-before)
	}
	return lines[before]
}

// files are what the daemon reads, in one revision; names of values end with
// it.
func (s *reloadStage) files(revision string) map[string]string {
	s.t.Helper()
	cert, key := pairOf(s.t, "daemon-"+revision, time.Now().Add(90*24*time.Hour))
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		s.t.Fatal(err)
	}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.host.Certificate().Raw})
	return map[string]string{
		"git-token": "canary-git-" + revision, "own-token": "canary-own-token-of-the-daemon-" + revision, "hook-secret": "canary-hook-" + revision,
		"aws":     "[default]\naws_access_key_id = key" + revision + "\naws_secret_access_key = canary-aws-" + revision + "\n",
		"config":  "[default]\nregion = eu-west-1\n# " + revision + "\n",
		"ca.pem":  string(authority) + string(cert),
		"tls.crt": string(cert), "tls.key": string(key), "signing": string(pem.EncodeToMemory(block)),
	}
}

const reloadPipeline = `apiVersion: mooring.dev/v1
kind: Pipeline
metadata: {name: shop}
spec:
  environments:
    - name: preview
      provider: {aws: {region: eu-west-1, account: "111111111111"}}
      drift: {interval: 1s}
  receivers:
    own: {webhook: {url: "RECEIVER", secret: {fromFile: SECRET}}}
`

func newReloadStage(t *testing.T) *reloadStage {
	t.Helper()
	s := &reloadStage{killStage: openStage(t), git: sourcetest.NewGit(t, true)}
	s.host = sourcetest.Serve(t, s.git, true)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		body, _ := io.ReadAll(r.Body) // what is missing does not match its signature
		for _, revision := range []string{"one", "two"} {
			if r.Header.Get("X-Mooring-Signature") == notify.Sign([]byte("canary-hook-"+revision), body) {
				s.signed = append(s.signed, revision)
				return
			}
		}
		s.signed = append(s.signed, "unknown")
	}))
	t.Cleanup(receiver.Close)
	s.git.Commit(sourcetest.Change{Branch: "main", Files: map[string]string{"mooring.yaml": strings.NewReplacer("RECEIVER", receiver.URL, "SECRET", s.file("hook-secret")).Replace(reloadPipeline)}})
	s.git.Commit(sourcetest.Change{Branch: "env/preview", Files: auditLogs(1)})
	return s
}

// auditLogs are kept for so many days.
func auditLogs(days int) map[string]string {
	return map[string]string{"audit.yaml": fmt.Sprintf("apiVersion: mooring.dev/v1\nkind: LogGroup\nmetadata: {name: audit}\nspec: {retentionInDays: %d}\n", days)}
}

// client trusts and shows what is of one revision.
func (s *reloadStage) get(files map[string]string, method, path string) (int, string) {
	s.t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(files["tls.crt"]))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(s.t.Context(), method, "https://"+s.listen+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+files["own-token"])
	resp, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

// works: the daemon reads Git, calls AWS, answers and signs as of a revision.
func (s *reloadStage) works(revision string, files map[string]string) {
	s.t.Helper()
	began := time.Now()
	commit := s.git.Commit(sourcetest.Change{Branch: "env/preview", Files: auditLogs([]int{3, 5, 7}[s.turn-1])})
	if line := s.hangup(); line["level"] == nil {
		s.t.Errorf("a line without a level: %v", line)
	}
	s.poll("the commit is seen by revision "+revision, func() bool {
		code, body := s.get(files, http.MethodGet, "/api/v1/status")
		return code == http.StatusOK && strings.Contains(body, commit)
	})
	s.poll("AWS is called by revision "+revision, func() bool {
		for _, c := range s.box.Calls(began) {
			if c.Actor.AccessKey == "key"+revision {
				return true
			}
		}
		return false
	})
	if code, body := s.get(files, http.MethodPost, "/api/v1/receivers/own/test"); code != http.StatusOK {
		s.t.Errorf("a test of the receiver: %d %s", code, body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.signed) == 0 || s.signed[len(s.signed)-1] != revision {
		s.t.Errorf("the receiver's messages are signed by %v, want %s at last", s.signed, revision)
	}
}

// TestReloadOfTheProgram: everything the running program reads from files is
// replaced at once, and counts without a restart; what cannot be used leaves
// what was before. SIGHUP says in one line what changed, by name and never by
// value.
func TestReloadOfTheProgram(t *testing.T) {
	t.Parallel()
	s := newReloadStage(t)
	one := s.files("one")
	s.mount(one)
	s.host.Protect(one["git-token"])
	s.launch([]string{
		"--repo", s.host.Repository, "--poll", "1h", "--git-token-file", s.file("git-token"), "--ca-file", s.file("ca.pem"), "--signing-key", s.file("signing"),
		"--token-file", s.file("own-token"), "--tls-cert", s.file("tls.crt"), "--tls-key", s.file("tls.key"),
	}, []string{"AWS_SHARED_CREDENTIALS_FILE=" + s.file("aws"), "AWS_CONFIG_FILE=" + s.file("config"), "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_PROFILE="})
	s.poll("it serves", func() bool { code, _ := s.get(one, http.MethodGet, "/readyz"); return code == http.StatusOK })
	s.works("one", one)
	if line := s.hangup(); len(line["changed"].([]any)) != 0 || line["level"] != "info" {
		t.Errorf("nothing was replaced: %v", line)
	}

	two := s.files("two")
	s.mount(two)
	s.host.Protect(two["git-token"])
	line := s.hangup()
	var changed []string
	for _, name := range line["changed"].([]any) {
		changed = append(changed, strings.ReplaceAll(name.(string), s.path("mount/..data")+"/", ""))
	}
	slices.Sort(changed)
	want := []string{"--token-file own-token", "AWS credentials of environment preview", "AWS settings config", "CAFile ca.pem", "Git token git-token", "certificate tls.crt", "secret hook-secret", "signing key signing"}
	if !slices.Equal(changed, want) || line["level"] != "info" {
		t.Errorf("changed: %q, want %q", changed, want)
	}
	s.works("two", two)
	if code, _ := s.get(map[string]string{"tls.crt": two["tls.crt"], "own-token": one["own-token"]}, http.MethodGet, "/api/v1/status"); code != http.StatusUnauthorized {
		t.Errorf("the daemon's token before: %d", code)
	}

	broken := map[string]string{}
	for name := range two {
		broken[name] = "canary-broken\n"
	}
	delete(broken, "git-token") // gone altogether
	broken["hook-secret"] = ""
	s.mount(broken)
	line = s.hangup()
	if kept, _ := line["kept"].([]any); len(kept) != 7 || line["level"] != "error" {
		t.Errorf("of what is broken: %v", line)
	}
	s.works("two", two)
	log, err := os.ReadFile(filepath.Join(s.dir, "daemon.log"))
	if err != nil || strings.Contains(string(log), "canary") {
		t.Errorf("a value is in the log (%v):\n%s", err, log)
	}
	s.stop()
}

// TestWhatIsReadWhenIsTold: each flag of `run` that names a file stands in the
// table of what is read when.
func TestWhatIsReadWhenIsTold(t *testing.T) {
	text := readRoot(t, "docs/operations.md")
	_, table, found := strings.Cut(text, "### New credentials without a restart")
	table, _, _ = strings.Cut(table, "\n## ")
	if !found {
		t.Fatal("docs/operations.md has no such table")
	}
	named := 0
	runCommand().Flags().VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(f.Usage, "file") && !strings.Contains(f.Usage, "PEM") || f.Name == "artifacts" {
			return // artifacts are looked at by their digests
		}
		named++
		if !strings.Contains(table, "`--"+f.Name+"`") {
			t.Errorf("when --%s is read is not told", f.Name)
		}
	})
	if named < 8 {
		t.Errorf("only %d flags name a file", named)
	}
}
