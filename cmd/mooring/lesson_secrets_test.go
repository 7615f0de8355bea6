package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mooring.dev/reconciler/trace/collector"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/host/hosttest"
)

// TestLesson76NoSecretComesOut puts a secret of its own into each place where
// Mooring has one to do with, lets everything it speaks with repeat what it was
// sent, and looks at all that comes out of the real program.
func TestLesson76NoSecretComesOut(t *testing.T) {
	t.Parallel()
	w := newWhispers(t)
	for _, act := range []func(){w.deploy, w.drifts, w.echoes, w.strangers, w.collect, w.reached} {
		began := time.Now()
		act()
		t.Logf("%.1f s", time.Since(began).Seconds())
	}
	began, size := time.Now(), 0
	for _, name := range slices.Sorted(maps.Keys(w.out)) {
		size += len(w.out[name])
		for _, found := range w.canaries.in(w.out[name]) {
			t.Errorf("%s holds the secret of %s", name, found)
		}
	}
	t.Logf("%d bytes of %d outputs in %.1f s", size, len(w.out), time.Since(began).Seconds())
}

// whispers is a shop with two environments, a host, receivers and policies, in
// which every secret is a canary.
type whispers struct {
	*killStage
	canaries
	out                             map[string][]byte // what came out, by name
	host                            *hosttest.Repository
	remote, cloud, api, own, broken *echo
	hook                            string // the webhooks' secret
	traces                          *collector.Collector
}

// echo serves, and answers with all it was sent while it is on.
type echo struct {
	url    string
	next   http.Handler
	on     func(*http.Request) bool
	as     func(http.ResponseWriter, string) // writes what it was sent
	active atomic.Bool
	met    atomic.Int64
	mu     sync.Mutex
	heard  bytes.Buffer
}

func newEcho(t *testing.T, next http.Handler) *echo {
	t.Helper()
	e := &echo{next: next, on: func(*http.Request) bool { return true }, as: func(w http.ResponseWriter, sent string) { http.Error(w, sent, http.StatusInternalServerError) }}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	e.url = server.URL
	return e
}

func (e *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var sent bytes.Buffer
	fmt.Fprintf(&sent, "%s %s\n", r.Method, r.URL)
	_ = r.Header.Write(&sent) // into memory
	sent.Write(body)
	e.mu.Lock()
	e.heard.Write(sent.Bytes())
	e.heard.WriteByte('\n')
	e.mu.Unlock()
	if e.active.Load() && e.on(r) {
		e.met.Add(1)
		e.as(w, sent.String())
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	e.next.ServeHTTP(w, r)
}

func (e *echo) all() []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return bytes.Clone(e.heard.Bytes())
}

// while lets an echo answer until it was asked so often.
func (w *whispers) while(e *echo, times int64) {
	w.t.Helper()
	e.active.Store(true)
	defer e.active.Store(false)
	for deadline := time.Now().Add(90 * time.Second); e.met.Load() < times; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s was asked %d times", e.url, e.met.Load())
		}
	}
}

const whispersPipeline = `apiVersion: mooring.dev/v1
kind: Pipeline
metadata: {name: shop}
spec:
  host: {github: {repository: acme/shop, endpoint: HOST, token: {fromEnv: HOST_TOKEN}, webhookSecret: {fromFile: HOOK_FILE}}}
  environments:
    - name: preview
      provider: {aws: {region: eu-west-1, account: "111111111111"}}
      rollout: {strategy: allAtOnce}
      drift: {response: alert, interval: 1s}
    - name: production
      after: [preview]
      provider: {aws: {region: eu-west-1, account: "111111111111"}}
      rollout: {strategy: allAtOnce}
      drift: {response: alert, interval: 1s}
  receivers:
    own: {webhook: {url: {fromEnv: OWN_URL}, secret: {fromEnv: OWN_KEY}}}
    chat: {slack: {url: {fromFile: CHAT_FILE}}}
    office: {teams: {url: {fromEnv: TEAMS_URL}}}
    pager: {pagerduty: {routingKey: {fromEnv: PAGER_KEY}, url: BROKEN}}
    gone: {webhook: {url: {fromEnv: GONE_URL}}}
    post: {email: {server: "127.0.0.1:1", from: a@example.com, to: [b@example.com], username: u, password: {fromEnv: MAIL_PASSWORD}}}
`

// loudPolicies say all they are told.
var loudPolicies = map[string]string{
	"admission/loud.rego": `package policy.admission.loud

allow if input.summary.created >= 0

warn contains {"code": "loud", "msg": substring(sprintf("%v", [fields]), 0, 3000)} if {
	fields := [f | some c in input.changes; some f in c.fields; startswith(f.path, "environment")]
	print(input.changes)
}
`,
	"drift/loud.rego": `package policy.drift.loud

action contains {"item": i.id, "do": "alert", "reason": substring(sprintf("%v", [i]), 0, 1000)} if {
	some i in input.items
	print(i)
}
`,
}

