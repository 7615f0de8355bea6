package policy.admission.guard_test

import data.policy.admission.guard

_change(resource, operation, fields) := {
	"resource": resource, "kind": split(resource, "/")[0], "operation": operation, "risk": [],
	"fields": [{"path": path, "before": null, "after": after} | some path, after in fields],
}

# A test replaces the input with as much of it as the rule reads.
_codes(changes) := codes if {
	found := guard.deny with input.changes as changes
	codes := {f.code | some f in found}
}

test_queue_deleted if {
	_codes([_change("Queue/orders", "delete", {})]) == {"stateful_deleted"}
}

test_queue_renamed if {
	changes := [_change("Queue/orders", "delete", {}), _change("Queue/orders2", "create", {})]
	_codes(changes) == {"stateful_deleted", "stateful_replaced"}
}

test_function_deleted if {
	_codes([_change("Function/checkout", "delete", {})]) == set()
}

test_open_permission if {
	_codes([_change("Permission/checkout.all", "create", {"principal": "*"})]) == {"open_permission"}
}

test_named_or_conditional if {
	_codes([_change("Permission/checkout.sns", "create", {"principal": "sns.amazonaws.com"})]) == set()
	_codes([_change("Permission/checkout.org", "create", {"principal": "*", "principalOrgID": "o-1"})]) == set()
	_codes([_change("Permission/checkout.all", "create", {"principal": "*", "sourceArn": ""})]) == {"open_permission"}
}

test_wildcard_action if {
	_codes([_change("Role/checkout", "update", {"statements": [{"Effect": "Allow", "Action": ["sqs:*", "*"]}]})]) == {"wildcard_action"}
	_codes([_change("Role/checkout", "update", {"statements": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]})]) == set()
}
