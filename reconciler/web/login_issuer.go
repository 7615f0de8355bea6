package web

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"mooring.dev/reconciler/access"
)

// attempt is what a browser keeps, sealed, while it logs in at an issuer.
type attempt struct {
	access.Attempt
	Way  string
	To   string
	Ends time.Time
}

// attempts seals them with a key that only this process has, and knows which were
// taken up. A stranger who begins logins without end fills nothing.
type attempts struct {
	seal cipher.AEAD

	mu   sync.Mutex
	used map[[sha256.Size]byte]time.Time // by state: until when it would be good
}

// attemptsMost bounds how many taken up are remembered.
const attemptsMost = 10_000

// attemptCookie holds the attempt of a browser.
const attemptCookie = "mooring-login"

func newAttempts() (*attempts, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make a seal: %w", err)
	}
	seal, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make a seal: %w", err)
	}
	return &attempts{seal: seal, used: map[[sha256.Size]byte]time.Time{}}, nil
}

func (a *attempts) close(of attempt) (string, error) {
	text, err := json.Marshal(of)
	if err != nil {
		return "", fmt.Errorf("write an attempt: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(a.seal.Seal(nil, nil, text, []byte(attemptCookie))), nil
}

// open is the attempt in a cookie, if it is one of ours and not over.
func (a *attempts) open(sealed string, now time.Time) (attempt, error) {
	var of attempt
	text, err := base64.RawURLEncoding.DecodeString(sealed)
	if err == nil {
		text, err = a.seal.Open(nil, nil, text, []byte(attemptCookie))
	}
	if err != nil || json.Unmarshal(text, &of) != nil {
		return attempt{}, errors.New("it was not begun here")
	}
	if !now.Before(of.Ends) {
		return attempt{}, errors.New("it took too long")
	}
	return of, nil
}

// take says whether an attempt was not taken up before.
func (a *attempts) take(of attempt, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := sha256.Sum256([]byte(of.State))
	if _, was := a.used[key]; was {
		return false
	}
	if len(a.used) >= attemptsMost {
		for k, ends := range a.used {
			if !now.Before(ends) {
				delete(a.used, k)
			}
		}
	}
	for k := range a.used { // an issuer takes a code once, too
		if len(a.used) < attemptsMost {
			break
		}
		delete(a.used, k)
	}
	a.used[key] = of.Ends
	return true
}

// loginBegins sends a browser to an issuer.
func (s *server) loginBegins(w http.ResponseWriter, r *http.Request) {
	way := r.PathValue("way")
	if !s.leads(way) {
		http.NotFound(w, r)
		return
	}
	if !s.mayTry(w, r) {
		return
	}
	of := attempt{Way: way, To: local(r.URL.Query().Get("to")), Ends: s.o.Now().Add(attemptLong),
		Attempt: access.Attempt{State: rand.Text() + rand.Text(), Nonce: rand.Text() + rand.Text(), Verifier: rand.Text() + rand.Text()}}
	address, err := s.o.Logins.Begin(r.Context(), way, of.Attempt)
	if err != nil {
		s.refuseLogin(w, r, told(err))
		return
	}
	sealed, err := s.attempts.close(of)
	if err != nil {
		s.refuseLogin(w, r, noLogin{auditFault, err, http.StatusInternalServerError, "This is a defect; the daemon goes on."})
		return
	}
	s.setCookie(w, attemptCookie, sealed, attemptLong)
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// leads: there is an issuer of that name, and it finds the way back.
func (s *server) leads(way string) bool {
	return s.o.PageURL != "" && slices.ContainsFunc(s.o.Logins.Ways(), func(w access.Way) bool { return w.Name == way })
}

// loginReturns takes up what an issuer answered. Only the browser that began can,
// at the issuer where it began, and once.
func (s *server) loginReturns(w http.ResponseWriter, r *http.Request) {
	if !s.mayTry(w, r) {
		return
	}
	now := s.o.Now()
	of, err := s.attemptOf(r, now)
	if err != nil {
		s.tries.failed(r, now)
		s.refuseLogin(w, r, noLogin{auditUnknown, fmt.Errorf("log in at an issuer: %w", err), http.StatusBadRequest,
			"This login was not begun in this browser, was finished before, or took longer than ten minutes. Begin again."})
		return
	}
	s.setCookie(w, attemptCookie, "", 0)
	login, err := s.o.Logins.Finish(r.Context(), of.Way, of.Attempt, r.URL.Query())
	var who access.Person
	if err == nil {
		who, err = login.Person()
	}
	if err != nil {
		s.tries.failed(r, now)
		s.refuseLogin(w, r, told(err))
		return
	}
	s.welcome(w, r, who, session{ends: login.Ends, login: &login}, of.To)
}

// attemptOf is the attempt that a browser comes back from.
func (s *server) attemptOf(r *http.Request, now time.Time) (attempt, error) {
	c, err := r.Cookie(s.cookie(attemptCookie))
	if err != nil {
		return attempt{}, errors.New("it was not begun in this browser")
	}
	of, err := s.attempts.open(c.Value, now)
	switch {
	case err != nil:
		return attempt{}, err
	case of.Way != r.PathValue("way"):
		return attempt{}, errors.New("another issuer answers than was asked")
	case r.URL.Query().Get("state") != of.State: // the attempt itself stays good
		return attempt{}, errors.New("the answer is to another login")
	case !s.attempts.take(of, now):
		return attempt{}, errors.New("it was taken up before")
	}
	return of, nil
}

// told is what a person is told of a login that did not come to be.
func told(err error) noLogin {
	var no *access.NoLogin
	if !errors.As(err, &no) {
		return noLogin{auditUnknown, err, http.StatusForbidden, "Nobody could be logged in by that issuer."}
	}
	switch no.Kind {
	case access.Declined:
		return noLogin{auditUnknown, err, http.StatusForbidden, "The issuer did not log you in, or you said no there."}
	case access.Away:
		return noLogin{auditFault, err, http.StatusBadGateway, "The issuer cannot be asked now. Try again in ten seconds, or log in with a token; who operates Mooring finds the reason in the audit record."}
	case access.Roleless:
		return noLogin{auditForbidden, err, http.StatusForbidden, "The issuer knows you, but you have no role here. Ask who operates Mooring for one."}
	}
	return noLogin{auditUnknown, err, http.StatusForbidden, "The issuer's answer proves nobody. Begin again; who operates Mooring finds the reason in the audit record."}
}
