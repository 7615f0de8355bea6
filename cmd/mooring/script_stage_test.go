package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"mooring.dev/testdata"
)

// stage is what a script has running.
type stage struct {
	work      string
	processes map[string]*process
	forge     *forge                  // a host, where the script has one
	gitea     *giteaHost              // or a real Gitea
	documents map[string]*apiDocument // of the daemons asked, by address
}

type stageKey struct{}

func stageOf(ts *testscript.TestScript) *stage { return ts.Value(stageKey{}).(*stage) }

// process is a program in the background, its output in a file that the
// script can read.
type process struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
}

// start runs a program until the script ends, or ends it.
func (st *stage) start(ts *testscript.TestScript, name string, env []string, program string, args ...string) *process {
	path := filepath.Join(st.work, name+".log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	ts.Check(err)
	p := &process{cmd: exec.Command(program, args...), log: path, ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = st.work, append(environ(ts), env...), log, log
	ts.Check(p.cmd.Start())
	go func() {
		defer close(p.ended)
		defer log.Close()
		_ = p.cmd.Wait() // how it ended is for the script to look at
	}()
	if st.processes == nil {
		st.processes = map[string]*process{}
	}
	st.processes[name] = p
	return p
}

// environ is the script's environment as far as programs need it.
func environ(ts *testscript.TestScript) []string {
	env := os.Environ()
	for _, name := range []string{
		"HOME", "XDG_STATE_HOME", "TMPDIR", "PATH", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED",
		"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ENDPOINT_URL", "AWS_PAGER", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "NO_COLOR",
		"MOORING_GIT_TOKEN", "MOORING_LISTEN", "MOORING_SERVER", "MOORING_STATE", "MOORING_REPO", "HOOK_URL", "HOOK_KEY", "HOOK_SECRET", "HOST_TOKEN",
	} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// end asks a process to end. One that has to be killed is an error.
func (p *process) end(sig os.Signal) error {
	select {
	case <-p.ended:
		return nil
	default:
	}
	_ = p.cmd.Process.Signal(sig) // it may just have ended
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopLimit):
		_ = p.cmd.Process.Kill()
		<-p.ended
		return fmt.Errorf("%s did not end within %s of %s and was killed:\n%s", p.cmd, stopLimit, sig, p.tail())
	}
}

func (p *process) tail() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-6000):])
}

// strike ends what still runs: daemons first. A mooring that has to be killed
// fails the script; moto is not ours.
func (st *stage) strike(fail func(error)) {
	for _, name := range []string{"daemon", "demo", "sandbox", "moto"} {
		if p := st.processes[name]; p != nil {
			if err := p.end(syscall.SIGTERM); err != nil && name != "moto" {
				fail(err)
			}
			delete(st.processes, name)
		}
	}
	for _, p := range st.processes {
		if err := p.end(syscall.SIGTERM); err != nil {
			fail(err)
		}
	}
}

// mooring is the program under test.
func mooringProgram(ts *testscript.TestScript) string {
	path, err := exec.LookPath("mooring")
	ts.Check(err)
	return path
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// cmdFreePort sets each NAME to 127.0.0.1 with a port that is free.
func cmdFreePort(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		address, err := freeAddress()
		ts.Check(err)
		ts.Setenv(name, address)
	}
}

