package web

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/record"
)

// Audit keeps acts and refusals.
type Audit interface {
	// AddAudit keeps one durably. What cannot be kept is told in the log: the act
	// is over by then.
	AddAudit(ctx context.Context, a record.Audit)
	// Audit is what is kept, newest first, as far as wanted says yes; at most limit.
	Audit(limit int, wanted func(record.Audit) bool) []record.Audit
}

// Codes of refusals.
const (
	auditUnknown   = "unauthenticated"
	auditForbidden = "forbidden"
	auditForeign   = "foreign_site"
	auditInvalid   = "invalid"
	auditRefused   = "refused"
	auditFault     = "fault"
)

// requestID names the header of every answer by which its request is found in
// the audit record. It is the daemon's own, whatever the caller sends.
const requestID = "Mooring-Request-Id"

// Bounds of the audit record.
const (
	auditText     = 500 // bytes of one member
	auditWait     = 5 * time.Second
	auditEvery    = time.Minute
	auditRefusals = 30 // of one proof in auditEvery; more are counted
)

type noteKey struct{}

// note is an audit record in the making. Until something is said of it, it is
// of a fault.
type note struct {
	record.Audit
	own   string // the daemon's own token, which nobody's words may hold
	looks bool   // nothing changes: only a refusal is kept
	why   string // a signed token proved nobody, which its sender is not told
}

func newNote(pattern string, r *http.Request) *note {
	method, path, _ := strings.Cut(pattern, " ")
	n := &note{looks: method == http.MethodGet}
	n.Outcome, n.Code, n.Environment = record.AuditRefused, auditFault, r.PathValue("name")
	n.From = r.RemoteAddr
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		n.From = host
	}
	n.Act = "see"
	if n.looks {
		n.Target = r.URL.Path
		return n
	}
	n.Act = strings.TrimPrefix(strings.TrimPrefix(path, "/api/v1/"), "environments/{name}/")
	for _, of := range []string{"check", "receiver"} {
		if v := r.PathValue(of); v != "" {
			n.Target, n.Act = of+"="+v, strings.Replace(n.Act, "/{"+of+"}", "", 1)
		}
	}
	n.Act = strings.TrimPrefix(n.Act, "/")
	if act := r.PathValue("act"); act != "" { // of the page's form
		n.Act = apiName(act, "")
	}
	return n
}

// noteOf is the note of a request on a closed route.
func noteOf(r *http.Request) *note {
	if n, ok := r.Context().Value(noteKey{}).(*note); ok {
		return n
	}
	return &note{}
}

// targets are the members of a body that say what of an environment is meant.
var targets = []string{"resource", "item", "hold", "to", "content", "commit", "answer", "accept", "passed", "suspend", "for", "data"}

// asks takes what is asked for and why from a body.
func (n *note) asks(body []byte) {
	var said map[string]any
	if json.Unmarshal(body, &said) != nil {
		return
	}
	n.Reason, _ = said["reason"].(string)
	for _, name := range targets {
		switch v := said[name].(type) {
		case string:
			n.aim(name, v)
		case bool:
			if v {
				n.aim(name, "true")
			}
		case float64: // a duration, in nanoseconds
			n.aim(name, time.Duration(v).String())
		}
	}
}

// asksForm is asks for the page's forms.
func (n *note) asksForm(act string, form url.Values) {
	n.Act, n.Reason = apiName(act, form.Get("do")), form.Get("reason")
	for _, name := range targets {
		n.aim(name, form.Get(name))
	}
	if act == "drift" || act == "approval" {
		n.aim("answer", form.Get("do"))
	}
}

func (n *note) aim(name, value string) {
	if value != "" {
		n.Target = strings.TrimSpace(n.Target + " " + name + "=" + value)
	}
}

// apiName is how the API calls what a form asks for.
func apiName(act, do string) string {
	switch act {
	case "hold":
		return "holds"
	case "approval":
		return "approvals"
	case "rollout":
		return "rollout/" + do
	}
	return act
}

func (n *note) refused(code string, why error) {
	n.Outcome, n.Code, n.Detail = record.AuditRefused, code, why.Error()
}

