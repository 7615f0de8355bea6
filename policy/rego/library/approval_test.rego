package policy.lib.approval_test

import data.policy.lib.approval

_yes(name) := {"name": name, "verified": true, "author": false, "teams": ["payments"], "codes": [], "time_ns": 1}

test_two_people if {
	approval.require([_yes("ann"), _yes("bob")], 2) == set()
}

test_one_person_twice_is_one if {
	some item in approval.require([_yes("ann"), object.union(_yes("ann"), {"time_ns": 2})], 2)
	item.kind == "approval"
	item.have == 1
}

test_not_counted[name] if {
	some name, change in {
		"the author": {"author": true},
		"unverified": {"verified": false},
		"nameless": {"name": ""},
	}
	approval.counted([object.union(_yes("ann"), change)]) == set()
}

test_team if {
	approval.by_team([_yes("ann")], "payments") == {"ann"}
	approval.by_team([_yes("ann")], "platform") == set()
}
