package policy.notify.oncall_test

import data.policy.notify.oncall

_routes(severity, receivers) := names if {
	i := {"event": {"severity": severity}, "receivers": receivers}
	found := oncall.route with input as i with data.config.receivers as {"grave": ["oncall"]}
	names := {r.receiver | some r in found}
}

test_grave if _routes("critical", ["oncall", "chat"]) == {"oncall"}

test_slight if _routes("low", ["oncall", "chat"]) == set()

test_nobody_on_call if _routes("critical", ["chat"]) == set()
