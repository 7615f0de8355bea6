package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mooring.dev/sources/manifest"
)

// registry is a small OCI registry: blobs of one repository, and who may pull.
type registry struct {
	blobs map[string][]byte // by digest
	user  string            // who may pull; "": everybody
	to    string            // where blobs are led to; "": they are given here
	asked []string          // "METHOD path authorization"
}

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.asked = append(r.asked, strings.TrimSpace(req.Method+" "+req.URL.Path+" "+req.Header.Get("Authorization")))
	if req.URL.Path == "/token" {
		if user, _, _ := req.BasicAuth(); user != r.user {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"token": "pull-token"}`)
		return
	}
	if r.user != "" && req.Header.Get("Authorization") != "Bearer pull-token" {
		w.Header().Set("Www-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="registry",scope="repository:shop/checkout:pull"`, req.Host))
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"errors":[{"code":"UNAUTHORIZED","message":"words of a stranger"}]}`)
		return
	}
	content, ok := r.blobs[filepath.Base(req.URL.Path)]
	if !ok || !strings.HasPrefix(req.URL.Path, "/v2/shop/checkout/blobs/") {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if r.to != "" {
		http.Redirect(w, req, r.to+"/"+filepath.Base(req.URL.Path), http.StatusTemporaryRedirect)
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	w.Write(content)
}

// serve starts r and gives its address; Docker's folder of credentials is one of
// this test.
func (r *registry) serve(t *testing.T, credentials string) string {
	t.Helper()
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	address := strings.TrimPrefix(server.URL, "http://")
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	if credentials != "" {
		text := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, address, credentials)
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return address
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func pull(t *testing.T, uri, digest string) (Blob, error) {
	t.Helper()
	store, err := New(Options{CacheDir: t.TempDir(), OCI: OCI{Client: &http.Client{}}, MaxSize: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return store.Fetch(context.Background(), manifest.Artifact{URI: uri, Digest: digest})
}

var aZip = []byte("PK\x03\x04 code")

// A zip in a registry is found by its own digest, whatever a tag says.
func TestOCI(t *testing.T) {
	r := &registry{blobs: map[string][]byte{digestOf(aZip): aZip}}
	at := r.serve(t, "")
	for _, uri := range []string{"oci://" + at + "/shop/checkout", "oci://" + at + "/shop/checkout:1.2", "oci://" + at + "/shop/checkout@" + digestOf([]byte("a manifest"))} {
		blob, err := pull(t, uri, digestOf(aZip))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(blob.Path); err != nil || string(got) != string(aZip) || blob.Digest != digestOf(aZip) {
			t.Errorf("%s: %q, %v", uri, got, err)
		}
	}
}

func TestOCIThatIsNoGood(t *testing.T) {
	other, large := []byte("PK\x03\x04 other"), []byte("PK\x03\x04"+strings.Repeat("x", 2<<10))
	r := &registry{blobs: map[string][]byte{digestOf(aZip): other, digestOf(large): large}}
	at := r.serve(t, "")
	for name, c := range map[string]struct {
		uri, digest string
		want        error
	}{
		"other content":  {"oci://" + at + "/shop/checkout", digestOf(aZip), ErrMismatch},
		"too large":      {"oci://" + at + "/shop/checkout", digestOf(large), ErrTooLarge},
		"not there":      {"oci://" + at + "/shop/checkout", digestOf(other), ErrMissing},
		"no repository":  {"oci://" + at + "/shop/basket", digestOf(aZip), ErrMissing},
		"no such form":   {"oci://" + at, digestOf(aZip), ErrUnusable},
		"another scheme": {"http://" + at + "/shop/checkout", digestOf(aZip), ErrUnusable},
	} {
		if _, err := pull(t, c.uri, c.digest); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	store, err := New(Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Fetch(t.Context(), manifest.Artifact{URI: "oci://" + at + "/shop/checkout", Digest: digestOf(aZip)}); !errors.Is(err, ErrUnusable) {
		t.Errorf("without registries: %v", err)
	}
}

// Credentials are those that Docker has of the registry; where it leads to
// another host, nothing of them goes along.
func TestOCIWithCredentials(t *testing.T) {
	elsewhere := &registry{blobs: map[string][]byte{digestOf(aZip): aZip}}
	side := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		elsewhere.asked = append(elsewhere.asked, req.Header.Get("Authorization"))
		w.Write(aZip)
	}))
	t.Cleanup(side.Close)
	blobs := strings.Replace(side.URL, "127.0.0.1", "localhost", 1)

	r := &registry{blobs: map[string][]byte{digestOf(aZip): aZip}, user: "ann", to: blobs}
	at := r.serve(t, "YW5uOnB3") // ann:pw
	if _, err := pull(t, "oci://"+at+"/shop/checkout", digestOf(aZip)); err != nil {
		t.Fatalf("%v, asked %q", err, r.asked)
	}
	if len(elsewhere.asked) != 1 || elsewhere.asked[0] != "" {
		t.Errorf("the other host was shown %q", elsewhere.asked)
	}

	for name, credentials := range map[string]string{"nobody": "", "somebody else": "Ym9iOnB3"} {
		r := &registry{blobs: r.blobs, user: "ann"}
		at := r.serve(t, credentials)
		_, err := pull(t, "oci://"+at+"/shop/checkout", digestOf(aZip))
		if !errors.Is(err, ErrDenied) || strings.Contains(err.Error(), "stranger") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What lies beside a zip in a folder or bucket has no place in a registry.
func TestNothingLiesBesideABlob(t *testing.T) {
	r := &registry{blobs: map[string][]byte{digestOf(aZip): aZip}}
	at := r.serve(t, "")
	store, err := New(Options{CacheDir: t.TempDir(), OCI: OCI{Client: &http.Client{}}})
	if err != nil {
		t.Fatal(err)
	}
	if data, err := store.Beside(t.Context(), manifest.Artifact{URI: "oci://" + at + "/shop/checkout", Digest: digestOf(aZip)}); data != nil || err != nil || len(r.asked) != 0 {
		t.Errorf("%q, %v, asked %q", data, err, r.asked)
	}
}

func TestOnLoopback(t *testing.T) {
	for registry, want := range map[string]bool{
		"localhost:5000": true, "127.0.0.1:5000": true, "[::1]:5000": true, "localhost": true,
		"registry.example": false, "localhost.example:80": false, "10.0.0.1:5000": false, "127.0.0.1.example": false,
	} {
		if onLoopback(registry) != want {
			t.Errorf("%s: %v", registry, !want)
		}
	}
}
