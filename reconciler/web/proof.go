package web

import (
	"net"
	"net/http"
	"strings"

	"mooring.dev/reconciler/access"
)

// ChallengeHeader asks /healthz for a proof that it is the daemon that knows a
// token, before the token is sent to it: how the token is named, and a nonce.
// ProofHeader answers: the port at which the daemon was asked, and the proof.
const (
	ChallengeHeader = "Mooring-Challenge"
	ProofHeader     = "Mooring-Proof"
)

// healthy says that the process lives, and proves who it is to who asks.
func (s *server) healthy(w http.ResponseWriter, r *http.Request) {
	if proof := s.proof(r); proof != "" {
		w.Header().Set(ProofHeader, proof)
	}
	text(w, http.StatusOK, "ok\n")
}

// proof is the answer to a challenge; "" for none, and for a token that is not known.
func (s *server) proof(r *http.Request) string {
	of, nonce, _ := strings.Cut(r.Header.Get(ChallengeHeader), " ")
	at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok || len(nonce) < access.NonceSize || len(nonce) > access.MaxNonce || strings.ContainsFunc(nonce, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return ""
	}
	_, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return ""
	}
	if of == access.Own {
		return port + " " + access.Prove(s.ownToken(), nonce, port)
	}
	if s.o.Tokens == nil {
		return ""
	}
	known, err := s.o.Tokens()
	if err != nil {
		return "" // who shows it is told
	}
	if proof := known.Prove(of, nonce, port); proof != "" {
		return port + " " + proof
	}
	return ""
}
