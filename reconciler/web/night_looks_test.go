package web

import (
	"net/http"
	"net/http/httptest"
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
		t.Skip("chromium is needed")
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
	"release": "/environments/staging/releases/sha256:8c1f", "decisions": "/decisions", "empty": "/environments/empty", "rest": "/environments/preview",
}

func TestTheWorstNightLooksWell(t *testing.T) {
	tab, base := onStage(t, badNight(300))
	for _, window := range []struct {
		name          string
		width, height int
	}{{"phone", 390, 844}, {"desk", 1280, 900}} {
		tab.Size(window.width, window.height)
		for name, view := range views {
			tab.Goto(base + view)
			if over := tab.Wide(); over > 0 {
				t.Errorf("%s on a %s is %d pixels wider than its window", name, window.name, over)
			}
			if roles := tab.Nameless(); len(roles) > 0 {
				t.Errorf("%s on a %s has controls without a name: %v", name, window.name, roles)
			}
			for _, dark := range []bool{false, true} {
				tab.Dark(dark)
				if faint := tab.Faint(); len(faint) > 0 {
					t.Errorf("%s on a %s, dark %v, is hard to read: %q", name, window.name, dark, faint)
				}
				if dark == (window.name == "desk") { // a picture of each, in one light
					tab.Picture(name + "-" + window.name)
				}
			}
		}
	}
}
