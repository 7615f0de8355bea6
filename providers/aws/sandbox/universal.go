package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"mooring.dev/providers/aws/sandbox/authz"
	"mooring.dev/providers/aws/sandbox/scheduler"
	"mooring.dev/providers/aws/sandbox/wire"
)

// universal makes the API call that a schedule's universal target names, as the
// schedule's role and where its policies allow it. Two calls are known: those
// that move an alias.
func (s *Sandbox) universal(ctx context.Context, d scheduler.Delivery) error {
	st, err := s.siteOf(d.Schedule, "scheduler")
	if err != nil {
		return err
	}
	e := exchange{site: st, call: &wire.Call{ID: wire.NewID(), At: s.clock.Now(), Region: st.region, Account: st.account, Actor: sessionOf(d), UserAgent: schedulerService}}
	switch strings.TrimPrefix(d.Target, scheduler.UniversalPrefix) {
	case "lambda:updateAlias":
		err = e.updateAlias(ctx, d.Payload)
	case "sfn:updateStateMachineAlias":
		err = e.updateMachineAlias(ctx, d.Payload)
	default:
		err = errors.New("the sandbox makes no such call")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", d.Target, err)
	}
	e.service = st.services[e.call.Service]
	return s.makeCall(e, d.Role)
}

const schedulerService = "scheduler.amazonaws.com"

// sessionOf is who a schedule calls as.
func sessionOf(d scheduler.Delivery) wire.Actor {
	name := "assumed-role/" + d.Role[strings.LastIndexByte(d.Role, '/')+1:] + "/" + wire.NewID()
	return wire.Actor{Type: "AssumedRole", Name: name, ARN: "arn:aws:sts::" + accountIn(d.Role) + ":" + name}
}

func (s *Sandbox) makeCall(e exchange, role string) error {
	a := newAnswer()
	var refusal *wire.Error
	for _, ask := range authz.Asks(s.judged(e)) {
		if roles := s.rolesOf(accountIn(role)); refusal == nil && (roles == nil || !roles.May(role, ask)) {
			refusal = denial(e, ask.Action, ask.Resource)
		}
	}
	c := *e.call
	if refusal != nil {
		e.refuse(a, refusal)
	} else {
		c = e.serve(a)
	}
	c.Status, c.ErrorCode = a.status, a.errorCode()
	s.record(c)
	if refusal != nil {
		return refusal
	}
	if a.status >= 300 {
		return fmt.Errorf("%s: %s", e.call.Operation, a.errorCode())
	}
	return nil
}

func (e *exchange) updateAlias(ctx context.Context, input []byte) error {
	var in struct {
		FunctionName, Name string
	}
	rest := map[string]json.RawMessage{}
	if err := errors.Join(json.Unmarshal(input, &in), json.Unmarshal(input, &rest)); err != nil {
		return err
	}
	delete(rest, "FunctionName")
	delete(rest, "Name")
	e.call.Service, e.call.Operation = "lambda", "UpdateAlias"
	path := "/2015-03-31/functions/" + url.PathEscape(in.FunctionName) + "/aliases/" + url.PathEscape(in.Name)
	return e.asks(ctx, http.MethodPut, path, rest)
}

// updateMachineAlias spells the members as Step Functions does: a universal
// target's are in PascalCase, whatever the service's own are.
func (e *exchange) updateMachineAlias(ctx context.Context, input []byte) error {
	var in struct {
		StateMachineAliasArn, Description string
		RoutingConfiguration              []struct {
			StateMachineVersionArn string `json:"StateMachineVersionArn"`
			Weight                 int
		}
	}
	if err := json.Unmarshal(input, &in); err != nil {
		return err
	}
	body := map[string]any{"stateMachineAliasArn": in.StateMachineAliasArn}
	if in.Description != "" {
		body["description"] = in.Description
	}
	var list []any
	for _, item := range in.RoutingConfiguration {
		list = append(list, map[string]any{"stateMachineVersionArn": item.StateMachineVersionArn, "weight": item.Weight})
	}
	if list != nil {
		body["routingConfiguration"] = list
	}
	e.call.Service, e.call.Operation = "states", "UpdateStateMachineAlias"
	if err := e.asks(ctx, http.MethodPost, "/", body); err != nil {
		return err
	}
	e.request.Header.Set("X-Amz-Target", "AWSStepFunctions."+e.call.Operation)
	e.request.Header.Set("Content-Type", "application/x-amz-json-1.0")
	return nil
}

func (e *exchange) asks(ctx context.Context, method, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	e.body = text
	e.request, err = http.NewRequestWithContext(ctx, method, path, bytes.NewReader(text))
	return err
}
