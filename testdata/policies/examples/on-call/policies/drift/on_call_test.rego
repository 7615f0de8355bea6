package policy.drift.on_call_test

import data.policy.drift.on_call

_answer(known, name) := answers if {
	found := on_call.action with input.items as [{"id": "i1", "actor": {"known": known, "name": name}}]
		with data.config.on_call as {"roles": ["assumed-role/OnCall/*"]}
	answers := {a.do | some a in found}
}

test_put_back if _answer(true, "assumed-role/Admin/ann") == {"revert"}

test_on_call if _answer(true, "assumed-role/OnCall/bob") == {"hold"}

test_not_quite_on_call if _answer(true, "assumed-role/OnCallTraining/bob") == {"revert"}

test_nobody_knows if _answer(false, "") == {"alert"}
