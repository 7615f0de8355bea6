package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"time"

	"mooring.dev/providers/aws/sandbox/lambda/runtime"
)

const (
	syncPayloadLimit  = 6291456
	asyncPayloadLimit = 1048576
)

// target is what one event goes to, settled under the mutex: which version an
// alias chose, and a state of its code that no update can change.
type target struct {
	function  string
	qualifier string // as it was called
	alias     bool
	version   string
	run       *runtime.Function
	settings  settings
	code      *bundle
	layers    []*bundle
	started   time.Time
}

// enter chooses the version, checks that it may run and takes its place in the
// concurrency limits; leave gives the place back.
func (s *Service) enter(ref reference) (*target, error) {
	t, busy, err := s.take(ref)
	switch {
	case err == nil:
		s.put(t, "ConcurrentExecutions", float64(busy))
	case t != nil: // it was there, but there was no room
		s.put(t, "Throttles", 1)
		t = nil
	}
	return t, err
}

// take is enter without its metrics, which must not be published under the
// mutex. A target that comes with an error was throttled.
func (s *Service) take(ref reference) (t *target, busy int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, v, err := s.aim(ref)
	if err != nil {
		return nil, 0, err
	}
	if err := s.admit(t.function); err != nil {
		return t, 0, err
	}
	if err := s.equip(t, v); err != nil {
		return nil, 0, err
	}
	s.inflight[t.function]++
	return t, s.inflight[t.function], nil
}

func (s *Service) leave(t *target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inflight[t.function]--; s.inflight[t.function] <= 0 {
		delete(s.inflight, t.function)
	}
}

// aim resolves a reference to the version that takes this event.
func (s *Service) aim(ref reference) (*target, *version, error) {
	f := s.functions[ref.name]
	if f == nil {
		return nil, nil, notFound("Function not found: %s", s.qualifiedARN(ref.name, ref.qualifier))
	}
	now := s.opts.Now()
	t := &target{function: f.name, qualifier: ref.qualifier, started: now}
	name := ref.qualifier
	if a := f.aliases[name]; a != nil {
		t.alias, name = true, s.choose(a, now)
	}
	v, err := s.version(f, name)
	if err != nil {
		return nil, nil, notFound("Function not found: %s", s.qualifiedARN(ref.name, ref.qualifier))
	}
	if now.Before(v.activeAt) {
		return nil, nil, conflict("The operation cannot be performed at this time. The function is currently in the following state: Pending")
	}
	if v == f.latest && f.before != nil && now.Before(v.updatedAt) {
		v = f.before // the update is not through: the old state serves
	}
	t.version = v.number
	return t, v, nil
}

// choose draws the version of an alias by its weights.
func (s *Service) choose(a *alias, now time.Time) string {
	for extra, weight := range a.shares(now) {
		if s.opts.Rand() < weight {
			return extra
		}
	}
	return a.version
}

// admit holds an event against the concurrency limits.
func (s *Service) admit(name string) error {
	if f := s.functions[name]; f.reserved != nil {
		if s.inflight[name] >= *f.reserved {
			return throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
		}
		return nil
	}
	busy := 0
	for name, n := range s.inflight {
		if other := s.functions[name]; other == nil || other.reserved == nil {
			busy += n
		}
	}
	if busy >= s.unreserved("") {
		return throttled("ConcurrentInvocationLimitExceeded")
	}
	return nil
}

// equip gives the target what the runtime host needs, but the folders of its
// code: those place finds, without the mutex.
func (s *Service) equip(t *target, v *version) error {
	if v.PackageType == "Image" {
		return fault(http.StatusBadGateway, "InvalidRuntimeException", "The sandbox does not run container images.")
	}
	f := s.functions[t.function]
	if f.log == nil {
		f.log = &runtime.Log{}
	}
	t.settings, t.code = v.settings, s.code[v.Code.Hex]
	for _, arn := range v.Layers {
		if l := s.ofLayer(arn); l != nil {
			t.layers = append(t.layers, s.code[l.code.Hex])
		}
	}
	group := s.qualifiedARN(f.name, v.number)
	t.run = &runtime.Function{Group: group, Key: group + "#" + strconv.FormatUint(v.change, 10), Name: f.name, Version: v.number, ARN: group,
		Runtime: v.Runtime, Handler: v.Handler, Memory: v.MemorySize, Timeout: time.Duration(v.Timeout) * time.Second, Log: f.log}
	return nil
}

// place does what needs no mutex: it unzips what was not unzipped yet, and asks
// for credentials.
func (s *Service) place(t *target) error {
	t.run.Variables = s.variables(t.function, t.settings)
	var err error
	if t.run.TaskRoot, err = s.unzipped(t.code); err != nil {
		return fault(http.StatusBadGateway, "InvalidZipFileException", "%v", err)
	}
	for _, l := range t.layers {
		root, err := s.unzipped(l)
		if err != nil {
			return fault(http.StatusBadGateway, "InvalidZipFileException", "%v", err)
		}
		t.run.Layers = append(t.run.Layers, root)
	}
	return nil
}

