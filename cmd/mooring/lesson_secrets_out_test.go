package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"mooring.dev/reconciler/trace/collector"
	"mooring.dev/reconciler/web"
)

// drifts changes a secret by hand, and adds one nobody declared.
func (w *whispers) drifts() {
	w.t.Helper()
	w.byHand("alice", "lambda", "update-function-configuration", "--function-name", "preview-checkout", "--environment",
		"Variables={API_KEY="+w.put("a variable changed by hand")+",PLAIN="+w.put("a variable nobody declared")+"}")
	w.until("drifted", func(e web.EnvironmentStatus) bool { return e.State == "drifted" })
	told := w.tells("drift by hand", nil, "drift", "--environment", "preview", "-o", "json", "--server", "http://"+w.listen)
	for _, changed := range []string{"API_KEY", "PLAIN"} {
		if !bytes.Contains(told, []byte("environment."+changed)) {
			w.t.Errorf("%s is not told to have changed:\n%s", changed, told)
		}
	}
}

// echoes lets all that Mooring speaks with repeat what it was sent: AWS as it
// refuses a function, then Git and the host.
func (w *whispers) echoes() {
	w.t.Helper()
	w.cloud.active.Store(true)
	w.edit("memorySize: 256", "memorySize: 512")
	w.edit(w.canaries["a declared variable"], w.put("a variable that AWS repeats"))
	w.push("more memory, and another key")
	w.while(w.cloud, 1)
	w.until("refused by AWS", func(e web.EnvironmentStatus) bool { return strings.Contains(e.Reason+e.LastError, "it was not taken") })
	w.snapshot("while AWS refuses")
	w.while(w.remote, 2)
	w.edit("memorySize: 512", "memorySize: 768")
	w.api.active.Store(true)
	w.push("yet more")
	w.while(w.api, 2)
	w.snapshot("while Git and the host refuse")
}

