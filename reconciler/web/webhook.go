package web

import (
	"bytes"
	"container/list"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

// Webhooks is what the server asks about requests of git hosts. They are hints
// and nothing more: whoever is told of one reads the truth.
type Webhooks interface {
	// Webhook is how requests of a host are proved; ok is false when the
	// pipeline names no such host, or no secret for it.
	Webhook(host string) (w Webhook, ok bool, err error)
	// Hint tells that something changed, and returns whether anybody cares.
	Hint(h Hint) bool
}

// Webhook is how a host's requests are proved.
type Webhook struct {
	Secret string
	// Repository is whose events are heard, as the host names it; "" for any.
	Repository string
}

// Hint is what a proved request claims.
type Hint struct {
	Host string
	// Reviewed: a pull request or a review changed.
	Reviewed bool
	// Pushed are branches, and the commit each is at now; "" where that is not
	// told.
	Pushed map[string]string
	// Anything may have changed.
	Anything bool
	// Traceparent is the header of that name, as it came.
	Traceparent string
}

// maxHook is the largest webhook read, and maxHooks how many at a time: what
// comes before a signature was checked must not cost much. Where one more comes,
// the one that is read for longest is broken off: whoever sends slowly, proved or
// not, keeps nobody out who sends at once.
const (
	maxHook  = 3 << 20
	maxHooks = 16
	maxSeen  = 4096 // deliveries remembered
	// patience is how long one may take to send what it sends.
	patience = 20 * time.Second
)

// hooks takes the requests of hosts.
type hooks struct {
	w     Webhooks
	count func(host string, code int)
	tell  func(ctx context.Context, v any, stack []byte) // of a panic
	room  *lanes
	now   func() time.Time
	wait  time.Duration // for a body

	mu    sync.Mutex
	seen  map[string]*list.Element
	order *list.List // oldest first
}

func newHooks(o Options) *hooks {
	return &hooks{
		w: o.Webhooks, count: o.Metrics.Webhook, tell: o.Panicked, now: o.Now, wait: patience,
		room: newLanes(maxHooks), seen: map[string]*list.Element{}, order: list.New(),
	}
}

// dialect is how one host signs and names its requests.
type dialect struct {
	signature []string // headers; the first that is there counts
	prefix    string   // of the signature
	plain     bool     // the header is the secret itself, where the secret is no signing token
	event     string   // header
	delivery  []string // headers
	parse     func(event string, body []byte) (claim, error)
}

var dialects = map[string]dialect{
	"github":    {signature: []string{"X-Hub-Signature-256"}, prefix: "sha256=", event: "X-GitHub-Event", delivery: []string{"X-GitHub-Delivery"}, parse: parseGitHub},
	"gitlab":    {signature: []string{"X-Gitlab-Token"}, plain: true, event: "X-Gitlab-Event", delivery: []string{"Idempotency-Key", "X-Gitlab-Event-UUID"}, parse: parseGitLab},
	"gitea":     {signature: []string{"X-Gitea-Signature", "X-Forgejo-Signature"}, event: "X-Gitea-Event", delivery: []string{"X-Gitea-Delivery"}, parse: parseGitHub},
	"bitbucket": {signature: []string{"X-Hub-Signature"}, prefix: "sha256=", event: "X-Event-Key", delivery: []string{"X-Request-UUID", "X-Request-Id"}, parse: parseBitbucket},
	"generic":   {signature: []string{"X-Mooring-Signature"}, prefix: "sha256=", event: "X-Mooring-Event", delivery: []string{"X-Mooring-Delivery"}, parse: parseGeneric},
}

// ServeHTTP proves a request before it reads a word of it, and passes on that
// something changed.
func (h *hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("host")
	d, known := dialects[name]
	if !known {
		h.answer(w, "other", http.StatusNotFound, "no such host: github, gitlab, gitea, bitbucket or generic")
		return
	}
	defer func() {
		if v := recover(); v != nil { // whatever a request holds, the daemon goes on
			h.tell(r.Context(), v, debug.Stack())
			h.answer(w, name, http.StatusInternalServerError, "internal fault; the daemon goes on")
		}
	}()
	code, text := h.take(name, d, w, r)
	h.answer(w, name, code, text)
}

func (h *hooks) answer(w http.ResponseWriter, name string, code int, message string) {
	h.count(name, code)
	if code >= 300 {
		refuse(w, code, message, "")
		return
	}
	text(w, code, message+"\n")
}

func (h *hooks) take(name string, d dialect, w http.ResponseWriter, r *http.Request) (int, string) {
	hook, ok, err := h.w.Webhook(name)
	switch {
	case err != nil || ok && hook.Secret == "":
		return http.StatusServiceUnavailable, "the secret cannot be read"
	case !ok:
		return http.StatusNotFound, "the pipeline names no secret for webhooks of this host (spec.host)"
	}
	signature := firstHeader(r, d.signature)
	key, standard := standardSecret(hook.Secret)
	if standard = standard && d.plain && r.Header.Get("Webhook-Signature") != ""; standard {
		d.delivery = []string{"Webhook-Id"} // which is signed
	} else if signature == "" || d.plain && !sameText(signature, hook.Secret) {
		return http.StatusUnauthorized, "the request is not proved"
	}
	body, broken, err := h.read(w, r)
	var large *http.MaxBytesError
	switch {
	case broken:
		w.Header().Set("Retry-After", "5")
		return http.StatusServiceUnavailable, "too many at a time, and this one was slow"
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge, "larger than 3 MiB"
	case err != nil:
		return http.StatusBadRequest, "the body could not be read"
	case standard && !signedStandard(r.Header, body, key), !standard && !d.plain && !signed(body, hook.Secret, signature, d.prefix):
		return http.StatusUnauthorized, "the request is not proved"
	}
	return h.proved(name, d, r, hook, body)
}

// read is the body of a request; broken: it was the slowest where many are, and
// another was let in for it.
func (h *hooks) read(w http.ResponseWriter, r *http.Request) (body []byte, broken bool, err error) {
	// A writer without deadlines is one of a test: the body is there already.
	within := http.NewResponseController(w)
	_ = within.SetReadDeadline(h.now().Add(h.wait))
	place := h.room.enter(func() { _ = within.SetReadDeadline(time.Unix(1, 0)) })
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxHook))
	return body, h.room.leave(place) && err != nil, err
}

