package iam

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// policy is a customer managed policy.
type policy struct {
	Policy
	versions []version
	next     int
	tags     tagged
}

type version struct {
	id, document string
	created      time.Time
}

// Policy is a managed policy as IAM shows it.
type Policy struct {
	PolicyName, PolicyId, Arn, Path, DefaultVersionId, Description string
	AttachmentCount, PermissionsBoundaryUsageCount                 int
	IsAttachable                                                   bool
	CreateDate, UpdateDate                                         time.Time
	Tags                                                           []Tag
}

// PolicyVersion is one version of a policy; its document is percent-encoded.
type PolicyVersion struct {
	Document, VersionId string
	IsDefaultVersion    bool
	CreateDate          time.Time
}

func (s *Service) policyOperations() map[string]wire.Operation {
	return map[string]wire.Operation{
		"CreatePolicy":            wire.Op(s.createPolicy),
		"GetPolicy":               wire.Op(s.getPolicy),
		"ListPolicies":            wire.Op(s.listPolicies),
		"DeletePolicy":            wire.Op(s.deletePolicy),
		"CreatePolicyVersion":     wire.Op(s.createVersion),
		"GetPolicyVersion":        wire.Op(s.getVersion),
		"ListPolicyVersions":      wire.Op(s.listVersions),
		"DeletePolicyVersion":     wire.Op(s.deleteVersion),
		"SetDefaultPolicyVersion": wire.Op(s.setDefault),
		"TagPolicy":               wire.Op(s.tagPolicy),
		"UntagPolicy":             wire.Op(s.untagPolicy),
		"ListPolicyTags":          wire.Op(s.listPolicyTags),
		"ListEntitiesForPolicy":   wire.Op(s.entities),
	}
}

type policyInput struct {
	paging
	PolicyArn, PolicyName, Path, PolicyDocument, Description, VersionId, Scope string
	SetAsDefault                                                               bool
	Tags                                                                       []Tag
}

type policyOutput struct{ Policy Policy }

// lookup is a policy by ARN, AWS's own included; the caller holds the lock.
func (s *Service) lookup(arn string) (*policy, error) {
	if p, ok := s.policies[arn]; ok {
		return p, nil
	}
	if document, ok := managed[arn]; ok {
		made := time.Date(2015, 2, 6, 18, 0, 0, 0, time.UTC)
		return &policy{
			Policy: Policy{
				PolicyName: policyName(arn), PolicyId: "ANPA" + strings.ToUpper(policyName(arn)), Arn: arn,
				Path: policyPath(arn), DefaultVersionId: "v1", IsAttachable: true, CreateDate: made, UpdateDate: made,
			},
			versions: []version{{id: "v1", document: document, created: made}},
		}, nil
	}
	return nil, fail(404, "NoSuchEntity", "Policy "+arn+" was not found.")
}

func policyPath(arn string) string {
	_, path, _ := strings.Cut(arn, ":policy")
	return path[:strings.LastIndexByte(path, '/')+1]
}

// document is the default version's document; the caller holds the lock.
func (s *Service) document(arn string) (string, bool) {
	p, err := s.lookup(arn)
	if err != nil {
		return "", false
	}
	for _, v := range p.versions {
		if v.id == p.DefaultVersionId {
			return v.document, true
		}
	}
	return "", false
}

// show is a policy with its live counts; the caller holds the lock.
func (s *Service) show(p *policy) Policy {
	out := p.Policy
	out.Tags = p.tags.list()
	for _, r := range s.roles {
		if slices.Contains(r.attached, p.Arn) {
			out.AttachmentCount++
		}
		if r.PermissionsBoundary != nil && r.PermissionsBoundary.PermissionsBoundaryArn == p.Arn {
			out.PermissionsBoundaryUsageCount++
		}
	}
	return out
}

func (s *Service) createPolicy(_ context.Context, _ *wire.Call, in *policyInput) (policyOutput, error) {
	if _, err := parseDocument(in.PolicyDocument); err != nil {
		return policyOutput{}, err
	}
	path := in.Path
	if path == "" {
		path = "/"
	}
	arn := "arn:aws:iam::" + s.options.Account + ":policy" + path + in.PolicyName
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.policies[arn]; taken || in.PolicyName == "" {
		return policyOutput{}, fail(409, "EntityAlreadyExists", "A policy called "+in.PolicyName+" already exists.")
	}
	now := s.options.Now()
	p := &policy{next: 2, versions: []version{{id: "v1", document: in.PolicyDocument, created: now}}, Policy: Policy{
		PolicyName: in.PolicyName, PolicyId: newID("ANPA"), Arn: arn, Path: path, DefaultVersionId: "v1",
		Description: in.Description, IsAttachable: true, CreateDate: now, UpdateDate: now,
	}}
	p.tags.add(in.Tags)
	s.policies[arn] = p
	return policyOutput{Policy: s.show(p)}, nil
}

// with runs f on a policy under the lock.
func (s *Service) with(arn string, f func(*policy) error) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.lookup(arn)
	if err != nil {
		return wire.None{}, err
	}
	return wire.None{}, f(p)
}

func (s *Service) getPolicy(_ context.Context, _ *wire.Call, in *policyInput) (policyOutput, error) {
	var out policyOutput
	_, err := s.with(in.PolicyArn, func(p *policy) error { out.Policy = s.show(p); return nil })
	return out, err
}

type policiesOutput struct {
	paged
	Policies []Policy
}

