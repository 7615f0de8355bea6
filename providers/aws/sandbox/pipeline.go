package sandbox

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/fault"
	"mooring.dev/providers/aws/sandbox/quota"
	"mooring.dev/providers/aws/sandbox/wire"
)

const (
	adminPath   = "/_sandbox/"
	largestBody = 512 << 20
)

// ServeHTTP is the pipeline every call goes through: whose it is, for which
// service, whether its lane has room, what fault meets it, the answer, the
// record.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, adminPath) {
		s.serveAdmin(w, r)
		return
	}
	if s.serveFunctionURL(w, r) || s.serveAPI(w, r) {
		return
	}
	w.Header().Set("Date", s.Now().Format(http.TimeFormat)) // clients compare it with their own clock
	scope, signed := wire.ParseScope(r)
	body, err := readBody(r, scope.Service != "s3")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !signed || scope.Region == "" {
		scope.Region = s.options.Region
	}
	if !signed {
		scope.Service = unsignedService(r, body)
	}
	e, err := s.identify(r, body, scope)
	if err != nil { // no such service, or operation
		a := newAnswer()
		e.refuse(a, err)
		e.call.Status, e.call.ErrorCode = a.status, a.errorCode()
		s.records.add(*e.call)
		a.copyTo(w)
		return
	}
	s.answer(w, e)
}

// readBody reads the whole request, unpacked when it is compressed, except for
// S3, which keeps what it is given.
func readBody(r *http.Request, unpack bool) ([]byte, error) {
	in := io.Reader(r.Body)
	if unpack && r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, fmt.Errorf("unpack the request: %w", err)
		}
		in = unpacked
		r.Header.Del("Content-Encoding")
	}
	var out bytes.Buffer
	if _, err := io.Copy(&out, io.LimitReader(in, largestBody+1)); err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	if out.Len() > largestBody {
		return nil, fmt.Errorf("the request is over %d bytes", largestBody)
	}
	return out.Bytes(), nil
}

// identify finds actor, account, service and operation of a call in a scope.
func (s *Sandbox) identify(r *http.Request, body []byte, scope wire.Scope) (exchange, error) {
	actor := s.ids.Of(scope.AccessKey)
	e := exchange{request: r, body: body, call: &wire.Call{
		ID: wire.NewID(), At: s.clock.Now(), Service: scope.Service,
		Region: scope.Region, Account: s.ids.AccountOf(actor), Actor: actor, UserAgent: r.UserAgent(),
	}}
	if e.call.Service == "iam" { // one global endpoint, whatever region signed
		e.call.Region = "us-east-1"
	}
	st, err := s.site(place{account: e.call.Account, region: scope.Region})
	if err != nil {
		return e, err
	}
	e.site, e.service = st, st.services[scope.Service]
	if e.service == nil {
		e.call.Operation = wire.OperationOf(wire.ProtocolOf(scope.Service, r), r, body)
		return e, &wire.Error{Status: 404, Code: "UnknownOperationException", Message: "the sandbox has no service " + scope.Service}
	}
	e.call.Operation = e.service.Operation(r, body)
	if e.call.Operation == "" {
		e.call.Operation = wire.OperationOf(wire.ProtocolOf(scope.Service, r), r, body)
		return e, wire.Unknown(e.call.Operation)
	}
	e.call.ReadOnly = wire.ReadOnly(e.call.Operation)
	return e, nil
}

// targets are the services of X-Amz-Target prefixes.
var targets = map[string]string{
	"AmazonSQS": "sqs", "secretsmanager": "secretsmanager", "AmazonSSM": "ssm", "AWSEvents": "events",
	"ResourceGroupsTaggingAPI_20170126": "tagging", "GraniteServiceVersion20100801": "monitoring",
	"Logs_20140328": "logs", "AWSStepFunctions": "states",
	"DynamoDB_20120810": "dynamodb", "DynamoDBStreams_20120810": "dynamodb", "Kinesis_20131202": "kinesis",
	"CloudTrail_20131101": "cloudtrail",
	"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101": "cloudtrail",
}

