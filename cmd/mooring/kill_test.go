package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/providers/aws/sandbox/wire"
	"mooring.dev/reconciler/web"
)

// A boundary is a call of the canary at which the daemon is killed, once the
// journal has the intent and before it has the fact. Which of the calls it is
// is counted by skip.
type boundary struct {
	operation string // glob
	skip      int
	after     bool // the call took hold and its reply is lost; else it never took hold
}

// killPoints are boundaries of a release from its first write to its last.
var killPoints = []boundary{
	{operation: "UpdateFunctionCode*"},
	{operation: "UpdateFunctionCode*", after: true},
	{operation: "PublishVersion*"},
	{operation: "PublishVersion*", after: true},
	{operation: "UpdateAlias*"},
	{operation: "UpdateAlias*", after: true},
	{operation: "UpdateAlias*", skip: 1},
	{operation: "UpdateAlias*", skip: 1, after: true},
	{operation: "GetMetricData"},
	{operation: "GetMetricData", skip: 3},
}

// TestLesson41KilledAtACall kills the real program with SIGKILL at boundaries of a canary,
// starts it again, and wants the same end and the same calls as if nothing had
// been: one published version for one code, and only valid weights.
func TestLesson41KilledAtACall(t *testing.T) {
	t.Parallel()
	for _, p := range killPoints {
		name := fmt.Sprintf("%s.%d.after=%v", strings.TrimSuffix(p.operation, "*"), p.skip, p.after)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newKillStage(t).play(p)
		})
	}
}

// killStage is a shop with one environment, deployed, and a release to come.
type killStage struct {
	t      *testing.T
	dir    string
	box    *sandbox.Sandbox
	daemon *exec.Cmd
	log    *os.File
	listen string
	env    []string // the daemon's own, over what every one has
	flags  []string // the same
}

const killPipeline = `apiVersion: mooring.dev/v1
kind: Pipeline
metadata: {name: shop}
spec:
  environments:
    - name: preview
      provider: {aws: {region: eu-west-1, account: "111111111111"}}
      rollout: {strategy: canary, rollout_stages}
      drift: {response: revert, interval: 1s}
`

func newKillStage(t *testing.T) *killStage {
	t.Helper()
	s := openStage(t)
	b, err := builds()
	if err != nil {
		t.Fatal(err)
	}
	s.furnish()
	s.repository(killStages, func(work string) {
		if err := copyShop("shop/environment", work); err != nil {
			t.Fatal(err)
		}
		for _, f := range []string{"checkout", "fulfil", "catalog"} {
			s.point(b, f, "1.0")
		}
	})
	return s
}

// openStage is a sandbox and a folder, nothing in them yet.
func openStage(t *testing.T) *killStage {
	t.Helper()
	s := &killStage{t: t, dir: t.TempDir()}
	var err error
	s.box, err = sandbox.New(sandbox.Options{
		Listen: "127.0.0.1:0", DataDir: filepath.Join(s.dir, "cloud"), Account: "111111111111", Region: "eu-west-1",
		Period: time.Second, Updating: 50 * time.Millisecond, Records: 100_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.box.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.end(); _ = s.box.Close() })
	return s
}

// furnish makes the secret and the parameter of others.
func (s *killStage) furnish() {
	s.t.Helper()
	s.call("secretsmanager", "secretsmanager.CreateSecret", `{"Name":"shop/stripe","SecretString":"x","ClientRequestToken":"00000000-0000-0000-0000-000000000001"}`)
	s.call("ssm", "AmazonSSM.PutParameter", `{"Name":"/shop/rates","Type":"String","Value":"1.0"}`)
}

// call calls the cloud as somebody else, and gives its answer.
func (s *killStage) call(service, target, body string) string {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.box.URL(), strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", target)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=platform/20260101/eu-west-1/"+service+"/aws4_request, SignedHeaders=host, Signature="+strings.Repeat("0", 64))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s", target, resp.Status)
	}
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(answer)
}

// killStages are the stages of a release that is not judged by its calls.
const killStages = "stages: [{weight: 30, hold: 2s}, {weight: 100, hold: 1s}], analysis: {onUndecided: proceed, maxHold: 2s}"

