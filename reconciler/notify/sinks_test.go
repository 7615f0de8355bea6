package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler/egress"
)

func fixed(value string) Secret { return func() (string, error) { return value, nil } }

// received is one request as a receiver saw it.
type received struct {
	path   string
	header http.Header
	body   []byte
}

// receiver answers with a status and keeps what it got.
func receiver(t *testing.T, status int, header http.Header) (*httptest.Server, *[]received) {
	t.Helper()
	var got []received
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = append(got, received{path: r.URL.Path, header: r.Header, body: body})
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server, &got
}

func transport(t *testing.T) http.RoundTripper {
	tr := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

var sample = Event{ID: "a1", Fingerprint: "f1", Status: Firing, Kind: "drift", Severity: "high", Title: "memorySize changed",
	Text: "512 became 256, by user/bob", Resource: "Function/checkout", Environment: "production",
	Labels: map[string]string{"team": "payments", "9 lives": "x", "severity": "low"},
	At:     time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC), Link: "http://127.0.0.1:8420/production"}

func TestWebhook(t *testing.T) {
	server, got := receiver(t, 204, nil)
	hook := NewWebhook(fixed(server.URL+"/in"), fixed("key"), transport(t))
	for range 2 {
		if err := hook.Notify(t.Context(), sample); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range *got {
		if r.header.Get("Idempotency-Key") != "a1" {
			t.Errorf("idempotency key %q, want the event's id each time", r.header.Get("Idempotency-Key"))
		}
		if signature := r.header.Get("X-Mooring-Signature"); signature != Sign([]byte("key"), r.body) || signature == Sign([]byte("other"), r.body) {
			t.Errorf("signature %q does not match the body", signature)
		}
		var body struct {
			Version int
			ID      string
			Status  string
			Labels  map[string]string
			SentAt  time.Time
		}
		if err := json.Unmarshal(r.body, &body); err != nil {
			t.Fatal(err)
		}
		if body.Version != 1 || body.ID != "a1" || body.Status != Firing || body.Labels["team"] != "payments" || time.Since(body.SentAt) > time.Minute {
			t.Errorf("body %s", r.body)
		}
	}
	if len(*got) != 2 {
		t.Errorf("%d requests, want 2", len(*got))
	}
	unsigned := NewWebhook(fixed(server.URL), nil, transport(t))
	if err := unsigned.Notify(t.Context(), sample); err != nil {
		t.Fatal(err)
	}
	if s := (*got)[2].header.Get("X-Mooring-Signature"); s != "" {
		t.Errorf("signed without a key: %q", s)
	}
	if err := NewWebhook(fixed(server.URL), fixed(""), transport(t)).Notify(t.Context(), sample); err == nil || len(*got) != 3 {
		t.Errorf("an empty key signs nothing and must not be used: %v", err)
	}
}

// The signature other software would compute.
func TestSign(t *testing.T) {
	// printf '{}' | openssl dgst -sha256 -hmac key
	const want = "sha256=a777724d943eb48dc69bca8a4a6d57a04db3f9ec7e1de4e581e860265bdf3032"
	if got := Sign([]byte("key"), []byte("{}")); got != want {
		t.Errorf("signature %q, want %q", got, want)
	}
}

func TestWhatAnAnswerMeans(t *testing.T) {
	for status, want := range map[int]string{200: "ok", 202: "ok", 301: "dead", 307: "dead", 400: "dead", 401: "dead", 404: "dead", 410: "dead",
		408: "retry", 429: "retry", 500: "retry", 502: "retry", 503: "retry"} {
		elsewhere, stolen := receiver(t, 200, nil)
		server, _ := receiver(t, status, http.Header{"Location": {elsewhere.URL}, "Retry-After": {"90"}})
		err := NewWebhook(fixed(server.URL), fixed("key"), transport(t)).Notify(t.Context(), sample)
		got := "retry"
		switch {
		case err == nil:
			got = "ok"
		case IsPermanent(err):
			got = "dead"
		}
		if got != want {
			t.Errorf("%d: %s, want %s", status, got, want)
		}
		if want == "retry" && asked(err) != 90*time.Second {
			t.Errorf("%d: asked to wait 90s, heard %s", status, asked(err))
		}
		if len(*stolen) > 0 {
			t.Errorf("%d: a redirect took the event elsewhere", status)
		}
	}
}

// No error says what is secret about a receiver: its path, query, user, key,
// nor what it answered.
func TestSecretsAreNotInErrors(t *testing.T) {
	server, _ := receiver(t, 500, nil)
	closed := httptest.NewServer(http.NotFoundHandler())
	address := closed.Listener.Addr().(*net.TCPAddr).String()
	closed.Close()
	over := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	defer slow.Close()
	defer close(over)
	const secret = "hunter2"
	for name, target := range map[string]string{
		"answers 500":    server.URL + "/services/" + secret + "?token=" + secret,
		"refuses":        "http://" + address + "/" + secret,
		"user":           "http://ann:" + secret + "@" + address + "/",
		"no such scheme": "ftp://" + secret + "/",
		"not a URL":      "http://[" + secret,
		"no host":        secret,
		"control":        "http://x/\x00" + secret,
		"hangs":          slow.URL + "/" + secret,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if name != "hangs" {
			ctx = t.Context()
		}
		for _, sink := range []Notifier{NewWebhook(fixed(target), fixed("key-"+secret), transport(t)), NewAlertmanager(fixed(target), transport(t))} {
			err := sink.Notify(ctx, sample)
			if err == nil {
				t.Errorf("%s: no error", name)
			} else if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error says %q", name, err)
			}
		}
		cancel()
	}
}

