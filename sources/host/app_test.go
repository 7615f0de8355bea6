package host_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring.dev/sources"
	"mooring.dev/sources/host"
	"mooring.dev/sources/host/hosttest"
)

// appWorld is a host that lets an App in, and the App at work.
type appWorld struct {
	*host.Host
	app  *host.App
	far  *hosttest.App
	repo *hosttest.Repository
	key  string

	mu        sync.Mutex
	now       time.Time
	ahead     time.Duration // the host's clock
	unfeeling error         // why the key cannot be read
}

func (w *appWorld) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *appWorld) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// appKey is made once: that is slow.
var appKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func withApp(t *testing.T, ahead time.Duration) *appWorld {
	t.Helper()
	key, err := appKey()
	if err != nil {
		t.Fatal(err)
	}
	w := &appWorld{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), ahead: ahead}
	w.key = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	w.repo = hosttest.New(func(string) string { return sha("a") })
	w.far = &hosttest.App{
		ID: 7, Installation: 42, Public: &key.PublicKey, Lives: time.Hour, Now: func() time.Time { return w.clock().Add(w.ahead) },
		Rights: map[string]string{"contents": "write", "statuses": "write", "pull_requests": "write", "metadata": "read"},
	}
	server := w.repo.GitHubApp(w.far)
	t.Cleanup(server.Close)
	w.app, err = host.NewApp(host.AppOptions{
		ID: 7, Installation: 42, Endpoint: server.URL, Repository: "acme/shop", Client: server.Client(), Now: w.clock,
		Key: func() (string, error) { return w.key, w.unfeeling },
	})
	if err != nil {
		t.Fatal(err)
	}
	if w.Host, err = host.New(host.Options{Kind: host.GitHub, Repository: "acme/shop", Endpoint: server.URL, App: w.app, Client: server.Client(), Now: w.clock}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *appWorld) look(t *testing.T) error {
	t.Helper()
	_, err := w.Requests(t.Context(), base)
	if err != nil && (strings.Contains(err.Error(), "ghs_") || strings.Contains(err.Error(), "eyJ") || strings.Contains(err.Error(), "PRIVATE KEY")) {
		t.Errorf("the error tells a secret: %v", err)
	}
	return err
}

// One token serves for most of its hour, is renewed before it ends, and
// whatever is asked never meets one that has ended.
func TestAnAppsTokenIsKeptAndRenewed(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"same clock": 0, "host ahead": 20 * time.Minute, "host behind": -20 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			w := withApp(t, ahead)
			for range 240 {
				if err := w.look(t); err != nil {
					t.Fatal(err)
				}
				w.pass(time.Minute)
			}
			made, asked := w.far.Made()
			if extra := map[bool]int{true: 1}[ahead != 0]; made < 4 || made > 5 || asked != made+extra {
				t.Errorf("%d tokens in four hours, asked for %d times", made, asked)
			}
		})
	}
}

// A host that gives no new token for a while is asked sparingly, and the one
// there is serves to its end.
func TestAnAppsTokenServesToItsEnd(t *testing.T) {
	w := withApp(t, 0)
	if err := w.look(t); err != nil {
		t.Fatal(err)
	}
	w.unfeeling = errors.New("the file is away")
	w.pass(59 * time.Minute)
	if err := w.look(t); err != nil {
		t.Errorf("a minute before its end: %v", err)
	}
	w.pass(2 * time.Minute)
	if err := w.look(t); err == nil || !strings.Contains(err.Error(), "the file is away") {
		t.Errorf("after its end: %v", err)
	}
	w.unfeeling = nil
	w.pass(time.Minute)
	if err := w.look(t); err != nil {
		t.Errorf("there again: %v", err)
	}
}

// A token that the host does not take any more is given up, and the next one
// asked for.
func TestARevokedTokenIsAskedForAnew(t *testing.T) {
	w := withApp(t, 0)
	for range 2 {
		if err := w.look(t); err != nil {
			t.Fatal(err)
		}
		w.far.Revoke()
		if err := w.look(t); !errors.Is(err, sources.ErrUnauthorized) {
			t.Errorf("revoked: %v", err)
		}
		w.pass(time.Second)
	}
	if err := w.look(t); err != nil {
		t.Errorf("with a new one: %v", err)
	}
}

// What is wrong with an App is said, with what to do, and as what it is.
func TestWhatIsWrongWithAnApp(t *testing.T) {
	for name, c := range map[string]struct {
		make func(w *appWorld)
		want []string
		kind error
	}{
		"removed":     {func(w *appWorld) { w.far.Removed = true }, []string{"App 7", "installation 42", "it was removed"}, sources.ErrUnauthorized},
		"another key": {func(w *appWorld) { w.far.ID = 8 }, []string{"does not take the key"}, sources.ErrUnauthorized},
		"no key":      {func(w *appWorld) { w.key = "canary" }, []string{"private key: it is no PEM"}, nil},
		"half a key":  {func(w *appWorld) { w.key = w.key[:200] + "\n-----END RSA PRIVATE KEY-----\n" }, []string{"private key: it is no"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := withApp(t, 0)
			c.make(w)
			err := w.look(t)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("it lacks %q: %v", want, err)
				}
			}
			if err != nil && (c.kind != nil && !errors.Is(err, c.kind) || strings.Contains(err.Error(), "canary")) {
				t.Errorf("it is %v", err)
			}
			_, before := w.far.Made()
			for range 20 {
				_ = w.look(t)
			}
			if _, asked := w.far.Made(); asked != before {
				t.Errorf("asked %d times more within a second", asked-before)
			}
		})
	}
	w := withApp(t, 0)
	w.far.Rights = map[string]string{"contents": "read", "statuses": "write"}
	if f, err := w.Facts(t.Context(), base); err != nil || f.Write || strings.Join(f.Lacks, ", ") != "contents: write, pull_requests: write" {
		t.Errorf("it lacks rights, and tells %+v, %v", f, err)
	}
	w = withApp(t, 0)
	if f, err := w.Facts(t.Context(), base); err != nil || !f.Write || !f.WriteKnown {
		t.Errorf("it has its rights, and tells %+v, %v", f, err)
	}
	w.repo.Refuse(http.StatusForbidden, http.Header{"Retry-After": {"60"}})
	var limited *sources.LimitedError
	if err := w.look(t); !errors.As(err, &limited) {
		t.Errorf("a limit is %v", err)
	}
}

// Many at once ask for one token.
func TestManyWaitForOneToken(t *testing.T) {
	w := withApp(t, 0)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if token, err := w.app.Token(); err != nil || token == "" {
				t.Error(token, err)
			}
		})
	}
	wg.Wait()
	if of := w.far.Of(); len(of) != 1 || !slices.Equal(of[0], []string{"shop"}) {
		t.Errorf("tokens were asked for %q, want one for the repository alone", of)
	}
}
