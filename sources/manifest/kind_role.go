package manifest

import (
	"slices"
	"strings"
)

func roleKind() *kind {
	return newKind[RoleSpec](kind{
		name:       KindRole,
		summary:    "An IAM role with inline statements, to be shared by functions. A function's own role is better declared in the function.",
		nameRule:   rule{required: true, maxLen: 64, match: patterns["roleName"]},
		limit:      64,
		attributes: []string{"arn", "name"},
		expand:     func(x *expansion) { spec := x.written.(*RoleSpec).normal(); x.top(spec, spec.refs()) },
		example: `apiVersion: mooring.dev/v1
kind: Role
metadata: {name: reporting}
spec:
  statements:
    - Effect: Allow
      Action: [s3:GetObject]
      Resource: "arn:aws:s3:::shop-reports/*"
`,
	})
}

// LambdaTrust is who may take a role that does not say: Lambda.
func LambdaTrust() map[string]any { return serviceTrust("lambda.amazonaws.com") }

func serviceTrust(service string) map[string]any {
	return map[string]any{
		"Version": "2012-10-17",
		"Statement": []any{map[string]any{
			"Effect":    "Allow",
			"Principal": map[string]any{"Service": service},
			"Action":    "sts:AssumeRole",
		}},
	}
}

// normal is the spec with its defaults, not shared with the written one.
func (r *RoleSpec) normal() *RoleSpec {
	out := *r
	out.Statements = slices.Clone(r.Statements)
	if out.AssumeRolePolicy == nil {
		out.AssumeRolePolicy = LambdaTrust()
	}
	return &out
}

func (r *RoleSpec) refs() []Ref {
	refs := documentRefs(nil, r.AssumeRolePolicy)
	for _, s := range r.Statements {
		refs = documentRefs(refs, s)
	}
	return documentRefs(refs, r.InlinePolicies)
}

// maxInline is what AWS allows for all inline policies of a role together.
const maxInline = 10_240

func (r *RoleSpec) check(d *decoder, n *node) {
	sids := map[string]bool{}
	list := n.get("statements")
	d.push("statements")
	size := 0
	for i, s := range r.Statements {
		d.push("[" + itoa(i) + "]")
		checkStatement(d, list.items[i], s, sids)
		size += len(appendCanonical(nil, s))
		d.pop()
	}
	d.pop()
	size += r.checkInline(d, n.get("inlinePolicies"))
	d.push("statements")
	if size > maxInline {
		at := n.pos()
		if list != nil {
			at = list.pos()
		}
		d.fault(at, "the statements are longer than the 10,240 characters AWS allows", "move some into a managed policy")
	}
	d.pop()
	checkTags(d, n.get("tags"), r.Tags)
	checkDocument(d, n.get("assumeRolePolicy"), r.AssumeRolePolicy)
}

// ownPolicy is the name of the inline policy that statements make.
const ownPolicy = "mooring"

// checkInline holds inline policies against IAM's grammar; size is what they
// count for.
func (r *RoleSpec) checkInline(d *decoder, n *node) (size int) {
	if n == nil {
		return 0
	}
	d.push("inlinePolicies")
	defer d.pop()
	for _, e := range n.entries {
		d.push(e.key)
		doc, ok := r.InlinePolicies[e.key].(map[string]any)
		switch {
		case e.key == ownPolicy:
			d.fault(e.pos(), "is the policy that statements make", "write its statements there")
		case !patterns["roleName"].re.MatchString(e.key) || len(e.key) > 128:
			d.fault(e.pos(), "is no name of a policy", "want at most 128 of "+patterns["roleName"].want)
		case !ok:
			d.wrongType(e.value, "a policy document", "as {Version: \"2012-10-17\", Statement: [...]}")
		default:
			checkDocument(d, e.value, doc)
			size += len(appendCanonical(nil, doc))
		}
		d.pop()
	}
	return size
}

var statementElements = []string{"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}

// checkStatement holds an identity statement against IAM's grammar, as far
// as a mistake there would only show when it is too late.
func checkStatement(d *decoder, n *node, s map[string]any, sids map[string]bool) {
	for _, e := range n.entries {
		if !slices.Contains(statementElements, e.key) {
			d.fault(e.pos(), "unknown element "+quote(e.key), statementHint(e.key))
		}
	}
	if s["Effect"] != "Allow" && s["Effect"] != "Deny" {
		d.fault(n.pos(), "needs Effect: Allow or Effect: Deny", "")
	}
	oneOf(d, n, s, "Action")
	oneOf(d, n, s, "Resource")
	sid, _ := s["Sid"].(string)
	switch {
	case sid == "":
	case strings.HasPrefix(sid, ownSid):
		d.fault(n.get("Sid").pos(), "Sid "+quote(sid)+" is taken", "Sids beginning "+ownSid+" are Mooring's own")
	case sids[sid]:
		d.fault(n.get("Sid").pos(), "Sid "+quote(sid)+" stands twice", "")
	}
	sids[sid] = true
}

func statementHint(key string) string {
	if key == "Principal" || key == "NotPrincipal" {
		return "a role's statements have no principal: the role is it"
	}
	return didYouMean(key, statementElements)
}

// oneOf wants an element or its negation.
func oneOf(d *decoder, n *node, s map[string]any, element string) {
	_, yes := s[element]
	_, not := s["Not"+element]
	if yes == not {
		d.fault(n.pos(), "needs "+element+" or Not"+element+", and not both", "")
	}
}

// checkDocument holds a whole policy document against IAM's grammar.
func checkDocument(d *decoder, n *node, doc map[string]any) {
	if doc == nil || n == nil {
		return
	}
	for _, e := range n.entries {
		if e.key != "Version" && e.key != "Id" && e.key != "Statement" {
			d.fault(e.pos(), "unknown element "+quote(e.key), didYouMean(e.key, []string{"Version", "Id", "Statement"}))
		}
	}
	if _, found := doc["Statement"]; !found {
		d.fault(n.pos(), "needs Statement", "")
	}
}

// documentRefs adds the references inside a document of another language.
func documentRefs(refs []Ref, x any) []Ref {
	switch x := x.(type) {
	case map[string]any:
		if ref, ok := DocumentRef(x); ok {
			return append(refs, ref)
		}
		for _, value := range x {
			refs = documentRefs(refs, value)
		}
	case []any:
		for _, value := range x {
			refs = documentRefs(refs, value)
		}
	}
	return refs
}

// DocumentRef recognises {"ref": "Kind/name"}, with an "attribute" or
// without, as it stands inside a policy document of a normal spec.
func DocumentRef(x map[string]any) (Ref, bool) {
	text, ok := x["ref"].(string)
	if !ok || len(x) > 2 {
		return Ref{}, false
	}
	if _, has := x["attribute"]; len(x) == 2 && !has {
		return Ref{}, false
	}
	ref, err := ParseRef(text)
	return ref, err == nil
}
