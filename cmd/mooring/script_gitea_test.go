package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestGitea plays the story of a host against a real Gitea, of $MOORING_GITEA,
// `make gitea`, or PATH. Building one costs minutes, so that CI does without:
// TestHosts plays each kind of host.
func TestGitea(t *testing.T) {
	if giteaProgram() == "" {
		t.Skip("there is no Gitea on this machine: make gitea builds one; $MOORING_GITEA may name one")
	}
	runScripts(t, testscript.Params{Dir: filepath.Join("..", "..", "testdata", "scripts_gitea")})
}

// giteaProgram is the Gitea to speak with; "" when there is none.
func giteaProgram() string {
	for _, path := range []string{os.Getenv("MOORING_GITEA"), filepath.Join("..", "..", "bin", "gitea", "gitea"), "gitea"} {
		if found, err := exec.LookPath(path); path != "" && err == nil {
			if absolute, err := filepath.Abs(found); err == nil {
				return absolute
			}
		}
	}
	return ""
}

// giteaHost is a Gitea with acme/shop, and a token for each person there.
type giteaHost struct {
	url    string
	log    string                      // a line for each request, with whose it was
	run    func(args ...string) string // the program's own commands
	tokens map[string]string
}

// cmdGitea is a real Gitea, and what people do and see there:
//
//	gitea start                     (before the shop: $FORGE_GIT, $HOST_TOKEN, FORGE_API in mooring.yaml)
//	gitea adopt                     (it has the shop's branches from now on)
//	gitea protect BRANCH            (one approval, nobody pushes)
//	gitea webhook                   (of the daemon)
//	gitea open HEAD BASE [OWNER]    (OWNER's fork)
//	gitea fork OWNER BRANCH         (the work tree's commit, $FORK, goes to OWNER's fork)
//	gitea review NUMBER LOGIN approve|reject
//	gitea dismiss NUMBER
//	gitea merge NUMBER
//	gitea close NUMBER
//	gitea pulls COUNT               (so many were ever opened)
//	gitea status BRANCH CONTEXT STATE
//	gitea comment NUMBER REGEXP     (of the one comment)
//	gitea asked MOST                (requests of Mooring's, at most)
func cmdGitea(ts *testscript.TestScript, neg bool, args []string) {
	st := stageOf(ts)
	if len(args) > 0 && args[0] == "start" {
		st.gitea = startGitea(ts)
		return
	}
	g := st.gitea
	if g == nil || len(args) == 0 {
		ts.Fatalf("usage: gitea start, then gitea adopt|protect|webhook|open|fork|review|dismiss|merge|close|pulls|status|comment|asked …")
	}
	switch what := args[0]; {
	case what == "adopt":
		g.adopt(ts)
	case what == "protect":
		g.must(ts, "owner", http.MethodPost, "/branch_protections", map[string]any{"rule_name": args[1], "enable_push": false, "required_approvals": 1})
	case what == "webhook":
		g.must(ts, "owner", http.MethodPost, "/hooks", map[string]any{
			"type": "gitea", "active": true, "events": []string{"push", "create", "delete", "pull_request", "pull_request_sync", "pull_request_review"},
			"config": map[string]string{"url": ts.Getenv("DAEMON") + "/webhooks/gitea", "content_type": "json", "secret": ts.Getenv("HOOK_SECRET")},
		})
	case what == "open":
		head := strings.Join(append(slices.Clone(args[3:]), args[1]), ":")
		g.must(ts, append(args[3:], "dev")[0], http.MethodPost, "/pulls", map[string]any{"head": head, "base": args[2], "title": "bring " + args[1]})
	case what == "fork":
		g.fork(ts, args[1], args[2])
	case what == "review":
		// Its clock tells seconds, and who says something in the one in which the
		// comment changed may not have seen that.
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
		event := map[string]string{"approve": "APPROVED", "reject": "REQUEST_CHANGES"}[args[3]]
		g.must(ts, args[2], http.MethodPost, "/pulls/"+args[1]+"/reviews", map[string]any{"event": event, "body": "looked at"})
	case what == "dismiss":
		var all []struct{ ID int }
		g.into(ts, "/pulls/"+args[1]+"/reviews", &all)
		for _, r := range all {
			g.must(ts, "owner", http.MethodPost, fmt.Sprintf("/pulls/%s/reviews/%d/dismissals", args[1], r.ID), map[string]any{"message": "too hasty"})
		}
	case what == "merge":
		g.merge(ts, neg, args[1])
	case what == "close":
		g.must(ts, "owner", http.MethodPatch, "/pulls/"+args[1], map[string]any{"state": "closed"})
	case what == "asked":
		g.asked(ts, count(ts, args[1]))
	default:
		g.see(ts, args)
	}
}

