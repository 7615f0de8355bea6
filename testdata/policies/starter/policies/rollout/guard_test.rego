package policy.rollout.guard_test

import data.policy.rollout.guard

_good := {
	"environment": {"name": "production", "suspended": false},
	"metrics": {"checkout.canary.error_rate": {"known": true, "value": 0.01, "samples": 100, "window_seconds": 60}},
	"alarms": [{"name": "orders-late", "state": "ok"}],
}

_metric(known, value, samples) := object.union(_good, {"metrics": {"checkout.canary.error_rate": {
	"known": known, "value": value, "samples": samples, "window_seconds": 60,
}}})

_alarm(state) := object.union(_good, {"alarms": [{"name": "orders-late", "state": state}]})

_codes(findings) := {f.code | some f in findings}

test_good if {
	guard.abort == set() with input as _good
	guard.pause == set() with input as _good
}

test_alarm if {
	_codes(guard.abort) == {"alarm"} with input as _alarm("alarm")
}

test_an_alarm_that_says_nothing_is_no_good_news if {
	guard.abort == set() with input as _alarm("insufficient_data")
	_codes(guard.pause) == {"alarm_unknown"} with input as _alarm("insufficient_data")
}

test_most_calls_fail if {
	_codes(guard.abort) == {"failing"} with input as _metric(true, 0.51, 20)
}

test_too_few_calls_to_say if {
	guard.abort == set() with input as _metric(true, 1, 19)
}

test_unknown_is_not_bad if {
	guard.abort == set() with input as _metric(false, 1, 100)
}

test_suspended if {
	i := object.union(_good, {"environment": {"suspended": true}})
	_codes(guard.pause) == {"suspended"} with input as i
}