// answers waits until an address answers to HTTP at all.
func answers(url string, p *process, limit time.Duration) error {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		resp, err := http.Get(url)
		if err == nil {
			return resp.Body.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("it ended at once:\n%s", p.tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s does not answer within %s:\n%s", url, limit, p.tail())
}

// cmdSandbox starts a sandbox, makes what the shop expects of others, and
// points AWS_ENDPOINT_URL at it. Flags go to the program.
func cmdSandbox(ts *testscript.TestScript, _ bool, args []string) {
	address, err := freeAddress()
	ts.Check(err)
	p := stageOf(ts).start(ts, "sandbox", nil, mooringProgram(ts), append([]string{"sandbox", "--listen", address, "--updating", "50ms"}, args...)...)
	ts.Check(answers("http://"+address+"/_sandbox/health", p, 20*time.Second))
	ts.Setenv("AWS_ENDPOINT_URL", "http://"+address)
	furnish(ts, "http://"+address, "111111111111")
}

// cmdMoto starts moto, another AWS, and makes what the shop expects of others.
func cmdMoto(ts *testscript.TestScript, _ bool, _ []string) {
	address, err := freeAddress()
	ts.Check(err)
	program, err := exec.LookPath("moto_server")
	ts.Check(err)
	_, port, err := net.SplitHostPort(address)
	ts.Check(err)
	p := stageOf(ts).start(ts, "moto", []string{"HOME=" + os.Getenv("HOME")}, program, "-H", "127.0.0.1", "-p", port)
	ts.Check(answers("http://"+address+"/moto-api/data.json", p, 60*time.Second))
	resp, err := http.Post("http://"+address+"/moto-api/config", "application/json", strings.NewReader(`{"lambda":{"use_docker":false}}`))
	ts.Check(err)
	ts.Check(resp.Body.Close())
	ts.Setenv("AWS_ENDPOINT_URL", "http://"+address)
	furnish(ts, "http://"+address, "123456789012")
}

// furnish makes the other teams' secret and parameter, by plain HTTP.
func furnish(ts *testscript.TestScript, url, account string) {
	ts.Setenv("ACCOUNT", account)
	call := func(service, target, contentType, body string) {
		req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
		ts.Check(err)
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("X-Amz-Target", target)
		req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=platform/%s/eu-west-1/%s/aws4_request, SignedHeaders=host, Signature=%s",
			time.Now().UTC().Format("20060102"), service, strings.Repeat("0", 64)))
		resp, err := http.DefaultClient.Do(req)
		ts.Check(err)
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			ts.Fatalf("%s: %s %s %v", target, resp.Status, text, err)
		}
	}
	call("secretsmanager", "secretsmanager.CreateSecret", "application/x-amz-json-1.1",
		`{"Name":"shop/stripe","SecretString":"sk_canary_VALUE","ClientRequestToken":"00000000-0000-0000-0000-000000000001"}`)
	call("ssm", "AmazonSSM.PutParameter", "application/x-amz-json-1.1", `{"Name":"/shop/rates","Type":"String","Value":"1.0"}`)
}

// cmdDaemon is start [flags], stop, kill, or restart.
func cmdDaemon(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: daemon start|stop|kill [flags]")
	}
	st := stageOf(ts)
	switch args[0] {
	case "start":
		address, err := freeAddress()
		ts.Check(err)
		ts.Setenv("DAEMON", "http://"+address)
		ts.Setenv("DAEMON_ADDRESS", address)
		ts.Setenv("MOORING_SERVER", "http://"+address)
		flags := []string{"run", "--repo", filepath.Join(st.work, "shop.git"), "--state", ts.Getenv("STATE"), "--artifacts", filepath.Join(st.work, "artifacts"),
			"--listen", address, "--poll", "2s", "--log-format", "json"}
		p := st.start(ts, "daemon", nil, mooringProgram(ts), append(flags, args[1:]...)...)
		ts.Check(answers("http://"+address+"/healthz", p, 20*time.Second))
	case "stop", "kill":
		p := st.processes["daemon"]
		if p == nil {
			ts.Fatalf("no daemon was started")
		}
		sig := os.Signal(syscall.SIGTERM)
		if args[0] == "kill" {
			sig = syscall.SIGKILL
		}
		ts.Check(p.end(sig))
	default:
		ts.Fatalf("daemon %s: want start, stop or kill", args[0])
	}
}

var (
	uriLine    = regexp.MustCompile(`uri: file:\S+`)
	digestLine = regexp.MustCompile(`digest: sha256:[0-9a-f]+`)
)