func (s *Service) listPolicies(_ context.Context, _ *wire.Call, in *policyInput) (policiesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var arns []string
	if in.Scope != "AWS" {
		arns = slices.AppendSeq(arns, maps.Keys(s.policies))
	}
	if in.Scope != "Local" {
		arns = slices.AppendSeq(arns, maps.Keys(managed))
	}
	arns, more, err := in.page(arns)
	out := policiesOutput{paged: more, Policies: []Policy{}}
	for _, arn := range arns {
		if p, lost := s.lookup(arn); lost == nil {
			out.Policies = append(out.Policies, s.show(p))
		}
	}
	return out, err
}

func (s *Service) deletePolicy(_ context.Context, _ *wire.Call, in *policyInput) (wire.None, error) {
	return s.with(in.PolicyArn, func(p *policy) error {
		if s.show(p).AttachmentCount > 0 {
			return fail(409, "DeleteConflict", "Cannot delete a policy attached to entities.")
		}
		if len(p.versions) > 1 {
			return fail(409, "DeleteConflict", "This policy has more than one version.")
		}
		delete(s.policies, in.PolicyArn)
		return nil
	})
}

type versionOutput struct{ PolicyVersion PolicyVersion }

func (p *policy) list(documents bool) []PolicyVersion {
	out := []PolicyVersion{}
	for _, v := range slices.Backward(p.versions) {
		shown := PolicyVersion{VersionId: v.id, IsDefaultVersion: v.id == p.DefaultVersionId, CreateDate: v.created}
		if documents {
			shown.Document = encoded(v.document)
		}
		out = append(out, shown)
	}
	return out
}

func (s *Service) createVersion(_ context.Context, _ *wire.Call, in *policyInput) (versionOutput, error) {
	if _, err := parseDocument(in.PolicyDocument); err != nil {
		return versionOutput{}, err
	}
	var out versionOutput
	_, err := s.with(in.PolicyArn, func(p *policy) error {
		if len(p.versions) >= 5 {
			return fail(409, "LimitExceeded", "A managed policy can have up to 5 versions.")
		}
		v := version{id: "v" + strconv.Itoa(p.next), document: in.PolicyDocument, created: s.options.Now()}
		p.next++
		p.versions = append(p.versions, v)
		p.UpdateDate = v.created
		if in.SetAsDefault {
			p.DefaultVersionId = v.id
		}
		out.PolicyVersion = p.list(false)[0]
		return nil
	})
	return out, err
}

func (s *Service) getVersion(_ context.Context, _ *wire.Call, in *policyInput) (versionOutput, error) {
	var out versionOutput
	_, err := s.with(in.PolicyArn, func(p *policy) error {
		for _, v := range p.list(true) {
			if v.VersionId == in.VersionId {
				out.PolicyVersion = v
				return nil
			}
		}
		return noEntity("policy version", in.VersionId)
	})
	return out, err
}

type versionsOutput struct {
	paged
	Versions []PolicyVersion
}

func (s *Service) listVersions(_ context.Context, _ *wire.Call, in *policyInput) (versionsOutput, error) {
	var out versionsOutput
	_, err := s.with(in.PolicyArn, func(p *policy) error { out.Versions = p.list(false); return nil })
	return out, err
}

func (s *Service) deleteVersion(_ context.Context, _ *wire.Call, in *policyInput) (wire.None, error) {
	return s.with(in.PolicyArn, func(p *policy) error {
		if in.VersionId == p.DefaultVersionId {
			return fail(409, "DeleteConflict", "Cannot delete the default version of a policy.")
		}
		before := len(p.versions)
		p.versions = slices.DeleteFunc(p.versions, func(v version) bool { return v.id == in.VersionId })
		if len(p.versions) == before {
			return noEntity("policy version", in.VersionId)
		}
		return nil
	})
}

func (s *Service) setDefault(_ context.Context, _ *wire.Call, in *policyInput) (wire.None, error) {
	return s.with(in.PolicyArn, func(p *policy) error {
		if !slices.ContainsFunc(p.versions, func(v version) bool { return v.id == in.VersionId }) {
			return noEntity("policy version", in.VersionId)
		}
		p.DefaultVersionId, p.UpdateDate = in.VersionId, s.options.Now()
		return nil
	})
}

func (s *Service) tagPolicy(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	return s.with(in.PolicyArn, func(p *policy) error { p.tags.add(in.Tags); return nil })
}

func (s *Service) untagPolicy(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	return s.with(in.PolicyArn, func(p *policy) error { p.tags.remove(in.TagKeys); return nil })
}

func (s *Service) listPolicyTags(_ context.Context, _ *wire.Call, in *tagInput) (tagsOutput, error) {
	var out tagsOutput
	_, err := s.with(in.PolicyArn, func(p *policy) error { out.Tags = p.tags.list(); return nil })
	return out, err
}

type entity struct{ RoleName, RoleId string }

type entitiesOutput struct {
	paged
	PolicyGroups, PolicyUsers []string
	PolicyRoles               []entity
}

func (s *Service) entities(_ context.Context, _ *wire.Call, in *policyInput) (entitiesOutput, error) {
	out := entitiesOutput{PolicyGroups: []string{}, PolicyUsers: []string{}, PolicyRoles: []entity{}}
	_, err := s.with(in.PolicyArn, func(*policy) error {
		for _, name := range slices.Sorted(maps.Keys(s.roles)) {
			if r := s.roles[name]; slices.Contains(r.attached, in.PolicyArn) {
				out.PolicyRoles = append(out.PolicyRoles, entity{RoleName: name, RoleId: r.RoleId})
			}
		}
		return nil
	})
	return out, err
}
