package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

// standardSecret is the key in a secret as the Standard Webhooks specification
// writes it, which GitLab calls a signing token.
func standardSecret(secret string) (key []byte, ok bool) {
	text, ok := strings.CutPrefix(secret, "whsec_")
	if !ok {
		return nil, false
	}
	key, err := base64.StdEncoding.DecodeString(text)
	return key, err == nil && len(key) > 0
}

// signedStandard checks the signatures of that specification, one of which has
// to be right: of what was sent, of its id and of when.
func signedStandard(h http.Header, body, key []byte) bool {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(h.Get("Webhook-Id") + "." + h.Get("Webhook-Timestamp") + ".")) // never fails
	_, _ = mac.Write(body)
	want := mac.Sum(nil)
	return slices.ContainsFunc(strings.Fields(h.Get("Webhook-Signature")), func(one string) bool {
		text, ok := strings.CutPrefix(one, "v1,")
		got, err := base64.StdEncoding.DecodeString(text)
		return hmac.Equal(want, got) && ok && err == nil
	})
}
