package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/identity"
	"mooring.dev/reconciler/identity/issuertest"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

const loginPageURL = "https://mooring.shop.example"

// entrance is a page with two issuers, and a browser before it.
type entrance struct {
	t       *testing.T
	h       http.Handler
	issuer  *issuertest.Issuer
	issuers []manifest.Issuer
	book    *shelf
	fake    *fake
	now     time.Time
	secret  string
	cookies map[string]string
	set     []*http.Cookie // by the last answer
}

func newEntrance(t *testing.T) *entrance {
	t.Helper()
	e := &entrance{t: t, now: noon, book: &shelf{}, fake: &fake{}, secret: "the secret of a client", cookies: map[string]string{}}
	e.issuer = issuertest.Start(t, &issuertest.Issuer{
		Client: "mooring", Secret: e.secret, Redirects: []string{loginPageURL + "/login/shop/callback"}, Now: func() time.Time { return e.now },
		People: map[string]map[string]any{"ann": {"login": "ann", "groups": []string{"operators"}}, "bob": {"login": "bob"}, "eve": {"login": "eve", "sub": nil, "groups": []string{"operators"}}},
	})
	e.issuers = []manifest.Issuer{
		{URL: e.issuer.URL, Audience: "mooring-api", Name: "login", Teams: "groups",
			Login: &manifest.IssuerLogin{Name: "shop", Label: "the shop's accounts", Client: "mooring", Secret: &manifest.Secret{FromEnv: "IT"}, Scopes: []string{"groups"}},
			Roles: []manifest.IssuerRole{{Role: "operator", Claims: map[string]string{"groups": "operators"}}}},
		{URL: "https://other.example", Audience: "x", Name: "sub", Login: &manifest.IssuerLogin{Name: "other", Client: "c"}, Roles: []manifest.IssuerRole{{Role: "viewer", Claims: map[string]string{"sub": "*"}}}},
	}
	clock := func() time.Time { return e.now }
	e.h = serve(t, e.fake, func(o *Options) {
		o.Audit, o.Now, o.HTTPS, o.PageURL = e.book, clock, true, loginPageURL
		o.Logins = identity.Logins{Verifier: identity.New(clock, nil), Known: func() manifest.Identity { return manifest.Identity{Issuers: e.issuers} },
			Back: func(way string) string { return loginPageURL + Back(way) }, Secret: func(manifest.Secret) (string, error) { return e.secret, nil }}
	})
	return e
}

// ask sends what a browser sends, and keeps the cookies it is given.
func (e *entrance) ask(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	var cookies []string
	for name, value := range e.cookies {
		cookies = append(cookies, name+"="+value)
	}
	headers = append([]string{"Accept", "text/html", "Cookie", strings.Join(cookies, "; "), "Content-Type", "application/x-www-form-urlencoded"}, headers...)
	w := ask(e.h, method, target, body, headers...)
	e.set = w.Result().Cookies()
	for _, c := range e.set {
		if e.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(e.cookies, c.Name)
		}
	}
	return w
}

