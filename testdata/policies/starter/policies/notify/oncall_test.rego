package policy.notify.oncall_test

import data.policy.notify.oncall

test_grave if {
	some r in oncall.route with input as {"event": {"severity": "critical"}, "receivers": ["oncall", "chat"]}
	r.receiver == "oncall"
}

test_slight if {
	oncall.route == set() with input as {"event": {"severity": "low"}, "receivers": ["oncall"]}
}

test_nobody_on_call if {
	oncall.route == set() with input as {"event": {"severity": "critical"}, "receivers": ["chat"]}
}
