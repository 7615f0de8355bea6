package approve

import (
	"slices"
	"strings"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// Rights are who may approve now, as far as that is known here: an issuer's
// claims are known only at the moment somebody shows them.
type Rights struct {
	Tokens      access.Tokens // of the people they are said to be of, revoked ones too
	Unread      bool          // the tokens could not be read: none counts
	Identity    manifest.Identity
	Host        *manifest.Host // nil: nobody is heard by reviews
	Environment string         // "": of what is everybody's, as policies are
	Now         time.Time
}

// Lost says why the giver of an approval may approve no more; "" while they may.
func (r Rights) Lost(a record.Approval) string {
	if why := r.lost(a); why != "" {
		return "may approve no more: " + why
	}
	return ""
}

func (r Rights) lost(a record.Approval) string {
	id, token := strings.CutPrefix(a.Proof, "token:")
	switch {
	case a.Review != "" && r.reviews(a.By):
		return ""
	case a.Review != "":
		return "their reviews count here no more"
	case token:
		return r.byToken(a.By, id)
	case a.Proof != "" || a.Identity != "":
		return r.byIssuer(a)
	case r.known(a.By):
		return "" // by what is not told of words that are older than this
	}
	return r.byToken(a.By, "")
}

// reviews: somebody's reviews count in the environment.
func (r Rights) reviews(name string) bool {
	if r.Host == nil {
		return false
	}
	for _, who := range r.Host.Identities {
		if who.Name == name && covers(who.Environments, r.Environment) {
			return true
		}
	}
	return false
}

// byToken: what was said by a token that was taken back may be somebody else's
// who had it, whatever other tokens its owner has. One that ran out is followed
// by another one of the same name.
func (r Rights) byToken(name, id string) string {
	if r.Unread {
		return "the tokens cannot be read"
	}
	good := false
	for _, t := range r.Tokens {
		if t.ID == id && !t.Revoked.IsZero() {
			return "their token was revoked"
		}
		if t.Good(r.Now) && (t.ID == id || t.Name == name) {
			good = true
			if r.allows(access.Person{Grants: t.Grants}) {
				return ""
			}
		}
	}
	if good {
		return "their token does not give the role"
	}
	return "they have no token that is good"
}

// byIssuer: the issuer is still one whose people may approve, and is it by
// another name here, still by that one.
func (r Rights) byIssuer(a record.Approval) string {
	proof := a.Proof
	if proof == "" {
		proof = a.Identity
	}
	issuer, subject, _ := strings.Cut(strings.TrimPrefix(proof, "oidc:"), "|")
	if who, _ := r.Identity.At(issuer, subject); a.Identity == "" && who.Name != a.By {
		return "identity.people in mooring.yaml says no more that it is they"
	}
	if !r.issues(issuer) {
		return "their issuer gives nobody the role"
	}
	return ""
}

// issues: an issuer's tokens can give the role.
func (r Rights) issues(issuer string) bool {
	for _, of := range r.Identity.Issuers {
		for _, role := range of.Roles {
			if of.URL == issuer && r.allows(access.Person{Grants: []access.Grant{{Role: access.Role(role.Role), Environments: role.Environments}}}) {
				return true
			}
		}
	}
	return false
}

// known: somebody is said to be known at an issuer whose people may approve.
func (r Rights) known(name string) bool {
	return slices.ContainsFunc(r.Identity.People, func(p manifest.KnownPerson) bool {
		return p.Name == name && slices.ContainsFunc(p.Identities, func(k manifest.KnownIdentity) bool { return r.issues(k.Issuer) })
	})
}

func (r Rights) allows(p access.Person) bool {
	if r.Environment == "" {
		return p.Everywhere(access.Approve)
	}
	return p.May(access.Approve, r.Environment)
}

// covers: none named are all.
func covers(environments []string, name string) bool {
	return len(environments) == 0 || slices.Contains(environments, name)
}
