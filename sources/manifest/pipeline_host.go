package manifest

import (
	"maps"
	"slices"
	"strings"
)

// Host is the service the repository is reviewed on. At most one of the first
// four is set; Generic may stand alone or beside it.
type Host struct {
	GitHub    *GitHubRepository    `json:"github,omitempty" doc:"GitHub, or a GitHub Enterprise Server."`
	GitLab    *HostRepository      `json:"gitlab,omitempty" doc:"GitLab."`
	Gitea     *HostRepository      `json:"gitea,omitempty" doc:"Gitea or Forgejo. Needs endpoint."`
	Bitbucket *BitbucketRepository `json:"bitbucket,omitempty" doc:"Bitbucket Cloud, or with dataCenter a Bitbucket Data Center."`
	Generic   *GenericHost         `json:"generic,omitempty" doc:"Anything that can send a signed request when the repository changes."`
	// Identities are who a login is. A login that does not stand here never
	// counts.
	Identities map[string]HostPerson `json:"identities,omitempty" is:"keys=login,maxitems=1000" doc:"Who the host's logins are, by login (on Bitbucket Cloud by account id). The approving review of a login that stands here counts as that person's approval; any other never does."`
}

// HostRepository is one repository on a host.
type HostRepository struct {
	Repository    string  `json:"repository" is:"required,match=hosted,maxlen=255" doc:"The repository as the host names it: OWNER/NAME, on GitLab the whole path."`
	Token         *Secret `json:"token" is:"required,secret" doc:"The token that opens it, read anew at each request."`
	Endpoint      string  `json:"endpoint,omitempty" is:"match=url,maxlen=2048" doc:"The host's address where it is not the public one, without the path of its API."`
	WebhookSecret *Secret `json:"webhookSecret,omitempty" is:"secret" doc:"What webhooks are signed with. Without it none is taken."`
}

// GitHubRepository is one repository on a GitHub, opened by a token or by a
// GitHub App.
type GitHubRepository struct {
	Repository    string     `json:"repository" is:"required,match=hosted,maxlen=255" doc:"The repository as the host names it: OWNER/NAME."`
	Token         *Secret    `json:"token,omitempty" is:"secret" doc:"The token that opens it, read anew at each request. Either this or app."`
	App           *GitHubApp `json:"app,omitempty" doc:"The GitHub App that opens it, whose tokens live for an hour. Either this or token."`
	Endpoint      string     `json:"endpoint,omitempty" is:"match=url,maxlen=2048" doc:"The host's address where it is not the public one, without the path of its API."`
	WebhookSecret *Secret    `json:"webhookSecret,omitempty" is:"secret" doc:"What webhooks are signed with. Without it none is taken."`
}

// GitHubApp is an App that is installed where the repository is.
type GitHubApp struct {
	ID           int     `json:"id" is:"required,min=1" doc:"The App's id (App ID, not Client ID)."`
	Installation int     `json:"installation" is:"required,min=1" doc:"The id of its installation in the repository's account: the number at the end of the installation's address."`
	PrivateKey   *Secret `json:"privateKey" is:"required,secret" doc:"The App's private key, PEM, read anew whenever a token is asked for."`
}

// common is what all hosts have; its token is nil where an App opens it.
func (r *GitHubRepository) common() *HostRepository {
	return &HostRepository{Repository: r.Repository, Token: r.Token, Endpoint: r.Endpoint, WebhookSecret: r.WebhookSecret}
}

// BitbucketRepository is one repository on a Bitbucket.
type BitbucketRepository struct {
	HostRepository
	User       string `json:"user,omitempty" is:"maxlen=255" doc:"Whose token it is, where the host wants name and token (Bitbucket Cloud's API tokens: the e-mail address)."`
	DataCenter bool   `json:"dataCenter,omitempty" doc:"Whether it is a Bitbucket Data Center. Needs endpoint."`
}

// GenericHost sends webhooks, and nothing else is known of it.
type GenericHost struct {
	WebhookSecret *Secret `json:"webhookSecret" is:"required,secret" doc:"The key of the HMAC-SHA256 in the header X-Mooring-Signature: sha256=HEX."`
}

