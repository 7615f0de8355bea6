package reconciler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/measure"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// outside is what checks ask beyond the platform.
type outside struct {
	status  atomic.Int64
	body    atomic.Value
	asked   atomic.Int64
	secrets atomic.Int64 // questions that brought the header
}

// checked is a pipeline of two whose first environment has these checks.
func checked(t *testing.T, checks string) (*simulation, *outside) {
	t.Helper()
	out := &outside{}
	out.status.Store(200)
	out.body.Store(`{"ok":true}`)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out.asked.Add(1)
		if r.Header.Get("X-Key") == "the-s3cret" {
			out.secrets.Add(1)
		}
		w.WriteHeader(int(out.status.Load()))
		_, _ = w.Write([]byte(out.body.Load().(string)))
	}))
	client := measure.NewClient(nil)
	t.Cleanup(func() { client.Close(); server.Close() })
	s := newSimulation(1, memory.Options{}, mutant{}, "preview", "staging")
	control := controlFiles("allow", "preview", "staging")
	checks = strings.ReplaceAll(checks, "URL", server.URL)
	control["mooring.yaml"] = strings.Replace(control["mooring.yaml"], "      soak: 20s\n", "      soak: 20s\n      checks:\n"+checks, 1)
	s.repo.commit("main", control)
	s.repo.commit("env/preview", firstContent().files())
	o := s.options()
	o.Ask = client
	o.Secret = func(m manifest.Secret) (string, error) {
		if m.FromEnv == "THE_KEY" {
			return "the-s3cret", nil
		}
		if m.FromEnv != "" {
			return "", errors.New("environment variable " + m.FromEnv + " is not set")
		}
		return m.Inline, nil
	}
	s.startWith(t, o)
	return s, out
}

func (s *simulation) cameIn() bool { return s.watch.environment("staging").Admitted != nil }

func (s *simulation) result(name string) record.CheckResult {
	st := s.watch.environment("preview")
	return st.Checks[st.Rollout.Release.Key()][name]
}

// What holds content back, and what frees it, by kind of check. Nothing but a
// pass is a pass.
func TestCheckAsksOutside(t *testing.T) {
	const asked = "        - {name: probe, http: {url: \"URL/health\", headers: {X-Key: {fromEnv: THE_KEY}}, expect: {$.ok: true}}}\n"
	const query = "        - {name: probe, prometheus: {address: \"URL\", query: up, min: 0.5, max: 2}}\n"
	value := func(v string) string {
		return fmt.Sprintf(`{"status":"success","data":{"resultType":"vector","result":[{"value":[1,%q]}]}}`, v)
	}
	cases := []struct {
		name, checks, bad, good string
		status                  int
		unknown                 bool
	}{
		{"asserts", asked, `{"ok":false}`, `{"ok":true}`, 200, false},
		{"is no JSON", asked, `ok`, `{"ok":true}`, 200, false},
		{"refuses", asked, `{"ok":true}`, `{"ok":true}`, 503, false},
		{"is below", query, value("0.1"), value("0.5"), 200, false},
		{"is above", query, value("2.1"), value("2"), 200, false},
		{"is not a number", query, value("NaN"), value("1"), 200, true},
		{"has no series", query, `{"status":"success","data":{"resultType":"vector","result":[]}}`, value("1"), 200, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, out := checked(t, c.checks)
			out.status.Store(int64(c.status))
			out.body.Store(c.bad)
			s.run(5 * time.Minute)
			if r := s.result("probe"); s.cameIn() || r.Passed || r.Unknown != c.unknown || r.Detail == "" {
				t.Fatalf("it came in: %v; the check is %+v", s.cameIn(), r)
			}
			out.status.Store(200)
			out.body.Store(c.good)
			if !s.until(30*time.Minute, s.cameIn) {
				t.Errorf("it does not come in: %+v", s.result("probe"))
			}
			if c.checks == asked && out.secrets.Load() != out.asked.Load() {
				t.Errorf("%d of %d questions had the header", out.secrets.Load(), out.asked.Load())
			}
			secretKept(t, s, "s3cret")
			sound(t, s)
		})
	}
}

// secretKept fails if a word is anywhere in the journal.
func secretKept(t *testing.T, s *simulation, word string) {
	t.Helper()
	for rec, err := range s.store.Records(t.Context(), 0) {
		if text := fmt.Sprintf("%+v", rec.Check); err != nil || strings.Contains(text, word) {
			t.Errorf("%v: %s", err, text)
		}
	}
}

// A secret that cannot be read, and a platform that is not asked, are no pass.
func TestCheckThatCannotBeAskedIsNoPass(t *testing.T) {
	s, out := checked(t, "        - {name: probe, http: {url: \"URL\", headers: {X-Key: {fromEnv: MISSING}}}}\n")
	s.run(5 * time.Minute)
	if r := s.result("probe"); s.cameIn() || !r.Unknown || out.asked.Load() != 0 {
		t.Errorf("%+v, asked %d times", r, out.asked.Load())
	}
	s, _ = checked(t, "        - {name: probe, alarm: Alarm/none}\n")
	s.run(5 * time.Minute)
	if r := s.result("probe"); s.cameIn() || r.Passed || r.At.IsZero() {
		t.Errorf("%+v", r)
	}
}

