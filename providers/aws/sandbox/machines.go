package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/states"
	"mooring.dev/providers/aws/sandbox/wire"
)

// newMachines makes a site's Step Functions, with what its executions reach.
func (s *Sandbox) newMachines(st *site) *states.Service {
	roles := rolesFor{s}
	return states.New(states.Options{
		Now: s.clock.Now, Account: st.account, Region: st.region, Period: s.options.Period, Deleting: s.quiet(),
		Neighbours: states.Neighbours{
			Invoke: s.invokeAndWait,
			Send: func(ctx context.Context, url, body string) (string, error) {
				name := url[strings.LastIndexByte(url, '/')+1:]
				return wire.NewID(), queuesFor{s}.Send(ctx, "arn:aws:sqs:"+st.region+":"+st.account+":"+name, body)
			},
			Assumable: func(role string) bool { return roles.AssumableBy(role, "states.amazonaws.com") },
			Allows:    roles.Allows,
			Put: func(namespace, metric string, dimensions map[string]string, at time.Time, value float64) {
				st.metrics.Put(namespace, metric, dimensions, at, value)
			},
		},
	})
}

// invokeAndWait calls a function wherever it is, as Step Functions does.
func (s *Sandbox) invokeAndWait(ctx context.Context, arn string, payload []byte) (response []byte, failed string, err error) {
	st, err := s.siteOf(arn, "lambda")
	if err != nil {
		return nil, "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/2015-03-31/functions/"+url.PathEscape(arn)+"/invocations", nil)
	if err != nil {
		return nil, "", fmt.Errorf("invoke %s: %w", arn, err)
	}
	a := newAnswer()
	st.functions.Serve(a, r, payload, &wire.Call{
		ID: wire.NewID(), Service: "lambda", Operation: "Invoke", Account: st.account, Region: st.region,
		Actor: wire.Actor{Type: "AWSService", Name: "states.amazonaws.com"},
	})
	if a.status >= 300 {
		return nil, "", fmt.Errorf("invoke %s: %s", arn, a.errorCode())
	}
	return a.body.Bytes(), a.header.Get("X-Amz-Function-Error"), nil
}
