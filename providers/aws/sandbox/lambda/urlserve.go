package lambda

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"unicode/utf8"

	"mooring.dev/providers/aws/sandbox/lambda/runtime"
	"mooring.dev/providers/aws/sandbox/wire"
)

const (
	urlPath  = "/lambda-url/"
	codePath = "/lambda-code/"
)

// HandleURL answers what is addressed to a function URL (by path or by Host),
// or to a code location. It reports false for everything else.
func (s *Service) HandleURL(w http.ResponseWriter, r *http.Request) bool {
	if name, found := strings.CutPrefix(r.URL.Path, codePath); found {
		s.serveCode(w, r, name)
		return true
	}
	host, _, _ := strings.Cut(r.Host, ":")
	if id, found := strings.CutSuffix(host, ".lambda-url."+s.opts.Region+".on.aws"); found {
		s.serveURL(w, r, id, r.URL.Path)
		return true
	}
	if rest, found := strings.CutPrefix(r.URL.Path, urlPath); found {
		id, path, _ := strings.Cut(rest, "/")
		s.serveURL(w, r, id, "/"+path)
		return true
	}
	return false
}

func (s *Service) serveCode(w http.ResponseWriter, r *http.Request, name string) {
	s.mu.Lock()
	b := s.code[name]
	s.mu.Unlock()
	if b == nil {
		http.NotFound(w, r)
		return
	}
	f, err := os.Open(s.zipPath(b.hex))
	if err != nil {
		http.Error(w, "the code cannot be read", http.StatusInternalServerError)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/zip")
	_, _ = io.Copy(w, f) // the client may be gone
}

// findByURL finds the function and alias behind an id; public is true where
// its URL asks for no signature and its policy lets everybody in.
func (s *Service) findByURL(id string) (ref reference, found *functionURL, public bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, f := range s.functions {
		for qualifier, u := range f.urls {
			if u.id == id {
				shown := *u
				return reference{name, qualifier}, &shown, u.auth == "NONE" && f.policies[qualifier].public()
			}
		}
	}
	return reference{}, nil, false
}

func (s *Service) serveURL(w http.ResponseWriter, r *http.Request, id, path string) {
	ref, u, public := s.findByURL(id)
	if u == nil {
		urlError(w, http.StatusNotFound, "ResourceNotFoundException", "Not Found")
		return
	}
	if u.cors.answer(w, r) {
		return
	}
	if !public && (u.auth == "NONE" || r.Header.Get("Authorization") == "") {
		urlError(w, http.StatusForbidden, "AccessDeniedException", "Forbidden")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, syncPayloadLimit))
	if err != nil {
		urlError(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request Entity Too Large")
		return
	}
	request := newID()
	event, err := json.Marshal(s.urlEvent(r, u, urlCall{path: path, body: body, id: request}))
	if err != nil {
		urlError(w, http.StatusInternalServerError, "InternalFailureException", "Internal Server Error")
		return
	}
	_, result, err := s.call(ref, runtime.Invocation{ID: request, Payload: event})
	w.Header().Set("X-Amzn-RequestId", request)
	if err != nil {
		refuseURL(w, err)
		return
	}
	if result.Error != "" {
		urlError(w, http.StatusBadGateway, "", "Internal Server Error")
		return
	}
	writeURLResponse(w, result.Payload)
}

func refuseURL(w http.ResponseWriter, err error) {
	var e *wire.Error
	if errors.As(err, &e) && e.Code == "TooManyRequestsException" {
		WriteError(w, e)
		return
	}
	urlError(w, http.StatusBadGateway, "", "Internal Server Error")
}

func urlError(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Content-Type", "application/json")
	if code != "" {
		w.Header().Set("X-Amzn-ErrorType", code)
	}
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"Message":%q}`, text) // the client may be gone
}

type urlCall struct {
	path, id string
	body     []byte
}

// urlEvent is the request as payload format 2.0.
func (s *Service) urlEvent(r *http.Request, u *functionURL, c urlCall) map[string]any {
	now := s.opts.Now()
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	headers := map[string]string{"host": r.Host}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	account := "anonymous"
	if u.auth == "AWS_IAM" {
		account = s.opts.Account
	}
	event := map[string]any{
		"version": "2.0", "routeKey": "$default", "rawPath": c.path, "rawQueryString": r.URL.RawQuery, "headers": headers,
		"requestContext": map[string]any{
			"accountId": account, "apiId": u.id, "domainName": u.id + ".lambda-url." + s.opts.Region + ".on.aws", "domainPrefix": u.id,
			"http":      map[string]string{"method": r.Method, "path": c.path, "protocol": r.Proto, "sourceIp": address, "userAgent": r.UserAgent()},
			"requestId": c.id, "routeKey": "$default", "stage": "$default", "time": now.UTC().Format("02/Jan/2006:15:04:05 -0700"), "timeEpoch": now.UnixMilli(),
		},
		"isBase64Encoded": false,
	}
	if query := joinedQuery(r.URL.Query()); len(query) > 0 {
		event["queryStringParameters"] = query
	}
	if cookies := r.Header.Values("Cookie"); len(cookies) > 0 {
		event["cookies"] = strings.Split(strings.Join(cookies, "; "), "; ")
	}
	if len(c.body) > 0 {
		if textual(r.Header.Get("Content-Type")) && utf8.Valid(c.body) {
			event["body"] = string(c.body)
		} else {
			event["body"], event["isBase64Encoded"] = base64.StdEncoding.EncodeToString(c.body), true
		}
	}
	return event
}

func joinedQuery(q url.Values) map[string]string {
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

// writeURLResponse maps what a function returned: an object with a statusCode
// is a whole response, anything else is the body of a 200.
func writeURLResponse(w http.ResponseWriter, payload []byte) {
	var full struct {
		StatusCode      *int                       `json:"statusCode"`
		Headers         map[string]json.RawMessage `json:"headers"`
		Cookies         []string                   `json:"cookies"`
		Body            json.RawMessage            `json:"body"`
		IsBase64Encoded bool                       `json:"isBase64Encoded"`
	}
	w.Header().Set("Content-Type", "application/json")
	if json.Unmarshal(payload, &full) != nil || full.StatusCode == nil {
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(asText(payload)) // the client may be gone
		return
	}
	body := asText(full.Body)
	if full.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(string(body))
		if err != nil {
			urlError(w, http.StatusBadGateway, "", "Internal Server Error")
			return
		}
		body = decoded
	}
	if *full.StatusCode < 100 || *full.StatusCode > 599 {
		urlError(w, http.StatusBadGateway, "", "Internal Server Error")
		return
	}
	for name, value := range full.Headers {
		w.Header().Set(name, string(asText(value)))
	}
	for _, cookie := range full.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	w.WriteHeader(*full.StatusCode)
	_, _ = w.Write(body) // the client may be gone
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

// answer sets the CORS headers, and answers a preflight by itself.
func (c *corsConfig) answer(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if c == nil || origin == "" {
		return false
	}
	allowed := false
	for _, o := range c.AllowOrigins {
		allowed = allowed || o == "*" || o == origin
	}
	if allowed {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		h.Add("Vary", "Origin")
		if c.AllowCredentials {
			h.Set("Access-Control-Allow-Credentials", "true")
		}
		if len(c.ExposeHeaders) > 0 {
			h.Set("Access-Control-Expose-Headers", strings.Join(c.ExposeHeaders, ","))
		}
	}
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	if allowed {
		w.Header().Set("Access-Control-Allow-Methods", strings.Join(c.AllowMethods, ","))
		w.Header().Set("Access-Control-Allow-Headers", strings.Join(c.AllowHeaders, ","))
		w.Header().Set("Access-Control-Max-Age", itoa(c.MaxAge))
	}
	w.WriteHeader(http.StatusOK)
	return true
}
