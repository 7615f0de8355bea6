package iam

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// role is one role; the service's lock guards it.
type role struct {
	Role
	trust    string
	inline   map[string]string // documents by name
	attached []string          // ARNs, in order of attachment
	tags     tagged
}

// Role is a role as IAM shows it.
type Role struct {
	Path, RoleName, RoleId, Arn string
	CreateDate                  time.Time
	AssumeRolePolicyDocument    string // percent-encoded
	Description                 string
	MaxSessionDuration          int
	PermissionsBoundary         *Boundary
	Tags                        []Tag
	RoleLastUsed                *wire.None
}

// Boundary is a role's permissions boundary.
type Boundary struct{ PermissionsBoundaryType, PermissionsBoundaryArn string }

func (s *Service) roleOperations() map[string]wire.Operation {
	return map[string]wire.Operation{
		"CreateRole":                    wire.Op(s.createRole),
		"GetRole":                       wire.Op(s.getRole),
		"ListRoles":                     wire.Op(s.listRoles),
		"UpdateRole":                    wire.Op(s.updateRole),
		"DeleteRole":                    wire.Op(s.deleteRole),
		"UpdateAssumeRolePolicy":        wire.Op(s.updateTrust),
		"TagRole":                       wire.Op(s.tagRole),
		"UntagRole":                     wire.Op(s.untagRole),
		"ListRoleTags":                  wire.Op(s.listRoleTags),
		"PutRolePermissionsBoundary":    wire.Op(s.putBoundary),
		"DeleteRolePermissionsBoundary": wire.Op(s.deleteBoundary),
		"ListInstanceProfilesForRole":   wire.Op(s.listProfiles),
	}
}

type roleInput struct {
	paging
	RoleName                 string
	Path                     string
	AssumeRolePolicyDocument string
	Description              *string
	MaxSessionDuration       *int
	PermissionsBoundary      string
	Tags                     []Tag
}

type roleOutput struct{ Role Role }

func (r *role) show() Role {
	out := r.Role
	out.AssumeRolePolicyDocument = encoded(r.trust)
	if len(r.tags) > 0 {
		out.Tags = r.tags.list()
	}
	out.RoleLastUsed = &wire.None{}
	return out
}

// find is a role by name; the caller holds the lock.
func (s *Service) find(name string) (*role, error) {
	r, ok := s.roles[name]
	if !ok {
		return nil, noEntity("role", name)
	}
	return r, nil
}

// change runs f on a role under the lock.
func (s *Service) change(name string, f func(*role) error) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(name)
	if err != nil {
		return wire.None{}, err
	}
	return wire.None{}, f(r)
}

func (s *Service) createRole(_ context.Context, _ *wire.Call, in *roleInput) (roleOutput, error) {
	if in.RoleName == "" || len(in.RoleName) > 64 {
		return roleOutput{}, fail(400, "ValidationError", "the role name must have 1 to 64 characters")
	}
	if _, err := parseDocument(in.AssumeRolePolicyDocument); err != nil {
		return roleOutput{}, err
	}
	path := in.Path
	if path == "" {
		path = "/"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.roles[in.RoleName]; taken {
		return roleOutput{}, fail(409, "EntityAlreadyExists", "Role with name "+in.RoleName+" already exists.")
	}
	r := &role{trust: in.AssumeRolePolicyDocument, inline: map[string]string{}, Role: Role{
		Path: path, RoleName: in.RoleName, RoleId: newID("AROA"),
		Arn:        "arn:aws:iam::" + s.options.Account + ":role" + path + in.RoleName,
		CreateDate: s.options.Now(), MaxSessionDuration: 3600,
	}}
	if in.PermissionsBoundary != "" {
		r.PermissionsBoundary = boundary(in.PermissionsBoundary)
	}
	r.settings(in)
	r.tags.add(in.Tags)
	s.roles[in.RoleName] = r
	return roleOutput{Role: r.show()}, nil
}

func (r *role) settings(in *roleInput) {
	if in.Description != nil {
		r.Description = *in.Description
	}
	if in.MaxSessionDuration != nil {
		r.MaxSessionDuration = *in.MaxSessionDuration
	}
}

func boundary(arn string) *Boundary {
	return &Boundary{PermissionsBoundaryType: "Policy", PermissionsBoundaryArn: arn}
}

func (s *Service) getRole(_ context.Context, _ *wire.Call, in *roleInput) (roleOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.RoleName)
	if err != nil {
		return roleOutput{}, err
	}
	return roleOutput{Role: r.show()}, nil
}

