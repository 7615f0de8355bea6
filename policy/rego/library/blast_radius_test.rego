package policy.lib.blast_radius_test

import data.policy.lib.blast_radius

_summary := {"created": 1, "updated": 2, "deleted": 3, "stateful_deleted": 0}

test_counts_all if {
	blast_radius.touched(_summary) == 6
	blast_radius.require(_summary, 6) == set()
}

test_too_much if {
	some item in blast_radius.require(_summary, 5)
	item.kind == "approval"
	item.have == 6
}

test_destroys if {
	changes := [
		{"resource": "Queue/orders", "kind": "Queue", "operation": "delete"},
		{"resource": "Queue/mails", "kind": "Queue", "operation": "update"},
		{"resource": "Function/checkout", "kind": "Function", "operation": "delete"},
	]
	some finding in blast_radius.destroyed(changes, {"Queue", "Table"})
	finding.resource == "Queue/orders"
	count(blast_radius.destroyed(changes, {"Queue", "Table"})) == 1
}
