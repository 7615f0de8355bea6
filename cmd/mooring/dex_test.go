package main

import (
	"bufio"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// dexProgram is the Dex of testdata/dex, which `make dex` builds; "" when there
// is none.
func dexProgram() string {
	for _, path := range []string{os.Getenv("MOORING_DEX"), filepath.Join("..", "..", "bin", "dex")} {
		if found, err := exec.LookPath(path); path != "" && err == nil {
			if absolute, err := filepath.Abs(found); err == nil {
				return absolute
			}
		}
	}
	return ""
}

// dexSecret is what everybody and every client proves themselves with there.
const dexSecret = "a real secret + more"

// dexStage is a daemon whose people log in at a real Dex, which need not be up.
type dexStage struct {
	*killStage
	address, page string
	dex           *exec.Cmd
}

// beginDex starts it where the daemon expects it, with new keys.
func (s *dexStage) beginDex(flags ...string) {
	s.t.Helper()
	s.dex = exec.Command(dexProgram(), append([]string{"--listen", s.address, "--back", s.page + "/login/dex/callback", "--password", dexSecret}, flags...)...)
	out, err := s.dex.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.dex.Start(); err != nil {
		s.t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		s.t.Fatalf("Dex says %q: %v", line, err)
	}
}

func (s *dexStage) endDex() {
	if s.dex != nil {
		_ = s.dex.Process.Kill() // it may have ended
		_ = s.dex.Wait()
		s.dex = nil
	}
}

// token is an ID token of a client, for somebody who gives their password.
func (s *dexStage) token(client, scope string) string {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://"+s.address+"/dex/token", strings.NewReader(url.Values{
		"grant_type": {"password"}, "username": {"ann@shop.example"}, "password": {dexSecret}, "scope": {"openid email " + scope},
	}.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(dexSecret))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var said struct {
		Token string `json:"id_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || said.Token == "" {
		s.t.Fatalf("%s: %v", resp.Status, err)
	}
	return said.Token
}

// ask asks the daemon with a token.
func (s *dexStage) ask(bearer, path string) int {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.page+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+bearer)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// refusals are why the daemon let nobody in, newest first, as its audit record
// tells.
func (s *dexStage) refusals() string {
	s.t.Helper()
	own, err := os.ReadFile(s.path("state/token"))
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodGet, s.page+"/api/v1/audit?outcome=refused", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(own)))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// visitor is somebody with a browser: cookies, links and forms.
type visitor struct {
	t    *testing.T
	http *http.Client
	at   *url.URL // of what is shown
	code int
	led  string // where an answer leads that is not followed
	text string
}

func newVisitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, http: &http.Client{Jar: jar, Timeout: 20 * time.Second}}
}

// goes where a link leads, or sends a form there.
func (v *visitor) goes(to string, form url.Values) {
	v.t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		v.t.Fatal(err)
	}
	if v.at != nil {
		target = v.at.ResolveReference(target)
	}
	r, err := http.NewRequest(http.MethodGet, target.String(), nil)
	if form != nil {
		r, err = http.NewRequest(http.MethodPost, target.String(), strings.NewReader(form.Encode()))
	}
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", target.Scheme+"://"+target.Host)
	}
	resp, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	v.at, v.code, v.led, v.text = resp.Request.URL, resp.StatusCode, resp.Header.Get("Location"), string(text)
}

// finds what stands in the page where the pattern has a group.
func (v *visitor) finds(pattern string) string {
	v.t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(v.text)
	if found == nil {
		v.t.Fatalf("%s (%d) does not show %s:\n%s", v.at, v.code, pattern, v.text)
	}
	return html.UnescapeString(found[1])
}

// shows: the page shown is at a path, with a status, and has a text.
func (v *visitor) shows(code int, path, text string) {
	v.t.Helper()
	if v.code != code || v.at.Path != path || !strings.Contains(v.text, text) {
		v.t.Fatalf("%s (%d), want %s (%d) with %q:\n%s", v.at, v.code, path, code, text, regexp.MustCompile(`(?s)<(h1|h2|p) ?[^>]*>.*?</`).FindAllString(v.text, 9))
	}
}

// logsIn at Dex by a connector, from the page that says so; with a password that
// is right after one that is wrong.
func (v *visitor) logsIn(page, connector, login string) {
	v.t.Helper()
	v.goes(page+"/environments/preview", nil)
	v.goes(v.finds(`href="([^"]*/login/dex\?[^"]*)"`), nil)
	v.goes(v.finds(`href="([^"]*/auth/`+connector+`\?[^"]*)"`), nil)
	if login != "" {
		for _, password := range []string{"wrong", dexSecret} {
			v.goes(v.finds(`action="([^"]*)"`), url.Values{"login": {login}, "password": {password}})
			if password == "wrong" {
				v.shows(http.StatusUnauthorized, v.at.Path, "Invalid")
			}
		}
	}
	v.goes(v.at.String(), url.Values{"req": {v.finds(`name="req" value="([^"]*)"`)}, "approval": {"approve"}})
}