// asked counts what the daemon has asked for so far, by the server's own log.
func (g *giteaHost) asked(ts *testscript.TestScript, most int) {
	text, err := os.ReadFile(g.log)
	ts.Check(err)
	api, git := 0, 0
	for line := range strings.Lines(string(text)) {
		switch {
		case !strings.Contains(line, " - mooring "):
		case strings.Contains(line, " /api/v1/"):
			api++
		default:
			git++
		}
	}
	ts.Logf("%d requests to the API, %d of Git", api, git)
	if api == 0 || git == 0 || api+git > most {
		ts.Fatalf("%d requests to the API and %d of Git, want some, and at most %d", api, git, most)
	}
}

func startGitea(ts *testscript.TestScript) *giteaHost {
	st, program := stageOf(ts), giteaProgram()
	address, err := freeAddress()
	ts.Check(err)
	work, port := filepath.Join(st.work, "gitea"), address[strings.LastIndexByte(address, ':')+1:]
	g := &giteaHost{url: "http://" + address, log: filepath.Join(work, "log", "access.log"), tokens: map[string]string{}}
	static := ""
	if _, err := os.Stat(filepath.Join(filepath.Dir(program), "templates")); err == nil {
		static = "STATIC_ROOT_PATH = " + filepath.Dir(program)
	}
	conf := filepath.Join(work, "app.ini")
	ts.Check(os.MkdirAll(work, 0o755))
	ts.Check(os.WriteFile(conf, fmt.Appendf(nil, giteaConf, work, port, g.url, static), 0o600))
	env := []string{"GITEA_WORK_DIR=" + work, "GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT=true", "HOME=" + work}
	g.run = func(args ...string) string {
		cmd := exec.Command(program, append([]string{"--config", conf}, args...)...)
		cmd.Env, cmd.Dir = append(environ(ts), env...), work
		out, err := cmd.CombinedOutput()
		if err != nil {
			ts.Fatalf("gitea %s: %v\n%s", args[0], err, out)
		}
		return strings.TrimSpace(string(out))
	}
	g.run("migrate")
	p := st.start(ts, "gitea", env, program, "--config", conf, "web")
	ts.Check(answers(g.url+"/api/v1/version", p, 60*time.Second))
	for _, login := range []string{"owner", "dev", "ann-w", "outsider", "mooring"} { // the first one administers
		scopes := "all"
		if login == "mooring" {
			scopes = "write:repository,write:issue" // as docs/hosts.md says
		}
		g.run("admin", "user", "create", "--username", login, "--email", login+"@shop.example", "--password", "Canary-"+login, "--must-change-password=false")
		out := g.run("admin", "user", "generate-access-token", "--username", login, "--token-name", "script", "--scopes", scopes, "--raw")
		g.tokens[login] = out[strings.LastIndexByte(out, '\n')+1:]
	}
	for _, made := range [][2]string{{"/orgs", `{"username":"acme"}`}, {"/orgs/acme/repos", `{"name":"shop","default_branch":"main"}`}} {
		if status, body := g.answer(ts, "owner", http.MethodPost, made[0], json.RawMessage(made[1])); status != http.StatusCreated {
			ts.Fatalf("%s: %d %s", made[0], status, body)
		}
	}
	for _, login := range []string{"dev", "ann-w", "mooring"} {
		g.must(ts, "owner", http.MethodPut, "/collaborators/"+login, map[string]any{"permission": "write"})
	}
	ts.Setenv("FORGE_GIT", g.url+"/acme/shop.git")
	ts.Setenv("HOST_TOKEN", g.tokens["mooring"])
	ts.Setenv("MOORING_GIT_TOKEN", g.tokens["mooring"])
	pipeline := filepath.Join(st.work, "mooring.yaml")
	text, err := os.ReadFile(pipeline)
	ts.Check(err)
	ts.Check(os.WriteFile(pipeline, bytes.ReplaceAll(text, []byte("FORGE_API"), []byte(g.url)), 0o644))
	return g
}

const giteaConf = `RUN_USER = root
RUN_MODE = prod
WORK_PATH = %s
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = %s
ROOT_URL = %s/
DISABLE_SSH = true
OFFLINE_MODE = true
%s
[database]
DB_TYPE = sqlite3
[security]
INSTALL_LOCK = true
[log]
LEVEL = Warn
logger.access.MODE = file
[log.file]
LEVEL = Info
[webhook]
ALLOWED_HOST_LIST = *
DELIVER_TIMEOUT = 5
[cron]
ENABLED = false
`

