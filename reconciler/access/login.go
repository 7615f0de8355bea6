package access

import "time"

// Attempt is one try of one browser to log in at an issuer: what is sent there
// and has to come back. All of it is random, and good once.
type Attempt struct {
	State    string // comes back in the address
	Nonce    string // comes back in what the issuer signed
	Verifier string // of PKCE: only who began can take up the code
}

// Way is an issuer that people log in at.
type Way struct {
	Name  string // in addresses
	Label string // for people
}

// Login is who has logged in at an issuer.
type Login struct {
	// Person is who it is, with the roles of now; an error once they have none.
	Person func() (Person, error)
	Ends   time.Time
}

// Kind of a login that did not come to be.
type Kind int

const (
	// Broken: the answer is none to what was asked, or cannot be proved.
	Broken Kind = iota
	// Declined: the issuer, or the person there, said no.
	Declined
	// Away: the issuer cannot be asked now.
	Away
	// Roleless: it is known who it is, and that they may nothing here.
	Roleless
)

// NoLogin says why a login did not come to be. Why may hold an issuer's words
// and is for the audit record; who tried is told by the kind.
type NoLogin struct {
	Kind Kind
	Why  error
}

func (n *NoLogin) Error() string { return "no login: " + n.Why.Error() }

func (n *NoLogin) Unwrap() error { return n.Why }
