package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/lambda"
	"mooring.dev/providers/aws/sandbox/wire"
)

// exchange is one call on its way through the pipeline.
type exchange struct {
	site    *site
	service wire.Service
	request *http.Request
	body    []byte
	call    *wire.Call
}

// serve lets the service answer; what it notes about the call goes to a copy
// of it, which is returned.
func (e exchange) serve(w http.ResponseWriter) wire.Call {
	c := *e.call
	w.Header().Set("X-Amzn-Requestid", c.ID)
	e.service.Serve(w, e.request, e.body, &c)
	c.ReadOnly = e.call.ReadOnly
	return c
}

// scope is what writes and reads have in common: service, account, region.
func (e exchange) scope() string {
	return e.call.Service + "|" + e.site.account + "|" + e.site.region
}

// key names a read: equal keys ask the same question.
func (e exchange) key() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s|%s|%s|%s|", e.scope(), e.call.Operation, e.request.Method, e.request.URL.RequestURI())
	h.Write(e.body)
	return string(h.Sum(nil))
}

// detached is the exchange with its own request, safe to ask again later.
func (e exchange) detached() exchange {
	c := *e.call
	e.call = &c
	e.request = e.request.Clone(context.WithoutCancel(e.request.Context()))
	return e
}

// refuse answers with an error as the service words its own.
func (e exchange) refuse(w http.ResponseWriter, err error) {
	if e.call.Service == "lambda" {
		w.Header().Set("X-Amzn-Requestid", e.call.ID)
		lambda.WriteError(w, wire.AsError(err))
		return
	}
	reply := wire.Reply{
		Protocol:  wire.ProtocolOf(e.call.Service, e.request),
		Operation: e.call.Operation,
		RequestID: e.call.ID,
	}
	reply.WriteError(w, err)
}

// answer holds a reply until it is known what becomes of it.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newAnswer() *answer { return &answer{header: http.Header{}} }

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// A client of net/http that hands over its body by a reader of its own (the
// SDK's do) closes that body as soon as it has the reply's header. Where the
// reply is faster than the client's last look at the body, the client takes
// the closed body for a failed write and drops the connection, with the rest
// of a long reply still in it. AWS is never that fast; a long reply here waits
// for a moment.
const (
	longReply = 3 << 10
	moment    = time.Millisecond
)

func (a *answer) copyTo(w http.ResponseWriter) {
	if a.body.Len() > longReply {
		time.Sleep(moment)
	}
	maps.Copy(w.Header(), a.header)
	if a.status == 0 {
		a.status = http.StatusOK
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // a client that went away is nobody's fault
}

// errorCode is the error's code as the reply's protocol carries it.
func (a *answer) errorCode() string {
	if a.status < 400 {
		return ""
	}
	if code := a.header.Get("X-Amzn-Errortype"); code != "" {
		code, _, _ = strings.Cut(code, ":")
		return code
	}
	var typed struct {
		Type string `json:"__type"`
	}
	if json.Unmarshal(a.body.Bytes(), &typed) == nil && typed.Type != "" {
		return typed.Type
	}
	var marked struct {
		Code  string `xml:"Code"`
		Inner string `xml:"Error>Code"`
	}
	if xml.Unmarshal(a.body.Bytes(), &marked) == nil {
		return marked.Code + marked.Inner
	}
	return http.StatusText(a.status)
}

// pause waits, unless the caller goes away first.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
