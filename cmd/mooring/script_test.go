package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mooring.dev/cmd/mooring/demo"
)

func TestMain(m *testing.M) {
	// End to end mostly waits: more of it than processors may run at once.
	if err := flag.Set("test.parallel", "4"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testscript.Main(tidy{m}, map[string]func(){"mooring": main})
}

// tidy runs the tests with a folder for temporary files that goes with them:
// what scripts and builds leave behind is none of the machine's.
type tidy struct{ tests *testing.M }

func (t tidy) Run() int {
	dir, err := os.MkdirTemp("", "mooring-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv("TMPDIR", dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return t.tests.Run()
}

// TestScripts runs every script of testdata/scripts over the real program.
// Commands of their own: shop, point, push, sandbox, moto, daemon, asuser,
// exit, waitfor, httpget, json, shape, freeport, nosecret, follow, forge, pull, posthook.
func TestScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, testscript.Params{Dir: filepath.Join("..", "..", "testdata", "scripts")})
}

// update rewrites what the documents and the shapes in scripts should be.
var update = flag.Bool("update", false, "rewrite golden files")

func runScripts(t *testing.T, p testscript.Params) {
	p.RequireUniqueNames, p.UpdateScripts = true, *update
	more := p.Setup
	p.Setup = func(e *testscript.Env) error {
		if err := prepare(e); err != nil || more == nil {
			return err
		}
		return more(e)
	}
	p.Condition = witnessed
	p.Cmds = map[string]func(*testscript.TestScript, bool, []string){
		"shop": cmdShop, "point": cmdPoint, "push": cmdPush, "sandbox": cmdSandbox, "moto": cmdMoto, "daemon": cmdDaemon,
		"asuser": cmdAsUser, "exit": cmdExit, "waitfor": cmdWaitFor, "httpget": cmdHTTPGet, "json": cmdJSON, "shape": cmdShape,
		"freeport": cmdFreePort, "nosecret": cmdNoSecret, "append": cmdAppend, "setenv": cmdSetEnv,
		"follow": cmdFollow, "forge": cmdForge, "gitea": cmdGitea, "posthook": cmdPostHook, "pull": cmdPull,
	}
	testscript.Run(t, p)
}

// prepare gives a script its own home, and nothing of this machine's AWS or
// Git settings. The settings git writes are a file of its own: it renames a new
// one over the old, and would do that to a device as well.
func prepare(e *testscript.Env) error {
	home := filepath.Join(e.WorkDir, "home")
	for _, pair := range [][2]string{
		{"HOME", home}, {"XDG_STATE_HOME", filepath.Join(home, "state")}, {"STATE", filepath.Join(e.WorkDir, "state")},
		{"AWS_REGION", "eu-west-1"}, {"AWS_DEFAULT_REGION", "eu-west-1"}, {"AWS_ACCESS_KEY_ID", "mooring"}, {"AWS_SECRET_ACCESS_KEY", "any"},
		{"AWS_EC2_METADATA_DISABLED", "true"}, {"AWS_CONFIG_FILE", os.DevNull}, {"AWS_SHARED_CREDENTIALS_FILE", os.DevNull}, {"AWS_PAGER", ""},
		{"GIT_CONFIG_GLOBAL", filepath.Join(home, ".gitconfig")}, {"GIT_CONFIG_SYSTEM", os.DevNull}, {"NO_COLOR", "1"},
		{"GIT_AUTHOR_NAME", "Dev Eloper"}, {"GIT_AUTHOR_EMAIL", "dev@shop.example"},
		{"GIT_COMMITTER_NAME", "Dev Eloper"}, {"GIT_COMMITTER_EMAIL", "dev@shop.example"},
	} {
		e.Setenv(pair[0], pair[1])
	}
	st := &stage{work: e.WorkDir}
	e.Values[stageKey{}] = st
	e.Defer(func() { st.strike(func(err error) { e.T().(testing.TB).Error(err) }) })
	return os.MkdirAll(home, 0o755)
}

// witnessed is the condition [witness:PROGRAM]: whether a program that
// confirms our answers is on this machine. In CI it has to be.
func witnessed(cond string) (bool, error) {
	program, ok := strings.CutPrefix(cond, "witness:")
	if !ok {
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	return haveWitness(program)
}

func haveWitness(program string) (bool, error) {
	_, err := exec.LookPath(program)
	if err != nil && os.Getenv("CI") == "true" {
		return false, fmt.Errorf("%s is not on this machine; in CI every witness has to be (.ci/witnesses)", program)
	}
	return err == nil, nil
}

// needWitness skips a test, saying why, when a program is not there.
func needWitness(t *testing.T, program string) {
	t.Helper()
	ok, err := haveWitness(program)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		t.Skipf("%s is not on this machine", program)
	}
}

// builds are the shop's functions, compiled once for all scripts.
var builds = sync.OnceValues(func() (b shopBuilds, err error) {
	dir, err := os.MkdirTemp("", "mooring-builds-")
	if err != nil {
		return b, err
	}
	b.dir = filepath.Join(dir, "artifacts")
	b.digests, err = demo.Artifacts(context.Background(), dir)
	return b, err
})

type shopBuilds struct {
	dir     string
	digests map[string]string
}
