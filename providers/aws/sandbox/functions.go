package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/actor"
	"mooring.dev/providers/aws/sandbox/apigateway"
	"mooring.dev/providers/aws/sandbox/iam"
	"mooring.dev/providers/aws/sandbox/lambda"
	"mooring.dev/providers/aws/sandbox/logs"
	"mooring.dev/providers/aws/sandbox/sqs"
	"mooring.dev/providers/aws/sandbox/stream"
	"mooring.dev/providers/aws/sandbox/wire"
)

// What Lambda needs of its neighbours, wherever they live.

// queuesFor finds queues by ARN, of other accounts and regions too.
type queuesFor struct{ sandbox *Sandbox }

func (q queuesFor) at(arn string) (*sqs.Service, error) {
	st, err := q.sandbox.siteOf(arn, "sqs")
	if err != nil {
		return nil, err
	}
	return st.queues, nil
}

func (q queuesFor) Receive(ctx context.Context, arn string, limit int, visibility, wait time.Duration) ([]lambda.Message, error) {
	queues, err := q.at(arn)
	if err != nil {
		return nil, err
	}
	received, err := queues.Receive(ctx, arn, sqs.Request{Max: limit, Visibility: visibility, Wait: wait})
	var out []lambda.Message
	for _, m := range received {
		out = append(out, lambda.Message{
			ID: m.MessageId, Receipt: m.ReceiptHandle, Body: m.Body, MD5: m.MD5OfBody,
			Attributes: m.Attributes, MessageAttributes: attributesOf(m),
		})
	}
	return out, err
}

func attributesOf(m sqs.Message) map[string]lambda.MessageAttribute {
	out := map[string]lambda.MessageAttribute{}
	for name, a := range m.MessageAttributes {
		binary, _ := wire.Plain(a.BinaryValue).(string)
		out[name] = lambda.MessageAttribute{StringValue: a.StringValue, BinaryValue: binary, DataType: a.DataType}
	}
	return out
}

func (q queuesFor) Delete(_ context.Context, arn string, receipts []string) error {
	queues, err := q.at(arn)
	if err != nil {
		return err
	}
	return queues.Delete(arn, receipts)
}

func (q queuesFor) Send(_ context.Context, arn, body string) error {
	queues, err := q.at(arn)
	if err != nil {
		return err
	}
	return queues.Send(arn, body)
}

func (q queuesFor) Exists(arn string) bool {
	queues, err := q.at(arn)
	return err == nil && queues.Exists(arn)
}

func (q queuesFor) VisibilityTimeout(arn string) (time.Duration, bool) {
	queues, err := q.at(arn)
	if err != nil {
		return 0, false
	}
	return queues.VisibilityTimeout(arn)
}

// streamsFor finds the streams of tables and of Kinesis, in all accounts.
type streamsFor struct{ sandbox *Sandbox }

func (f streamsFor) Stream(arn string) *stream.Log {
	if st, err := f.sandbox.siteOf(arn, "dynamodb"); err == nil {
		return st.tables.Stream(arn)
	}
	if st, err := f.sandbox.siteOf(arn, "kinesis"); err == nil {
		return st.streams.Stream(arn)
	}
	return nil
}

// rolesFor answers for the roles of every account.
type rolesFor struct{ sandbox *Sandbox }

func (r rolesFor) Exists(arn string) bool {
	roles := r.sandbox.rolesOf(accountIn(arn))
	return roles != nil && roles.Exists(arn)
}

func (r rolesFor) AssumableBy(arn, service string) bool {
	roles := r.sandbox.rolesOf(accountIn(arn))
	return roles != nil && roles.AssumableBy(arn, service)
}

func (r rolesFor) Allows(arn, action string) bool {
	roles := r.sandbox.rolesOf(accountIn(arn))
	return roles != nil && roles.Allows(arn, action)
}

func accountIn(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}

// siteOf is where a resource of a service lives, by its ARN.
func (s *Sandbox) siteOf(arn, service string) (*site, error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[2] != service || !actor.IsAccount(parts[4]) {
		return nil, fmt.Errorf("%q is no ARN of %s", arn, service)
	}
	return s.site(place{account: parts[4], region: parts[3]})
}

// newFunctions makes a site's Lambda.
func (s *Sandbox) newFunctions(st *site, dir string) (*lambda.Service, error) {
	return lambda.New(lambda.Options{
		Now: s.clock.Now, Account: st.account, Region: st.region, DataDir: dir, PublicURL: s.URL,
		Updating: s.options.Updating, Period: s.options.Period,
		Metrics: st.metrics, Queues: queuesFor{s}, Streams: streamsFor{s}, Objects: s.objects, Roles: rolesFor{s}, Outside: s.Outside,
		Credentials: s.functionCredentials,
	})
}

// functionCredentials are a function's own: its calls show as its role's, with
// the function as the session.
func (s *Sandbox) functionCredentials(roleARN, function string) lambda.Credentials {
	role := roleARN[strings.LastIndexByte(roleARN, '/')+1:]
	key := "ASIA-" + accountIn(roleARN) + "-" + role + "-" + function
	name := "assumed-role/" + role + "/" + function
	s.ids.Register(key, wire.Actor{Type: "AssumedRole", Name: name, ARN: "arn:aws:sts::" + accountIn(roleARN) + ":" + name})
	return lambda.Credentials{AccessKey: key, SecretKey: "sandbox", SessionToken: "sandbox"}
}

