package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

const receiversPipeline = `apiVersion: mooring.dev/v1
kind: Pipeline
metadata: {name: shop}
spec:
  environments:
    - name: preview
      provider: {memory: {}}
  receivers:
    own: {webhook: {url: {fromEnv: OWN_URL}, secret: {fromEnv: OWN_KEY}}}
    prometheus: {alertmanager: {url: {fromEnv: ALERTMANAGER_URL}}}
    channel: {slack: {url: {fromEnv: SLACK_URL}}}
    office: {teams: {url: {fromEnv: TEAMS_URL}}}
    oncall: {pagerduty: {routingKey: {fromEnv: PAGERDUTY_KEY}, url: PAGERDUTY}}
    topic: {sns: {topicArn: "arn:aws:sns:eu-west-1:111111111111:alerts", endpoint: SANDBOX}}
    bus: {eventbridge: {bus: default, region: eu-west-1, endpoint: SANDBOX}}
    people: {email: {server: MAIL, tls: none, from: mooring@example.com, to: [ann@example.com]}}
    gone: {slack: {url: {fromEnv: GONE_URL}}}
`

// TestEachReceiverTakesATest sends a test message to a receiver of each kind
// through the real program, and finds it there; one that refuses is told so.
func TestEachReceiverTakesATest(t *testing.T) {
	t.Parallel()
	for _, w := range []string{"prometheus-alertmanager", "aiosmtpd", "aws"} {
		needWitness(t, w)
	}
	s := openStage(t)
	office := newOffice(t)
	mail, mails := startMail(t)
	alertmanager := startAlertmanager(t)
	s.byHand("platform", "sns", "create-topic", "--name", "alerts")
	s.repository(killStages, func(work string) {
		if err := copyShop("shop/environment", work); err != nil {
			t.Fatal(err)
		}
	})
	work := s.path("shop")
	s.git("-C", work, "checkout", "-q", "main")
	s.write("shop/mooring.yaml", strings.NewReplacer("PAGERDUTY}", office.url+"/pagerduty}", "SANDBOX", s.box.URL(), "MAIL,", mail+",").Replace(receiversPipeline))
	s.git("-C", work, "commit", "-qam", "receivers of each kind")
	s.git("-C", work, "push", "-q", "origin", "main")
	s.env = []string{"OWN_URL=" + office.url + "/own", "OWN_KEY=k", "ALERTMANAGER_URL=" + alertmanager, "SLACK_URL=" + office.url + "/slack",
		"TEAMS_URL=" + office.url + "/teams", "PAGERDUTY_KEY=0123456789abcdef0123456789abcdef", "GONE_URL=" + office.url + "/gone/hunter2"}
	s.begin()
	began := time.Now()
	for _, receiver := range []string{"own", "prometheus", "channel", "office", "oncall", "topic", "bus", "people"} {
		s.tries(receiver)
	}
	if out, err := s.tests("gone"); err == nil || !strings.Contains(out, "404") || strings.Contains(out, "hunter2") {
		t.Errorf("one that refuses: %v, %s", err, out)
	}
	for path, want := range map[string][]string{
		"/own": {`"version":1`, `"kind":"test"`}, "/slack": {`"blocks"`}, "/teams": {"AdaptiveCard"}, "/pagerduty/v2/enqueue": {`"event_action":"trigger","dedup_key":"test/oncall"`, `"event_action":"resolve","dedup_key":"test/oncall"`, `"class":"test"`},
	} {
		body := office.at(path)
		for _, w := range append(want, "test") {
			if !strings.Contains(body, w) {
				t.Errorf("%s got %s, want %s in it", path, body, w)
			}
		}
	}
	awaitAlert(t, alertmanager, "test/prometheus", true)
	if text, err := os.ReadFile(mails); err != nil || !strings.Contains(string(text), "Subject: ") || !strings.Contains(string(text), "ann@example.com") {
		t.Errorf("by mail: %s, %v", text, err)
	}
	told := map[string]bool{}
	for _, c := range s.box.Calls(began) {
		if c.Actor.AccessKey == "mooring" && c.Status == http.StatusOK {
			told[c.Operation] = true
		}
	}
	if !told["Publish"] || !told["PutEvents"] {
		t.Errorf("AWS was told %v", told)
	}
}

// tries lets the daemon send a test, as soon as it has read its pipeline.
func (s *killStage) tries(receiver string) {
	s.t.Helper()
	var out string
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if out, err = s.tests(receiver); err == nil {
			return
		}
	}
	log, _ := os.ReadFile(s.path("daemon.log"))
	s.t.Errorf("%s: %v %s\n%s", receiver, err, out, log[max(0, len(log)-3000):])
}

func (s *killStage) tests(receiver string) (string, error) {
	out, err := exec.Command("mooring", "alert", "test", receiver, "--server", "http://"+s.listen).CombinedOutput()
	return string(out), err
}

// office keeps what is posted to it, by path.
type office struct {
	url string
	mu  sync.Mutex
	got map[string]string
}

func newOffice(t *testing.T) *office {
	o := &office{got: map[string]string{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.got[r.URL.Path] += string(body) + "\n"
		if strings.HasPrefix(r.URL.Path, "/gone/") {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	o.url = server.URL
	return o
}

func (o *office) at(path string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.got[path]
}

// startMail runs a mail server that writes what it is given to a file.
func startMail(t *testing.T) (address, path string) {
	t.Helper()
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	path = t.TempDir() + "/mails"
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("aiosmtpd", "-n", "-l", address)
	cmd.Stdout, cmd.Env = out, append(os.Environ(), "PYTHONUNBUFFERED=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = out.Close() })
	return address, path
}
