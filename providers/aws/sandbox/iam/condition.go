package iam

import (
	"slices"
	"strings"

	"mooring.dev/providers/aws/sandbox/wire"
)

// met judges a statement's conditions by what is known of a request, by key in
// small letters. What is not known meets no condition but a negated one, and
// an operator that is not judged here is not met.
func (s statement) met(known map[string]string) bool {
	for operator, keys := range s.Condition {
		for key, values := range keys {
			value, have := known[strings.ToLower(key)]
			if !holds(operator, values, value, have) {
				return false
			}
		}
	}
	return true
}

func holds(operator string, values []string, value string, have bool) bool {
	equal := have && slices.Contains(values, value)
	like := have && slices.ContainsFunc(values, func(pattern string) bool { return wire.Glob(pattern, value) })
	switch operator {
	case "StringEquals":
		return equal
	case "StringNotEquals":
		return !equal
	case "StringLike", "ArnLike", "ArnEquals":
		return like
	case "StringNotLike", "ArnNotLike", "ArnNotEquals":
		return !like
	}
	return false
}

// Ask is what a call needs: an action on a resource ("*" where there is none),
// and what is known of the request, by condition key in small letters.
type Ask struct {
	Action, Resource string
	Known            map[string]string
}

// May tells whether the policies of a role allow what is asked, resources and
// conditions judged. Where the role is not there, nothing is.
func (s *Service) May(arn string, ask Ask) bool {
	return s.judge(arn, func(st statement) bool {
		return st.covers(ask.Action) && st.on(ask.Resource) && st.met(ask.Known)
	})
}

// judge is what the policies of a role come to: a statement about the matter
// allows it, unless one denies it. Where the role is not there, nothing is
// allowed.
func (s *Service) judge(arn string, about func(statement) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.byARN(arn)
	if r == nil {
		return false
	}
	allowed := false
	for _, text := range s.documentsOf(r) {
		for _, st := range s.statements(text) {
			if !about(st) {
				continue
			}
			if st.Effect == "Deny" {
				return false
			}
			allowed = true
		}
	}
	return allowed
}

// manyDocuments is how many policies are remembered as read: each call of an
// enforcing sandbox is judged by the same few.
const manyDocuments = 256

// statements of a policy, none for one that cannot be read; the caller holds
// the lock.
func (s *Service) statements(text string) []statement {
	if known, ok := s.read[text]; ok {
		return known
	}
	d, err := parseDocument(text)
	if err != nil {
		return nil
	}
	if s.read == nil || len(s.read) >= manyDocuments {
		s.read = map[string][]statement{}
	}
	s.read[text] = d.Statement
	return d.Statement
}

// on is true when the statement is about a resource.
func (s statement) on(resource string) bool {
	return slices.ContainsFunc(s.Resource, func(pattern string) bool { return wire.Glob(pattern, resource) })
}

// documentsOf are a role's policies; the caller holds the lock.
func (s *Service) documentsOf(r *role) []string {
	var out []string
	for _, name := range r.inlineNames() {
		out = append(out, r.inline[name])
	}
	for _, attached := range r.attached {
		if text, ok := s.document(attached); ok {
			out = append(out, text)
		}
	}
	return out
}

// RoleOf is a role's ARN and the boundary it has; ok is false when there is no
// such role.
func (s *Service) RoleOf(name string) (arn, boundary string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.roles[name]
	if r == nil {
		return "", "", false
	}
	if r.PermissionsBoundary != nil {
		boundary = r.PermissionsBoundary.PermissionsBoundaryArn
	}
	return r.Arn, boundary, true
}