// atIssuer begins, logs in there as somebody, and is the place led back to.
func (e *entrance) atIssuer(to, as string) string {
	e.t.Helper()
	w := e.ask("GET", "/login/shop?to="+url.QueryEscape(to), "")
	if w.Code != http.StatusSeeOther {
		e.t.Fatalf("begin: %d %s", w.Code, w.Body)
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Get(w.Header().Get("Location") + "&as=" + as)
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	back, ok := strings.CutPrefix(resp.Header.Get("Location"), loginPageURL)
	if !ok {
		e.t.Fatalf("the issuer leads to %q (%d, refused %v)", resp.Header.Get("Location"), resp.StatusCode, e.issuer.Heard())
	}
	return back
}

func (e *entrance) in() bool { return e.ask("GET", "/decisions", "").Code == http.StatusOK }

// TestALoginAtAnIssuer: a person comes in, does something, and goes; the record
// tells who it was and how that was proved.
func TestALoginAtAnIssuer(t *testing.T) {
	e := newEntrance(t)
	if w := e.ask("GET", "/environments/preview?q=x", ""); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), loginPageURL+`/login/shop?to=%2Fenvironments%2Fpreview%3Fq%3Dx"`) {
		t.Errorf("a stranger: %d %s", w.Code, w.Body)
	}
	e.cookies["__Host-mooring"] = "chosen-by-somebody-else"
	w := e.ask("GET", e.atIssuer("/environments/preview?q=x", "ann"), "")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/environments/preview?q=x" {
		t.Fatalf("%d to %q: %s", w.Code, w.Header().Get("Location"), w.Body)
	}
	i := slices.IndexFunc(e.set, func(c *http.Cookie) bool { return c.Name == "__Host-mooring" })
	if c := e.set[i]; !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge != 300 || len(c.Value) < 40 {
		t.Errorf("the session's cookie: %+v", c)
	}
	if e.cookies["__Host-mooring-login"] != "" {
		t.Error("the attempt's cookie is still there")
	}
	first := e.cookies["__Host-mooring"]
	if w := e.ask("GET", "/", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `action="/logout"`) || !strings.Contains(w.Body.String(), ">ann<") {
		t.Errorf("the page: %d %s", w.Code, w.Body)
	}
	if e.ask("POST", "/environments/preview/act/sync", "reason=now"); len(e.fake.asked) != 1 || e.fake.asked[0] != "sync preview by ann" {
		t.Errorf("done: %v", e.fake.asked)
	}
	e.ask("GET", e.atIssuer("/", "ann"), "")
	if now := e.cookies["__Host-mooring"]; now == first || ask(e.h, "GET", "/", "", "Cookie", "__Host-mooring="+first).Code != http.StatusUnauthorized {
		t.Error("a new login goes on in the session before it")
	}
	last := e.cookies["__Host-mooring"]
	if w := e.ask("POST", "/logout", "", "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden || !e.in() {
		t.Errorf("another site logs somebody out: %d", w.Code)
	}
	if w := e.ask("POST", "/logout", "", "Sec-Fetch-Site", "same-origin"); w.Code != http.StatusSeeOther || e.in() {
		t.Errorf("logout: %d", w.Code)
	}
	e.cookies["__Host-mooring"] = last
	if e.in() {
		t.Error("who kept the cookie is still in")
	}
	proof := "oidc:" + e.issuer.URL + "|id-ann"
	var acts []string
	for _, a := range e.book.kept {
		if a.Outcome == record.AuditDone {
			acts = append(acts, a.Act+" "+a.Target)
			if a.Who != "ann" || a.Proof != proof {
				t.Errorf("%+v", a)
			}
		}
	}
	if want := []string{"login by=shop", "sync ", "login by=shop", "logout "}; !slices.Equal(acts, want) {
		t.Errorf("recorded: %q, want %q", acts, want)
	}
}

