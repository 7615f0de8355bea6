package manifest

import (
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Identity says who is known beside personal tokens. The zero value: nobody.
type Identity struct {
	Issuers []Issuer `json:"issuers,omitempty" is:"maxitems=20" doc:"OpenID Connect issuers whose signed tokens prove who asks."`
	// People are those who prove themselves in several ways: what is not said to
	// be one person is never taken for one, and never counted as two.
	People []KnownPerson `json:"people,omitempty" is:"maxitems=1000" doc:"Who is one person, whatever proves them. A personal token and a login of the host with this name are theirs without being named."`
}

// KnownPerson is somebody who proves themselves in several ways.
type KnownPerson struct {
	Name       string          `json:"name" is:"required,match=person,maxlen=64" doc:"The name of the person, as approvals name it."`
	Emails     []string        `json:"emails,omitempty" is:"maxitems=20" doc:"By which commits of this person are known, beside those that the proof says: nobody approves what they wrote."`
	Tokens     []string        `json:"tokens,omitempty" is:"maxitems=50" doc:"Personal tokens with other names that are theirs, by name."`
	Identities []KnownIdentity `json:"identities,omitempty" is:"maxitems=20" doc:"Who they are at issuers."`
}

// KnownIdentity is somebody at an issuer.
type KnownIdentity struct {
	Issuer  string `json:"issuer" is:"required,maxlen=2048" doc:"An issuer of identity.issuers."`
	Subject string `json:"subject" is:"required,maxlen=255" doc:"The sub claim: the id there, not the name. mooring audit shows it after the issuer."`
}

// At is who a subject of an issuer is said to be.
func (i Identity) At(issuer, subject string) (KnownPerson, bool) {
	for _, p := range i.People {
		if slices.Contains(p.Identities, KnownIdentity{issuer, subject}) {
			return p, true
		}
	}
	return KnownPerson{}, false
}

// Holder is whose a personal token of a name is said to be.
func (i Identity) Holder(token string) (KnownPerson, bool) {
	for _, p := range i.People {
		if p.Name == token || slices.Contains(p.Tokens, token) {
			return p, true
		}
	}
	return KnownPerson{}, false
}

// Issuer is one issuer of signed tokens, and who may what by them.
type Issuer struct {
	URL      string `json:"issuer" is:"required,match=url,maxlen=2048" doc:"The issuer, as tokens name it: https://token.actions.githubusercontent.com."`
	Audience string `json:"audience" is:"required,maxlen=255" doc:"Whom tokens must be made for: a name of your own for this daemon, or the client's id."`
	Name     string `json:"name,omitempty" is:"default=sub,maxlen=64" doc:"The claim that names who asks. It must be one that people cannot choose."`
	Teams    string `json:"teams,omitempty" is:"maxlen=64" doc:"The claim with the teams policy is told, a text or a list."`
	// Login: people log in to the page by this issuer. Nil: it proves bearers of
	// its tokens alone.
	Login *IssuerLogin `json:"login,omitempty" doc:"Lets people log in to the page by this issuer. Without it, it only proves who sends its tokens."`
	// Roles are what a token gives: of each whose claims it has.
	Roles []IssuerRole `json:"roles" is:"required,minitems=1,maxitems=100" doc:"What a token gives, by its claims."`
}

// IssuerLogin is this daemon as a client of an issuer, for the page: by the flow
// of an authorization code, with PKCE.
type IssuerLogin struct {
	Name   string   `json:"name" is:"required,match=name,maxlen=64" doc:"In addresses: the issuer must let this client return to PAGE/login/NAME/callback, where PAGE is --page-url."`
	Label  string   `json:"label,omitempty" is:"maxlen=64" doc:"What people read on the button. Default: the name."`
	Client string   `json:"client" is:"required,maxlen=255" doc:"The client's id at the issuer."`
	Secret *Secret  `json:"secret,omitempty" is:"secret" doc:"The client's secret. Without it, a public client."`
	Scopes []string `json:"scopes,omitempty" is:"maxitems=20" doc:"What is asked for beside openid, so that the claims of name, teams and roles are in the ID token: profile, email, groups."`
	// Session is how long a login lasts; 0: as long as the issuer's ID token.
	Session Duration `json:"session,omitempty" doc:"How long a login lasts, at most 24h. Without it, as long as the issuer's ID token, which may be minutes."`
}

// maxSession bounds how long a login may last.
const maxSession = Duration(24 * time.Hour)

// Shown is the text of the button.
func (l IssuerLogin) Shown() string { return cmp.Or(l.Label, l.Name) }

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
	c.checkKnown(n.get("people"))
	ways := map[string]bool{}
	for i, issuer := range c.p.Identity.Issuers {
		at := n.get("issuers")
		if at == nil || i >= len(at.items) {
			return
		}
		at = at.items[i]
		if !safeIssuer(issuer.URL) {
			c.d.fault(at.get("issuer").pos(), "cannot be "+quote(issuer.URL), "an issuer is an https address; http is for this machine alone")
		}
		c.checkLogin(at.get("login"), issuer.Login, ways)
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

// checkKnown refuses people of whom two would be one, and issuers that there are
// not.
func (c *pipelineCheck) checkKnown(n *node) {
	whose := map[any]string{}
	for i, p := range c.p.Identity.People {
		if n == nil || i >= len(n.items) {
			return
		}
		at := n.items[i]
		claim := func(n *node, what any, shown string) {
			if other, taken := whose[what]; taken {
				c.d.fault(n.pos(), shown+" is "+quote(other)+" already", "a proof is one person's")
			}
			whose[what] = p.Name
		}
		claim(at.get("name"), p.Name, quote(p.Name))
		for j, token := range p.Tokens {
			claim(at.get("tokens").items[j], token, "token "+quote(token))
		}
		for j, id := range p.Identities {
			n := at.get("identities").items[j]
			claim(n, id, quote(id.Subject)+" there")
			if !slices.ContainsFunc(c.p.Identity.Issuers, func(of Issuer) bool { return of.URL == id.Issuer }) {
				c.d.fault(n.get("issuer").pos(), "no issuer "+quote(id.Issuer), "as it stands in identity.issuers")
			}
		}
	}
}

// checkLogin refuses two ways in of one name, and logins for ever.
func (c *pipelineCheck) checkLogin(n *node, l *IssuerLogin, ways map[string]bool) {
	if n == nil || l == nil {
		return
	}
	if ways[l.Name] {
		c.d.fault(n.get("name").pos(), quote(l.Name)+" is another issuer's", "each has a name of its own, so that one cannot answer for another")
	}
	ways[l.Name] = true
	if l.Session < 0 || l.Session > maxSession {
		c.d.fault(n.get("session").pos(), "is no time of at most 24h", "people log in again then; at most issuers they only have to click")
	}
	for i, scope := range l.Scopes {
		if scope == "" || strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			c.d.fault(n.get("scopes").items[i].pos(), quote(scope)+" is no scope", "one word each")
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