type rolesInput struct {
	paging
	PathPrefix string
}

type rolesOutput struct {
	paged
	Roles []Role
}

func (s *Service) listRoles(_ context.Context, _ *wire.Call, in *rolesInput) (rolesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name, r := range s.roles {
		if strings.HasPrefix(r.Path, in.PathPrefix) {
			names = append(names, name)
		}
	}
	names, more, err := in.page(names)
	out := rolesOutput{paged: more, Roles: []Role{}}
	for _, name := range names {
		shown := s.roles[name].show()
		shown.Tags, shown.PermissionsBoundary, shown.RoleLastUsed = nil, nil, nil // lists leave them out
		out.Roles = append(out.Roles, shown)
	}
	return out, err
}

func (s *Service) updateRole(_ context.Context, _ *wire.Call, in *roleInput) (wire.None, error) {
	return s.change(in.RoleName, func(r *role) error { r.settings(in); return nil })
}

func (s *Service) deleteRole(_ context.Context, _ *wire.Call, in *roleInput) (wire.None, error) {
	return s.change(in.RoleName, func(r *role) error {
		if len(r.inline) > 0 {
			return fail(409, "DeleteConflict", "Cannot delete entity, must delete policies first.")
		}
		if len(r.attached) > 0 {
			return fail(409, "DeleteConflict", "Cannot delete entity, must detach all policies first.")
		}
		delete(s.roles, in.RoleName)
		return nil
	})
}

type trustInput struct{ RoleName, PolicyDocument string }

func (s *Service) updateTrust(_ context.Context, _ *wire.Call, in *trustInput) (wire.None, error) {
	if _, err := parseDocument(in.PolicyDocument); err != nil {
		return wire.None{}, err
	}
	return s.change(in.RoleName, func(r *role) error { r.trust = in.PolicyDocument; return nil })
}

type tagInput struct {
	paging
	RoleName, PolicyArn string
	Tags                []Tag
	TagKeys             []string
}

type tagsOutput struct {
	paged
	Tags []Tag
}

func (s *Service) tagRole(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	return s.change(in.RoleName, func(r *role) error { r.tags.add(in.Tags); return nil })
}

func (s *Service) untagRole(_ context.Context, _ *wire.Call, in *tagInput) (wire.None, error) {
	return s.change(in.RoleName, func(r *role) error { r.tags.remove(in.TagKeys); return nil })
}

func (s *Service) listRoleTags(_ context.Context, _ *wire.Call, in *tagInput) (tagsOutput, error) {
	var out tagsOutput
	_, err := s.change(in.RoleName, func(r *role) error { out.Tags = r.tags.list(); return nil })
	return out, err
}

func (s *Service) putBoundary(_ context.Context, _ *wire.Call, in *roleInput) (wire.None, error) {
	return s.change(in.RoleName, func(r *role) error { r.PermissionsBoundary = boundary(in.PermissionsBoundary); return nil })
}

func (s *Service) deleteBoundary(_ context.Context, _ *wire.Call, in *roleInput) (wire.None, error) {
	return s.change(in.RoleName, func(r *role) error { r.PermissionsBoundary = nil; return nil })
}

type profilesOutput struct {
	paged
	InstanceProfiles []string
}

func (s *Service) listProfiles(_ context.Context, _ *wire.Call, in *roleInput) (profilesOutput, error) {
	_, err := s.change(in.RoleName, func(*role) error { return nil })
	return profilesOutput{InstanceProfiles: []string{}}, err
}

// inlineNames are the names of a role's inline policies, sorted.
func (r *role) inlineNames() []string { return slices.Sorted(maps.Keys(r.inline)) }
