# METADATA
# title: What holds data
# description: |
#   Releases that would delete or replace what holds data: whatever the plan
#   calls stateful, and every queue, table and bucket.
package policy.lib.stateful

# METADATA
# title: deleted
# description: One finding for each resource with data in it that would be deleted.
# custom:
#   arguments:
#     changes: input.changes
deleted(changes) := {finding |
	some c in changes
	c.operation == "delete"
	_holds_data(c)
	finding := {
		"code": "stateful_deleted",
		"msg": sprintf("%s would be deleted with what is in it", [c.resource]),
		"resource": c.resource,
		"remediation": "keep it declared until it is empty and nobody needs it",
	}
}

# METADATA
# title: replaced
# description: |
#   One finding for each resource with data in it that would be deleted while
#   another of its kind is created: mostly one that was renamed.
# custom:
#   arguments:
#     changes: input.changes
replaced(changes) := {finding |
	some old in changes
	old.operation == "delete"
	_holds_data(old)
	some new in changes
	new.operation == "create"
	new.kind == old.kind
	finding := {
		"code": "stateful_replaced",
		"msg": sprintf("%s would be replaced by %s, which begins empty", [old.resource, new.resource]),
		"resource": old.resource,
		"remediation": "give the new one metadata.renamedFrom, or move the data first",
	}
}

_holds_data(c) if "stateful" in c.risk

_holds_data(c) if c.kind in {"Bucket", "Queue", "Table"}
