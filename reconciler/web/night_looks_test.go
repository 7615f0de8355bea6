package web

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"mooring.dev/reconciler/web/browsertest"
)

// onStage serves a daemon and opens a browser on it, known by the own token.
func onStage(t *testing.T, n *night) (tab *browsertest.Tab, base string) {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is not on this machine; in CI every witness has to be (.ci/witnesses)")
		}
		t.Skip("chromium is not on this machine")
	}
	closing := make(chan struct{})
	server := httptest.NewServer(serve(t, &n.fake, func(o *Options) {
		o.View, o.Now, o.Closing = n, func() time.Time { return noon }, closing
	}))
	t.Cleanup(func() { close(closing); http.DefaultClient.CloseIdleConnections(); server.Close() })
	return browsertest.Start(t, chromium).Open(server.URL + "/login?token=the-token"), server.URL
}

// views are the five, with a fleet in trouble, and what is empty.
var views = map[string]string{
	"pipeline": "/", "environment": "/environments/production", "canary": "/environments/staging", "resource": "/environments/production/resources/" + longName,
	"release": "/environments/staging/releases/sha256:8c1f", "decisions": "/decisions", "empty": "/environments/empty", "rest": "/environments/preview", "missing": "/environments/gone",
}

func TestTheWorstNightLooksWell(t *testing.T) {
	tab, base := onStage(t, badNight(300))
	tab.Looks(base, views, func(view, window string, dark bool) string {
		if dark != (window == "desk") { // a picture of each, in one light
			return ""
		}
		return view + "-" + window
	})
}
