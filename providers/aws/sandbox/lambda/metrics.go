package lambda

import (
	"time"

	"mooring.dev/providers/aws/sandbox/lambda/runtime"
)

const namespace = "AWS/Lambda"

// dimensions are the views of one invocation: the function, what was called,
// and for an alias the version that ran: the pair a canary is judged by.
func (t *target) dimensions() []map[string]string {
	resource := t.function
	if t.qualifier != "" {
		resource += ":" + t.qualifier
	}
	out := []map[string]string{{"FunctionName": t.function}, {"FunctionName": t.function, "Resource": resource}}
	if t.alias {
		out = append(out, map[string]string{"FunctionName": t.function, "Resource": resource, "ExecutedVersion": t.version})
	}
	return out
}

// put publishes one value in every view. The time is the start of the
// invocation, as on AWS: a long one shows late in an old minute.
func (s *Service) put(t *target, metric string, value float64) {
	if s.opts.Metrics == nil {
		return
	}
	at := t.started
	if s.opts.Period > 0 {
		at = at.Truncate(s.opts.Period)
	}
	for _, dims := range t.dimensions() {
		s.opts.Metrics.Put(namespace, metric, dims, at, value)
	}
}

// publishInvocation: what is throttled is not seen here, since throttles are
// neither invocations nor errors.
func (s *Service) publishInvocation(t *target, r runtime.Result) {
	failed := 0.0
	if r.Error != "" {
		failed = 1
	}
	s.put(t, "Invocations", 1)
	s.put(t, "Errors", failed)
	s.put(t, "Throttles", 0)
	s.put(t, "Duration", float64(r.Duration)/float64(time.Millisecond))
}
