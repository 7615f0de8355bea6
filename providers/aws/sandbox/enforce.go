package sandbox

import (
	"net/url"
	"strings"

	"mooring.dev/providers/aws/sandbox/authz"
	"mooring.dev/providers/aws/sandbox/wire"
)

// EnforcePolicies holds the sessions of roles to what the roles' policies
// allow, resources and conditions judged. Users, and sessions of roles that
// are not there, stay free.
func (s *Sandbox) EnforcePolicies(on bool) { s.enforced.Store(on) }

// forbidden is the refusal when a role's policies do not allow a call.
func (s *Sandbox) forbidden(e exchange) *wire.Error {
	if !s.enforced.Load() {
		return nil
	}
	name, session := strings.CutPrefix(e.call.Actor.Name, "assumed-role/")
	name, _, _ = strings.Cut(name, "/")
	roles := s.rolesOf(e.call.Account)
	if !session || roles == nil {
		return nil
	}
	arn, _, ok := roles.RoleOf(name)
	if !ok {
		return nil
	}
	for _, ask := range authz.Asks(s.judged(e)) {
		if !roles.May(arn, ask) {
			return denial(e, ask.Action, ask.Resource)
		}
	}
	return nil
}

// judged is a call as authorisation looks at it.
func (s *Sandbox) judged(e exchange) authz.Call {
	path, err := url.PathUnescape(e.request.URL.EscapedPath())
	if err != nil {
		path = e.request.URL.Path
	}
	return authz.Call{
		Service: e.call.Service, Operation: e.call.Operation, Region: e.site.region, Account: e.call.Account,
		Method: e.request.Method, Path: path, Params: paramsOf(e),
		Role: s.rolesOf(e.call.Account).RoleOf, Mapped: e.site.functions.MappedTo,
	}
}

// denial is a refusal as AWS words it.
func denial(e exchange, action, resource string) *wire.Error {
	code := "AccessDeniedException"
	switch e.call.Service {
	case "iam", "sts", "s3", "monitoring", "sqs":
		code = "AccessDenied"
	case "sns":
		code = "AuthorizationError"
	}
	text := "User: " + e.call.Actor.ARN + " is not authorized to perform: " + action
	if resource != "*" {
		text += " on resource: " + resource
	}
	return &wire.Error{Status: 403, Code: code, Message: text + " because no identity-based policy allows the " + action + " action"}
}
