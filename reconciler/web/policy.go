package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
)

// policy registers what tells about questions to policy and its answers.
func (s *server) policy() {
	s.api("GET /api/v1/environments/{name}/input", purpose{does: "What policy would be asked now.", answer: json.RawMessage{}, query: []string{"point", "commit"}}, func(r *http.Request) (any, error) {
		q := r.URL.Query()
		return s.o.View.Input(r.Context(), r.PathValue("name"), InputQuery{Point: q.Get("point"), Commit: q.Get("commit")})
	})
	s.api("GET /api/v1/decisions", purpose{does: "What policy decided, oldest first, a page at a time.", answer: DecisionPage{}, query: []string{"id", "environment", "point", "since", "after", "limit"}}, s.decisions)
}

// decisions are those of the environments who asks may see.
func (s *server) decisions(r *http.Request, who access.Person) (any, error) {
	q, err := decisionQuery(r.URL.Query())
	if err != nil {
		return nil, badRequest{err}
	}
	if q.Environment != "" {
		if err := who.Check(access.See, q.Environment); err != nil {
			return nil, err
		}
	}
	page, err := s.o.View.Decisions(r.Context(), q)
	if err != nil {
		return nil, err
	}
	shown := []RecordedDecision{}
	for _, d := range page.Decisions {
		if who.May(access.See, d.Environment) {
			shown = append(shown, d)
		}
	}
	page.Decisions = shown
	return page, nil
}

func decisionQuery(v url.Values) (q journal.DecisionQuery, err error) {
	q.ID, q.Environment, q.Point = v.Get("id"), v.Get("environment"), v.Get("point")
	if text := v.Get("since"); text != "" {
		if q.Since, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return q, fmt.Errorf("since %q: want a time as in 2026-11-23T18:00:00Z", text)
		}
	}
	if q.After, err = seqOf(v, "after"); err != nil {
		return q, err
	}
	if text := v.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 {
			return q, fmt.Errorf("limit %q: want a number from 1", text)
		}
	}
	return q, nil
}

// seqOf is the number of a record in a query; 0 where it names none.
func seqOf(v url.Values, name string) (journal.Seq, error) {
	text := v.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s %q: want the number of a record", name, text)
	}
	return journal.Seq(n), nil
}