// A pass stays, but where it is to be asked for again: then a failure takes
// back what is not yet moved.
func TestCheckIsAskedAgain(t *testing.T) {
	s, out := checked(t, "        - {name: probe, http: {url: \"URL\"}}\n        - {name: often, http: {url: \"URL\"}, every: 1m}\n")
	if !s.until(time.Hour, s.cameIn) {
		t.Fatal("it does not come in")
	}
	first := out.asked.Load()
	s.run(10 * time.Minute)
	if n := out.asked.Load() - first; n < 9 || n > 11 {
		t.Errorf("asked %d times in ten minutes", n)
	}
	if soaked := s.soaked("preview"); soaked < 9*time.Minute {
		t.Errorf("soaked %v", soaked)
	}
	out.status.Store(500)
	s.run(2 * time.Minute)
	if r, st := s.result("often"), s.d.environment("preview").published.Load(); r.Passed || !s.result("probe").Passed || st.place.Healthy {
		t.Errorf("often %+v, probe %+v, healthy %v", r, s.result("probe"), st.place.Healthy)
	}
	sound(t, s)
}

// soaked is what an environment says of its soak: more than its last record.
func (s *simulation) soaked(env string) time.Duration {
	return time.Duration(s.d.environment(env).published.Load().status.SoakSeconds) * time.Second
}

func (s *simulation) verdict(r web.VerdictRequest) error {
	return s.ask(r.Environment, func(ctx context.Context, d *Daemon) error { _, err := d.Verdict(ctx, r); return err })
}

// A verdict frees the content it was given for, from whoever may give it.
func TestVerdictIsAboutOneContent(t *testing.T) {
	s, _ := checked(t, "        - {name: acceptance, verdict: {by: [ci]}}\n")
	s.run(5 * time.Minute)
	content := s.watch.environment("preview").Rollout.Release.Content
	if s.cameIn() || s.soaked("preview") < 4*time.Minute {
		t.Fatal("it came in, or waiting for a verdict spoils the soak")
	}
	ci, viewer := access.Stated("ci"), access.Person{Name: "ci", Verified: true, Grants: []access.Grant{{Role: access.Viewer}}}
	ask := web.VerdictRequest{Environment: "preview", Check: "acceptance", Content: content, Passed: true, By: ci}
	for name, change := range map[string]func(*web.VerdictRequest){
		"another person":     func(r *web.VerdictRequest) { r.By = access.Stated("ann") },
		"who may only look":  func(r *web.VerdictRequest) { r.By = viewer },
		"another check":      func(r *web.VerdictRequest) { r.Check = "smoke" },
		"a content never in": func(r *web.VerdictRequest) { r.Content = "sha256:" + strings.Repeat("0", 64) },
		"too little of it":   func(r *web.VerdictRequest) { r.Content = content[:len("sha256:")+4] },
		"no content":         func(r *web.VerdictRequest) { r.Content = "" },
	} {
		r := ask
		change(&r)
		if s.verdict(r) == nil {
			t.Errorf("%s: taken", name)
		}
	}
	must(s.verdict(ask))
	if !s.until(10*time.Minute, s.cameIn) {
		t.Error("it does not come in")
	}
	next := firstContent()
	next.level = "debug"
	s.repo.commit("env/preview", next.files())
	s.run(5 * time.Minute)
	if got := s.watch.environment("preview").Rollout.Release.Content; got == content || s.watch.environment("staging").Contents[got] != (time.Time{}) {
		t.Errorf("%s went on by the verdict on %s", got, content)
	}
	sound(t, s)
}

// Where something protected rests on it, a name that was only stated is no
// witness.
func TestVerdictForTheProtectedIsProved(t *testing.T) {
	p := &manifest.Pipeline{Environments: []manifest.Environment{
		{Name: "preview", Checks: []manifest.Check{{Name: "a", Verdict: &manifest.VerdictCheck{}}}},
		{Name: "staging", After: []string{"preview"}}, {Name: "production", After: []string{"staging"}, Protected: true},
	}}
	r := web.VerdictRequest{Environment: "preview", Check: "a", By: access.Stated("ci")}
	if mayJudge(p, r) == nil {
		t.Error("production rests on it, by staging")
	}
	r.By.Verified = true
	if err := mayJudge(p, r); err != nil {
		t.Error(err)
	}
	p.Environments[2].Protected, r.By.Verified = false, false
	if err := mayJudge(p, r); err != nil {
		t.Error(err)
	}
}

// A list of names means people of Mooring: an issuer's ann is none of them, and
// its robots have names that no person has.
func TestAListOfNamesMeansPeopleOfMooring(t *testing.T) {
	list := []string{"ann", "repo:shop/checkout", "oidc:https://id.shop.example|17"}
	for name, c := range map[string]struct {
		who  access.Person
		want bool
	}{
		"a token's ann":        {access.Person{Name: "ann"}, true},
		"an issuer's ann":      {access.Person{Name: "ann", Identity: "oidc:https://id.shop.example|4"}, false},
		"an issuer's robot":    {access.Person{Name: "repo:shop/checkout", Identity: "oidc:https://ci.example|repo:shop/checkout"}, true},
		"who is named whole":   {access.Person{Name: "bob", Identity: "oidc:https://id.shop.example|17"}, true},
		"17 of another issuer": {access.Person{Name: "bob", Identity: "oidc:https://other.example|17"}, false},
		"nobody":               {access.Person{}, false},
	} {
		if got := listedIn(list, c.who); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