// TestLoginsThatAreRefused: what is not a login of this browser, at this issuer,
// now and for the first time, lets nobody in, and its sender reads nothing that
// the issuer wrote.
func TestLoginsThatAreRefused(t *testing.T) {
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claim := func(name string, value any) func(*entrance) {
		return func(e *entrance) { e.issuer.Signs = func(c map[string]any) { c[name] = value } }
	}
	back := func(change func(url.Values)) func(*entrance) {
		return func(e *entrance) { e.issuer.SendsBack = change }
	}
	answers := func(name string, value any) func(*entrance) {
		return func(e *entrance) { e.issuer.Answers = func(a map[string]any) { a[name] = value } }
	}
	replace := func(name, value string) func(*entrance, string) string {
		return func(_ *entrance, target string) string {
			u, _ := url.Parse(target)
			q := u.Query()
			q.Set(name, value)
			return u.Path + "?" + q.Encode()
		}
	}
	for name, c := range map[string]struct {
		as     string
		lies   func(*entrance)
		comes  func(*entrance, string) string
		status int
		code   string
		why    string // in the record
	}{
		"said no at the issuer":   {as: "nobody", status: 403, code: auditUnknown, why: "access_denied"},
		"no role":                 {as: "bob", status: 403, code: auditForbidden, why: "none of the claims"},
		"no subject":              {as: "eve", status: 403, code: auditForbidden, why: "no subject"},
		"another login's state":   {comes: replace("state", "AAAAAAAAAAAAAAAAAAAAAAAAAA"), status: 400, code: auditUnknown, why: "another login"},
		"no state":                {comes: replace("state", ""), status: 400, code: auditUnknown, why: "another login"},
		"two states":              {comes: func(_ *entrance, target string) string { return target + "&state=x" }, status: 403, code: auditUnknown, why: "more than one state"},
		"another browser":         {comes: func(e *entrance, target string) string { clear(e.cookies); return target }, status: 400, code: auditUnknown, why: "not begun in this browser"},
		"a cookie somebody made":  {comes: func(e *entrance, target string) string { e.cookies["__Host-mooring-login"] = "AAAA"; return target }, status: 400, code: auditUnknown, why: "not begun here"},
		"another's attempt":       {comes: func(e *entrance, target string) string { e.ask("GET", "/login/shop", ""); return target }, status: 400, code: auditUnknown, why: "another login"},
		"too late":                {comes: func(e *entrance, target string) string { e.now = e.now.Add(attemptLong); return target }, status: 400, code: auditUnknown, why: "took too long"},
		"at another issuer's":     {comes: func(_ *entrance, target string) string { return strings.Replace(target, "/shop/", "/other/", 1) }, status: 400, code: auditUnknown, why: "another issuer answers"},
		"names another issuer":    {lies: back(func(v url.Values) { v.Set("iss", "https://other.example") }), status: 403, code: auditUnknown, why: "another issuer's"},
		"names no issuer":         {lies: back(func(v url.Values) { v.Del("iss") }), status: 403, code: auditUnknown, why: "does not name"},
		"names two":               {lies: back(func(v url.Values) { v.Add("iss", "https://other.example") }), status: 403, code: auditUnknown, why: "more than one iss"},
		"no code":                 {lies: back(func(v url.Values) { v.Del("code") }), status: 403, code: auditUnknown, why: "no code"},
		"a code nobody gave":      {comes: replace("code", "guessed"), status: 403, code: auditUnknown, why: "invalid_grant"},
		"another login's code":    {comes: othersCode, status: 403, code: auditUnknown, why: "invalid_grant"},
		"an issuer's fault":       {lies: back(func(v url.Values) { v.Del("code"); v.Set("error", "server_error") }), status: 502, code: auditFault, why: "server_error"},
		"a text for an error":     {lies: back(func(v url.Values) { v.Set("error", "<script>alert(1)</script>") }), status: 403, code: auditUnknown, why: "no code of the standard"},
		"signed by another":       {lies: func(e *entrance) { e.issuer.SignsWith = stranger }, status: 403, code: auditUnknown, why: "signature"},
		"for another client":      {lies: claim("aud", "another"), status: 403, code: auditUnknown, why: "audience"},
		"for the API":             {lies: claim("aud", "mooring-api"), status: 403, code: auditUnknown, why: "audience"},
		"for two, by nobody":      {lies: claim("aud", []string{"mooring", "another"}), status: 403, code: auditUnknown, why: "another client"},
		"given to another":        {lies: claim("azp", "another"), status: 403, code: auditUnknown, why: "another client"},
		"of another issuer":       {lies: claim("iss", "https://other.example"), status: 403, code: auditUnknown, why: "different provider"},
		"another nonce":           {lies: claim("nonce", "AAAAAAAAAAAAAAAAAAAAAAAAAA"), status: 403, code: auditUnknown, why: "another login"},
		"no nonce":                {lies: claim("nonce", nil), status: 403, code: auditUnknown, why: "another login"},
		"run out":                 {lies: claim("exp", noon.Add(-time.Second).Unix()), status: 403, code: auditUnknown, why: "expired"},
		"not begun":               {lies: claim("nbf", noon.Add(time.Hour).Unix()), status: 403, code: auditUnknown, why: "nbf"},
		"very long":               {lies: claim("pad", strings.Repeat("x", 20<<10)), status: 403, code: auditUnknown, why: "bytes"},
		"no ID token":             {lies: answers("id_token", nil), status: 403, code: auditUnknown, why: "no ID token"},
		"unsigned":                {lies: answers("id_token", encoded(`{"alg":"none"}`)+"."+encoded(`{"sub":"id-ann"}`)+"."), status: 403, code: auditUnknown, why: "alg"},
		"no token at all":         {lies: answers("access_token", ""), status: 403, code: auditUnknown, why: "no token"},
		"the code is refused":     {lies: func(e *entrance) { e.issuer.Fails = 400 }, status: 403, code: auditUnknown, why: "no code of the standard"},
		"the code leads on":       {lies: func(e *entrance) { e.issuer.Fails = 302 }, status: 403, code: auditUnknown, why: "no code of the standard"},
		"the issuer breaks":       {lies: func(e *entrance) { e.issuer.Fails = 500 }, status: 502, code: auditFault, why: "has a fault"},
		"another client's secret": {comes: func(e *entrance, target string) string { e.secret = "another"; return target }, status: 403, code: auditUnknown, why: "invalid_client"},
		"no secret any more":      {comes: func(e *entrance, target string) string { e.secret = ""; return target }, status: 502, code: auditFault, why: "secret of login shop"},
		"no login any more":       {comes: func(e *entrance, target string) string { e.issuers[0].Login = nil; return target }, status: 403, code: auditUnknown, why: "no issuer has a login"},
		"finished before":         {comes: finished, status: 400, code: auditUnknown, why: "taken up before"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEntrance(t)
			if c.lies != nil {
				c.lies(e)
			}
			if c.as == "" {
				c.as = "ann"
			}
			target := e.atIssuer("/", c.as)
			if c.comes != nil {
				target = c.comes(e, target)
			}
			e.book.kept = nil
			w := e.ask("GET", target, "")
			if w.Code != c.status || !strings.Contains(w.Body.String(), `role="alert"`) || e.cookies["__Host-mooring"] != "" || e.in() {
				t.Errorf("%d, want %d, cookies %v: %s", w.Code, c.status, e.cookies, w.Body)
			}
			if len(e.book.kept) == 0 || e.book.kept[0].Code != c.code || e.book.kept[0].Act != "login" || e.book.kept[0].Outcome != record.AuditRefused {
				t.Errorf("recorded: %+v", e.book.kept)
			}
			if len(e.book.kept) > 0 && !strings.Contains(e.book.kept[0].Detail, c.why) {
				t.Errorf("refused because %q, want because %q", e.book.kept[0].Detail, c.why)
			}
			text, err := json.Marshal(e.book.kept)
			if err != nil {
				t.Fatal(err)
			}
			for _, no := range []string{"alert(1)", "invalid_thing", "a text of the issuer's", "the secret of a client", "eyJ", "guessed"} {
				if strings.Contains(w.Body.String(), no) || strings.Contains(string(text), no) {
					t.Errorf("%q is told:\n%s\n%s", no, w.Body, text)
				}
			}
		})
	}
}

