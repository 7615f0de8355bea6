package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// A daemon proves who it is to whoever is about to show it a token: it answers
// a challenge with what only somebody can make who knows the token, or its digest.

// Own is how a challenge names the daemon's own token; a personal one is named
// by its id.
const Own = "own"

// NonceSize is the least and the most of a challenge's nonce, in characters.
const NonceSize, MaxNonce = 32, 128

// Named is how a challenge names a token; ok is false for one that an issuer
// signed: the daemon cannot know it.
func Named(secret string) (of string, ok bool) {
	switch {
	case Personal(secret):
		return digest(secret)[:idSize], true
	case strings.Count(secret, ".") == 2:
		return "", false
	}
	return Own, true
}

// Prove answers the nonce of a challenge about a token, at the port where it was
// asked: who hands the challenge on to the daemon answers for another port.
func Prove(secret, nonce, port string) string { return prove(digest(secret), nonce, port) }

func prove(key, nonce, port string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("mooring daemon\n" + nonce + "\n" + port))
	return hex.EncodeToString(mac.Sum(nil))
}

// Proved says whether an answer proves that whoever gave it knows the token.
func Proved(answer, secret, nonce, port string) bool {
	return hmac.Equal([]byte(answer), []byte(Prove(secret, nonce, port)))
}

// Prove answers for the personal token of an id, good or not: that it is not is
// told to who shows it. It is "" where there is none.
func (ts Tokens) Prove(id, nonce, port string) string {
	for _, t := range ts {
		if t.ID == id {
			return prove(t.Digest, nonce, port)
		}
	}
	return ""
}