// cmdShop lays out the example: shop.git (bare), shop (its clone, on the first
// branch), artifacts. Arguments are the environment branches to push with the
// same tree; mooring.yaml of the script, if there is one, replaces the
// example's, and policies/ too, and environment/ what its branches hold.
func cmdShop(ts *testscript.TestScript, _ bool, branches []string) {
	st := stageOf(ts)
	own := filepath.Join(st.work, "environment")
	_, err := os.Stat(own)
	small := err == nil // it has no functions
	if !small {
		b, err := builds()
		ts.Check(err)
		ts.Check(os.Symlink(b.dir, filepath.Join(st.work, "artifacts")))
	}
	work := filepath.Join(st.work, "shop")
	git := func(args ...string) {
		if err := ts.Exec("git", args...); err != nil {
			ts.Fatalf("git %s: %v", strings.Join(args, " "), err)
		}
	}
	git("init", "--quiet", "--bare", "--initial-branch=main", filepath.Join(st.work, "shop.git"))
	git("init", "--quiet", "--initial-branch=main", work)
	git("-C", work, "remote", "add", "origin", filepath.Join(st.work, "shop.git"))
	ts.Check(copyShop("shop/control", work))
	for _, given := range []string{"mooring.yaml", "policies", "keys"} {
		if _, err := os.Stat(filepath.Join(st.work, given)); err == nil {
			ts.Check(os.RemoveAll(filepath.Join(work, given)))
			ts.Check(os.Rename(filepath.Join(st.work, given), filepath.Join(work, given)))
		}
	}
	if data, err := os.ReadFile(filepath.Join(work, "mooring.yaml")); err == nil && ts.Getenv("ACCOUNT") != "" {
		data = bytes.ReplaceAll(data, []byte("111111111111"), []byte(ts.Getenv("ACCOUNT")))
		ts.Check(os.WriteFile(filepath.Join(work, "mooring.yaml"), data, 0o644))
	}
	git("-C", work, "add", "--all")
	git("-C", work, "commit", "--quiet", "-m", "The shop's pipeline and policies")
	git("-C", work, "push", "--quiet", "origin", "main")
	git("-C", work, "checkout", "--quiet", "--orphan", "env/preview")
	git("-C", work, "rm", "--quiet", "-r", "-f", ".")
	if small {
		ts.Check(os.CopyFS(work, os.DirFS(own)))
	} else {
		ts.Check(copyShop("shop/environment", work))
		for _, function := range []string{"checkout", "fulfil", "catalog"} {
			point(ts, function, "1.0")
		}
	}
	git("-C", work, "add", "--all")
	git("-C", work, "commit", "--quiet", "-m", "The shop")
	for _, branch := range branches {
		git("-C", work, "push", "--quiet", "origin", "HEAD:refs/heads/"+branch)
	}
	head(ts)
}

func copyShop(from, to string) error {
	return fs.WalkDir(testdata.Shop, from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, filepath.FromSlash(strings.TrimPrefix(path, from)))
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := testdata.Shop.ReadFile(path)
		return errors.Join(err, os.WriteFile(target, data, 0o644))
	})
}

// cmdPoint makes a function's manifest name another build: point checkout 1.1.
func cmdPoint(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: point FUNCTION VERSION")
	}
	point(ts, args[0], args[1])
}

func point(ts *testscript.TestScript, function, version string) {
	b, err := builds()
	ts.Check(err)
	name := function + "-" + version
	digest, ok := b.digests[name]
	if !ok {
		ts.Fatalf("there is no build %s", name)
	}
	path := filepath.Join(stageOf(ts).work, "shop", "functions", function+".yaml")
	data, err := os.ReadFile(path)
	ts.Check(err)
	data = uriLine.ReplaceAll(data, []byte("uri: file:"+name+".zip"))
	data = digestLine.ReplaceAll(data, []byte("digest: "+digest))
	ts.Check(os.WriteFile(path, data, 0o644))
}

// cmdPush commits the work tree and pushes it to a branch: push MESSAGE
// [BRANCH], env/preview if none is named. $COMMIT is the commit.
func cmdPush(ts *testscript.TestScript, _ bool, args []string) {
	branch := "env/preview"
	if len(args) == 2 {
		branch = args[1]
	}
	work := filepath.Join(stageOf(ts).work, "shop")
	for _, command := range [][]string{{"add", "--all"}, {"commit", "--quiet", "--allow-empty", "-m", args[0]}, {"push", "--quiet", "origin", "HEAD:refs/heads/" + branch}} {
		if err := ts.Exec("git", append([]string{"-C", work}, command...)...); err != nil {
			ts.Fatalf("git %s: %v", strings.Join(command, " "), err)
		}
	}
	head(ts)
}

func head(ts *testscript.TestScript) {
	out, err := exec.Command("git", "-C", filepath.Join(stageOf(ts).work, "shop"), "rev-parse", "HEAD").Output()
	ts.Check(err)
	ts.Setenv("COMMIT", strings.TrimSpace(string(out)))
}

// cmdAsUser runs a program with somebody's credentials: asuser alice aws ….
// Programs that look at us from outside keep this machine's home.
func cmdAsUser(ts *testscript.TestScript, neg bool, args []string) {
	before, home := ts.Getenv("AWS_ACCESS_KEY_ID"), ts.Getenv("HOME")
	ts.Setenv("AWS_ACCESS_KEY_ID", args[0])
	ts.Setenv("HOME", os.Getenv("HOME"))
	err := ts.Exec(args[1], args[2:]...)
	ts.Setenv("AWS_ACCESS_KEY_ID", before)
	ts.Setenv("HOME", home)
	if (err != nil) != neg {
		ts.Fatalf("%s: %v", strings.Join(args[1:], " "), err)
	}
}