// unsignedService finds the service of a request nobody signed.
func unsignedService(r *http.Request, body []byte) string {
	target := r.Header.Get("X-Amz-Target")
	if i := strings.LastIndexByte(target, '.'); i > 0 {
		if name, ok := targets[target[:i]]; ok {
			return name
		}
	}
	switch {
	case strings.HasPrefix(r.URL.Path, "/service/GraniteServiceVersion20100801/"):
		return "monitoring"
	case lambdaPath(r.URL.Path):
		return "lambda"
	case bytes.Contains(body, []byte("Version=2010-05-08")):
		return "iam"
	case bytes.Contains(body, []byte("Version=2011-06-15")):
		return "sts"
	case bytes.Contains(body, []byte("Version=2010-08-01")):
		return "monitoring"
	case bytes.Contains(body, []byte("Version=2010-03-31")):
		return "sns"
	}
	if label, _, dotted := strings.Cut(r.Host, "."); dotted {
		for _, name := range targets {
			if label == name {
				return name
			}
		}
	}
	return "s3"
}

// lambdaPath is true for the dated paths of Lambda's API.
func lambdaPath(path string) bool {
	date, rest, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok {
		return false
	}
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		return false
	}
	for _, noun := range [...]string{"functions", "event-source-mappings", "layers", "tags", "account-settings", "code-signing-configs"} {
		if strings.HasPrefix(rest, noun) {
			return true
		}
	}
	return false
}

// answer runs an identified call and records it.
func (s *Sandbox) answer(w http.ResponseWriter, e exchange) {
	started := time.Now()
	a := newAnswer()
	c := *e.call
	effect := Effect{}
	if refusal := s.room(e); refusal != nil {
		c.Fault = fault.Rate
		e.refuse(a, refusal)
	} else if refusal := s.forbidden(e); refusal != nil {
		e.refuse(a, refusal)
	} else {
		effect = s.Faults.Meet(e.call, func() map[string]any { return paramsOf(e) })
		pause(e.request.Context(), effect.Latency)
		c = s.run(a, e, effect)
		c.Fault = effect.Kind()
	}
	c.Status, c.ErrorCode = a.status, a.errorCode()
	c.Duration = time.Since(started)
	s.record(c)
	if effect.Drop {
		panic(http.ErrAbortHandler) // net/http's own way to cut a connection
	}
	a.copyTo(w)
}

// room is the refusal when the call's lane is full.
func (s *Sandbox) room(e exchange) *wire.Error {
	ln, ok := quota.Of(e.call.Service, e.call.Operation)
	if !ok {
		return nil
	}
	if s.lanes.Take(e.site.account, e.site.region, ln) {
		return nil
	}
	return quota.Refusal(e.call.Service)
}

// run answers a call under the effect it met.
func (s *Sandbox) run(a *answer, e exchange, effect Effect) wire.Call {
	switch {
	case effect.Throttle:
		e.refuse(a, quota.Refusal(e.call.Service))
		return *e.call
	case effect.Status != 0:
		e.refuse(a, injected(effect))
		return *e.call
	case e.call.ReadOnly:
		s.stale.remember(e.detached())
		if s.stale.answer(e, a) {
			return *e.call
		}
	case effect.Stale > 0:
		s.stale.freeze(e, effect.Stale)
	}
	c := e.serve(a)
	if effect.FailAfter {
		*a = *newAnswer()
		e.refuse(a, injected(Effect{Status: 500}))
	}
	return c
}

func injected(e Effect) *wire.Error {
	code := e.Code
	if code == "" {
		code = "InternalFailure"
		if e.Status < 500 {
			code = "AccessDeniedException"
		}
	}
	return &wire.Error{Status: e.Status, Code: code, Message: "a fault of the sandbox"}
}

// record keeps the call, and lets the trail know.
func (s *Sandbox) record(c wire.Call) {
	s.records.add(c)
	if c.Fault == fault.FailAfter || c.Fault == fault.Drop { // it happened all the same
		c.ErrorCode, c.Status = "", http.StatusOK
	}
	s.audit(c)
}
