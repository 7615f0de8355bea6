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

// TestPage looks at every view of the page in a real browser, without a
// person, and keeps a picture of each: go test -artifacts keeps them.
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
	release := s.await(commit).Release

	views := map[string][]string{
		"/":                     {`· shop ·`, `class="environment in_sync"`, `href="/environments/preview"`, commit[:12], "is in force"},
		"/environments/preview": {"<title>preview", "Everything looked at is as declared", "create Function/checkout", `href="/environments/preview/resources/Function%2Fcheckout"`, `id="hold"`},
		"/environments/preview/resources/Function/checkout": {"functions/checkout.yaml:", `<th scope="row">memorySize</th>`, "ready"},
		"/environments/preview/releases/" + release:         {commit, "in_force", "looks"},
		"/decisions": {"admission", "outcome-allow"},
	}
	for view, wants := range views {
		dom := browse(t, "http://"+s.listen+view)
		for _, want := range wants {
			if !strings.Contains(dom, want) {
				t.Errorf("%s lacks %q:\n%.3000s", view, want, dom)
			}
		}
		dom = strings.Replace(dom, `<script src="/live.js" defer=""></script>`, "", 1)
		if m := regexp.MustCompile(`<script|javascript:|style="| on[a-z]+="`).FindString(dom); m != "" {
			t.Errorf("%q on %s, whose policy allows no scripts but its own and no inline styles", m, view)
		}
	}
	if style := browse(t, "http://"+s.listen+"/style.css"); !strings.Contains(style, "color-scheme") {
		t.Errorf("no style: %.200s", style)
	}
}

// browse is the document as the browser has it once loaded.
func browse(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	name := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(url[len("http://127.0.0.1"):]), "-"), "-")
	cmd := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1280,1400",
		"--user-data-dir="+filepath.Join(t.TempDir(), "browser"), "--timeout=5000", "--screenshot="+filepath.Join(t.ArtifactDir(), name+".png"), "--dump-dom", url)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	dom, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium %s: %v\n%s", url, err, stderr.String())
	}
	return string(dom)
}
