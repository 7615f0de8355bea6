package aws

import (
	"context"
	"encoding/json"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// roleKind is an IAM role: who may take it on, one inline policy of ours, and
// what is attached. All documents are compared by meaning.
type roleKind struct{ p *Provider }

func (k roleKind) rights() []rights.Row {
	granting := toManage(roleARN, "iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy")
	granting.Bounded, granting.Why = true, "who may write a role without a boundary may do whatever the role may be given"
	freeing := toManage(roleARN, "iam:DeleteRolePermissionsBoundary")
	freeing.Freed, freeing.Why = true, "of roles that declare no boundary"
	dropping, emptying := toDetach(roleARN, "iam:DeleteRolePolicy"), toDelete(roleARN, "iam:DeleteRolePolicy", "iam:DetachRolePolicy")
	dropping.Bounded, emptying.Bounded = true, true
	return []rights.Row{
		always(toObserve(everything, "iam:GetAccountAuthorizationDetails", "iam:ListRoles")),
		toObserve(roleARN, "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"),
		toManage(roleARN, "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole"),
		granting, freeing, dropping, emptying,
		toDelete(roleARN, "iam:DeleteRole"),
	}
}

// inlinePolicy is the name of the inline policy made of RoleSpec.Statements.
const inlinePolicy = "mooring"

// KindPolicy names an inline policy on a role that nobody declared.
const KindPolicy = "Policy"

type role struct {
	trust, statements json.RawMessage // canonical; `""` when there are none
	attached          []string
	description       string
	path, boundary    string
	session           int // seconds
}

var roleMembers = []member[role]{
	{"assumeRolePolicyDocument", func(r *role) any { return r.trust }, func(d, s *role) { d.trust = s.trust }},
	{"description", func(r *role) any { return r.description }, func(d, s *role) { d.description = s.description }},
	{"managedPolicyArns", func(r *role) any { return set(r.attached) }, func(d, s *role) { d.attached = s.attached }},
	{"maxSessionDuration", func(r *role) any { return r.session }, func(d, s *role) { d.session = s.session }},
	{"path", func(r *role) any { return r.path }, func(d, s *role) { d.path = s.path }},
	{"permissionsBoundary", func(r *role) any { return r.boundary }, func(d, s *role) { d.boundary = s.boundary }},
	{"statements", func(r *role) any { return r.statements }, func(d, s *role) { d.statements = s.statements }},
}

// declaredRole is a manifest's role, and its documents as they are written.
func declaredRole(res manifest.Resource, b *builder) (r role, trust, inline map[string]any, err error) {
	spec, ok := res.Spec.(*manifest.RoleSpec)
	if !ok {
		return role{}, nil, nil, wrongSpec(res)
	}
	trust = defaultTrust()
	if len(spec.AssumeRolePolicy) > 0 {
		trust, _ = resolveDocument(spec.AssumeRolePolicy, b).(map[string]any)
		if _, ok := trust["Version"]; !ok {
			trust["Version"] = policyVersion
		}
	}
	if len(spec.Statements) > 0 {
		var statements []any
		for _, s := range spec.Statements {
			statements = append(statements, resolveDocument(s, b))
		}
		inline = map[string]any{"Version": policyVersion, "Statement": statements}
	}
	return role{
		trust: canonicalPolicy(trust), statements: canonicalPolicy(inline), attached: spec.ManagedPolicyArns,
		description: spec.Description, path: orElse(spec.Path, "/"), session: orElse(spec.MaxSessionDuration, 3600),
		boundary: spec.PermissionsBoundary,
	}, trust, inline, nil
}

// declaredPolicies are the further inline policies as they are written.
func declaredPolicies(spec *manifest.RoleSpec, b *builder) map[string]map[string]any {
	out := make(map[string]map[string]any, len(spec.InlinePolicies))
	for name, document := range spec.InlinePolicies {
		d, _ := resolveDocument(document, b).(map[string]any)
		if d == nil {
			d = map[string]any{}
		}
		if _, ok := d["Version"]; !ok {
			d["Version"] = policyVersion
		}
		out[name] = d
	}
	return out
}

func defaultTrust() map[string]any {
	return map[string]any{"Version": policyVersion, "Statement": []any{map[string]any{
		"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "lambda.amazonaws.com"},
	}}}
}

func (k roleKind) canonical(res manifest.Resource, b *builder) error {
	r, _, _, err := declaredRole(res, b)
	if err != nil {
		return err
	}
	each(b, roleMembers, &r)
	spec := res.Spec.(*manifest.RoleSpec)
	for name, document := range declaredPolicies(spec, b) {
		b.set(keyPath("inlinePolicies", name), canonicalPolicy(document))
	}
	setTags(b, spec.Tags, spec.Tags)
	return nil
}

// roleLook is a role as one look or the bulk listing shows it.
type roleLook struct {
	role    types.Role
	inline  map[string]string // documents by policy name, as AWS hands them out
	arns    []string
	partial bool // description and session duration are not shown
	at      time.Time
	details time.Time // when description and session duration were looked at
	touched int
}

// lookRole asks for one role: four calls or more.
func (p *Provider) lookRole(ctx context.Context, cl *clients, name string) (*roleLook, error) {
	at := p.o.Now()
	out, err := cl.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	l := &roleLook{role: *out.Role, inline: map[string]string{}, at: at, details: at}
	policies := iam.NewListRolePoliciesPaginator(cl.iam, &iam.ListRolePoliciesInput{RoleName: &name})
	for policies.HasMorePages() {
		page, err := policies.NextPage(ctx)
		if err != nil {
			return nil, classify(err)
		}
		for _, policy := range page.PolicyNames {
			document, err := cl.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: &policy})
			if isAbsent(err) {
				continue
			}
			if err != nil {
				return nil, classify(err)
			}
			l.inline[policy] = awssdk.ToString(document.PolicyDocument)
		}
	}
	attached := iam.NewListAttachedRolePoliciesPaginator(cl.iam, &iam.ListAttachedRolePoliciesInput{RoleName: &name})
	for attached.HasMorePages() {
		page, err := attached.NextPage(ctx)
		if err != nil {
			return nil, classify(err)
		}
		for _, policy := range page.AttachedPolicies {
			l.arns = append(l.arns, awssdk.ToString(policy.PolicyArn))
		}
	}
	return l, nil
}

