package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mooring.dev/sources/git"
	"mooring.dev/sources/host"
	"mooring.dev/sources/reread"
)

// asApp has a GitHub App open the repository, where one is named. It stands in
// flags, since mooring.yaml can be read only once the repository is open.
func (p *place) asApp(o *git.Options) error {
	if p.gitApp == "" && p.gitAppKey == "" {
		return nil
	}
	at, err := url.Parse(p.repo)
	switch {
	case p.gitApp == "" || p.gitAppKey == "":
		return errors.New("--git-github-app and --git-github-app-key go together: name both")
	case p.tokenFile != "":
		return errors.New("--git-token-file and --git-github-app exclude each other: name one")
	case err != nil || at.Scheme != "https" && at.Scheme != "http":
		return errors.New("--git-github-app opens repositories by https: name one with --repo https://…")
	}
	app, installation, ok := strings.Cut(p.gitApp, "/")
	id, err1 := strconv.Atoi(app)
	installed, err2 := strconv.Atoi(installation)
	if !ok || err1 != nil || err2 != nil {
		return fmt.Errorf("--git-github-app %q: want APP/INSTALLATION, the numbers GitHub shows, as 123456/7890123", p.gitApp)
	}
	endpoint := at.Scheme + "://" + at.Host
	if strings.EqualFold(at.Host, "github.com") {
		endpoint = ""
	}
	key := reread.Open(p.files, reread.Spec[string]{What: "GitHub App key", Path: p.gitAppKey, Parse: reread.Text})
	made, err := host.NewApp(host.AppOptions{ID: id, Installation: installed, Key: key.Get, Endpoint: endpoint, Client: p.hostClient(), Now: time.Now})
	if err != nil {
		return fmt.Errorf("--git-github-app: %w", err)
	}
	o.Token, o.Refused, o.User = made.Token, made.Refused, cmp.Or(p.user, "x-access-token")
	return nil
}
