package policy.admission.plan_test

import data.policy.admission.plan

_change(resource, operation, fields) := {
	"resource": resource, "kind": split(resource, "/")[0], "operation": operation, "risk": [], "fields": fields,
}

_denied(changes) := codes if {
	found := plan.deny with input.changes as changes
	codes := {f.code | some f in found}
}

_key(before, after) := [{"path": "environment.STRIPE_KEY", "before": before, "after": after, "sensitive": true}]

test_queue if _denied([_change("Queue/orders", "delete", [])]) == {"stateful_deleted"}

test_key if {
	_denied([_change("Function/checkout", "update", _key("token:1", "token:2"))]) == {"key_changed"}
	_denied([_change("Function/checkout", "update", _key("token:1", "token:1"))]) == set()
}

test_warns if count(plan.warn) == 1 with input.summary.deleted as 1