// ended says what came of it, unless that was said before.
func (n *note) ended(err error) {
	var bad badRequest
	var refusal *access.Refusal
	switch {
	case errors.As(err, &refusal):
		n.refused(auditForbidden, err)
	case errors.As(err, &bad):
		n.refused(auditInvalid, err)
	case err != nil:
		n.refused(auditRefused, err)
	case n.Code == auditFault && n.Detail == "":
		n.Outcome, n.Code = record.AuditDone, ""
	}
}

// books count the refusals of each proof, so that nobody fills the journal with
// them.
type books struct {
	mu    sync.Mutex
	of    map[string]int
	begun time.Time
	more  map[string]int
}

// admits says whether one more refusal is kept, and how many were not before.
func (b *books) admits(proof string, now time.Time) (more int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of == nil || now.Sub(b.begun) >= auditEvery || now.Before(b.begun) {
		b.of, b.begun = map[string]int{}, now
	}
	if b.more == nil {
		b.more = map[string]int{}
	}
	if b.of[proof]++; b.of[proof] > auditRefusals {
		b.more[proof]++
		return 0, false
	}
	more = b.more[proof]
	delete(b.more, proof)
	return more, true
}

// keep writes a note into the audit record: of an act whatever came of it, of a
// look only that it was refused for who asked.
func (s *server) keep(r *http.Request, n *note) {
	if n.looks && (n.Outcome == record.AuditDone || n.Code == auditInvalid || n.Code == auditRefused) {
		return
	}
	a := n.Audit
	a.At = s.o.Now().UTC()
	if a.Proof == "" {
		a.Proof = "none"
	}
	if a.Outcome == record.AuditRefused {
		more, ok := s.books.admits(a.Proof, a.At)
		if !ok {
			return
		}
		a.More = more
	}
	for _, text := range []*string{&a.Who, &a.Act, &a.Environment, &a.Target, &a.Reason, &a.Detail} {
		*text = s.blank(*text)
	}
	// Who leaves before the answer is noted all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), auditWait)
	defer cancel()
	s.o.Audit.AddAudit(ctx, a)
}

// secret is what has the form of a personal token or of a signed one.
var secret = regexp.MustCompile(`mooring_[0-9a-fA-F]{8,}|eyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*){1,2}`)

// tokenless is a caller's text without what looks like a token, and without the
// daemon's own. It may be JSON: tokens have no characters that are escaped there.
func tokenless(text, own string) string {
	if own != "" {
		text = strings.ReplaceAll(text, own, "[token]")
	}
	return secret.ReplaceAllString(text, "[token]")
}

// blank is a caller's text without tokens, and not too long.
func (s *server) blank(text string) string {
	text = tokenless(text, s.ownToken())
	if len(text) > auditText {
		text = strings.ToValidUTF8(text[:auditText], "") + "…"
	}
	return text
}

// audit is what somebody may see of the record.
func (s *server) audit(r *http.Request, who access.Person) (any, error) {
	limit, err := limitOf(r, 100)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	environment, name, outcome := q.Get("environment"), q.Get("who"), q.Get("outcome")
	if !slices.Contains([]string{"", record.AuditDone, record.AuditRefused}, outcome) {
		return nil, badRequest{errors.New("outcome " + outcome + ": want done or refused")}
	}
	if err := who.Check(access.Operate, environment); err != nil {
		return nil, err
	}
	return s.audited(who, limit, func(a record.Audit) bool {
		return (environment == "" || a.Environment == environment) && (name == "" || a.Who == name) && (outcome == "" || a.Outcome == outcome)
	}), nil
}

// audited is for those who operate an environment, what is about it; for admins
// of everything, all.
func (s *server) audited(who access.Person, limit int, wanted func(record.Audit) bool) []record.Audit {
	all := who.Everywhere(access.Govern)
	return s.o.Audit.Audit(limit, func(a record.Audit) bool {
		return (all || a.Environment != "" && who.May(access.Operate, a.Environment)) && wanted(a)
	})
}
