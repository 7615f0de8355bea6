package main

import (
	"context"

	"mooring.dev/reconciler/diagnose"
	"mooring.dev/sources/manifest"
)

// host asks the service people review on what it lets us do. Nothing is
// written there.
func (d *doctoring) host(ctx context.Context, p *manifest.Pipeline) diagnose.Host {
	h := *p.Host
	out := diagnose.Host{Name: hostName(h), Generic: h.Generic != nil}
	out.Unread, _ = readSecrets(h, func(_, _, _ string) {})
	r := h.Repository()
	if r == nil || len(out.Unread) > 0 {
		return out
	}
	out.Repository, out.Webhook = r.Repository, r.WebhookSecret != nil
	host, err := openHost(h, &secrets{}, d.hostClient())
	if err != nil {
		out.Err = err
		return out
	}
	for i, e := range p.Environments {
		facts, err := host.Facts(ctx, e.Branch)
		if i == 0 {
			if out.Err = err; err != nil {
				return out
			}
			out.Login, out.Write, out.WriteKnown, out.Lacks = facts.Login, facts.Write, facts.WriteKnown, facts.Lacks
		}
		out.Branches = append(out.Branches, diagnose.HostBranch{
			Environment: e.Name, Branch: e.Branch, Promotion: e.Promotion, Err: err, Protected: facts.Protected, ProtectedKnown: facts.ProtectedKnown,
		})
	}
	return out
}

// hostName is which host a pipeline names.
func hostName(h manifest.Host) string {
	switch {
	case h.GitHub != nil:
		return "github"
	case h.GitLab != nil:
		return "gitlab"
	case h.Gitea != nil:
		return "gitea"
	case h.Bitbucket != nil:
		return "bitbucket"
	}
	return "generic"
}
