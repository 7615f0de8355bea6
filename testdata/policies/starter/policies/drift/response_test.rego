package policy.drift.response_test

import data.policy.drift.response

_item(kind_of_resource, path) := {
	"id": "i1", "resource": sprintf("%s/checkout", [kind_of_resource]), "kind_of_resource": kind_of_resource, "path": path,
	"kind": "changed", "rounds": 0, "open": false, "actor": {"known": true, "name": "user/ann", "event": "", "service": ""},
}

_do(item) := what if {
	actions := response.action with input.items as [item]
		with data.config.drift as {"break_glass": ["user/break-glass"], "ignore": [{"resource": "Function/*", "path": "tags.cost", "reason": "set by the cost tool"}]}
	what := {a.do | some a in actions}
}

test_left_to_the_catalogue if {
	_do(_item("Function", "memorySize")) == set()
	_do(_item("Concurrency", "reservedConcurrentExecutions")) == set()
}

test_put_back if {
	_do(_item("Alias", "functionVersion")) == {"revert"}
	_do(_item("Permission", "principal")) == {"revert"}
}

test_broken_glass if {
	broken := object.union(_item("Alias", "functionVersion"), {"actor": {"name": "user/break-glass"}})
	_do(broken) == {"revert", "hold"} # and hold wins
}

test_ignored if {
	_do(_item("Function", "tags.cost")) == {"ignore"}
}

test_not_fought_for_ever if {
	_do(object.union(_item("Alias", "functionVersion"), {"rounds": 3})) == {"revert", "hold"}
}