// adopt pushes what the shop has, and makes the work tree push here.
func (g *giteaHost) adopt(ts *testscript.TestScript) {
	st := stageOf(ts)
	url := strings.Replace(ts.Getenv("FORGE_GIT"), "http://", "http://dev:"+g.tokens["dev"]+"@", 1)
	ts.Check(ts.Exec("git", "-C", filepath.Join(st.work, "shop.git"), "push", "--quiet", "--all", url))
	ts.Check(ts.Exec("git", "-C", filepath.Join(st.work, "shop"), "remote", "set-url", "origin", url))
}

func (g *giteaHost) fork(ts *testscript.TestScript, owner, branch string) {
	if status, _ := g.answer(ts, owner, http.MethodGet, "/repos/"+owner+"/shop", nil); status == http.StatusNotFound {
		g.must(ts, owner, http.MethodPost, "/forks", map[string]any{})
	}
	url := strings.Replace(g.url, "http://", "http://"+owner+":"+g.tokens[owner]+"@", 1) + "/" + owner + "/shop.git"
	ts.Check(ts.Exec("git", "-C", filepath.Join(stageOf(ts).work, "shop"), "push", "--quiet", url, "HEAD:refs/heads/"+branch))
	head, err := exec.Command("git", "-C", filepath.Join(stageOf(ts).work, "shop"), "rev-parse", "HEAD").Output()
	ts.Check(err)
	ts.Setenv("FORK", strings.TrimSpace(string(head)))
}

// merge squashes; $COMMIT is what it made. Gitea looks at what can be merged
// in the background, so that it may say no for a while.
func (g *giteaHost) merge(ts *testscript.TestScript, neg bool, number string) {
	var last string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		status, body := g.answer(ts, "owner", http.MethodPost, "/repos/acme/shop/pulls/"+number+"/merge", map[string]any{"Do": "squash"})
		if last = fmt.Sprintf("%d %s", status, body); status == http.StatusOK {
			break
		}
		if neg && status == http.StatusMethodNotAllowed && strings.Contains(string(body), "approvals") {
			return
		}
	}
	var made struct {
		Merged bool   `json:"merged"`
		Commit string `json:"merge_commit_sha"`
	}
	if g.into(ts, "/pulls/"+number, &made); made.Merged == neg {
		ts.Fatalf("merged: %v; %s", made.Merged, last)
	}
	ts.Setenv("COMMIT", made.Commit)
}

// see waits until people see something.
func (g *giteaHost) see(ts *testscript.TestScript, args []string) {
	looks := map[string]func() (string, bool){
		"status": func() (string, bool) {
			// Gitea's sort=highestindex is lowest first, and times are of a second.
			var all []struct {
				ID                           int
				Context, Status, Description string
			}
			g.into(ts, "/commits/"+args[1]+"/statuses?limit=50", &all)
			slices.SortFunc(all, func(a, b struct {
				ID                           int
				Context, Status, Description string
			}) int {
				return b.ID - a.ID
			})
			for _, s := range all {
				if s.Context == args[2] {
					return s.Status + ": " + s.Description, s.Status == args[3]
				}
			}
			return fmt.Sprint(all), false
		},
		"comment": func() (string, bool) {
			var all []struct{ Body string }
			g.into(ts, "/issues/"+args[1]+"/comments", &all)
			return fmt.Sprint(all), len(all) == 1 && regexp.MustCompile(args[2]).MatchString(all[0].Body)
		},
		"pulls": func() (string, bool) {
			var all []struct{ Title string }
			g.into(ts, "/pulls?state=all", &all)
			return fmt.Sprint(all), fmt.Sprint(len(all)) == args[1]
		},
	}
	look, ok := looks[args[0]]
	if !ok {
		ts.Fatalf("gitea %s: there is no such act", args[0])
	}
	await(ts, "gitea "+strings.Join(args, " "), look)
}

func (g *giteaHost) into(ts *testscript.TestScript, path string, v any) {
	status, body := g.answer(ts, "owner", http.MethodGet, "/repos/acme/shop"+path, nil)
	if status != http.StatusOK {
		ts.Fatalf("%s: %d %s", path, status, body)
	}
	ts.Check(json.Unmarshal(body, v))
}

func (g *giteaHost) must(ts *testscript.TestScript, login, method, path string, v any) {
	if status, body := g.answer(ts, login, method, "/repos/acme/shop"+path, v); status >= 300 {
		ts.Fatalf("%s %s of %s: %d %s", method, path, login, status, body)
	}
}

func (g *giteaHost) answer(ts *testscript.TestScript, login, method, path string, v any) (int, []byte) {
	var body bytes.Buffer
	if v != nil {
		ts.Check(json.NewEncoder(&body).Encode(v))
	}
	r, err := http.NewRequest(method, g.url+"/api/v1"+path, &body)
	ts.Check(err)
	r.Header.Set("Authorization", "token "+g.tokens[login])
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	ts.Check(err)
	return resp.StatusCode, text
}
