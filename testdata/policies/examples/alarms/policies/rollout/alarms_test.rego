package policy.rollout.alarms_test

import data.policy.rollout.alarms

_answers(weight, states) := {"abort": {f.code | some f in abort}, "pause": {f.code | some f in pause}} if {
	i := {"rollout": {"weight": weight}, "alarms": [{"name": name, "state": state} | some name, state in states]}
	abort := alarms.abort with input as i with data.config.alarms as ["checkout-errors"]
	pause := alarms.pause with input as i with data.config.alarms as ["checkout-errors"]
}

test_quiet if _answers(10, {"checkout-errors": "ok"}) == {"abort": set(), "pause": set()}

test_fires_in_the_canary if _answers(10, {"checkout-errors": "alarm"}) == {"abort": {"alarm"}, "pause": set()}

test_fires_before if _answers(0, {"checkout-errors": "alarm"}) == {"abort": set(), "pause": {"alarm"}}

test_says_nothing if _answers(10, {"checkout-errors": "insufficient_data"}) == {"abort": set(), "pause": {"alarm_unknown"}}

test_is_not_there if _answers(10, {"other": "ok"}) == {"abort": set(), "pause": {"alarm_unwatched"}}
