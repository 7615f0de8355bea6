package hosttest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// App is a GitHub App as its host knows it: installed where the repository is,
// until it is Removed. Its members are read at any time; set them before, or
// by Set.
type App struct {
	ID, Installation int
	Public           *rsa.PublicKey
	Now              func() time.Time // the host's clock
	Lives            time.Duration    // of a token
	Removed          bool
	Rights           map[string]string
	// Git answers what is no API, with the user and password of a token.
	Git http.Handler

	mu     sync.Mutex
	tokens map[string]time.Time
	made   int
	asked  int
	of     [][]string
}

// Of are the repositories that each token was asked for; nil is all.
func (a *App) Of() [][]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.of)
}

// Set changes the App.
func (a *App) Set(change func(a *App)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(a)
}

// Made is how many tokens were given, and Asked how often one was asked for.
func (a *App) Made() (made, asked int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.made, a.asked
}

// Revoke ends all tokens there are.
func (a *App) Revoke() { a.Set(func(a *App) { clear(a.tokens) }) }

// GitHubApp serves the repository to tokens of an App alone.
func (r *Repository) GitHubApp(a *App) *httptest.Server {
	inner := r.GitHub()
	api := inner.Config.Handler
	inner.Close() // its handler is all that is wanted
	a.tokens = map[string]time.Time{}
	ask := fmt.Sprintf("/api/v3/app/installations/%d/access_tokens", a.Installation)
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Date", a.Now().UTC().Format(http.TimeFormat))
		_, password, basic := q.BasicAuth()
		switch {
		case q.Method == http.MethodPost && strings.HasSuffix(q.URL.Path, "/access_tokens"):
			a.give(w, q, q.URL.Path == ask)
		case basic && a.Git != nil:
			if !a.good(password) {
				http.Error(w, "no such token "+password, http.StatusUnauthorized)
				return
			}
			a.Git.ServeHTTP(w, q)
		case a.good(strings.TrimPrefix(q.Header.Get("Authorization"), "Bearer ")):
			q.Header.Set("Authorization", "Bearer "+Token)
			api.ServeHTTP(w, q)
		default:
			w.Header().Set("WWW-Authenticate", "Basic")
			answer(w, http.StatusUnauthorized, object{"message": "Bad credentials " + q.Header.Get("Authorization")})
		}
	}))
}

func (a *App) good(token string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	ends, ok := a.tokens[token]
	return ok && a.Now().Before(ends)
}

// give answers with a token whoever signs as the App does.
func (a *App) give(w http.ResponseWriter, q *http.Request, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	var want struct{ Repositories []string }
	if err := json.NewDecoder(q.Body).Decode(&want); err != nil {
		answer(w, http.StatusBadRequest, object{"message": "Problems parsing JSON"})
		return
	}
	a.of = append(a.of, want.Repositories)
	assertion := strings.TrimPrefix(q.Header.Get("Authorization"), "Bearer ")
	switch {
	case !a.signed(assertion):
		answer(w, http.StatusUnauthorized, object{"message": "'Expiration time' claim is too far in the future, or not ours: " + assertion})
	case !known || a.Removed:
		answer(w, http.StatusNotFound, object{"message": "Not Found"})
	default:
		a.made++
		token := fmt.Sprintf("ghs_installation-token-%d", a.made)
		a.tokens[token] = a.Now().Add(a.Lives)
		answer(w, http.StatusCreated, object{"token": token, "expires_at": a.tokens[token].UTC().Format(time.RFC3339), "permissions": a.Rights})
	}
}

// signed: the assertion is the App's, and GitHub's clock takes it.
func (a *App) signed(assertion string) bool {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return false
	}
	raw := base64.RawURLEncoding
	signature, err1 := raw.DecodeString(parts[2])
	claims, err2 := raw.DecodeString(parts[1])
	head, err3 := raw.DecodeString(parts[0])
	if err1 != nil || err2 != nil || err3 != nil || !strings.Contains(string(head), `"RS256"`) {
		return false
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	var said struct {
		Iss      string
		Iat, Exp int64
	}
	if rsa.VerifyPKCS1v15(a.Public, crypto.SHA256, sum[:], signature) != nil || json.Unmarshal(claims, &said) != nil {
		return false
	}
	now := a.Now().Unix()
	return said.Iss == strconv.Itoa(a.ID) && said.Iat <= now && said.Exp > now && said.Exp <= now+600
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
