package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/web"
	"mooring.dev/reconciler/web/browsertest"
)

const journeyPipeline = `apiVersion: mooring.dev/v1
kind: Pipeline
metadata: {name: shop}
spec:
  environments:
    - name: preview
      provider: {aws: {region: eu-west-1, account: "111111111111"}}
      rollout: {strategy: allAtOnce}
      drift: {response: alert, interval: 1s}
    - name: production
      after: [preview]
      protected: true
      promotion: auto
      provider: {aws: {region: eu-west-1, account: "111111111111"}}
      rollout: {strategy: allAtOnce}
      drift: {response: alert, interval: 1s}
  receivers:
    people: {webhook: {url: {fromEnv: HOOK_URL}, secret: {fromEnv: HOOK_KEY}}}
    prometheus: {alertmanager: {url: {fromEnv: ALERTMANAGER_URL}}}
`

var journeyPolicies = map[string]string{
	"shop/policies/admission/promoted.rego": "package policy.admission.promoted\n\nallow if input.release.promoted\n",
	"shop/policies/promotion/looked.rego": `package policy.promotion.looked

allow if input.contract.satisfied

require contains {"kind": "approval", "code": "looked_at", "need": 1, "msg": "somebody looks at it"} if {
	input.environment.protected
}
`,
}

// TestNewcomersJourney is a day with Mooring, with real witnesses: the real
// program, the AWS command line by which somebody breaks a function, a real
// Alertmanager and a signed webhook that are told, and a real browser in which
// a person sees who it was, and holds, resumes, approves and puts back.
func TestNewcomersJourney(t *testing.T) {
	t.Parallel()
	for _, w := range []string{"chromium", "aws", "prometheus-alertmanager"} {
		needWitness(t, w)
	}
	hook := newHook(t)
	alertmanager := startAlertmanager(t)
	s := openJourney(t)
	s.env = []string{"HOOK_URL=" + hook.url, "HOOK_KEY=" + hookKey, "ALERTMANAGER_URL=" + alertmanager}
	s.begin()
	s.await(s.head())
	ann := s.token("ann", "approver", "operator")

	s.byHand("bob", "lambda", "update-function-configuration", "--function-name", "preview-checkout", "--memory-size", "128")
	told := hook.await(t, notify.Firing, "Function/checkout")
	if !strings.Contains(fmt.Sprint(told.Facts), "bob") || len(told.Actions) == 0 {
		t.Errorf("the webhook was told %+v", told)
	}
	awaitAlert(t, alertmanager, "Function/checkout", true)

	tab := browsertest.Start(t, "chromium").Open("http://" + s.listen + "/login?token=" + ann)
	tab.Await(`document.querySelector(".who").innerText === "ann"`)
	tab.Goto("http://" + s.listen + "/environments/preview")
	s.holdsByKeyboard(tab)
	e, err := s.status()
	if err != nil {
		t.Fatal(err)
	}
	s.looks(t, tab, map[string]string{"pipeline": "/", "environment": "/environments/preview", "resource": "/environments/preview/resources/Function/checkout",
		"release": "/environments/preview/releases/" + e.Release, "decisions": "/decisions"})
	s.putsBackByMouse(tab, told)
	awaitAlert(t, alertmanager, "Function/checkout", false)
	hook.await(t, notify.Resolved, "Function/checkout")
	s.approvesByMouse(tab)
	s.recorded("ann", "looking with bob", "put back by ann", "read the plan")
}

// openJourney is a shop with a guarded production and two receivers.
func openJourney(t *testing.T) *killStage {
	t.Helper()
	s := newKillStage(t)
	work := s.path("shop")
	s.git("-C", work, "checkout", "-q", "main")
	s.write("shop/mooring.yaml", journeyPipeline)
	for name, text := range journeyPolicies {
		if err := os.MkdirAll(s.path(name[:strings.LastIndex(name, "/")]), 0o755); err != nil {
			t.Fatal(err)
		}
		s.write(name, text)
	}
	s.git("-C", work, "add", "-A")
	s.git("-C", work, "commit", "-qm", "production, and who is told")
	s.git("-C", work, "push", "-q", "origin", "main")
	s.git("-C", work, "checkout", "-q", "env/preview")
	return s
}

