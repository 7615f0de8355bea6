package main

import (
	"errors"
	"net/http"
	"time"

	"mooring.dev/sources"
	"mooring.dev/sources/host"
	"mooring.dev/sources/manifest"
)

// openHost opens the service that people review on, to be reached by client; nil:
// as any server is. Nothing is asked of it yet.
func openHost(h manifest.Host, secrets *secrets, client *http.Client) (sources.Host, error) {
	r := h.Repository()
	if r == nil {
		return nil, errors.New("the pipeline names no host with a repository")
	}
	o := host.Options{Repository: r.Repository, Endpoint: r.Endpoint, Client: client, Now: time.Now}
	if r.Token != nil {
		o.Token = secrets.of(*r.Token)
	}
	switch {
	case h.GitHub != nil:
		o.Kind = host.GitHub
		if app := h.GitHub.App; app != nil {
			var err error
			if o.App, err = host.NewApp(host.AppOptions{
				ID: app.ID, Installation: app.Installation, Key: secrets.of(*app.PrivateKey), Endpoint: r.Endpoint, Repository: r.Repository, Client: client, Now: time.Now,
			}); err != nil {
				return nil, err
			}
		}
	case h.GitLab != nil:
		o.Kind = host.GitLab
	case h.Gitea != nil:
		o.Kind = host.Gitea
	case h.Bitbucket.DataCenter:
		o.Kind, o.User = host.BitbucketServer, h.Bitbucket.User
	default:
		o.Kind, o.User = host.BitbucketCloud, h.Bitbucket.User
	}
	return host.New(o)
}