// serveFunctionURL lets the account and region that has the function URL, or
// the code, answer.
func (s *Sandbox) serveFunctionURL(w http.ResponseWriter, r *http.Request) bool {
	var refusal *answer
	for _, st := range s.all() {
		a := newAnswer()
		if !st.functions.HandleURL(a, r) {
			continue
		}
		if a.status == http.StatusNotFound && !functionsOwn(a) {
			refusal = a
			continue
		}
		a.copyTo(w)
		return true
	}
	if refusal != nil {
		refusal.copyTo(w)
		return true
	}
	return false
}

// functionsOwn tells a function's own 404 from Lambda's "there is no such URL".
func functionsOwn(a *answer) bool {
	return a.header.Get("X-Amzn-Requestid") != "" && a.header.Get("X-Amzn-Errortype") == ""
}

// lets asks a function's resource policy whether a service may invoke it for a
// source.
func (st *site) lets(service, function, source string) bool {
	name, qualifier, _ := strings.Cut(function[strings.LastIndex(function, ":function:")+len(":function:"):], ":")
	path := "/2015-03-31/functions/" + url.PathEscape(name) + "/policy"
	if qualifier != "" {
		path += "?Qualifier=" + url.QueryEscape(qualifier)
	}
	var held struct{ Policy string }
	if st.ask(path, &held) != nil { // there is none
		return false
	}
	return iam.Permits([]byte(held.Policy), service, "lambda:InvokeFunction", source)
}

// mayInvoke asks the function anywhere whose ARN it is.
func (s *Sandbox) mayInvoke(service, source, function string) bool {
	st, err := s.siteOf(function, "lambda")
	return err == nil && st.lets(service, function, source)
}

// calling makes calls of functions anywhere for a service that waits for the
// answer.
func (s *Sandbox) calling(service string) func(context.Context, string, string, []byte) ([]byte, bool, error) {
	return func(ctx context.Context, function, source string, payload []byte) ([]byte, bool, error) {
		if !s.mayInvoke(service, source, function) {
			return nil, false, fmt.Errorf("the policy of %s does not let %s invoke it", function, source)
		}
		st, err := s.siteOf(function, "lambda")
		if err != nil {
			return nil, false, err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/2015-03-31/functions/"+url.PathEscape(function)+"/invocations", nil)
		if err != nil {
			return nil, false, fmt.Errorf("invoke %s: %w", function, err)
		}
		a := newAnswer()
		st.functions.Serve(a, r, payload, &wire.Call{ID: wire.NewID(), Service: "lambda", Operation: "Invoke", Account: st.account, Region: st.region,
			Actor: wire.Actor{Type: "AWSService", Name: service}})
		if a.status >= 300 {
			return nil, false, fmt.Errorf("invoke %s: %s", function, a.errorCode())
		}
		return a.body.Bytes(), a.header.Get("X-Amz-Function-Error") != "", nil
	}
}

// serveAPI lets the account and region that has the HTTP API answer.
func (s *Sandbox) serveAPI(w http.ResponseWriter, r *http.Request) bool {
	if !apigateway.Addressed(r) {
		return false
	}
	for _, st := range s.all() {
		a := newAnswer()
		if st.apis.Handle(a, r) {
			a.copyTo(w)
			return true
		}
	}
	http.Error(w, `{"message":"Not Found"}`, http.StatusNotFound)
	return true
}

// invoke calls a function of the site asynchronously, for a service.
func (st *site) invoke(ctx context.Context, service, arn string, payload []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/2015-03-31/functions/"+url.PathEscape(arn)+"/invocations", nil)
	if err != nil {
		return fmt.Errorf("invoke %s: %w", arn, err)
	}
	r.Header.Set("X-Amz-Invocation-Type", "Event")
	a := newAnswer()
	c := &wire.Call{ID: wire.NewID(), Service: "lambda", Operation: "Invoke", Account: st.account, Region: st.region,
		Actor: wire.Actor{Type: "AWSService", Name: service}}
	st.functions.Serve(a, r, payload, c)
	if a.status >= 300 {
		return fmt.Errorf("invoke %s: %s", arn, a.errorCode())
	}
	return nil
}

// ask runs a reading Lambda operation and decodes its answer.
func (st *site) ask(path string, out any) error {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, path, nil)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	a := newAnswer()
	st.functions.Serve(a, r, nil, &wire.Call{ID: wire.NewID(), Service: "lambda", ReadOnly: true})
	if a.status >= 300 {
		return fmt.Errorf("read %s: %s", path, a.errorCode())
	}
	return json.Unmarshal(a.body.Bytes(), out)
}

// functionLines are the lines a function of the site wrote.
func (st *site) functionLines(name string) []logs.Line {
	var out []logs.Line
	for _, l := range st.functions.Logs(name) {
		out = append(out, logs.Line{At: l.At, Text: l.Text})
	}
	return out
}