// lookRoleDetails asks for what the bulk leaves out of a role it has shown:
// one call instead of four.
func (p *Provider) lookRoleDetails(ctx context.Context, cl *clients, name string, l *roleLook) (*roleLook, error) {
	out, err := cl.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	if awssdk.ToString(out.Role.RoleId) != awssdk.ToString(l.role.RoleId) {
		return p.lookRole(ctx, cl, name) // made again meanwhile
	}
	fresh := *l
	fresh.role.Description, fresh.role.MaxSessionDuration = out.Role.Description, out.Role.MaxSessionDuration
	fresh.details, fresh.partial = p.o.Now(), false
	return &fresh, nil
}

func (l *roleLook) tags() map[string]string {
	tags := map[string]string{}
	for _, t := range l.role.Tags {
		tags[awssdk.ToString(t.Key)] = awssdk.ToString(t.Value)
	}
	return tags
}

// live reads a role. A document that cannot be read is unseen, not absent.
func (k roleKind) live(res manifest.Resource, l *roleLook) providers.Live {
	b := k.p.builder(nil)
	r := role{
		attached: l.arns, description: awssdk.ToString(l.role.Description), path: orElse(awssdk.ToString(l.role.Path), "/"),
		session: orElse(int(awssdk.ToInt32(l.role.MaxSessionDuration)), 3600), statements: canonicalPolicy(nil),
	}
	if l.role.PermissionsBoundary != nil {
		r.boundary = awssdk.ToString(l.role.PermissionsBoundary.PermissionsBoundaryArn)
	}
	read := func(path, text string) json.RawMessage {
		document, err := parsePolicy(text)
		if err != nil {
			b.unseen[path] = "not a policy document"
			return canonicalPolicy(nil)
		}
		return canonicalPolicy(document)
	}
	r.trust = read("assumeRolePolicyDocument", awssdk.ToString(l.role.AssumeRolePolicyDocument))
	if text, ok := l.inline[inlinePolicy]; ok {
		r.statements = read("statements", text)
	}
	each(b, roleMembers, &r)
	if l.partial {
		b.unseen["description"], b.unseen["maxSessionDuration"] = "not in the bulk listing", "not in the bulk listing"
	}
	for path := range b.unseen {
		delete(b.fields, path)
	}
	if spec, ok := res.Spec.(*manifest.RoleSpec); ok {
		setTags(b, spec.Tags, l.tags())
		for name := range spec.InlinePolicies {
			if text, ok := l.inline[name]; ok {
				b.set(keyPath("inlinePolicies", name), readable(text))
			}
		}
	}
	live := b.live()
	live.Guard = l.guard()
	live.Owner = ownerOf(l.tags())
	live.SeenAt = l.at
	live.Attributes = map[string]string{
		"arn": awssdk.ToString(l.role.Arn), "name": awssdk.ToString(l.role.RoleName), "id": awssdk.ToString(l.role.RoleId),
	}
	remember(&k.p.memory, k.p.memory.known, res.Ref, live.Attributes)
	return live
}

// guard holds while what both kinds of look show is the same: a role made
// anew under the same name is another one.
func (l *roleLook) guard() providers.Guard {
	boundary := ""
	if l.role.PermissionsBoundary != nil {
		boundary = awssdk.ToString(l.role.PermissionsBoundary.PermissionsBoundaryArn)
	}
	documents := map[string]any{"": readable(awssdk.ToString(l.role.AssumeRolePolicyDocument))}
	for name, text := range l.inline {
		documents[name] = readable(text)
	}
	return seen([]any{awssdk.ToString(l.role.RoleId), boundary, documents, set(l.arns), l.tags()})
}

func readable(text string) any {
	document, err := parsePolicy(text)
	if err != nil {
		return text
	}
	return canonicalPolicy(document)
}

func (k roleKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	l, err := k.p.lookRole(ctx, cl, res.Physical)
	if err != nil || l == nil {
		return providers.Live{}, err
	}
	return k.live(res, l), nil
}

// extras are inline policies nobody declared: they grant rights.
func (k roleKind) extras(parent manifest.Resource, l *roleLook) []providers.Extra {
	var out []providers.Extra
	spec, _ := parent.Spec.(*manifest.RoleSpec)
	for _, name := range sortedKeys(l.inline) {
		if name == inlinePolicy || spec != nil && spec.InlinePolicies[name] != nil {
			continue
		}
		b := k.p.builder(nil)
		b.set("statements", readable(l.inline[name]))
		spec := b.spec()
		out = append(out, providers.Extra{
			Ref: manifest.Ref{Kind: KindPolicy, Name: parent.Ref.Name + "." + name}, Parent: parent.Ref,
			Spec: spec, Guard: seen(spec.Fields), Open: true,
		})
	}
	return out
}
