package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"mooring.dev/sources/host/hosttest"
)

// forge is a host: shop.git by smart HTTP, and people's side of it as a host of
// its kind shows it. It signs its webhooks with $HOOK_SECRET.
type forge struct {
	*hosttest.Repository
	kind hosttest.Kind
	git  string // the bare repository's folder
	app  *hosttest.App
}

// cmdForge starts a host, before the shop: $FORGE_GIT is its repository, and
// FORGE_API in the script's mooring.yaml its address. It is a GitHub, or of the
// kind that is named, of which "FORGE_KIND: {" in mooring.yaml begins the
// settings; by HTTPS where a file for its authority is named too. "forge app" is
// a GitHub that lets the GitHub App 7 in alone, by its installation 42 and the key
// in app.pem; "forge remove" takes that away and "forge install" gives it again.
func cmdForge(ts *testscript.TestScript, _ bool, args []string) {
	st := stageOf(ts)
	if f := st.forge; f != nil && f.app != nil {
		f.app.Set(func(a *hosttest.App) { a.Removed = args[0] == "remove" })
		f.app.Revoke()
		return
	}
	libexec, err := exec.Command("git", "--exec-path").Output()
	ts.Check(err)
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(libexec)), "git-http-backend"),
		Env: []string{
			"GIT_PROJECT_ROOT=" + st.work, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "HOME=" + st.work, "REMOTE_USER=mooring",
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.receivepack", "GIT_CONFIG_VALUE_0=true",
		},
	}
	name := append(args, "github")[0]
	app := name == "app"
	if app {
		name = "github"
	}
	kind, ok := hosttest.Kinds()[name]
	if !ok {
		ts.Fatalf("forge %s: there is no such host", name)
	}
	st.forge = &forge{kind: kind, git: filepath.Join(st.work, "shop.git")}
	st.forge.Repository = hosttest.New(st.forge.at)
	var server, api *httptest.Server
	if app {
		st.forge.app = appOf(ts, backend)
		api = st.forge.GitHubApp(st.forge.app)
		server = api
	} else {
		server, api = httptest.NewServer(backend), kind.Serve(st.forge.Repository)
		ts.Defer(server.Close)
	}
	if len(args) > 1 {
		ts.Defer(api.Close)
		var authority []byte
		api, authority = hosttest.Secure(api)
		ts.Check(os.WriteFile(filepath.Join(st.work, args[1]), authority, 0o644))
	}
	ts.Defer(api.Close)
	ts.Setenv("FORGE_GIT", server.URL+"/shop.git")
	pipeline := filepath.Join(st.work, "mooring.yaml")
	text, err := os.ReadFile(pipeline)
	ts.Check(err)
	told := strings.NewReplacer("FORGE_API", api.URL, "FORGE_KIND: {", kind.Spec, "KIND", name).Replace(string(text))
	ts.Check(os.WriteFile(pipeline, []byte(told), 0o644))
}

// appOf is an App whose tokens live for twenty seconds, and writes its key.
func appOf(ts *testscript.TestScript, git http.Handler) *hosttest.App {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	ts.Check(err)
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	ts.Check(os.WriteFile(filepath.Join(stageOf(ts).work, "app.pem"), text, 0o600))
	ts.Setenv("APP_SECRET", strings.Split(string(text), "\n")[1]) // a line of the key
	return &hosttest.App{
		ID: 7, Installation: 42, Public: &key.PublicKey, Now: time.Now, Lives: 20 * time.Second, Git: git,
		Rights: map[string]string{"contents": "write", "statuses": "write", "pull_requests": "write"},
	}
}

// ofForks begins the branches of forks: what they bring has a name here that is
// no branch's.
const ofForks = "fork/"

