package aws

import (
	"context"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go/middleware"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// rolePut is one Put of a role. IAM has a call for each part, so a change of
// several parts is several calls; each is harmless to repeat.
type rolePut struct {
	p             *Provider
	c             providers.Change
	name          *string
	spec          *manifest.RoleSpec
	want          role
	trust, inline map[string]any
	further       map[string]map[string]any // inline policies by name
	receipt       providers.Receipt
}

// did notes a call.
func (r *rolePut) did(meta middleware.Metadata) {
	r.receipt.RequestIDs = append(r.receipt.RequestIDs, receipt(meta).RequestIDs...)
}

func (k roleKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	b := k.p.builder(c.Bindings)
	want, trust, inline, err := declaredRole(c.Resource, b)
	if err != nil {
		return providers.Receipt{}, err
	}
	further := declaredPolicies(c.Resource.Spec.(*manifest.RoleSpec), b)
	if err := refuseUnbound(b.spec()); err != nil {
		return providers.Receipt{}, err
	}
	r := &rolePut{p: k.p, c: c, name: &c.Resource.Physical, spec: c.Resource.Spec.(*manifest.RoleSpec), want: want, trust: trust, inline: inline, further: further}
	now, err := k.p.lookRole(ctx, k.p.front, c.Resource.Physical)
	if err != nil {
		return providers.Receipt{}, err
	}
	if now == nil {
		if c.Guard != "" {
			return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
		}
		err = r.create(ctx)
		return r.receipt, err
	}
	if err := k.p.mayWrite(ownerOf(now.tags()), c.Adopt || c.Resource.Adopt); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(c.Guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	err = r.update(ctx, k.live(c.Resource, now), now)
	return r.receipt, err
}

func (r *rolePut) create(ctx context.Context) error {
	in := &iam.CreateRoleInput{
		RoleName: r.name, AssumeRolePolicyDocument: awssdk.String(canonicalJSON(r.trust)), Path: &r.want.path,
		MaxSessionDuration: awssdk.Int32(int32(r.want.session)), Tags: iamTags(r.p.allTags(r.spec.Tags, r.c.Resource.Ref, r.c.Release)),
	}
	if r.want.description != "" {
		in.Description = &r.want.description
	}
	if r.want.boundary != "" {
		in.PermissionsBoundary = &r.want.boundary
	}
	out, err := r.p.front.iam.CreateRole(ctx, in)
	if err != nil {
		return classify(err)
	}
	r.did(out.ResultMetadata)
	if r.inline != nil {
		if err := r.putInline(ctx); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(r.further) {
		if err := r.putPolicy(ctx, name, r.further[name]); err != nil {
			return err
		}
	}
	return r.attach(ctx, nil)
}

// update writes the parts that are allowed and differ: rights are added
// before others are taken away.
func (r *rolePut) update(ctx context.Context, live providers.Live, now *roleLook) error {
	declared := r.p.builder(nil)
	each(declared, roleMembers, &r.want)
	for name, document := range r.further {
		declared.set(keyPath("inlinePolicies", name), canonicalPolicy(document))
	}
	allowed := allowedBy(r.c.Fields)
	differs := func(path string) bool {
		return allowed(path) && live.Spec.Fields[path] != declared.fields[path]
	}
	if differs("path") {
		return providers.Errorf(providers.Invalid, "the path of a role cannot be changed: give it another name")
	}
	plan := r.p.planTags(r.c, r.spec.Tags, now.tags(), true)
	steps := []struct {
		due bool
		do  func(context.Context) error
	}{
		{!plan.empty(), func(ctx context.Context) error { return r.tag(ctx, plan) }},
		{differs("assumeRolePolicyDocument"), r.putTrust},
		{differs("description") || differs("maxSessionDuration"), r.putRole},
		{differs("statements"), r.putInline},
		{true, func(ctx context.Context) error { return r.putFurther(ctx, differs) }},
		{differs("permissionsBoundary"), r.putBoundary},
		{differs("managedPolicyArns"), func(ctx context.Context) error { return r.attach(ctx, now.arns) }},
	}
	for _, s := range steps {
		if !s.due {
			continue
		}
		if err := s.do(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *rolePut) tag(ctx context.Context, plan tagPlan) error {
	if len(plan.add) > 0 {
		out, err := r.p.front.iam.TagRole(ctx, &iam.TagRoleInput{RoleName: r.name, Tags: iamTags(plan.add)})
		if err != nil {
			return classify(err)
		}
		r.did(out.ResultMetadata)
	}
	if len(plan.remove) > 0 {
		out, err := r.p.front.iam.UntagRole(ctx, &iam.UntagRoleInput{RoleName: r.name, TagKeys: plan.remove})
		if err != nil {
			return classify(err)
		}
		r.did(out.ResultMetadata)
	}
	return nil
}

func (r *rolePut) putTrust(ctx context.Context) error {
	out, err := r.p.front.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{
		RoleName: r.name, PolicyDocument: awssdk.String(canonicalJSON(r.trust)),
	})
	if err != nil {
		return classify(err)
	}
	r.did(out.ResultMetadata)
	return nil
}

func (r *rolePut) putRole(ctx context.Context) error {
	out, err := r.p.front.iam.UpdateRole(ctx, &iam.UpdateRoleInput{
		RoleName: r.name, Description: &r.want.description, MaxSessionDuration: awssdk.Int32(int32(r.want.session)),
	})
	if err != nil {
		return classify(err)
	}
	r.did(out.ResultMetadata)
	return nil
}

func (r *rolePut) putInline(ctx context.Context) error {
	if r.inline == nil {
		return r.drop(ctx, inlinePolicy)
	}
	return r.putPolicy(ctx, inlinePolicy, r.inline)
}

// putFurther writes the further inline policies that differ.
func (r *rolePut) putFurther(ctx context.Context, differs func(path string) bool) error {
	for _, name := range sortedKeys(r.further) {
		if !differs(keyPath("inlinePolicies", name)) {
			continue
		}
		if err := r.putPolicy(ctx, name, r.further[name]); err != nil {
			return err
		}
	}
	return nil
}

func (r *rolePut) putPolicy(ctx context.Context, name string, document map[string]any) error {
	out, err := r.p.front.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: r.name, PolicyName: &name, PolicyDocument: awssdk.String(canonicalJSON(document)),
	})
	if err != nil {
		return classify(err)
	}
	r.did(out.ResultMetadata)
	return nil
}

func (r *rolePut) drop(ctx context.Context, policy string) error {
	out, err := r.p.front.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: r.name, PolicyName: &policy})
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return classify(err)
	}
	r.did(out.ResultMetadata)
	return nil
}

