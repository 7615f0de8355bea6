package policy.promotion.gate_test

import future.keywords.not

import data.policy.promotion.gate

_upstream := {
	"environment": "staging", "content_match": true, "applied": true, "healthy": true, "held": false,
	"soak_seconds": 600, "checks": [{"name": "smoke", "known": true, "passed": true, "time_ns": 1}],
}

_good := {
	"environment": {"name": "production", "suspended": false, "window": {"open": true, "next_change_ns": 0}},
	"request": {"time_ns": time.parse_rfc3339_ns("2026-06-01T12:00:00Z")},
	"upstream": [_upstream],
	"contract": {"satisfied": true, "broken": []},
}

_but(change) := object.union(_good, change)

_upstream_but(change) := _but({"upstream": [object.union(_upstream, change)]})

_codes(items) := {i.code | some i in items}

test_good if {
	gate.allow with input as _good
	gate.require == set() with input as _good
}

test_held[code] if {
	some code, i in {
		"upstream_unsettled": _upstream_but({"healthy": false}),
		"check": _upstream_but({"checks": [{"name": "smoke", "known": false, "passed": false, "time_ns": 0}]}),
		"soak": _upstream_but({"soak_seconds": 4}),
		"window": _but({"environment": {"window": {"open": false, "next_change_ns": 7}}}),
		"freeze": _but({"request": {"time_ns": time.parse_rfc3339_ns("2025-12-24T18:00:00Z")}}),
		"contract": _but({"contract": {"satisfied": false, "broken": []}}),
		"suspended": _but({"environment": {"suspended": true}}),
	}
	_codes(gate.require) == {code} with input as i
}

test_broken_contract_is_named if {
	broken := [{"resource": "Function/checkout", "expects": "secret shop/stripe", "why": "scheduled for deletion"}]
	i := _but({"contract": {"satisfied": false, "broken": broken}})
	not gate.allow with input as i
	some item in gate.require with input as i
	item.msg == "Function/checkout expects secret shop/stripe in production: scheduled for deletion"
}

test_staging_needs_no_soak if {
	i := object.union(_upstream_but({"soak_seconds": 0}), {"environment": {"name": "staging"}})
	gate.require == set() with input as i
}

test_nothing_upstream_allows_nothing if {
	not gate.allow with input as _but({"upstream": []})
}