// A secret that cannot be read now may be there later; one that was rotated is
// taken up at the next event.
func TestSecretsAreReread(t *testing.T) {
	server, got := receiver(t, 200, nil)
	key := "one"
	missing := errors.New("read /run/secrets/key: no such file")
	hook := NewWebhook(fixed(server.URL), func() (string, error) {
		if key == "" {
			return "", missing
		}
		return key, nil
	}, transport(t))
	for _, k := range []string{"one", "", "two"} {
		key = k
		err := hook.Notify(t.Context(), sample)
		if k == "" && (!errors.Is(err, missing) || IsPermanent(err)) {
			t.Errorf("a missing secret: %v, want an error worth another try", err)
		}
	}
	for i, k := range []string{"one", "two"} {
		if r := (*got)[i]; r.header.Get("X-Mooring-Signature") != Sign([]byte(k), r.body) {
			t.Errorf("delivery %d was not signed with the key of its time", i)
		}
	}
}

func TestAlertmanager(t *testing.T) {
	server, got := receiver(t, 200, nil)
	am := NewAlertmanager(fixed(server.URL+"/"), transport(t))
	resolved := sample
	resolved.Status, resolved.At, resolved.Since, resolved.Severities = Resolved, sample.At.Add(time.Hour), sample.At, []string{"medium", "high"}
	fired := sample
	fired.Actions = []Action{{"hold", "http://127.0.0.1:8420/production#hold"}, {"far", "http://127.0.0.1:8420/" + strings.Repeat("a", linkMost)}, {"resume", "http://127.0.0.1:8420/production#holds"}}
	for _, e := range []Event{fired, resolved} {
		if err := am.Notify(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	var posted [2][]alertmanagerAlert
	for i, r := range *got {
		if r.path != "/api/v2/alerts" {
			t.Errorf("path %s", r.path)
		}
		if err := json.Unmarshal(r.body, &posted[i]); err != nil {
			t.Fatal(err)
		}
	}
	fires := posted[0][0]
	if want := "hold: http://127.0.0.1:8420/production#hold\nresume: http://127.0.0.1:8420/production#holds"; fires.Annotations["links"] != want || fires.GeneratorURL != sample.Link {
		t.Errorf("it leads to %q and %q, want %q", fires.GeneratorURL, fires.Annotations["links"], want)
	}
	if links, ok := posted[1][0].Annotations["links"]; ok {
		t.Errorf("over, and it leads to %q", links)
	}
	for name, want := range map[string]string{"alertname": "drift", "environment": "production", "severity": "high",
		"resource": "Function/checkout", "fingerprint": "f1", "team": "payments", "_9_lives": "x"} {
		if fires.Labels[name] != want {
			t.Errorf("label %s is %q, want %q", name, fires.Labels[name], want)
		}
	}
	if left := time.Until(fires.EndsAt); len(posted[0]) != 1 || !fires.StartsAt.Equal(sample.At) || left < 2*AgainEvery || left > 4*AgainEvery {
		t.Errorf("firing: %d alerts, %s to %s", len(posted[0]), fires.StartsAt, fires.EndsAt)
	}
	over := map[string]alertmanagerAlert{}
	for _, a := range posted[1] {
		over[a.Labels["severity"]] = a
	}
	if end := over["high"]; !end.EndsAt.Equal(resolved.At) || !end.StartsAt.Equal(sample.At) || len(over) != 2 || over["medium"].Labels == nil {
		t.Errorf("resolved: %+v in %d severities", end, len(over))
	}
}

// A receiver's address that leads to a machine's credentials is a mistake or an
// attack: nothing goes there, and it is not tried again.
func TestLesson77ReceiversAreNoMetadata(t *testing.T) {
	for _, target := range []string{"http://169.254.169.254/latest/meta-data/iam", "http://[fd00:ec2::254]/", "http://[::ffff:169.254.170.2]/v2"} {
		for _, sink := range []Notifier{NewWebhook(fixed(target), nil, nil), NewAlertmanager(fixed(target), nil), NewSlack(fixed(target), nil),
			NewTeams(fixed(target), nil), NewPagerDuty(fixed("key"), target, nil)} {
			if err := sink.Notify(t.Context(), sample); !errors.Is(err, egress.ErrRefused) || !IsPermanent(err) {
				t.Errorf("%s by %T: %v", target, sink, err)
			}
		}
	}
	mail := NewEmail(EmailOptions{Server: "169.254.169.254:25", TLS: NoTLS, From: "a@b.c", To: []string{"d@e.f"}})
	if err := mail.Notify(t.Context(), sample); !errors.Is(err, egress.ErrRefused) {
		t.Errorf("by mail: %v", err)
	}
}

// A test is seen where only what fires is shown, and leaves nothing open.
func TestATestIsSeenAndEnds(t *testing.T) {
	server, got := receiver(t, 202, nil)
	about := Event{ID: "t1", Fingerprint: "test/oncall", Kind: "test", Severity: "low", At: time.Now()}
	for _, n := range []Notifier{NewPagerDuty(fixed("key"), server.URL, transport(t)), NewAlertmanager(fixed(server.URL), transport(t)), NewSlack(fixed(server.URL), transport(t))} {
		if err := Test(t.Context(), n, about); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{`"event_action":"trigger","dedup_key":"test/oncall"`, `"event_action":"resolve","dedup_key":"test/oncall"`, `"fingerprint":"test/oncall"`, "RESOLVED"} {
		if body := string((*got)[i].body); !strings.Contains(body, want) {
			t.Errorf("message %d: %q is missing in %s", i, want, body)
		}
	}
	var alerts []alertmanagerAlert
	if err := json.Unmarshal((*got)[2].body, &alerts); err != nil || len(alerts) != 1 {
		t.Fatalf("%s: %v", (*got)[2].body, err)
	}
	if left := time.Until(alerts[0].EndsAt); left < time.Minute || left > testFires {
		t.Errorf("it fires for %s", left)
	}
}
