package policy.admission.guard_test

import data.policy.admission.guard

_change(kind, path, before, after) := [{
	"resource": sprintf("%s/orders", [kind]), "kind": kind, "operation": "update", "cause": "commit", "risk": [],
	"fields": [{"path": path, "before": before, "after": after, "sensitive": false}],
	"artifact": {"before": "", "after": ""},
}]

_codes(changes) := codes if {
	found := guard.deny with input.changes as changes
	codes := {f.code | some f in found}
}

test_dead_letter_removed if {
	_codes(_change("Queue", "redrive", {"maxReceiveCount": 5}, null)) == {"no_dead_letter"}
	_codes(_change("Queue", "redrivePolicy.deadLetterTargetArn", "arn:aws:sqs:eu-west-1:111111111111:d", "")) == {"no_dead_letter"}
	_codes(_change("Queue", "redrivePolicy.maxReceiveCount", 5, 0)) == {"no_dead_letter"}
}

test_dead_letter_changed if {
	_codes(_change("Queue", "redrive", {"maxReceiveCount": 5}, {"maxReceiveCount": 3})) == set()
}

test_never_had_one if {
	_codes(_change("Queue", "redrivePolicy.deadLetterTargetArn", null, "")) == set()
}

test_other_queue_field_removed if {
	_codes(_change("Queue", "policy", {"Statement": []}, null)) == set()
}

test_open_permission if {
	_codes(_change("Permission", "principal", null, "*")) == {"open_permission"}
	_codes(_change("Permission", "principal", null, "sns.amazonaws.com")) == set()
}

test_conditional_permission if {
	some change in _change("Permission", "principal", null, "*")
	source := {"path": "sourceArn", "before": null, "after": "arn:aws:sns:eu-west-1:111111111111:t", "sensitive": false}
	_codes([object.union(change, {"fields": array.concat(change.fields, [source])})]) == set()

	# An empty condition is none.
	nothing := object.union(source, {"after": ""})
	_codes([object.union(change, {"fields": array.concat(change.fields, [nothing])})]) == {"open_permission"}
}

test_closing_a_permission if {
	_codes(_change("Permission", "principal", "*", "sns.amazonaws.com")) == set()
}

test_wildcard_action if {
	document := {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["sqs:SendMessage", "*"], "Resource": "*"}]}
	_codes(_change("Role", "statements", "", document)) == {"wildcard_action"}
	_codes(_change("Role", "statements", [], {"Action": "*"})) == {"wildcard_action"}
}

test_wildcard_resource_is_another_matter if {
	statements := [{"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": "*"}]
	_codes(_change("Role", "statements", [], statements)) == set()
}

test_limits if {
	_codes(_change("Function", "memorySize", 512, 1024)) == set()
	_codes(_change("Function", "memorySize", 512, 1025)) == {"over_limit"}
	_codes(_change("Function", "timeout", 3, 61)) == {"over_limit"}
	_codes(_change("Function", "timeout", 900, 60)) == set()
	_codes(_change("Function", "description", 3, 61)) == set()
}

