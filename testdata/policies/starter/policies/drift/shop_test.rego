package policy.drift.shop_test

import data.policy.drift.shop

_item(kind_of_resource, path, kind) := {
	"id": "i1", "resource": sprintf("%s/checkout", [kind_of_resource]), "kind_of_resource": kind_of_resource,
	"path": path, "kind": kind, "declared": "a", "live": "b", "rounds": 0, "open": false, "default": "alert",
}

_do(item) := what if {
	actions := shop.action with input.items as [item]
	what := {a.do | some a in actions}
}

test_reverted[name] if {
	some name, item in {
		"a variable": _item("Function", "environment.LOG_LEVEL", "changed"),
		"a variable more": _item("Function", "environment.DEBUG", "extra"),
		"the code": _item("Function", "code", "changed"),
		"the weights": _item("Alias", "routingConfig", "changed"),
		"the version": _item("Alias", "functionVersion", "changed"),
		"a mapping more": _item("Trigger", "", "extra"),
		"a permission more": _item("Permission", "", "extra"),
		"a permission less": _item("Permission", "", "missing"),
		"a public address": _item("Url", "", "extra"),
	}
	_do(item) == {"revert"}
}

test_left_to_the_catalogue[name] if {
	some name, item in {
		"the kill switch": _item("Concurrency", "reservedConcurrentExecutions", "changed"),
		"a limit more": _item("Concurrency", "", "extra"),
		"more memory": _item("Function", "memorySize", "changed"),
		"more time": _item("Function", "timeout", "changed"),
		"a trigger switched off": _item("Trigger", "enabled", "changed"),
		"logging": _item("Function", "loggingConfig.applicationLogLevel", "changed"),
	}
	_do(item) == set()
}

test_not_fought_for_ever if {
	_do(object.union(_item("Function", "environment.LOG_LEVEL", "changed"), {"rounds": 3})) == {"revert", "hold"}
}
