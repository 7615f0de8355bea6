package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
)

// tabbed are the candidates for a line, as a shell asks for them.
func tabbed(t *testing.T, line ...string) []string {
	t.Helper()
	root := rootCommand()
	var out, said bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&said)
	root.SetArgs(append([]string{"__complete"}, line...))
	check(t, root.ExecuteContext(t.Context()))
	if said := said.String(); strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "Completion ended with directive: ShellCompDirectiveNoFileComp") {
		t.Errorf("%q: said %q", line, said)
	}
	var found []string
	for text := range strings.Lines(out.String()) {
		if name, _, _ := strings.Cut(strings.TrimSpace(text), "\t"); !strings.HasPrefix(name, ":") {
			found = append(found, name)
		}
	}
	return found
}

// news is a daemon as far as completion asks it.
func news(t *testing.T) *httptest.Server {
	t.Helper()
	answers := map[string]any{
		"/api/v1/status": web.Status{Receivers: []string{"mail", "oncall"}, Environments: []web.EnvironmentStatus{
			{Name: "preview", State: "in_sync", Content: "sha256:aaaaaaaaaaaaaaaa", Checks: []web.CheckStatus{{Name: "acceptance"}}},
			{Name: "production", State: "held", Holds: []web.HoldStatus{{ID: "hold-12", Kind: "manual", Reason: "one\nand two"}}}}},
		"/api/v1/environments/preview/resources":   web.ResourcePage{Resources: []web.ResourceStatus{{Resource: "Function/checkout"}, {Resource: "Queue/orders"}}},
		"/api/v1/environments/preview/drift":       web.Drift{Items: []web.DriftItem{{ID: "0966", Resource: "Function/checkout", Path: "timeout", Kind: "changed"}, {ID: "1b2c", Resource: "Url/checkout", Kind: "extra"}}},
		"/api/v1/environments/production/rollouts": []web.Rollout{{Release: record.Release{Commit: "1234567890abcdef"}}, {Release: record.Release{Commit: "1234567890abcdef"}}},
		"/api/v1/decisions":                        web.DecisionPage{Decisions: []web.RecordedDecision{{Line: `{"decision_id":"dec_1","path":"policy/admission"}`}}},
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := answers[r.URL.Path]
		if !ok || r.Header.Get("Authorization") != "Bearer mine" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_ = json.NewEncoder(w).Encode(a) // the test reads what comes of it
	}))
	t.Cleanup(s.Close)
	return s
}

func TestNamesAreCompletedFromTheDaemon(t *testing.T) {
	t.Setenv("MOORING_SERVER", news(t).URL)
	t.Setenv("MOORING_TOKEN", "mine")
	state := t.TempDir()
	t.Setenv("MOORING_STATE", state)
	check(t, os.WriteFile(filepath.Join(state, tokensFile), []byte(`{"tokens":[{"id":"t1","name":"ann","digest":"d1"},{"id":"t2","name":"bob","digest":"d2","revoked":"2026-01-01T00:00:00Z"}]}`), 0o600))
	for line, want := range map[string]string{
		"status --output ":                          "table json yaml",
		"plan --environment ":                       "preview production",
		"plan --environment pro":                    "production",
		"doctor --environment preview,pro":          "preview,production",
		"hold --environment preview ":               "Function/checkout Queue/orders",
		"hold --environment preview Qu":             "Queue/orders",
		"hold --environment preview Queue/a ":       "",
		"resume ":                                   "hold-12",
		"resume --environment preview ":             "",
		"rollback --environment production --to ":   "1234567890ab",
		"rollout show --environment production 123": "1234567890ab",
		"explain dec":                               "dec_1",
		"alert test ":                               "mail oncall",
		"check pass ":                               "preview production",
		"check pass preview ":                       "acceptance",
		"check pass preview acceptance ":            "",
		"approve --environment staging --content ":  "aaaaaaaaaaaa",
		"schema Sch":                                "Schedule",
		"drift revert --environment preview ":       "0966 1b2c",
		"drift accept ":                             "0966 1b2c",
		"drift revert --environment preview 0966 ":  "",
		"policy eval --point ro":                    "rollout",
		"token revoke ":                             "ann",
		"status ":                                   "",
	} {
		if got := tabbed(t, strings.Split(line, " ")...); strings.Join(got, " ") != want {
			t.Errorf("%q: offered %q, want %q", line, got, want)
		}
	}
}

// Whoever does not answer is not waited for longer than a second, and the
// folder that the line names is read instead.
func TestCompletionWaitsForNobody(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, never answers
	check(t, err)
	t.Cleanup(func() { check(t, silent.Close()) })
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "mooring.yaml"), []byte("apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: shop}\nspec:\n  environments: [{name: here, provider: {memory: {}}}]\n"), 0o644))
	check(t, os.WriteFile(filepath.Join(dir, "q.yaml"), []byte("apiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: jobs}\n"), 0o644))
	began := time.Now()
	t.Setenv("MOORING_SERVER", "http://"+silent.Addr().String())
	for _, line := range [][]string{{"history", "--environment", ""}, {"hold", ""}, {"plan", "--repo", filepath.Join(dir, "nowhere"), "--environment", ""}} {
		if got := tabbed(t, line...); len(got) != 0 {
			t.Errorf("%q: offered %q", line, got)
		}
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %s", took)
	}
	t.Setenv("MOORING_SERVER", "http://127.0.0.1:1")
	if got := tabbed(t, "validate", "--path", dir, "--environment", ""); !slices.Equal(got, []string{"here"}) {
		t.Errorf("of a folder offered %q", got)
	}
	t.Setenv("MOORING_PATH", dir)
	if got := tabbed(t, "hold", ""); !slices.Equal(got, []string{"Queue/jobs"}) {
		t.Errorf("of a folder offered %q", got)
	}
}