// othersCode is an answer with the code of somebody else's login.
func othersCode(e *entrance, target string) string {
	other := &entrance{t: e.t, h: e.h, issuer: e.issuer, cookies: map[string]string{}}
	theirs, _ := url.Parse(other.atIssuer("/", "ann"))
	ours, _ := url.Parse(target)
	q := ours.Query()
	q.Set("code", theirs.Query().Get("code"))
	return ours.Path + "?" + q.Encode()
}

// finished is the address of a login that was taken up, with the cookie of then.
func finished(e *entrance, target string) string {
	was := e.cookies["__Host-mooring-login"]
	if w := e.ask("GET", target, ""); w.Code != http.StatusSeeOther {
		e.t.Fatalf("%d %s", w.Code, w.Body)
	}
	clear(e.cookies)
	e.cookies["__Host-mooring-login"] = was
	return target
}

// An issuer that cannot be used shuts nobody out who has a token.
func TestIssuersThatCannotBeUsed(t *testing.T) {
	for name, lies := range map[string]func(map[string]any){
		"takes no S256":         func(s map[string]any) { s["code_challenge_methods_supported"] = []string{"plain"} },
		"sends codes in clear":  func(s map[string]any) { s["token_endpoint"] = "http://issuer.example/token" },
		"sends people in clear": func(s map[string]any) { s["authorization_endpoint"] = "http://issuer.example/authorize" },
		"leads to a script":     func(s map[string]any) { s["authorization_endpoint"] = "javascript:alert(1)" },
		"takes no secrets":      func(s map[string]any) { s["token_endpoint_auth_methods_supported"] = []string{"private_key_jwt"} },
		"is another":            func(s map[string]any) { s["issuer"] = "https://other.example" },
	} {
		e := newEntrance(t)
		e.issuer.SaysOfItself = lies
		if w := e.ask("GET", "/login/shop", ""); w.Code != http.StatusBadGateway || !strings.Contains(w.Body.String(), `name="token"`) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if w := e.ask("POST", "/login", "token=the-token&to=%2Fdecisions"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/decisions" || !e.in() {
			t.Errorf("%s: a token beside it: %d %s", name, w.Code, w.Body)
		}
	}
	e := newEntrance(t)
	if w := e.ask("GET", "/login/nowhere", ""); w.Code != http.StatusNotFound {
		t.Errorf("an issuer nobody named: %d", w.Code)
	}
}