// at is where a branch is; "" when it is not there.
func (f *forge) at(branch string) string {
	ref := "refs/heads/" + branch
	if number, ok := strings.CutPrefix(branch, ofForks); ok {
		ref = "refs/pull/" + number + "/head"
	}
	out, err := exec.Command("git", "-C", f.git, "rev-parse", "--verify", "--quiet", ref).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// cmdPull is what people do on the host, and what they see there:
//
//	pull open HEAD BASE
//	pull fork BASE                  (the work tree's commit is in a fork)
//	pull approve NUMBER LOGIN
//	pull close NUMBER
//	pull merge NUMBER               (a squash; $COMMIT is what it made)
//	pull pushed BRANCH              (the host tells of a push)
//	pull forged BRANCH              (somebody else does: it is refused)
//	pull break STATUS               (its API answers that alone; 0: it is mended)
//	pull status BRANCH CONTEXT STATE
//	pull comment NUMBER REGEXP      (of the one comment)
func cmdPull(ts *testscript.TestScript, _ bool, args []string) {
	f := stageOf(ts).forge
	if f == nil || len(args) < 2 {
		ts.Fatalf("usage: forge, then pull open|fork|approve|close|merge|pushed|forged|break|status|comment …")
	}
	what := "pull " + strings.Join(args, " ")
	switch args[0] {
	case "open", "fork", "approve", "close", "merge":
		number := f.act(ts, args)
		f.hook(ts, func(secret string) (*http.Request, error) {
			return f.Touched(f.kind, ts.Getenv("DAEMON"), number, secret)
		})
	case "pushed":
		f.hook(ts, func(secret string) (*http.Request, error) {
			return f.Pushed(f.kind, ts.Getenv("DAEMON"), args[1], secret)
		})
	case "forged":
		r, err := f.Pushed(f.kind, ts.Getenv("DAEMON"), args[1], "a guess")
		ts.Check(err)
		sends(ts, r, http.StatusUnauthorized)
	case "break":
		f.Break(count(ts, args[1]))
	case "status":
		await(ts, what, func() (string, bool) { return f.status(args[1], args[2], args[3]) })
	case "comment":
		await(ts, what, func() (string, bool) { return f.comment(count(ts, args[1]), args[2]) })
	default:
		ts.Fatalf("%s: there is no such act", what)
	}
}

// act is what people do to a pull request; it returns which.
func (f *forge) act(ts *testscript.TestScript, args []string) int {
	switch args[0] {
	case "open":
		return f.Open(hosttest.Pull{Head: args[1], Base: args[2], Title: "bring " + args[1], Author: "dev"}).Number
	case "fork":
		head := ofForks + strconv.Itoa(len(f.Pulls())+1)
		ts.Check(ts.Exec("git", "-C", filepath.Join(stageOf(ts).work, "shop"), "push", "--quiet", f.git, "HEAD:refs/pull/"+strings.TrimPrefix(head, ofForks)+"/head"))
		return f.Open(hosttest.Pull{Head: head, Base: args[1], Title: "from outside", Author: "outsider", Foreign: true}).Number
	}
	number := count(ts, args[1])
	switch args[0] {
	case "approve":
		f.Review(number, args[2], "approved")
	case "close":
		f.Close(number, "closed")
	case "merge":
		f.merge(ts, number)
	}
	return number
}

func count(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

// merge puts the request's files onto its base as one commit.
func (f *forge) merge(ts *testscript.TestScript, number int) {
	p := f.Pulls()[number-1]
	git := func(args ...string) string {
		cmd := exec.Command("git", append([]string{"-C", f.git, "-c", "user.name=Host", "-c", "user.email=host@example.com"}, args...)...)
		out, err := cmd.Output()
		ts.Check(err)
		return strings.TrimSpace(string(out))
	}
	made := git("commit-tree", p.Head+"^{tree}", "-p", p.Base, "-m", p.Title)
	git("update-ref", "refs/heads/"+p.Base, made)
	f.Close(number, "merged")
	ts.Setenv("COMMIT", made)
}

// await waits until people see it: more than the minute after which a host is
// asked without having told.
func await(ts *testscript.TestScript, what string, see func() (string, bool)) {
	last := ""
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var ok bool
		if last, ok = see(); ok {
			return
		}
	}
	log := ""
	if p := stageOf(ts).processes["daemon"]; p != nil {
		log = p.tail()
	}
	ts.Fatalf("%s: not seen; there is %s\n%s", what, last, log)
}

func (f *forge) status(branch, context, state string) (string, bool) {
	commit, last := f.at(branch), ""
	for _, s := range f.Statuses() {
		if s.Commit == commit && s.Context == context {
			last = s.State + ": " + s.Text
		}
	}
	return last, strings.HasPrefix(last, state+":")
}

func (f *forge) comment(number int, pattern string) (string, bool) {
	pulls := f.Pulls()
	if number > len(pulls) {
		return fmt.Sprintf("%d pull requests", len(pulls)), false
	}
	var texts []string
	for _, c := range pulls[number-1].Comments {
		texts = append(texts, c.Text)
	}
	all := strings.Join(texts, "\n")
	return all, len(texts) == 1 && regexp.MustCompile(pattern).MatchString(all)
}

// hook tells the daemon that people did something.
func (f *forge) hook(ts *testscript.TestScript, signed func(secret string) (*http.Request, error)) {
	r, err := signed(ts.Getenv("HOOK_SECRET"))
	ts.Check(err)
	sends(ts, r, http.StatusAccepted)
}

func sends(ts *testscript.TestScript, r *http.Request, want int) {
	resp, err := http.DefaultClient.Do(r)
	ts.Check(err)
	ts.Check(resp.Body.Close())
	if resp.StatusCode != want {
		ts.Fatalf("the webhook got %s", resp.Status)
	}
}

var postReceive = regexp.MustCompile("(?s)```sh\n(#!/bin/sh\n# Tells Mooring.*?)```")

// cmdPostHook installs the hook that docs/hosts.md shows.
func cmdPostHook(ts *testscript.TestScript, _ bool, _ []string) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "hosts.md"))
	ts.Check(err)
	block := postReceive.FindSubmatch(text)
	if block == nil {
		ts.Fatalf("docs/hosts.md shows no post-receive hook")
	}
	ts.Check(os.WriteFile(filepath.Join(stageOf(ts).work, "shop.git", "hooks", "post-receive"), block[1], 0o755))
}
