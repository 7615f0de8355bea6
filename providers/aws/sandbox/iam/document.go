package iam

import (
	"encoding/json"
	"slices"
	"strings"

	"mooring.dev/providers/aws/sandbox/wire"
)

// document is a policy document, as far as it is judged here.
type document struct {
	Statement listOf[statement]
}

type statement struct {
	Effect    string
	Action    listOf[string]
	NotAction listOf[string]
	Resource  listOf[string]
	Principal principal
	Condition map[string]map[string]listOf[string]
}

// listOf is IAM's "one or many".
type listOf[T any] []T

// UnmarshalJSON takes one value or a list of them.
func (l *listOf[T]) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '[' {
		return json.Unmarshal(raw, (*[]T)(l))
	}
	var one T
	if err := json.Unmarshal(raw, &one); err != nil {
		return err
	}
	*l = []T{one}
	return nil
}

// principal is who a statement is about, by kind (AWS, Service); "*" is
// everybody.
type principal map[string]listOf[string]

// UnmarshalJSON takes "*" or an object.
func (p *principal) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		var who string
		if err := json.Unmarshal(raw, &who); err != nil {
			return err
		}
		*p = principal{"AWS": {who}}
		return nil
	}
	return json.Unmarshal(raw, (*map[string]listOf[string])(p))
}

func parseDocument(text string) (document, error) {
	var d document
	if err := json.Unmarshal([]byte(text), &d); err != nil || len(d.Statement) == 0 {
		return document{}, fail(400, "MalformedPolicyDocument", "The policy document is not valid JSON with a Statement.")
	}
	for _, s := range d.Statement {
		if s.Effect != "Allow" && s.Effect != "Deny" {
			return document{}, fail(400, "MalformedPolicyDocument", "A statement's Effect is Allow or Deny.")
		}
		if len(s.Action) == 0 && len(s.NotAction) == 0 {
			return document{}, fail(400, "MalformedPolicyDocument", "A statement needs an Action.")
		}
	}
	return d, nil
}

// covers is true when the statement is about an action.
func (s statement) covers(action string) bool {
	hit := func(pattern string) bool { return wire.Glob(strings.ToLower(pattern), strings.ToLower(action)) }
	if len(s.NotAction) > 0 {
		return !slices.ContainsFunc(s.NotAction, hit)
	}
	return slices.ContainsFunc(s.Action, hit)
}

// caller is who asks to assume a role.
type caller struct {
	service    string // lambda.amazonaws.com, for a service
	arn        string // else the caller's
	role       string // the ARN of the role behind a session
	account    string
	externalID string
	tags       map[string]string // of the session asked for
}

// admits tells whether a trust policy lets the caller assume its role, and tag
// the session if it wants to.
func (d document) admits(c caller) bool {
	return d.lets(c, "sts:AssumeRole") && (len(c.tags) == 0 || d.lets(c, "sts:TagSession"))
}

func (d document) lets(c caller, action string) bool {
	allowed := false
	for _, s := range d.Statement {
		if !s.covers(action) || !s.Principal.includes(c) || !s.conditionsHold(c) {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		allowed = true
	}
	return allowed
}

func (p principal) includes(c caller) bool {
	if c.service != "" {
		return slices.Contains(p["Service"], c.service)
	}
	return slices.ContainsFunc(p["AWS"], func(who string) bool {
		switch who {
		case "*", c.account, "arn:aws:iam::" + c.account + ":root", c.arn:
			return true
		default:
			return who == c.role && c.role != ""
		}
	})
}

// conditionsHold judges what is known of a caller: its external id and the
// tags of the session. A service states its source account and ARN truly, and
// has no external id.
func (s statement) conditionsHold(c caller) bool {
	if c.service != "" {
		for _, keys := range s.Condition {
			for key := range keys {
				if strings.EqualFold(key, "sts:ExternalId") {
					return false
				}
			}
		}
		return true
	}
	known := map[string]string{}
	if c.externalID != "" {
		known["sts:externalid"] = c.externalID
	}
	for name, value := range c.tags {
		known["aws:requesttag/"+strings.ToLower(name)] = value
	}
	return s.met(known)
}

// Exists tells whether there is a role of that ARN.
func (s *Service) Exists(arn string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byARN(arn) != nil
}

func (s *Service) byARN(arn string) *role {
	if r := s.roles[policyName(arn)]; r != nil && r.Arn == arn {
		return r
	}
	return nil
}

// AssumableBy tells whether a service may assume the role.
func (s *Service) AssumableBy(arn, service string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.byARN(arn)
	if r == nil {
		return false
	}
	d, err := parseDocument(r.trust)
	return err == nil && d.admits(caller{service: service})
}

// Allows tells whether the role's policies allow an action on anything, and
// none denies it. Resources and conditions are not judged.
func (s *Service) Allows(arn, action string) bool {
	return s.judge(arn, func(st statement) bool {
		return st.covers(action) && (st.Effect == "Allow" || len(st.Condition) == 0)
	})
}

// Permits tells whether a resource policy lets a service do something for a
// source (an ARN; a bucket's with its account). Of the conditions, those on the source are judged.
func Permits(policy []byte, service, action, source string) bool {
	var d document
	if json.Unmarshal(policy, &d) != nil {
		return false
	}
	allowed := false
	for _, s := range d.Statement {
		everyone := slices.Contains(s.Principal["AWS"], "*")
		if !s.covers(action) || !everyone && !slices.Contains(s.Principal["Service"], service) || !s.about(source) {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		allowed = true
	}
	return allowed
}

// about is true when the statement's conditions name the source, or its
// account, or nothing.
func (s statement) about(source string) bool {
	account := ""
	if parts := strings.SplitN(source, ":", 6); len(parts) == 6 {
		account = parts[4]
		if parts[2] == "s3" { // a bucket's own ARN names no account
			source = "arn:" + parts[1] + ":s3:::" + parts[5]
		}
	}
	have := map[string]string{"aws:sourcearn": source, "aws:sourceaccount": account}
	for _, keys := range s.Condition {
		for key, values := range keys {
			if !slices.ContainsFunc(values, func(want string) bool { return wire.Glob(want, have[strings.ToLower(key)]) }) {
				return false
			}
		}
	}
	return true
}