func newWhispers(t *testing.T) *whispers {
	t.Helper()
	w := &whispers{killStage: openStage(t), canaries: canaries{}, out: map[string][]byte{}, traces: collector.New(t)}
	w.canaries["the host's token"] = hosttest.Token
	w.call("secretsmanager", "secretsmanager.CreateSecret", `{"Name":"shop/stripe","SecretString":"`+w.put("a secret")+`","ClientRequestToken":"00000000-0000-0000-0000-000000000001"}`)
	w.call("ssm", "AmazonSSM.PutParameter", `{"Name":"/shop/rates","Type":"SecureString","Value":"`+w.put("a parameter")+`"}`)
	w.serve()
	file := func(place, content string) string {
		path := w.path(strings.ReplaceAll(place, " ", "-"))
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	w.hook = w.put("a webhook's secret")
	pipeline := strings.NewReplacer("HOST,", w.api.url+",", "HOOK_FILE", file("hook", w.hook), "CHAT_FILE", file("chat", w.broken.url+"/"+w.put("a receiver's address in a file")), "BROKEN}", w.broken.url+"/}").Replace(whispersPipeline)
	w.repository(killStages, w.declare)
	work := w.path("shop")
	w.shop("checkout", "-q", "main")
	w.write("shop/mooring.yaml", pipeline)
	for name, text := range loudPolicies {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(work, "policies", name)), 0o755); err != nil {
			t.Fatal(err)
		}
		w.write("shop/policies/"+name, text)
	}
	w.shop("add", "-A")
	w.shop("commit", "-qm", "pipeline")
	w.shop("push", "-q", "origin", "main")
	w.shop("checkout", "-q", "env/preview")
	w.env = []string{
		"AWS_ENDPOINT_URL=" + w.cloud.url, "AWS_SECRET_ACCESS_KEY=" + w.put("AWS's secret key"), "AWS_SESSION_TOKEN=" + w.put("AWS's session token"),
		"HOST_TOKEN=" + hosttest.Token, "OWN_URL=" + w.own.url + "/" + w.put("a receiver's address"), "OWN_KEY=" + w.put("a receiver's key"),
		"GONE_URL=http://127.0.0.1:1/" + w.put("an address where nobody is"), "TEAMS_URL=" + w.broken.url + "/?sig=" + w.put("a receiver's signature"), "PAGER_KEY=" + w.put("a pager's key"), "MAIL_PASSWORD=" + w.put("a mail's password"),
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + w.traces.URL, "OTEL_EXPORTER_OTLP_HEADERS=api-key=" + w.put("a collector's key"), "OTEL_BSP_SCHEDULE_DELAY=100",
	}
	address, err := url.Parse(w.remote.url)
	if err != nil {
		t.Fatal(err)
	}
	address.User = url.UserPassword("mooring", w.put("the repository's address"))
	w.flags = []string{"--verbose", "--repo", address.JoinPath("shop.git").String()}
	return w
}

// shop is git in the work tree.
func (w *whispers) shop(args ...string) {
	w.t.Helper()
	w.git(append([]string{"-C", w.path("shop")}, args...)...)
}

// serve starts what Mooring speaks with.
func (w *whispers) serve() {
	libexec, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		w.t.Fatal(err)
	}
	w.remote = newEcho(w.t, &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(libexec)), "git-http-backend"),
		Env: []string{
			"GIT_PROJECT_ROOT=" + w.dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "HOME=" + w.dir, "REMOTE_USER=mooring",
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.receivepack", "GIT_CONFIG_VALUE_0=true",
		},
	})
	proxy := func(to string) http.Handler {
		at, err := url.Parse(to)
		if err != nil {
			w.t.Fatal(err)
		}
		return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(at); r.Out.Host = r.In.Host }}
	}
	w.cloud = newEcho(w.t, proxy(w.box.URL()))
	w.cloud.on = func(r *http.Request) bool {
		return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/configuration")
	}
	w.cloud.as = refusesFunction
	w.host = hosttest.New(func(branch string) string {
		out, err := exec.Command("git", "-C", w.path("shop.git"), "rev-parse", "--verify", "--quiet", "refs/heads/"+branch).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	})
	forge := w.host.GitHub()
	w.t.Cleanup(forge.Close)
	w.api = newEcho(w.t, proxy(forge.URL))
	w.own = newEcho(w.t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w.broken = newEcho(w.t, http.NotFoundHandler())
	w.broken.active.Store(true)
}

// refusesFunction is AWS that does not like a variable's value, and says which.
func refusesFunction(rw http.ResponseWriter, sent string) {
	said := "it was not taken"
	for _, value := range regexp.MustCompile(`"(hush[0-9a-f]+)"`).FindAllStringSubmatch(sent, -1) {
		said += ", because of " + value[1]
	}
	rw.Header().Set("X-Amzn-ErrorType", "InvalidParameterValueException")
	rw.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(rw, `{"Type":"User","message":%q}`, said+"; String measured: "+sent)
}

// declare writes the shop with a key in plain sight of its branch.
func (w *whispers) declare(work string) {
	b, err := builds()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := copyShop("shop/environment", work); err != nil {
		w.t.Fatal(err)
	}
	for _, f := range []string{"checkout", "fulfil", "catalog"} {
		w.point(b, f, "1.0")
	}
	w.edit("CURRENCY: EUR", "CURRENCY: EUR\n    API_KEY: "+w.put("a declared variable"))
}

func (w *whispers) edit(from, to string) {
	w.t.Helper()
	text, err := os.ReadFile(w.path("shop/functions/checkout.yaml"))
	if err != nil || !strings.Contains(string(text), from) {
		w.t.Fatalf("%v: no %s in\n%s", err, from, text)
	}
	w.write("shop/functions/checkout.yaml", strings.Replace(string(text), from, to, 1))
}

// deploy brings the shop to both environments, with a pull request on the host.
func (w *whispers) deploy() {
	w.begin()
	w.await(w.head())
	w.tell("promote", "--environment", "production")
	w.until("in production", func(web.EnvironmentStatus) bool {
		out, err := exec.Command("git", "-C", w.path("shop.git"), "rev-parse", "--verify", "-q", "env/production").Output()
		return err == nil && len(out) > 0
	})
	w.host.Open(hosttest.Pull{Head: "env/preview", Base: "env/production", Title: "bring it", Author: "dev"})
}
