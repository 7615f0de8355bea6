package aws

import (
	"context"
	"fmt"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// roles looks at roles: in bulk, and one by one where the bulk is not to be
// had, or leaves something out.
func (s *sweep) roles(ctx context.Context) {
	resources := s.ofKind(manifest.KindRole)
	renewed := !s.narrow && s.rolesDue() && s.rolesInBulk(ctx)
	inBulk := !s.narrow && s.rolesListed()
	rotated := physicalNames(resources)
	if inBulk && s.rolesWhole() {
		rotated = nil
	}
	due := s.due(rotation{names: rotated, service: "IAM", operation: "GetRole", cost: 1, lookedAt: func(name string) time.Time {
		if l, ok := recall(&s.p.memory, s.p.memory.roles, name); ok && l != nil {
			return l.details
		}
		return time.Time{}
	}})
	k := roleKind{s.p}
	parallel(s.p.o.Parallel, resources, func(res manifest.Resource) {
		l, err := s.recentRole(ctx, res, roleTurn{due: due[res.Physical], renewed: renewed, inBulk: inBulk})
		switch {
		case err != nil:
			s.fail(res.Ref, about("observe", res.Ref, err))
			return
		case l == nil:
			s.see(res.Ref, providers.Live{})
			return
		}
		live := k.live(res, l)
		s.layer(layerRoles, l.at)
		s.see(res.Ref, live)
		if s.p.watches(live.Owner) {
			for _, e := range k.extras(res, l) {
				e.SeenAt = l.at
				s.extra(e)
			}
		}
	})
	if !s.narrow {
		s.orphanRoles(k, resources)
	}
}

// roleTurn is what a survey is about to do with a role.
type roleTurn struct {
	due     bool // for what the bulk leaves out
	renewed bool // the bulk was listed in this survey
	inBulk  bool // the account lists its roles in bulk
}

// recentRole is the last look at a role, or a new one; nil when there is none.
func (s *sweep) recentRole(ctx context.Context, res manifest.Resource, turn roleTurn) (*roleLook, error) {
	l, known := recall(&s.p.memory, s.p.memory.roles, res.Physical)
	touches := s.p.memory.touches(lockName(res))
	if turn.renewed && (!known || l == nil) && touches == 0 { // what was written a moment ago may be missing there
		return nil, nil
	}
	if known && l != nil && !turn.due && !l.partial && l.touched == touches {
		return l, nil
	}
	var err error
	if turn.inBulk && known && l != nil && l.touched == touches && s.at.Sub(l.at) < s.p.o.LayerAge {
		l, err = s.p.lookRoleDetails(ctx, s.cl, res.Physical, l)
	} else {
		l, err = s.p.lookRole(ctx, s.cl, res.Physical)
	}
	if err != nil {
		return nil, err
	}
	if l != nil {
		l.touched = touches
	}
	remember(&s.p.memory, s.p.memory.roles, res.Physical, l)
	return l, nil
}

// rolesListed is true where the account lists its roles in bulk.
func (s *sweep) rolesListed() bool {
	s.p.memory.mu.Lock()
	defer s.p.memory.mu.Unlock()
	return !s.p.memory.roled.IsZero()
}

// rolesWhole is true where the bulk leaves nothing out.
func (s *sweep) rolesWhole() bool {
	s.p.memory.mu.Lock()
	defer s.p.memory.mu.Unlock()
	return s.p.memory.whole
}

// rolesDue: two calls for a thousand roles, so that they are listed as often
// as states are looked at.
func (s *sweep) rolesDue() bool {
	s.p.memory.mu.Lock()
	last, pages := s.p.memory.roled, 2*(1+len(s.p.memory.roles)/rolesAPage)
	s.p.memory.mu.Unlock()
	return len(s.due(rotation{
		names: []string{"all"}, lookedAt: func(string) time.Time { return last }, age: s.p.o.LayerAge / stateShare,
		service: "IAM", operation: "GetAccountAuthorizationDetails", cost: pages,
	})) > 0
}

const rolesAPage = 1000

// rolesInBulk lists every role of the account with all its documents; false
// when that is not to be had.
func (s *sweep) rolesInBulk(ctx context.Context) bool {
	found := map[string]*roleLook{}
	pages := iam.NewGetAccountAuthorizationDetailsPaginator(s.cl.iam, &iam.GetAccountAuthorizationDetailsInput{
		Filter: []iamtypes.EntityType{iamtypes.EntityTypeRole}, MaxItems: awssdk.Int32(rolesAPage),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if isUnknownOperation(err) {
			return false
		}
		if err != nil {
			s.fail(manifest.Ref{}, fmt.Errorf("list roles: %w", classify(err)))
			return false
		}
		for i := range page.RoleDetailList {
			d := &page.RoleDetailList[i]
			found[awssdk.ToString(d.RoleName)] = roleInBulk(d, s.at)
		}
	}
	plain, whole := s.rolesPlainly(ctx)
	s.p.memory.mu.Lock()
	defer s.p.memory.mu.Unlock()
	for name, l := range found {
		old := s.p.memory.roles[name]
		if old != nil && !old.partial { // what the bulk leaves out stays as it was last seen
			l.role.Description, l.role.MaxSessionDuration = old.role.Description, old.role.MaxSessionDuration
			l.details, l.partial, l.touched = old.details, false, old.touched
		}
		if r, ok := plain[name]; ok && awssdk.ToString(r.RoleId) == awssdk.ToString(l.role.RoleId) && r.MaxSessionDuration != nil {
			l.role.Description, l.role.MaxSessionDuration = r.Description, r.MaxSessionDuration
			l.details, l.partial = s.at, false
		}
	}
	s.p.memory.roles, s.p.memory.roled, s.p.memory.whole = found, s.at, whole
	return true
}

// rolesPlainly is the other listing of roles, with what the bulk leaves out.
// Where it is refused, roles are asked for it one by one.
func (s *sweep) rolesPlainly(ctx context.Context) (found map[string]iamtypes.Role, whole bool) {
	found = map[string]iamtypes.Role{}
	if len(s.ofKind(manifest.KindRole)) == 0 { // nobody asks
		return found, false
	}
	pages := iam.NewListRolesPaginator(s.cl.iam, &iam.ListRolesInput{MaxItems: awssdk.Int32(rolesAPage)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return found, false
		}
		for _, r := range page.Roles {
			found[awssdk.ToString(r.RoleName)] = r
		}
	}
	return found, true
}

func roleInBulk(d *iamtypes.RoleDetail, at time.Time) *roleLook {
	l := &roleLook{
		role: iamtypes.Role{
			Arn: d.Arn, AssumeRolePolicyDocument: d.AssumeRolePolicyDocument, Path: d.Path, RoleId: d.RoleId,
			RoleName: d.RoleName, Tags: d.Tags, PermissionsBoundary: d.PermissionsBoundary,
		},
		inline: map[string]string{}, partial: true, at: at,
	}
	for _, p := range d.RolePolicyList {
		l.inline[awssdk.ToString(p.PolicyName)] = awssdk.ToString(p.PolicyDocument)
	}
	for _, p := range d.AttachedManagedPolicies {
		l.arns = append(l.arns, awssdk.ToString(p.PolicyArn))
	}
	return l
}

// orphanRoles are roles with our tags that nobody wants.
func (s *sweep) orphanRoles(k roleKind, resources []manifest.Resource) {
	wanted := map[string]bool{}
	for _, res := range resources {
		wanted[res.Physical] = true
	}
	s.p.memory.mu.Lock()
	all := make(map[string]*roleLook, len(s.p.memory.roles))
	for name, l := range s.p.memory.roles {
		all[name] = l
	}
	s.p.memory.mu.Unlock()
	for _, name := range sortedKeys(all) {
		l := all[name]
		if wanted[name] || l == nil || !s.p.owns(ownerOf(l.tags())) {
			continue
		}
		if ref, err := manifest.ParseRef(l.tags()[tagResource]); err == nil {
			s.orphan(ref, k.live(manifest.Resource{Ref: ref, Physical: name}, l))
		}
	}
}
