package policy.activation.guard_test

import data.policy.activation.guard

_ann := {"name": "ann", "verified": true, "author": false, "teams": [], "codes": [], "time_ns": 1}

_bob := object.union(_ann, {"name": "bob"})

_change := {
	"tests": 3, "approvals": [], "packages": [{"name": "policy.admission.size", "operation": "changed"}],
	"replay": {"decisions": 9, "skipped": 0, "flips": []},
}

_opening := {"replay": {"flips": [{"point": "admission", "before": "deny", "after": "allow", "opens": true}]}}

_wants(change) := {item.code | some item in wanted} if {
	wanted := guard.require with input.activation as object.union(_change, change)
}

test_harmless if {
	_wants({}) == set()
	guard.allow with input.activation as _change
}

test_opening if _wants(_opening) == {"approval"}

test_opening_and_approved if _wants(object.union(_opening, {"approvals": [_ann, _bob]})) == set()

test_of_itself if _wants({"packages": [{"name": "policy.activation.guard", "operation": "removed"}]}) == {"approval"}

test_untested if {
	some finding in guard.deny with input.activation as object.union(_change, {"tests": 0})
	finding.code == "untested"
}
