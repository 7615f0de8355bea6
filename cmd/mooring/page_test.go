package main

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestPage looks at the page in a real browser, without a person: the
// pipeline, and one environment with what was changed by hand.
func TestPage(t *testing.T) {
	t.Parallel()
	needWitness(t, "chromium")
	s := newKillStage(t)
	s.begin()
	out, err := exec.Command("git", "-C", s.path("shop"), "rev-parse", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	commit := strings.TrimSpace(string(out))
	s.await(commit)

	dom := browse(t, "http://"+s.listen+"/")
	for _, want := range []string{`<title>shop`, `class="environment in_sync"`, `href="/environments/preview"`, commit[:12], "is in force"} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page lacks %q:\n%.3000s", want, dom)
		}
	}
	if style := browse(t, "http://"+s.listen+"/style.css"); !strings.Contains(style, "color-scheme") {
		t.Errorf("no style: %.200s", style)
	}
	dom = browse(t, "http://"+s.listen+"/environments/preview")
	for _, want := range []string{"<title>preview", "Everything looked at is as declared", "create Function/checkout"} {
		if !strings.Contains(dom, want) {
			t.Errorf("the environment's page lacks %q:\n%.3000s", want, dom)
		}
	}
	if m := regexp.MustCompile(`<script|javascript:|style="`).FindString(dom); m != "" {
		t.Errorf("%q on a page whose policy allows no scripts and no inline styles", m)
	}
}

// browse is the document as the browser has it once loaded.
func browse(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+filepath.Join(t.TempDir(), "browser"), "--virtual-time-budget=1500", "--dump-dom", url)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	dom, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium %s: %v\n%s", url, err, stderr.String())
	}
	return string(dom)
}
