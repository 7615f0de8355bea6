package aws

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mooring.dev/sources/manifest"
)

// forwarding is a proxy that hands plain requests to one server, and opens no
// tunnels. It notes what it was asked for.
type forwarding struct {
	mu   sync.Mutex
	seen []string // METHOD host
	next http.Handler
}

func (f *forwarding) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.seen = append(f.seen, r.Method+" "+r.URL.Host)
	f.mu.Unlock()
	if r.Method == http.MethodConnect {
		http.Error(w, "no tunnels", http.StatusForbidden)
		return
	}
	f.next.ServeHTTP(w, r)
}

func newForwarding(t *testing.T, to string) (*forwarding, string) {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarding{next: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host }}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, server.URL
}

// proxied is set in the process that calls, whose environment is read but
// once.
const proxied = "MOORING_TEST_PROXIED"

// TestProxiesOfTheEnvironment: calls go through HTTP_PROXY and HTTPS_PROXY,
// and past them where NO_PROXY says so.
func TestProxiesOfTheEnvironment(t *testing.T) {
	if os.Getenv(proxied) != "" {
		callAround(t)
		return
	}
	box := newBox(t)
	f, address := newForwarding(t, box.URL())
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxiesOfTheEnvironment$", "-test.v")
	cmd.Env = append(os.Environ(), proxied+"="+box.URL(), "HTTP_PROXY="+address, "HTTPS_PROXY="+address, "NO_PROXY=direct.example", "no_proxy=direct.example")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, want := range []string{"POST aws.example", "CONNECT secure.example:443"} {
		if !slices.Contains(f.seen, want) {
			t.Errorf("the proxy saw no %s, but %v", want, f.seen)
		}
	}
	if slices.ContainsFunc(f.seen, func(s string) bool { return s != "POST aws.example" && s != "CONNECT secure.example:443" }) {
		t.Errorf("the proxy saw %v: direct.example is none of its", f.seen)
	}
	if box.Counts().Operations["sts:GetCallerIdentity"] != 1 {
		t.Errorf("what came through: %v", box.Counts().Operations)
	}
}

// callAround asks three endpoints who calls; only the plain one answers.
func callAround(t *testing.T) {
	plainEnvironment(t, "AKIAMOORING")
	for endpoint, answers := range map[string]bool{"http://aws.example": true, "https://secure.example": false, "http://direct.example": false} {
		cfg, err := Load(t.Context(), LoadOptions{Target: manifest.AWSTarget{Region: testRegion, Endpoint: endpoint}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = sts.NewFromConfig(cfg).GetCallerIdentity(context.WithoutCancel(t.Context()), &sts.GetCallerIdentityInput{})
		if (err == nil) != answers {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}
