package lambda

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"mooring.dev/providers/aws/sandbox/wire"
)

// request is one call, taken apart.
type request struct {
	path   map[string]string // members that stand in the path, by the model's names
	query  url.Values
	header http.Header
	body   []byte
	call   *wire.Call
}

// reply is what a handler answers. A nil body sends none; raw is sent as it is.
type reply struct {
	status int
	body   any
	raw    []byte
	header map[string]string
}

func ok(body any) (reply, error)      { return reply{status: http.StatusOK, body: body}, nil }
func created(body any) (reply, error) { return reply{status: http.StatusCreated, body: body}, nil }
func accepted(body any) (reply, error) {
	return reply{status: http.StatusAccepted, body: body}, nil
}
func noContent() (reply, error) { return reply{status: http.StatusNoContent}, nil }

// decode reads the JSON body into v; an empty body leaves v as it is.
func (q *request) decode(v any) error {
	if len(q.body) == 0 {
		return nil
	}
	if err := json.Unmarshal(q.body, v); err != nil {
		return fault(http.StatusBadRequest, "SerializationException", "Could not parse request body into json: %v", err)
	}
	return nil
}

// Operation names the call that a request makes; "" when Lambda has none such.
func (s *Service) Operation(r *http.Request, _ []byte) string {
	found, _ := match(s.routes, r)
	if found == nil {
		return ""
	}
	return found.operation
}

// Serve answers one call and fills in what c should remember of it.
func (s *Service) Serve(w http.ResponseWriter, r *http.Request, body []byte, c *wire.Call) {
	if c.ID != "" {
		w.Header().Set("X-Amzn-Requestid", c.ID)
	}
	found, path := match(s.routes, r)
	if found == nil {
		s.refuse(w, c, fault(http.StatusNotFound, "UnknownOperationException", "Lambda has no operation %s %s", r.Method, r.URL.Path))
		return
	}
	q := &request{path: path, query: r.URL.Query(), header: r.Header, body: body, call: c}
	c.Operation = found.operation
	c.ReadOnly = readOnly(found.operation)
	c.Params = recordParams(q, found)
	answer, err := found.handle(q)
	if err != nil {
		var e *wire.Error
		if !errors.As(err, &e) {
			e = fault(http.StatusInternalServerError, "ServiceException", "%v", err)
			e.Members["Type"] = "Service"
		}
		s.refuse(w, c, e)
		return
	}
	s.answer(w, c, answer)
}

func (s *Service) refuse(w http.ResponseWriter, c *wire.Call, e *wire.Error) {
	c.Status, c.ErrorCode = e.Status, e.Code
	WriteError(w, e)
}

func (s *Service) answer(w http.ResponseWriter, c *wire.Call, a reply) {
	text := a.raw
	if a.body != nil {
		var err error
		if text, err = json.Marshal(a.body); err != nil {
			e := fault(http.StatusInternalServerError, "ServiceException", "write the response: %v", err)
			s.refuse(w, c, e)
			return
		}
		if !c.ReadOnly {
			c.Response = recordResponse(text)
		}
	}
	c.Status = a.status
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	if text != nil && w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(a.status)
	if text != nil {
		_, _ = w.Write(text) // the client may be gone; the call happened all the same
	}
}

func readOnly(operation string) bool {
	return strings.HasPrefix(operation, "Get") || strings.HasPrefix(operation, "List")
}

// recordParams is what an audit trail would show of the request: AWS's trail
// spells members in lowerCamelCase and leaves out code and variables.
func recordParams(q *request, r *route) map[string]any {
	params := map[string]any{}
	if r.payload {
		for _, name := range []string{"X-Amz-Invocation-Type", "X-Amz-Log-Type"} {
			if v := q.header.Get(name); v != "" {
				params[lowerFirst(strings.ReplaceAll(strings.TrimPrefix(name, "X-Amz-"), "-", ""))] = v
			}
		}
	} else if len(q.body) > 0 {
		if err := json.Unmarshal(q.body, &params); err != nil {
			params = map[string]any{}
		}
		params = lowered(params)
	}
	for name, values := range q.query {
		if len(values) == 1 {
			params[lowerFirst(name)] = values[0]
		} else {
			params[lowerFirst(name)] = values
		}
	}
	for name, value := range q.path {
		params[lowerFirst(name)] = value
	}
	return params
}

func recordResponse(text []byte) map[string]any {
	var out map[string]any
	if json.Unmarshal(text, &out) != nil {
		return nil
	}
	return lowered(out)
}

// lowered spells members as the trail does and drops secrets and code. Keys of
// maps that users fill (tags, weights) keep their spelling.
func lowered(in map[string]any) map[string]any {
	out := make(map[string]any, len(in))
	for name, value := range in {
		switch name {
		case "ZipFile", "Location", "EventSourceToken":
			continue
		case "Environment":
			out["environment"] = map[string]any{}
			continue
		case "Tags", "AdditionalVersionWeights":
			out[lowerFirst(name)] = value
			continue
		}
		out[lowerFirst(name)] = loweredValue(value)
	}
	return out
}

func loweredValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return lowered(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = loweredValue(v[i])
		}
		return out
	}
	return value
}

func lowerFirst(name string) string {
	if strings.ToUpper(name) == name { // UUID
		return strings.ToLower(name)
	}
	runes := []rune(name)
	if len(runes) == 0 {
		return name
	}
	runes[0] = unicode.ToLower(runes[0])
	return string(runes)
}

// stamp is LastModified as functions show it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000-0700") }

// epoch is a time as JSON members of type timestamp show it.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