// repository has the control branch with these stages, and env/preview with
// what fill writes.
func (s *killStage) repository(stages string, fill func(work string)) {
	s.t.Helper()
	work := filepath.Join(s.dir, "shop")
	for _, args := range [][]string{{"init", "-q", "--bare", "-b", "main", s.path("shop.git")}, {"init", "-q", "-b", "main", work}, {"-C", work, "remote", "add", "origin", s.path("shop.git")}} {
		s.git(args...)
	}
	s.write("shop/mooring.yaml", strings.Replace(killPipeline, "rollout_stages", stages, 1))
	s.git("-C", work, "add", "-A")
	s.git("-C", work, "commit", "-qm", "pipeline")
	s.git("-C", work, "push", "-q", "origin", "main")
	s.git("-C", work, "checkout", "-q", "--orphan", "env/preview")
	s.git("-C", work, "rm", "-qrf", ".")
	fill(work)
	s.push("The shop")
}

func (s *killStage) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

func (s *killStage) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *killStage) git(args ...string) {
	s.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=Dev", "-c", "user.email=dev@shop.example"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func (s *killStage) point(b shopBuilds, function, version string) {
	s.t.Helper()
	path := s.path("shop/functions/" + function + ".yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	data = uriLine.ReplaceAll(data, []byte("uri: file:"+function+"-"+version+".zip"))
	data = digestLine.ReplaceAll(data, []byte("digest: "+b.digests[function+"-"+version]))
	s.write("shop/functions/"+function+".yaml", string(data))
}

func (s *killStage) push(message string) string {
	s.t.Helper()
	work := s.path("shop")
	s.git("-C", work, "add", "-A")
	s.git("-C", work, "commit", "-qm", message)
	s.git("-C", work, "push", "-q", "origin", "HEAD:refs/heads/env/preview")
	return s.head()
}

// head is the newest commit of the environment.
func (s *killStage) head() string {
	s.t.Helper()
	out, err := exec.Command("git", "-C", s.path("shop"), "rev-parse", "HEAD").Output()
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// begin starts the daemon on the same state and address each time.
func (s *killStage) begin() {
	s.t.Helper()
	b, err := builds()
	if err != nil {
		s.t.Fatal(err)
	}
	s.launch(append([]string{"--repo", s.path("shop.git"), "--artifacts", b.dir, "--insecure-loopback", "--poll", "2s"}, s.flags...),
		slices.Concat([]string{"AWS_ACCESS_KEY_ID=mooring", "AWS_SECRET_ACCESS_KEY=any", "AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull}, s.env))
}

// launch starts the daemon on this state and address.
func (s *killStage) launch(flags, env []string) {
	s.t.Helper()
	var err error
	if s.listen == "" {
		if s.listen, err = freeAddress(); err != nil {
			s.t.Fatal(err)
		}
	}
	program, err := exec.LookPath("mooring")
	if err != nil {
		s.t.Fatal(err)
	}
	if s.log, err = os.OpenFile(s.path("daemon.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		s.t.Fatal(err)
	}
	s.daemon = exec.Command(program, append([]string{"run", "--state", s.path("state"), "--listen", s.listen, "--log-format", "json"}, flags...)...)
	s.daemon.Env = append(append(os.Environ(), "AWS_ENDPOINT_URL="+s.box.URL(), "AWS_REGION=eu-west-1", "AWS_EC2_METADATA_DISABLED=true"), env...)
	s.daemon.Stdout, s.daemon.Stderr = s.log, s.log
	if err := s.daemon.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// end is SIGKILL.
func (s *killStage) end() {
	if s.daemon == nil {
		return
	}
	_ = s.daemon.Process.Kill() // it may have ended
	_ = s.daemon.Wait()
	_ = s.log.Close()
	s.daemon = nil
}

// await polls until the environment runs a commit, at rest.
func (s *killStage) await(commit string) web.EnvironmentStatus {
	s.t.Helper()
	return s.until(fmt.Sprintf("commit %.12s in force", commit), func(e web.EnvironmentStatus) bool { return e.Commit == commit && e.State == "in_sync" })
}

// until polls the daemon's status until the environment is as wanted.
func (s *killStage) until(what string, ok func(web.EnvironmentStatus) bool) web.EnvironmentStatus {
	s.t.Helper()
	var e web.EnvironmentStatus
	var err error
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if e, err = s.status(); err == nil && ok(e) {
			return e
		}
	}
	log, _ := os.ReadFile(s.path("daemon.log")) // it is only told
	s.t.Fatalf("not %s: commit %.12s, state %s %s, rollout %+v, holds %+v, error %q: %v\n%s", what, e.Commit, e.State, e.Reason, e.Rollout, e.Holds, e.LastError, err, log[max(0, len(log)-5000):])
	panic("unreachable")
}

func (s *killStage) status() (web.EnvironmentStatus, error) {
	resp, err := http.Get("http://" + s.listen + "/api/v1/status")
	if err != nil {
		return web.EnvironmentStatus{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return web.EnvironmentStatus{}, err
	}
	var st web.Status
	if err := json.Unmarshal(data, &st); err != nil {
		return web.EnvironmentStatus{}, err
	}
	if len(st.Environments) == 0 {
		return web.EnvironmentStatus{}, errors.New("no environment yet")
	}
	return st.Environments[0], nil
}

// play deploys, releases, kills at the point, starts again and looks.
func (s *killStage) play(p boundary) {
	b, err := builds()
	if err != nil {
		s.t.Fatal(err)
	}
	s.begin()
	s.await(s.head())
	began := time.Now()
	rule := sandbox.Rule{Operation: p.operation, Actor: "mooring", After: p.skip, Times: 1, Effect: sandbox.Effect{Status: 503, Code: "ServiceException"}}
	if p.after {
		rule.Effect = sandbox.Effect{Drop: true}
	}
	if _, err := s.box.Faults.Add(rule); err != nil {
		s.t.Fatal(err)
	}
	s.point(b, "checkout", "1.1")
	commit := s.push("checkout 1.1")
	s.awaitCall(p, began)
	s.end()
	s.box.Faults.Clear()
	s.begin()
	s.await(commit)
	s.judge(began, b)
}

// awaitCall returns when the point is reached: the rule was met.
func (s *killStage) awaitCall(p boundary, since time.Time) {
	s.t.Helper()
	want := "error"
	if p.after {
		want = "drop"
	}
	for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, c := range s.box.Calls(since) {
			if c.Fault == want && wire.Glob(p.operation, c.Operation) {
				return
			}
		}
	}
	log, _ := os.ReadFile(s.path("daemon.log"))
	s.t.Fatalf("%s was not called\n%s", p.operation, log[max(0, len(log)-3000):])
}

// judge holds the calls against the invariants: a code is published once, an
// alias never has more than two versions, its weights are between 0 and 1, it
// never names $LATEST, and in the end it is whole on the new version.
func (s *killStage) judge(since time.Time, b shopBuilds) {
	s.t.Helper()
	var last wire.Call
	for _, c := range s.box.Calls(since) {
		if c.Actor.AccessKey != "mooring" || !strings.HasPrefix(c.Operation, "UpdateAlias") || c.Fault == "error" || c.Status >= 300 && c.Fault == "" {
			continue
		}
		last = c
		if v := text(c.Params["functionVersion"]); v == "$LATEST" || v == "" {
			s.t.Errorf("%s routed to %q", c.Operation, v)
		}
		for version, weight := range weights(s.t, c) {
			if weight <= 0 || weight >= 1 || version == "$LATEST" {
				s.t.Errorf("weight %v on version %s", weight, version)
			}
		}
	}
	if last.Operation == "" || len(weights(s.t, last)) != 0 {
		s.t.Errorf("the last routing is not whole: %v", last.Params)
	}
	versions := s.versions("preview-checkout")
	codes := map[string]int{}
	for _, v := range versions {
		codes[v.CodeSha256]++
	}
	if len(versions) != 2 || len(codes) != 2 {
		s.t.Errorf("want two versions of two codes, got %v", versions)
	}
}

// weights are the further versions an UpdateAlias names.
func weights(t *testing.T, c wire.Call) map[string]float64 {
	t.Helper()
	text, err := json.Marshal(c.Params["routingConfig"])
	if err != nil {
		t.Fatal(err)
	}
	var routing struct{ AdditionalVersionWeights map[string]float64 }
	if err := json.Unmarshal(text, &routing); err != nil {
		t.Fatal(err)
	}
	return routing.AdditionalVersionWeights
}

type publishedVersion struct{ Version, CodeSha256 string }

// versions are a function's published ones, as the platform lists them.
func (s *killStage) versions(function string) []publishedVersion {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.box.URL()+"/2015-03-31/functions/"+function+"/versions", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=auditor/20260101/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature="+strings.Repeat("0", 64))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct{ Versions []publishedVersion }
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		s.t.Fatal(err)
	}
	published := out.Versions[:0]
	for _, v := range out.Versions {
		if v.Version != "$LATEST" {
			published = append(published, v)
		}
	}
	return published
}