// TestDex plays people and a job against a real Dex of $MOORING_DEX or `make
// dex`; the issuer of issuertest plays the same and lies besides. It is away when
// the daemon starts, changes its keys while people are in, goes, and comes back
// with other keys, so that what it signed is worth nothing.
func TestDex(t *testing.T) {
	if dexProgram() == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no Dex: .ci/witnesses builds one")
		}
		t.Skip("there is no Dex on this machine: make dex builds one; $MOORING_DEX may name one")
	}
	t.Parallel()
	s := &dexStage{killStage: openStage(t)}
	t.Cleanup(s.endDex)
	var err error
	if s.listen, err = freeAddress(); err != nil {
		t.Fatal(err)
	}
	if s.address, err = freeAddress(); err != nil {
		t.Fatal(err)
	}
	s.page = "http://" + s.listen
	s.repository(killStages, func(string) { s.write("shop/README.md", "No function yet.\n") })
	s.git("-C", s.path("shop"), "checkout", "-q", "main")
	s.write("shop/mooring.yaml", strings.Replace(killPipeline, "rollout_stages", killStages, 1)+strings.NewReplacer("https://dex.shop.example", "http://"+s.address+"/dex", "groups: engineering", "groups: authors").Replace(shownDex(t)))
	s.git("-C", s.path("shop"), "commit", "-qam", "who logs in")
	s.git("-C", s.path("shop"), "push", "-q", "origin", "main")
	s.flags, s.env = []string{"--insecure-loopback=false"}, []string{"DEX_CLIENT=" + dexSecret}
	s.begin()
	s.poll("ready", func() bool {
		resp, err := http.Get(s.page + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})

	// Away from the start: said so, and found once it is there.
	ann, bob, eve := newVisitor(t), newVisitor(t), newVisitor(t)
	ann.goes(s.page+"/login/dex?to=/", nil)
	ann.shows(http.StatusBadGateway, "/login/dex", "cannot be asked now")
	s.beginDex("--rotate", "20s")
	s.poll("the issuer is found", func() bool {
		time.Sleep(time.Second) // of what is refused, thirty a minute are kept
		ann.goes(s.page+"/login/dex?to=/", nil)
		return ann.code == http.StatusOK
	})

	ann.logsIn(s.page, "local", "ann@shop.example")
	ann.shows(http.StatusOK, "/environments/preview", "ann@shop.example")
	ann.goes("/environments/preview/act/hold", url.Values{"reason": {"a look first"}, "for": {"1h"}})
	ann.shows(http.StatusOK, "/environments/preview", "Accepted: hold")
	s.poll("the hold shows", func() bool {
		ann.goes(s.page+"/environments/preview", nil)
		time.Sleep(100 * time.Millisecond)
		return strings.Contains(ann.text, "by ann@shop.example until")
	})
	bob.logsIn(s.page, "local", "bob@shop.example")
	bob.shows(http.StatusForbidden, "/login/dex/callback", "you have no role here")
	bob.goes(bob.at.String(), nil)
	bob.shows(http.StatusBadRequest, "/login/dex/callback", "was finished before")
	eve.logsIn(s.page, "mock", "")
	eve.shows(http.StatusOK, "/environments/preview", "kilgore@kilgore.trout")
	eve.goes("/environments/preview/act/hold", url.Values{"reason": {"me too"}, "for": {"1h"}})
	eve.shows(http.StatusOK, "/environments/preview", "Refused: kilgore@kilgore.trout may not operate in preview")

	// A job, and those whose token is for something else.
	job := s.token("mooring-api", "")
	s.allows("a job", job, true)
	s.allows("another client's", s.token("another", ""), false)
	s.allows("a login's", s.token("mooring", ""), false)
	s.allows("another client's, for jobs too", s.token("another", "audience:server:client_id:mooring-api"), true)
	status := exec.Command("mooring", "status", "--server", s.page, "-o", "json")
	status.Env = append(os.Environ(), "MOORING_TOKEN="+job)
	if out, err := status.CombinedOutput(); err != nil || !strings.Contains(string(out), `"preview"`) {
		t.Errorf("status by a job: %v\n%s", err, out)
	}

	// It changes its keys as it does every few hours, which nobody notices.
	s.poll("its keys change", func() bool { return s.keys() > 1 })
	s.allows("a job, with a key of before", job, true)
	s.allows("a job, with a new key", s.token("mooring-api", ""), true)
	ann.goes(s.page+"/environments/preview", nil)
	ann.shows(http.StatusOK, "/environments/preview", "ann@shop.example")

	// It goes while somebody logs in. Who is in stays in.
	bob.goes(s.page+"/login/dex?to=/", nil)
	bob.goes(bob.finds(`href="([^"]*/auth/mock\?[^"]*)"`), nil)
	approve := url.Values{"req": {bob.finds(`name="req" value="([^"]*)"`)}, "approval": {"approve"}}
	bob.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	bob.goes(bob.at.String(), approve)
	answer := bob.led
	s.endDex()
	bob.goes(answer, nil)
	bob.shows(http.StatusBadGateway, "/login/dex/callback", "cannot be asked now")
	s.allows("a job, the issuer away", job, true)
	ann.goes(s.page+"/environments/preview", nil)
	ann.shows(http.StatusOK, "/environments/preview", "ann@shop.example")

	// It comes back with other keys: what was signed before proves nobody from then
	// on, and what runs out does neither.
	s.beginDex("--valid", "5s")
	var short string
	s.poll("the new key is found", func() bool {
		time.Sleep(time.Second)
		short = s.token("mooring-api", "")
		return s.ask(short, "/api/v1/status") == http.StatusOK
	})
	s.allows("a job, with a key that is no more", job, false)
	s.poll("the token runs out", func() bool { return s.ask(short, "/api/v1/status") == http.StatusUnauthorized })

	// Out is out, also for who kept the cookie.
	old := ann.http.Jar.Cookies(ann.at)
	ann.goes("/logout", url.Values{})
	ann.shows(http.StatusOK, "/login", "You are logged out here")
	ann.http.Jar.SetCookies(ann.at, old)
	ann.goes(s.page+"/environments/preview", nil)
	ann.shows(http.StatusUnauthorized, "/environments/preview", "Log in")
	for _, want := range []string{"ask issuer", "expected audience", "failed to verify signature", "token is expired", "none of the claims that give a role", "take the code up: dial tcp"} {
		if told := s.refusals(); !strings.Contains(told, want) {
			t.Errorf("the audit record does not tell %q:\n%s", want, told)
		}
	}
}

// allows: the daemon answers who has this token, or not.
func (s *dexStage) allows(what, bearer string, want bool) {
	s.t.Helper()
	if code := s.ask(bearer, "/api/v1/status"); (code == http.StatusOK) != want {
		s.t.Errorf("%s: %d\n%.900s", what, code, s.refusals())
	}
}

// keys are how many Dex has now.
func (s *dexStage) keys() int {
	s.t.Helper()
	resp, err := http.Get("http://" + s.address + "/dex/keys")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var set struct{ Keys []any }
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
		s.t.Fatal(err)
	}
	return len(set.Keys)
}

// shownDex is the way in that docs/security.md shows for Dex.
func shownDex(t *testing.T) string {
	t.Helper()
	block := regexp.MustCompile("(?s)<!-- dex -->\n```yaml\n(.*?)```").FindStringSubmatch(readRoot(t, "docs/security.md"))
	if block == nil {
		t.Fatal("docs/security.md shows no Dex")
	}
	return regexp.MustCompile(`(?m)^`).ReplaceAllString(block[1], "  ")
}
