package policy.lib.change_size_test

import data.policy.lib.change_size

_change(operation, fields, after) := {
	"resource": sprintf("Function/%s", [after]), "operation": operation, "fields": fields,
	"artifact": {"before": "a", "after": after},
}

_facts := {"truncated": false, "changes": [_change("update", ["x", "x"], "b"), _change("create", ["x"], "a"), _change("delete", ["y"], "a")]}

test_sizes if {
	change_size.fields(_facts.changes) == 3
	change_size.code(_facts.changes) == {"Function/b"}
}

test_within if {
	change_size.require(_facts, {"changes": 3, "fields": 3, "code": 1}) == set()
	change_size.require(_facts, {}) == set()
}

test_beyond[what] if {
	some what, most in {"changes": 2, "fields": 2, "code": 0}
	some item in change_size.require(_facts, {what: most})
	item.code == "change_size"
	startswith(item.msg, what)
}

test_not_all_is_shown if {
	count(change_size.require(object.union(_facts, {"truncated": true}), {"fields": 1000})) == 1
}

test_limits_that_make_no_sense_hold[name] if {
	some name, limits in {"no object": 5, "unknown": {"field": 5}, "a text": {"fields": "5"}, "nothing": {"fields": null}}
	some item in change_size.require(_facts, limits)
	item.kind == "manual"
}
