package hosttest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
)

// Kind is one service: its API, and how it tells others of what happened.
type Kind struct {
	// Spec is the member of spec.host that names it, up to what all have in
	// common.
	Spec string
	// Serve makes its API.
	Serve func(r *Repository) *httptest.Server
	// path of its webhooks below /webhooks/, and the headers that name an event
	// and a delivery.
	path, event, delivery string
	sign                  func(h http.Header, secret string, body []byte)
	pushed                func(branch, commit string) (event string, body object)
	touched               func(p Pull) (event string, body object)
}

// Kinds are all services, by the names that tests use.
func Kinds() map[string]Kind {
	hub := func(header, prefix string) func(http.Header, string, []byte) {
		return func(h http.Header, secret string, body []byte) {
			mac := hmac.New(sha256.New, []byte(secret))
			_, _ = mac.Write(body) // never fails
			h.Set(header, prefix+hex.EncodeToString(mac.Sum(nil)))
		}
	}
	return map[string]Kind{
		"github": {
			Spec: "github: {", Serve: (*Repository).GitHub, path: "github", event: "X-GitHub-Event", delivery: "X-GitHub-Delivery", sign: hub("X-Hub-Signature-256", "sha256="),
			pushed: gitPushed, touched: gitTouched,
		},
		"gitea": {
			Spec: "gitea: {", Serve: (*Repository).Gitea, path: "gitea", event: "X-Gitea-Event", delivery: "X-Gitea-Delivery", sign: hub("X-Gitea-Signature", ""),
			pushed: gitPushed, touched: gitTouched,
		},
		"gitlab": {
			Spec: "gitlab: {", Serve: (*Repository).GitLab, path: "gitlab", event: "X-Gitlab-Event", delivery: "Idempotency-Key",
			sign:   func(h http.Header, secret string, _ []byte) { h.Set("X-Gitlab-Token", secret) },
			pushed: labPushed, touched: labTouched,
		},
		"bitbucket": {
			Spec: "bitbucket: {", Serve: (*Repository).BitbucketCloud, path: "bitbucket", event: "X-Event-Key", delivery: "X-Request-UUID", sign: hub("X-Hub-Signature", "sha256="),
			pushed: cloudPushed, touched: cloudTouched,
		},
		"datacenter": {
			Spec: "bitbucket: {dataCenter: true, ", Serve: (*Repository).BitbucketServer, path: "bitbucket", event: "X-Event-Key", delivery: "X-Request-Id", sign: hub("X-Hub-Signature", "sha256="),
			pushed: serverPushed, touched: serverTouched,
		},
	}
}

// Secure serves what plain serves by HTTPS, with a certificate that nobody
// signed whom a machine trusts; authority is it, as PEM.
func Secure(plain *httptest.Server) (server *httptest.Server, authority []byte) {
	server = httptest.NewUnstartedServer(plain.Config.Handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // who does not trust it hangs up
	server.StartTLS()
	return server, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// Pushed is the webhook that a kind of host sends to a daemon when a branch was
// pushed.
func (r *Repository) Pushed(k Kind, daemon, branch, secret string) (*http.Request, error) {
	event, body := k.pushed(branch, r.Head(branch))
	return r.hook(k, daemon, secret, event, body)
}

// Touched is the webhook that a kind of host sends when a pull request changed.
func (r *Repository) Touched(k Kind, daemon string, number int, secret string) (*http.Request, error) {
	event, body := k.touched(r.Pulls()[number-1])
	return r.hook(k, daemon, secret, event, body)
}

func (r *Repository) hook(k Kind, daemon, secret, event string, body object) (*http.Request, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body["sent"] = stamp(r.tick()) // no two are the same
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	q, err := http.NewRequest(http.MethodPost, daemon+"/webhooks/"+k.path, strings.NewReader(string(text)))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set(k.event, event)
	q.Header.Set(k.delivery, strconv.FormatInt(r.id(), 10))
	k.sign(q.Header, secret, text)
	return q, nil
}

func gitPushed(branch, commit string) (string, object) {
	return "push", object{"ref": "refs/heads/" + branch, "after": commit, "repository": object{"full_name": fullName(false)}}
}

func gitTouched(p Pull) (string, object) {
	return "pull_request", object{"action": "edited", "number": p.Number, "repository": object{"full_name": fullName(false)}}
}

func labPushed(branch, commit string) (string, object) {
	return "Push Hook", object{"object_kind": "push", "ref": "refs/heads/" + branch, "after": commit, "project": object{"path_with_namespace": fullName(false)}}
}

func labTouched(p Pull) (string, object) {
	return "Merge Request Hook", object{"object_kind": "merge_request", "project": object{"path_with_namespace": fullName(false)}, "object_attributes": object{"iid": p.Number, "action": "update"}}
}

func cloudPushed(branch, commit string) (string, object) {
	return "repo:push", object{"repository": object{"full_name": fullName(false)}, "push": object{"changes": []object{
		{"new": object{"type": "branch", "name": branch, "target": object{"hash": commit}}, "old": nil},
	}}}
}

func cloudTouched(p Pull) (string, object) {
	return "pullrequest:updated", object{"repository": object{"full_name": fullName(false)}, "pullrequest": object{"id": p.Number}}
}

func serverRepository() object { return object{"slug": Name, "project": object{"key": Owner}} }

func serverPushed(branch, commit string) (string, object) {
	return "repo:refs_changed", object{"eventKey": "repo:refs_changed", "repository": serverRepository(), "changes": []object{
		{"ref": object{"id": "refs/heads/" + branch, "displayId": branch, "type": "BRANCH"}, "toHash": commit, "type": "UPDATE"},
	}}
}

func serverTouched(p Pull) (string, object) {
	return "pr:modified", object{"eventKey": "pr:modified", "pullRequest": object{"id": p.Number, "toRef": object{"id": "refs/heads/" + p.Base, "repository": serverRepository()}}}
}
