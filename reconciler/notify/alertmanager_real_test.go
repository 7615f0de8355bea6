package notify

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// The real Alertmanager takes what we send, fires it under our labels, and
// ends it in each severity it had.
func TestRealAlertmanager(t *testing.T) {
	address := startAlertmanager(t)
	am := NewAlertmanager(fixed(address), transport(t))
	fires := sample
	fires.At, fires.Since = time.Now().Add(-time.Minute), time.Time{}
	worse := fires
	worse.ID, worse.Severity, worse.At = "a2", "critical", time.Now()
	second := fires
	second.ID, second.Fingerprint = "a3", "f2"
	if err := am.Notify(t.Context(), fires); err != nil {
		t.Fatal(err)
	}
	if err := am.NotifyAll(t.Context(), []Event{worse, second}); err != nil {
		t.Fatal(err)
	}
	if got := active(t, address); len(got) != 3 || got["f1 high"] != "production" || got["f1 critical"] == "" || got["f2 high"] == "" {
		t.Errorf("firing: %v", got)
	}
	over := worse
	over.ID, over.Status, over.At, over.Since, over.Severities = "a4", Resolved, time.Now(), fires.At, []string{"high", "critical"}
	if err := am.Notify(t.Context(), over); err != nil {
		t.Fatal(err)
	}
	if got := active(t, address); len(got) != 1 || got["f2 high"] == "" {
		t.Errorf("after f1 is resolved: %v", got)
	}
	// What is learned and decided meanwhile makes no other alert of it.
	unknown, learned, done := second, second, second
	unknown.Labels = map[string]string{"item": "i2", "actor": "unknown", "response": "waits for who did it", "drift": "changed"}
	learned.Labels = map[string]string{"item": "i2", "actor": "user/bob", "response": "alert", "drift": "changed"}
	done.Labels = map[string]string{"item": "i2", "actor": "user/bob", "response": "revert", "drift": "missing"}
	unknown.Fingerprint, learned.Fingerprint, done.Fingerprint = "f3", "f3", "f3"
	done.Status, done.At, done.Since = Resolved, time.Now(), second.At
	for i, e := range []Event{unknown, learned, done} {
		if err := am.Notify(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if got := active(t, address); len(got) != map[bool]int{true: 1, false: 2}[i == 2] {
			t.Errorf("after message %d of one alert: %v", i, got)
		}
	}
}

// active are the alerts that fire, by fingerprint label and severity.
func active(t *testing.T, address string) map[string]string {
	t.Helper()
	response, err := (&http.Client{Transport: transport(t)}).Get(address + "/api/v2/alerts?active=true")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var alerts []struct{ Labels map[string]string }
	if err := json.Unmarshal(body, &alerts); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	got := map[string]string{}
	for _, a := range alerts {
		key := a.Labels["fingerprint"] + " " + a.Labels["severity"]
		if _, twice := got[key]; twice {
			t.Errorf("%s fires as two alerts", key)
		}
		got[key] = a.Labels["environment"]
	}
	return got
}

// startAlertmanager runs the one this machine has and returns its address.
func startAlertmanager(t *testing.T) string {
	t.Helper()
	binary, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		if binary, err = exec.LookPath("alertmanager"); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("no alertmanager on this machine, and this is CI")
			}
			t.Skip("no alertmanager on this machine (Debian: apt install prometheus-alertmanager); its protocol is tested against a fake above")
		}
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(config, []byte("route: {receiver: none}\nreceivers: [{name: none}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "--config.file="+config, "--storage.path="+filepath.Join(dir, "data"),
		"--web.listen-address=127.0.0.1:0", "--cluster.listen-address=")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // ours, and it may have ended
		_, _ = io.Copy(io.Discard, log)
		_ = cmd.Wait()
	})
	listening := regexp.MustCompile(`(?i)listening on.*?(127\.0\.0\.1:\d+)`)
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, log) }() // ends with the process
			return "http://" + m[1]
		}
		t.Log(lines.Text())
	}
	t.Fatal("alertmanager ended before it listened")
	return ""
}
