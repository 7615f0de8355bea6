package reconciler

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/sources"
	"mooring.dev/sources/host"
	"mooring.dev/sources/host/hosttest"
)

// handled answers requests without a network: a bubble of time waits for none.
type handled struct{ http.Handler }

func (h handled) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// A GitHub App that loses its installation (404) or its key (401) is one alert
// under one fingerprint, however long it lasts and however often it is tried,
// and is over when it is let in again; what it was to tell is told then.
func TestAnAppThatIsLetInNoMoreIsOneAlert(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	for name, c := range map[string]struct {
		out, in func(a *hosttest.App)
		says    string
	}{
		"removed":     {func(a *hosttest.App) { a.Removed = true }, func(a *hosttest.App) { a.Removed = false }, "it was removed"},
		"another key": {func(a *hosttest.App) { a.ID = 8 }, func(a *hosttest.App) { a.ID = 7 }, "does not take the key"},
	} {
		t.Run(name, func(t *testing.T) {
			repo := hosttest.New(func(string) string { return "" })
			far := &hosttest.App{ID: 7, Installation: 42, Public: &key.PublicKey, Now: time.Now, Lives: time.Hour}
			server := repo.GitHubApp(far)
			server.Close() // its handler is all that is wanted
			client := &http.Client{Transport: handled{server.Config.Handler}}
			at := func(*stand) sources.Host {
				app, err := host.NewApp(host.AppOptions{ID: 7, Installation: 42, Endpoint: "https://git.example", Repository: "acme/shop", Client: client, Now: time.Now,
					Key: func() (string, error) { return text, nil }})
				must(err)
				h, err := host.New(host.Options{Kind: host.GitHub, Repository: "acme/shop", Endpoint: "https://git.example", App: app, Client: client, Now: time.Now})
				must(err)
				return h
			}
			onHostOf(t, hostedFiles(onGitHub, "preview", "production"), at, func(t *testing.T, s *stand) {
				s.push("env/preview", firstContent().files())
				s.wait(20 * time.Minute)
				if n := s.events.count(hostFault, "firing"); n != 0 {
					t.Fatalf("%d alerts about a host that lets the App in", n)
				}
				far.Set(c.out)
				far.Revoke()
				k := firstContent()
				k.memory = 512
				sha := s.push("env/preview", k.files())
				_, before := far.Made()
				s.wait(6 * time.Hour)
				if faults := s.d.Status().Faults; len(faults) != 1 || !strings.Contains(faults[0], "installation 42") || !strings.Contains(faults[0], c.says) {
					t.Errorf("the status says %q", faults)
				}
				if got := s.status("preview"); got.State != "in_sync" || got.Commit != sha {
					t.Errorf("preview is %s: %s", got.State, got.Reason)
				}
				if _, asked := far.Made(); asked-before > 6*70 {
					t.Errorf("a token was asked for %d times in six hours", asked-before)
				}
				far.Set(c.in)
				s.wait(15 * time.Minute)
				if said := s.events.about(hostFault); !slices.Equal(said, []string{"firing /host_error/", "resolved /host_error/"}) {
					t.Errorf("people were told %q", said)
				}
				if faults := s.d.Status().Faults; len(faults) != 0 {
					t.Errorf("still told: %q", faults)
				}
				if !slices.ContainsFunc(repo.Statuses(), func(v hosttest.Status) bool { return v.Commit == sha && v.State == "success" }) {
					t.Errorf("let in again, and told %+v", repo.Statuses())
				}
			})
		})
	}
}

// about is all that was told of a kind: status and fingerprint, in order.
func (b *box) about(kind string) (out []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.seen {
		if e.Kind == kind {
			out = append(out, e.Status+" "+e.Fingerprint)
		}
	}
	return out
}
