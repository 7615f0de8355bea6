// Package proxy is the form in which HTTP reaches a function and comes back:
// payload format 2.0, of function URLs and HTTP APIs alike.
package proxy

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// Request is one HTTP request on its way to a function.
type Request struct {
	HTTP                         *http.Request
	Body                         []byte
	ID, Account, API, Domain     string
	RouteKey, Stage, Path        string
	PathParameters, StageContext map[string]string // of an HTTP API
	Authorizer                   map[string]any
	At                           time.Time
}

// Event is the request as payload format 2.0.
func (q Request) Event() map[string]any {
	r := q.HTTP
	prefix, _, _ := strings.Cut(q.Domain, ".")
	context := map[string]any{
		"accountId": q.Account, "apiId": q.API, "domainName": q.Domain, "domainPrefix": prefix,
		"http":      map[string]string{"method": r.Method, "path": q.Path, "protocol": r.Proto, "sourceIp": SourceIP(r), "userAgent": r.UserAgent()},
		"requestId": q.ID, "routeKey": q.RouteKey, "stage": q.Stage, "time": q.At.UTC().Format("02/Jan/2006:15:04:05 -0700"), "timeEpoch": q.At.UnixMilli(),
	}
	if q.Authorizer != nil {
		context["authorizer"] = q.Authorizer
	}
	event := map[string]any{
		"version": "2.0", "routeKey": q.RouteKey, "rawPath": q.Path, "rawQueryString": r.URL.RawQuery, "headers": Headers(r),
		"requestContext": context, "isBase64Encoded": false,
	}
	if query := joined(r.URL.Query()); len(query) > 0 {
		event["queryStringParameters"] = query
	}
	if len(q.PathParameters) > 0 {
		event["pathParameters"] = q.PathParameters
	}
	if len(q.StageContext) > 0 {
		event["stageVariables"] = q.StageContext
	}
	if cookies := r.Header.Values("Cookie"); len(cookies) > 0 {
		event["cookies"] = strings.Split(strings.Join(cookies, "; "), "; ")
	}
	if len(q.Body) > 0 {
		event["body"], event["isBase64Encoded"] = Text(r, q.Body)
	}
	return event
}

// SourceIP is where a request came from.
func SourceIP(r *http.Request) string {
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return address
}

// Headers are a request's, by their names in small letters.
func Headers(r *http.Request) map[string]string {
	out := map[string]string{"host": r.Host}
	for name, values := range r.Header {
		out[strings.ToLower(name)] = strings.Join(values, ",")
	}
	return out
}

// Text is a body as text, or in base64 where it is none.
func Text(r *http.Request, body []byte) (text string, encoded bool) {
	if textual(r.Header.Get("Content-Type")) && utf8.Valid(body) {
		return string(body), false
	}
	return base64.StdEncoding.EncodeToString(body), true
}

func joined(q url.Values) map[string]string {
	out := map[string]string{}
	for name, values := range q {
		out[name] = strings.Join(values, ",")
	}
	return out
}

// textual says whether a body of this type travels as text.
func textual(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return kind == "" || strings.HasPrefix(kind, "text/") || kind == "application/json" || kind == "application/javascript" ||
		kind == "application/xml" || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml")
}

// Respond writes what a function returned: an object with a statusCode is a
// whole response, anything else is the body of a 200. An error says that it
// was neither, and nothing was written.
func Respond(w http.ResponseWriter, payload []byte) error {
	var full struct {
		StatusCode      *int                       `json:"statusCode"`
		Headers         map[string]json.RawMessage `json:"headers"`
		Cookies         []string                   `json:"cookies"`
		Body            json.RawMessage            `json:"body"`
		IsBase64Encoded bool                       `json:"isBase64Encoded"`
	}
	if json.Unmarshal(payload, &full) != nil || full.StatusCode == nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(asText(payload)) // the client may be gone
		return nil
	}
	body := asText(full.Body)
	if full.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(string(body))
		if err != nil {
			return errors.New("the body is not base64")
		}
		body = decoded
	}
	if *full.StatusCode < 100 || *full.StatusCode > 599 {
		return errors.New("the status is none")
	}
	w.Header().Set("Content-Type", "application/json")
	for name, value := range full.Headers {
		w.Header().Set(name, string(asText(value)))
	}
	for _, cookie := range full.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	w.WriteHeader(*full.StatusCode)
	_, _ = w.Write(body) // the client may be gone
	return nil
}

// asText is the content of a JSON string, nothing for null, and the JSON itself
// for the rest.
func asText(raw []byte) []byte {
	var text string
	if string(raw) == "null" {
		return nil
	}
	if json.Unmarshal(raw, &text) == nil {
		return []byte(text)
	}
	return raw
}
