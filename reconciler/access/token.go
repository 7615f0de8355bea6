package access

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// tokenPrefix makes a token known to scanners for leaked secrets.
const tokenPrefix = "mooring_"

// idSize is how much of its digest names a token.
const idSize = 12

// Token is how a person proves who they are. The secret itself is not in it,
// only its digest: it is random and long, so that a plain digest tells nothing.
type Token struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"` // the person's, or the robot's
	Digest  string    `json:"digest"`
	Emails  []string  `json:"emails,omitempty"`
	Teams   []string  `json:"teams,omitempty"`
	Grants  []Grant   `json:"grants"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	// Revoked is when it was taken back; zero while it is good.
	Revoked time.Time `json:"revoked,omitzero"`
}

// Tokens are all that were made. Revoked and expired ones stay in the list, so
// that a name in the records can be looked up.
type Tokens []Token

// ParseTokens reads what Tokens.Text wrote. Empty text is no tokens.
func ParseTokens(text []byte) (Tokens, error) {
	if len(text) == 0 {
		return nil, nil
	}
	var file struct {
		Tokens Tokens `json:"tokens"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	return file.Tokens, nil
}

// Text of the tokens, for a file only their owner reads.
func (ts Tokens) Text() ([]byte, error) {
	text, err := json.MarshalIndent(map[string]Tokens{"tokens": ts}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write tokens: %w", err)
	}
	return append(text, '\n'), nil
}

// maxName bounds what is shown and recorded of a person.
const maxName = 64

// Issue adds a token for t's person and returns its secret, which is nowhere
// else. random is at least 32 random bytes.
func (ts Tokens) Issue(t Token, random []byte) (Tokens, string, error) {
	switch {
	case t.Name == "" || len(t.Name) > maxName || strings.ContainsFunc(t.Name, func(r rune) bool { return r <= ' ' || r == ':' || r == '(' || r == ')' }):
		return ts, "", fmt.Errorf("name %q: want a name of at most %d characters, without spaces, colons and brackets", t.Name, maxName)
	case len(t.Grants) == 0:
		return ts, "", fmt.Errorf("token for %s: name at least one role: viewer, approver, operator or admin", t.Name)
	case !t.Expires.After(t.Created):
		return ts, "", fmt.Errorf("token for %s: every token ends, and not before it begins", t.Name)
	case len(random) < 32:
		return ts, "", fmt.Errorf("token for %s: too little randomness", t.Name)
	}
	secret := tokenPrefix + hex.EncodeToString(random)
	t.Digest = digest(secret)
	t.ID = t.Digest[:idSize]
	return append(slices.Clone(ts), t), secret, nil
}

// Revoke takes a token back by its id, or every good one of a name, and says
// how many there were.
func (ts Tokens) Revoke(idOrName string, now time.Time) (Tokens, int) {
	out, n := slices.Clone(ts), 0
	for i, t := range out {
		if (t.ID == idOrName || t.Name == idOrName) && t.Good(now) {
			out[i].Revoked = now
			n++
		}
	}
	return out, n
}

// Known gives the tokens of people who are known by another name, or by more
// addresses, than stand in them; who says of a name.
func (ts Tokens) Known(who func(name string) (as string, emails []string)) Tokens {
	out := slices.Clone(ts)
	for i, t := range out {
		as, emails := who(t.Name)
		out[i].Name = cmp.Or(as, t.Name)
		out[i].Emails = append(slices.Clone(t.Emails), emails...)
	}
	return out
}

// Good tokens open something now.
func (t Token) Good(now time.Time) bool { return t.Revoked.IsZero() && now.Before(t.Expires) }

// Person whom a secret proves to be there; ok is false for an unknown, revoked
// or expired one. Every digest is compared, whole.
func (ts Tokens) Person(secret string, now time.Time) (Person, bool) {
	id, ok := ts.ID(secret, now)
	if !ok {
		return Person{}, false
	}
	return ts.ByID(id, now)
}

// Personal tells whether a secret has the form of a person's token.
func Personal(secret string) bool { return strings.HasPrefix(secret, tokenPrefix) }

// ID of the good token with this secret.
func (ts Tokens) ID(secret string, now time.Time) (id string, ok bool) {
	if !Personal(secret) {
		return "", false
	}
	want := []byte(digest(secret))
	for _, t := range ts {
		if hmac.Equal(want, []byte(t.Digest)) && t.Good(now) {
			id, ok = t.ID, true
		}
	}
	return id, ok
}

// ByID is whose a good token is. That its holder is there has to be proved
// otherwise.
func (ts Tokens) ByID(id string, now time.Time) (Person, bool) {
	for _, t := range ts {
		if t.ID == id && t.Good(now) {
			return Person{Name: t.Name, Verified: true, Proof: "token:" + t.ID, Emails: t.Emails, Teams: t.Teams, Grants: t.Grants}, true
		}
	}
	return Person{}, false
}

func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
