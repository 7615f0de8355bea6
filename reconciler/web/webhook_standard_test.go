package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"testing"
)

// GitLab signs what it sends where a hook has a signing token; the first is the
// example of the specification (standard-webhooks, its libraries' tests).
func TestWebhooksOfASigningToken(t *testing.T) {
	const secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", `{"test": 2432232314}`
	const right = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	const id, at = "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330"
	hook := func(secret string) func(string) (Webhook, bool, error) {
		return func(string) (Webhook, bool, error) { return Webhook{Secret: secret}, true, nil }
	}
	for name, c := range map[string]struct {
		secret, body, id, at, signature, token string
		want                                   int
	}{
		"right":                       {secret, body, id, at, right, "", http.StatusAccepted},
		"one of several":              {secret, body, id, at, "v1,AAAA v1a,zz " + right, "", http.StatusAccepted},
		"right, and a token too":      {secret, body, id, at, right, "another", http.StatusAccepted},
		"another body":                {secret, body + " ", id, at, right, "", http.StatusUnauthorized},
		"another id":                  {secret, body, id + "x", at, right, "", http.StatusUnauthorized},
		"another time":                {secret, body, id, "1614265331", right, "", http.StatusUnauthorized},
		"another version":             {secret, body, id, at, "v2" + right[2:], "", http.StatusUnauthorized},
		"no version":                  {secret, body, id, at, right[3:], "", http.StatusUnauthorized},
		"none, and no token":          {secret, body, id, at, "", "", http.StatusUnauthorized},
		"another key":                 {"whsec_AAAA", body, id, at, right, "", http.StatusUnauthorized},
		"a key of nothing":            {"whsec_", body, id, at, signStandard(nil, id, at, body), "", http.StatusUnauthorized},
		"a plain secret":              {"correct horse", body, id, at, right, "", http.StatusUnauthorized},
		"a wrong one, a right token":  {secret, body, id, at, "v1,AAAA", secret, http.StatusUnauthorized},
		"a token that looks like one": {"whsec_not base64", body, "", "", "", "whsec_not base64", http.StatusAccepted},
	} {
		h := listening(t, &hearing{hook: hook(c.secret)})
		headers := []string{"Webhook-Id", c.id, "Webhook-Timestamp", c.at, "Webhook-Signature", c.signature, "X-Gitlab-Token", c.token, "X-Gitlab-Event", "Push Hook"}
		if r := ask(h, "POST", "/webhooks/gitlab", c.body, headers...); r.Code != c.want {
			t.Errorf("%s: %d %s, want %d", name, r.Code, r.Body, c.want)
		}
		// No other host is proved by it.
		if r := ask(h, "POST", "/webhooks/github", c.body, headers...); r.Code != http.StatusUnauthorized {
			t.Errorf("%s, of GitHub: %d", name, r.Code)
		}
	}
	// It is heard once, by the id that is signed; the same again is another.
	f := &hearing{hook: hook(secret)}
	h := listening(t, f)
	push := pushes["gitlab"]
	key, _ := standardSecret(secret)
	for i, delivery := range []string{id, id, "another"} {
		r := ask(h, "POST", "/webhooks/gitlab", push.body, "Webhook-Id", delivery, "Webhook-Timestamp", at, "Webhook-Signature", signStandard(key, delivery, at, push.body),
			"Idempotency-Key", strconv.Itoa(i), "X-Gitlab-Event", push.push)
		if want := []int{1, 1, 2}[i]; r.Code != http.StatusAccepted || len(f.heard()) != want {
			t.Errorf("try %d: %d, heard %+v", i, r.Code, f.heard())
		}
	}
}

func signStandard(key []byte, id, at, body string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + at + "." + body))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
