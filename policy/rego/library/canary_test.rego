package policy.lib.canary_test

import data.policy.lib.canary

_staged := {"known": true, "strategy": "canary", "stages": 3, "first_weight": 10}

_change(operation, tier, traffic) := {
	"resource": "Function/checkout", "kind": "Function", "operation": operation,
	"labels": {"tier": tier}, "traffic": object.union(_staged, traffic),
}

test_staged if {
	canary.missing([_change("update", "critical", {})], {"critical"}) == set()
	canary.steep([_change("update", "critical", {})], {"critical"}, 10) == set()
}

test_missing[name] if {
	some name, traffic in {
		"all at once": {"stages": 1, "first_weight": 100},
		"one stage": {"stages": 1},
		"all in the first stage": {"first_weight": 100},
		"no alias": {"known": false, "stages": 0, "first_weight": 0},
	}
	some finding in canary.missing([_change("update", "critical", traffic)], {"critical"})
	finding.code == "canary_missing"
	finding.resource == "Function/checkout"
}

test_steep if {
	some finding in canary.steep([_change("publish", "critical", {"first_weight": 11})], {"critical"}, 10)
	finding.code == "canary_steep"
}

test_left_out[name] if {
	at_once := {"stages": 1, "first_weight": 100}
	some name, c in {
		"another tier": _change("update", "batch", at_once),
		"new": _change("create", "critical", at_once),
		"deleted": _change("delete", "critical", at_once),
		"no function": object.union(_change("update", "critical", at_once), {"kind": "Queue"}),
		"no tier": object.union(object.remove(_change("update", "critical", at_once), ["labels"]), {"labels": {}}),
	}
	canary.missing([c], {"critical"}) == set()
	canary.steep([c], {"critical"}, 10) == set()
}
