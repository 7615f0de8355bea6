package policy.lib.stateful_test

import data.policy.lib.stateful

_change(resource, operation, risk) := {"resource": resource, "kind": split(resource, "/")[0], "operation": operation, "risk": risk}

test_deleted[name] if {
	some name, c in {
		"by its kind": _change("Queue/orders", "delete", []),
		"by its risk": _change("LogGroup/checkout", "delete", ["stateful"]),
	}
	some finding in stateful.deleted([c])
	finding.code == "stateful_deleted"
	finding.resource == c.resource
}

test_left_alone[name] if {
	some name, c in {
		"updated": _change("Queue/orders", "update", []),
		"holds nothing": _change("Function/checkout", "delete", []),
	}
	stateful.deleted([c]) == set()
}

test_replaced if {
	old := _change("Table/orders", "delete", [])
	some finding in stateful.replaced([old, _change("Table/orders2", "create", [])])
	finding.resource == "Table/orders"
	stateful.replaced([old, _change("Queue/orders", "create", [])]) == set()
	stateful.replaced([old]) == set()
}
