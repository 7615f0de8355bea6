package aws

import (
	"context"
	"encoding/json"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// permissionKind is one statement of the resource policy of a function's
// alias. A statement cannot be changed: it is taken away and added anew.
type permissionKind struct{ p *Provider }

func (k permissionKind) rights() []rights.Row {
	return []rights.Row{
		toObserve(functionARN, "lambda:GetFunction", "lambda:GetPolicy"),
		toManage(functionARN, "lambda:AddPermission", "lambda:RemovePermission"),
	}
}

// permission is a statement, taken apart.
type permission struct {
	action, principal        string
	sourceArn, sourceAccount string
	orgID, urlAuth, token    string
	viaURL                   bool
	rest                     json.RawMessage // what a manifest cannot say
}

func (s *permission) fields(b *builder) {
	b.set("action", s.action)
	b.set("principal", s.principal)
	b.set("sourceArn", s.sourceArn)
	b.set("sourceAccount", s.sourceAccount)
	b.set("principalOrgID", s.orgID)
	b.set("functionUrlAuthType", s.urlAuth)
	b.set("eventSourceToken", "")
	if s.token != "" {
		b.token("eventSourceToken", s.token)
	}
	b.set("invokedViaFunctionUrl", s.viaURL)
	if s.rest != nil {
		b.set("statement", s.rest)
	}
}

func (k permissionKind) declared(res manifest.Resource, b *builder) (*permission, *manifest.PermissionSpec, error) {
	spec, ok := res.Spec.(*manifest.PermissionSpec)
	if !ok {
		return nil, nil, wrongSpec(res)
	}
	return &permission{
		action: orElse(spec.Action, "lambda:InvokeFunction"), principal: principalName(spec.Principal),
		sourceArn: b.value(spec.SourceArn), sourceAccount: spec.SourceAccount, orgID: spec.PrincipalOrgID,
		urlAuth: spec.FunctionURLAuthType, token: spec.EventSourceToken, viaURL: spec.InvokedViaFunctionURL,
	}, spec, nil
}

func (k permissionKind) canonical(res manifest.Resource, b *builder) error {
	s, _, err := k.declared(res, b)
	if err != nil {
		return err
	}
	s.fields(b)
	return nil
}

// policyLook is the resource policy of a function or one of its aliases.
type policyLook struct {
	revision   string
	statements []map[string]any
}

func (l *policyLook) list() []map[string]any {
	if l == nil {
		return nil
	}
	return l.statements
}

// statement finds one by its id. Emulators hand out the statements of all
// qualifiers together, so its resource must be the one asked for.
func (l *policyLook) statement(sid, qualifier string) map[string]any {
	for _, s := range l.statements {
		if s["Sid"] == sid && statementQualifier(s) == qualifier {
			return s
		}
	}
	return nil
}

func statementQualifier(s map[string]any) string {
	resource, _ := s["Resource"].(string)
	_, q := functionOf(resource)
	return q
}

// lookPolicy asks for the policy of a qualifier, "" for the function itself.
func (p *Provider) lookPolicy(ctx context.Context, cl *clients, physical, qualifier string) (*policyLook, error) {
	in := &lambda.GetPolicyInput{FunctionName: &physical}
	if qualifier != "" {
		in.Qualifier = &qualifier
	}
	out, err := cl.lambda.GetPolicy(ctx, in)
	if isAbsent(err) {
		return &policyLook{}, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	document, err := parsePolicy(awssdk.ToString(out.Policy))
	if err != nil {
		return nil, err
	}
	l := &policyLook{revision: awssdk.ToString(out.RevisionId)}
	if p.o.Emulator == "moto" {
		l.revision = "" // it hands out one and checks another
	}
	for _, s := range statementsOf(document["Statement"]) {
		if statementQualifier(s) == qualifier {
			l.statements = append(l.statements, s)
		}
	}
	return l, nil
}

// livePermission takes a statement apart. What does not fit is kept whole, so
// that nothing passes for what it is not.
func livePermission(s map[string]any) *permission {
	out := &permission{}
	fits := s["Effect"] == "Allow"
	if actions := uniqueStrings(s["Action"], nil); len(actions) == 1 {
		out.action = actions[0]
	} else {
		fits = false
	}
	principals, isMap := s["Principal"].(map[string]any)
	switch {
	case !isMap:
		name, _ := s["Principal"].(string)
		out.principal = principalName(name)
		fits = fits && out.principal != ""
	case len(principals) == 1:
		for _, v := range principals {
			names := uniqueStrings(v, principalName)
			out.principal = strings.Join(names, ",")
			fits = fits && len(names) == 1
		}
	default:
		fits = false
	}
	for key := range s {
		switch key {
		case "Sid", "Effect", "Action", "Principal", "Resource", "Condition":
		default:
			fits = false
		}
	}
	if !out.conditions(s["Condition"]) || !fits {
		out.rest = json.RawMessage(canonicalJSON(canonicalStatement(s)))
	}
	return out
}

// conditions reads the conditions AddPermission makes; false for any other.
func (p *permission) conditions(v any) bool {
	fits := true
	for operator, keys := range canonicalCondition(v) {
		for key, values := range keys.(map[string]any) {
			list, _ := values.([]string)
			if len(list) != 1 {
				fits = false
				continue
			}
			switch strings.ToLower(operator) + " " + key {
			case "arnlike aws:sourcearn":
				p.sourceArn = list[0]
			case "stringequals aws:sourceaccount":
				p.sourceAccount = list[0]
			case "stringequals aws:principalorgid":
				p.orgID = list[0]
			case "stringequals lambda:functionurlauthtype":
				p.urlAuth = list[0]
			case "stringequals lambda:eventsourcetoken":
				p.token = list[0]
			case "bool lambda:invokedviafunctionurl":
				p.viaURL = list[0] == "true"
			default:
				fits = false
			}
		}
	}
	return fits
}

// open: anybody may call.
func (p *permission) open() bool {
	return p.principal == "*" && p.sourceArn == "" && p.sourceAccount == "" && p.orgID == "" && p.token == "" && p.urlAuth != "AWS_IAM"
}

func (k permissionKind) live(ref manifest.Ref, s map[string]any, parent providers.Owner) providers.Live {
	b := k.p.builder(nil)
	livePermission(s).fields(b)
	live := b.live()
	live.Guard = statementGuard(s)
	live.Owner = childOwner(parent, ref)
	live.Attributes["id"], _ = s["Sid"].(string)
	live.Attributes["name"] = live.Attributes["id"]
	return live
}

// statementGuard holds while the statement is the same. The policy has a
// revision of its own, which every other statement moves too; the write takes
// that one freshly.
func statementGuard(s map[string]any) providers.Guard { return seen(s) }

func (k permissionKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	spec, ok := res.Spec.(*manifest.PermissionSpec)
	if !ok {
		return providers.Live{}, wrongSpec(res)
	}
	parent, err := k.p.lookOrRecall(ctx, cl, res.Physical)
	if err != nil || parent.absent {
		return providers.Live{}, err
	}
	at := k.p.o.Now()
	q := qualifierOf(res, spec.Alias)
	l, err := k.p.lookPolicy(ctx, cl, res.Physical, q)
	if err != nil {
		return providers.Live{}, err
	}
	s := l.statement(res.Key, q)
	if s == nil {
		return providers.Live{}, nil
	}
	live := k.live(res.Ref, s, parent.owner())
	live.SeenAt = at
	return live, nil
}

func (k permissionKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	b := k.p.builder(c.Bindings)
	want, spec, err := k.declared(c.Resource, b)
	if err != nil {
		return providers.Receipt{}, err
	}
	want.fields(b)
	form := b.spec()
	if err := refuseUnbound(form); err != nil {
		return providers.Receipt{}, err
	}
	if _, err := k.p.parentLook(ctx, c.Resource, c.Adopt || c.Resource.Adopt); err != nil {
		return providers.Receipt{}, err
	}
	q := qualifierOf(c.Resource, spec.Alias)
	l, err := k.p.lookPolicy(ctx, k.p.front, c.Resource.Physical, q)
	if err != nil {
		return providers.Receipt{}, err
	}
	var total providers.Receipt
	if now := l.statement(c.Resource.Key, q); now != nil {
		if err := holds(c.Guard, statementGuard(now)); err != nil {
			return providers.Receipt{}, err
		}
		if k.live(c.Resource.Ref, now, providers.Owner{}).Spec.Digest == form.Digest {
			return providers.Receipt{}, nil
		}
		if total, err = k.drop(ctx, c.Resource.Physical, q, c.Resource.Key, l.revision); err != nil {
			return total, err
		}
		if l, err = k.p.lookPolicy(ctx, k.p.front, c.Resource.Physical, q); err != nil {
			return total, err
		}
	} else if c.Guard != "" {
		return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
	}
	out, err := k.p.front.lambda.AddPermission(ctx, want.input(c.Resource, q, l.revision))
	if err != nil {
		return total, classify(err)
	}
	total.RequestIDs = append(total.RequestIDs, receipt(out.ResultMetadata).RequestIDs...)
	return total, nil
}

func (p *permission) input(res manifest.Resource, qualifier, revision string) *lambda.AddPermissionInput {
	in := &lambda.AddPermissionInput{
		FunctionName: &res.Physical, StatementId: &res.Key, Action: &p.action, Principal: &p.principal,
		Qualifier: optional(qualifier), RevisionId: optional(revision), SourceArn: optional(p.sourceArn),
		SourceAccount: optional(p.sourceAccount), PrincipalOrgID: optional(p.orgID), EventSourceToken: optional(p.token),
		FunctionUrlAuthType: types.FunctionUrlAuthType(p.urlAuth),
	}
	if p.viaURL {
		in.InvokedViaFunctionUrl = awssdk.Bool(true)
	}
	return in
}

func (k permissionKind) drop(ctx context.Context, physical, qualifier, sid, revision string) (providers.Receipt, error) {
	in := &lambda.RemovePermissionInput{FunctionName: &physical, StatementId: &sid}
	if qualifier != "" {
		in.Qualifier = &qualifier
	}
	if revision != "" {
		in.RevisionId = &revision
	}
	out, err := k.p.front.lambda.RemovePermission(ctx, in)
	if isAbsent(err) {
		return providers.Receipt{}, nil
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

func (k permissionKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	spec, ok := res.Spec.(*manifest.PermissionSpec)
	if !ok {
		return providers.Receipt{}, wrongSpec(res)
	}
	parent, err := k.p.look(ctx, k.p.front, res.Physical)
	if err != nil || parent.absent {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(parent.owner()); err != nil {
		return providers.Receipt{}, err
	}
	return k.dropGuarded(ctx, res.Physical, qualifierOf(res, spec.Alias), res.Key, guard)
}

func (k permissionKind) dropGuarded(ctx context.Context, physical, qualifier, sid string, guard providers.Guard) (providers.Receipt, error) {
	l, err := k.p.lookPolicy(ctx, k.p.front, physical, qualifier)
	if err != nil {
		return providers.Receipt{}, err
	}
	now := l.statement(sid, qualifier)
	if now == nil {
		return providers.Receipt{}, nil
	}
	if err := holds(guard, statementGuard(now)); err != nil {
		return providers.Receipt{}, err
	}
	return k.drop(ctx, physical, qualifier, sid, l.revision)
}
