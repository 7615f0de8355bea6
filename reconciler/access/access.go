// Package access says who may do what: people, their roles in environments,
// and the tokens they prove themselves with. It is pure, reads no file and
// knows no request; it refuses to trust a name that was only stated.
package access

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Role is what somebody is in an environment. Its zero value may nothing.
type Role string

const (
	// Viewer sees everything and changes nothing.
	Viewer Role = "viewer"
	// Approver also says yes or no to content. Not to operate is the point:
	// who lets content pass and who drives are told apart.
	Approver Role = "approver"
	// Operator also holds, resumes, rolls back, promotes, answers drift.
	Operator Role = "operator"
	// Admin does everything.
	Admin Role = "admin"
)

// Roles are all there are, least first.
func Roles() []Role { return []Role{Viewer, Approver, Operator, Admin} }

// Verb is a kind of act.
type Verb string

const (
	See     Verb = "see"
	Approve Verb = "approve"
	Operate Verb = "operate"
	// Attest gives a verdict on content, as a test does that ran elsewhere.
	Attest Verb = "attest"
	// Govern makes policies active that those in force keep out.
	Govern Verb = "govern"
	// Copy takes all that is remembered away, as a backup.
	Copy Verb = "copy"
	// Destroy removes what is left of an environment.
	Destroy Verb = "destroy"
	// Profile looks into the daemon's own process.
	Profile Verb = "profile"
)

// Grants a verb to whoever has the role.
func (r Role) allows(v Verb) bool {
	switch r {
	case Viewer:
		return v == See
	case Approver:
		return v == See || v == Approve || v == Attest
	case Operator:
		return v == See || v == Operate || v == Attest
	case Admin:
		return v == See || v == Approve || v == Operate || v == Attest || v == Govern || v == Copy || v == Destroy || v == Profile
	}
	return false
}

// Grant is a role in some environments; in every one where none is named.
type Grant struct {
	Role         Role     `json:"role"`
	Environments []string `json:"environments,omitempty"`
}

// ParseGrant reads ROLE or ROLE:ENVIRONMENT,ENVIRONMENT.
func ParseGrant(text string) (Grant, error) {
	role, rest, narrowed := strings.Cut(text, ":")
	g := Grant{Role: Role(role)}
	if !slices.Contains(Roles(), g.Role) {
		return Grant{}, fmt.Errorf("role %q: want viewer, approver, operator or admin, and environments after a colon where it is not for all (approver:staging,production)", role)
	}
	for _, name := range strings.Split(rest, ",") {
		if name = strings.TrimSpace(name); name != "" {
			g.Environments = append(g.Environments, name)
		}
	}
	if narrowed && len(g.Environments) == 0 {
		return Grant{}, fmt.Errorf("role %q: no environment after the colon", text)
	}
	return g, nil
}

// String is the form ParseGrant reads.
func (g Grant) String() string {
	if len(g.Environments) == 0 {
		return string(g.Role)
	}
	return string(g.Role) + ":" + strings.Join(g.Environments, ",")
}

// Person is who asks. The zero Person is nobody and may nothing.
type Person struct {
	Name string
	// Verified: the name was proved, by a token of that person's own. An
	// unverified one may act where its grants let it, but never counts as
	// somebody's yes in a protected environment.
	Verified bool
	// Identity is whose the name is where it is an issuer's and nobody said who
	// that is here: oidc:ISSUER|SUBJECT. "" where the name itself says who.
	Identity string
	// Proof is by what: token:ID, oidc:ISSUER|SUBJECT, own_token (the daemon's) or loopback. It is for
	// the records; nothing is decided by it.
	Proof  string
	Emails []string // by which commits of this person are known
	Teams  []string
	Grants []Grant
	// Session: a browser that has logged in asks, and can log out.
	Session bool
}

// Stated is a person with every right whose name is only a claim: whoever holds
// the daemon's own token on its machine, or tests.
func Stated(name string) Person {
	return Person{Name: name, Grants: []Grant{{Role: Admin}}}
}

// May tells whether the person may do such a thing in an environment; with
// environment "", in any.
func (p Person) May(v Verb, environment string) bool {
	return slices.ContainsFunc(p.Grants, func(g Grant) bool {
		return g.Role.allows(v) && (environment == "" || len(g.Environments) == 0 || slices.Contains(g.Environments, environment))
	})
}

// Everywhere tells whether the person may do such a thing in every environment.
func (p Person) Everywhere(v Verb) bool {
	return slices.ContainsFunc(p.Grants, func(g Grant) bool { return g.Role.allows(v) && len(g.Environments) == 0 })
}

// CheckEverywhere is nil when p may everywhere, and a *Refusal otherwise.
func (p Person) CheckEverywhere(v Verb) error {
	if p.Everywhere(v) {
		return nil
	}
	return &Refusal{Who: cmp.Or(p.Name, "nobody"), Verb: v, Environment: everywhere}
}

// everywhere stands in a refusal for all environments.
const everywhere = "every environment"

// Refusal says what a person may not do, and what would be needed.
type Refusal struct {
	Who         string
	Verb        Verb
	Environment string
	Of          string // who may, where that is not a matter of roles
}

func (r *Refusal) Error() string {
	if r.Of != "" {
		return fmt.Sprintf("%s may not %s in %s: that takes %s", r.Who, r.Verb, r.Environment, r.Of)
	}
	var roles []string
	for _, role := range Roles() {
		if role.allows(r.Verb) {
			roles = append(roles, string(role))
		}
	}
	where := r.Environment
	if where == "" {
		where = "any environment"
	}
	return fmt.Sprintf("%s may not %s in %s: that takes the role %s there", r.Who, r.Verb, where, strings.Join(roles, " or "))
}

// Check is nil when p may, and a *Refusal otherwise.
func (p Person) Check(v Verb, environment string) error {
	if p.May(v, environment) {
		return nil
	}
	who := p.Name
	if who == "" {
		who = "nobody"
	}
	return &Refusal{Who: who, Verb: v, Environment: environment}
}

// Same tells whether an author of a commit is this person. It rather takes two
// for one than one for two: an approval too few is asked for again, one too
// many is not noticed.
func (p Person) Same(name, email string) bool {
	local, _, _ := strings.Cut(email, "@")
	for _, own := range append([]string{p.Name}, p.Emails...) {
		if own == "" {
			continue
		}
		if strings.EqualFold(own, name) || strings.EqualFold(own, email) || strings.EqualFold(own, local) {
			return true
		}
	}
	return false
}
