package manifest

import (
	"net/netip"
	"net/url"
	"strings"
)

// Identity says who is known beside personal tokens. The zero value: nobody.
type Identity struct {
	Issuers []Issuer `json:"issuers,omitempty" is:"maxitems=20" doc:"OpenID Connect issuers whose signed tokens prove who asks."`
}

// Issuer is one issuer of signed tokens, and who may what by them.
type Issuer struct {
	URL      string `json:"issuer" is:"required,match=url,maxlen=2048" doc:"The issuer, as tokens name it: https://token.actions.githubusercontent.com."`
	Audience string `json:"audience" is:"required,maxlen=255" doc:"Whom tokens must be made for: a name of your own for this daemon, or the client's id."`
	Name     string `json:"name,omitempty" is:"default=sub,maxlen=64" doc:"The claim that names who asks. It must be one that people cannot choose."`
	Teams    string `json:"teams,omitempty" is:"maxlen=64" doc:"The claim with the teams policy is told, a text or a list."`
	// Roles are what a token gives: of each whose claims it has.
	Roles []IssuerRole `json:"roles" is:"required,minitems=1,maxitems=100" doc:"What a token gives, by its claims."`
}

// IssuerRole is what tokens with certain claims give.
type IssuerRole struct {
	Role         string            `json:"role" is:"required,enum=viewer|approver|operator|admin" doc:"The role."`
	Environments []string          `json:"environments,omitempty" is:"maxitems=100" doc:"Where. Without it, everywhere."`
	Claims       map[string]string `json:"claims" is:"required,maxitems=20" doc:"What the token must say: every claim has this value, or a list has it in it. A * at the end is any rest."`
}

// checkIdentity refuses what would let in more people than it seems to.
func (c *pipelineCheck) checkIdentity(n *node, names map[string]int) {
	var known []string
	for _, e := range c.p.Environments {
		known = append(known, e.Name)
	}
	for i, issuer := range c.p.Identity.Issuers {
		at := n.get("issuers")
		if at == nil || i >= len(at.items) {
			return
		}
		at = at.items[i]
		if !safeIssuer(issuer.URL) {
			c.d.fault(at.get("issuer").pos(), "cannot be "+quote(issuer.URL), "an issuer is an https address; http is for this machine alone")
		}
		roles := at.get("roles")
		for j, r := range issuer.Roles {
			if roles == nil || j >= len(roles.items) {
				break
			}
			if len(r.Claims) == 0 {
				c.d.fault(roles.items[j].pos(), "gives "+r.Role+" to everybody the issuer knows", `say whom by claims; {sub: "*"} is everybody`)
			}
			for _, name := range r.Environments {
				if _, ok := names[name]; !ok {
					c.d.fault(roles.items[j].get("environments").pos(), "no environment "+quote(name), didYouMean(name, known))
				}
			}
		}
	}
}

// safeIssuer: nobody on the way can give other keys.
func safeIssuer(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	ip, err := netip.ParseAddr(strings.Trim(u.Hostname(), "[]"))
	return u.Scheme == "https" || u.Scheme == "http" && err == nil && ip.IsLoopback()
}
