package web

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler/access"
)

// TestProof: the daemon proves that it knows its own token as it is now, and
// personal ones, good or not; it answers nobody who asks for something else.
func TestProof(t *testing.T) {
	tokens, personal, err := access.Tokens{}.Issue(access.Token{Name: "ann", Grants: []access.Grant{{Role: access.Viewer}}, Created: time.Now(), Expires: time.Now().Add(time.Hour)}, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	tokens, _ = tokens.Revoke("ann", time.Now())
	own := "the-token"
	h := serve(t, &fake{}, func(o *Options) {
		o.Tokens = func() (access.Tokens, error) { return tokens, nil }
		o.TokenNow = func() string { return own }
	})
	nonce := strings.Repeat("n", access.NonceSize)
	asked := func(challenge string) string {
		r := httptest.NewRequest("GET", "/healthz", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8420}))
		r.Header.Set(ChallengeHeader, challenge)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Errorf("%q: %d", challenge, w.Code)
		}
		return w.Header().Get(ProofHeader)
	}
	proved := func(secret string) bool {
		of, _ := access.Named(secret)
		port, answer, _ := strings.Cut(asked(of+" "+nonce), " ")
		return port == "8420" && access.Proved(answer, secret, nonce, port) && !access.Proved(answer, secret, nonce, "8421") && !access.Proved(answer, secret, nonce+"n", port)
	}
	if !proved(own) || !proved(personal) || proved("another-token") || proved(personal[:len(personal)-1]+"f") {
		t.Errorf("own %v, personal %v, of others %v %v", proved(own), proved(personal), proved("another-token"), proved(personal[:len(personal)-1]+"f"))
	}
	before := asked("own " + nonce)
	if own = "the-next-token"; !proved(own) || asked("own "+nonce) == before {
		t.Error("its token was replaced, and it proves by the one before")
	}
	for _, challenge := range []string{"", "own", "own ", "own short", "own " + strings.Repeat("n", access.MaxNonce+1), "own " + nonce + " x", "own " + nonce + "\tx", "none " + nonce, " " + nonce} {
		if got := asked(challenge); got != "" {
			t.Errorf("%q is answered by %q", challenge, got)
		}
	}
}