// token is a personal one with these roles.
func (s *killStage) token(name string, roles ...string) string {
	s.t.Helper()
	out, err := exec.Command("mooring", "token", "create", name, "--state", s.path("state"), "--for", "1d", "--role", strings.Join(roles, ",")).Output()
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// byHand is the AWS command line in somebody's hands.
func (s *killStage) byHand(who string, args ...string) {
	s.t.Helper()
	cmd := exec.Command("aws", append([]string{"--endpoint-url", s.box.URL(), "--region", "eu-west-1"}, args...)...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+who, "AWS_SECRET_ACCESS_KEY=any", "AWS_PAGER=", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("aws %v: %v\n%s", args, err, out)
	}
}

// holdsByKeyboard holds the environment without a mouse, and resumes it with one.
func (s *killStage) holdsByKeyboard(tab *browsertest.Tab) {
	s.t.Helper()
	tab.TabTo("#hold > summary")
	tab.Press("Enter")
	tab.TabTo("#hold input[name=reason]")
	// Without a reason the form does not go, and says what is missing.
	tab.Press("Enter")
	tab.Await(`document.querySelector("#hold input[name=reason]").matches(":invalid")`)
	tab.Type("looking with bob")
	tab.TabTo("#hold button")
	tab.Press(" ")
	tab.Await(`document.querySelector("header .passed")?.innerText.includes("hold")`)
	tab.Await(`document.querySelector("#holds").innerText.includes("by ann until")`)
	tab.Click("#holds summary")
	tab.Click("#holds button")
	tab.Await(`document.querySelector("#holds").innerText.includes("Nothing is held")`)
}

// putsBackByMouse follows the alert's link to what was changed, sees who it
// was, and has it put back. The page says so by itself.
func (s *killStage) putsBackByMouse(tab *browsertest.Tab, told notify.Event) {
	s.t.Helper()
	tab.Goto(told.Actions[0].Link)
	row := `tr[id] `
	tab.Await(`/bob by UpdateFunctionConfiguration/.test(document.querySelector("` + row + `").innerText)`)
	if text := tab.Text(row); !strings.Contains(text, "Function/checkout") || !strings.Contains(text, "memorySize") || !strings.Contains(text, "128") {
		s.t.Errorf("the page says %q", text)
	}
	tab.Await(`document.querySelector("` + row + `details").open`) // the link opened it
	tab.Click(row + `form:has(input[value=revert]) input[name=reason]`)
	tab.Type("bob agrees")
	tab.Click(row + `form:has(input[value=revert]) button`)
	tab.Await(`document.querySelector("header .passed")?.innerText.includes("drift")`)
	tab.Await(`document.querySelector("main").innerText.includes("Everything looked at is as declared")`)
}

// approvesByMouse lets the content that waits into production.
func (s *killStage) approvesByMouse(tab *browsertest.Tab) {
	s.t.Helper()
	tab.Goto("http://" + s.listen + "/environments/production")
	tab.Await(`/somebody looks at it/.test(document.body.innerText)`)
	tab.Click("#approve > summary")
	tab.Click("#approve input[name=reason]")
	tab.Type("read the plan")
	tab.Click("#approve button[value=approve]")
	tab.Await(`document.querySelector("header .passed")?.innerText.includes("approval")`)
	tab.Await(`document.querySelector("h1 .state").innerText === "in_sync"`)
}

// recorded: the history has these words, and who said them.
func (s *killStage) recorded(who string, words ...string) {
	s.t.Helper()
	resp, err := http.Get("http://" + s.listen + "/api/v1/history?limit=500")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var events []web.Event
	if err := json.NewDecoder(resp.Body).Decode(&events); err != nil {
		s.t.Fatal(err)
	}
	for _, w := range words {
		found := false
		for _, e := range events {
			found = found || strings.Contains(e.Text, w) && strings.Contains(e.Text, who)
		}
		if !found {
			s.t.Errorf("nothing recorded says %q of %s: %+v", w, who, events)
		}
	}
}

const hookKey = "the-key-of-the-hook"

// hook is a receiver that believes only what is signed.
type hook struct {
	url string
	mu  sync.Mutex
	got []notify.Event
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		mac := hmac.New(sha256.New, []byte(hookKey))
		mac.Write(body)
		if r.Header.Get("X-Mooring-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("a delivery that is not signed as it should be: %v", r.Header)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var e notify.Event
		if err := json.Unmarshal(body, &e); err != nil {
			t.Error(err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.got = append(h.got, e)
	}))
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// await waits for what is told about a resource.
func (h *hook) await(t *testing.T, status, resource string) notify.Event {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		h.mu.Lock()
		for _, e := range h.got {
			if e.Kind == "drift" && e.Status == status && e.Resource == resource {
				h.mu.Unlock()
				return e
			}
		}
		h.mu.Unlock()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	t.Fatalf("the webhook was never told that %s is %s: %+v", resource, status, h.got)
	return notify.Event{}
}

// startAlertmanager runs the real one and returns its address.
func startAlertmanager(t *testing.T) string {
	t.Helper()
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := dir + "/config.yml"
	if err := os.WriteFile(config, []byte("route: {receiver: none}\nreceivers: [{name: none}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("prometheus-alertmanager", "--config.file="+config, "--storage.path="+dir+"/data", "--web.listen-address="+address, "--cluster.listen-address=")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() { defer close(p.ended); _ = cmd.Wait() }()
	t.Cleanup(func() { p.end(os.Kill) })
	if err := answers("http://"+address+"/-/ready", p, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	return "http://" + address
}

// awaitAlert waits until the Alertmanager has an alert of a resource, or of a fingerprint, that
// fires, or none that does.
func awaitAlert(t *testing.T, alertmanager, resource string, fires bool) {
	t.Helper()
	var last string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get(alertmanager + "/api/v2/alerts?active=true")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		var alerts []struct {
			Labels map[string]string
			Status struct{ State string }
		}
		if last = string(body); json.Unmarshal(body, &alerts) != nil {
			continue
		}
		found := false
		for _, a := range alerts {
			found = found || a.Labels["fingerprint"] == resource || a.Labels["alertname"] == "drift" && a.Labels["resource"] == resource && a.Labels["environment"] == "preview"
		}
		if found == fires {
			return
		}
	}
	t.Fatalf("the Alertmanager never had %s firing=%v: %s", resource, fires, last)
}
