package approve

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// stillMay is where ann may approve in production in every way there is.
func stillMay() Rights {
	const there = "17"
	return Rights{
		Tokens: access.Tokens{{ID: "t1", Name: "ann", Grants: []access.Grant{{Role: access.Approver, Environments: []string{"production"}}}, Expires: now.Add(time.Hour)}},
		Identity: manifest.Identity{
			Issuers: []manifest.Issuer{{URL: issuer, Roles: []manifest.IssuerRole{{Role: "viewer"}, {Role: "approver", Environments: []string{"production"}}}}},
			People:  []manifest.KnownPerson{{Name: "ann", Identities: []manifest.KnownIdentity{{Issuer: issuer, Subject: there}}}},
		},
		Host:        &manifest.Host{Identities: map[string]manifest.HostPerson{"ann-w": {Name: "ann", Environments: []string{"production"}}}},
		Environment: "production", Now: now,
	}
}

// By whatever somebody proved themselves: who may approve no more is told so, and
// nobody else.
func TestWhoMayApproveNoMore(t *testing.T) {
	byToken, byReview, known, byName := yes("ann"), yes("ann"), yes("ann"), yes("ann")
	byToken.Proof, byReview.Review, known.Proof = "token:t1", "1/7", "oidc:"+issuer+"|17"
	byIssuer := at(yes("nan"), "18")
	byIssuer.Proof = byIssuer.Identity
	older := at(yes("nan"), "18")
	words := map[string]record.Approval{"token": byToken, "review": byReview, "known": known, "issuer": byIssuer, "olderIssuer": older, "older": byName}
	another := access.Token{ID: "t2", Name: "ann", Grants: []access.Grant{{Role: access.Admin}}, Expires: now.Add(time.Hour)}
	for name, c := range map[string]struct {
		change func(*Rights)
		lost   string // whose words
	}{
		"as it was":        {func(*Rights) {}, ""},
		"elsewhere":        {func(r *Rights) { r.Environment = "staging" }, "token review known issuer olderIssuer older"},
		"everywhere":       {func(r *Rights) { r.Environment = "" }, "token review known issuer olderIssuer older"},
		"revoked":          {func(r *Rights) { r.Tokens[0].Revoked = now }, "token"},
		"revoked, another": {func(r *Rights) { r.Tokens[0].Revoked = now; r.Tokens = append(r.Tokens, another) }, "token"},
		"ran out":          {func(r *Rights) { r.Now = now.Add(time.Hour) }, "token"},
		"ran out, another": {func(r *Rights) { r.Tokens[0].Expires = now; r.Tokens = append(r.Tokens, another) }, ""},
		"a viewer now":     {func(r *Rights) { r.Tokens[0].Grants[0].Role = access.Viewer }, "token"},
		"forgotten":        {func(r *Rights) { r.Tokens = nil }, "token"},
		"tokens not read":  {func(r *Rights) { r.Unread, r.Tokens = true, nil }, "token"},
		"no login":         {func(r *Rights) { r.Host.Identities = nil }, "review"},
		"no host":          {func(r *Rights) { r.Host = nil }, "review"},
		"heard elsewhere": {func(r *Rights) {
			r.Host.Identities["ann-w"] = manifest.HostPerson{Name: "ann", Environments: []string{"staging"}}
		}, "review"},
		"not the subject":   {func(r *Rights) { r.Identity.People[0].Identities[0].Subject = "19" }, "known"},
		"somebody else":     {func(r *Rights) { r.Identity.People[0].Name = "bob" }, "known"},
		"no issuer":         {func(r *Rights) { r.Identity.Issuers = nil }, "known issuer olderIssuer"},
		"viewers there":     {func(r *Rights) { r.Identity.Issuers[0].Roles = r.Identity.Issuers[0].Roles[:1] }, "known issuer olderIssuer"},
		"neither, no proof": {func(r *Rights) { r.Tokens, r.Identity.People = nil, nil }, "token known older"},
	} {
		r := stillMay()
		c.change(&r)
		want := strings.Fields(c.lost)
		for of, a := range words {
			why, is := r.Lost(a), slices.Contains(want, of)
			if (why != "") != is || why != "" && !strings.HasPrefix(why, "may approve no more: ") {
				t.Errorf("%s: %s is told %q, lost %v wanted", name, of, why, is)
			}
		}
	}
}
