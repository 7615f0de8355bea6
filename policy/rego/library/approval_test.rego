package policy.lib.approval_test

import data.policy.lib.approval

_yes(name) := {"name": name, "verified": true, "author": false, "teams": ["payments"], "codes": [], "time_ns": 1}

test_two_people if {
	approval.require([_yes("ann"), _yes("bob")], 2) == set()
}

test_one_person_twice_is_one[name] if {
	some name, again in {"later": object.union(_yes("ann"), {"time_ns": 2}), "spelt otherwise": _yes("Ann")}
	some item in approval.require([_yes("ann"), again], 2)
	item.kind == "approval"
	item.need == 2
	item.have == 1
}

test_not_counted[name] if {
	some name, change in {
		"the author": {"author": true},
		"unverified": {"verified": false},
		"nameless": {"name": ""},
		"a blank": {"name": " "},
	}
	yes := object.union(_yes("ann"), change)
	approval.counted([yes]) == set()
	approval.by_team([yes], "payments") == set()
	approval.counted_in({"environment": {"protected": true}, "approvals": [yes]}) == set()
}

test_stated_identities_count_where_nothing_is_protected if {
	yes := object.union(_yes("ann"), {"verified": false})
	approval.counted_in({"environment": {"protected": false}, "approvals": [yes]}) == {"ann"}
	author := object.union(yes, {"author": true})
	approval.counted_in({"environment": {"protected": false}, "approvals": [author]}) == set()
}

test_team if {
	approval.by_team([_yes("ann")], "payments") == {"ann"}
	approval.by_team([_yes("ann")], "platform") == set()
}

test_teams if {
	approval.require_teams([_yes("ann")], {"payments": 1}) == set()
	some item in approval.require_teams([_yes("ann")], {"payments": 1, "security": 1})
	item.code == "approval_security"
	item.have == 0
}

test_needs_that_make_no_sense_hold[name] if {
	some name, need in {"none": 0, "a text": "2", "nothing": null, "half": 1.5}
	some item in approval.require([_yes("ann"), _yes("bob")], need)
	item.kind == "manual"
	some of_team in approval.require_teams([_yes("ann")], {"payments": need})
	of_team.kind == "manual"
	some counted in approval.wanted(need, "x")
	counted.kind == "manual"
}

test_wanted if {
	some item in approval.wanted(2, "roles change")
	item == {"kind": "approval", "code": "approval_wanted", "msg": "roles change", "need": 2}
}

test_teams_that_are_a_list_hold if {
	some item in approval.require_teams([_yes("ann")], ["payments"])
	item.kind == "manual"
}