// strangers come with secrets that are none of theirs.
func (w *whispers) strangers() {
	w.t.Helper()
	ask := func(method, path, body string, header ...string) {
		w.read(method+" "+path, w.request(method, path, body, header...))
	}
	own, err := os.ReadFile(w.path("state/token"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.canaries["the daemon's own token"] = strings.TrimSpace(string(own))
	made, err := exec.Command("mooring", "token", "create", "ann", "--role", "admin", "--state", w.path("state")).Output()
	if err != nil {
		w.t.Fatal(err)
	}
	personal := strings.TrimSpace(string(made))
	w.canaries["a personal token"] = personal
	ask("GET", "/login?token="+personal, "")
	ask("GET", "/login?token="+w.put("a wrong token in an address"), "")
	ask("GET", "/api/v1/status", "", "Authorization", "Bearer "+w.put("a wrong token"))
	ask("GET", "/api/v1/status", "", "Cookie", "mooring="+w.put("a wrong session")+"; __Host-mooring="+w.canaries["a wrong session"])
	said := "with " + personal + " and " + w.canaries["the daemon's own token"] + " in it"
	ask("POST", "/api/v1/environments/preview/holds", `{"reason":"`+said+`","for":60000000000}`, "Authorization", "Bearer "+personal)
	ask("POST", "/environments/preview/act/hold", url.Values{"reason": {said}, "for": {"1h"}}.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Origin", "http://"+w.listen)
	w.until("held twice", func(e web.EnvironmentStatus) bool { return len(e.Holds) == 2 })
	hook := `{"ref":"refs/heads/env/preview","after":"` + w.head() + `","repository":{"full_name":"acme/shop"}}`
	mac := hmac.New(sha256.New, []byte(w.hook))
	mac.Write([]byte(hook))
	ask("POST", "/webhooks/github", hook, "X-GitHub-Event", "push", "X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	ask("POST", "/webhooks/github", hook, "X-GitHub-Event", "push", "X-Hub-Signature-256", w.put("a wrong proof"))
	ask("POST", "/webhooks/gitlab", hook, "X-Gitlab-Token", w.put("another host's proof"))
	for _, receiver := range []string{"own", "chat", "office", "pager", "gone", "post"} {
		w.tell("alert", "test", receiver)
	}
	w.tells("validate of an address", nil, "validate", "--repo", "https://user:"+w.put("an address nobody answers at")+"@127.0.0.1:1/shop.git")
	w.tells("a wrong MOORING_TOKEN", []string{"MOORING_TOKEN=" + w.put("a wrong token of the command line")}, "status", "--server", "http://"+w.listen)
}

// request asks the daemon.
func (w *whispers) request(method, path, body string, header ...string) *http.Response {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	w.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, "http://"+w.listen+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp
}

// read keeps an answer with its head, but for the cookie that is the session it
// gives.
func (w *whispers) read(name string, resp *http.Response) []byte {
	w.t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	resp.Header.Del("Set-Cookie")
	var head strings.Builder
	_ = resp.Header.Write(&head) // into memory
	w.out[name] = append([]byte(head.String()), body...)
	return body
}

// tell runs a command against the daemon, whatever comes of it.
func (w *whispers) tell(args ...string) []byte {
	return w.tells(strings.Join(args, " "), nil, append(args, "--server", "http://"+w.listen)...)
}

func (w *whispers) tells(name string, env []string, args ...string) []byte {
	cmd := exec.Command("mooring", args...)
	cmd.Env = append(append(os.Environ(), "AWS_ENDPOINT_URL="+w.box.URL(), "MOORING_STATE="+w.path("state")), env...)
	out, err := cmd.CombinedOutput()
	w.out["mooring "+name] = fmt.Appendf(out, "\n%v", err)
	return out
}

var pageLinks = regexp.MustCompile(`(?:href|src|action)="(/[^"]*)"`)

// snapshot keeps what the daemon answers now: every route of its API that is
// read, every page that is linked, and its metrics.
func (w *whispers) snapshot(when string) {
	w.t.Helper()
	name := func(path string) string { return "GET " + path + ", " + when }
	var api struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(w.read(name("/api/v1/openapi.json"), w.request("GET", "/api/v1/openapi.json", "")), &api); err != nil || len(api.Paths) < 10 {
		w.t.Fatalf("%d routes: %v", len(api.Paths), err)
	}
	todo := []string{"/metrics", "/healthz", "/readyz", "/", "/decisions"}
	for path, methods := range api.Paths {
		if _, read := methods["get"]; read && path != "/api/v1/events" {
			todo = append(todo, strings.NewReplacer("{name}", "preview", "{resource}", "Function/checkout").Replace(path)+"?environment=preview&limit=1000&point=admission&looks=true")
		}
	}
	seen := map[string]bool{}
	for len(todo) > 0 && len(seen) < 120 {
		path := todo[0]
		todo = todo[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		body := w.read(name(path), w.request("GET", path, ""))
		for _, link := range pageLinks.FindAllSubmatch(body, -1) {
			if to := string(link[1]); !strings.HasPrefix(to, "/api/v1/events") && !strings.Contains(to, "/act/") {
				todo = append(todo, to)
			}
		}
	}
}

// collect keeps all that is left: what commands print, what the daemon wrote,
// and what it told others that are not to know.
func (w *whispers) collect() {
	w.t.Helper()
	w.snapshot("in the end")
	for _, format := range []string{"table", "json"} {
		for _, args := range [][]string{
			{"status"}, {"drift", "--environment", "preview"}, {"plan", "--environment", "preview"}, {"plan", "--environment", "production"},
			{"history", "--limit", "500"}, {"events"}, {"audit"}, {"explain", "Function/checkout", "--environment", "preview"},
			{"rollout", "list", "--environment", "preview"}, {"rollout", "show", "--environment", "preview"}, {"policy", "input", "--point", "admission", "--environment", "preview"},
			{"policy", "input", "--point", "drift", "--environment", "preview"},
		} {
			w.tell(append(args, "-o", format)...)
		}
		w.tells("doctor "+format, w.env, append([]string{"doctor", "--state", w.path("state"), "-o", format}, w.flags[1:]...)...)
	}
	decisions := w.tell("export", "decisions")
	var first struct{ Decision_ID string }
	line, _, _ := strings.Cut(string(decisions), "\n")
	if err := json.Unmarshal([]byte(line), &first); err != nil || first.Decision_ID == "" {
		w.t.Fatalf("no decision in %s: %v", line, err)
	}
	w.tell("explain", first.Decision_ID)
	w.profiles()
	w.tells("journal backup", nil, "journal", "backup", w.path("backup.db"), "--server", "http://"+w.listen)
	w.end()
	w.tells("journal export", nil, "journal", "export", w.path("state/journal.db"))
	w.tells("journal check", nil, "journal", "check", w.path("backup.db"))
	for _, file := range []string{"daemon.log", "state/journal.db", "backup.db"} {
		data, err := os.ReadFile(w.path(file))
		if err != nil {
			w.t.Error(err)
		}
		w.out[file] = data
	}
	w.out["commits"] = w.log()
	for _, p := range w.host.Pulls() {
		w.out[fmt.Sprintf("pull request %d", p.Number)] = fmt.Appendf(nil, "%+v", p)
		for _, c := range p.Comments {
			w.out[fmt.Sprintf("comment %d", c.ID)] = []byte(c.Text)
		}
	}
	w.out["statuses"] = fmt.Appendf(nil, "%+v", w.host.Statuses())
	w.out["alerts"], w.out["traces"] = w.bodies(), w.traces.Raw()
}

// profiles keeps what the daemon says of its own work, unpacked.
func (w *whispers) profiles() {
	w.t.Helper()
	for _, name := range []string{"heap", "allocs", "goroutine", "threadcreate", "profile?seconds=1", "trace?seconds=1"} {
		body := w.read("GET /debug/pprof/"+name, w.request("GET", "/debug/pprof/"+name, "", "Authorization", "Bearer "+w.canaries["the daemon's own token"]))
		if zipped, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			if body, err = io.ReadAll(zipped); err != nil {
				w.t.Errorf("profile %s: %v", name, err)
			}
		}
		if w.out["profile "+name] = body; !bytes.Contains(body, []byte("mooring.dev/")) && name != "threadcreate" && name != "profile?seconds=1" {
			w.t.Errorf("profile %s says nothing in %d bytes", name, len(body))
		}
	}
}

// reached: the secrets were where they are of use, or nothing was tried.
func (w *whispers) reached() {
	for what, e := range map[string]*echo{"Git": w.remote, "AWS": w.cloud, "the host": w.api, "a receiver": w.own, "receivers that fail": w.broken} {
		if len(w.canaries.in(e.all())) == 0 {
			w.t.Errorf("%s was sent no secret", what)
		}
	}
	sent, _ := w.traces.Header()
	if spans := w.traces.Spans(); len(spans) < 50 || sent.Get("Api-Key") != w.canaries["a collector's key"] || !slices.ContainsFunc(spans, func(s collector.Span) bool { return s.Failed != "" }) {
		w.t.Errorf("%d spans were sent, %d headers with them", len(spans), len(sent))
	}
	if len(w.out) < 150 {
		w.t.Errorf("only %d answers, pages and files were looked at", len(w.out))
	}
}

// log is what Mooring's commits say.
func (w *whispers) log() []byte {
	out, err := exec.Command("git", "-C", w.path("shop.git"), "log", "--all", "--format=%an %ae %B").Output()
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// bodies are what the receiver was told, without where it was told.
func (w *whispers) bodies() []byte {
	var out []byte
	for line := range strings.Lines(string(w.own.all())) {
		if !strings.HasPrefix(line, "POST /") {
			out = append(out, line...)
		}
	}
	return out
}
