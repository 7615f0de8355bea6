package egress_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"mooring.dev/reconciler/egress"
)

// Credentials of machines are behind these addresses, however they are
// written; nothing is sent there, and nothing waits.
func TestLesson77NoMetadataIsAsked(t *testing.T) {
	for _, address := range []string{"169.254.169.254:80", "169.254.170.2:80", "169.254.170.23:80", "[::ffff:169.254.169.254]:80", "[fe80::1]:80",
		"[fd00:ec2::254]:80", "[fd00:ec2::23]:80", "0.0.0.0:80", "[::]:80", "[ff02::1]:80"} {
		conn, err := egress.Dialer(time.Second).DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		if !errors.Is(err, egress.ErrRefused) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// A name that resolves to such an address is no way there, nor is a redirect.
func TestLesson77NoWayAround(t *testing.T) {
	seen := false
	// Control is asked with what the name was resolved to.
	if err := egress.Dialer(time.Second).Control("tcp", "169.254.169.254:80", nil); !errors.Is(err, egress.ErrRefused) {
		t.Errorf("what a name was rebound to: %v", err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = true
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
	}))
	defer server.Close()
	tr := egress.Transport(time.Second)
	defer tr.CloseIdleConnections()
	tr.Proxy = nil
	resp, err := (&http.Client{Transport: tr}).Get(server.URL)
	if err == nil {
		_ = resp.Body.Close()
	}
	if !seen || !errors.Is(err, egress.ErrRefused) {
		t.Errorf("a redirect: %v, after the server was seen: %v", err, seen)
	}
}
