package measure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Prometheus is a server that speaks the query API of Prometheus (Thanos,
// Mimir, VictoriaMetrics and Amazon Managed Prometheus behind a proxy do).
type Prometheus struct {
	Client  *Client
	Address string      // http://prometheus:9090, with a prefix where there is one
	Header  http.Header // as Authorization
}

// Query is the one value of an instant query at a time. ErrNoData: it gave no
// series, or NaN. A query that gives several series has no one value: that is
// an error, not the first of them.
func (p Prometheus) Query(ctx context.Context, query string, at time.Time) (float64, error) {
	where, err := url.Parse(p.Address)
	if err != nil {
		return 0, errors.New("prometheus: the address is no URL")
	}
	where = where.JoinPath("api", "v1", "query")
	where.RawQuery = url.Values{"query": {query}, "time": {stamp(at)}}.Encode()
	answer, err := p.Client.Ask(ctx, Request{URL: where.String(), Header: p.Header})
	if err != nil {
		return 0, fmt.Errorf("prometheus: %w", err)
	}
	value, err := valueOf(answer)
	if err != nil {
		return 0, fmt.Errorf("prometheus: %w", err)
	}
	return value, nil
}

// stamp is seconds since 1970 to the millisecond, in digits that a float of
// that size would lose.
func stamp(at time.Time) string {
	return fmt.Sprintf("%d.%03d", at.Unix(), at.Nanosecond()/int(time.Millisecond))
}

// reply is an answer of the query API.
type reply struct {
	Status    string `json:"status"`
	ErrorType string `json:"errorType"`
	Data      struct {
		Type   string          `json:"resultType"`
		Result json.RawMessage `json:"result"`
	} `json:"data"`
}

func valueOf(a Answer) (float64, error) {
	var r reply
	if err := json.Unmarshal(a.Body, &r); err != nil {
		return 0, fmt.Errorf("answered %d, and not as the query API does", a.Status)
	}
	if r.ErrorType == "bad_data" { // its own words may quote the query, and what else it was sent
		return 0, fmt.Errorf("answered %d bad_data: the query is not understood; try it on the page of the server", a.Status)
	}
	if a.Status != http.StatusOK || r.Status != "success" {
		return 0, fmt.Errorf("answered %d %s", a.Status, word(r.ErrorType))
	}
	switch r.Data.Type {
	case "scalar":
		return number(r.Data.Result)
	case "vector":
		var series []struct {
			Value json.RawMessage `json:"value"`
		}
		if err := json.Unmarshal(r.Data.Result, &series); err != nil {
			return 0, errors.New("a vector that is none")
		}
		switch len(series) {
		case 0:
			return 0, ErrNoData
		case 1:
			return number(series[0].Value)
		}
		return 0, fmt.Errorf("the query gives %d series, want one value: sum or max over them", len(series))
	}
	return 0, fmt.Errorf("the query gives a %s, want a scalar or a vector of one", word(r.Data.Type))
}

// word is a short plain word of a server's, or nothing.
func word(text string) string {
	if len(text) > 32 || strings.ContainsFunc(text, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' }) {
		return ""
	}
	return text
}

// number reads [time, "value"].
func number(pair json.RawMessage) (float64, error) {
	var parts []json.RawMessage
	var text string
	if json.Unmarshal(pair, &parts) != nil || len(parts) != 2 || json.Unmarshal(parts[1], &text) != nil {
		return 0, errors.New("a sample that is none")
	}
	v, err := strconv.ParseFloat(text, 64) // reads NaN, +Inf and -Inf as Prometheus writes them
	if err != nil {
		return 0, errors.New("a sample that is no number")
	}
	if math.IsNaN(v) {
		return 0, ErrNoData
	}
	return v, nil
}
