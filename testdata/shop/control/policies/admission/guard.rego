# What no release of the shop may do, in any environment.
package policy.admission.guard

import future.keywords.not

# A queue keeps its dead-letter queue: without it, an order that cannot be
# processed is lost.
deny contains finding if {
	some c in input.changes
	c.kind == "Queue"
	some f in c.fields
	startswith(f.path, "redrive")
	not _empty(f.before)
	_empty(f.after)
	finding := {
		"code": "no_dead_letter",
		"msg": sprintf("%s would lose its dead-letter queue", [c.resource]),
		"resource": c.resource,
		"path": f.path,
		"remediation": "keep spec.redrive of the queue",
	}
}

# Nobody but named principals may invoke the shop's functions; "*" only with a
# condition beside it (a source, an organisation, a function URL).
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
	not _empty(f.after)
}

# No role may do everything.
deny contains finding if {
	some c in input.changes
	c.kind == "Role"
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

# Functions stay within the shop's limits.
deny contains finding if {
	some c in input.changes
	c.kind == "Function"
	some f in c.fields
	limit := f.path
	limit in {"memorySize", "timeout"}
	f.after > to_number(data.config.limits[limit]) # a limit that is no number is an error, which closes
	finding := {
		"code": "over_limit",
		"msg": sprintf("%s: %s %v is more than %d", [c.resource, limit, f.after, data.config.limits[limit]]),
		"resource": c.resource,
		"path": f.path,
		"remediation": "stay within policies/data/limits.yaml, or raise the limit there",
	}
}

# A field that is taken away is null, or what the platform shows for nothing.
_empty(value) if value in {null, "", 0}
