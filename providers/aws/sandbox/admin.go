package sandbox

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/logs"
	"mooring.dev/providers/aws/sandbox/wire"
)

// serveAdmin is the sandbox's own API, JSON under /_sandbox/:
//
//	GET    health              the sandbox is up
//	GET    calls               ?since=RFC3339 &service= &operation= &actor= &error= &status= (globs)
//	GET    counts
//	POST   reset               forgets calls and counts
//	GET    faults              POST adds a Rule (durations as text: "5s"); DELETE clears, ?id= one
//	GET    actors              POST {"accessKey","type","name","arn"} registers one
//	GET    time                now, and what stands for a minute; POST {"advance":"10m"} moves the clock
//	POST   images              {"uri","digest"} pushes a tag again: it names another image
//	POST   runtimes            {"runtime","build"} moves a runtime to another build
//	POST   keys                {"arn","disabled"} takes a KMS key away, or gives it back
//	POST   rates               {"enforce":true} switches the rate lanes
//	GET    logs                ?function= &account= &region= the newest lines of a function
func (s *Sandbox) serveAdmin(w http.ResponseWriter, r *http.Request) {
	handlers := map[string]http.HandlerFunc{
		"GET health":    func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, map[string]any{"ok": true, "url": s.URL()}) },
		"GET calls":     s.adminCalls,
		"GET counts":    func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Counts()) },
		"POST reset":    func(w http.ResponseWriter, _ *http.Request) { s.Reset(); done(w) },
		"GET faults":    s.adminRules,
		"POST faults":   s.adminAddRule,
		"DELETE faults": s.adminClearRules,
		"GET actors":    func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.ids.All()) },
		"POST actors":   s.adminActor,
		"GET time":      func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.times()) },
		"POST time":     s.adminTime,
		"POST images":   s.adminImages,
		"POST runtimes": s.adminRuntimes,
		"POST keys":     s.adminKeys,
		"POST rates":    s.adminRates,
		"GET logs":      s.adminLogs,
	}
	handle, ok := handlers[r.Method+" "+strings.TrimPrefix(r.URL.Path, adminPath)]
	if !ok {
		http.Error(w, "the sandbox's own API has no such thing", http.StatusNotFound)
		return
	}
	handle(w, r)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that went away is nobody's fault
}

func done(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }

// readJSON decodes a request's document; false when it has answered already.
func readJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func (s *Sandbox) adminCalls(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var since time.Time
	if text := q.Get("since"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339Nano, text); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	out := []wire.Call{}
	for _, c := range s.Calls(since) {
		if wanted(q.Get("service"), c.Service) && wanted(q.Get("operation"), c.Operation) && wanted(q.Get("actor"), c.Actor.Name) &&
			wanted(q.Get("error"), c.ErrorCode) && wanted(q.Get("status"), strconv.Itoa(c.Status)) {
			out = append(out, c)
		}
	}
	writeJSON(w, out)
}

// wanted judges a filter; an empty one wants everything.
func wanted(pattern, s string) bool { return pattern == "" || wire.Glob(pattern, s) }

// ruleDocument is a Rule as people write it.
type ruleDocument struct {
	Rule
	Effect effectDocument `json:"effect"`
}

type effectDocument struct {
	Effect
	Latency string `json:"latency,omitempty"`
	Stale   string `json:"stale,omitempty"`
}

func (d ruleDocument) rule() (Rule, error) {
	r := d.Rule
	r.Effect = d.Effect.Effect
	for _, field := range []struct {
		text string
		into *time.Duration
	}{{d.Effect.Latency, &r.Effect.Latency}, {d.Effect.Stale, &r.Effect.Stale}} {
		if field.text == "" {
			continue
		}
		parsed, err := time.ParseDuration(field.text)
		if err != nil {
			return Rule{}, err
		}
		*field.into = parsed
	}
	return r, nil
}

func documentOf(r Rule) ruleDocument {
	d := ruleDocument{Rule: r, Effect: effectDocument{Effect: r.Effect}}
	if r.Effect.Latency > 0 {
		d.Effect.Latency = r.Effect.Latency.String()
	}
	if r.Effect.Stale > 0 {
		d.Effect.Stale = r.Effect.Stale.String()
	}
	return d
}

func (s *Sandbox) adminRules(w http.ResponseWriter, _ *http.Request) {
	out := []ruleDocument{}
	for _, r := range s.Faults.List() {
		out = append(out, documentOf(r))
	}
	writeJSON(w, out)
}

func (s *Sandbox) adminAddRule(w http.ResponseWriter, r *http.Request) {
	var in ruleDocument
	if !readJSON(w, r, &in) {
		return
	}
	rule, err := in.rule()
	if err == nil {
		rule.ID, err = s.Faults.Add(rule)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, documentOf(rule))
}

func (s *Sandbox) adminClearRules(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	if id != "" && !s.Faults.Remove(id) {
		http.Error(w, "there is no rule "+id, http.StatusNotFound)
		return
	}
	if id == "" {
		s.Faults.Clear()
		s.stale.clear()
	}
	done(w)
}

func (s *Sandbox) adminActor(w http.ResponseWriter, r *http.Request) {
	var in wire.Actor
	if !readJSON(w, r, &in) {
		return
	}
	if in.AccessKey == "" || in.Name == "" {
		http.Error(w, "an actor needs accessKey and name", http.StatusBadRequest)
		return
	}
	s.RegisterActor(in.AccessKey, in)
	done(w)
}

func (s *Sandbox) adminTime(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Advance string `json:"advance"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	d, err := time.ParseDuration(in.Advance)
	if err != nil || d < 0 {
		http.Error(w, "advance is a duration forward, like 10m", http.StatusBadRequest)
		return
	}
	s.Advance(d)
	writeJSON(w, s.times())
}

func (s *Sandbox) adminImages(w http.ResponseWriter, r *http.Request) {
	var in struct{ URI, Digest string }
	if !readJSON(w, r, &in) {
		return
	}
	if in.URI == "" || len(in.Digest) != 64 {
		http.Error(w, "a push needs uri, with its tag, and digest, 64 hex digits", http.StatusBadRequest)
		return
	}
	s.Outside.Push(in.URI, in.Digest)
	done(w)
}

func (s *Sandbox) adminRuntimes(w http.ResponseWriter, r *http.Request) {
	var in struct{ Runtime, Build string }
	if readJSON(w, r, &in) {
		s.Outside.Build(in.Runtime, in.Build)
		done(w)
	}
}

func (s *Sandbox) adminKeys(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ARN      string
		Disabled bool
	}
	if readJSON(w, r, &in) {
		s.Outside.Disable(in.ARN, in.Disabled)
		done(w)
	}
}

func (s *Sandbox) adminRates(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Enforce bool `json:"enforce"`
	}
	if !readJSON(w, r, &in) {
		return
	}
	s.lanes.Enforce(in.Enforce)
	done(w)
}

func (s *Sandbox) adminLogs(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	at := place{account: cmp.Or(q.Get("account"), s.options.Account), region: cmp.Or(q.Get("region"), s.options.Region)}
	st, err := s.site(at)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	out := []logs.Line{}
	writeJSON(w, append(out, st.functionLines(q.Get("function"))...))
}

func (s *Sandbox) times() map[string]any {
	return map[string]any{"now": s.Now(), "period": s.options.Period.String()}
}
