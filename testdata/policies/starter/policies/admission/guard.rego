# What no commit may bring, into any environment. Asked when a commit arrives,
# with the plan of everything it would change.
package policy.admission.guard

import future.keywords.not

import data.policy.lib.stateful

# Data is not deleted, nor replaced by something empty, by merging a file.
deny contains finding if some finding in stateful.deleted(input.changes)

deny contains finding if some finding in stateful.replaced(input.changes)

# Nobody but named principals may invoke a function; "*" only with a condition
# beside it.
deny contains finding if {
	some c in input.changes
	c.kind == "Permission"
	some f in c.fields
	f.path == "principal"
	f.after == "*"
	not _conditional(c)
	finding := {
		"code": "open_permission",
		"msg": sprintf("%s would let anybody invoke the function", [c.resource]),
		"resource": c.resource,
		"path": f.path,
		"remediation": "name the principal, or use a function URL with authType AWS_IAM",
	}
}

_conditional(c) if {
	some f in c.fields
	f.path in {"sourceArn", "sourceAccount", "principalOrgID", "functionUrlAuthType"}
	f.after != null
	f.after != ""
}

# No role may do everything.
deny contains finding if {
	some c in input.changes
	c.kind in {"Role", "Policy"}
	some f in c.fields
	walk(f.after, [path, "*"])
	"Action" in path
	finding := {
		"code": "wildcard_action",
		"msg": sprintf("%s would be allowed every action", [c.resource]),
		"resource": c.resource,
		"path": f.path,
		"remediation": "list the actions the code needs",
	}
}