func (s *Service) variables(function string, c settings) map[string]string {
	out := map[string]string{}
	if c.Environment != nil {
		maps.Copy(out, c.Environment.Variables)
	}
	keys := s.opts.Credentials(c.Role, function)
	out["AWS_ACCESS_KEY_ID"], out["AWS_SECRET_ACCESS_KEY"], out["AWS_SESSION_TOKEN"] = keys.AccessKey, keys.SecretKey, keys.SessionToken
	out["AWS_REGION"], out["AWS_DEFAULT_REGION"] = s.opts.Region, s.opts.Region
	out["AWS_LAMBDA_LOG_GROUP_NAME"] = c.Logging.LogGroup
	if url := s.opts.PublicURL(); url != "" && out["AWS_ENDPOINT_URL"] == "" {
		out["AWS_ENDPOINT_URL"] = url
	}
	return out
}

// retire ends warm processes of a version that is gone. The caller holds s.mu.
func (s *Service) retire(f *function, v *version) {
	s.host.Retire(s.qualifiedARN(f.name, v.number))
}

// Logs are the newest lines that a function's processes wrote, oldest first;
// nil for a function that does not exist or never ran.
func (s *Service) Logs(name string) []runtime.Line {
	s.mu.Lock()
	f := s.functions[name]
	var log *runtime.Log
	if f != nil {
		log = f.log
	}
	s.mu.Unlock()
	return log.Lines()
}

// call runs one event and publishes its metrics. An error is a refusal, or the
// end of the service; what goes wrong with the function is in the result.
func (s *Service) call(ref reference, in runtime.Invocation) (*target, runtime.Result, error) {
	t, err := s.enter(ref)
	if err != nil {
		return nil, runtime.Result{}, err
	}
	defer s.leave(t)
	if err := s.place(t); err != nil {
		return nil, runtime.Result{}, err
	}
	in.ARN = s.qualifiedARN(t.function, t.qualifier)
	result, err := s.host.Invoke(s.ctx, t.run, in)
	if err != nil {
		return nil, result, err
	}
	s.publishInvocation(t, result)
	return t, result, nil
}

func (s *Service) invokeCall(q *request) (reply, error) {
	ref, err := s.parseReference(q.path["FunctionName"], q.query.Get("Qualifier"))
	if err != nil {
		return reply{}, err
	}
	kind := q.header.Get("X-Amz-Invocation-Type")
	if err := checkPayload(q.body, kind); err != nil {
		return reply{}, err
	}
	switch kind {
	case "", "RequestResponse":
		return s.invokeSync(q, ref)
	case "Event":
		return s.invokeEvent(q, ref)
	case "DryRun":
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, _, err := s.aim(ref); err != nil {
			return reply{}, err
		}
		return noContent()
	}
	return reply{}, constraint(kind, "invocationType", "Member must satisfy enum value set: [Event, RequestResponse, DryRun]")
}

func checkPayload(body []byte, kind string) error {
	limit := syncPayloadLimit
	if kind == "Event" {
		limit = asyncPayloadLimit
	}
	if len(body) > limit {
		return fault(http.StatusRequestEntityTooLarge, "RequestTooLargeException", "%d byte payload is too large for the %s invocation type (limit %d bytes)", len(body), kind, limit)
	}
	if len(body) > 0 && !json.Valid(body) {
		return fault(http.StatusBadRequest, "InvalidRequestContentException", "Could not parse request body into json: Could not parse payload into json")
	}
	return nil
}

func (s *Service) invokeSync(q *request, ref reference) (reply, error) {
	context, err := base64.StdEncoding.DecodeString(q.header.Get("X-Amz-Client-Context"))
	if err != nil || len(context) > 0 && !json.Valid(context) {
		return reply{}, fault(http.StatusBadRequest, "InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object.")
	}
	tail := q.header.Get("X-Amz-Log-Type") == "Tail"
	t, result, err := s.call(ref, runtime.Invocation{ID: s.requestID(q), Payload: payload(q.body), ClientContext: string(context), Tail: tail})
	if err != nil {
		return reply{}, closing(err)
	}
	out := reply{status: http.StatusOK, raw: result.Payload, header: map[string]string{"X-Amz-Executed-Version": t.version}}
	if out.raw == nil {
		out.raw = []byte{}
	}
	if result.Error != "" {
		out.header["X-Amz-Function-Error"] = result.Error
	}
	if tail {
		out.header["X-Amz-Log-Result"] = base64.StdEncoding.EncodeToString(result.Tail)
	}
	return out, nil
}

// requestID is the call's own id, so that logs and records agree.
func (s *Service) requestID(q *request) string {
	if q.call.ID != "" {
		return q.call.ID
	}
	return newID()
}

// payload is the event; none at all is an empty object.
func payload(body []byte) []byte {
	if len(body) == 0 {
		return []byte("{}")
	}
	return body
}

// closing words the end of the service as AWS words its own failures.
func closing(err error) error {
	if errors.Is(err, runtime.ErrClosed) || errors.Is(err, context.Canceled) {
		e := fault(http.StatusServiceUnavailable, "ServiceException", "The sandbox is closing.")
		e.Members["Type"] = "Service"
		return e
	}
	return err
}