// TestSessionsEnd: with the ID token, or as mooring.yaml says; at once with the
// role, with the login, with the daemon's word.
func TestSessionsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*entrance)
		still  bool
	}{
		"just before":       {func(e *entrance) { e.now = e.now.Add(5*time.Minute - time.Second) }, true},
		"with the ID token": {func(e *entrance) { e.now = e.now.Add(5 * time.Minute) }, false},
		"another role": {func(e *entrance) {
			e.issuers[0].Roles = []manifest.IssuerRole{{Role: "viewer", Claims: map[string]string{"sub": "*"}}}
		}, true},
		"without a role":      {func(e *entrance) { e.issuers[0].Roles = nil }, false},
		"without a login":     {func(e *entrance) { e.issuers[0].Login = nil }, false},
		"of another client":   {func(e *entrance) { e.issuers[0].Login = &manifest.IssuerLogin{Name: "shop", Client: "another"} }, false},
		"without the issuer":  {func(e *entrance) { e.issuers = nil }, false},
		"the issuer is away":  {func(e *entrance) { e.issuer.Fails = 500 }, true},
		"the clock went back": {func(e *entrance) { e.now = e.now.Add(-time.Hour) }, true},
	} {
		e := newEntrance(t)
		if e.ask("GET", e.atIssuer("/", "ann"), ""); !e.in() {
			t.Fatal("nobody is in")
		}
		c.change(e)
		if e.in() != c.still {
			t.Errorf("%s: in %v, want %v", name, !c.still, c.still)
		}
	}
	e := newEntrance(t)
	e.issuers[0].Login.Session = manifest.Duration(8 * time.Hour)
	e.ask("GET", e.atIssuer("/", "ann"), "")
	if e.now = e.now.Add(8*time.Hour - time.Second); !e.in() {
		t.Error("over before its time")
	}
	if e.now = e.now.Add(time.Second); e.in() {
		t.Error("not over in time")
	}
}

func TestNobodyIsLedElsewhere(t *testing.T) {
	for _, to := range []string{"/", "/environments/preview?q=x#hold", "/decisions?since=2026-01-01T00:00:00Z"} {
		if got := local(to); got != to {
			t.Errorf("%q became %q", to, got)
		}
	}
	for to, want := range map[string]string{"/environments/preview?item=drift_1": "#drift_1", "/environments/preview?at=hold": "#hold", "/environments/preview?at=a%22b%20c": "#a%22b%20c"} {
		if got := local(to); got != to+want {
			t.Errorf("%q leads to %q, want %s there", to, got, want)
		}
	}
	for _, to := range []string{
		"", "//evil.example", "///evil.example", `/\evil.example`, `\\evil.example`, "https://evil.example", "javascript:alert(1)", "/\t/evil.example", "/\n/evil.example", " /x", "evil.example",
		"/login", "/login/shop", "/logout", "/api/v1/journal", "/%2f", "/%2F/evil.example", "//", "/" + strings.Repeat("x", maxReturn),
	} {
		if got := local(to); got != "/" {
			t.Errorf("%q leads to %q", to, got)
		}
	}
	e := newEntrance(t)
	for _, to := range []string{"//evil.example", "https://evil.example/"} {
		if w := e.ask("GET", e.atIssuer(to, "ann"), ""); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" {
			t.Errorf("%q: led to %q", to, w.Header().Get("Location"))
		}
		if w := e.ask("POST", "/login", url.Values{"token": {"the-token"}, "to": {to}}.Encode()); w.Header().Get("Location") != "/" {
			t.Errorf("%q: led to %q", to, w.Header().Get("Location"))
		}
	}
}

