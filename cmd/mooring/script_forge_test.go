package main

import (
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdForge serves shop.git as a host does, by smart HTTP at $FORGE_GIT.
func cmdForge(ts *testscript.TestScript, _ bool, _ []string) {
	st := stageOf(ts)
	libexec, err := exec.Command("git", "--exec-path").Output()
	ts.Check(err)
	server := httptest.NewServer(&cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(libexec)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + st.work, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "HOME=" + st.work, "REMOTE_USER=mooring"},
	})
	ts.Defer(server.Close)
	ts.Check(ts.Exec("git", "-C", filepath.Join(st.work, "shop.git"), "config", "http.receivepack", "true"))
	ts.Setenv("FORGE_GIT", server.URL+"/shop.git")
}

var postReceive = regexp.MustCompile("(?s)```sh\n(#!/bin/sh\n# Tells Mooring.*?)```")

// cmdPostHook installs the hook that docs/hosts.md shows.
func cmdPostHook(ts *testscript.TestScript, _ bool, _ []string) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "hosts.md"))
	ts.Check(err)
	block := postReceive.FindSubmatch(text)
	if block == nil {
		ts.Fatalf("docs/hosts.md shows no post-receive hook")
	}
	ts.Check(os.WriteFile(filepath.Join(stageOf(ts).work, "shop.git", "hooks", "post-receive"), block[1], 0o755))
}
