package iam

import (
	"context"
	"slices"
	"strings"

	"mooring.dev/providers/aws/sandbox/wire"
)

// What a role is granted: inline and attached policies.

func (s *Service) grantOperations() map[string]wire.Operation {
	return map[string]wire.Operation{
		"PutRolePolicy":                  wire.Op(s.putInline),
		"GetRolePolicy":                  wire.Op(s.getInline),
		"DeleteRolePolicy":               wire.Op(s.deleteInline),
		"ListRolePolicies":               wire.Op(s.listInline),
		"AttachRolePolicy":               wire.Op(s.attach),
		"DetachRolePolicy":               wire.Op(s.detach),
		"ListAttachedRolePolicies":       wire.Op(s.listAttached),
		"GetAccountAuthorizationDetails": wire.Op(s.details),
		"SimulatePrincipalPolicy":        wire.Op(s.simulate),
	}
}

type grantInput struct {
	paging
	RoleName, PolicyName, PolicyDocument, PolicyArn string
}

func (s *Service) putInline(_ context.Context, _ *wire.Call, in *grantInput) (wire.None, error) {
	if _, err := parseDocument(in.PolicyDocument); err != nil {
		return wire.None{}, err
	}
	return s.change(in.RoleName, func(r *role) error { r.inline[in.PolicyName] = in.PolicyDocument; return nil })
}

type inlineOutput struct{ RoleName, PolicyName, PolicyDocument string }

func (s *Service) getInline(_ context.Context, _ *wire.Call, in *grantInput) (inlineOutput, error) {
	var out inlineOutput
	_, err := s.change(in.RoleName, func(r *role) error {
		document, ok := r.inline[in.PolicyName]
		if !ok {
			return noEntity("role policy", in.PolicyName)
		}
		out = inlineOutput{RoleName: in.RoleName, PolicyName: in.PolicyName, PolicyDocument: encoded(document)}
		return nil
	})
	return out, err
}

func (s *Service) deleteInline(_ context.Context, _ *wire.Call, in *grantInput) (wire.None, error) {
	return s.change(in.RoleName, func(r *role) error {
		if _, ok := r.inline[in.PolicyName]; !ok {
			return noEntity("role policy", in.PolicyName)
		}
		delete(r.inline, in.PolicyName)
		return nil
	})
}

type inlineNames struct {
	paged
	PolicyNames []string
}

func (s *Service) listInline(_ context.Context, _ *wire.Call, in *grantInput) (inlineNames, error) {
	var out inlineNames
	_, err := s.change(in.RoleName, func(r *role) (err error) {
		out.PolicyNames, out.paged, err = in.page(r.inlineNames())
		return err
	})
	return out, err
}

func (s *Service) attach(_ context.Context, _ *wire.Call, in *grantInput) (wire.None, error) {
	return s.change(in.RoleName, func(r *role) error {
		if _, ok := s.document(in.PolicyArn); !ok {
			return fail(404, "NoSuchEntity", "Policy "+in.PolicyArn+" does not exist or is not attachable.")
		}
		if !slices.Contains(r.attached, in.PolicyArn) {
			r.attached = append(r.attached, in.PolicyArn)
		}
		return nil
	})
}

func (s *Service) detach(_ context.Context, _ *wire.Call, in *grantInput) (wire.None, error) {
	return s.change(in.RoleName, func(r *role) error {
		i := slices.Index(r.attached, in.PolicyArn)
		if i < 0 {
			return fail(404, "NoSuchEntity", "Policy "+in.PolicyArn+" was not found.")
		}
		r.attached = slices.Delete(r.attached, i, i+1)
		return nil
	})
}

type attachedPolicy struct{ PolicyName, PolicyArn string }

type attachedOutput struct {
	paged
	AttachedPolicies []attachedPolicy
}

func (s *Service) listAttached(_ context.Context, _ *wire.Call, in *grantInput) (attachedOutput, error) {
	out := attachedOutput{AttachedPolicies: []attachedPolicy{}}
	_, err := s.change(in.RoleName, func(r *role) error {
		arns, more, err := in.page(slices.Clone(r.attached))
		out.paged = more
		for _, arn := range arns {
			out.AttachedPolicies = append(out.AttachedPolicies, attachedPolicy{PolicyName: policyName(arn), PolicyArn: arn})
		}
		return err
	})
	return out, err
}

func policyName(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

type detailsInput struct {
	paging
	Filter []string
}

type inlineDetail struct{ PolicyName, PolicyDocument string }

type roleDetail struct {
	Role
	InstanceProfileList     []string
	RolePolicyList          []inlineDetail
	AttachedManagedPolicies []attachedPolicy
}

type policyDetail struct {
	Policy
	PolicyVersionList []PolicyVersion
}

type detailsOutput struct {
	paged
	UserDetailList, GroupDetailList []string
	RoleDetailList                  []roleDetail
	Policies                        []policyDetail
}

// details lists roles, then customer managed policies, in one paged list.
func (s *Service) details(_ context.Context, _ *wire.Call, in *detailsInput) (detailsOutput, error) {
	wants := func(kind string) bool { return len(in.Filter) == 0 || slices.Contains(in.Filter, kind) }
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	if wants("Role") {
		for name := range s.roles {
			keys = append(keys, "1"+name)
		}
	}
	if wants("LocalManagedPolicy") {
		for arn := range s.policies {
			keys = append(keys, "2"+arn)
		}
	}
	out := detailsOutput{
		UserDetailList: []string{}, GroupDetailList: []string{},
		RoleDetailList: []roleDetail{}, Policies: []policyDetail{},
	}
	keys, more, err := in.page(keys)
	out.paged = more
	for _, key := range keys {
		if name := key[1:]; key[0] == '1' {
			out.RoleDetailList = append(out.RoleDetailList, s.roles[name].detail())
		} else {
			out.Policies = append(out.Policies, policyDetail{Policy: s.show(s.policies[name]), PolicyVersionList: s.policies[name].list(true)})
		}
	}
	return out, err
}

func (r *role) detail() roleDetail {
	d := roleDetail{
		Role: r.show(), InstanceProfileList: []string{},
		RolePolicyList: []inlineDetail{}, AttachedManagedPolicies: []attachedPolicy{},
	}
	for _, name := range r.inlineNames() {
		d.RolePolicyList = append(d.RolePolicyList, inlineDetail{PolicyName: name, PolicyDocument: encoded(r.inline[name])})
	}
	for _, arn := range r.attached {
		d.AttachedManagedPolicies = append(d.AttachedManagedPolicies, attachedPolicy{PolicyName: policyName(arn), PolicyArn: arn})
	}
	return d
}