// Nobody is logged in as somebody else by a page of another site.
func TestNobodyIsLoggedInByAnotherSite(t *testing.T) {
	e := newEntrance(t)
	for name, c := range map[string]struct{ method, target, body string }{
		"a link": {"GET", "/login?token=the-token", ""}, "a form": {"POST", "/login", "token=the-token"},
	} {
		for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
			if w := e.ask(c.method, c.target, c.body, headers...); w.Code != http.StatusForbidden || e.in() {
				t.Errorf("%s with %v: %d", name, headers, w.Code)
			}
		}
	}
}

// Whoever guesses is held up, from where they guess and at the way in alone.
func TestGuessesAreHeldUp(t *testing.T) {
	e := newEntrance(t)
	e.ask("POST", "/login", "token=the-token")
	guesser := &entrance{t: t, h: e.h, cookies: map[string]string{}}
	for i := range triesMost {
		if w := guesser.ask("POST", "/login", "token=a-guess", "X-Forwarded-For", "192.0.2."+string(rune('0'+i%10))); w.Code != http.StatusUnauthorized {
			t.Fatalf("guess %d: %d", i, w.Code)
		}
	}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"the right token": guesser.ask("POST", "/login", "token=the-token", "X-Forwarded-For", "192.0.2.99"),
		"at an issuer":    guesser.ask("GET", "/login/shop", ""),
	} {
		if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "60" || len(guesser.cookies) != 0 {
			t.Errorf("%s: %d, again after %q", name, w.Code, w.Header().Get("Retry-After"))
		}
	}
	if !e.in() || ask(e.h, "GET", "/api/v1/status", "", "Authorization", "Bearer the-token").Code != http.StatusOK {
		t.Error("others are held up too")
	}
	e.now = e.now.Add(triesIn)
	if w := guesser.ask("POST", "/login", "token=the-token"); w.Code != http.StatusSeeOther {
		t.Errorf("a minute later: %d", w.Code)
	}
}

func TestWhereLoginsComeFrom(t *testing.T) {
	for addr, want := range map[string]string{"192.0.2.7:5": "192.0.2.7", "[2001:db8::1]:5": "2001:db8::/64", "[2001:db8:0:0:ffff::2]:5": "2001:db8::/64", "[::ffff:192.0.2.7]:5": "192.0.2.7", "pipe": "pipe"} {
		if got := origin(&http.Request{RemoteAddr: addr}); got != want {
			t.Errorf("%s is %s, want %s", addr, got, want)
		}
	}
	var some tries
	for i := range triesFrom + 100 { // no more are told apart
		some.failed(&http.Request{RemoteAddr: string(rune('a'+i%26)) + strings.Repeat("x", i/26)}, noon)
	}
	if len(some.of) > triesFrom+1 {
		t.Errorf("%d addresses are remembered", len(some.of))
	}
}

// No more sessions and attempts are remembered than there may be, and those that
// are over go first.
func TestSessionsAreBounded(t *testing.T) {
	var s sessions
	over := s.begin(session{ends: noon.Add(time.Second)}, noon)
	kept := s.begin(session{ends: noon.Add(2 * time.Hour)}, noon)
	for range sessionsMost + 10 {
		s.begin(session{ends: noon.Add(time.Hour)}, noon)
	}
	_, was := s.find(over, noon)
	_, is := s.find(kept, noon)
	if len(s.of) > sessionsMost || was || !is {
		t.Errorf("%d sessions; the first to end is there: %v, the last: %v", len(s.of), was, is)
	}
	a, err := newAttempts()
	if err != nil {
		t.Fatal(err)
	}
	for range attemptsMost + 10 {
		if !a.take(attempt{Attempt: access.Attempt{State: rand.Text()}, Ends: noon}, noon.Add(-1)) {
			t.Fatal("one was taken before")
		}
	}
	if len(a.used) > attemptsMost {
		t.Errorf("%d attempts are remembered", len(a.used))
	}
}

// TestTheWayInIsTheOnlyOneOpen holds the open routes against this list.
func TestTheWayInIsTheOnlyOneOpen(t *testing.T) {
	got := slices.Clone(newEntrance(t).h.(*server).opened)
	slices.Sort(got)
	if want := []string{"GET /healthz", "GET /login", "GET /login/style.css", "GET /login/{way}", "GET /login/{way}/callback", "GET /readyz", "POST /login", "POST /logout"}; !slices.Equal(got, want) {
		t.Errorf("open: %q\nwant: %q", got, want)
	}
}