func (r *rolePut) putBoundary(ctx context.Context) error {
	if r.want.boundary == "" {
		out, err := r.p.front.iam.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: r.name})
		if err != nil && !isAbsent(err) {
			return classify(err)
		}
		if out != nil {
			r.did(out.ResultMetadata)
		}
		return nil
	}
	out, err := r.p.front.iam.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: r.name, PermissionsBoundary: &r.want.boundary})
	if err != nil {
		return classify(err)
	}
	r.did(out.ResultMetadata)
	return nil
}

// attach makes the attached policies those declared.
func (r *rolePut) attach(ctx context.Context, now []string) error {
	for _, arn := range r.want.attached {
		if slices.Contains(now, arn) {
			continue
		}
		out, err := r.p.front.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: r.name, PolicyArn: &arn})
		if err != nil {
			return classify(err)
		}
		r.did(out.ResultMetadata)
	}
	for _, arn := range now {
		if slices.Contains(r.want.attached, arn) {
			continue
		}
		if err := r.detach(ctx, arn); err != nil {
			return err
		}
	}
	return nil
}

func (r *rolePut) detach(ctx context.Context, arn string) error {
	out, err := r.p.front.iam.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: r.name, PolicyArn: &arn})
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return classify(err)
	}
	r.did(out.ResultMetadata)
	return nil
}

// remove empties the role and deletes it.
func (k roleKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	now, err := k.p.lookRole(ctx, k.p.front, res.Physical)
	if err != nil || now == nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(ownerOf(now.tags())); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	r := &rolePut{p: k.p, name: &res.Physical}
	for _, name := range sortedKeys(now.inline) {
		if err := r.drop(ctx, name); err != nil {
			return r.receipt, err
		}
	}
	for _, arn := range now.arns {
		if err := r.detach(ctx, arn); err != nil {
			return r.receipt, err
		}
	}
	out, err := k.p.front.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &res.Physical})
	if isAbsent(err) {
		return r.receipt, nil
	}
	if err != nil {
		return r.receipt, classify(err)
	}
	r.did(out.ResultMetadata)
	return r.receipt, nil
}

// dropPolicy takes a foreign inline policy off a role, if it is as it was seen.
func (k roleKind) dropPolicy(ctx context.Context, parent manifest.Resource, extra providers.Extra, name string) (providers.Receipt, error) {
	now, err := k.p.lookRole(ctx, k.p.front, parent.Physical)
	if err != nil || now == nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(ownerOf(now.tags())); err != nil {
		return providers.Receipt{}, err
	}
	for _, found := range k.extras(parent, now) {
		if found.Ref == extra.Ref {
			if err := holds(extra.Guard, found.Guard); err != nil {
				return providers.Receipt{}, err
			}
			r := &rolePut{p: k.p, name: &parent.Physical}
			err := r.drop(ctx, name)
			return r.receipt, err
		}
	}
	return providers.Receipt{}, nil
}

func iamTags(tags map[string]string) []types.Tag {
	out := make([]types.Tag, 0, len(tags))
	for _, k := range sortedKeys(tags) {
		out = append(out, types.Tag{Key: awssdk.String(k), Value: awssdk.String(tags[k])})
	}
	return out
}