// HostPerson is who a login is.
type HostPerson struct {
	Name         string   `json:"name" is:"required,maxlen=128" doc:"The name of the person, as approvals name it."`
	Emails       []string `json:"emails,omitempty" is:"maxitems=20" doc:"By which commits of this person are known: nobody approves what they wrote."`
	Teams        []string `json:"teams,omitempty" is:"maxitems=50" doc:"The teams, for policies."`
	Environments []string `json:"environments,omitempty" is:"maxitems=100" doc:"The environments this person's reviews count in. Default all."`
}

// Repository is the one on the host that was named; nil when only Generic is.
func (h *Host) Repository() *HostRepository {
	if h.GitHub != nil {
		return h.GitHub.common()
	}
	for _, r := range []*HostRepository{h.GitLab, h.Gitea} {
		if r != nil {
			return r
		}
	}
	if h.Bitbucket != nil {
		return &h.Bitbucket.HostRepository
	}
	return nil
}

// Person is who a login is. Logins are the same whatever their case.
func (h *Host) Person(login string) (HostPerson, bool) {
	for known, p := range h.Identities {
		if strings.EqualFold(known, login) {
			return p, true
		}
	}
	return HostPerson{}, false
}

// check holds the members against each other.
func (h *Host) check(d *decoder, n *node) {
	hosts := 0
	for _, there := range []bool{h.GitHub != nil, h.GitLab != nil, h.Gitea != nil, h.Bitbucket != nil} {
		if there {
			hosts++
		}
	}
	switch {
	case hosts == 0 && h.Generic == nil:
		d.fault(n.pos(), "names no host", "as github: {repository: acme/shop, token: {fromEnv: HOST_TOKEN}}")
	case hosts > 1:
		d.fault(n.pos(), "names several hosts", "the repository stands on one; generic may stand beside it")
	}
	if h.GitHub != nil && h.GitHub.Token == nil && h.GitHub.App == nil {
		d.faults = append(d.faults, Fault{n.get("github").pos(), "spec.host.github.token", "is missing, and so is app", "as token: {fromEnv: HOST_TOKEN}"})
	}
	if h.GitHub != nil && h.GitHub.Token != nil && h.GitHub.App != nil {
		d.faults = append(d.faults, Fault{n.get("github").get("app").pos(), "spec.host.github.app", "stands beside token", "name one of them"})
	}
	if h.Gitea != nil && h.Gitea.Endpoint == "" {
		d.fault(n.get("gitea").pos(), "gitea needs endpoint", "as https://git.example.com")
	}
	if h.Bitbucket != nil && h.Bitbucket.DataCenter && h.Bitbucket.Endpoint == "" {
		d.fault(n.get("bitbucket").pos(), "a Data Center needs endpoint", "as https://bitbucket.example.com")
	}
	if h.GitLab == nil {
		if r := h.Repository(); r != nil && strings.Count(r.Repository, "/") != 1 {
			d.fault(n.pos(), "repository "+quote(r.Repository)+" is no OWNER/NAME", "only GitLab has groups within groups")
		}
	}
	h.checkLogins(d, n)
}

// checkLogins refuses two persons for one login.
func (h *Host) checkLogins(d *decoder, n *node) {
	seen := map[string]string{}
	for _, login := range slices.Sorted(maps.Keys(h.Identities)) {
		folded := strings.ToLower(login)
		if other, twice := seen[folded]; twice {
			d.fault(n.get("identities").pos(), "names "+quote(login)+" and "+quote(other), "logins differ by more than case")
		}
		seen[folded] = login
	}
}

// checkPeople refuses environments that there are not.
func (c *pipelineCheck) checkPeople(n *node, names map[string]int) {
	if c.p.Host == nil {
		return
	}
	known := slices.Sorted(maps.Keys(names))
	for _, login := range slices.Sorted(maps.Keys(c.p.Host.Identities)) {
		for _, name := range c.p.Host.Identities[login].Environments {
			if _, there := names[name]; !there {
				at := n.get("identities").get(login)
				c.d.faults = append(c.d.faults, Fault{at.pos(), "spec.host.identities." + login, "no environment " + quote(name), didYouMean(name, known)})
			}
		}
	}
}
