package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// pairOf is a certificate that signs itself, for 127.0.0.1, and its key.
func pairOf(t *testing.T, name string, ends time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: ends,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, of, of, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// mounted writes a pair as Kubernetes does: into a new folder, to which a
// link is then turned in one step.
func mounted(t *testing.T, dir, revision string, cert, key []byte) {
	t.Helper()
	real := filepath.Join(dir, revision)
	for _, err := range []error{
		os.Mkdir(real, 0o700), os.WriteFile(filepath.Join(real, "tls.crt"), cert, 0o600), os.WriteFile(filepath.Join(real, "tls.key"), key, 0o600),
		os.Symlink(revision, filepath.Join(dir, "next")), os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "data")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestACertificateIsReadAnew(t *testing.T) {
	dir := t.TempDir()
	later := time.Now().Add(90 * 24 * time.Hour)
	firstCert, firstKey := pairOf(t, "first", later)
	mounted(t, dir, "1", firstCert, firstKey)
	seen, logs := observer.New(zapcore.InfoLevel)
	c := &certificate{files: tlsFlags{filepath.Join(dir, "data", "tls.crt"), filepath.Join(dir, "data", "tls.key")}, log: zap.New(seen), now: time.Now}
	if err := c.read(); err != nil {
		t.Fatal(err)
	}
	serves := func(want string) {
		t.Helper()
		pair, err := c.get(nil)
		if err != nil || pair.Leaf.Subject.CommonName != want {
			t.Errorf("serves %v, %v; want %s", pair.Leaf.Subject, err, want)
		}
	}
	serves("first")
	secondCert, secondKey := pairOf(t, "second", later)
	mounted(t, dir, "2", secondCert, firstKey) // a certificate with another one's key
	serves("first")
	if logs.FilterLevelExact(zapcore.ErrorLevel).Len() != 1 {
		t.Errorf("of a pair that cannot be used is said: %v", logs.All())
	}
	serves("first")
	if logs.FilterLevelExact(zapcore.ErrorLevel).Len() != 1 {
		t.Error("it is said again though nothing changed")
	}
	mounted(t, dir, "3", secondCert, secondKey)
	serves("second")
	thirdCert, thirdKey := pairOf(t, "third", time.Now().Add(time.Hour))
	mounted(t, dir, "4", thirdCert, thirdKey)
	serves("third")
	if logs.FilterLevelExact(zapcore.WarnLevel).Len() != 1 {
		t.Error("nobody is warned that it ends within the hour")
	}
	if err := os.RemoveAll(filepath.Join(dir, "4")); err != nil {
		t.Fatal(err)
	}
	serves("third")
	if text := fmt.Sprint(logs.All()); strings.Contains(text, "PRIVATE") {
		t.Error("a key is in the log")
	}
}

func TestHalfACertificateIsRefused(t *testing.T) {
	dir := t.TempDir()
	cert, key := pairOf(t, "daemon", time.Now().Add(time.Hour))
	mounted(t, dir, "1", cert, key)
	at := func(name string) string { return filepath.Join(dir, "1", name) }
	for _, c := range []struct{ cert, key, want string }{
		{"", at("tls.key"), "--tls-cert"},
		{at("tls.crt"), "", "--tls-key"},
		{at("tls.crt"), at("none"), "none"},
		{at("tls.key"), at("tls.crt"), "--tls-cert"},
	} {
		if _, err := (tlsFlags{c.cert, c.key}).config(zap.NewNop(), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q and %q: %v", c.cert, c.key, err)
		}
	}
	if config, err := (tlsFlags{}).config(zap.NewNop(), nil); config != nil || err != nil {
		t.Errorf("without: %v, %v", config, err)
	}
}

// TestWhoIsNotTrustedIsSaid: each way in which client and daemon miss each
// other says what to do.
func TestWhoIsNotTrustedIsSaid(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) })
	secure, plain := httptest.NewUnstartedServer(handler), httptest.NewServer(handler)
	secure.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
	secure.StartTLS()
	t.Cleanup(secure.Close)
	t.Cleanup(plain.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(secure.Listener.Addr().String())
	for _, c := range []struct{ server, ca, want string }{
		{secure.URL, ca, ""},
		{plain.URL, ca, ""},
		{secure.URL, "", "--server-ca"},
		{"https://localhost:" + port, ca, "--server as its certificate"},
		{strings.Replace(secure.URL, "https", "http", 1), "", "--server https"},
		{strings.Replace(plain.URL, "http", "https", 1), "", "http://"},
		{secure.URL, os.DevNull, "no PEM certificate"},
		{secure.URL, ca + "x", "--server-ca"},
	} {
		err := (&client{server: c.server, authority: c.ca}).get(t.Context(), "/api/v1/status", &struct{}{})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s with %q: %v; want %q", c.server, filepath.Base(c.ca), err, c.want)
		}
	}
}

// A token goes over the network in clear only where somebody said so; on this
// machine, and without a token, there is nothing to say. A server with a
// certificate leads nobody to one without.
func TestTokenStaysOffTheNetwork(t *testing.T) {
	heard := ""
	plain := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { heard = r.Header.Get("Authorization") }))
	t.Cleanup(plain.Close)
	for _, c := range []struct {
		c    client
		sent bool
	}{
		{client{server: "http://mooring.example.com:8420", token: "t"}, false},
		{client{server: "http://10.0.0.7:8420", token: "t"}, false},
		{client{server: "http://127.0.0.1.example.com", token: "t"}, false},
		{client{server: "http://localhost.example.com", token: "t"}, false},
		{client{server: "http://user@mooring.example.com", token: "t"}, false},
		{client{server: "http://mooring.example.com:8420", token: "t", inClear: true}, true},
		{client{server: "https://mooring.example.com:8420", token: "t"}, true},
		{client{server: "http://127.0.0.1:8420", token: "t"}, true},
		{client{server: "http://[::1]:8420", token: "t"}, true},
		{client{server: "http://localhost:8420", token: "t"}, true},
		{client{server: "http://mooring.example.com:8420"}, true},
	} {
		c.c.trust = trust{named: true, given: true}
		req, err := c.c.request(t.Context(), http.MethodGet, "/", nil)
		if (err == nil) != c.sent || err == nil && c.c.token != "" && req.Header.Get("Authorization") != "Bearer t" {
			t.Errorf("%+v: %v", c.c, err)
		}
	}
	secure := httptest.NewUnstartedServer(http.RedirectHandler(plain.URL, http.StatusTemporaryRedirect))
	secure.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
	secure.StartTLS()
	t.Cleanup(secure.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&client{server: secure.URL, authority: ca, token: "t"}).get(t.Context(), "/", nil); err == nil || heard != "" {
		t.Errorf("led away from its certificate: %v, heard %q", err, heard)
	}
}
