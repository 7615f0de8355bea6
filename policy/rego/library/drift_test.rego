package policy.lib.drift_test

import data.policy.lib.drift
import future.keywords.not

_item := {
	"id": "i1", "resource": "Function/checkout", "kind_of_resource": "Function", "path": "environment.LOG_LEVEL",
	"open": false, "rounds": 0, "actor": {"known": true, "name": "assumed-role/Dev/ann", "event": "", "service": ""},
}

_by(name) := object.union(_item, {"actor": {"name": name}})

_nobody := object.union(_item, {"actor": {"known": false, "name": ""}})

_do(actions) := {a.do | some a in actions}

_on_call := ["assumed-role/OnCall/*"]

test_by if {
	drift.by(_by("assumed-role/OnCall/bob"), _on_call)
	not drift.by(_by("assumed-role/OnCallish/bob"), _on_call)
	not drift.by(_nobody, ["*"])
}

test_reverted_but_for_on_call if {
	_do(drift.revert_except([_item], _on_call, "from Git")) == {"revert"}
	_do(drift.revert_except([_by("assumed-role/OnCall/bob")], _on_call, "from Git")) == {"hold"}
	_do(drift.revert_except([_nobody], _on_call, "from Git")) == {"alert"}
}

test_break_glass if {
	some a in drift.hold_by([_item, _by("user/break-glass")], ["user/break-glass"], "the glass is broken")
	a.do == "hold"
	a.reason == "the glass is broken: user/break-glass"
	count(drift.hold_by([_item], ["user/break-glass"], "x")) == 0
}

test_by_path if {
	_do(drift.revert([_item], ["Function environment.*", "Alias *"], "x")) == {"revert"}
	_do(drift.revert([object.union(_item, {"path": "memorySize"})], ["Function environment.*"], "x")) == set()
}

test_ignored_with_a_reason if {
	rules := [{"resource": "Function/*", "path": "environment.LOG_*", "reason": "turned up at will"}]
	drift.ignore([_item], rules) == {{"item": "i1", "do": "ignore", "reason": "turned up at will"}}
	drift.ignore([object.union(_item, {"path": "memorySize"})], rules) == set()
	_do(drift.ignore([object.union(_item, {"open": true})], rules)) == {"alert"}
}

test_tired if {
	_do(drift.tired([object.union(_item, {"rounds": 3})], 3)) == {"hold"}
	drift.tired([_item], 3) == set()
}

# What cannot be read changes nothing, and is told.
test_lists_that_cannot_be_read[name] if {
	some name, actions in {
		"actors": drift.revert_except([_item], "assumed-role/OnCall/*", "x"),
		"holders": drift.hold_by([_item], null, "x"),
		"paths": drift.revert([_item], "Function *", "x"),
		"rules": drift.ignore([_item], {"resource": "*"}),
		"a rule that is none": drift.ignore([_item], ["Function/*"]),
		"a rule without a reason": drift.ignore([_item], [{"resource": "*", "path": "*"}]),
		"a rule with more": drift.ignore([_item], [{"resource": "*", "path": "*", "reason": "x", "until": "x"}]),
	}
	_do(actions) == {"alert"}
}
