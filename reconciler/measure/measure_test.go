package measure

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T, h http.HandlerFunc) (*Client, string) {
	t.Helper()
	s := httptest.NewServer(h)
	c := NewClient(nil)
	t.Cleanup(func() { c.Close(); s.Close() })
	return c, s.URL
}

func TestQueryHasOneValue(t *testing.T) {
	var body, query, at string
	status := 200
	c, url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		query, at = r.URL.Query().Get("query"), r.URL.Query().Get("time")
		if r.URL.Path != "/prefix/api/v1/query" || r.Header.Get("Authorization") != "Bearer s3cret" {
			status = 404
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
	p := Prometheus{Client: c, Address: url + "/prefix/", Header: http.Header{"Authorization": {"Bearer s3cret"}}}
	ask := func() (float64, error) { return p.Query(t.Context(), "sum(up) + 1", time.Unix(1700000000, 250e6)) }
	good := map[string]float64{
		`{"status":"success","data":{"resultType":"scalar","result":[1700000000.25,"0.5"]}}`:                     0.5,
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"12"]}]}}`:          12,
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"+Inf"]}]}}`: math.Inf(1),
	}
	for body = range good {
		if got, err := ask(); err != nil || got != good[body] {
			t.Errorf("%s: got %v, %v", body, got, err)
		}
	}
	if query != "sum(up) + 1" || at != "1700000000.250" {
		t.Errorf("asked %q at %q", query, at)
	}
	for _, body = range []string{
		`{"status":"success","data":{"resultType":"vector","result":[]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"NaN"]}]}}`,
	} {
		if _, err := ask(); !errors.Is(err, ErrNoData) {
			t.Errorf("%s: %v, want ErrNoData", body, err)
		}
	}
	bad := []string{
		`{"status":"success","data":{"resultType":"string","result":[1,"1"]}}`, `{"status":"success","data":{"resultType":"scalar","result":[1,"many"]}}`,
		`{"status":"success","data":{"resultType":"scalar","result":[1,0.5]}}`, `{"status":"success","data":{"resultType":"vector","result":[{}]}}`,
		`{"status":"success","data":{"resultType":"vector","result":{}}}`, `{"status":"success"}`, `{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}} and more`,
		`{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"1"]},{"value":[1,"2"]}]}}`,
		`{"status":"success","data":{"resultType":"matrix","result":[]}}`,
		`{"status":"error","errorType":"bad_data","error":"s3cret query"}`,
		`{"status":"success","data":{"resultType":"scalar","result":[1]}}`, `<html>s3cret</html>`, ``,
	}
	for _, body = range bad {
		if v, err := ask(); err == nil || errors.Is(err, ErrNoData) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, %v", body, v, err)
		}
	}
	status, body = 503, `{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}`
	if v, err := ask(); err == nil {
		t.Errorf("503 is taken for %v", v)
	}
}

// A server may send a question on within itself, and nowhere else: not with
// our headers, and not to what only this machine can reach.
func TestQuestionsStayWhereTheyWereSent(t *testing.T) {
	var strayed bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed = true }))
	defer other.Close()
	c, url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/within":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/large":
			_, _ = w.Write(make([]byte, maxAnswer+1))
		}
	})
	if a, err := c.Ask(t.Context(), Request{URL: url + "/within"}); err != nil || a.Status != 200 {
		t.Errorf("within: %+v, %v", a, err)
	}
	for _, address := range []string{
		url + "/away?k=s3cret", url + "/round?k=s3cret", url + "/large?k=s3cret", "file:///etc/passwd?k=s3cret", "http://?k=s3cret",
		"http://169.254.169.254/s3cret", "http://[fe80::1]/s3cret", "http://0.0.0.0/s3cret",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		a, err := c.Ask(ctx, Request{URL: address, Header: http.Header{"X-Key": {"s3cret"}}})
		cancel()
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %+v, %v", address, a.Status, err)
		}
	}
	if strayed {
		t.Error("another host was asked")
	}
}

func TestAnAnswerComesInTime(t *testing.T) {
	c, url := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Ask(ctx, Request{URL: url}); err == nil {
		t.Error("no answer is taken for one")
	}
}
