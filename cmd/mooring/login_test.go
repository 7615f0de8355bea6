package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"mooring.dev/reconciler/diagnose"
	"mooring.dev/reconciler/identity/issuertest"
	"mooring.dev/reconciler/web/browsertest"
	"mooring.dev/sources/manifest"
)

// TestLoginJourney: in a real browser somebody who has no token comes to the
// page of the real program, logs in at an issuer by keyboard, is led to where
// they wanted to go, holds an environment, finds the record of it, and goes.
func TestLoginJourney(t *testing.T) {
	t.Parallel()
	needWitness(t, "chromium")
	s := openStage(t)
	var err error
	if s.listen, err = freeAddress(); err != nil {
		t.Fatal(err)
	}
	page := "http://" + s.listen
	issuer := issuertest.Start(t, &issuertest.Issuer{Client: "mooring", Secret: "a client's secret", Redirects: []string{page + "/login/shop/callback"},
		People: map[string]map[string]any{"ann": {"preferred_username": "ann", "groups": []string{"release-managers"}}}})
	s.repository(killStages, func(string) { s.write("shop/README.md", "No function yet.\n") })
	s.git("-C", s.path("shop"), "checkout", "-q", "main")
	declared := strings.NewReplacer("https://id.example.com/realms/shop", issuer.URL, "[production]", "[preview]").Replace(shownLogin(t))
	s.write("shop/mooring.yaml", strings.Replace(killPipeline, "rollout_stages", killStages, 1)+declared)
	s.git("-C", s.path("shop"), "commit", "-qam", "who logs in")
	s.git("-C", s.path("shop"), "push", "-q", "origin", "main")
	s.flags, s.env = []string{"--insecure-loopback=false"}, []string{"SHOP_CLIENT=a client's secret"}
	s.begin()
	s.poll("ready", func() bool {
		resp, err := http.Get(page + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})

	tab := browsertest.Start(t, "chromium").Open(page + "/environments/preview")
	tab.Await(`document.querySelector("h1").innerText === "Log in to Mooring"`)
	for _, dark := range []bool{false, true} {
		tab.Dark(dark)
		if nameless, faint := tab.Nameless(), tab.Faint(); len(nameless) > 0 || len(faint) > 0 || tab.Wide() > 0 {
			t.Errorf("dark %v: nameless %v, faint %v", dark, nameless, faint)
		}
	}
	tab.Picture("login")
	tab.TabTo("#way-shop")
	tab.Press("Enter")
	tab.Await(`document.querySelector("h1").innerText === "Who are you?"`)
	tab.TabTo("[name=as]")
	tab.Type("nobody")
	tab.Press("Enter")
	tab.Await(`/did not log you in/.test(document.querySelector("[role=alert]")?.innerText)`)
	tab.Goto(page + "/environments/preview")
	tab.Click("#way-shop")
	tab.Await(`document.querySelector("h1").innerText === "Who are you?"`)
	tab.TabTo("[name=as]")
	tab.Type("ann")
	tab.Press("Enter")
	tab.Await(`location.pathname === "/environments/preview" && document.querySelector(".who").innerText === "ann"`)
	tab.TabTo("#hold > summary")
	tab.Press("Enter")
	tab.TabTo("#hold input[name=reason]")
	tab.Type("a look first")
	tab.TabTo("#hold button")
	tab.Press(" ")
	tab.Await(`document.querySelector("#holds").innerText.includes("by ann until")`)
	tab.Goto(page + "/decisions")
	tab.Await(`/holds/.test(document.body.innerText) && document.body.innerText.includes("oidc:` + issuer.URL + `|id-ann")`)
	tab.Click("form.out button")
	tab.Await(`/You are logged out/.test(document.querySelector("[role=status]")?.innerText)`)
	tab.Goto(page + "/environments/preview")
	tab.Await(`document.querySelector("h1").innerText === "Log in to Mooring"`)
	if heard := issuer.Heard(); len(heard) > 0 {
		t.Errorf("the issuer refused %v", heard)
	}
}

// shownLogin is the way in that docs/first-week.md shows.
func shownLogin(t *testing.T) string {
	t.Helper()
	block := regexp.MustCompile("(?s)<!-- login -->\n```yaml\n(.*?)```").FindStringSubmatch(readRoot(t, "docs/first-week.md"))
	if block == nil {
		t.Fatal("docs/first-week.md shows no login")
	}
	return block[1]
}

// TestTheDoctorLooksAtLogins: what can be seen of them without a person.
func TestTheDoctorLooksAtLogins(t *testing.T) {
	for name, c := range map[string]struct {
		lies   func(map[string]any)
		secret *manifest.Secret
		want   diagnose.Result
		says   string
	}{
		"a public client":      {nil, nil, diagnose.OK, "PAGE/login/shop/callback"},
		"a secret to be read":  {nil, &manifest.Secret{FromEnv: "PATH"}, diagnose.OK, "secret"},
		"a secret that is not": {nil, &manifest.Secret{FromEnv: "MOORING_TEST_NOT_SET"}, diagnose.Fault, "MOORING_TEST_NOT_SET"},
		"no S256":              {func(s map[string]any) { s["code_challenge_methods_supported"] = []string{"plain"} }, nil, diagnose.Fault, "S256"},
		"nothing about it":     {func(s map[string]any) { delete(s, "code_challenge_methods_supported") }, nil, diagnose.Warning, "S256"},
		"no place for people":  {func(s map[string]any) { delete(s, "authorization_endpoint") }, nil, diagnose.Fault, "authorization_endpoint"},
	} {
		issuer := issuertest.Start(t, &issuertest.Issuer{SaysOfItself: c.lies})
		checks := ofIssuers(t.Context(), []manifest.Issuer{{URL: issuer.URL, Audience: "x", Login: &manifest.IssuerLogin{Name: "shop", Client: "mooring", Secret: c.secret}}})
		if len(checks) != 2 || checks[1].Name != "login" || checks[1].Scope != "shop" || checks[1].Result != c.want || !strings.Contains(checks[1].Found, c.says) {
			t.Errorf("%s: %+v", name, checks)
		}
	}
}

// Where people are sent back to is no place that others can read along.
func TestWhereIssuersFindThePage(t *testing.T) {
	for _, c := range []struct{ page, listen, listens, want string }{
		{"https://mooring.example/", "0.0.0.0:8420", "http://[::]:8420", "https://mooring.example"},
		{"", "127.0.0.1:0", "http://127.0.0.1:4711", "http://127.0.0.1:4711"},
		{"", "[::1]:8420", "http://[::1]:8420", "http://[::1]:8420"},
		{"http://localhost:8420", "127.0.0.1:8420", "http://127.0.0.1:8420", "http://localhost:8420"},
		{"http://mooring.example", "0.0.0.0:8420", "http://[::]:8420", ""},
		{"", "0.0.0.0:8420", "http://[::]:8420", ""},
		{"", "192.0.2.1:8420", "http://192.0.2.1:8420", ""},
	} {
		f := &runFlags{pageURL: c.page, listen: c.listen}
		if got := f.reachedAt(c.listens); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