// proved takes a request of whoever knows the secret.
func (h *hooks) proved(name string, d dialect, r *http.Request, hook Webhook, body []byte) (int, string) {
	if h.again(name, firstHeader(r, d.delivery), body, d.plain || name == "generic") {
		return http.StatusAccepted, "heard before"
	}
	claim, err := d.parse(r.Header.Get(d.event), formless(r, body))
	claim.Host, claim.Traceparent = name, r.Header.Get("Traceparent")
	switch {
	case err != nil:
		return http.StatusBadRequest, "the body is not what this host sends"
	case hook.Repository != "" && claim.repository != "" && !strings.EqualFold(claim.repository, hook.Repository):
		return http.StatusAccepted, "another repository: ignored"
	case !claim.Reviewed && !claim.Anything && len(claim.Pushed) == 0:
		return http.StatusAccepted, "nothing that matters here"
	case !h.w.Hint(claim.Hint):
		return http.StatusAccepted, "no branch that matters here"
	}
	return http.StatusAccepted, "heard"
}

// again tells whether a delivery was heard before, by its id and, where what
// is sent is never the same twice, by its body: the id is not signed.
func (h *hooks) again(name, delivery string, body []byte, byID bool) bool {
	var keys []string
	if delivery != "" {
		keys = append(keys, name+"|id|"+delivery[:min(len(delivery), 200)])
	}
	if !byID {
		sum := sha256.Sum256(body)
		keys = append(keys, name+"|body|"+string(sum[:]))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	known := slices.ContainsFunc(keys, func(k string) bool { return h.seen[k] != nil })
	for _, k := range keys {
		if h.seen[k] == nil {
			h.seen[k] = h.order.PushBack(k)
		}
	}
	for h.order.Len() > maxSeen {
		oldest := h.order.Front()
		delete(h.seen, oldest.Value.(string))
		h.order.Remove(oldest)
	}
	return known
}

func firstHeader(r *http.Request, names []string) string {
	for _, n := range names {
		if v := r.Header.Get(n); v != "" {
			return v
		}
	}
	return ""
}

// signed checks an HMAC-SHA256 in constant time.
func signed(body []byte, secret, signature, prefix string) bool {
	text, ok := strings.CutPrefix(signature, prefix)
	got, err := hex.DecodeString(text)
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write(body) // never fails
	return hmac.Equal(mac.Sum(nil), got) && ok && err == nil
}

// sameText compares two secrets in a time that tells nothing of either.
func sameText(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return hmac.Equal(x[:], y[:])
}

// formless takes the document out of a form: GitHub and Gitea can send either.
func formless(r *http.Request, body []byte) []byte {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return body
	}
	form := r.Clone(r.Context())
	form.Body = io.NopCloser(bytes.NewReader(body))
	if err := form.ParseForm(); err != nil {
		return nil
	}
	return []byte(form.PostForm.Get("payload"))
}
